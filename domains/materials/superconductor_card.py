"""What a superconductor run says of one material: what is predicted, what was computed, and what speaks against it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from domains.materials.cards import Coupled, Superconductor, Words
from domains.materials.conductors import CONDUCTORS
from domains.materials.crystal import Crystal
from domains.materials.export import file_name
from domains.materials.figures import phonon_dos
from domains.materials.outcomes import MEANINGS, Outcome
from domains.materials.phonons import NUMERICAL
from domains.materials.pictures import picture
from domains.materials.superconductivity import PLATEAU_RY
from domains.materials.symmetry import symmetry

NOT_COMPARED: Words = ("not compared with other compounds", "未与其他化合物比较")
Row = Mapping[str, Any]


def superconductor(row: Row, potential: str, mu_star: tuple[float, float]) -> Superconductor:
    """The card of a material; ``row`` has its rank and, where there are any, ``prediction``, ``phonons`` and ``coupling``."""
    crystal = Crystal.from_row(row)
    group = symmetry(crystal)
    found, prediction = row.get("phonons") or {}, row.get("prediction") or {}
    coupling = row.get("coupling")
    computed = found.get("dos_thz") is not None
    return Superconductor(
        rank=row["rank"],
        formula=row["formula"],
        space_group=group.symbol,
        space_group_number=group.number,
        predicted=prediction.get("predicted_k"),
        predicted_error=prediction.get("predicted_error_k"),
        e_hull=None,
        reference=NOT_COMPARED,
        potential=potential,
        lowest=found.get("lowest_thz"),
        stable=None if not found else found["outcome"] == Outcome.ok,
        debye=found.get("debye_k"),
        mean_frequency=found.get("omega_log_unweighted_k"),
        coupled=_coupled(coupling, mu_star) if coupling and coupling["outcome"] == Outcome.ok else None,
        inputs=f"inputs/{folder(row)}" if coupling and coupling["inputs"] else "",
        reasons=_reasons(row),
        doubts=_doubts(found, coupling),
        picture=picture(crystal),
        dos=_dos(found, potential) if computed else "",
        file=f"structures/{file_name(row['rank'], row['formula'], row['name'])}",
    )


def folder(row: Row) -> str:
    """Where a material's inputs for ph.x go."""
    return file_name(row["rank"], row["formula"], row["name"], suffix="")


def _coupled(row: Row, mu_star: tuple[float, float]) -> Coupled:
    low, high = PLATEAU_RY
    flat = [
        strength
        for strength, at in zip(row["strengths"], row["broadening_ry"], strict=True)
        if low - 1e-9 <= at <= high + 1e-9
    ]
    return Coupled(
        code="Quantum ESPRESSO",
        strength=row["strength"],
        strength_range=(min(flat), max(flat)),
        omega_log=row["omega_log"],
        tc=(row["tc_low"], row["tc_high"]),
        mu_star=mu_star,
    )


def _dos(found: Row, potential: str) -> str:
    parts = dict(zip(found["dos_elements"], map(np.array, found["dos_parts"]), strict=True))
    return phonon_dos(np.array(found["dos_thz"]), np.array(found["dos"]), parts, -NUMERICAL, potential)


def _reasons(row: Row) -> list[Words]:
    said: list[Words] = []
    known = CONDUCTORS.get(row["name"])
    if known:
        said.append((f"a known superconductor, {known.kelvin:g} K measured", f"已知超导体，实测 {known.kelvin:g} K"))
    found = row.get("phonons")
    if found and found["outcome"] == Outcome.ok:
        said.append(("its lattice has no imaginary modes", "晶格无虚频"))
    return said


def _doubts(found: Row, coupling: Row | None) -> list[Words]:
    said: list[Words] = []
    if found and found["outcome"] != Outcome.ok:
        en, zh = MEANINGS[found["outcome"]]
        said.append((f"phonons: {en} ({found['reason']})", f"声子：{zh}（{found['reason']}）"))
    if coupling and coupling["outcome"] != Outcome.ok:
        en, zh = MEANINGS[coupling["outcome"]]
        said.append((f"coupling: {en} ({coupling['reason']})", f"电声耦合：{zh}（{coupling['reason']}）"))
    return said
