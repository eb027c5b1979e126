"""Chemical formulas: text to counts, counts to text."""

import math
import re
from collections.abc import Mapping

from domains.errors import InvalidRequest
from domains.materials.elements import element, elements

MOST_ATOMS = 1000  # in a formula unit; the longest mineral's has some hundreds
TOKEN = re.compile(r"([A-Z][a-z]*)|([(\[])|([)\]])|(\d+(?![.\d]))|(\d*\.\d*|\S)")
FORM = "a formula such as LiFePO4 or Li3V2(PO4)3"


def parse(text: str, field: str = "formula") -> dict[str, int]:
    """Counts of a formula's elements, in the order written: ``Li3V2(PO4)3`` is ``{"Li": 3, "V": 2, "P": 3, "O": 12}``.

    Raises:
        InvalidRequest: an unknown element, a count of zero or beyond MOST_ATOMS, or not a formula at all.
    """
    subscripts = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
    tokens = [match.groups() for match in TOKEN.finditer(text.translate(subscripts))]
    stack: list[dict[str, int]] = [{}]
    last: dict[str, int] = {}  # what a number that follows multiplies
    for symbol, opening, closing, number, other in tokens:
        if other or (number and not last) or (closing and len(stack) == 1):
            raise InvalidRequest(field, text, f"cannot read {other or number or closing!r}", FORM)
        if number:
            _add(stack[-1], last, _count(number, text, field) - 1)
            last = {}
        elif opening:
            stack.append({})
            last = {}
        else:
            last = stack.pop() if closing else {element(symbol, field).symbol: 1}
            _add(stack[-1], last, 1)
    if len(stack) > 1 or not stack[0]:
        raise InvalidRequest(field, text, "a bracket is not closed" if len(stack) > 1 else "no elements", FORM)
    if sum(stack[0].values()) > MOST_ATOMS:
        raise InvalidRequest(field, text, "too many atoms", f"at most {MOST_ATOMS} in a formula unit")
    return stack[0]


def reduced(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts divided by their greatest common divisor, in a formula's usual order."""
    common = math.gcd(*counts.values())
    return {symbol: counts[symbol] // common for symbol in sorted(counts, key=_rank)}


def name(counts: Mapping[str, int]) -> str:
    """The reduced formula, the least electronegative element first: ``LiFePO4``."""
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in reduced(counts).items())


def normalised(text: str, field: str = "formula") -> str:
    """A formula as :func:`name` writes it: ``FePO4Li`` is ``LiFePO4``."""
    return name(parse(text, field))


def _count(number: str, text: str, field: str) -> int:
    if not 1 <= int(number[:9]) <= MOST_ATOMS:
        raise InvalidRequest(field, text, f"a count of {number[:9]}", f"whole numbers from 1 to {MOST_ATOMS}")
    return int(number)


def _add(counts: dict[str, int], more: Mapping[str, int], times: int) -> None:
    for symbol, count in more.items():
        counts[symbol] = counts.get(symbol, 0) + count * times


def _rank(symbol: str) -> tuple[float, str]:
    electronegativity = elements()[symbol].electronegativity
    return (math.inf if electronegativity is None else electronegativity, symbol)
