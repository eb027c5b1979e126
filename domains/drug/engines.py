"""Docking programs behind one contract: the settings and the output columns of ``vina.Dock``, whoever does the search.

A program is there when its binary is found; else it says which names were looked for. Scores of different programs are not
comparable: AutoDock-GPU has another scoring function, and each searches in its own way.
"""

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from domains import command
from domains.drug.outcomes import Outcome
from domains.drug.receptors import atoms
from domains.drug.vina import SCORE_FLOOR, Dock, DockSettings, judge

# Scores (kcal/mol) and coordinates (n, 3) in Å, best first.
Poses = list[tuple[float, np.ndarray]]


class Program:
    """A docking program that is run once for each ligand."""

    binaries: ClassVar[tuple[str, ...]]
    on_gpu: ClassVar[bool] = False

    def __init__(self, settings: DockSettings) -> None:
        if hashlib.sha256(settings.path.read_bytes()).hexdigest() != settings.receptor_sha256:
            raise ValueError(f"{settings.path} is not the receptor that the run began with: its checksum differs")
        self.settings, self.binary = settings, found(self.binaries)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Dock ``row["pdbqt"]``."""
        with tempfile.TemporaryDirectory(prefix="ai4s-dock-") as name:
            folder = Path(name)
            (folder / "ligand.pdbqt").write_text(row["pdbqt"])
            started = time.perf_counter()
            done = command.run([self.binary, *self.arguments()], folder, lift_memory=self.on_gpu)
            spent = time.perf_counter() - started
            try:
                poses = self.read(folder) if done.code == 0 else []
            except (OSError, ValueError) as error:
                poses, done = [], command.Finished(done.code, f"{type(error).__name__}: {error}")
        if not poses:
            outcome = Outcome.no_type if "valid AutoDock type" in done.output else Outcome.engine_error
            return {"outcome": outcome, "reason": done.last_line, "engine_s": spent}
        return {**self._result(poses[: self.settings.search.n_poses], row), "engine_s": spent}

    def _result(self, poses: Poses, row: Mapping[str, Any]) -> dict[str, Any]:
        score, best = poses[0]
        if len(best) != len(atoms(row["pdbqt"])):
            return {"outcome": Outcome.engine_error, "reason": f"a pose of {len(best)} atoms came back"}
        outcome, reason = judge(score, best, self.settings)
        if outcome is not Outcome.ok:
            return {"outcome": outcome, "reason": reason}
        plausible = [one for one in poses if SCORE_FLOOR <= one[0] < 0]
        flat = [xyz.astype(np.float32).ravel().tolist() for _, xyz in plausible]
        scores = [one for one, _ in plausible]
        return {"outcome": outcome, "reason": None, "score": score, "scores": scores, "pose": flat[0], "poses": flat}

    def arguments(self) -> list[str]:
        """What follows the program's name; the ligand is ``ligand.pdbqt`` in the folder it runs in."""
        raise NotImplementedError

    def read(self, folder: Path) -> Poses:
        """The poses it wrote, best first."""
        raise NotImplementedError

    def box(self) -> list[str]:
        """The docking box as all of Vina's descendants take it."""
        ends = [("center", axis, at) for axis, at in zip("xyz", self.settings.center, strict=True)]
        ends += [("size", axis, edge) for axis, edge in zip("xyz", self.settings.size, strict=True)]
        return [part for name, axis, value in ends for part in (f"--{name}_{axis}", f"{value:g}")]


class VinaCli(Program):
    """AutoDock Vina's own program, such as Debian's package autodock-vina."""

    binaries = ("vina", "autodock-vina")

    def arguments(self) -> list[str]:
        """One thread, as a slot has one core."""
        search = self.settings.search
        return [
            "--receptor", str(self.settings.path), "--ligand", "ligand.pdbqt", "--out", "out.pdbqt", *self.box(),
            "--scoring", self.settings.scoring, "--exhaustiveness", str(search.exhaustiveness),
            "--max_evals", str(search.max_evals), "--num_modes", str(search.n_poses),
            "--seed", str(self.settings.seed), "--cpu", "1",
        ]  # fmt: skip

    def read(self, folder: Path) -> Poses:
        """Models with ``REMARK VINA RESULT``."""
        return models((folder / "out.pdbqt").read_text(), "REMARK VINA RESULT:")


