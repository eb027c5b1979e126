"""The final list: unlike each other, on the Pareto front unless said, and the same however it comes in."""

import csv
import io
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from domains.drug import hits
from domains.drug.filters import PROPERTIES
from domains.drug.shortlist import COLUMNS, ShortlistSettings, dominance, pareto_fronts, shortlist

# Three series of analogues and some that stand alone.
SERIES = {
    "profens": ["CC(C)Cc1ccc(C(C)C(=O)O)cc1", "CCCc1ccc(C(C)C(=O)O)cc1", "CC(C)Cc1ccc(CC(=O)O)cc1"],
    "xanthines": ["Cn1c(=O)c2c(ncn2C)n(C)c1=O", "Cn1c(=O)c2c(ncn2CC)n(C)c1=O", "CCn1c(=O)c2c(ncn2C)n(C)c1=O"],
    "sulfonamides": ["Cc1ccc(S(N)(=O)=O)cc1", "CCc1ccc(S(N)(=O)=O)cc1"],
    "alone": ["C1CC2CCC1CC2", "OCC1OC(O)C(O)C(O)C1O", "c1ccc2c(c1)[nH]c1ccccc12"],
}
MOLECULES = [smiles for series in SERIES.values() for smiles in series]


def hit(number, smiles, score, **more):
    heavy = Chem.MolFromSmiles(smiles).GetNumHeavyAtoms()
    return {
        "id": number,
        "rank": number + 1,
        "smiles": smiles,
        "score": score,
        "ligand_efficiency": -score / heavy,
        **more,
    }


def ranked(*scores, **more):
    return [hit(at, smiles, score) for at, (smiles, score) in enumerate(zip(MOLECULES, scores, strict=False))]


def test_each_cluster_comes_once_before_any_comes_again():
    made = shortlist(ranked(*[-9.0 + 0.2 * n for n in range(len(MOLECULES))]), ShortlistSettings(size=11))
    assert {one["id"] for one in made[:6]} == {0, 3, 6, 8, 9, 10}
    assert made[0]["reasons"] == ["ranks best in its cluster of 3", "the best score of all"]
    assert made[0]["reasons_zh"] == ["所在聚类（3 个分子）中排名最佳", "全部分子中分数最优"]
    by_id = {one["id"]: one for one in made}
    assert by_id[8]["reasons"][0] == "no other of the best 11 is like it"
    assert by_id[1]["reasons"][0] == "number 2 of its cluster of 3"
    assert [one["place"] for one in made] == list(range(1, 12))


def test_a_worse_score_is_on_the_front_for_a_reason_that_is_said():
    first = hit(0, MOLECULES[0], -9.0, logp=4.0, risks=2)
    second = hit(1, MOLECULES[3], -8.0, logp=2.0, risks=2)
    third = hit(2, MOLECULES[6], -7.0, logp=3.0, risks=0)
    fourth = hit(3, MOLECULES[8], -6.0, logp=4.0, risks=3)
    reference = [MOLECULES[0], MOLECULES[3], MOLECULES[6], MOLECULES[8]]
    made = {one["id"]: one for one in shortlist([first, second, third, fourth], ShortlistSettings(), reference)}
    assert made[1]["reasons"][1] == "on the Pareto front: lower lipophilicity than all that rank as well or better"
    assert made[1]["reasons_zh"][1] == "位于帕累托前沿：较所有排名不低于它者亲脂性更低"
    assert "fewer ADMET risks" in made[2]["reasons"][1]
    assert made[3]["front"] == 2
    assert made[3]["reasons"][1] == "dominated by rank 1: better score, fewer ADMET risks, and worse in nothing"
    assert made[3]["place"] == 4


def test_the_member_that_stands_for_a_cluster_may_not_be_its_best_scored():
    other = hit(0, MOLECULES[3], -9.0, risks=0)
    greedy = hit(1, MOLECULES[0], -8.9, risks=3)
    clean = hit(2, MOLECULES[1], -8.8, risks=0)
    made = shortlist([other, greedy, clean], ShortlistSettings(size=2), [*MOLECULES[:2], MOLECULES[3]])
    assert [one["id"] for one in made] == [0, 1]  # dominated both: the better rank stands for the cluster
    clean = {**clean, "score": -9.0, "id": 9}
    made = shortlist([other, greedy, clean], ShortlistSettings(size=2), [*MOLECULES[:2], MOLECULES[3]])
    assert [one["id"] for one in made] == [0, 9]


