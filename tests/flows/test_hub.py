import json

import pytest
from click.testing import CliRunner, Result

from flows.cli import main
from tests.public_data import public_data

PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
first,12000,16384,2,1000,,LS,Running,0,100,0
second,12000,16384,1,1000,,BE,Running,10,60,20
large,12000,16384,4,1000,,BE,Running,10,60,20
"""
WORKFLOW = "workflows/blast-chameleon-small-002.json.gz"


def ai4s(*words: object) -> Result:
    return CliRunner().invoke(main, ["hub", *map(str, words)])


def refused(*words: object) -> str:
    result = ai4s(*words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


def test_hubs_are_listed_with_this_machine():
    found = {row["hub"]: row for row in json.loads(ai4s("list", "--json").output)}
    assert found["zhengzhou-60k"]["chips"] == 60160
    assert found["zhengzhou-60k"]["levels"] == "hub > cluster > unit > supernode > host"
    assert "laptop" in found


def test_show_says_levels_kinds_and_where_figures_are_from(tmp_path):
    shown = ai4s("show", "cloudmatrix384", "--map", tmp_path / "map.html").output
    assert "384 chips" in shown
    assert "392 p" in shown
    assert "p public, d derived, a assumed, m measured" in shown
    assert "<svg" in (tmp_path / "map.html").read_text()


def test_a_hub_file_is_made_from_a_slurm_site_checked_and_given_back(tmp_path):
    topology, gres, out = tmp_path / "topology.conf", tmp_path / "gres.conf", tmp_path / "site.yaml"
    topology.write_text("SwitchName=sn0 Nodes=h[0-1]\nSwitchName=sn1 Nodes=h[2-3]\nSwitchName=top Switches=sn[0-1]\n")
    gres.write_text("NodeName=h[0-3] Name=dcu Type=k100 Count=8\n")
    assert ai4s("import", "slurm", topology, gres, "--out", out).exit_code == 0
    assert "is a hub" in ai4s("validate", out).output
    assert "32 chips of k100" in ai4s("validate", out).output
    assert ai4s("export", "slurm", out, "--out", tmp_path / "again").exit_code == 0
    written = (tmp_path / "again" / "topology.conf").read_text()
    assert "SwitchName=sn0" in written
    assert "Nodes=h[0-1]" in written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "zhengzou"], "unknown hub 'zhengzou'; choose one of laptop, cloudmatrix384"),
        (["validate", "gone.yaml"], "hub file gone.yaml: No such file"),
        (["import", "pbs", "x"], "unknown format 'pbs'; choose one of slurm"),
        (["import", "slurm"], "format slurm: give at least one file"),
        (["export", "nodes", "frontier"], "format nodes cannot be written"),
        (["place", "gone.yaml"], "request gone.yaml: No such file"),
        (["simulate", "gone.swf"], "trace gone.swf: No such file"),
        (["simulate", "gone.json"], "gone.json: No such file"),
        (["explain", "g", "gone"], "gone: has no decisions.parquet; give the folder that 'ai4s hub simulate' wrote"),
    ],
)
def test_a_mistake_is_one_message(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("x")
    assert message in refused(*words)
    assert {one.name for one in tmp_path.iterdir()} == {"x"}


def test_place_says_where_each_gang_is_and_what_holds_the_others(tmp_path):
    request = tmp_path / "gangs.yaml"
    request.write_text(
        """hub: cloudmatrix384
down: [sn0/node3]
gangs:
  - {name: half, chips: 200, duration_s: 600}
  - {name: rest, chips: 180}
"""
    )
    found = json.loads(ai4s("place", request, "--json").output)
    assert found["half"]["state"] == "running"
    assert "200 chips of ascend910c" in found["half"]["why"][0]
    assert found["rest"]["state"] == "waiting"
    assert "176 chips of ascend910c are free; 180 are needed" in found["rest"]["why"][0]
    assert any("600 s" in line and "half" in " ".join(found["rest"]["why"]) for line in found["rest"]["why"])
    request.write_text(request.read_text().replace("chips: 180", "chips: 400"))
    assert "gang rest: 400 chips of one kind; cloudmatrix384 has at most 384" in refused("place", request)


def test_place_says_who_could_move_aside(tmp_path):
    request = tmp_path / "gangs.yaml"
    # Six fill a host but for two chips; the seventh spreads over the others, so that no host is whole.
    request.write_text(
        """hub: cloudmatrix384
gangs:
  - {name: first, chips: 6, required: host}
  - {name: thin, chips: 47, mode: spread, over: host, preemptible: true}
  - {name: whole, chips: 8, required: host}
"""
    )
    why = json.loads(ai4s("place", request, "--json").output)["whole"]["why"]
    assert "no host has 8 of them; the most is 7" in why[0]
    assert "Moving 47 chips frees 8 of ascend910c in sn0/node1:" in why


def test_the_example_can_be_placed_as_it_is(tmp_path):
    request = tmp_path / "gangs.yaml"
    request.write_text(ai4s("place", "--example").output)
    result = ai4s("place", request)
    assert "train got 2,560 chips" in result.output
    assert "relax got 64 chips" in result.output


def test_a_simulation_leaves_figures_decisions_and_a_page(tmp_path):
    trace, out = tmp_path / "pods.csv", tmp_path / "out"
    trace.write_text(PODS)
    words = ("simulate", trace, "--hub", "two-supernodes", "--scale", 1, "--no-breaks", "--out", out)
    summary = json.loads(ai4s(*words, "--json").output)
    assert (summary["finished"], summary["refused"], summary["jobs"]) == (2, 1, 3)
    assert summary["makespan_s"] == 140
    assert json.loads((out / "summary.json").read_text()) == summary
    assert "second got 1 chips" in ai4s("explain", "second", out).output
    assert "It waited 90 s" in ai4s("explain", "second", out).output
    assert "large was refused" in ai4s("explain", "large", out).output
    assert "no gang 'secnd' among the 3" in refused("explain", "secnd", out)
    page = (out / "report.html").read_text()
    assert "<svg" in page
    assert "pods.csv" in page


def test_a_day_on_a_growing_hub_can_be_simulated(tmp_path):
    result = ai4s(
        "simulate", "day", "--hub", "zhengzhou-30k", "--load", 0.02, "--grow", 12, "zhengzhou-60k", "--out", tmp_path
    )
    assert result.exit_code == 0, result.output
    assert "of the lower bound" in result.output
    assert "has other levels" in refused(
        "simulate", "day", "--hub", "frontier", "--load", 0.01, "--grow", 1, "zhengzhou-60k"
    )


def test_a_recorded_workflow_is_run_under_every_policy():
    result = json.loads(ai4s("simulate", public_data(WORKFLOW), "--hub", "cloudmatrix384", "--json").output)
    assert result["tasks"] == 43
    assert {"plain", "online"} <= {row["policy"] for row in result["policies"]}
    assert min(row["over bound"] for row in result["policies"]) >= 1
