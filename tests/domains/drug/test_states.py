"""Stereoisomers, tautomers and protonation states of known molecules."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase
from rdkit.Chem import inchi

from domains.drug.library import open_library
from domains.drug.outcomes import MEANINGS, Outcome
from domains.drug.standardise import StandardiseSettings, standardise
from domains.drug.states import SCHEMA, StateSettings, states

STEREO = StateSettings(tautomers=0, protomers=0)
AS_DRAWN = StateSettings(stereoisomers=1, tautomers=0, protomers=0)


def row(smiles, **changes):
    batch = pa.table({"id": [7], "smiles": [smiles]})
    (made,) = states(batch, StateSettings(**changes)).to_pylist()
    return made


def smiles_of(smiles, **changes):
    return {one["smiles"] for one in row(smiles, **changes)["states"]}


def stereo_of(smiles):
    return smiles_of(smiles, tautomers=0, protomers=0, stereoisomers=16)


@pytest.mark.parametrize(
    ("name", "smiles", "ph", "expected"),
    [
        ("benzoic acid", "O=C(O)c1ccccc1", 7.4, {"O=C([O-])c1ccccc1": -1}),
        ("benzoic acid", "O=C(O)c1ccccc1", 2.0, {"O=C(O)c1ccccc1": 0}),
        ("ethylamine", "CCN", 7.4, {"CC[NH3+]": 1}),
        ("ethylamine", "CCN", 2.0, {"CC[NH3+]": 1}),
        ("4-methylimidazole", "Cc1cnc[nH]1", 7.4, {"Cc1cnc[nH]1": 0}),
        ("4-methylimidazole", "Cc1cnc[nH]1", 2.0, {"Cc1c[nH+]c[nH]1": 1}),
        ("4-methylimidazole", "Cc1cnc[nH]1", 5.0, {"Cc1cnc[nH]1": 0, "Cc1c[nH+]c[nH]1": 1}),
        ("histidine at low pH", "N[C@@H](Cc1cnc[nH]1)C(=O)O", 2.0, {"[NH3+][C@@H](Cc1c[nH+]c[nH]1)C(=O)O": 2}),
        ("benzamidine", "N=C(N)c1ccccc1", 7.4, {"NC(=[NH2+])c1ccccc1": 1}),
        ("tetrazole", "Cc1nnn[nH]1", 7.4, {"Cc1nnn[n-]1": -1}),
        ("quaternary", "C[N+](C)(C)C", 7.4, {"C[N+](C)(C)C": 1}),
        ("benzene", "c1ccccc1", 7.4, {"c1ccccc1": 0}),
    ],
)
def test_protonation_and_charge_at_a_ph(name, smiles, ph, expected):
    made = row(smiles, ph=ph, tautomers=0)
    assert made["outcome"] == "ok"
    assert {one["smiles"]: one["charge"] for one in made["states"]} == expected
    assert made["truncated"] is False


def test_both_hands_of_thalidomide_and_of_nothing_else():
    drawn = "O=C1CCC(N2C(=O)c3ccccc3C2=O)C(=O)N1"
    assert stereo_of(drawn) == {
        "O=C1CC[C@H](N2C(=O)c3ccccc3C2=O)C(=O)N1",
        "O=C1CC[C@@H](N2C(=O)c3ccccc3C2=O)C(=O)N1",
    }
    one = "O=C1CC[C@H](N2C(=O)c3ccccc3C2=O)C(=O)N1"
    assert stereo_of(one) == {one}


@pytest.mark.parametrize(
    ("smiles", "count"),
    [
        ("CC=CC", 2),  # E and Z
        ("C/C=C/C", 1),
        ("CC(C)=CC", 1),
        ("CC(O)C(O)C", 3),  # butane-2,3-diol: R,R and S,S and one meso form
        ("OC(=O)C(O)C(O)C(=O)O", 3),  # tartaric acid
        ("CC(O)C(N)C", 4),
        ("C[C@H](O)C(N)C", 2),
        ("CC1CC1C", 3),  # cis is meso, trans are two
        ("CC(C)=NO", 1),
        ("CCN(C)CCC", 1),  # an amine inverts
    ],
)
def test_open_stereo_is_enumerated_once_each(smiles, count):
    assert len(stereo_of(smiles)) == count


def test_a_protonated_amine_is_no_stereocentre():
    """RDKit lists two isomers of an ammonium ion drawn as such."""
    made = row("CCN(C)CCC")
    assert [(one["smiles"], one["charge"]) for one in made["states"]] == [("CCC[NH+](C)CC", 1)]


def test_stereo_that_was_drawn_survives_every_step():
    alanine = row("C[C@H](N)C(=O)O", tautomers=4)
    assert all("@" in one["smiles"] for one in alanine["states"])
    assert {one["charge"] for one in alanine["states"]} == {0, -1}
    (ketone,) = row("CC[C@H](C)C(=O)c1ccccc1")["states"]
    assert ketone["smiles"] == "CC[C@H](C)C(=O)c1ccccc1"


def test_two_tautomers_of_a_molecule_come_to_the_same_state():
    assert smiles_of("Oc1ccccn1") == smiles_of("O=c1cccc[nH]1")
    assert "O=c1cccc[nH]1" in smiles_of("Oc1ccccn1")
    assert smiles_of("Sc1ncnc2[nH]cnc12") == smiles_of("S=c1[nH]cnc2[nH]cnc12")
    assert smiles_of("Oc1ccccn1", tautomers=0, protomers=0) == {"Oc1ccccn1"}
    assert smiles_of("Oc1ccccn1", tautomers=2, protomers=0) == {"Oc1ccccn1", "O=c1cccc[nH]1"}


@pytest.mark.parametrize(
    "drawn",
    [
        "CC12CCC(=O)C=C1CCC1C2CCC2(C)C(O)CCC12",  # testosterone: the enone stays conjugated
        "c1ccc2[nH]ncc2c1",  # 1H-indazole, not 2H
        "CC(=O)CC(C)=O",
        "NC(Cc1cnc[nH]1)C(=O)O",
    ],
)
def test_a_tautomer_that_is_no_better_is_left_as_drawn(drawn):
    assert smiles_of(drawn, stereoisomers=1, protomers=0) == smiles_of(drawn, stereoisomers=1, protomers=0, tautomers=0)


@pytest.mark.parametrize(
    ("smiles", "changes", "count", "note"),
    [
        ("OCC1OC(O)C(O)C(O)C1O", {}, 4, "more than 4 stereoisomers"),
        ("OCC1OC(O)C(O)C(O)C1O", {"stereoisomers": 32}, 32, None),
        ("CN1CCN(C)CC1", {}, 3, None),
        ("CN1CCN(C)CC1", {"protomers": 2}, 2, "more than 2 protonation states"),
        ("CN1CCN(C)CC1", {"protomers": 3}, 3, None),
        ("Nc1nc(N)c2nc[nH]c2n1", {"tautomers": 3, "protomers": 0}, 3, "tautomers"),
    ],
)
def test_a_cap_is_kept_and_said(smiles, changes, count, note):
    made = row(smiles, **changes)
    assert len(made["states"]) == count
    assert made["truncated"] is (note is not None)
    assert (note or "") in (made["note"] or "")


def test_labels_tell_the_states_apart():
    labels = [one["state"] for one in row("CC(O)C(O)C", protomers=0)["states"]]
    assert labels == ["s1t1p1", "s2t1p1", "s3t1p1"]
    assert [one["state"] for one in row("CN1CCN(C)CC1")["states"]] == ["s1t1p1", "s1t1p2", "s1t1p3"]


def test_every_spelling_of_a_molecule_has_the_same_states():
    spellings = ("OCC1OC(O)C(O)C(O)C1O", "C1(O)C(O)C(O)C(CO)OC1O", "OC1C(CO)OC(O)C(C1O)O")
    first, *others = (row(smiles)["states"] for smiles in spellings)
    assert all(other == first for other in others)


def test_what_is_no_molecule_is_a_row_with_a_reason():
    batch = pa.table({"id": [1, 2], "smiles": ["CCO", "C1CC"]})
    made = states(batch, StateSettings())
    assert made.schema.equals(SCHEMA)
    good, bad = made.to_pylist()
    assert good["outcome"] == "ok"
    assert (bad["id"], bad["outcome"], bad["states"]) == (2, Outcome.no_states, None)
    assert "C1CC" in bad["reason"]
    assert all(MEANINGS[outcome] for outcome in (Outcome.no_states, Outcome.worse_state))


def test_a_large_molecule_stays_within_its_caps():
    """A polyamine of 181 heavy atoms has 2^60 protonation states, an oligosaccharide of 155 as many stereoisomers."""
    for smiles in ("C" + "NCC" * 60, "OCC1OC(O)C(O)C(O)C1" + "OC1C(CO)OC(C)C(O)C1O" * 12):
        made = row(smiles)
        assert made["outcome"] == "ok"
        assert 1 <= len(made["states"]) <= 16
        assert made["truncated"]


def key_of(smiles):
    (made,) = standardise(pa.table({"id": [0], "structure": [smiles]}), StandardiseSettings()).to_pylist()
    return made["inchikey"]


def nci(count, seed):
    batch = standardise(next(open_library("nci-5k").tables(count, seed)), StandardiseSettings())
    return batch.filter(pa.compute.equal(batch["outcome"], "ok"))


def test_every_state_of_real_molecules_goes_back_to_its_parents_skeleton():
    parents = nci(120, 5)
    made = states(parents, StateSettings(tautomers=0)).to_pylist()
    assert [one["outcome"] for one in made] == ["ok"] * len(made)
    assert sum(len(one["states"]) for one in made) > len(made)
    for parent, one in zip(parents["inchikey"].to_pylist(), made, strict=True):
        written = [state["smiles"] for state in one["states"]]
        assert len(set(written)) == len(written)
        assert {key_of(smiles)[:14] for smiles in written} == {parent[:14]}


def test_stereo_states_are_as_many_as_their_inchikeys_and_leave_nothing_open():
    parents = nci(150, 6)
    for smiles, one in zip(parents["smiles"].to_pylist(), states(parents, STEREO).to_pylist(), strict=True):
        mols = [Chem.MolFromSmiles(state["smiles"]) for state in one["states"]]
        with rdBase.BlockLogs():
            keys = {inchi.MolToInchiKey(mol) for mol in mols}
        assert len({key[:14] for key in keys}) == 1
        if "P" not in smiles:  # InChI lets the proton of a phosphonate move, and with it a centre
            assert len(keys) == len(mols), smiles
        assert all(state["charge"] == Chem.GetFormalCharge(mol) for state, mol in zip(one["states"], mols, strict=True))


REAL = nci(60, 7)["smiles"].to_pylist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(REAL), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 3))
def test_one_row_for_each_in_any_company_and_never_over_the_caps(smiles, stereoisomers, protomers):
    chosen = StateSettings(stereoisomers=stereoisomers, protomers=protomers)
    made = states(pa.table({"id": range(len(smiles)), "smiles": smiles}), chosen).to_pylist()
    assert [one["id"] for one in made] == list(range(len(smiles)))
    for one, alone in zip(made, smiles, strict=True):
        assert one["states"] == states(pa.table({"id": [0], "smiles": [alone]}), chosen).to_pylist()[0]["states"]
        assert 1 <= len(one["states"]) <= stereoisomers * max(1, protomers)


def test_as_drawn_changes_nothing():
    made = states(pa.table({"id": range(len(REAL)), "smiles": REAL}), AS_DRAWN).to_pylist()
    again = [Chem.MolToSmiles(Chem.MolFromSmiles(one["states"][0]["smiles"]), isomericSmiles=False) for one in made]
    assert again == [Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False) for smiles in REAL]
