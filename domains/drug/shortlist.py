"""From ranked hits to the list that is worth a chemist's time: unlike each other, and each with the reason why it is on it.

Clusters by Butina (J. Chem. Inf. Comput. Sci. 1999) on Morgan fingerprints; Pareto fronts by non-dominated sorting. Only
the best ``pool`` hits are looked at, which bounds both: 1,000 take 0.5 CPU s.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.ML.Cluster import Butina

from domains.model import Frozen

Pair = tuple[str, str]


class ShortlistSettings(Frozen):
    """What makes the list."""

    size: int = Field(20, ge=1, le=10_000, description="How many are listed")
    pool: int = Field(500, ge=1, le=2_000, description="How many of the best hits are looked at")
    similarity: float = Field(0.5, gt=0, le=1, description="Tanimoto similarity that puts two molecules in one cluster")
    primary: Literal["score", "ligand_efficiency"] = Field("score", description="What hits are ranked by")


class Objective(NamedTuple):
    """A field of a hit in which one can be better than another."""

    field: str
    sign: int  # 1 where lower is better
    step: float  # values that round to the same step count as equal: a Vina score means nothing to the third digit
    en: str
    zh: str


OBJECTIVES = (
    Objective("score", 1, 0.1, "better score", "分数更优"),
    Objective("ligand_efficiency", -1, 0.01, "better ligand efficiency", "配体效率更高"),
    Objective("spread", 1, 0.1, "less spread over seeds", "不同种子间波动更小"),
    Objective("risks", 1, 1.0, "fewer ADMET risks", "ADMET 风险更少"),
    Objective("logp", 1, 0.1, "lower lipophilicity", "亲脂性更低"),
    Objective("novelty", -1, 0.05, "farther from {known}", "与{known}差异更大"),
)
KNOWN: Mapping[bool, Pair] = {
    True: ("the reference molecules", "参考分子"),
    False: ("better-ranked hits", "排名更前的命中"),
}
COLUMNS = ("place", "cluster", "cluster_size", "front", "novelty", "reasons", "reasons_zh")


def shortlist(
    hits: Sequence[Mapping[str, Any]], settings: ShortlistSettings, reference: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The best and most different hits, each with COLUMNS added; clusters are represented once before any comes again.

    A hit has id, rank, smiles (a state also parent_smiles), score (kcal/mol), ligand_efficiency, and where known logp,
    spread (standard deviation of its score over seeds, kcal/mol) and risks (number of ADMET flags); a field that no hit
    has is no objective, one that some lack counts as worst in them. ``novelty`` is the Tanimoto distance to the nearest
    molecule of the reference, or to the nearest better-ranked hit without one. ``front`` is 1 where no hit of the pool is
    as good in all objectives and better in one. The order of ``hits`` does not matter.
    """
    primary = next(one for one in OBJECTIVES if one.field == settings.primary)
    pool = sorted(hits, key=lambda hit: (primary.sign * hit[primary.field], hit["id"]))[: settings.pool]
    if not pool:
        return []
    prints = [_fingerprint(hit.get("parent_smiles", hit["smiles"])) for hit in pool]
    clusters = _clusters(prints, settings.similarity)
    novelty = _novelty(prints, [_fingerprint(smiles) for smiles in reference])
    pool = [{**hit, "novelty": far} for hit, far in zip(pool, novelty, strict=True)]
    objectives = [primary, *(one for one in OBJECTIVES[2:] if any(hit.get(one.field) is not None for hit in pool))]
    values = np.column_stack([_values(pool, one) for one in objectives])
    better = dominance(values)
    fronts = pareto_fronts(better)
    turns = _turns(fronts, clusters)
    view = _View(pool, _worded(objectives, KNOWN[bool(reference)]), values, better, fronts, clusters, turns)
    order = sorted(range(len(pool)), key=lambda at: (turns[at], fronts[at], at))
    return [_listed(view, at, place) for place, at in enumerate(order[: settings.size], 1)]


def _fingerprint(smiles: str) -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048).GetFingerprint(Chem.MolFromSmiles(smiles))


def _clusters(prints: Sequence[Any], similarity: float) -> list[int]:
    """The cluster of each molecule; clusters are numbered from 1 in the order of their best-ranked member."""
    distances: list[float] = []
    for at in range(1, len(prints)):
        distances += DataStructs.BulkTanimotoSimilarity(prints[at], prints[:at], returnDistance=True)
    found = Butina.ClusterData(distances, len(prints), 1 - similarity, isDistData=True, reordering=True)
    number = {member: n for n, members in enumerate(sorted(found, key=min), 1) for member in members}
    return [number[at] for at in range(len(prints))]


