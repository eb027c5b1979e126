"""A 2D diagram of what a pose touches, as SVG: the ligand in the middle, residues around it near the atoms they touch."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

WIDTH, HEIGHT = 590.0, 390.0
BOND, LABEL_HEIGHT, LETTER = 24.0, 19.0, 6.7  # px: longest bond drawn, a residue's label, one of its letters
LEGEND_ROW, LEGEND_COLUMN = 17.0, 192.0
PASSES = 3
# px from an atom to where the label of a residue that touches it may stand.
AROUND = np.array(
    [
        [radius * np.cos(angle), radius * np.sin(angle)]
        for radius in range(44, 230, 14)
        for angle in np.linspace(0, 2 * np.pi, 32, endpoint=False)
    ]
)
# Colours that differ in lightness as well; dashes tell the rest apart without colour.
STYLES: dict[str, tuple[str, str, str, str]] = {
    "HBDonor": ("#1d4ed8", "5 3", "H-bond, ligand donates", "氢键（配体供体）"),
    "HBAcceptor": ("#0891b2", "5 3", "H-bond, ligand accepts", "氢键（配体受体）"),
    "Anionic": ("#dc2626", "", "salt bridge, ligand −", "盐桥（配体带负电）"),
    "Cationic": ("#db2777", "", "salt bridge, ligand +", "盐桥（配体带正电）"),
    "PiStacking": ("#15803d", "", "π stacking", "π–π 堆积"),
    "CationPi": ("#9333ea", "2 3", "cation–π, ligand +", "阳离子–π（配体带正电）"),
    "PiCation": ("#7e22ce", "8 3", "π–cation, ligand ring", "π–阳离子（配体芳环）"),
    "XBDonor": ("#b45309", "5 3", "halogen bond", "卤键"),
    "XBAcceptor": ("#92400e", "5 3", "halogen bond, ligand accepts", "卤键（配体受体）"),
    "MetalDonor": ("#4d7c0f", "", "metal in ligand", "配体金属"),
    "MetalAcceptor": ("#65a30d", "", "metal coordination", "金属配位"),
    "Hydrophobic": ("#a8a29e", "1 3", "hydrophobic", "疏水作用"),
    "Contact": ("#94a3b8", "1 5", "contact, by distance only", "接触（仅按距离）"),
}


def diagram(mol: Chem.Mol, interactions: Sequence[Mapping[str, Any]]) -> str:
    """Draw a posed molecule without hydrogens and its ``interactions`` (as in domains.drug.interactions).

    One line for each residue and kind, the shortest; a residue that is touched hydrophobically and otherwise shows the other.
    The legend is in both languages, one over the other: the page shows one of ``lang``.
    """
    shown = _strongest(interactions)
    drawing, atoms = _ligand(mol)
    anchors = [atoms[list(one["ligand_atoms"])].mean(axis=0) for one in shown]
    residues = list(dict.fromkeys(one["residue"] for one in shown))
    halfway = [(atoms[bond.GetBeginAtomIdx()] + atoms[bond.GetEndAtomIdx()]) / 2 for bond in mol.GetBonds()]
    places = _arrange(residues, [one["residue"] for one in shown], anchors, np.array([*atoms, *halfway]))
    lines = [_line(one, anchor, places[one["residue"]]) for one, anchor in zip(shown, anchors, strict=True)]
    labels = [_label(name, places[name], [one for one in shown if one["residue"] == name]) for name in residues]
    kinds = [kind for kind in STYLES if any(one["kind"] == kind for one in shown)]
    rows = -(-len(kinds) // 3)
    height = HEIGHT + rows * LEGEND_ROW + (8 if rows else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" height="{height:g}" '
        'role="img" aria-label="2D interaction diagram / 二维相互作用图" font-family="system-ui,sans-serif">'
        f'<rect width="{WIDTH:g}" height="{height:g}" rx="8" fill="#fff"/>'
        f"{''.join(lines)}{drawing}{''.join(labels)}{_legend(kinds)}</svg>"
    )


def _strongest(interactions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The shortest of each residue and kind; of weak kinds only where a residue has nothing better."""
    best: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in interactions:
        key = one["residue"], one["kind"]
        if key not in best or one["distance"] < best[key]["distance"]:
            best[key] = one
    weak = ("Hydrophobic", "Contact")
    specific = {residue for residue, kind in best if kind not in weak}
    return [one for (residue, kind), one in best.items() if kind not in weak or residue not in specific]


