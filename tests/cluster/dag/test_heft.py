import json
from typing import Any

import pytest

from cluster.dag import Machine, TaskGraph, heft, upward_ranks
from tests.cluster.dag.machines import graph, machine
from tests.cluster.dag.record_heft_oracle import FIXTURE, oracle

RECORDED = json.loads(FIXTURE.read_text())


def built(case: dict[str, Any]) -> tuple[TaskGraph, Machine]:
    """The graph and the machine of a case: every chip is a kind of its own."""
    names = iter(f"k{number}" for number in range(len(case["speeds"])))
    supernodes = [[[next(names) for _ in range(chips)] for chips in hosts] for hosts in case["chips"]]
    speeds = {f"k{number}": speed for number, speed in enumerate(case["speeds"])}
    return graph(case["work"], case["edges"]), machine(supernodes, speeds, case["links"])


def test_heft_comes_to_the_makespans_of_an_independent_library():
    assert len(RECORDED["cases"]) >= 50
    for case in RECORDED["cases"]:
        assert max(slot.end for slot in heft(*built(case))) == pytest.approx(case["makespan"], rel=1e-9, abs=0)


def test_the_recorded_makespans_are_the_librarys():
    pytest.importorskip("saga", reason="anrg-saga is not installed")
    for case in RECORDED["cases"]:
        assert oracle(case) == pytest.approx(case["makespan"], rel=1e-9, abs=0)


def test_ranks_are_the_longest_way_to_the_end():
    chips = machine([[["k", "k"]]], {"k": 2.0}, {"host": 1.0})
    tasks = graph([2, 4, 6], [(0, 1, 3), (0, 2, 0)])
    # Of the three pairs of chips, one is of two chips: 3 GB take 3 s there.
    assert upward_ranks(tasks, chips) == pytest.approx([1 + max(1 + 2, 3), 2, 3])


def test_a_task_goes_into_a_gap():
    chips = machine([[["k", "k"]]], {"k": 1.0}, {"host": 1.0})
    # t2 waits for bytes; t3 has the least rank and fits in before it.
    tasks = graph([4, 10, 10, 1], [(0, 1, 0), (0, 2, 3)])
    slots = heft(tasks, chips)
    assert (slots[3].chip, slots[3].start, slots[3].end) == (slots[2].chip, 0, 1)
    assert slots[2].start == pytest.approx(7)
