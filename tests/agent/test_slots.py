import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.slots.chemistry import ELEMENTS
from agent.slots.extract import extract
from agent.slots.model import Property, Slots
from agent.spelling import correct
from agent.text import normalise


def slots(text):
    found = extract(correct(normalise(text))).slots
    return {slot: value.model_dump() if hasattr(value, "model_dump") else value for slot, value in found.items()}


def limit(text):
    (found,) = slots(text)["properties"]
    return found.name, found.op, found.value, found.unit


@pytest.mark.parametrize(
    ("text", "slot", "value"),
    [
        ("dock 1milion coumpounds", "n_candidates", 1_000_000),
        ("筛选二十万个成分", "n_candidates", 200_000),
        ("２０万个分子", "n_candidates", 200_000),
        ("screen 50K compounds", "n_candidates", 50_000),
        ("top 500", "top_k", 500),
        ("前200名", "top_k", 200),
        ("three replicas each", "replicas", 3),
        ("in triplicate", "replicas", 3),
        ("51 members", "members", 51),
        ("五十個成員", "members", 50),
        ("最近一百炮", "shots", 100),
        ("300 whole genomes", "samples", 300),
        ("十万个细胞", "n_cells", 100_000),
        ("within 6 hours", "deadline_h", 6),
        ("两天内", "deadline_h", 48),
        ("两天内完成", "deadline_h", 48),
        ("一天之内", "deadline_h", 24),
        ("半天内", "deadline_h", 12),
        ("by tomorrow morning", "deadline_text", "tomorrow morning"),
        ("next 3 days", "lead_days", 3),
        ("未来五天的預報", "lead_days", 5),
        ("two-week forecast", "lead_days", 14),
        ("未来72小时预报", "lead_days", 3),
        ("next month", "lead_months", 1),
        ("未来三个月", "lead_months", 3),
        ("200 card-hours", "budget", {"value": 200, "unit": "card_h"}),
        ("200卡时", "budget", {"value": 200, "unit": "card_h"}),
        ("64 H100", "chips", {"kind": "H100", "count": 64}),
        ("一千张DCU卡", "chips", {"kind": "DCU", "count": 1000}),
        ("两个超节点", "supernodes", 2),
        ("32G显存", "memory_GB", 32),
        ("under 10B parameters", "max_params", 1e10),
        ("参数量小于70亿", "max_params", 7e9),
        ("双精度", "precision", "fp64"),
        ("先别跑", "dry_run", True),
        ("don't run anything yet", "dry_run", True),
        ("0.25 degree", "resolution", {"value": 0.25, "unit": "deg"}),
        ("降尺度到5公里", "resolution", {"value": 5, "unit": "km"}),
        ("30-35N, 110-118E", "region_bbox", (30, 35, 110, 118)),
        ("20-80N, 90W-40E", "region_bbox", (20, 80, -90, 40)),
        ("北纬30到35度东经110到118度", "region_bbox", (30, 35, 110, 118)),
        ("over the Yangtze delta", "region", "Yangtze River Delta"),
        ("青藏高原的降水", "region", "Tibetan Plateau"),
        ("summer 2020", "period", {"start": "2020-06-01", "end": "2020-08-31"}),
        ("2000到2020年", "period", {"start": "2000", "end": "2020"}),
        ("since 1980", "period", {"start": "1980", "end": None}),
        ("1961年以来", "period", {"start": "1961", "end": None}),
        ("July 2021", "period", {"start": "2021-07-01", "end": "2021-07-31"}),
        ("2020年2月", "period", {"start": "2020-02-01", "end": "2020-02-29"}),
        ("from 2024-06-01 00Z", "start", "2024-06-01T00:00Z"),
        ("2024年6月1日12时", "start", "2024-06-01T12:00Z"),
        ("SSP2-4.5", "scenario", "SSP2-4.5"),
        ("2.5兆安", "plasma_current_MA", 2.5),
        ("B=5.3 T", "B_T", 5.3),
        ("5% false alarm rate", "false_alarm_rate", 0.05),
        ("误报率3%", "false_alarm_rate", 0.03),
        ("提前30毫秒报警", "warning_ms", 30),
        ("200兆瓦光伏", "capacity_MW", 200),
        ("15分钟间隔", "output_interval_min", 15),
        ("逐小时输出", "output_interval_h", 1),
        ("300, 600 and 900 K", "temperature_K", (300, 600, 900)),
        ("600K到1000K", "temperature_K", (600, 1000)),
        ("500 ps", "sim_time_ns", 0.5),
        ("2 微秒", "sim_time_ns", 2000),
        ("Li-P-S-Cl system", "elements", ["Li", "P", "S", "Cl"]),
        ("锂镧锆氧体系", "elements", ["Li", "La", "Zr", "O"]),
        ("containing Ni, Mn and Co", "elements", ["Ni", "Mn", "Co"]),
        ("Al-containing nitrides", "elements", ["Al"]),
        ("含Mg和Si的新结构", "elements", ["Mg", "Si"]),
        ("lead-free perovskites", "excluded_elements", ["Pb"]),
        ("no lead or cadmium", "excluded_elements", ["Pb", "Cd"]),
        ("不含铅和镉", "excluded_elements", ["Pb", "Cd"]),
        ("phonons of GaN and SrTiO3", "formulas", ["GaN", "SrTiO3"]),
        ("LiNi0.8Mn0.1Co0.1O2", "formulas", ["LiNi0.8Mn0.1Co0.1O2"]),
        ("on Pt(111)", "surface", "Pt(111)"),
        ("CC(=O)Oc1ccccc1C(=O)O的毒性", "smiles", ["CC(=O)Oc1ccccc1C(=O)O"]),
        ("奥希替尼和布洛芬", "molecules", ["osimertinib", "ibuprofen"]),
        ("rilpivirine and Osimertinib", "molecules", ["rilpivirine", "osimertinib"]),
        ("布洛分", "molecules", ["ibuprofen"]),
        ("ACE2的结合", "targets", ["ACE2"]),
        ("COVID main protease", "targets", ["SARS-CoV-2 main protease"]),
        ("XBB.1.5和JN.1", "variants", ["XBB.1.5", "JN.1"]),
        ("野生型、E166V", "variants", ["wild type", "E166V"]),
        ("TP53 p.Arg175His", "variants", ["p.Arg175His"]),
        ("BRCA1 c.5096G>A", "genes", ["BRCA1"]),
        ("GENE9 c.100del", "genes", ["GENE9"]),
        ("PDB 6LU7", "pdb_ids", ["6LU7"]),
        ("our 50k oxime library", "library", "user oxime library"),
        ("盘古气象大模型", "models", ["Pangu-Weather"]),
        ("MACE-MP-0", "models", ["MACE-MP-0"]),
        ("hg38", "genome", "GRCh38"),
        ("8 kb windows", "window_bp", 8000),
        ("run 3fa9c1", "run_id", "3fa9c1"),
    ],
)
def test_one_slot(text, slot, value):
    found = slots(text).get(slot)
    assert (list(found) if isinstance(value, list) else found) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("band gap between 1.2 and 1.6 eV", ("band_gap", "between", (1.2, 1.6), "eV")),
        ("带隙在1.1到1.5电子伏之间", ("band_gap", "between", (1.1, 1.5), "eV")),
        ("gap 1.5±0.2 eV", ("band_gap", "between", (1.3, 1.7), "eV")),
        ("lower molecular weight than 250", ("molecular_weight", "<", 250, None)),
        ("1.2-1.6 eV band gap", ("band_gap", "between", (1.2, 1.6), "eV")),
        ("Ehull < 0.05 eV/atom", ("energy_above_hull", "<", 0.05, "eV/atom")),
        ("energy above hull below 50 meV/atom", ("energy_above_hull", "<", 50, "meV/atom")),
        ("凸包以上能量小于30 meV/atom", ("energy_above_hull", "<", 30, "meV/atom")),
        ("体模量大于180吉帕", ("bulk_modulus", ">", 180, "GPa")),
        ("硬度不低于5千帕", ("hardness", ">", 5, None)),
        ("docking score better than -9 kcal/mol", ("docking_score", "<", -9, "kcal/mol")),
        ("日降水量超过50毫米的天数", ("precipitation", ">", 50, "mm/day")),
        ("tmax above 35 C", ("tmax", ">", 35, "degC")),
        ("affinity better than -8 kcal/mol", ("docking_score", "<", -8, "kcal/mol")),
        ("better solubility", ("solubility", "maximize", None, None)),
        ("水溶性越高越好", ("solubility", "maximize", None, None)),
        ("lower hERG", ("hERG", "minimize", None, None)),
        ("居里温度高于600K", ("curie_temperature", ">", 600, "K")),
    ],
)
def test_one_property(text, expected):
    assert limit(text) == expected


