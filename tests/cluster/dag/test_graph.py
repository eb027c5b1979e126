import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cluster.dag import Edge, GraphError, Task, TaskGraph, bounds, read
from tests.cluster.dag.machines import graph, machine
from tests.public_data import public_data

A, B = Task("a", "x", 1.0), Task("b", "x", 2.0)


@pytest.mark.parametrize(
    ("tasks", "edges", "message"),
    [
        ((), (), "the graph has no tasks"),
        ((A, A), (), "task a: is given twice"),
        ((Task("a", "x", -1.0),), (), "task a: work is -1.0; give seconds, 0 or more"),
        ((Task("a", "x", float("nan")),), (), "task a: work is nan"),
        ((Task("a", "x", 1.0, chips=0),), (), "task a: chips is 0"),
        ((A, B), (Edge("c", "b"),), "edge c > b: unknown parent c"),
        ((A, B), (Edge("a", "c"),), "edge a > c: unknown child c"),
        ((A, B), (Edge("a", "b", -2.0),), "edge a > b: bytes is -2.0"),
        ((A, B), (Edge("a", "b"), Edge("a", "b")), "edge a > b: is given twice"),
        ((A, B), (Edge("a", "b"), Edge("b", "a")), "task a: waits for itself"),
        ((A,), (Edge("a", "a"),), "task a: waits for itself"),
    ],
)
def test_a_graph_that_cannot_be_is_refused(tasks: tuple[Task, ...], edges: tuple[Edge, ...], message: str):
    with pytest.raises(GraphError, match=message):
        TaskGraph(tasks, edges)


def split() -> dict[str, Any]:
    """A workflow in version 1.5."""
    return {
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    {"name": "cut_01", "id": "1", "parents": [], "children": ["2"], "outputFiles": ["f", "g"]},
                    {"name": "join_02", "id": "2", "parents": ["1"], "children": [], "inputFiles": ["f", "g", "h"]},
                ],
                "files": [{"id": name, "sizeInBytes": size} for name, size in (("f", 5), ("g", 7), ("h", 100))],
            },
            "execution": {
                "tasks": [
                    {"id": "1", "runtimeInSeconds": 3, "command": {"program": "/bin/cut"}},
                    {"id": "2", "runtimeInSeconds": 4.5},
                ]
            },
        },
    }


def flat() -> dict[str, Any]:
    """The same in version 1.4."""
    files = {name: {"name": name, "sizeInBytes": size} for name, size in (("f", 5), ("g", 7), ("h", 100))}
    return {
        "schemaVersion": "1.4",
        "workflow": {
            "tasks": [
                {
                    "name": "cut_01",
                    "runtimeInSeconds": 3,
                    "children": ["join_02"],
                    "files": [{**files[name], "link": "output"} for name in "fg"],
                },
                {
                    "name": "join_02",
                    "runtimeInSeconds": 4.5,
                    "parents": ["cut_01"],
                    "files": [{**files[name], "link": "input"} for name in "fgh"],
                },
            ]
        },
    }


@pytest.mark.parametrize("content", [split(), flat()])
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_both_versions_are_read_plain_and_gzipped(content: dict[str, Any], suffix: str, tmp_path: Path):
    path, text = tmp_path / f"flow{suffix}", json.dumps(content).encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    found = read(path)
    assert [(task.type, task.work) for task in found.tasks] == [("cut", 3.0), ("join", 4.5)]
    assert [(edge.parent, edge.child, edge.bytes) for edge in found.edges] == [
        (found.tasks[0].id, found.tasks[1].id, 12)
    ]


