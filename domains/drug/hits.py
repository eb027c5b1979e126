"""The answer of a screen: ranked hits with poses, as a table, an SDF and pictures."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point3D

from domains import csv_table
from domains.drug.filters import PROPERTIES

RANKED = pa.schema([("id", pa.int64()), ("name", pa.string()), ("score", pa.float64()), ("heavy_atoms", pa.int32())])
# What a hit is written with; a screen without states, ADMET or a shortlist has hits without some of the rest.
COLUMNS = {
    "rank": pa.int64(),
    "id": pa.int64(),
    "name": pa.string(),
    "smiles": pa.string(),
    "score": pa.float64(),
    "ligand_efficiency": pa.float64(),
    "heavy_atoms": pa.int64(),
    **dict.fromkeys(PROPERTIES, pa.float64()),
    "alerts": pa.string(),
}
MORE_COLUMNS = {
    "parent_id": pa.int64(),
    "parent_smiles": pa.string(),
    "state": pa.string(),
    "charge": pa.int64(),
    "spread": pa.float64(),
    "risks": pa.int64(),
    "admet_flags": pa.string(),
    "place": pa.int64(),
    "cluster": pa.int64(),
    "cluster_size": pa.int64(),
    "front": pa.int64(),
    "novelty": pa.float64(),
    "reasons": pa.string(),
    "reasons_zh": pa.string(),
}
# What the properties of an SDF record repeat of them.
SDF_COLUMNS = ("rank", "id", "score", "ligand_efficiency", "smiles", "alerts", *MORE_COLUMNS)


def gather(tables: Iterable[pa.Table], ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The rows with these ids, by id."""
    wanted = pa.array(ids, pa.int64())
    return {row["id"]: row for table in tables for row in table.filter(pc.is_in(table["id"], wanted)).to_pylist()}


def rank(docked: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """All docked rows, best score first, ties by id. In: id, score."""
    rows = pa.concat_tables([schema.empty_table(), *docked])
    return rows.sort_by([("score", "ascending"), ("id", "ascending")])


def join(
    ranked: Sequence[Mapping[str, Any]],
    molecules: Mapping[int, Mapping[str, Any]],
    ligands: Mapping[int, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Put a hit's score, pose, properties and structure together; ligand efficiency is -score per heavy atom.

    A hit that is a state has ``parent_id``: the molecule's properties are found by that, the ligand's by the hit's own id.
    """
    made: list[dict[str, Any]] = []
    for number, hit in enumerate(ranked, 1):
        molecule, ligand = molecules[hit.get("parent_id", hit["id"])], ligands[hit["id"]]
        efficiency = -hit["score"] / ligand["heavy_atoms"]
        parent = {"parent_smiles": molecule["smiles"]} if "parent_id" in hit else {}
        made.append({**molecule, **parent, **ligand, **hit, "rank": number, "ligand_efficiency": efficiency})
    return made


def placed(hit: Mapping[str, Any]) -> Chem.Mol:
    """The molecule as prepared, its docked atoms at the coordinates (Å) of the pose; hydrogens on carbon stay behind."""
    mol = Chem.Mol(hit["mol"])
    conformer = mol.GetConformer()
    pose = hit["pose"]
    for at, index in enumerate(hit["atom_map"]):
        if index >= 0:
            conformer.SetAtomPosition(index, Point3D(*pose[3 * at : 3 * at + 3]))
    return mol


def posed(hit: Mapping[str, Any]) -> Chem.Mol:
    """The docked molecule without any hydrogen, deuterium neither, with bond orders as prepared."""
    return Chem.RemoveAllHs(placed(hit))


def title(hit: Mapping[str, Any]) -> str:
    """A hit's name, or the row of the library it came from."""
    return hit["name"] or f"row {hit.get('parent_id', hit['id'])}"


def _columns(hits: Sequence[Mapping[str, Any]]) -> dict[str, pa.DataType]:
    """The columns of a table of these hits: all of COLUMNS, and of the others those that one of them has."""
    return COLUMNS | {name: kind for name, kind in MORE_COLUMNS.items() if any(name in hit for hit in hits)}


def as_sdf(hits: Sequence[Mapping[str, Any]]) -> str:
    """Poses of all hits as an SDF with rank, score (kcal/mol), SMILES, flags and reasons as properties."""
    text = io.StringIO()
    with Chem.SDWriter(text) as writer:
        writer.SetKekulize(True)
        for hit in hits:
            mol = posed(hit)
            mol.SetProp("_Name", title(hit))
            for name in SDF_COLUMNS:
                value = csv_table.written(hit.get(name))
                if value is not None:
                    mol.SetProp(name, f"{value:.3f}" if isinstance(value, float) else str(value))
            writer.write(mol)
    return text.getvalue()


def as_csv(hits: Sequence[Mapping[str, Any]]) -> bytes:
    """The hits' table."""
    return csv_table.as_csv(hits, _columns(hits))


def picture(smiles: str, width: int = 250, height: int = 170) -> str:
    """A 2D drawing as SVG without an XML header, to stand inside a page."""
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options = drawer.drawOptions()
    options.clearBackground = False
    options.bondLineWidth = 1.4
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, Chem.MolFromSmiles(smiles))
    drawer.FinishDrawing()
    text: str = drawer.GetDrawingText()
    return text[text.index("<svg") :].replace("fill:none;fill-rule:evenodd;", "fill:none;")


def grid(hits: Sequence[Mapping[str, Any]], columns: int = 4) -> str:
    """2D drawings of several hits with rank and score as one SVG."""
    rows = -(-len(hits) // columns)
    drawer = rdMolDraw2D.MolDraw2DSVG(250 * columns, 210 * rows, 250, 210)
    drawer.drawOptions().legendFontSize = 16
    mols = [rdMolDraw2D.PrepareMolForDrawing(Chem.MolFromSmiles(hit["smiles"])) for hit in hits]
    drawer.DrawMolecules(mols, legends=[f"{hit['rank']}  {hit['name'][:18]}  {hit['score']:.1f}" for hit in hits])
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText())