@pytest.mark.parametrize(
    "text", ["PC9 cells", "H5N1", "covid", "the top of the list", "NaN", "A100 and H100", "CO2 emissions"]
)
def test_codes_are_no_formulas(text):
    assert "formulas" not in slots(text)


@pytest.mark.parametrize(
    "text", ["notes.csv", "Pt(111)", "SARS-CoV-2", "GraphCast", "XBB.1.5", "protein-ligand", "LiFePO4"]
)
def test_names_are_no_smiles(text):
    assert "smiles" not in slots(text)


@settings(deadline=None)  # a rule is compiled when it is first used
@given(
    st.lists(st.sampled_from([one for one in ELEMENTS if one not in ("H", "He")]), min_size=3, max_size=6, unique=True)
)
def test_any_system_of_elements_is_read_back(symbols):
    assert list(slots(f"screen the {'-'.join(symbols)} system")["elements"]) == symbols


@settings(deadline=None)  # a rule is compiled when it is first used
@given(st.text(max_size=80))
def test_no_text_breaks_the_rules(text):
    extract(correct(normalise(text)))


@settings(deadline=None)  # a rule is compiled when it is first used
@given(st.text(alphabet="化合物对接筛选预测 0123456789.,eEKkM^x万亿千百十半个 abcLiCO()=[]→", max_size=60))
def test_no_mixed_text_breaks_the_rules(text):
    extract(correct(normalise(text)))


def test_harm_is_no_objective():
    for name in ("toxicity", "hepatotoxicity", "hERG", "mutagenicity"):
        with pytest.raises(ValidationError, match="objective"):
            Property(name=name, op="maximize", value=None, unit=None)
        assert Property(name=name, op="minimize", value=None, unit=None).op == "minimize"
    assert limit("improve the hERG") == ("hERG", "report", None, None)


def test_unknown_slots_are_refused():
    with pytest.raises(ValidationError):
        Slots(shell="rm")  # type: ignore[call-arg]
