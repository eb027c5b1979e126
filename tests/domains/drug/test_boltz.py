"""The Boltz-2 adapter. Its weights are gigabytes, so the program here is a stand-in with its command line and its files."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from domains import command
from domains.drug import boltz
from domains.drug.outcomes import Outcome
from domains.errors import InvalidRequest
from tasks.child import Answer, Child

SEQUENCE = "MVTPEGNVSLVDESLLVGVTDEDRAVRSAHQFYERLIG"
# As the format is documented for boltz 2.2; the numbers are of no molecule.
AFFINITY = {"affinity_pred_value": 0.8367, "affinity_probability_binary": 0.8425, "affinity_pred_value1": 0.8225}
CONFIDENCE = {
    "confidence_score": 0.8367, "ptm": 0.8425, "iptm": 0.8225, "ligand_iptm": 0.5, "protein_iptm": 0.8,
    "complex_plddt": 0.8402, "chains_ptm": {"0": 0.85}, "pair_chains_iptm": {"0": {"0": 0.85}},
}  # fmt: skip

# A stand-in for the boltz program, not the model: it answers by the atoms in the SMILES, and misbehaves when told to.
STAND_IN = f"""#!{sys.executable}
import json, pathlib, sys, time
command, inputs, *rest = sys.argv[1:]
options = dict(zip(rest[::2], rest[1::2]))
assert command == "predict" and options["--seed"] == "7" and pathlib.Path(options["--cache"]).is_dir()
inputs = pathlib.Path(inputs)
out = pathlib.Path(options["--out_dir"]) / f"boltz_results_{{inputs.stem}}" / "predictions"
for path in sorted(inputs.glob("*.yaml")):
    text = path.read_text()
    if "[Pt]" in text: continue
    if "[Ir]" in text: print("| WARNING: ran out of memory, skipping batch"); continue
    if "[Au]" in text: sys.exit("RuntimeError: CUDA out of memory")
    if "[Ag]" in text: time.sleep(3600)
    folder = out / path.stem
    folder.mkdir(parents=True)
    affinity, confidence = {AFFINITY!r}, {CONFIDENCE!r}
    if "[Cu]" in text: affinity["affinity_probability_binary"] = 7
    (folder / f"affinity_{{path.stem}}.json").write_text("{{" if "[Zn]" in text else json.dumps(affinity))
    (folder / f"confidence_{{path.stem}}_model_0.json").write_text(json.dumps(confidence))
    (folder / f"{{path.stem}}_model_0.cif").write_text("data_model")
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    path = tmp_path / "boltz"
    path.write_text(STAND_IN)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv(boltz.EXECUTABLE, str(path))
    monkeypatch.setenv(boltz.CACHE, str(cache))
    return path


@pytest.fixture
def settings(stand_in, tmp_path):
    msa = tmp_path / "target.a3m"
    msa.write_text(f">query\n{SEQUENCE}\n")
    chain = boltz.Chain(id="A", sequence=SEQUENCE, msa=str(msa))
    return boltz.BoltzSettings(chains=(chain,), seed=7, executable=stand_in, cache=tmp_path / "cache")


def predicted(settings, *smiles):
    return boltz.predict(pa.table({"id": list(range(len(smiles))), "smiles": list(smiles)}), settings).to_pylist()


def test_an_input_names_chains_alignments_and_the_binder(settings):
    smiles = "N[C@@H](Cc1ccc(O)cc1)C(=O)O"
    content = yaml.safe_load(boltz.document(smiles, settings.chains))
    protein, ligand = content["sequences"]
    assert protein == {"protein": {"id": "A", "sequence": SEQUENCE, "msa": settings.chains[0].msa}}
    assert os.path.isabs(settings.chains[0].msa)  # noqa: PTH117 (a string, as the program gets it)
    assert ligand["ligand"]["smiles"] == smiles
    assert content["properties"] == [{"affinity": {"binder": ligand["ligand"]["id"]}}]


def test_a_batch_is_one_run_and_one_row_for_each_row(settings):
    rows = predicted(settings, "CCO", "not a smiles", "c1ccccc1", "C" * 129, "CC(=O)[O-].[Na+]")
    ends = [Outcome.ok, Outcome.bad_smiles, Outcome.ok, Outcome.too_large, Outcome.bad_smiles]
    assert [row["outcome"] for row in rows] == ends
    assert rows[4]["reason"] == "2 molecules in one SMILES; Boltz-2 takes one"
    assert rows[0]["affinity_pred_value"] == AFFINITY["affinity_pred_value"]
    assert rows[2]["ligand_iptm"] == CONFIDENCE["ligand_iptm"]
    assert rows[2]["structure"] == "data_model"
    assert rows[3]["reason"] == "129 atoms; Boltz-2 takes 128"


def test_what_is_missing_unreadable_or_impossible_is_named(settings):
    missing, ok, broken, impossible = predicted(settings, "[Pt]", "CCO", "[Zn]", "[Cu]")
    assert missing["reason"] == "boltz wrote no affinity_m0.json"
    assert ok["outcome"] == Outcome.ok
    assert broken["reason"].startswith("its result cannot be read: JSONDecodeError")
    assert impossible["outcome"] == Outcome.implausible
    assert predicted(settings, "[Ir]")[0]["reason"] == "boltz wrote no affinity_m0.json (it ran out of memory)"


