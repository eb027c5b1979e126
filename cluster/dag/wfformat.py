"""Read recorded workflows in WfFormat 1.4 and 1.5 (wfcommons.org), plain or gzipped."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.dag.graph import Edge, GraphError, Task, TaskGraph

SERIAL = re.compile(r"[_-]?(ID)?\d+$")


def read(path: Path) -> TaskGraph:
    """Build the graph of a workflow file; raises GraphError that names file and key.

    A task's type is the program it ran, its work the recorded run time; an edge carries the files that one task writes
    and the other reads. Files from outside have no edge.
    """
    try:
        content = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_text())
    except (OSError, EOFError, ValueError) as error:
        raise GraphError(f"{path}: {getattr(error, 'strerror', None) or f'is not JSON: {error}'}") from None
    try:
        workflow = _Node("", content)["workflow"]
        return _graph(_split(workflow) if "specification" in workflow.value else _flat(workflow))
    except GraphError as error:
        raise GraphError(f"{path}: {error}") from None


class _Node:
    """A part of the file that knows its key."""

    def __init__(self, key: str, value: Any) -> None:
        self.key, self.value = key, value

    def get(self, *names: str) -> "_Node | None":
        """The first of the keys that is there: older files name some differently."""
        if not isinstance(self.value, dict):
            raise GraphError(f"{self.key or 'the file'}: is not an object")
        for name in names:
            if name in self.value:
                return _Node(f"{self.key}.{name}".lstrip("."), self.value[name])
        return None

    def __getitem__(self, names: str | tuple[str, ...]) -> "_Node":
        names = (names,) if isinstance(names, str) else names
        if (found := self.get(*names)) is None:
            raise GraphError(f"{f'{self.key}.{names[0]}'.lstrip('.')}: is missing")
        return found

    def __iter__(self) -> Iterator["_Node"]:
        if not isinstance(self.value, list):
            raise GraphError(f"{self.key}: is not a list")
        return (_Node(f"{self.key}.{place}", one) for place, one in enumerate(self.value))

    @property
    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise GraphError(f"{self.key}: got {self.value!r}; give a text")
        return self.value

    @property
    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not self.value >= 0:
            raise GraphError(f"{self.key}: got {self.value!r}; give a number, 0 or more")
        return float(self.value)


class _Record:
    """What both versions say of a task."""

    def __init__(self, node: _Node, run: _Node, reads: dict[str, float], writes: dict[str, float]) -> None:
        self.node, self.reads, self.writes = node, reads, writes
        self.id = node["id", "name"].text
        command = run.get("command")
        program = command.get("program") if command and command.value else None
        name = Path(program.text).name if program and program.value else SERIAL.sub("", node["name"].text)
        self.task = Task(self.id, name or self.id, run["runtimeInSeconds", "runtime"].number)


def _split(workflow: _Node) -> list[_Record]:
    """Version 1.5: what is to be done and what was measured lie apart, joined by the task's id."""
    specification = workflow["specification"]
    files = specification.get("files")
    sizes = {one["id"].text: one["sizeInBytes"].number for one in files or ()}
    runs = {one["id"].text: one for one in workflow["execution"]["tasks"]}

    def listed(node: _Node | None) -> dict[str, float]:
        found = {}
        for name in node or ():
            if name.text not in sizes:
                raise GraphError(f"{name.key}: unknown file {name.text}")
            found[name.text] = sizes[name.text]
        return found

    records = []
    for node in specification["tasks"]:
        if (run := runs.get(node["id"].text)) is None:
            raise GraphError(f"{node.key}.id: workflow.execution.tasks has no task {node['id'].text}")
        records.append(_Record(node, run, listed(node.get("inputFiles")), listed(node.get("outputFiles"))))
    return records


def _flat(workflow: _Node) -> list[_Record]:
    """Version 1.4: one list of tasks, each with its files."""
    records = []
    for node in workflow["tasks"]:
        files: dict[str, dict[str, float]] = {"input": {}, "output": {}}
        for one in node.get("files") or ():
            link = one["link"].text
            if link not in files:
                raise GraphError(f"{one.key}.link: got {link!r}; give input or output")
            files[link][one["name", "id"].text] = one["sizeInBytes", "size"].number
        records.append(_Record(node, node, files["input"], files["output"]))
    return records


def _graph(records: list[_Record]) -> TaskGraph:
    # Parents are named by id in 1.5, by name in many files of 1.4.
    known = {record.node[key].text: record for key in ("name", "id") for record in records if key in record.node.value}
    edges: dict[tuple[str, str], float] = {}
    for record in records:
        for key in ("parents", "children"):
            for name in record.node.get(key) or ():
                if (other := known.get(name.text)) is None:
                    raise GraphError(f"{name.key}: unknown task {name.text}")
                parent, child = (other, record) if key == "parents" else (record, other)
                edges[parent.id, child.id] = sum(size for file, size in parent.writes.items() if file in child.reads)
    return TaskGraph(tuple(one.task for one in records), tuple(Edge(*ends, size) for ends, size in edges.items()))
