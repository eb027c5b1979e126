"""A whole screen through Prefect, Dask and Vina, as a scientist sees it."""

import asyncio
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from rdkit import Chem

from tests.flows.screen import TABLES, ai4s, request


@pytest.fixture(scope="module")
def flow(prefect_api):
    from flows.drug_screening import drug_screening

    return drug_screening


@pytest.fixture(scope="module")
def finished(flow, tmp_path_factory):
    """One finished run; the tests look at what it left."""
    from domains.drug.request import ScreeningRequest

    folder = tmp_path_factory.mktemp("screen")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI4S_RUNS", str(folder / "runs"))
        result = flow(ScreeningRequest.model_validate(request(folder, name="one")))
    return folder, result


def outcomes(folder, run="one"):
    """The last word on each molecule: of several states the one that came furthest."""
    rows = pq.read_table(folder / "runs" / run / "outcomes.parquet").to_pylist()
    return {row["name"]: row for row in rows}


def test_every_record_has_one_end(finished):
    folder, _ = finished
    rows = outcomes(folder)
    assert len(rows) == 14
    ends = {name: (row["stage"], row["outcome"]) for name, row in rows.items()}
    assert ends["broken"] == ("standardise", "bad_smiles")
    assert ends["aspirin-again"] == ("deduplicate", "duplicate")
    assert ends["small"] == ("filter", "filtered")
    assert ends["mercury"] == ("prepare", "no_type")
    assert ends["boron"] == ("dock-coarse", "no_type")
    assert sum(end == ("select", "not_selected") for end in ends.values()) == 3
    assert sum(end == ("shortlist", "not_listed") for end in ends.values()) == 3
    assert sum(end == ("shortlist", "ok") for end in ends.values()) == 3
    assert rows["aspirin-again"]["reason"] == "same molecule as row 0"


def test_a_molecule_keeps_its_best_state(finished):
    folder, _ = finished
    rows = pq.read_table(folder / "runs" / "one" / "outcomes.parquet").to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    worse = [row for row in rows if row["outcome"] == "worse_state"]
    assert len(rows) == 14 + len(worse)
    for row in worse:
        mine, best = map(float, re.findall(r"-\d+\.\d+", row["reason"]))
        assert mine >= best


def test_hits_say_why_they_are_listed_and_their_poses_are_molecules(finished):
    folder, result = finished
    hits = pa_csv.read_csv(folder / "runs" / "one" / "hits.csv").to_pylist()
    assert [hit["place"] for hit in hits] == [1, 2, 3]
    assert hits[0]["rank"] == 1
    assert all(hit["reasons"] and hit["reasons_zh"] for hit in hits)
    assert [hit["name"] for hit in hits] == [hit["name"] for hit in result["hits"]]
    mols = list(Chem.SDMolSupplier(str(folder / "runs" / "one" / "hits.sdf")))
    # A pose has its centres set in space, also those that the SMILES leaves open.
    flat = [Chem.MolToSmiles(Chem.MolFromSmiles(hit["smiles"]), isomericSmiles=False) for hit in hits]
    assert [Chem.MolToSmiles(mol, isomericSmiles=False) for mol in mols] == flat
    assert [float(mol.GetProp("score")) for mol in mols] == pytest.approx([hit["score"] for hit in hits], abs=1e-3)


def test_the_report_stands_alone_escapes_names_and_speaks_both_languages(finished):
    folder, result = finished
    page = (folder / "runs" / "one" / "report.html").read_text()
    assert result["report"] == str(folder / "runs" / "one" / "report.html")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    assert "<b>ibuprofen</b>" not in page
    assert page.count('lang="zh"') == page.count('lang="en"') - 1
    assert (
        "14 candidates came in, 3 more were made of them, 14 ended with a named outcome on the way, 3 reached the end"
        in page
    )
    assert "Interactions with the receptor" in page
    assert 'class="view3d"' in page
    assert "sn0" in page
    assert "sn1" in page
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawing)


def test_the_manifest_names_every_shard_with_its_checksum(finished):
    import hashlib

    folder, _ = finished
    root = folder / "runs" / "one"
    manifest = json.loads((root / "manifest.json").read_text())
    files = {path.relative_to(root).as_posix() for path in root.glob("*/shard-*.parquet")}
    assert files == {f"{stage}/shard-{key}.parquet" for stage, shards in manifest.items() for key in shards}
    for stage, shards in manifest.items():
        for key, shard in shards.items():
            data = (root / stage / f"shard-{key}.parquet").read_bytes()
            assert hashlib.sha256(data).hexdigest() == shard["sha256"]
    assert sum(shard["rows"] for shard in manifest["library"].values()) == 14
    assert json.loads((root / "provenance.json").read_text())["sessions"][0]["packages"]["vina"] == "1.2.7"
    assert [stage["name"] for stage in json.loads((root / "plan.json").read_text())["stages"]][-1] == "check-poses"


def test_the_same_request_again_computes_nothing(finished, flow, monkeypatch):
    from domains.drug.request import ScreeningRequest

    folder, result = finished
    root = folder / "runs" / "one"
    stamps = {path: path.stat().st_mtime_ns for path in root.glob("*/shard-*.parquet")}
    tables = {name: (root / name).read_bytes() for name in TABLES}
    monkeypatch.setenv("AI4S_RUNS", str(folder / "runs"))
    assert flow(ScreeningRequest.model_validate(request(folder, name="one"))) == result
    assert {path: path.stat().st_mtime_ns for path in root.glob("*/shard-*.parquet")} == stamps
    assert {name: (root / name).read_bytes() for name in TABLES} == tables
    assert len(json.loads((root / "provenance.json").read_text())["sessions"]) == 2