class Gnina(Program):
    """gnina: Vina's search, poses ranked again by a neural network; the score stays Vina's energy.

    It has no limit of evaluations, so that ``max_evals`` is not heeded: its coarse dock is a full search of exhaustiveness 1.
    """

    binaries = ("gnina",)
    on_gpu = True

    def arguments(self) -> list[str]:
        """PDBQT in and out, which it writes in the ligand's own atom order."""
        search = self.settings.search
        return [
            "--receptor", str(self.settings.path), "--ligand", "ligand.pdbqt", "--out", "out.pdbqt", *self.box(),
            "--exhaustiveness", str(search.exhaustiveness), "--num_modes", str(search.n_poses),
            "--seed", str(self.settings.seed), "--cpu", "1", "--quiet",
        ]  # fmt: skip

    def read(self, folder: Path) -> Poses:
        """Models with ``REMARK minimizedAffinity``, by energy: it writes them in the network's order."""
        return sorted(models((folder / "out.pdbqt").read_text(), "REMARK minimizedAffinity"), key=lambda pose: pose[0])


class UniDock(Program):
    """Uni-Dock: Vina's scoring with many short searches on a GPU; their steps are its limit, ``max_evals`` is not heeded."""

    binaries = ("unidock",)
    on_gpu = True
    # Its mode "fast" is 128 searches of 20 steps; that stands for Vina's default exhaustiveness of 8.
    searches, steps = 16, 20

    def arguments(self) -> list[str]:
        """A batch of one ligand."""
        search = self.settings.search
        return [
            "--receptor", str(self.settings.path), "--gpu_batch", "ligand.pdbqt", "--dir", ".", *self.box(),
            "--scoring", self.settings.scoring, "--exhaustiveness", str(self.searches * search.exhaustiveness),
            "--max_step", str(self.steps), "--num_modes", str(search.n_poses), "--seed", str(self.settings.seed),
        ]  # fmt: skip

    def read(self, folder: Path) -> Poses:
        """``ligand_out.pdbqt``, written as Vina writes it."""
        return models((folder / "ligand_out.pdbqt").read_text(), "REMARK VINA RESULT:")


class AutoDockGpu(Program):
    """AutoDock-GPU: AutoDock 4's scoring and genetic search, on grid maps that autogrid4 makes once a process.

    Unlike Vina's, this scoring has an electrostatic term: a receptor whose charges are all zero is refused.
    """

    binaries = ("autodock_gpu_128wi", "autodock_gpu_64wi", "autodock_gpu", "adgpu")
    grid_binaries = ("autogrid4",)
    on_gpu = True
    spacing = 0.375
    ligand_types = ("A", "C", "HD", "N", "NA", "OA", "S", "SA", "P", "F", "Cl", "Br", "I")

    def __init__(self, settings: DockSettings) -> None:
        super().__init__(settings)
        self.maps = tempfile.TemporaryDirectory(prefix="ai4s-maps-")
        grid(settings, Path(self.maps.name), self.ligand_types, self.spacing)

    def arguments(self) -> list[str]:
        """One genetic search for each unit of exhaustiveness, and no fewer than poses are wanted."""
        search = self.settings.search
        evaluations = ["--nev", str(search.max_evals)] if search.max_evals else []
        return [
            "--ffile", str(Path(self.maps.name) / "receptor.maps.fld"), "--lfile", "ligand.pdbqt", "--resnam", "out",
            "--nrun", str(max(search.exhaustiveness, search.n_poses)), "--seed", str(self.settings.seed),
            "--xmloutput", "0", *evaluations,
        ]  # fmt: skip

    def read(self, folder: Path) -> Poses:
        """``out.dlg``, whose runs are in no order."""
        return docked((folder / "out.dlg").read_text())


def models(pdbqt: str, remark: str) -> Poses:
    """Poses of a PDBQT file of several models, each with its score after this remark; ValueError where one has none."""
    made: Poses = []
    for model in pdbqt.split("MODEL ")[1:]:
        scores = [words[0] for line in model.splitlines() if (words := line.partition(remark)[2].split())]
        if not scores:
            raise ValueError(f"a pose without its score ({remark.rstrip(':')})")
        made.append((float(scores[0]), atoms(model)))
    return made


ENERGY = re.compile(r"DOCKED: USER    Estimated Free Energy of Binding    =\s*([-+]?[\d.]+)")


