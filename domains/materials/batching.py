"""From crystals to evaluations in batches of bounded memory: shared by the neural potentials.

What decides the memory of a batch is not its atoms but its edges and angles, which grow with the density; so a batch is filled
by the predicted bytes of its crystals. What cannot be evaluated ends in a named outcome before the model sees it.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from domains.materials import plausible
from domains.materials.crystal import Crystal
from domains.materials.neighbours import Neighbours, neighbours
from domains.materials.outcomes import Outcome
from domains.materials.potential import Evaluation, Want

BATCH_BYTES = 300e6  # a larger batch is no faster
MOST_BYTES = 1.2e9  # of a batch of one: what a worker of 2 GB has left
MOST_ATOMS = 1500  # few enough to list their neighbours, and to relax

Named = tuple[int, Neighbours]


class Model(Protocol):
    """What a neural potential adds: the cost of a crystal and the answer to a batch."""

    elements: frozenset[int]
    cutoff: float

    def bytes(self, graph: Neighbours, want: Want) -> float: ...

    def atoms(self, want: Want) -> int: ...

    def compute(self, graphs: Sequence[Neighbours], want: Want) -> list[Evaluation]: ...


def evaluate(model: Model, crystals: Sequence[Crystal], want: Want) -> list[Evaluation]:
    """Evaluate any number of crystals; one evaluation each, in order."""
    results: dict[int, Evaluation] = {}
    for batch in _batches(model, crystals, want, results):
        results.update(_answers(model, batch, want))
    return [results[at] for at in range(len(crystals))]


def _batches(
    model: Model, crystals: Sequence[Crystal], want: Want, results: dict[int, Evaluation]
) -> Iterator[list[Named]]:
    """Fill batches; what needs no model to be judged goes to ``results`` at once."""
    batch: list[Named] = []
    atoms, held, most_atoms = 0, 0.0, model.atoms(want)
    for at, crystal in enumerate(crystals):
        graph = graph_of(crystal, model.elements, model.cutoff)
        if not isinstance(graph, Neighbours):
            results[at] = Evaluation(None, problem=graph)
            continue
        needed = model.bytes(graph, want)
        if needed > MOST_BYTES:
            results[at] = Evaluation(None, problem=Outcome.out_of_memory)
            continue
        if batch and (atoms + len(graph) > most_atoms or held + needed > BATCH_BYTES):
            yield batch
            batch, atoms, held = [], 0, 0.0
        batch.append((at, graph))
        atoms, held = atoms + len(graph), held + needed
    if batch:
        yield batch


def graph_of(crystal: Crystal, elements: frozenset[int], cutoff: float) -> Neighbours | Outcome:
    """The neighbours within the cutoff, or why the crystal is not for this potential."""
    if not elements.issuperset(crystal.numbers.tolist()):
        return Outcome.unsupported_element
    if problem := plausible.cell(crystal):
        return problem
    if len(crystal) > MOST_ATOMS:
        return Outcome.out_of_memory
    graph = neighbours(crystal, cutoff)
    if plausible.overlap(graph):
        return Outcome.overlapping_atoms
    if len(np.unique(graph.center)) < len(graph):
        return Outcome.isolated_atoms
    return graph


def _answers(model: Model, batch: list[Named], want: Want) -> dict[int, Evaluation]:
    """Evaluate a batch; where memory runs out, its halves, down to the one crystal that is too large."""
    try:
        found = model.compute([graph for _, graph in batch], want)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        if len(batch) == 1:
            return {batch[0][0]: Evaluation(None, problem=Outcome.out_of_memory)}
        half = len(batch) // 2
        return _answers(model, batch[:half], want) | _answers(model, batch[half:], want)
    return {at: plausible.checked(one, len(graph)) for (at, graph), one in zip(batch, found, strict=True)}


def _out_of_memory(error: Exception) -> bool:
    # torch raises RuntimeError on the CPU and its subclass OutOfMemoryError on a GPU.
    return isinstance(error, MemoryError) or "alloc" in str(error) or "out of memory" in str(error)