def test_a_changed_request_or_library_is_refused_with_the_difference(finished, flow, monkeypatch):
    from domains.drug.request import ScreeningRequest
    from tasks.store import Refused

    folder, _ = finished
    monkeypatch.setenv("AI4S_RUNS", str(folder / "runs"))
    with pytest.raises(Refused, match=r"request\.seed: 42 -> 7"):
        flow(ScreeningRequest.model_validate(request(folder, name="one", seed=7)))
    (folder / "mine.smi").write_text("CCO\n" * 14)
    changed = {**request(folder, name="one")}
    (folder / "mine.smi").write_text("CCO\n" * 14)
    with pytest.raises(Refused, match=r"facts\.library_sha256"):
        flow(ScreeningRequest.model_validate(changed))
    request(folder)


@pytest.mark.slow
def test_a_yaml_file_on_one_worker_gives_the_same_bytes_as_two_a_report_and_a_resume(finished, prefect_api, tmp_path):
    folder, _ = finished
    hub = tmp_path / "one.yaml"
    hub.write_text(
        "name: one\ntitle: One chip\nlinks: {}\ntree: [{name: sn0, of: [{name: host0, chips: {core: 1}}]}]\n"
        "kinds: {core: {title: core, device: cpu, memory: {value: 4, unit: GiB, status: assumed}}}\n"
    )
    content = {"pipeline": "drug-screening", **request(tmp_path, name="alone", profile=f"emulated:{hub}")}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(content))
    runs = tmp_path / "runs"
    done = ai4s("run", str(tmp_path / "r.yaml"), "--json", runs=runs, api=prefect_api, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result["hits"]) == 3
    assert "Screening 14 of the 14 records of mine.smi against pocket" in done.stderr
    tables = {name: (runs / "alone" / name).read_bytes() for name in TABLES}
    assert tables == {name: (folder / "runs" / "one" / name).read_bytes() for name in TABLES}
    assert ai4s("report", "alone", runs=runs).stdout.strip() == result["report"]
    assert "finished" in ai4s("runs", runs=runs).stdout
    again = ai4s("resume", "alone", "--json", runs=runs, api=prefect_api)
    assert json.loads(again.stdout) == result
    assert {name: (runs / "alone" / name).read_bytes() for name in TABLES} == tables


def test_prefect_has_one_task_run_a_stage_and_the_artifacts(finished):
    from prefect import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    # Other tests' flows are on the same server.
    screens = FlowFilter(name=FlowFilterName(any_=["drug-screening"]))

    async def read():
        async with get_client() as client:
            runs = await client.read_flow_runs(flow_filter=screens)
            tasks = await client.read_task_runs()
            artifacts = await client.read_artifacts()
            return runs, tasks, artifacts

    runs, tasks, artifacts = asyncio.run(read())
    done = [run for run in runs if run.state.is_completed()]
    assert done
    names = {task.name.rsplit("-", 1)[0] for task in tasks if task.flow_run_id == done[0].id}
    assert names >= {
        "library",
        "standardise",
        "deduplicate",
        "filter",
        "states",
        "prepare",
        "dock-coarse",
        "best-state",
        "select",
        "dock",
        "finalists",
        "check-poses",
        "shortlist",
        "deliver",
    }
    kinds = {artifact.key: artifact.type for artifact in artifacts}
    assert kinds["drug-screening-summary"] == "markdown"
    assert kinds["drug-screening-hits"] == "table"
    assert kinds["drug-screening-structures"] == "image"
    assert kinds["progress-dock-coarse"] == "progress"


def test_the_form_is_filled_and_has_help(flow):
    schema = flow.parameters.model_dump()
    assert list(schema["properties"]) == ["request"]
    default = schema["properties"]["request"]["default"]
    assert default["target"] == "EGFR"
    fields = schema["definitions"]["ScreeningRequest"]["properties"]
    assert all(field.get("description") for field in fields.values())


@pytest.mark.slow
def test_a_nights_screen_with_everything_that_can_be_asked_for(flow, monkeypatch, tmp_path):
    from domains.drug.request import ScreeningRequest

    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    asked = {
        **request(tmp_path, name="all", library="nci-5k", sample=500, top=3, redock=8),
        "window": {"molecular_weight": [100, 160]},
        "learning": {"budget": 0.15, "round_size": 0.05},
        "seeds": 2,
        "admet": True,
        "refine": True,
    }
    result = flow(ScreeningRequest.model_validate(asked))
    rows = pq.read_table(tmp_path / "runs" / "all" / "outcomes.parquet").to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    never = [row for row in rows if row["stage"] == "acquire"]
    docked = sum(len(pq.read_table(path)) for path in (tmp_path / "runs" / "all").glob("dock-coarse-*/*.parquet"))
    pool = sum(len(pq.read_table(path)) for path in (tmp_path / "runs" / "all" / "featurise").glob("*.parquet"))
    assert 0 < len(never) == pool - round(0.15 * pool)
    assert docked <= pool - len(never)
    hits = pa_csv.read_csv(tmp_path / "runs" / "all" / "hits.csv").to_pylist()
    assert len(hits) == 3
    assert all(hit["spread"] >= 0 and hit["risks"] >= 0 for hit in hits)
    page = Path(result["report"]).read_text()
    for words in ("the budget was spent", "minimised in the pocket", "ADMET-AI", "Molecular dynamics was not run"):
        assert words in page


def test_what_is_not_installed_is_said_before_the_start(flow, monkeypatch, tmp_path):
    from domains.drug.request import ScreeningRequest
    from domains.errors import InvalidRequest

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidRequest, match=r"engine.*gnina.*needs binary.*vina"):
        flow(ScreeningRequest.model_validate(request(tmp_path, engine="gnina")))