def test_novelty_is_the_distance_to_the_reference_or_to_what_ranks_better():
    pool = [hit(0, MOLECULES[0], -9.0), hit(1, MOLECULES[0], -8.0), hit(2, MOLECULES[3], -7.0)]
    alone = {one["id"]: one["novelty"] for one in shortlist(pool, ShortlistSettings())}
    assert alone[0] == 1
    assert alone[1] == 0
    assert 0.5 < alone[2] < 1
    known = {one["id"]: one["novelty"] for one in shortlist(pool, ShortlistSettings(), [MOLECULES[3]])}
    assert known[2] == 0
    assert known[0] == known[1] > 0.5


def test_ligand_efficiency_can_be_what_hits_are_ranked_by():
    pool = [hit(0, MOLECULES[9], -8.0), hit(1, "CCO", -3.0)]
    assert [one["id"] for one in shortlist(pool, ShortlistSettings(primary="ligand_efficiency"))] == [1, 0]
    assert shortlist(pool, ShortlistSettings(primary="ligand_efficiency"))[0]["reasons"][1] == (
        "the best ligand efficiency of all"
    )
    assert shortlist([], ShortlistSettings()) == []


def test_what_only_some_hits_have_counts_as_worst_where_it_is_missing():
    pool = [hit(0, MOLECULES[0], -9.0, spread=None), hit(1, MOLECULES[3], -8.0, spread=0.4)]
    second = shortlist(pool, ShortlistSettings(), MOLECULES[:4])[1]
    assert "less spread over seeds" in second["reasons"][1]


hit_lists = st.lists(
    st.tuples(
        st.sampled_from(MOLECULES),
        st.integers(-100, -40),
        st.none() | st.integers(0, 3),
        st.integers(-10, 60),
        st.none() | st.integers(0, 10),
    ),
    max_size=25,
)


def made_hits(rows):
    return [
        hit(number, smiles, score / 10, risks=risks, logp=logp / 10, spread=None if spread is None else spread / 10)
        for number, (smiles, score, risks, logp, spread) in enumerate(rows)
    ]


@settings(max_examples=60, deadline=None)
@given(hit_lists, st.integers(1, 12), st.integers(1, 25), st.booleans(), st.integers(0, 9))
def test_the_list_holds_what_it_promises(rows, size, pool, with_reference, seed):
    given_hits = made_hits(rows)
    chosen = ShortlistSettings(size=size, pool=pool)
    reference = SERIES["alone"] if with_reference else ()
    made = shortlist(given_hits, chosen, reference)
    shuffled = random.Random(seed).sample(given_hits, len(given_hits))
    assert shortlist(shuffled, chosen, reference) == made
    assert len(made) == min(size, pool, len(rows))
    assert len({one["id"] for one in made}) == len(made)
    everything = shortlist(given_hits, chosen.model_copy(update={"size": 10_000}), reference)
    assert everything[: len(made)] == made
    _check_clusters(everything)
    for one in everything:
        dominators = [other for other in everything if _dominates(other, one)]
        assert (one["front"] == 1) == (not dominators)
        assert one["reasons"][1].startswith("dominated by rank") == bool(dominators)
        assert set(COLUMNS) <= set(one)
        assert len(one["reasons"]) == len(one["reasons_zh"]) == 2


def _check_clusters(made):
    """Before a cluster comes for the n-th time, every cluster that is as large has come n - 1 times."""
    turns = []
    seen = {}
    for one in made:
        seen[one["cluster"]] = seen.get(one["cluster"], 0) + 1
        turns.append(seen[one["cluster"]])
    assert turns == sorted(turns)
    assert {one["cluster"]: one["cluster_size"] for one in made} == seen


