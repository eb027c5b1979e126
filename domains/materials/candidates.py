"""The candidates of a search: every prototype with every charge-balanced choice of elements on its orbits.

They are numbered without being listed: a decoration of k slots has as many choices as there are ordered selections of k
elements. A seeded permutation of all these numbers is walked in pieces, and what is charge balanced is kept until there are
enough: a sample without replacement, in the same order each time, of a space that may be far too large to list. Those
decorated as the real crystal come first, then those with one orbit substituted, then two; a larger sample begins with the
smaller one.
"""

import math
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domains.errors import InvalidRequest
from domains.materials.balance import balanced
from domains.materials.crystal import Crystal
from domains.materials.decorations import MOST_SUBSTITUTIONS, Decoration, decorations
from domains.materials.elements import elements, parse, symbols
from domains.materials.prototypes import MOST_ATOMS, Prototype, prototypes
from domains.materials.volume import volume

MOST_ELEMENTS = 4
PIECE = 1 << 16
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),  # formula and prototype
        ("formula", pa.string()),  # reduced
        ("prototype", pa.string()),
        ("species", pa.list_(pa.uint8())),  # atomic number on each orbit
        ("atoms", pa.int32()),
    ]
)


def candidates(
    named: Sequence[str],
    n: int | None,
    seed: int,
    most_elements: int = MOST_ELEMENTS,
    most_atoms: int = MOST_ATOMS,
    alloys: bool = False,
) -> pa.Table:
    """At most n distinct candidates of these elements, as :data:`SCHEMA`; fewer if fewer exist. Arguments as in :func:`stream`."""
    pieces = list(stream(named, n, seed, most_elements, most_atoms, alloys))
    return pa.concat_tables(pieces) if pieces else SCHEMA.empty_table()


def stream(
    named: Sequence[str],
    n: int | None,
    seed: int,
    most_elements: int = MOST_ELEMENTS,
    most_atoms: int = MOST_ATOMS,
    alloys: bool = False,
) -> Iterator[pa.Table]:
    """n distinct candidates drawn with the seed, or all there are, in pieces; ids are counted up from 0.

    A compound has 2 to ``most_elements`` of the named elements, at most ``most_atoms`` atoms in its primitive cell and balanced
    charges; with ``alloys`` metals alone are taken as well, without charges.

    Raises:
        InvalidRequest: fewer than two elements, or one that does not exist.
    """
    chosen = np.array([elements()[symbol].number for symbol in parse(named)])
    if len(chosen) < 2:
        raise InvalidRequest("elements", ",".join(named), "a compound needs two elements", "symbols such as Li,Fe,O")
    most = min(most_elements, len(chosen))
    wanted = sys.maxsize if n is None else n
    given = 0
    for substitutions in range(MOST_SUBSTITUTIONS + 1):
        if given >= wanted:
            return
        every = [each for one in prototypes(most_atoms) for each in decorations(one, most, substitutions)]
        if not every:
            continue
        space = Space(every, chosen)
        for numbers in _walk(space.size, seed):
            if given >= wanted:
                return
            decoration, species = space.at(numbers)
            valid = space.is_first(decoration, species) & balanced(
                species, space.counts[decoration], space.sides[decoration], alloys
            )
            rows = np.flatnonzero(valid)[: wanted - given]
            if len(rows):
                yield space.table(decoration[rows], species[rows], given)
            given += len(rows)


def build(prototype: Prototype, species: Sequence[int] | np.ndarray) -> Crystal:
    """The prototype with these atomic numbers (orbits,) on its orbits, at the volume expected of them."""
    species = np.asarray(species, np.uint8)
    template = prototype.crystal
    crystal = Crystal(template.lattice, template.positions, species[prototype.orbit])
    return crystal.at_volume(volume(prototype, species))


