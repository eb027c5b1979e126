"""ADMET by ADMET-AI's pretrained models: 41 endpoints and where each stands among approved drugs. It flags, never filters.

Models: Swanson et al., Bioinformatics 2024, in the wheel of admet-ai (MIT). The reference is the package's own table of
approved drugs in DrugBank, read where the model runs; none of it is kept here. Trained on molecules as drawn, so it is
given the neutral parent and not a protonated state. Measured: 14 CPU ms a molecule after 6 CPU s to start, 0.65 GB.
"""

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from rdkit import Chem

from domains.drug.outcomes import Outcome
from domains.errors import InvalidRequest
from domains.model import Frozen

PACKAGES = ("admet-ai", "chemprop", "torch")
INSTALL = "pip install 'ai4s[admet]' (brings PyTorch; its CPU build is enough, about 1 GB)"
# Seconds a molecule on one core of 2026, and seconds to load the models.
SECONDS, LOAD_S = 0.015, 5.5

ENDPOINTS = (
    "AMES", "BBB_Martins", "Bioavailability_Ma", "CYP1A2_Veith", "CYP2C19_Veith", "CYP2C9_Substrate_CarbonMangels",
    "CYP2C9_Veith", "CYP2D6_Substrate_CarbonMangels", "CYP2D6_Veith", "CYP3A4_Substrate_CarbonMangels", "CYP3A4_Veith",
    "Caco2_Wang", "Carcinogens_Lagunin", "Clearance_Hepatocyte_AZ", "Clearance_Microsome_AZ", "ClinTox", "DILI",
    "HIA_Hou", "Half_Life_Obach", "HydrationFreeEnergy_FreeSolv", "LD50_Zhu", "Lipophilicity_AstraZeneca", "NR-AR",
    "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma", "PAMPA_NCATS", "PPBR_AZ",
    "Pgp_Broccatelli", "SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53", "Skin_Reaction", "Solubility_AqSolDB",
    "VDss_Lombardo", "hERG",
)  # fmt: skip
_EACH = pa.struct([(name, pa.float32()) for name in ENDPOINTS])
OUTPUT = pa.schema([("admet", _EACH), ("admet_percentile", _EACH)])


class Shown(NamedTuple):
    """An endpoint of the report's table: a probability where it has no unit."""

    endpoint: str
    en: str
    zh: str
    unit: str = ""
    low: float = -np.inf  # what the quantity cannot fall below; a regression model may predict it all the same
    high: float = np.inf
    quality: str = ""  # on held-out data, as the package's own table of models says


TABLE = (
    Shown("Solubility_AqSolDB", "Solubility", "水溶解度", "log mol/L", quality="R² 0.82"),
    Shown("Lipophilicity_AstraZeneca", "Lipophilicity (log D at pH 7.4)", "亲脂性（log D，pH 7.4）", "log", quality="R² 0.77"),
    Shown("Caco2_Wang", "Caco-2 permeability", "Caco-2 渗透性", "log cm/s", quality="R² 0.71"),
    Shown("HIA_Hou", "Intestinal absorption", "人体肠道吸收", quality="AUROC 0.99"),
    Shown("Pgp_Broccatelli", "P-glycoprotein inhibition", "P-糖蛋白抑制", quality="AUROC 0.95"),
    Shown("BBB_Martins", "Blood-brain barrier penetration", "血脑屏障透过", quality="AUROC 0.90"),
    Shown("PPBR_AZ", "Plasma protein binding", "血浆蛋白结合率", "%", 0, 100, "R² 0.59"),
    Shown("CYP1A2_Veith", "CYP1A2 inhibition", "CYP1A2 抑制", quality="AUROC 0.94"),
    Shown("CYP2C9_Veith", "CYP2C9 inhibition", "CYP2C9 抑制", quality="AUROC 0.91"),
    Shown("CYP2C19_Veith", "CYP2C19 inhibition", "CYP2C19 抑制", quality="AUROC 0.91"),
    Shown("CYP2D6_Veith", "CYP2D6 inhibition", "CYP2D6 抑制", quality="AUROC 0.89"),
    Shown("CYP3A4_Veith", "CYP3A4 inhibition", "CYP3A4 抑制", quality="AUROC 0.91"),
    Shown("Clearance_Hepatocyte_AZ", "Clearance, hepatocytes", "肝细胞清除率", "µL/min/10⁶ cells", 0, quality="R² 0.26"),
    Shown("Clearance_Microsome_AZ", "Clearance, microsomes", "微粒体清除率", "µL/min/mg", 0, quality="R² 0.28"),
    Shown("Half_Life_Obach", "Half-life", "半衰期", "h", 0, quality="R² -2.4: no better than a guess"),
    Shown("hERG", "hERG blocking", "hERG 阻断", quality="AUROC 0.84"),
    Shown("AMES", "Mutagenicity (Ames)", "致突变性（Ames）", quality="AUROC 0.88"),
    Shown("DILI", "Drug-induced liver injury", "药物性肝损伤", quality="AUROC 0.88"),
    Shown("ClinTox", "Clinical toxicity", "临床毒性", quality="AUROC 0.93"),
)  # fmt: skip


class Risk(NamedTuple):
    """What is flagged: a prediction beyond this limit."""

    endpoint: str
    sign: str
    limit: float
    en: str
    zh: str