def _novelty(prints: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    known = [reference or prints[:at] for at in range(len(prints))]
    return [
        1 - max(DataStructs.BulkTanimotoSimilarity(one, others), default=0.0)
        for one, others in zip(prints, known, strict=True)
    ]


def _values(pool: Sequence[Mapping[str, Any]], objective: Objective) -> np.ndarray:
    """An objective in whole steps, lower is better; inf where a hit has no value."""
    found = [hit.get(objective.field) for hit in pool]
    steps = np.array([np.inf if value is None else objective.sign * value / objective.step for value in found])
    return np.asarray(np.round(steps))


def dominance(values: np.ndarray) -> np.ndarray:
    """``made[i, j]``: row i of ``values`` (n, k) is as low as row j in every column and lower in one."""
    as_low, lower = np.ones((len(values), len(values)), bool), np.zeros((len(values), len(values)), bool)
    for column in values.T:
        as_low &= column[:, None] <= column
        lower |= column[:, None] < column
    return as_low & lower


def pareto_fronts(better: np.ndarray) -> np.ndarray:
    """The front of each row, from 1: rows that only rows of earlier fronts dominate."""
    fronts = np.zeros(len(better), int)
    while (left := fronts == 0).any():
        fronts[left & ~better[left].any(axis=0)] = fronts.max() + 1
    return fronts


def _turns(fronts: np.ndarray, clusters: Sequence[int]) -> list[int]:
    """How many of its own cluster go before each: by front, then by rank."""
    seen: Counter[int] = Counter()
    turns = [0] * len(clusters)
    for at in sorted(range(len(clusters)), key=lambda at: (fronts[at], at)):
        turns[at] = seen[clusters[at]]
        seen[clusters[at]] += 1
    return turns


# ------------------------------------------------------------------------------------------------ reasons

BEST: Mapping[str, Pair] = {
    "score": ("the best score of all", "全部分子中分数最优"),
    "ligand_efficiency": ("the best ligand efficiency of all", "全部分子中配体效率最高"),
}


class _View(NamedTuple):
    """The pool in order of rank, with all that was found out about it."""

    pool: Sequence[Mapping[str, Any]]
    objectives: Sequence[Objective]  # the primary one first
    values: np.ndarray  # (hits, objectives) in steps, lower is better
    better: np.ndarray
    fronts: np.ndarray
    clusters: Sequence[int]
    turns: Sequence[int]


def _worded(objectives: Sequence[Objective], known: Pair) -> list[Objective]:
    """The objectives with their words whole: new is what is far from something."""
    en, zh = known
    return [one._replace(en=one.en.format(known=en), zh=one.zh.format(known=zh)) for one in objectives]


def _listed(view: _View, at: int, place: int) -> dict[str, Any]:
    reasons = [_cluster_reason(view, at), _front_reason(view, at)]
    return {
        **view.pool[at],
        "place": place,
        "cluster": view.clusters[at],
        "cluster_size": view.clusters.count(view.clusters[at]),
        "front": int(view.fronts[at]),
        "reasons": [en for en, _ in reasons],
        "reasons_zh": [zh for _, zh in reasons],
    }


def _cluster_reason(view: _View, at: int) -> Pair:
    own = view.clusters[at]
    size, turn = view.clusters.count(own), view.turns[at] + 1
    if size == 1:
        return f"no other of the best {len(view.pool)} is like it", f"前 {len(view.pool)} 名中没有与之相似的分子"
    if turn > 1:
        return f"number {turn} of its cluster of {size}", f"所在聚类（{size} 个分子）中的第 {turn} 个"
    if view.clusters.index(own) == at:
        return f"ranks best in its cluster of {size}", f"所在聚类（{size} 个分子）中排名最佳"
    return (
        f"stands for its cluster of {size}: what ranks better there is dominated",
        f"代表所在聚类（{size} 个分子）：其中排名更前者已被支配",
    )


def _front_reason(view: _View, at: int) -> Pair:
    if view.fronts[at] > 1:
        return _dominated_reason(view, at)
    values = view.values
    rivals = (values[:, 0] <= values[at, 0]) & (np.arange(len(values)) != at)
    if not rivals.any():
        return BEST[view.objectives[0].field]
    ahead = [k for k in range(1, values.shape[1]) if values[at, k] < values[rivals, k].min()]
    if not ahead:
        return "on the Pareto front: none is as good in everything", "位于帕累托前沿：没有分子在各方面均不逊于它"
    en, zh = _joined(view, ahead)
    return (
        f"on the Pareto front: {en} than all that rank as well or better",
        f"位于帕累托前沿：较所有排名不低于它者{zh}",
    )


def _dominated_reason(view: _View, at: int) -> Pair:
    by = int(np.flatnonzero(view.better[:, at] & (view.fronts == 1))[0])
    ahead = [k for k in range(len(view.objectives)) if view.values[by, k] < view.values[at, k]]
    rank, (en, zh) = view.pool[by]["rank"], _joined(view, ahead)
    return f"dominated by rank {rank}: {en}, and worse in nothing", f"被第 {rank} 名支配：其{zh}，且无一项更差"


def _joined(view: _View, numbers: Sequence[int]) -> Pair:
    ahead = [view.objectives[number] for number in numbers]
    return ", ".join(one.en for one in ahead), "、".join(one.zh for one in ahead)
