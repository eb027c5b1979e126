"""Targets by name: aliases in both languages, refusals, files by checksum, and the site."""

import gzip
import hashlib
import re

import numpy as np
import pytest
from pydantic import ValidationError
from rdkit import Chem

from domains import public_file
from domains.drug import receptors, structure, targets
from domains.drug.request import ScreeningRequest
from domains.errors import InvalidRequest
from tests.domains.drug.mpro import FILE, small_target, whole
from tests.public_data import public_data


@pytest.fixture
def mpro(monkeypatch, tmp_path):
    """The main protease with its real file."""
    monkeypatch.setenv("AI4S_DATA", str(public_data(FILE).parents[1]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return targets.chosen("SARS-CoV-2-Mpro")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No file anywhere and no network."""
    monkeypatch.delenv("AI4S_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(public_file.urllib.request, "urlopen", refuse)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("SARS-CoV-2 main protease", "SARS-CoV-2-Mpro"),
        ("sars cov2 MAIN protease", "SARS-CoV-2-Mpro"),
        ("Mpro", "SARS-CoV-2-Mpro"),
        ("3CLpro", "SARS-CoV-2-Mpro"),
        ("新冠病毒主蛋白酶", "SARS-CoV-2-Mpro"),
        ("MERS Mpro", "MERS-CoV-Mpro"),
        ("宏结构域", "SARS-CoV-2-Mac1"),
        ("Zika NS2B/NS3 protease", "ZIKV-NS2B-NS3pro"),
        ("寨卡病毒蛋白酶", "ZIKV-NS2B-NS3pro"),
    ],
)
def test_a_target_is_found_by_any_of_its_names(name, found):
    assert targets.find(name).name == found
    assert ScreeningRequest(target=name).target == found


def test_no_name_means_two_things():
    folded = [targets._folded(a) for one in targets.catalogue().targets for a in (one.name, *one.aliases)]
    refused = [targets._folded(a) for one in targets.catalogue().refused for a in one.aliases]
    assert len(set(folded)) >= len(folded) - len(targets.catalogue().targets)  # a name may be among its own aliases
    assert not set(folded) & set(refused)
    assert not set(folded) & {targets._folded(name) for name in receptors.shipped()}


@pytest.mark.parametrize("name", ["spike", "Spike-ACE2", "SARS-CoV-2 spike RBD", "刺突蛋白"])
def test_a_protein_interface_is_refused_with_what_to_do_instead(name):
    with pytest.raises(ValidationError, match="cannot be docked: .*Instead: dock against an enzyme"):
        ScreeningRequest(target=name)


def test_an_unknown_name_has_the_closest_ones():
    with pytest.raises(ValidationError, match="closest: .*protease"):
        ScreeningRequest(target="SARS-CoV-2 main proteese")


@pytest.mark.parametrize("target", targets.catalogue().targets, ids=lambda one: one.name)
def test_an_entry_is_complete(target):
    assert re.search(r"/[0-9a-f]{40}/", targets.public_file(target).url)
    assert Chem.MolFromSmiles(target.reference.smiles) is not None
    assert re.search("[\u4e00-\u9fff]", target.title_zh + target.assembly.zh)


def test_the_site_and_the_reference_ligand_are_those_of_the_file(mpro):
    box = targets.box(mpro)
    assert np.allclose(box.center, (8.55, 0.49, 21.46))
    assert box.size == (22, 22, 22)
    model = structure.assembly(targets.pdb_text(mpro), mpro.chains)
    ligand = structure.posed_ligand(structure.ligand(model, "A", "LIG"), mpro.reference.smiles)
    assert Chem.MolToSmiles(ligand) == Chem.CanonSmiles(mpro.reference.smiles)
    assert np.linalg.norm(ligand.GetConformer().GetPositions().mean(axis=0) - box.center) < 0.02


def test_another_file_under_the_name_is_refused(mpro, monkeypatch, tmp_path):
    (tmp_path / "drug").mkdir()
    (tmp_path / "drug" / "sars_cov_2_mpro.pdb").write_text("ATOM\n")
    monkeypatch.setenv("AI4S_DATA", str(tmp_path))
    with pytest.raises(InvalidRequest, match="another file than the one that is pinned"):
        targets.pdb_text(mpro)


def test_a_damaged_file_is_named(mpro, monkeypatch, tmp_path):
    (tmp_path / "drug").mkdir()
    (tmp_path / "drug" / "sars_cov_2_mpro.pdb.gz").write_bytes(gzip.compress(b"ATOM\n")[:-4])
    monkeypatch.setenv("AI4S_DATA", str(tmp_path))
    with pytest.raises(InvalidRequest, match=r"sars_cov_2_mpro\.pdb\.gz cannot be read"):
        targets.pdb_text(mpro)


def test_without_a_file_and_a_network_it_says_what_to_put_where(nowhere):
    with pytest.raises(InvalidRequest) as error:
        targets.pdb_text(targets.chosen("Mac1"))
    assert "AI4S_DATA/drug/sars_cov_2_mac1.pdb" in str(error.value)
    assert str(nowhere / "cache" / "ai4s" / "data") in str(error.value)
    assert "raw.githubusercontent.com" in str(error.value)


def test_a_download_is_checked_and_kept(nowhere, monkeypatch):
    text = b"ATOM      1  N   SER A   1\n"
    file = public_file.PublicFile("drug/some.pdb", "https://example.org/some.pdb", hashlib.sha256(text).hexdigest())
    answers = [text]

    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def read(self, most):
            return answers.pop()

    monkeypatch.setattr(public_file.urllib.request, "urlopen", lambda *_, **__: Answer())
    assert public_file.content(file, "target", "some") == text
    assert public_file.content(file, "target", "some") == text  # from the cache: there is no second answer
    answers.append(b"something else")
    with pytest.raises(InvalidRequest, match="another file than the one that is pinned"):
        public_file.content(file._replace(sha256="0" * 64), "target", "some")


def test_a_receptor_that_cannot_be_built_is_one_message(tmp_path):
    # The process that builds looks the name up in the real catalogue, whose file has another checksum.
    with small_target(tmp_path) as target, pytest.raises(InvalidRequest, match="its receptor cannot be built"):
        receptors.load(target.name)


@pytest.mark.slow
def test_the_receptor_of_a_target_is_built_once_and_found_again(mpro):
    first = receptors.load("新冠病毒主蛋白酶")
    assert first.name == "SARS-CoV-2-Mpro"
    assert first.path.with_suffix(".pdb").exists()
    stamp = first.path.stat().st_mtime_ns
    assert receptors.load("SARS-CoV-2-Mpro") == first
    assert first.path.stat().st_mtime_ns == stamp
    assert len(receptors.atoms(first.path.read_text())) > 5000
    assert sum(line.startswith("ATOM") for line in whole().splitlines()) == 4706