# Even odds for a probability, the usual cut of a classifier; -6 log mol/L is 1 µM.
RISKS = (
    Risk("hERG", ">", 0.5, "hERG risk", "hERG 风险"),
    Risk("AMES", ">", 0.5, "mutagenicity risk", "致突变风险"),
    Risk("DILI", ">", 0.5, "liver injury risk", "肝损伤风险"),
    Risk("ClinTox", ">", 0.5, "clinical toxicity risk", "临床毒性风险"),
    Risk("CYP2D6_Veith", ">", 0.5, "CYP2D6 inhibition risk", "CYP2D6 抑制风险"),
    Risk("CYP3A4_Veith", ">", 0.5, "CYP3A4 inhibition risk", "CYP3A4 抑制风险"),
    Risk("HIA_Hou", "<", 0.5, "poor absorption risk", "吸收不良风险"),
    Risk("Solubility_AqSolDB", "<", -6.0, "poor solubility risk", "溶解度不足风险"),
)


class AdmetSettings(Frozen):
    """What decides a prediction besides the molecule: the releases, as the weights come with one."""

    admet_ai: str
    chemprop: str
    torch: str


def installed() -> AdmetSettings:
    """The releases that are here; raises InvalidRequest that says how to install what is missing."""
    missing = [name for name in PACKAGES if find_spec(name.replace("-", "_")) is None]
    if missing:
        raise InvalidRequest("admet", True, f"not installed: {', '.join(missing)}", f"admet: false, or first {INSTALL}")
    return AdmetSettings(**{name.replace("-", "_"): version(name) for name in PACKAGES})


class Admet:
    """Predicts one molecule: the mean of five models for each endpoint, and its percentile among approved drugs."""

    def __init__(self, settings: AdmetSettings) -> None:
        if installed() != settings:
            raise ValueError(f"ADMET-AI is {installed()} here and {settings} where the run began")
        # Imported here: it costs seconds and is needed in the engine's own process only.
        import torch
        from admet_ai import ADMETModel
        from chemprop.data import MoleculeDatapoint, MoleculeDataset
        from chemprop.data.collate import collate_batch
        from scipy.stats import percentileofscore

        torch.set_num_threads(1)
        self.torch, self.percentile = torch, percentileofscore
        self.point, self.dataset, self.collate = MoleculeDatapoint, MoleculeDataset, collate_batch
        model = ADMETModel(include_physchem=False, num_workers=0)
        names = sorted(name for tasks in model.task_lists for name in tasks)
        if names != sorted(ENDPOINTS):
            raise ValueError(f"admet-ai {settings.admet_ai} has other endpoints: {set(names) ^ set(ENDPOINTS)}")
        # Its own predict sets up a Lightning trainer at each call, ten times the work for one molecule. It also puts the
        # networks into inference mode and back; without that their dropout is on.
        self.ensembles = list(zip(model.task_lists, model.model_lists, strict=True))
        for network in (network for _, networks in self.ensembles for network in networks):
            network.eval()
        self.approved = {name: model.drugbank[name].to_numpy() for name in names}

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Predict ``row["smiles"]``; units are in TABLE, percentiles run from 0 to 100."""
        mol = Chem.MolFromSmiles(row["smiles"])
        if mol is None:
            return {"outcome": Outcome.bad_smiles, "reason": f"not a valid SMILES: {row['smiles'][:60]}"}
        values = self._predict(mol)
        strange = [name for name, value in values.items() if not np.isfinite(value)]
        if strange:
            return {"outcome": Outcome.engine_error, "reason": f"no finite prediction of {', '.join(strange)}"}
        percentiles = {name: float(self.percentile(self.approved[name], value)) for name, value in values.items()}
        return {"outcome": Outcome.ok, "admet": values, "admet_percentile": percentiles}

    def _predict(self, mol: Chem.Mol) -> dict[str, float]:
        batch = self.collate([self.dataset([self.point(mol=mol)])[0]])
        values: dict[str, float] = {}
        with self.torch.inference_mode():
            for tasks, networks in self.ensembles:
                each = self.torch.stack([network(batch.bmg, batch.V_d, batch.X_d) for network in networks])
                values.update(zip(tasks, each.mean(dim=0)[0].tolist(), strict=True))
        return values


def flags(values: Mapping[str, float]) -> list[tuple[str, str]]:
    """Every risk of a prediction in English and Chinese, with the value and the threshold."""
    found: list[tuple[str, str]] = []
    for risk in RISKS:
        value = values[risk.endpoint]
        if value > risk.limit if risk.sign == ">" else value < risk.limit:
            why = f"{value:.2f} {risk.sign} {risk.limit:g}"
            found.append((f"{risk.en}: {why}", f"{risk.zh}：{why}"))
    return found


def table(values: Mapping[str, float], percentiles: Mapping[str, float]) -> list[dict[str, str]]:
    """The report's table of a molecule: en, zh, value with its unit, percentile among approved drugs, model quality."""
    return [
        {
            "en": shown.en,
            "zh": shown.zh,
            "value": _value(values[shown.endpoint], shown),
            "percentile": f"{percentiles[shown.endpoint]:.0f}",
            "quality": shown.quality,
        }
        for shown in TABLE
    ]


def _value(value: float, shown: Shown) -> str:
    """A number as far as it means something: what cannot be is said as the bound it is beyond."""
    if value < shown.low:
        text = f"< {shown.low:g}"
    elif value > shown.high:
        text = f"> {shown.high:g}"
    else:
        text = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    return f"{text} {shown.unit}".strip()
