"""Electron-phonon coupling by Quantum ESPRESSO: pw.x twice, ph.x, q2r.x, matdyn.x; run where they are found, else handed off.

The programs are looked for in AI4S_QE_BIN, then on PATH; pseudopotentials in ESPRESSO_PSEUDO, else where Debian keeps them
beside the programs. The chain is the interpolation on two k meshes of Wierzbowska, de Gironcoli and Giannozzi (arXiv
cond-mat/0504077): the dense mesh holds the Fermi surface, the other one the phonons.
"""

import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from domains import command
from domains.materials import dft
from domains.materials.crystal import Crystal
from domains.materials.outcomes import Outcome
from domains.materials.pseudopotentials import CUTOFF_RY, ULTRASOFT, Pseudopotentials, choose
from domains.materials.superconductivity import MU_STAR, Coupling, critical_temperature
from domains.model import Frozen

PROGRAMS = ("pw.x", "ph.x", "q2r.x", "matdyn.x")
# Seconds: aluminium takes 80 in all; a cell of ten atoms may take days, and belongs on another machine.
LIMIT_S = 3600.0
RELAX = "0-relax.pw.in"
README = f"""Run the files in the order of their numbers, each with the program in its name (pw.x, ph.x, q2r.x, matdyn.x), in one folder, the
pseudopotentials in its folder pseudo. After {RELAX} put the relaxed cell and positions into the two that follow.
The coupling is then in the file lambda.
"""
SIGMAS, SIGMA_RY = 10, 0.005  # broadenings of the Fermi surface: 0.005 to 0.050 Ry
LINE = re.compile(r"Broadening\s+(\S+)\s+lambda\s+(\S+)\s+dos\(Ef\)\s+(\S+)\s+omega_ln \[K\]\s+(\S+)")
OUTPUT = pa.schema(
    [
        ("strength", pa.float64()),  # lambda, mean over the plateau of broadenings
        ("omega_log", pa.float64()),  # K, the same
        ("tc_low", pa.float64()),  # K, over broadenings and mu*
        ("tc_high", pa.float64()),
        ("broadening_ry", pa.list_(pa.float64())),
        ("strengths", pa.list_(pa.float64())),
        ("omega_logs", pa.list_(pa.float64())),
        ("inputs", pa.map_(pa.string(), pa.string())),  # file name to text
    ]
)


class CouplingSettings(Frozen):
    """Meshes of the chain, by their spacing, so that they fit any cell; the pseudopotentials bring their cutoffs."""

    q_spacing: float = Field(0.7, gt=0, le=3, description="Phonon mesh, 1/Å with the factor 2 pi; aluminium: 4 x 4 x 4")
    k_per_q: int = Field(3, ge=1, le=12, description="k points for each q point, along each axis")
    dense: int = Field(2, ge=1, le=4, description="How much denser the mesh of the Fermi surface is")
    degauss_ry: float = Field(0.05, gt=0, le=0.2, description="Methfessel-Paxton smearing, Ry")
    mu_star: tuple[float, float] = MU_STAR


def program(name: str) -> str | None:
    """The path of one of the programs, or None."""
    return shutil.which(name, path=os.environ.get("AI4S_QE_BIN")) or shutil.which(name)


def missing() -> str:
    """Empty where the chain can run; else which programs are not here."""
    absent = [name for name in PROGRAMS if program(name) is None]
    return f"needs binary: no {', '.join(absent)} in AI4S_QE_BIN or on PATH" if absent else ""


def pseudopotential_folder() -> Path:
    """Where the pseudopotentials are."""
    if named := os.environ.get("ESPRESSO_PSEUDO"):
        return Path(named)
    found = program("pw.x")
    return (Path(found).resolve().parents[1] if found else Path("/usr")) / "share" / "espresso" / "pseudo"


def inputs(crystal: Crystal, settings: CouplingSettings, chosen: Pseudopotentials) -> dict[str, str]:
    """The input files in the order in which they run: the cell is relaxed first, as the coupling is very sensitive to it."""
    q = dft.mesh(crystal, settings.q_spacing)
    k, dense = (_times(q, settings.k_per_q), _times(q, settings.k_per_q * settings.dense))
    return {
        RELAX: _pw(crystal, settings, k, chosen, {"calculation": "vc-relax", "forc_conv_thr": 1e-4}, {}),
        "1-dense.pw.in": _pw(crystal, settings, dense, chosen, {"calculation": "scf"}, {"la2F": True}),
        "2-scf.pw.in": _pw(crystal, settings, k, chosen, {"calculation": "scf"}, {}),
        "3-phonons.ph.in": _namelist(
            "inputph",
            {
                "prefix": "x",
                "outdir": "./out",
                "fildyn": "x.dyn",
                "fildvscf": "dvscf",
                "tr2_ph": 1.0e-12,
                "trans": True,
                "ldisp": True,
                "electron_phonon": "interpolated",
                "el_ph_sigma": SIGMA_RY,
                "el_ph_nsigma": SIGMAS,
                **{f"nq{axis + 1}": count for axis, count in enumerate(q)},
            },
            title="electron-phonon coupling",
        ),
        "4-constants.q2r.in": _namelist("input", {"zasr": "simple", "fildyn": "x.dyn", "flfrc": "x.fc", "la2F": True}),
        "5-spectrum.matdyn.in": _namelist(
            "input",
            {
                "asr": "simple",
                "flfrc": "x.fc",
                "la2F": True,
                "dos": True,
                "fldos": "phonon.dos",
                "ndos": 60,
                **{f"nk{axis}": 10 for axis in (1, 2, 3)},
            },
        ),
    }