def changed(content: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    inner: Any = content
    for step in path[:-1]:
        inner = inner[step]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return content


SPEC, RUN = ("workflow", "specification"), ("workflow", "execution", "tasks")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the file: is not an object"),
        ({}, "workflow: is missing"),
        (changed(split(), *RUN, to=None), "workflow.execution.tasks: is missing"),
        (changed(split(), *RUN, to={}), "workflow.execution.tasks: is not a list"),
        (changed(split(), *RUN, 1, to=None), "specification.tasks.1.id: workflow.execution.tasks has no task 2"),
        (
            changed(split(), *RUN, 0, "runtimeInSeconds", to=-1),
            "execution.tasks.0.runtimeInSeconds: got -1; give a number",
        ),
        (changed(split(), *RUN, 0, "runtimeInSeconds", to=None), "execution.tasks.0.runtimeInSeconds: is missing"),
        (changed(split(), *SPEC, "files", to=[]), "specification.tasks.0.outputFiles.0: unknown file f"),
        (changed(split(), *SPEC, "tasks", 1, "parents", to=["9"]), "tasks.1.parents.0: unknown task 9"),
        (changed(split(), *SPEC, "tasks", 0, "parents", to=["2"]), "task 1: waits for itself"),
        (changed(flat(), "workflow", "tasks", 0, "files", 0, "link", to="both"), "files.0.link: got 'both'"),
        (changed(flat(), "workflow", "tasks", 0, "name", to=7), "workflow.tasks.0.name: got 7; give a text"),
    ],
)
def test_errors_name_the_file_and_the_key(content: Any, message: str, tmp_path: Path):
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(content))
    with pytest.raises(GraphError, match=rf"flow.json: .*{message}") as raised:
        read(path)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_none_is_an_error(tmp_path: Path):
    with pytest.raises(GraphError, match=r"none.json: No such file"):
        read(tmp_path / "none.json")
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b'{"name": 1}')[:-9])
    with pytest.raises(GraphError, match=r"cut.json.gz: is not JSON"):
        read(tmp_path / "cut.json.gz")


def test_recorded_workflows_are_read():
    files = sorted(public_data("workflows").glob("*.json.gz"))
    assert files
    assert all(len(read(file).tasks) > 40 for file in files)


def test_the_bounds_of_graphs_that_one_can_reckon():
    chips = machine([[["x", "x"]], [["y"]]], {"x": 1.0, "y": 2.0}, {"hub": 1.0}, speeds={("b", "x"): 0.0})
    found = bounds(graph([4, 4, 4, 4]), chips)
    assert (found.critical_path, found.link) == (2.0, 0.0)
    assert (found.area, found.binding) == (pytest.approx(4.0), "area")  # 16 s of work, 4 chips' worth of speed
    chain = bounds(graph([4, 4, 4], [(0, 1, 1), (1, 2, 1)]), chips)
    assert (chain.critical_path, chain.binding, chain.value) == (6.0, "critical_path", 6.0)
    # Type b runs on y alone and a nowhere else than on x: 30 GB must enter s1, which has one chip.
    only = machine(
        [[["x", "x"]], [["y"]]], {"x": 1.0, "y": 2.0}, {"hub": 1.0}, speeds={("b", "x"): 0.0, ("a", "y"): 0.0}
    )
    tasks = TaskGraph((Task("p", "a", 1.0), Task("c", "b", 1.0)), (Edge("p", "c", 30e9),))
    assert (bounds(tasks, only).link, bounds(tasks, only).binding) == (pytest.approx(30.0), "link")


def test_path_costs_follow_the_tightest_link_of_the_way():
    chips = machine(
        [[["k", "k"], ["k"]], [["k"]]], {"k": 1.0}, {"host": 4.0, "supernode": 8.0, "hub": 2.0}, latency=1e6
    )
    assert [chips.cost(0, other, 8e9) for other in range(4)] == pytest.approx([0, 1 + 2, 1 + 2, 1 + 4])
    assert chips.costs(0, 8e9).tolist() == pytest.approx([0, 3, 3, 5])
    pairs = [chips.cost(a, b, 8e9) for a in range(4) for b in range(a, 4)]
    assert chips.mean_cost(8e9) == pytest.approx(sum(pairs) / len(pairs))
