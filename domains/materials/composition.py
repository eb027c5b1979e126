"""Formulas as features for models of composition; amounts need not be whole.

Features are weighted statistics over the elements of a formula, of properties that pymatgen lists for each element, in the
manner of Ward et al., npj Comput. Mater. 2 (2016) 16028, computed for a whole batch at once.
"""

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from domains.errors import InvalidRequest
from domains.materials.elements import elements

NUMBERS: Mapping[str, int] = {one.symbol: one.number for one in elements().values()}
TOKEN = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d*)?|\.\d+)?|(\()|\)(\d+(?:\.\d*)?)?")

# Per element: a row of pymatgen's table, or the valence electrons in a shell.
LISTED = (
    "Mendeleev no",
    "Atomic mass",
    "X",
    "Atomic radius",
    "Molar volume",
    "Melting point",
    "Electron affinity",
    "Bulk modulus",
)
PROPERTIES = ("Z", *LISTED, "row", "group", "first ionization energy", "s", "p", "d", "f")
STATISTICS = ("mean", "deviation", "least", "most", "of the most electronegative")
WHOLE = ("elements", "largest fraction", "norm of fractions")
NAMES = (*(f"{statistic} {name}" for statistic in STATISTICS for name in PROPERTIES), *WHOLE)


def amounts(formula: str) -> dict[str, float]:
    """Atoms by element of a formula such as ``Ca3(PO4)2`` or ``La1.85Sr0.15CuO4``; InvalidRequest where it is none."""
    stack: list[dict[str, float]] = [{}]
    end = 0
    for token in TOKEN.finditer(formula):
        symbol, count, opening, times = token.groups()
        closing = not symbol and not opening
        if token.start() != end or (symbol and symbol not in NUMBERS) or (closing and len(stack) == 1):
            break
        end = token.end()
        if opening:
            stack.append({})
        else:
            group, number = (stack.pop(), float(times or 1)) if closing else ({symbol: 1.0}, float(count or 1))
            for inner, atoms in group.items():
                stack[-1][inner] = stack[-1].get(inner, 0.0) + atoms * number
    if end != len(formula) or len(stack) != 1 or not any(stack[0].values()):
        raise InvalidRequest("formula", formula, "not a chemical formula", "such as LiFePO4 or La1.85Sr0.15CuO4")
    return {symbol: number for symbol, number in stack[0].items() if number}


def fractions(formulas: Sequence[str]) -> np.ndarray:
    """Atomic fractions by element (n, 103), float32, rows in the order of the formulas."""
    rows, columns, values = [], [], []
    for row, formula in enumerate(formulas):
        counts = amounts(formula)
        total = sum(counts.values())
        for symbol, number in counts.items():
            rows.append(row)
            columns.append(NUMBERS[symbol] - 1)
            values.append(number / total)
    made = np.zeros((len(formulas), len(NUMBERS)), np.float32)
    made[rows, columns] = values
    return made


def features(formulas: Sequence[str]) -> np.ndarray:
    """What models see of formulas: (n, len(NAMES)), float32, columns named by ``NAMES``."""
    parts = fractions(formulas)
    table = properties()
    most = max(1, int((parts > 0).sum(axis=1).max(initial=1)))
    # The elements of each formula, most of it first; a formula with fewer repeats its first with weight zero.
    order = np.argsort(-parts, axis=1, kind="stable")[:, :most]
    weights = np.take_along_axis(parts, order, axis=1)
    order = np.where(weights > 0, order, order[:, :1])
    values = table[order]  # (n, most, properties)
    mean = np.einsum("ne,nep->np", weights, values)
    deviation = np.einsum("ne,nep->np", weights, np.abs(values - mean[:, None]))
    anion = np.argmax(table[order, PROPERTIES.index("X")], axis=1)
    whole = np.stack([(weights > 0).sum(axis=1), weights[:, 0], np.sqrt((weights**2).sum(axis=1))], axis=1)
    return np.concatenate(
        [mean, deviation, values.min(axis=1), values.max(axis=1), values[np.arange(len(parts)), anion], whole],
        axis=1,
        dtype=np.float32,
    )


@cache
def properties() -> np.ndarray:
    """Properties of the elements (103, len(PROPERTIES)); what is not known is the median of what is."""
    from pymatgen.core import Element

    table = np.array([_properties(Element.from_Z(number)) for number in NUMBERS.values()], np.float32)
    return np.where(np.isnan(table), np.nanmedian(table, axis=0), table)


def _properties(element: Any) -> list[float]:
    listed = [element.data.get(name) for name in LISTED]
    energies = element.data.get("Ionization energies") or [None]
    shells = [
        sum(int(number) for number in re.findall(rf"\d{shell}(\d+)", element.electronic_structure)) for shell in "spdf"
    ]
    values = [element.Z, *listed, element.row, element.group, energies[0], *shells]
    return [float(value) if isinstance(value, int | float) else math.nan for value in values]
