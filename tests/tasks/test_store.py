import json
import os
import subprocess
import sys
import textwrap

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.outcomes import ShardSummary
from tasks.store import Refused, RunStore, StageStore, commit_shard, differences, read_summary, write_atomic

SUMMARY = ShardSummary("k", 2, {"ok": 2}, 1.0, 1.0, 0.5, 0.0, 1.0, "sn0/host0/0")


def table(values):
    return pa.table({"id": [0, 1], "value": values, "outcome": ["ok", "ok"]})


def test_the_first_commit_of_a_shard_wins(tmp_path):
    path = tmp_path / "shard-k.parquet"
    commit_shard(path, table([1, 2]), SUMMARY)
    before = path.read_bytes()
    again = ShardSummary("k", 2, {"ok": 2}, 9.0, 9.0, 9.0, 5.0, 6.0, "sn1/host0/0")
    assert commit_shard(path, table([3, 4]), again) == SUMMARY
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["shard-k.parquet"]


def test_a_file_is_readable_for_others_as_the_umask_says(tmp_path):
    write_atomic(tmp_path / "report.html", b"x")
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o666 & ~os.umask(os.umask(0o22) or 0o22)


def test_left_over_temporary_files_are_swept_and_never_read(tmp_path):
    stage = StageStore(tmp_path / "stage")
    stage.begin({"v": 1}, 1.0)
    (stage.path / ".tmp-torn").write_bytes(b"PAR1 half a file")
    assert stage.committed() == {}
    stage.begin({"v": 1}, 1.0)
    assert not (stage.path / ".tmp-torn").exists()


def test_a_damaged_shard_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "shard-x.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(Refused, match=r"shard-x\.parquet is damaged .* delete this file and resume"):
        read_summary(path)


def test_a_stage_keeps_its_first_shard_length_and_refuses_another_recipe(tmp_path):
    stage = StageStore(tmp_path / "dock")
    assert stage.begin({"version": "1", "settings": {"seed": 1}}, 4.0) == 4.0
    assert stage.begin({"version": "1", "settings": {"seed": 1}}, 9.0) == 4.0
    with pytest.raises(Refused, match=r"settings\.seed: 1 -> 2"):
        stage.begin({"version": "1", "settings": {"seed": 2}}, 4.0)


def test_a_run_refuses_a_changed_request_and_shows_the_difference(tmp_path):
    RunStore(tmp_path / "r").open({"target": "EGFR", "top": 5}).close()
    RunStore(tmp_path / "r").open({"target": "EGFR", "top": 5}).close()
    with pytest.raises(Refused, match='target: "EGFR" -> "ABL1"'):
        RunStore(tmp_path / "r").open({"target": "ABL1", "top": 5})
    RunStore(tmp_path / "r").open({"target": "EGFR", "top": 5}).close()


def test_a_run_is_held_by_one_process_at_a_time(tmp_path):
    store = RunStore(tmp_path / "r").open({})
    with pytest.raises(Refused, match="running in another process"):
        RunStore(tmp_path / "r").open({})
    store.close()
    RunStore(tmp_path / "r").open({}).close()


def test_no_permission_is_said_before_anything_starts(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot write to the run folder .* AI4S_RUNS"):
        RunStore(tmp_path / "file" / "r").open({})


def test_a_nearly_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10 * 2**20})())
    with pytest.raises(Refused, match="nearly full: 10 MiB free"):
        RunStore(tmp_path / "r").open({})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text(max_size=3), json_values, max_size=4),
    st.dictionaries(st.text(max_size=3), json_values, max_size=4),
)
def test_differences_are_empty_exactly_when_nothing_changed(old, new):
    def drop_none(value):
        return {k: drop_none(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    assert differences(old, json.loads(json.dumps(old))) == ""
    if json.dumps(drop_none(old), sort_keys=True) != json.dumps(drop_none(new), sort_keys=True):
        assert differences(drop_none(old), drop_none(new)) or drop_none(old) == drop_none(new)


FULL_DISK = textwrap.dedent("""
    import sys
    from pathlib import Path
    import numpy as np, pyarrow as pa
    from tasks.outcomes import ShardSummary
    from tasks.store import Refused, commit_shard
    stage = Path(sys.argv[1])
    for n in range(1000):
        noise = pa.table({"id": range(20_000), "x": np.random.default_rng(n).random(20_000), "outcome": ["ok"] * 20_000})
        try:
            commit_shard(stage / f"shard-{n}.parquet", noise, ShardSummary(str(n), 20_000, {}, 0, 0, 0, 0, 0, "x"))
        except Refused as error:
            print("REFUSED", error)
            break
    names = sorted(path.name for path in stage.iterdir())
    print("WHOLE", len(names), all(name.startswith("shard-") for name in names))
    for path in stage.iterdir():
        assert pa.parquet.read_table(path).num_rows == 20_000 if hasattr(pa, "parquet") else True
""")


def test_a_full_disk_stops_with_one_message_and_leaves_only_whole_shards(tmp_path):
    mounted = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=2m tmpfs {tmp_path} && exec "$0" "$@"']
    if subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces to mount a small disk")
    done = subprocess.run(
        [*mounted, sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "REFUSED no space left" in done.stdout
    assert "run the same command again" in done.stdout
    whole = next(line for line in done.stdout.splitlines() if line.startswith("WHOLE"))
    assert whole.endswith("True")
    assert int(whole.split()[1]) >= 2
