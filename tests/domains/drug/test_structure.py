"""Mutations as they are written, assemblies, and receptors built from them."""

import hashlib

import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.drug import build, conservation, mutations, pdbqt, receptors, structure
from domains.drug.outcomes import Outcome
from domains.errors import InvalidRequest
from tests.domains.drug.mpro import pocket, whole

LETTERS = st.sampled_from(sorted(mutations.AMINO_ACIDS))


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """Builds variants of the pocket: 2 s each instead of 17 for the dimer."""
    path = tmp_path_factory.mktemp("build") / "pocket.pdb"
    path.write_text(pocket())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return build.Build(
        build.BuildSettings(structure_sha256=sha256, path=path, chains=("A", "B"), protonation={163: "HIE"})
    )


@pytest.fixture(scope="module")
def variant(builder):
    return builder({"mutations": "E166V"})


@pytest.mark.parametrize("text", ["WT", "wt", "wild type", "Wild-Type", "野生型"])
def test_the_wild_type_has_many_spellings(text):
    assert mutations.parse(text) == mutations.Variant("WT")


@given(LETTERS, st.integers(1, 9999), LETTERS)
def test_a_mutation_is_read_as_it_is_written(wild, number, mutant):
    if wild == mutant:
        with pytest.raises(ValueError, match="changes nothing"):
            mutations.parse(f"{wild}{number}{mutant}")
        return
    read = mutations.parse(f" {wild.lower()}{number}{mutant} ")
    assert read.name == f"{wild}{number}{mutant}"
    assert read.numbers == {number}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("E166", "'E166' is not a mutation; write WT, or mutations such as E166V"),
        ("166V", "is not a mutation"),
        ("", "is not a mutation"),
        ("E166V+", "is not a mutation"),
        ("Glu166Val", "is not a mutation"),
        ("E166B", "B in E166B is no amino acid"),
        ("E166V+E166A", "changes residue 166 twice"),
    ],
)
def test_a_malformed_mutation_is_refused_with_how_to_write_it(text, message):
    with pytest.raises(ValueError, match=message):
        mutations.parse(text)


def test_the_wild_type_comes_first_and_each_variant_once():
    found = mutations.with_wild_type(["E166V+L50F", "L50F+E166V", "P132H", "wt", "P132H"])
    assert [one.name for one in found] == ["WT", "E166V+L50F", "P132H"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("E167V", "residue 167 of chain A is LEU, not GLU. Valid: L167V"),
        (
            "P999A",
            r"has no residue 999. Valid: residue numbers of the structure \(chain A: 1 to 302; chain B: 1 to 306\)",
        ),
    ],
)
def test_a_mutation_that_does_not_fit_names_what_is_there(text, message):
    model = structure.assembly(whole(), "AB")
    with pytest.raises(InvalidRequest, match=message):
        mutations.check_fits(mutations.parse(text), structure.residues(model, "AB"))


def test_a_chain_that_is_not_there_is_said():
    with pytest.raises(InvalidRequest, match=r"it has no chain C. Valid: chains A, B"):
        structure.assembly(pocket(), "ABC")


def test_the_biological_assembly_of_the_file_is_made():
    """A file with one protomer and REMARK 350: two chains, turned about the axis."""
    remark = (
        "REMARK 350 BIOMOLECULE: 1\nREMARK 350 AUTHOR DETERMINED BIOLOGICAL UNIT: DIMERIC\n"
        "REMARK 350 APPLY THE FOLLOWING TO CHAINS: A\n"
        "REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000\n"
        "REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000\n"
        "REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000\n"
        "REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000        0.00000\n"
        "REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000\n"
        "REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000\n"
    )
    one = "\n".join(line for line in pocket().splitlines() if line[21:22] == "A")
    model = structure.assembly(f"{remark}{one}\nEND\n", "AB")
    first, second = (np.array([atom.pos.tolist() for residue in model[name] for atom in residue]) for name in "AB")
    assert np.allclose(second, first * (-1, -1, 1), atol=1e-3)


