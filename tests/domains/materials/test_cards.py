"""What pages say: in both languages, escaped, and nothing claimed that was not computed."""

import re
import xml.etree.ElementTree as ET

import pytest
from jinja2 import UndefinedError

from domains.materials import cards

CARD = {
    "rank": 1,
    "formula": "Li2FeO3",
    "prototype": "rock salt",
    "space_group": "P6_3/mmc",
    "space_group_number": 194,
    "atoms": 12,
    "volume": 11.25,
    "energies": [
        {"how": "evaluated", "potential": "CHGNet 0.3.0", "convention": "MP2020", "formation": -1.234, "e_hull": 0.031},
        {"how": "relaxed", "potential": "CHGNet 0.3.0", "convention": "MP2020", "formation": -1.256, "e_hull": 0.0124},
        {"how": "reranked", "potential": "SevenNet l3i5", "convention": "PBE(+U)", "formation": -1.3, "e_hull": None},
    ],
    "e_hull": 0.0124,
    "reference": ("Materials Project", "材料计划"),
    "reasons": [("on the hull", "在凸包上")],
    "doubts": [("soft", "偏软")],
    "picture": "<svg></svg>",
    "file": "a.cif",
}
CANDIDATE = {
    **{
        key: CARD[key]
        for key in ("rank", "formula", "space_group", "space_group_number", "picture", "file", "e_hull", "reference")
    },
    **{
        "predicted": 31.2,
        "predicted_error": 8.0,
        "potential": "SevenNet l3i5",
        "lowest": -0.84,
        "stable": False,
        "debye": None,
    },
    **{"mean_frequency": 500.0, "coupled": None, "inputs": "epc/1", "reasons": [], "doubts": [], "dos": ""},
}
COUPLED = {
    "code": "Quantum ESPRESSO 6.7", "strength": 0.42, "strength_range": (0.38, 0.46), "omega_log": 330.0, "tc": (0.4, 2.8),
    "mu_star": (0.1, 0.13),
}  # fmt: skip
END = {
    "formula": "LiFePO4",
    "space_group": "Pnma",
    "volume": 72.8,
    "e_hull": None,
    "reference": ("MP", "MP"),
    "picture": "",
    "file": "x",
}
BARRIER = {
    "forward": 0.19,
    "backward": 0.18,
    "distance": 3.0,
    "images": 5,
    "atoms": 55,
    "converged": False,
    "figure": "<svg/>",
}
CATHODE = {
    "host": "LiFePO4",
    "ion": "Li",
    "potential": "CHGNet 0.3.0",
    "convention": "MP2020",
    "steps": [
        {"start": "LiFePO4", "end": "Li0.5FePO4", "capacities": (0.0, 85.0), "volts": 3.41, "volume_change": -2.4}
    ],
    "mean_volts": 3.42,
    "measured_volts": 3.45,
    "measured_source": "Padhi et al.",
    "capacity": 169.9,
    "energy_density": 581.0,
    "volume_change": -5.0,
    "curve": "<svg/>",
    "ends": [END],
    "barrier": BARRIER,
    "no_barrier": ("", ""),
    "doubts": [],
}


def read(html):
    """The words of a language, and the check that all tags close."""
    html = str(html)
    for tag, text in (("&nbsp;", " "), ("<br>", " "), ("</td>", " |</td>")):
        html = html.replace(tag, text)
    tree = ET.fromstring(f"<div>{html}</div>")
    shown = {}
    for lang, other in (("en", "zh"), ("zh", "en")):
        parts = []

        def collect(node, other=other, parts=parts):
            if node.get("lang") != other:
                parts.append(node.text or "")
                for child in node:
                    collect(child)
                    parts.append(child.tail or "")

        collect(tree)
        shown[lang] = re.sub(r"\s+", " ", "".join(parts))
    return shown


