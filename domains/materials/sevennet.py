"""SevenNet l3i5 (Park et al., J. Chem. Theory Comput. 2024, 20, 4857) with the weights of its wheel.

Trained on the same calculations as CHGNet, but on their raw energies: its energies and CHGNet's must not be subtracted.
"""

import functools
import hashlib
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import sevenn
import sevenn._keys as key
import torch
from sevenn.checkpoint import SevenNetCheckpoint
from torch.utils.checkpoint import checkpoint

from domains.materials import batching
from domains.materials.crystal import Crystal
from domains.materials.derivatives import stacked, with_derivatives
from domains.materials.neighbours import Neighbours
from domains.materials.potential import Convention, Evaluation, Want

WEIGHTS = "pretrained_potentials/SevenNet_l3i5/checkpoint_l3i5.pth"
CONVOLUTIONS = tuple(f"{layer}_convolution" for layer in range(5))
ATOMS = {"energy": 120, "forces": 40}
BYTES = {"energy": 9e4, "forces": 3e5}  # of an edge, measured on C, Cu and SrTiO3
FRUGAL_BYTES = {"energy": 1.2e4, "forces": 5.5e4}  # where the convolutions take their edges part by part
PART = 1000  # edges
PER_CONVOLUTION = (key.NODE_FEATURE, key.EDGE_IDX, key.EDGE_EMBEDDING, key.EDGE_ATTR)


class Frugal(torch.nn.Module):  # type: ignore[misc]
    """A convolution that takes many edges part by part, forgets its inner values, and computes them again on the way back.

    These values are nearly all of the memory, and a convolution is a sum over edges.
    """

    def __init__(self, convolution: torch.nn.Module) -> None:
        super().__init__()
        self.convolution, self.frugal = convolution, False

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As the convolution itself: replaces the features of the atoms."""
        if not self.frugal:
            return self.convolution(batch)  # type: ignore[no-any-return]

        def convolved(*given: torch.Tensor) -> torch.Tensor:
            return self.convolution({**batch, **dict(zip(PER_CONVOLUTION, given, strict=True))})[key.NODE_FEATURE]

        edges = batch[key.EDGE_IDX].split(PART, dim=1), *(batch[one].split(PART) for one in PER_CONVOLUTION[2:])
        parts = (
            checkpoint(convolved, batch[key.NODE_FEATURE], *part, use_reentrant=False)
            for part in zip(*edges, strict=True)
        )
        batch[key.NODE_FEATURE] = functools.reduce(torch.add, parts)
        return batch


class SevenNet:
    """Raw PBE(+U) energies of Materials Project; forces and stress."""

    name = "sevennet-l3i5"
    convention = Convention.raw
    atoms_in_flight = ATOMS["forces"]

    def __init__(self) -> None:
        path = Path(sevenn.__file__).parent / WEIGHTS
        self.version = f"7net-l3i5, package {version('sevenn')}"
        self.weights_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        torch.set_num_threads(1)
        with warnings.catch_warnings():  # on how it could be faster on a GPU
            warnings.simplefilter("ignore")
            self.network = SevenNetCheckpoint(path).build_model()
        self.network.set_is_batch_data(True)
        self.network.delete_module_by_key("force_output")  # forces come from one differentiation by the edges
        self.network.key_grad = None
        self.convolutions = [Frugal(self.network._modules[name]) for name in CONVOLUTIONS]
        for name, convolution in zip(CONVOLUTIONS, self.convolutions, strict=True):
            self.network.replace_module(name, convolution)
        self.network.requires_grad_(False).eval()
        self.elements = frozenset(self.network.type_map)
        self.cutoff = float(self.network.cutoff)

    def evaluate(self, crystals: Sequence[Crystal], want: Want) -> list[Evaluation]:
        """Evaluate any number of crystals; one evaluation each, in order."""
        return batching.evaluate(self, crystals, want)

    def atoms(self, want: Want) -> int:
        """Most atoms in a batch."""
        return ATOMS[want]

    def bytes(self, graph: Neighbours, want: Want) -> float:
        """Predicted memory, from the number of edges."""
        usual = BYTES[want] * len(graph.center)
        if usual <= batching.BATCH_BYTES:
            return usual
        return max(batching.BATCH_BYTES, FRUGAL_BYTES[want] * len(graph.center))  # such a crystal fills a batch alone

    def compute(self, graphs: Sequence[Neighbours], want: Want) -> list[Evaluation]:
        """Evaluate one batch."""
        derivatives = want == "forces"
        center, neighbour, vector = stacked(graphs)
        vector.requires_grad_(derivatives)
        numbers = torch.from_numpy(np.concatenate([graph.numbers for graph in graphs]).astype(np.int64))
        sizes = torch.tensor([len(graph) for graph in graphs])
        batch = {
            key.ATOMIC_NUMBERS: numbers,
            key.NODE_FEATURE: numbers,
            key.EDGE_IDX: torch.stack([center, neighbour]),
            key.EDGE_VEC: vector,
            key.NUM_ATOMS: sizes,
            key.BATCH: torch.repeat_interleave(torch.arange(len(graphs)), sizes),
        }
        edges = sum(len(graph.center) for graph in graphs)
        for convolution in self.convolutions:
            convolution.frugal = BYTES[want] * edges > batching.BATCH_BYTES
        with torch.set_grad_enabled(derivatives):
            total = self.network(batch)[key.PRED_TOTAL_ENERGY]
        plain = [Evaluation(float(energy)) for energy in total.detach().double()]
        return with_derivatives(plain, total.sum(), vector, graphs) if derivatives else plain


def build() -> SevenNet:
    """Load it."""
    return SevenNet()
