"""The answer of a screen: ranked hits with poses, as a table, an SDF and pictures."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point3D

from domains.drug.filters import PROPERTIES

RANKED = pa.schema([("id", pa.int64()), ("name", pa.string()), ("score", pa.float64()), ("heavy_atoms", pa.int32())])
HIT_COLUMNS = ("rank", "id", "name", "smiles", "score", "ligand_efficiency", "heavy_atoms", *PROPERTIES, "alerts")


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
    """Put a hit's score, pose, properties and structure together; ligand efficiency is -score per heavy atom."""
    return [
        {
            **molecules[hit["id"]],
            **ligands[hit["id"]],
            **hit,
            "rank": number,
            "ligand_efficiency": -hit["score"] / ligands[hit["id"]]["heavy_atoms"],
        }
        for number, hit in enumerate(ranked, 1)
    ]


def posed(hit: Mapping[str, Any]) -> Chem.Mol:
    """The molecule without hydrogens, at the coordinates (Å) of its docked pose, with bond orders as prepared."""
    mol = Chem.Mol(hit["mol"])
    conformer = mol.GetConformer()
    pose = hit["pose"]
    for at, index in enumerate(hit["atom_map"]):
        if index >= 0:
            conformer.SetAtomPosition(index, Point3D(*pose[3 * at : 3 * at + 3]))
    return Chem.RemoveHs(mol)


def as_sdf(hits: Sequence[Mapping[str, Any]]) -> str:
    """Poses of all hits as an SDF with rank, score (kcal/mol), SMILES and flags as properties."""
    text = io.StringIO()
    with Chem.SDWriter(text) as writer:
        writer.SetKekulize(True)
        for hit in hits:
            mol = posed(hit)
            mol.SetProp("_Name", hit["name"] or f"row {hit['id']}")
            for name in ("rank", "id", "score", "ligand_efficiency", "smiles"):
                mol.SetProp(name, f"{hit[name]:.3f}" if isinstance(hit[name], float) else str(hit[name]))
            mol.SetProp("alerts", "; ".join(hit["alerts"]))
            writer.write(mol)
    return text.getvalue()


def as_csv(hits: Sequence[Mapping[str, Any]]) -> bytes:
    """The hits' table."""
    rows = [{name: "; ".join(hit[name]) if name == "alerts" else hit[name] for name in HIT_COLUMNS} for hit in hits]
    types = {
        "rank": pa.int64(),
        "id": pa.int64(),
        "heavy_atoms": pa.int64(),
        "name": pa.string(),
        "smiles": pa.string(),
        "alerts": pa.string(),
    }
    table = pa.Table.from_pylist(
        rows, schema=pa.schema([(name, types.get(name, pa.float64())) for name in HIT_COLUMNS])
    )
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(table, sink)
    return bytes(sink.getvalue())


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