def test_a_variant_is_the_mutation_and_the_rest_stays(builder, variant):
    wild = builder({"mutations": "WT"})
    assert wild["outcome"] == variant["outcome"] == Outcome.ok
    read = {name: gemmi.read_pdb_string(row["pdb"])[0] for name, row in (("WT", wild), ("E166V", variant))}
    names = {name: {(c.name, r.seqid.num): r.name for c in model for r in c} for name, model in read.items()}
    assert {at for at in names["WT"] if names["WT"][at] != names["E166V"][at]} == {("A", 166)}
    assert names["E166V"]["A", 166] == "VAL"
    assert variant["rebuilt"] == ["VAL166.A"]
    assert wild["contact"] is None
    assert 2.5 < variant["contact"] < 6
    # All variants are in the frame of the file: no backbone moves.
    given = structure.assembly(pocket(), "AB")
    for chain in given:
        for residue in chain:
            if residue.name != "LIG":
                there = read["E166V"][chain.name][str(residue.seqid.num)][0]
                assert there["CA"][0].pos.dist(residue["CA"][0].pos) < 2e-3


def test_histidine_takes_the_form_that_the_target_names(variant):
    model = gemmi.read_pdb_string(variant["pdb"])[0]
    hydrogens = {atom.name for atom in model["A"]["163"][0] if atom.element.name == "H"}
    assert "HE2" in hydrogens
    assert "HD1" not in hydrogens


def test_the_same_variant_comes_out_the_same_again(builder, variant):
    assert builder({"mutations": "E166V"}) == variant


def test_residues_that_meeko_leaves_out_take_the_fallback_and_say_why(variant):
    assert variant["writer"] == "own rules"
    assert "Meeko leaves out" in variant["writer_reason"]
    heavy = sum(
        atom.element.name != "H" for chain in gemmi.read_pdb_string(variant["pdb"])[0] for r in chain for atom in r
    )
    types = [line.split()[-1] for line in variant["pdbqt"].splitlines()]
    assert len(types) - types.count("HD") == heavy
    assert set(types) <= {"C", "A", "N", "NA", "OA", "SA", "HD"}
    assert len(receptors.atoms(variant["pdbqt"])) == len(types)


def test_another_structure_than_the_run_began_with_is_refused(builder, tmp_path):
    path = tmp_path / "other.pdb"
    path.write_text(pocket() + "REMARK\n")
    with pytest.raises(ValueError, match="its checksum differs"):
        build.Build(builder.settings.model_copy(update={"path": path}))


def test_the_path_is_not_in_the_recipe_and_the_forms_are(builder):
    recipe = builder.settings.model_dump(mode="json")
    assert "path" not in recipe
    assert recipe["protonation"] == {163: "HIE"} or recipe["protonation"] == {"163": "HIE"}


@pytest.mark.slow
def test_the_dimer_is_typed_by_meeko_and_by_rule_alike(tmp_path):
    path = tmp_path / "mpro.pdb"
    path.write_text(whole())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    made = build.Build(build.BuildSettings(structure_sha256=sha256, path=path, chains=("A", "B")))(
        {"mutations": "E166V"}
    )
    assert made["writer"] == "Meeko"
    assert made["rebuilt"] == ["VAL166.A", "VAL166.B"]
    by_meeko, by_rule = (
        sorted(line.split()[-1] for line in text.splitlines() if line.startswith("ATOM"))
        for text in (made["pdbqt"], pdbqt.by_rule(made["pdb"]))
    )
    assert abs(len(by_meeko) - len(by_rule)) <= 6
    for kind in ("OA", "SA", "A"):
        assert by_meeko.count(kind) == by_rule.count(kind)


@given(st.integers(0, 2**32 - 1))
def test_the_pose_that_most_seeds_have_wins(seed):
    chance = np.random.default_rng(seed)
    base = chance.normal(0, 3, (1, 6, 3))
    others = base + chance.normal(0, 1, (2, 1, 3)) * 0 + np.array([[[20.0, 0, 0]], [[0, 20.0, 0]]])
    poses = np.concatenate([base + 0.1, others[:1], base, others[1:], base - 0.1])
    seeds = np.array([1, 1, 2, 2, 3])
    found = conservation.consensus(poses, seeds, np.array([-5.0, -9, -6, -9, -4]), np.arange(6)[None], 2.0)
    assert found == (2, 3)


def test_distances_see_symmetry_and_move_nothing():
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    mol = Chem.AddHs(Chem.MolFromSmiles("c1ccccc1C(F)(F)F"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    plain = Chem.RemoveHs(mol)
    xyz = plain.GetConformer().GetPositions()
    ways = conservation.symmetries(mol)
    assert len(ways) == 2 * 6
    assert conservation.distances(xyz[None], xyz[None, ways[-1]], ways)[0, 0] == pytest.approx(0)
    assert conservation.distances(xyz[None], xyz[None] + (3, 0, 4), ways)[0, 0] == pytest.approx(5, abs=0.5)
