"""Forces and stress from one differentiation of a batch's energy by the vectors of its edges."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from domains.materials.neighbours import Neighbours
from domains.materials.potential import Evaluation


def stacked(graphs: Sequence[Neighbours]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A batch's edges with atoms counted through: centres (m,), neighbours (m,), vectors (m, 3) in single precision, Å."""
    first = np.cumsum([0, *(len(graph) for graph in graphs)])
    center = np.concatenate([graph.center + at for graph, at in zip(graphs, first, strict=False)])
    neighbour = np.concatenate([graph.neighbour + at for graph, at in zip(graphs, first, strict=False)])
    vector = np.concatenate([graph.vector for graph in graphs])
    return torch.from_numpy(center), torch.from_numpy(neighbour), torch.from_numpy(vector).float()


def with_derivatives(
    evaluations: Sequence[Evaluation], energy: torch.Tensor, vector: torch.Tensor, graphs: Sequence[Neighbours]
) -> list[Evaluation]:
    """Add forces and stress to the evaluations of a batch.

    ``energy`` is the batch's total, eV, and ``vector`` its edges from centre to neighbour, of which it was made.
    """
    (slope,) = torch.autograd.grad(energy, vector)
    slopes = np.split(slope.double().numpy(), np.cumsum([len(graph.center) for graph in graphs])[:-1])
    pairs = zip(evaluations, graphs, slopes, strict=True)
    return [replace(one, **_derivatives(graph, slope)) for one, graph, slope in pairs]


def _derivatives(graph: Neighbours, slope: np.ndarray) -> dict[str, Any]:
    # The energy depends on r_neighbour - r_center only: each edge pulls its two ends with opposite forces.
    pull = [
        np.bincount(graph.center, slope[:, axis], len(graph)) - np.bincount(graph.neighbour, slope[:, axis], len(graph))
        for axis in range(3)
    ]
    virial = graph.vector.T @ slope
    return {"forces": np.stack(pull, axis=1), "stress": (virial + virial.T) / (2 * graph.volume)}