def docked(dlg: str) -> Poses:
    """Poses of a docking log of AutoDock-GPU, best first."""
    made: Poses = []
    for model in dlg.split("DOCKED: MODEL")[1:]:
        energy = ENERGY.search(model)
        if energy:
            lines = [line.removeprefix("DOCKED: ") for line in model.splitlines() if line.startswith("DOCKED: ")]
            made.append((float(energy[1]), atoms("\n".join(lines))))
    return sorted(made, key=lambda pose: pose[0])


NO_CHARGES = "the receptor's charges are all zero, and AutoDock 4's scoring needs them"


def charged(receptor: Path) -> bool:
    """Whether a receptor as PDBQT has partial charges: those typed by our own rules have none, as Vina reads none."""
    lines = receptor.read_text().splitlines()
    return any(float(line[70:76]) for line in lines if line.startswith(("ATOM", "HETATM")))


def grid(settings: DockSettings, folder: Path, ligand_types: Sequence[str], spacing: float) -> None:
    """Write AutoDock 4's maps of the receptor's box.

    Raises ValueError for a receptor without charges, RuntimeError with autogrid4's last words.
    """
    lines = [line for line in settings.path.read_text().splitlines() if line.startswith(("ATOM", "HETATM"))]
    if not charged(settings.path):
        raise ValueError(f"{settings.receptor}: {NO_CHARGES}")
    (folder / "receptor.pdbqt").write_text("\n".join(lines) + "\n")
    receptor_types = sorted({line[77:80].strip() for line in lines})
    # An even number of steps: the grid has a point in the middle.
    steps = [2 * round(edge / spacing / 2) for edge in settings.size]
    text = [
        f"npts {' '.join(map(str, steps))}", "gridfld receptor.maps.fld", f"spacing {spacing}",
        f"receptor_types {' '.join(receptor_types)}", f"ligand_types {' '.join(ligand_types)}", "receptor receptor.pdbqt",
        f"gridcenter {' '.join(f'{at:.3f}' for at in settings.center)}", "smooth 0.5",
        *(f"map receptor.{kind}.map" for kind in ligand_types), "elecmap receptor.e.map", "dsolvmap receptor.d.map",
        "dielectric -0.1465",
    ]  # fmt: skip
    (folder / "grid.gpf").write_text("\n".join(text) + "\n")
    done = command.run([found(AutoDockGpu.grid_binaries), "-p", "grid.gpf", "-l", "grid.glg"], folder)
    if done.code != 0 or not (folder / "receptor.maps.fld").exists():
        raise RuntimeError(f"autogrid4: {done.last_line}")


@dataclass(frozen=True)
class DockingEngine:
    """What a request can name: a title for people, the engine class, and the programs that it needs."""

    title: str
    engine: type
    needs: tuple[tuple[str, ...], ...] = ()
    reads_charges: bool = False

    @property
    def release(self) -> str:
        """What is run, for the record: a package's version, or the checksum of a program, as few tell their version alike."""
        if not self.needs:
            return f"vina {version('vina')}"
        names = [found(names) for names in self.needs]
        return "; ".join(
            f"{Path(name).name} {hashlib.sha256(Path(name).read_bytes()).hexdigest()[:16]}" for name in names
        )

    @property
    def state(self) -> str:
        """Empty where it can run; else what is missing, by the names that were looked for."""
        missing = [names for names in self.needs if not any(map(shutil.which, names))]
        return "; ".join(f"needs binary: no {' or '.join(names)} on PATH" for names in missing)


ENGINES: Mapping[str, DockingEngine] = {
    "vina": DockingEngine("AutoDock Vina (Python package)", Dock),
    "vina-cli": DockingEngine("AutoDock Vina (program)", VinaCli, (VinaCli.binaries,)),
    "gnina": DockingEngine("gnina", Gnina, (Gnina.binaries,)),
    "unidock": DockingEngine("Uni-Dock", UniDock, (UniDock.binaries,)),
    "autodock-gpu": DockingEngine(
        "AutoDock-GPU", AutoDockGpu, (AutoDockGpu.binaries, AutoDockGpu.grid_binaries), reads_charges=True
    ),
}  # fmt: skip


def found(binaries: Sequence[str]) -> str:
    """The first of these programs that is on PATH; raises FileNotFoundError that names them."""
    path = next(filter(None, map(shutil.which, binaries)), None)
    if path is None:
        raise FileNotFoundError(f"needs binary: no {' or '.join(binaries)} on PATH")
    return path