def test_a_card_says_how_each_energy_came_about():
    html = cards.cards([CARD])
    said = read(html)
    assert "evaluated at three volumes (surrogate), nothing relaxed CHGNet 0.3.0, MP2020 |-1.234 |+31 |" in said["en"]
    assert "relaxed CHGNet 0.3.0, MP2020 |-1.256 |+12 |" in said["en"]
    assert "re-ranked by the second potential SevenNet l3i5, PBE(+U) |-1.300 |– |" in said["en"]
    assert "三个体积下评估（代理），未弛豫" in said["zh"]
    assert "nothing relaxed" not in said["zh"]
    assert "材料计划" in said["zh"]
    for words in ("Li<sub>2</sub>FeO<sub>3</sub>", "P6<sub>3</sub>/mmc (194)", "+12&nbsp;meV", "<svg></svg>"):
        assert words in html


def test_signs_are_those_of_the_rounded_number():
    assert "+0&nbsp;meV" in cards.cards([{**CARD, "e_hull": -0.0002}])
    assert "-4&nbsp;meV" in cards.cards([{**CARD, "e_hull": -0.0041}])
    assert "not computed" in cards.cards([{**CARD, "e_hull": None}])


def test_text_is_escaped_and_a_missing_key_is_an_error():
    html = cards.cards([{**CARD, "formula": "<b>1</b>", "prototype": "<script>", "space_group": "<i>"}])
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    with pytest.raises(UndefinedError, match="volume"):
        cards.cards([{key: value for key, value in CARD.items() if key != "volume"}])
    assert "No candidate reached the list." in read(cards.cards([]))["en"]


def test_space_groups_are_printed_as_in_the_tables():
    assert cards.space_group_html("Fd-3m") == 'Fd<span style="text-decoration:overline">3</span>m'
    assert cards.space_group_html("P2_1/c") == "P2<sub>1</sub>/c"
    assert cards.formula_html("Li0.5CoO2") == "Li<sub>0.5</sub>CoO<sub>2</sub>"


def test_a_cathode_says_what_its_numbers_are():
    voltage, ends, barrier = (read(html) for *_, html in cards.cathode(CATHODE))
    for words in ("3.42 V", "3.45 V", "170 mAh/g", "581 Wh/kg", "-5.0 %", "LiFePO4 → Li0.5FePO4", "Padhi"):
        assert words in voltage["en"]
        assert words in voltage["zh"]
    assert "not computed" in ends["en"]
    assert "did not converge" in barrier["en"]
    assert "势垒不确定" in barrier["zh"]


def test_what_a_cathode_lacks_is_said():
    lacking = {**CATHODE, "measured_volts": None, "barrier": None, "no_barrier": ("no path was found", "未找到路径")}
    voltage, _, barrier = (read(html) for *_, html in cards.cathode(lacking))
    assert "no measurement known here" in voltage["en"]
    assert "Padhi" not in voltage["en"]
    assert "No barrier: no path was found" in barrier["en"]
    assert "未找到路径" in barrier["zh"]


def test_only_computed_coupling_gives_a_tc():
    proxy = read(cards.superconductors([CANDIDATE], None)[0][2])["en"]
    assert "no Tc yet" in proxy
    assert "0.84i THz, unstable" in proxy
    assert "the inputs are written: epc/1" in proxy
    assert not re.search(r"Tc \d", proxy)
    real = read(cards.superconductors([{**CANDIDATE, "coupled": COUPLED}], None)[0][2])["en"]
    assert "Tc 0.4–2.8 K" in real
    assert "0.42 (0.38–0.46)" in real
    assert "no Tc yet" not in real


def test_the_surrogate_is_quoted_by_its_honest_split():
    quality = {"compositions": 16414, "systems": 3200, "r2": 0.68, "mae": 7.7, "r2_random": 0.79}
    said = read(cards.superconductors([], quality)[2][2])
    assert "On 16,414 measured compositions of 3,200 chemical systems" in said["en"]
    assert "R² 0.68" in said["zh"]
    assert "would look better, R² 0.79" in said["en"]
    assert "Tc was not predicted" in read(cards.superconductors([], None)[2][2])["en"]
    assert "No phonons were computed." in read(cards.superconductors([], None)[1][2])["en"]