def test_inputs_and_results_may_go_to_another_machine_and_back(settings, tmp_path):
    batch = pa.table({"id": [4, 9, 11], "smiles": ["CCO", "nothing", "CCN"]})
    assert boltz.write(batch, settings.chains, tmp_path / "inputs") == 2
    assert sorted(path.name for path in (tmp_path / "inputs").iterdir()) == ["m11.yaml", "m4.yaml"]
    there = ["predict", "inputs", "--out_dir", ".", "--seed", "7", "--cache", str(settings.cache)]
    subprocess.run([settings.executable, *there], cwd=tmp_path, check=True)
    rows = boltz.read(batch, tmp_path / "boltz_results_inputs").to_pylist()
    assert [(row["id"], row["outcome"]) for row in rows] == [(4, "ok"), (9, "bad_smiles"), (11, "ok")]
    (tmp_path / "boltz_results_inputs" / "predictions" / "m4" / "m4_model_0.cif").unlink()
    assert boltz.read(batch, tmp_path / "boltz_results_inputs")["reason"][0].as_py() == "boltz wrote no m4_model_0.cif"


def test_a_failed_run_keeps_what_was_finished(settings):
    first, second = predicted(settings, "CCO", "[Au]")
    assert first["outcome"] == Outcome.ok
    assert second["outcome"] == Outcome.engine_error
    assert second["reason"] == "boltz ended with code 1: RuntimeError: CUDA out of memory"


def test_a_hung_run_is_stopped(settings):
    (row,) = predicted(settings.model_copy(update={"molecule_limit_s": 1.0}), "[Ag]")
    assert row["outcome"] == Outcome.timeout


def test_it_runs_in_a_child_as_stages_use_it(settings):
    child = Child(6 * 2**30)
    try:
        child.open(boltz.predict, settings)
        answer = child.call(pa.table({"id": [3], "smiles": ["CCO"]}), 60)
    finally:
        child.close()
    assert isinstance(answer, Answer)
    assert answer.result.to_pylist()[0]["outcome"] == Outcome.ok


def test_a_seed_and_an_alignment_must_be_said(settings):
    with pytest.raises(ValidationError, match="seed"):
        boltz.BoltzSettings(chains=settings.chains, executable=settings.executable, cache=settings.cache)
    with pytest.raises(ValidationError, match="no file /no/such.a3m"):
        boltz.Chain(id="A", sequence=SEQUENCE, msa="/no/such.a3m")
    with pytest.raises(ValidationError, match="is not the chain's"):
        boltz.Chain(id="A", sequence=SEQUENCE[1:], msa=settings.chains[0].msa)
    assert settings.warnings == ()
    none = boltz.Chain(id="A", sequence=SEQUENCE, msa=boltz.NO_MSA)
    assert settings.model_copy(update={"chains": (none,)}).warnings == (boltz.MSA_WARNING,)


def test_what_it_needs_is_told(stand_in, tmp_path, monkeypatch):
    assert boltz.state().startswith("needs weights: no boltz2_conf.ckpt, boltz2_aff.ckpt, mols in ")
    chain = boltz.Chain(id="A", sequence=SEQUENCE, msa=boltz.NO_MSA)
    with pytest.raises(InvalidRequest, match="needs weights"):
        boltz.here([chain], seed=7)
    for name in boltz.WEIGHTS:
        (tmp_path / "cache" / name).touch()
    assert boltz.state() == ""
    assert boltz.here([chain], seed=7).executable == stand_in
    monkeypatch.setenv(boltz.EXECUTABLE, str(tmp_path / "nowhere"))
    assert boltz.state() == f"needs binary: no {tmp_path}/nowhere (set AI4S_BOLTZ to its path)"
    monkeypatch.delenv(boltz.EXECUTABLE)
    monkeypatch.setenv("PATH", str(tmp_path / "cache"))
    monkeypatch.setenv(boltz.CACHE, str(tmp_path / "empty"))
    assert boltz.state().startswith("needs binary: no boltz on PATH")
    assert "; needs weights: no boltz2_conf.ckpt" in boltz.state()


def test_where_the_program_lies_is_no_part_of_the_recipe(settings):
    recipe = json.dumps(settings.model_dump(mode="json"))
    assert str(settings.executable) not in recipe
    assert '"seed": 7' in recipe
    assert settings.chains[0].msa not in recipe
    Path(settings.chains[0].msa).write_text(f"#37\t1\n>query\n{SEQUENCE}\n>other\n{SEQUENCE[:-1]}-\n")
    assert json.dumps(settings.model_dump(mode="json")) != recipe  # another alignment, another prediction


def test_a_program_ends_with_the_child_that_started_it(tmp_path):
    script = (
        "import pathlib, sys; from domains import command; "
        "command.run([sys.executable, '-c', 'import os, pathlib, time; "
        'pathlib.Path("pid").write_text(str(os.getpid())); time.sleep(600)\'], pathlib.Path.cwd())'
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    until = time.monotonic() + 120
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    number = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    while _running(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _running(number)


def _running(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as file:  # noqa: PTH123
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_at_its_limit_a_program_ends_with_what_it_started(tmp_path):
    script = "import subprocess, sys; one = subprocess.Popen(['sleep', '600']); print(one.pid, flush=True); one.wait()"
    done = command.run([sys.executable, "-c", script], tmp_path, limit_s=5.0)
    assert done.timed_out
    until = time.monotonic() + 60
    while _running(int(done.output)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _running(int(done.output))


def test_a_program_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        command.run(["no-such-program-here"], tmp_path)