def _dominates(one, other):
    """As good in all and better in one, in the steps below which two values count as equal."""
    steps = [("score", 1, 0.1), ("spread", 1, 0.1), ("risks", 1, 1), ("logp", 1, 0.1), ("novelty", -1, 0.05)]
    mine, theirs = (
        [float("inf") if each[field] is None else round(sign * each[field] / step) for field, sign, step in steps]
        for each in (one, other)
    )
    return all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=20))
def test_fronts_are_peeled_one_by_one(rows):
    values = np.array(rows, float).reshape(-1, 3)
    fronts = pareto_fronts(dominance(values))
    left = set(range(len(rows)))
    front = 0
    while left:
        front += 1
        best = {
            i
            for i in left
            if not any(all(a <= b for a, b in zip(rows[j], rows[i], strict=True)) and rows[j] != rows[i] for j in left)
        }
        assert {i for i in left if fronts[i] == front} == best
        left -= best


def full_hit(number, **more):
    properties = dict.fromkeys(PROPERTIES, 1.5)
    return {**hit(number, "CCO", -5.0), "name": "", "heavy_atoms": 3, **properties, "alerts": ["A: b", "C: d"], **more}


def table_of(rows):
    return list(csv.DictReader(io.StringIO(hits.as_csv(rows).decode())))


def test_a_table_has_the_columns_that_its_hits_have():
    (plain,) = table_of([full_hit(4)])
    assert list(plain) == list(hits.COLUMNS)
    assert (plain["id"], plain["alerts"]) == ("4", "A: b; C: d")
    listed = shortlist([full_hit(4), full_hit(5, parent_smiles="CCO", state="s1t1p1", charge=1)], ShortlistSettings())
    first, second = table_of(listed)
    assert set(COLUMNS) | {"state", "charge"} <= set(first)
    assert (first["charge"], second["charge"], second["state"]) == ("", "1", "s1t1p1")
    assert first["reasons"].startswith("ranks best in its cluster of 2; ")
    assert list(table_of([])) == []
    assert hits.as_csv([]).decode().startswith('"rank","id"')


def test_an_sdf_record_carries_why_its_hit_is_listed():
    mol = Chem.AddHs(Chem.MolFromSmiles("CC[NH3+]"))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    pose = mol.GetConformer().GetPositions() + 5.0
    state = full_hit(
        7, parent_id=3, parent_smiles="CCN", state="s1t1p1", charge=1, admet_flags=["hERG risk: 0.9 > 0.5"]
    )
    shape = {"mol": mol.ToBinary(), "pose": pose.ravel().tolist(), "atom_map": list(range(mol.GetNumAtoms()))}
    (listed,) = shortlist([{**state, **shape}], ShortlistSettings())
    reader = Chem.SDMolSupplier()
    reader.SetData(hits.as_sdf([listed]))
    (read,) = reader
    assert read.GetProp("_Name") == "row 3"
    assert read.GetPropsAsDict() | {"place": 1, "state": "s1t1p1", "charge": 1, "front": 1} == read.GetPropsAsDict()
    assert read.GetProp("reasons") == "no other of the best 1 is like it; the best score of all"
    assert read.GetProp("admet_flags") == "hERG risk: 0.9 > 0.5"
    assert read.GetConformer().GetPositions().min() > 2


def test_a_hit_that_is_a_state_finds_its_molecule_and_its_own_ligand():
    molecules = {17: {"id": 17, "name": "", "smiles": "CCN", "logp": 0.1}}
    ligands = {2 * 10**12 + 17: {"id": 2 * 10**12 + 17, "smiles": "CC[NH3+]", "heavy_atoms": 3, "state": "s1t1p2"}}
    (made,) = hits.join([{"id": 2 * 10**12 + 17, "parent_id": 17, "score": -3.0}], molecules, ligands)
    assert (made["smiles"], made["parent_smiles"], made["logp"]) == ("CC[NH3+]", "CCN", 0.1)
    assert made["ligand_efficiency"] == pytest.approx(1.0)
    assert hits.title(made) == "row 17"
    (plain,) = hits.join([{"id": 17, "score": -3.0}], molecules, {17: {"id": 17, "heavy_atoms": 3}})
    assert "parent_smiles" not in plain
    assert hits.title({**plain, "name": "ethylamine"}) == "ethylamine"