def _ligand(mol: Chem.Mol) -> tuple[str, np.ndarray]:
    """The ligand's drawing, and where its atoms (n, 2) are on the canvas."""
    flat = rdMolDraw2D.PrepareMolForDrawing(Chem.Mol(mol, True), addChiralHs=False)
    drawer = rdMolDraw2D.MolDraw2DSVG(int(WIDTH), int(HEIGHT))
    options = drawer.drawOptions()
    options.clearBackground, options.fixedBondLength, options.padding = False, BOND, 0.2
    options.bondLineWidth, options.fixedFontSize = 1.6, 13
    drawer.DrawMolecule(flat)
    drawer.FinishDrawing()
    text = drawer.GetDrawingText()
    body = text[text.index("<!-- END OF HEADER -->") : text.rindex("</svg>")]
    places = [drawer.GetDrawCoords(at) for at in range(mol.GetNumAtoms())]
    return f"<g>{body}</g>", np.array([[point.x, point.y] for point in places]).reshape(-1, 2)


def _arrange(
    residues: list[str], owners: list[str], anchors: list[np.ndarray], atoms: np.ndarray
) -> dict[str, np.ndarray]:
    """Where each residue's label stands: near what it touches, off the ligand and off the other labels."""
    touched = {
        name: np.array([anchor for anchor, owner in zip(anchors, owners, strict=True) if owner == name])
        for name in residues
    }
    places: dict[str, np.ndarray] = {}
    for _ in range(PASSES):  # a later pass sees where all the others stand
        for name in residues:
            half = _half(name)
            others = [(place, half + _half(other)) for other, place in places.items() if other != name]
            target = touched[name].mean(axis=0)
            choices = np.clip(target + AROUND, half + 2, np.array([WIDTH, HEIGHT]) - half - 2)
            places[name] = choices[int(np.argmin(_costs(choices, half, touched[name], atoms, others)))]
    return places


def _half(name: str) -> np.ndarray:
    """Half the width and height of a label, with a little air."""
    return np.array([LETTER * len(name) / 2 + 8, LABEL_HEIGHT / 2 + 3])


def _costs(
    places: np.ndarray,
    half: np.ndarray,
    anchors: np.ndarray,
    atoms: np.ndarray,
    others: list[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """For each place (m, 2), the length of its lines, and much more for covering the ligand or a label, or crossing them."""
    covered = (np.abs(atoms - places[:, None]) < half + 9).all(axis=-1).sum(axis=-1)
    for other, both in others:
        covered = covered + 3 * (np.abs(places - other) < both).all(axis=-1)
    total = 400.0 * covered
    for anchor in anchors:
        along = np.linspace(0.25, 0.9, 8)[:, None]
        lines = anchor + along * (places[:, None] - anchor)  # m, 8, 2
        crossed = (np.linalg.norm(lines[:, :, None] - atoms, axis=-1) < 9).sum(axis=(1, 2))
        total += np.linalg.norm(places - anchor, axis=1) + 12.0 * crossed
        for other, both in others:
            total += 60.0 * (np.abs(lines - other) < both - half).all(axis=-1).any(axis=-1)
    return np.asarray(total)


def _line(one: Mapping[str, Any], start: np.ndarray, end: np.ndarray) -> str:
    colour, dash, en, zh = STYLES[one["kind"]]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    title = f"{one['residue']} {en} / {zh}, {one['distance']:.1f} Å"
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{colour}" '
        f'stroke-width="2" stroke-linecap="round"{dashes}><title>{escape(title)}</title></line>'
    )


def _label(name: str, place: np.ndarray, ones: Sequence[Mapping[str, Any]]) -> str:
    colour = STYLES[min((one["kind"] for one in ones), key=list(STYLES).index)][0]
    width = LETTER * len(name) + 12
    x, y = place[0] - width / 2, place[1] - LABEL_HEIGHT / 2
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{LABEL_HEIGHT:g}" rx="9" fill="#fff" stroke="{colour}" '
        f'stroke-width="1.4"/><text x="{place[0]:.1f}" y="{place[1] + 4:.1f}" font-size="11.5" text-anchor="middle" '
        f'fill="#0f172a">{escape(name)}</text>'
    )


def _legend(kinds: Sequence[str]) -> str:
    parts = []
    for at, kind in enumerate(kinds):
        colour, dash, en, zh = STYLES[kind]
        x, y = 14 + (at % 3) * LEGEND_COLUMN, HEIGHT + 4 + (at // 3) * LEGEND_ROW
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        words = "".join(
            f'<text lang="{code}" x="{x + 30:g}" y="{y + 4:g}" font-size="10.5" fill="#334155">{word}</text>'
            for code, word in (("en", en), ("zh", zh))
        )
        parts.append(f'<path d="M{x:g} {y:g}h24" stroke="{colour}" stroke-width="2"{dashes}/>{words}')
    return "".join(parts)