class Space:
    """All choices of elements for all decorations, numbered; arrays are padded to the most slots with element 0."""

    def __init__(self, every: Sequence[Decoration], chosen: np.ndarray) -> None:
        """``chosen`` are the atomic numbers."""
        self.every, self.chosen = every, chosen
        self.width = max(len(one.counts) for one in every)
        self.counts = np.array([_padded(one.counts, self.width, 0) for one in every], int)
        self.sides = np.array([_padded(one.sides, self.width, -1) for one in every], int)
        self.slots = (self.counts > 0).sum(axis=1)
        self.starts = np.cumsum([0, *(math.perm(len(chosen), int(k)) for k in self.slots)])
        self.size = int(self.starts[-1])

    def at(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The decoration (m,) and the atomic number in each slot (m, width) of these numbers (m,)."""
        decoration = np.searchsorted(self.starts, numbers, side="right") - 1
        rest = numbers - self.starts[decoration]
        picked = np.full((len(numbers), self.width), len(self.chosen))
        for slot in range(self.width):
            rest, digit = np.divmod(rest, max(len(self.chosen) - slot, 1))
            # The digit counts only what earlier slots left.
            for earlier in np.sort(picked[:, :slot], axis=1).T:
                digit += digit >= earlier
            picked[:, slot] = np.where(slot < self.slots[decoration], digit, len(self.chosen))
        return decoration, np.append(self.chosen, 0)[picked]

    def is_first(self, decoration: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Whether each (m,) is the first of those that are the same crystal by an exchange of slots."""
        first = np.ones(len(decoration), bool)
        weight = 256 ** np.arange(self.width)[::-1]
        for which in np.unique(decoration):
            if self.every[which].swaps:
                rows = np.flatnonzero(decoration == which)
                value = species[rows] @ weight
                for swap in self.every[which].swaps:
                    order = [*swap, *range(len(swap), self.width)]
                    first[rows] &= value <= species[rows][:, order] @ weight
        return first

    def table(self, decoration: np.ndarray, species: np.ndarray, first_id: int) -> pa.Table:
        """The rows of the result."""
        which = [self.every[one] for one in np.unique(decoration)]
        index = np.unique(decoration, return_inverse=True)[1]
        lengths = np.array([len(one.slots) for one in which])
        slots, starts = np.concatenate([one.slots for one in which]), np.cumsum([0, *lengths])
        offsets = np.cumsum([0, *lengths[index]])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths[index])
        values = species[
            np.repeat(np.arange(len(index)), lengths[index]), slots[within + np.repeat(starts[index], lengths[index])]
        ]
        formula = _formulas(species, self.counts[decoration])
        names = pa.array([one.prototype.name for one in which]).take(pa.array(index))
        columns = [
            np.arange(first_id, first_id + len(index)),
            pc.binary_join_element_wise(formula, names, " "),
            formula,
            pa.array([one.prototype.id for one in which]).take(pa.array(index)),
            pa.ListArray.from_arrays(offsets.astype(np.int32), values.astype(np.uint8)),
            np.array([len(one.prototype) for one in which], np.int32)[index],
        ]
        return pa.table(columns, schema=SCHEMA)


def _formulas(species: np.ndarray, counts: np.ndarray) -> pa.Array:
    """Reduced formulas (m,), as formula.name writes them."""
    every = list(elements().values())
    usual = sorted(range(len(every)), key=lambda at: (every[at].electronegativity or math.inf, every[at].symbol))
    rank = np.zeros(len(every) + 1, int)
    rank[np.array(usual) + 1] = np.arange(len(every))
    order = np.argsort(np.where(counts > 0, rank[species], len(every)), axis=1)
    species, counts = (np.take_along_axis(each, order, axis=1) for each in (species, counts))
    most = int(counts.max()) + 1
    texts = [symbol + str(count) * (count > 1) if count else "" for symbol in symbols() for count in range(most)]
    tokens = pa.array(texts)
    return pc.binary_join_element_wise(*(tokens.take(pa.array(column)) for column in (species * most + counts).T), "")


def _walk(size: int, seed: int) -> Iterator[np.ndarray]:
    """All of range(size), each once, in an order that looks random: pieces of a seeded permutation.

    A Feistel network over the next power of four permutes more than is asked for; what is beyond ``size`` is left out.
    """
    half = np.uint64(max(1, math.ceil(max(size - 1, 1).bit_length() / 2)))
    low = np.uint64((1 << int(half)) - 1)
    keys = np.random.default_rng(seed).integers(1, 1 << 63, 6, np.uint64)
    for start in range(0, 1 << 2 * int(half), PIECE):
        number = np.arange(start, min(start + PIECE, 1 << 2 * int(half)), dtype=np.uint64)
        left, right = number >> half, number & low
        for key in keys:
            left, right = right, left ^ (_mixed(right + key) & low)
        number = (left << half) | right
        if len(number := number[number < size]):
            yield number.astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele et al., OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _padded(values: Sequence[int], width: int, filling: int) -> list[int]:
    return [*values, *[filling] * (width - len(values))]
