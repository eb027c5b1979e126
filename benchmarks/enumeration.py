"""Where candidates of a materials search come from: compositions, prototypes, structures.

All charge-balanced ternary compositions of 78 elements, against SMACT's filter on random systems (same answers, and how much
longer it takes); prototypes loaded from the packages; candidates counted, sampled and built.
"""

import argparse
import itertools
import random
import resource
import sys
import time
import warnings

import numpy as np

from benchmarks.bench import Row, main
from domains.materials import prototypes as library
from domains.materials.candidates import build, candidates, stream
from domains.materials.elements import defaults, elements
from domains.materials.enumerate import MAX_RATIO, compositions

LITHIUM, BISMUTH = 3, 83
SEEDS = (0, 1, 2)
SYSTEMS_A_SEED = 20
SEARCH = ("Li", "Mg", "Ti", "Fe", "O", "S")
BUILT = 5_000


def measure(arguments: argparse.Namespace) -> list[Row]:
    n = 100_000 if arguments.quick else 1_000_000
    return [
        *compositions_rows(SEEDS[:1] if arguments.quick else SEEDS),
        *prototype_rows(),
        *candidate_rows(n),
        *build_rows(),
    ]


def compositions_rows(seeds: tuple[int, ...]) -> list[Row]:
    known = [
        one.symbol
        for one in elements().values()
        if LITHIUM <= one.number <= BISMUTH and one.states and one.electronegativity is not None
    ]
    systems = list(itertools.combinations(known, 3))
    start = time.process_time()
    found = sum(len(compositions(system)) for system in systems)
    spent = time.process_time() - start
    rows = [
        Row.judged(f"all {len(systems):,} ternary systems of {len(known)} elements", spent, "CPU s", "< 10"),
        Row("compositions found", found, note=f"{found / spent:,.0f} a second"),
    ]
    try:
        import smact
        from smact.screening import smact_filter
    except ImportError:
        return [*rows, Row("against SMACT", None, note="smact is not installed: pip install 'ai4s[bench]'")]
    same, times = 0, []
    for seed in seeds:
        sample = random.Random(seed).sample(systems, SYSTEMS_A_SEED)
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecated names in smact itself
            theirs = [
                {
                    row[1]
                    for row in smact_filter([smact.Element(e) for e in one], threshold=MAX_RATIO, species_unique=False)
                }
                for one in sample
            ]
        times.append(time.process_time() - start)
        same += sum(
            their == set(map(tuple, compositions(one).tolist())) for one, their in zip(sample, theirs, strict=True)
        )
    ratios = [each / SYSTEMS_A_SEED / (spent / len(systems)) for each in times]
    checked = len(seeds) * SYSTEMS_A_SEED
    return [
        *rows,
        Row.judged("random systems answered as by SMACT's filter", same, f"of {checked}", f"== {checked}"),
        Row(
            "SMACT's time for a system, over ours",
            float(np.median(ratios)),
            "x",
            note=f"{min(ratios):.0f} to {max(ratios):.0f}",
        ),
    ]


def prototype_rows() -> list[Row]:
    start = time.process_time()
    shipped = len(library._raw())
    read = time.process_time() - start
    found = library.prototypes()
    spent = time.process_time() - start
    note = f"of {shipped:,} crystals shipped; reading {read:.2f} s, the rest is symmetry and duplicates"
    atoms = float(np.mean([len(one) for one in found]))
    return [
        Row.judged("distinct prototypes loaded", spent, "CPU s", "< 10", note),
        Row(
            "distinct prototypes", len(found), note=f"at most {library.MOST_ATOMS} atoms, mean {atoms:.1f}; no hydrogen"
        ),
    ]


def candidate_rows(n: int) -> list[Row]:
    start = time.process_time()
    few = candidates(SEARCH, n, seed=1)
    first = time.process_time() - start
    distinct = set[tuple[str, tuple[int, ...]]]()
    start, given = time.process_time(), 0
    for piece in stream(defaults(), n, seed=1):
        given += len(piece)
        distinct.update(zip(piece["prototype"].to_pylist(), map(tuple, piece["species"].to_pylist()), strict=True))
    spent = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    mean = float(np.mean(few["atoms"].to_numpy()))
    return [
        Row(
            f"candidates of {','.join(SEARCH)}",
            len(few),
            note=f"{first:.1f} CPU s, mean {mean:.1f} atoms, asked for {n:,}",
        ),
        Row.judged(
            f"{given:,} candidates of {len(defaults())} elements", spent, "CPU s", "< 60", "with the check that follows"
        ),
        Row.judged("of them distinct", len(distinct), "", f"== {n}"),
        Row.judged("peak memory, with the set of all of them", peak / 2**30, "GiB", "< 2"),
    ]


def build_rows() -> list[Row]:
    rows = candidates(SEARCH, BUILT, seed=2)
    cases = [
        (library.prototype(key), np.array(species))
        for key, species in zip(rows["prototype"].to_pylist(), rows["species"].to_pylist(), strict=True)
    ]
    for prototype in {id(one): (one, species) for one, species in cases}.values():
        build(*prototype)  # what a prototype needs is computed once
    start = time.process_time()
    for case in cases:
        build(*case)
    return [
        Row.judged(
            "a structure built at its volume", 1e3 * (time.process_time() - start) / len(cases), "CPU ms", "< 0.2"
        )
    ]


if __name__ == "__main__":
    main(measure, __doc__)
