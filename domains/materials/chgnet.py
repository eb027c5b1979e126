"""CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell. 2023, 5, 1031) with the weights of its wheel.

Its graphs are made here for a whole batch at once, and the energy is differentiated once, by the edges. The package's own
converter makes an object of every edge, and its model differentiates twice and so that it could be differentiated again, as
training needs it. A test holds both to the same answers.
"""

import hashlib
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import chgnet
import numpy as np
import torch
from chgnet.model.model import BatchedGraph
from chgnet.model.model import CHGNet as Network

from domains.materials import batching
from domains.materials.crystal import Crystal
from domains.materials.derivatives import stacked, with_derivatives
from domains.materials.neighbours import Neighbours, angles, undirected
from domains.materials.potential import Convention, Evaluation, Want

WEIGHTS = "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar"
ANGLE_CUTOFF = 3.0  # Å, of both edges
ATOMS = {"energy": 120, "forces": 40}
BYTES = {"energy": 4.5e3, "forces": 1.8e4}  # of an edge or an angle, measured on Li, Cu, C, NaCl and SrTiO3


class CHGNet:
    """Energies with Materials Project's 2020 corrections, as it was trained; forces, stress and magnetic moments."""

    name = "chgnet"
    convention = Convention.mp2020
    elements = frozenset(range(1, 95))
    cutoff = 6.0
    atoms_in_flight = ATOMS["forces"]

    def __init__(self) -> None:
        self.version = f"0.3.0, package {version('chgnet')}"
        self.weights_sha256 = hashlib.sha256((Path(chgnet.__file__).parent / WEIGHTS).read_bytes()).hexdigest()
        torch.set_num_threads(1)
        with redirect_stdout(StringIO()):  # it prints what it is
            self.network = Network.load(model_name="0.3.0", use_device="cpu", verbose=False)
        self.network.requires_grad_(False).eval()
        self.references = self.network.composition_model.fc.weight[0].double().numpy()  # eV, by atomic number less 1

    def evaluate(self, crystals: Sequence[Crystal], want: Want) -> list[Evaluation]:
        """Evaluate any number of crystals; one evaluation each, in order."""
        return batching.evaluate(self, crystals, want)

    def atoms(self, want: Want) -> int:
        """Most atoms in a batch."""
        return ATOMS[want]

    def bytes(self, graph: Neighbours, want: Want) -> float:
        """Predicted memory, from the numbers of edges and angles."""
        degree = np.bincount(graph.center[graph.length < ANGLE_CUTOFF])
        edges, turns = len(graph.center), int((degree * (degree - 1)).sum())
        return BYTES[want] * (edges + turns)

    def compute(self, graphs: Sequence[Neighbours], want: Want) -> list[Evaluation]:
        """Evaluate one batch."""
        derivatives = want == "forces"
        with torch.set_grad_enabled(derivatives):
            batch, vector = self._batch(graphs, derivatives)
            found = self.network._compute(batch, compute_magmom=derivatives)
        total = found["e"] * found["atoms_per_graph"]
        references = np.array([self.references[graph.numbers.astype(int) - 1].sum() for graph in graphs])
        energies = total.detach().double().numpy() + references
        if not derivatives:
            return [Evaluation(float(energy)) for energy in energies]
        moments = [one.detach().double().numpy() for one in found["m"]]
        plain = [Evaluation(float(energy), moments=one) for energy, one in zip(energies, moments, strict=True)]
        return with_derivatives(plain, total.sum(), vector, graphs)

    def _batch(self, graphs: Sequence[Neighbours], derivatives: bool) -> tuple[BatchedGraph, torch.Tensor]:
        """The network's input for a batch, and the edges' vectors that it is made of."""
        center, neighbour, vector = stacked(graphs)
        vector.requires_grad_(derivatives)
        one_of, pair = undirected(graphs)
        length = torch.linalg.vector_norm(vector, dim=1)
        direction = vector / length[:, None]
        near = np.flatnonzero(length.detach().numpy() < ANGLE_CUTOFF)
        one, other = angles(center.numpy(), near)
        turns = torch.from_numpy(np.stack([center.numpy()[one], pair[one], pair[other]], axis=1))
        atom_basis, bond_basis = (
            basis(length[torch.from_numpy(one_of)])
            for basis in (
                self.network.bond_basis_expansion.rbf_expansion_ag,
                self.network.bond_basis_expansion.rbf_expansion_bg,
            )
        )
        batch = BatchedGraph(
            atomic_numbers=torch.from_numpy(np.concatenate([graph.numbers for graph in graphs]).astype(np.int64)),
            bond_bases_ag=atom_basis,
            bond_bases_bg=bond_basis,
            angle_bases=self.network.angle_basis_expansion(direction[one], direction[other]),
            batched_atom_graph=torch.stack([center, neighbour], dim=1),
            batched_bond_graph=turns,
            atom_owners=torch.repeat_interleave(torch.arange(len(graphs)), torch.tensor([len(g) for g in graphs])),
            directed2undirected=torch.from_numpy(pair),
            atom_positions=[],
            strains=[],
            volumes=[],
        )
        return batch, vector


def build() -> CHGNet:
    """Load it."""
    return CHGNet()
