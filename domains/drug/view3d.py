"""A 3D view of docked poses in their pocket for a page that opens without a network: coordinates and a canvas.

``assets()`` stands once in a page, however many views it has; each ``viewer_html`` brings only its pocket's coordinates.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from domains.drug import protein
from domains.drug.diagram import STYLES
from domains.drug.pocket import DISULFIDE

POCKET = 5.0  # Å around the poses whose residues are shown
MARGIN = 3.0  # Å shown around the poses at first
# Drawn as dashes between the middles of their atoms; what is hydrophobic or only near would fill the picture.
DRAWN = [kind for kind in STYLES if kind not in ("Hydrophobic", "Contact")]
# Å: heavy atoms closer than this are drawn as bonded.
BONDED = 1.95

STYLE = """<style>
.view3d { margin:0; border:1px solid #e2e8f0; border-radius:10px; overflow:hidden; background:#fff; color:#0f172a }
.view3d canvas { display:block; width:100%; height:340px; touch-action:none; cursor:grab } .view3d canvas:active { cursor:grabbing }
.view3d .bar { display:flex; flex-wrap:wrap; gap:6px; padding:7px 9px; border-top:1px solid #e2e8f0; font-size:12.5px; align-items:center; height:auto }
.view3d button { font:inherit; border:1px solid #cbd5e1; border-radius:6px; background:transparent; color:inherit; padding:2px 9px; cursor:pointer }
.view3d button[aria-pressed=true] { background:#0f766e; border-color:#0f766e; color:#fff } .view3d .hint { margin-left:auto; opacity:.65 }
.view3d .keys { gap:3px 14px; border-top:0; padding-top:0 } .view3d .keys i { display:inline-block; width:22px; border-top:2px dashed; vertical-align:middle }
.view3d[data-theme=dark] { background:#0f172a; color:#e2e8f0; border-color:#334155 } .view3d[data-theme=dark] .bar { border-color:#334155 }
</style>"""


@cache
def assets() -> str:
    """The style and the script that all views of a page share."""
    script = Path(__file__).with_name("view3d.js").read_text(encoding="utf-8")
    return f"{STYLE}\n<script>{script}</script>"


def viewer_html(
    receptor_block: str,
    mols: Sequence[Chem.Mol],
    names: Sequence[str],
    interactions: Sequence[Sequence[Mapping[str, Any]]] = (),
) -> str:
    """A view of one or more posed molecules (Å, in the receptor's frame) in the pocket of a receptor as PDB or PDBQT text.

    A button for each pose carries its name; ``interactions`` (as in domains.drug.interactions) of each pose are dashed.
    Raises ValueError when there is no pose, or names or interactions do not match the poses.
    """
    if not mols or len(names) != len(mols) or (interactions and len(interactions) != len(mols)):
        raise ValueError(f"{len(mols)} poses with {len(names)} names and {len(interactions)} lists of interactions")
    residues = protein.read(receptor_block)
    poses = [Chem.RemoveAllHs(mol) for mol in mols]
    around = np.concatenate([mol.GetConformer().GetPositions() for mol in poses])
    shown = protein.near(residues, around, POCKET)
    centre, spin, half = _frame(poses[0].GetConformer().GetPositions(), around)

    def packed(xyz: np.ndarray) -> list[int]:
        """Hundredths of an Å in the view's own frame."""
        return [int(value) for value in np.rint(100 * (np.reshape(xyz, (-1, 3)) - centre) @ spin).ravel()]

    pocket = _pocket(shown)
    contacts = interactions or [()] * len(poses)
    data = {
        "radius": round(float(half.max()), 2),
        "extent": [round(float(one), 2) for one in half[:2]],
        "pocket": {"e": pocket[0], "x": packed(pocket[1]), "b": pocket[2]},
        "labels": [[residue.label, *packed(_label_at(residue))] for residue in shown],
        "poses": [
            {**_sticks(mol, packed), "h": _dashed(mol, ones, residues, packed), "n": _around(mol, shown)}
            for mol, ones in zip(poses, contacts, strict=True)
        ],
    }
    seen = {one["kind"] for ones in contacts for one in ones}
    return _figure(data, names, [kind for kind in DRAWN if kind in seen])


def _figure(data: Mapping[str, Any], names: Sequence[str], kinds: Sequence[str]) -> str:
    # "<" would let a name end the script element.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    buttons = "".join(
        f'<button type="button" data-pose="{at}" aria-pressed="{str(at == 0).lower()}">{escape(name)}</button>'
        for at, name in enumerate(names)
    )
    return (
        f'<figure class="view3d"><script type="application/json">{text}</script>'
        '<canvas tabindex="0" role="img" aria-label="3D view of the docked pose / 对接构象三维视图"></canvas>'
        f'<div class="bar">{buttons}'
        '<button type="button" data-labels aria-pressed="true"><span lang="en">Residues</span><span lang="zh">残基</span></button>'
        '<button type="button" data-night aria-pressed="false"><span lang="en">Dark</span><span lang="zh">深色</span></button>'
        '<span class="hint"><span lang="en">drag: turn · wheel or pinch: zoom · double click: reset</span>'
        '<span lang="zh">拖动旋转 · 滚轮或双指缩放 · 双击复位</span></span></div>'
        f"{_keys(kinds)}</figure>"
    )


def _keys(kinds: Sequence[str]) -> str:
    """What the dashes mean."""
    keys = "".join(
        f'<span><i style="border-color:{STYLES[kind][0]}"></i> <span lang="en">{STYLES[kind][2]}</span>'
        f'<span lang="zh">{STYLES[kind][3]}</span></span>'
        for kind in kinds
    )
    return f'<div class="bar keys">{keys}</div>' if keys else ""


def _frame(xyz: np.ndarray, around: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation (3, 3) that lays a ligand's long axes into the screen, never a mirror image; centre and half edges of it all."""
    axes = np.linalg.svd(xyz - xyz.mean(axis=0), full_matrices=True)[2]
    axes[2] *= np.sign(np.linalg.det(axes)) or 1.0
    low, high = (around @ axes.T).min(axis=0), (around @ axes.T).max(axis=0)
    return (low + high) / 2 @ axes, axes.T, (high - low) / 2 + MARGIN


def _around(mol: Chem.Mol, shown: Sequence[protein.Residue]) -> list[int]:
    """The residues around one pose, by their place: only those are labelled with it."""
    near = {id(residue) for residue in protein.near(shown, mol.GetConformer().GetPositions(), POCKET)}
    return [at for at, residue in enumerate(shown) if id(residue) in near]


def _pocket(shown: Sequence[protein.Residue]) -> tuple[list[str], np.ndarray, list[int]]:
    """Elements, coordinates (n, 3) and bonds (flat pairs) of the heavy atoms of residues."""
    if not shown:
        return [], np.empty((0, 3)), []
    elements = [element for residue in shown for element in residue.elements if element != "H"]
    xyz = np.concatenate([residue.xyz[[e != "H" for e in residue.elements]] for residue in shown])
    apart = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    sulfur = np.array([element == "S" for element in elements])
    limit = np.where(sulfur[:, None] & sulfur[None], DISULFIDE, BONDED)
    first, second = np.nonzero(np.triu(apart < limit, 1))
    return elements, xyz, [int(end) for pair in zip(first, second, strict=True) for end in pair]


def _label_at(residue: protein.Residue) -> np.ndarray:
    """Where a residue's name stands: the middle of its side chain, or of what it has."""
    side = [name for name in residue.heavy if name not in ("N", "CA", "C", "O", "OXT")] or list(residue.heavy)
    return np.asarray(residue.at(*side).mean(axis=0))


def _sticks(mol: Chem.Mol, packed: Any) -> dict[str, Any]:
    ends = [end for bond in mol.GetBonds() for end in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())]
    elements = [atom.GetSymbol() for atom in mol.GetAtoms()]
    return {"e": elements, "x": packed(mol.GetConformer().GetPositions()), "b": ends}


def _dashed(
    mol: Chem.Mol, ones: Sequence[Mapping[str, Any]], residues: Sequence[protein.Residue], packed: Any
) -> list[dict[str, Any]]:
    """A line for each interaction of DRAWN; of residues with one label, as copies without chain letters have, to the nearest."""
    ligand = mol.GetConformer().GetPositions()
    made: list[dict[str, Any]] = []
    for one in ones:
        start = ligand[list(one["ligand_atoms"])].mean(axis=0)
        ends = [
            residue.at(*one["receptor_atoms"]).mean(axis=0)
            for residue in residues
            if residue.label == one["residue"] and set(one["receptor_atoms"]) <= set(residue.names)
        ]
        if one["kind"] in DRAWN and ends:
            end = min(ends, key=lambda place: float(np.linalg.norm(place - start)))
            made.append({"x": packed(np.array([start, end])), "c": STYLES[one["kind"]][0], "r": one["residue"]})
    return made
