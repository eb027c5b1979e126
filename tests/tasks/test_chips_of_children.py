"""The process of an engine sees the chips that its shard holds, and no others."""

import itertools
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from cluster.launch import start
from cluster.need import Need
from tasks import child
from tasks.shard import Stage
from tasks.stage import run_stage
from tests import engines

HUB = """
name: duo
title: One host of two accelerators, and one of cores
kinds:
  npu: {title: NPU, device: npu, memory: {value: 2, unit: GiB, status: assumed}}
  part: {title: A core by another name, device: cpu, memory: {value: 2, unit: GiB, status: assumed}}
levels: [hub, supernode, host]
tree:
  - {name: sn0, of: [{name: host0, chips: {npu: 2}}]}
  - {name: sn1, of: [{name: host0, chips: {part: 1}}]}
"""
MEMORY = 4 * 2**30


def look(run: Any, name: str, need: Need, numbers: Any) -> list[list[str]]:
    """Which chips each row's process saw, the process, and from when to when it ran."""
    stage = Stage(
        name, name, name, engines.Visible, engines.Settings(delay_s=0.15), version="1", reads=("value",),
        output=pa.schema([("about", pa.string())]), cost=1.0, need=need,
    )  # fmt: skip
    run_stage(run, stage, numbers(8))
    files = sorted((run.store.root / name).glob("shard-*.parquet"))
    return [row["about"].split(";") for row in ds.dataset(files).to_table().to_pylist()]


def test_shards_that_run_at_a_time_see_other_chips(
    make_run: Any, numbers: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    (tmp_path / "duo.yaml").write_text(HUB)
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    with start(f"emulated:{tmp_path / 'duo.yaml'}") as pod:
        run = make_run("run", pod)
        rows = look(run, "one", Need(kind="npu"), numbers)
        assert {chips for chips, *_ in rows} == {"0", "1"}
        for (mine, _, start_, end), (theirs, _, begin, finish) in itertools.combinations(rows, 2):
            if float(start_) < float(finish) and float(begin) < float(end):
                assert mine != theirs
        # Each chip has one process, which stays: the next shard on it starts none.
        assert len({process for _, process, *_ in rows}) == 2
        both = look(run, "both", Need(chips=2, kind="npu"), numbers)
        assert {chips for chips, *_ in both} == {"0,1"}
        assert {chips for chips, *_ in look(run, "cores", Need(kind="part"), numbers)} == {"none"}


def test_a_chip_has_one_process_and_another_set_of_chips_another(monkeypatch: Any) -> None:
    monkeypatch.setattr(child, "_idle", idle := [])

    def show(*chips: str) -> dict[str, str]:
        return {"CUDA_VISIBLE_DEVICES": ",".join(chips)}

    def process(environ: dict[str, str]) -> Any:
        with child.child_of_slot(MEMORY, environ) as mine:
            mine.open(engines.Doubler, engines.Settings())
            return mine.process

    first, second = process(show("70")), process(show("71"))
    assert process(show("70")) is first
    assert second.poll() is None
    third = process(show("70", "71"))
    assert first.poll() is not None
    assert second.poll() is not None
    plain = process({})
    assert process(show("72")) is not plain
    assert plain.poll() is third.poll() is None
    for one in idle:
        one.close()