def _times(mesh: tuple[int, int, int], factor: int) -> tuple[int, int, int]:
    return mesh[0] * factor, mesh[1] * factor, mesh[2] * factor


def _pw(
    crystal: Crystal,
    settings: CouplingSettings,
    mesh: tuple[int, int, int],
    chosen: Pseudopotentials,
    control: Mapping[str, Any],
    system: Mapping[str, Any],
) -> str:
    namelists: dict[str, dict[str, Any]] = {
        "control": {**control, "prefix": "x", "outdir": "./out", "pseudo_dir": "./pseudo"},
        "system": {
            "ecutwfc": chosen.wave_ry,
            "ecutrho": chosen.density_ry,
            "occupations": "smearing",
            "smearing": "mp",
            "degauss": settings.degauss_ry,
            **system,
        },
        "electrons": {"conv_thr": 1e-9, "mixing_beta": 0.7},
        "cell": {"press_conv_thr": 0.1},
    }
    return dft.pw_input(crystal, namelists, mesh, chosen.files)


def _namelist(name: str, values: Mapping[str, Any], title: str = "") -> str:
    lines = [f"  {key} = {_fortran(value)}," for key, value in values.items()]
    return "\n".join([*([title] if title else []), f"&{name}", *lines, "/", ""])


def _fortran(value: Any) -> str:
    if isinstance(value, bool):
        return ".true." if value else ".false."
    return f"'{value}'" if isinstance(value, str) else f"{value:g}".replace("e", "d")


def couplings(text: str) -> list[Coupling]:
    """What matdyn.x writes to its file ``lambda``: one coupling a broadening; NaN where it could not compute one."""
    return [
        Coupling(_number(broadening), _number(strength), _number(omega), _number(dos))
        for broadening, strength, dos, omega in LINE.findall(text)
    ]


def _number(text: str) -> float:
    return float("nan") if "*" in text else float(text)  # Fortran's stars: too large for the field


class ElectronPhonon:
    """Computes the coupling of the crystal of a row; where it cannot, the row ends ``handed_off`` with its inputs."""

    def __init__(self, settings: CouplingSettings) -> None:
        self.settings = settings

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """In: the columns of a crystal, of its primitive cell."""
        crystal = Crystal.from_row(row)
        elements = sorted(set(crystal.to_ase().get_chemical_symbols()))
        folder, problem = pseudopotential_folder(), missing()
        try:
            chosen = choose(elements, folder)
        except ValueError as error:
            problem = problem or str(error)
            # The names in the inputs are then to be replaced.
            chosen = Pseudopotentials({}, CUTOFF_RY, ULTRASOFT * CUTOFF_RY)
        texts: Mapping[str, str] = inputs(crystal, self.settings, chosen)
        if problem:
            handed = [("README.txt", README), *texts.items()]
            return {"outcome": Outcome.handed_off, "reason": problem, "inputs": handed}
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="ai4s-qe-") as work:
            (Path(work) / "pseudo").symlink_to(folder)
            problem, texts = run(Path(work), texts, lambda relaxed: inputs(relaxed, self.settings, chosen))
            result = Path(work) / "lambda"
            found = couplings(result.read_text()) if result.exists() else []
        spent = {"engine_s": time.perf_counter() - started, "inputs": list(texts.items())}
        return {**spent, **_judged(problem, found, self.settings.mu_star)}


def run(
    work: Path, texts: Mapping[str, str], again: Callable[[Crystal], Mapping[str, str]]
) -> tuple[str, Mapping[str, str]]:
    """Run the chain in a folder: what went wrong, or nothing; and its inputs, made ``again`` for the relaxed crystal."""
    ends = time.monotonic() + LIMIT_S
    for name in tuple(texts):
        (work / name).write_text(texts[name])
        binary = program(f"{name.split('.')[1]}.x")
        assert binary is not None
        done = command.run([binary, "-in", name], work, max(1.0, ends - time.monotonic()))
        if done.code != 0 or "JOB DONE" not in done.output:
            said = f"stopped after {LIMIT_S:.0f} s" if done.timed_out else complaint(done.output)
            return f"{name}: {said}", texts
        if name == RELAX:
            texts = {**again(relaxed(done.output)), RELAX: texts[RELAX]}
    return "", texts


def relaxed(output: str) -> Crystal:
    """The last crystal of a relaxation by pw.x."""
    from ase.io import read

    return Crystal.from_ase(read(io.StringIO(output), index=-1, format="espresso-out"))


def complaint(output: str) -> str:
    """The error that a program framed with percent signs, or its last line."""
    framed = re.search(r"%{20,}\n(.*?)\n\s*%{20,}", output, re.DOTALL)
    text = framed[1] if framed else (output.strip().splitlines() or ["no message"])[-1]
    return " ".join(text.split())[:200]


def _judged(problem: str, found: Sequence[Coupling], mu_star: tuple[float, float]) -> dict[str, Any]:
    if problem:
        return {"outcome": Outcome.engine_error, "reason": problem}
    listed = {
        "broadening_ry": [one.broadening_ry for one in found],
        "strengths": [one.strength for one in found],
        "omega_logs": [one.omega_log for one in found],
    }
    critical = critical_temperature(found, mu_star)
    if critical is None:
        reason = "no positive coupling over the plateau of broadenings: a mode is unstable or the meshes are too coarse"
        return {"outcome": Outcome.imaginary_modes, "reason": reason, **listed}
    return {
        "outcome": Outcome.ok,
        "strength": critical.strength,
        "omega_log": critical.omega_log,
        "tc_low": critical.lowest,
        "tc_high": critical.highest,
        **listed,
    }
