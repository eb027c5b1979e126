"""Property window and structural alerts: the window filters, an alert flags unless the request excludes it."""

from functools import cache

import pyarrow as pa
from rdkit import Chem, rdBase
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from domains.drug.outcomes import Outcome
from domains.drug.request import Alert, PropertyWindow
from domains.model import Frozen

PROPERTIES = ("molecular_weight", "logp", "tpsa", "hbd", "hba", "rotatable_bonds")
OUTPUT = pa.schema([*((name, pa.float64()) for name in PROPERTIES), ("alerts", pa.list_(pa.string()))])
SCHEMA = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
CATALOGUES: tuple[Alert, ...] = ("PAINS", "BRENK", "NIH")


class FilterSettings(Frozen):
    """What filters a molecule."""

    window: PropertyWindow = PropertyWindow()
    exclude_alerts: tuple[Alert, ...] = ()


@cache
def _catalogue(name: Alert) -> FilterCatalog:
    params = FilterCatalogParams()
    params.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog(params)


def properties(mol: Chem.Mol) -> dict[str, float]:
    """Molecular weight (g/mol), Crippen logP, TPSA (Å²), donors, acceptors and rotatable bonds."""
    return {
        "molecular_weight": Descriptors.MolWt(mol),
        "logp": Crippen.MolLogP(mol),
        "tpsa": rdMolDescriptors.CalcTPSA(mol),
        "hbd": float(rdMolDescriptors.CalcNumHBD(mol)),
        "hba": float(rdMolDescriptors.CalcNumHBA(mol)),
        "rotatable_bonds": float(rdMolDescriptors.CalcNumRotatableBonds(mol)),
    }


def alerts(mol: Chem.Mol) -> list[str]:
    """Structural alerts as ``CATALOGUE: name of the first match``."""
    found = ((name, _catalogue(name).GetFirstMatch(mol)) for name in CATALOGUES)
    return [f"{name}: {match.GetDescription()}" for name, match in found if match is not None]


def drug_like(batch: pa.Table, settings: FilterSettings) -> pa.Table:
    """Compute properties and alerts of each molecule and filter by the settings. In: id, smiles."""
    with rdBase.BlockLogs():
        rows = [_row(*row, settings) for row in zip(batch["id"].to_pylist(), batch["smiles"].to_pylist(), strict=True)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(number: int, smiles: str, settings: FilterSettings) -> dict[str, object]:
    mol = Chem.MolFromSmiles(smiles)
    values = properties(mol)
    reason = next(
        (
            f"{field} {values[field]:.4g} is outside {low:g} to {high:g}"
            for field, (low, high) in settings.window
            if not low <= values[field] <= high
        ),
        None,
    )
    # Alerts cost more than everything else here, so only a molecule inside the window is searched for them.
    found = alerts(mol) if reason is None else None
    if reason is None:
        reason = next(
            (f"excluded alert {alert}" for alert in found or () if alert.split(":")[0] in settings.exclude_alerts), None
        )
    return {
        "id": number,
        **values,
        "alerts": found,
        "outcome": Outcome.ok if reason is None else Outcome.filtered,
        "reason": reason,
    }
