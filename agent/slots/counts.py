"""Numbers by the noun that follows them: a million compounds, top 500, 51 members, 三次重复."""

from typing import Any

from agent.slots.numbers import NUMBER, number, whole
from agent.slots.sentence import Sentence

WORDS = r"(?:(?!(?:against|of|to|for|with|in|and|on|from|at|or|by|top|is|are|into|near)\b)[A-Za-z□][\w\-□]*\s+){0,4}?"
HAN = r"(?:个|种|条|款|类|份|只|张|套|级别?的?)?\s*(?:[^,。;、.\d]{0,16}?)"
NOUN = (
    r"(?:candidates?|compounds?|comp(?:osition|ound)?s\b|compositions?|molecules?|mols\b|ligands?|structures?|analog(?:ue)?s?|derivatives|entries|entry|crystals?|cifs?\b"
    r"|cif files|poscars?\b|files|points|materials|alloys|proteins|sequences|oxides|drugs|cpds|perovskites|frameworks|mofs|□+s?\s+(?:compounds|molecules)|library|subset|hits|peptides|designs|cells\b(?= from)|polymers|configurations|frames|poses|relaxations|dockings|calculations|simulations|runs|conformers)"
)
HAN_NOUN = r"(?:小分子|分子|候选|化合物|晶体|结构|组分|成分|类似物|衍生物|氧化物|配体|序列|工作点|点位?(?=[,。;]|$)|材料|合金|构型|样品|药物|蛋白|多肽|框架|文件|POSCAR|成份|组成|钙钛矿|先导|结合物)"
LARGE = r"(?<![A-Za-z0-9.\-])(\d+(?:\.\d+)?\s?(?:(?-i:[kM])(?![A-Za-z0-9])|million\b|thousand\b)|10\s?\^\s?\d|\de[3-9](?![0-9]))"  # with no noun
COUNT = rf"(?:(?<![A-Za-z0-9.])\d+(?:\.\d+)?\s?(?-i:[Km])(?![A-Za-z0-9])|{NUMBER})"


def take_counts(sentence: Sentence) -> dict[str, Any]:
    """All counts; the number of candidates comes last, as its nouns are the most common."""
    found: dict[str, Any] = {}
    for slot, patterns in PATTERNS.items():
        for pattern in patterns:
            match = sentence.take(pattern)
            if match:
                text = next(group for group in match.groups() if group)
                found[slot] = int(_count(text))
                break
    if "replicas" not in found and sentence.take(r"\b(?:in )?(?:triplicates?)\b"):
        found["replicas"] = 3
    if found.get("top_k", 2) < 2:
        del found["top_k"]
    return found | _candidates(sentence)


PATTERNS = {
    "top_k": (
        rf"\b(?:top(?:[_ ]?[kn])?|keep|best)\s*[:=]\s*(?:top\s*)?({NUMBER})",
        rf"(?:保留|取|留|输出)\s*[:=]\s*(?:前\s*)?({NUMBER})",
        rf"\b(?:shortlist|pick|retain)\s+(?:of\s+)?(?:the\s+)?(?:best\s+)?({NUMBER})(?!\s*(?:%|percent))",
        rf"(?:入围|入选|保留|留下)\s*({NUMBER})\s*(?:个|名|种|条)",
        rf"\btop[-\s]?(?:scoring\s|ranked\s)?({NUMBER})",
        rf"\b(?:best|strongest|highest[- ]scoring)\s+(?:scoring\s+)?({NUMBER})",
        rf"\b({NUMBER})\s+(?:best|top|strongest|tightest|highest[- ]scoring)\b",
        rf"(?<!提)(?<!之)(?<!目)(?<!以)前\s*({NUMBER})(?!\s*(?:年|天|个月|小时|周|次))\s*(?:名|个|位|种|条)?",
        rf"(?:最好|最优|打分最高|排名最高|得分最高)的?\s*({NUMBER})\s*(?:个|名|种|条)",
    ),
    "replicas": (
        rf"({NUMBER})\s+(?:independent\s+)?(?:replicas?|replicates?|repeats?|repetitions?)\b",
        rf"({NUMBER})\s*(?:次|个)?(?:独立)?(?:重复|副本|平行)",
        r"(?<=[,;])\s*[x×]\s?(\d{1,2})(?=\s*(?:$|[,.;]))",
        rf"重复\s*({NUMBER})\s*次",
    ),
    "members": (
        rf"({NUMBER})[-\s]?(?:ensemble\s+)?members?\b",
        rf"({NUMBER})\s*个?\s*(?:集合|集成)?\s*成员",
        rf"ensemble of\s+({NUMBER})",
        rf"(?:\b(?:ensemble\s+)?members?|(?:集合|集成)?成员数?)\s*[:=]\s*({NUMBER})",
    ),
    "shots": (
        rf"({NUMBER})\s*(?:□+\s*)?(?:plasma\s+)?(?:shots?|discharges?|pulses)\b",
        rf"({NUMBER})\s*(?:次|个)?\s*(?:炮|放电)",
    ),
    "n_cells": (
        rf"({NUMBER})\s*(?:single\s+|individual\s+)?(?:cells?|nuclei)\b(?! stack)",
        rf"({NUMBER})\s*个?\s*单?细胞",
    ),
    "samples": (
        rf"({NUMBER})\s*(?:(?:human|tumou?r|patient|whole|□)[-\s]?)*(?:whole[- ]?)?(?:genomes?|exomes?|samples?|patients|individuals|isolates)\b",
        rf"({NUMBER})\s*(?:个|份|例)\s*[^,。;\d]{{0,6}}?(?:样本|样品|病人|患者|外显子组?|基因组)",
        rf"({NUMBER})\s*例",
        rf"({NUMBER})\s*(?:个)?样本",
    ),
}


def _candidates(sentence: Sentence) -> dict[str, Any]:
    patterns = (
        rf"({COUNT})\s*(?:-\s*)?{WORDS}{NOUN}\b",
        rf"({COUNT})\s*{HAN}{HAN_NOUN}",
        rf"\b(?:n|num(?:ber)?|count|how many|size|samples?)\s*[:=]\s*({COUNT})",
        rf"(?:candidates?|compounds?|molecules?|候选数?|化合物库|数量|规模)\s*(?:of|:|=|大约|大概|约|有|为|is|are)*\s*({NUMBER})(?:\s*(?:个|种|条|级))?",
        rf"(?:最多|至多|大约|大概|约|一共|共|筛选?|挑|生成|(?<![未将近以从往后历])来|整|搞|弄)\s*(?:它|他|上)?\s*({NUMBER})\s*(?:个|种|条|级)",
        LARGE,
    )
    values = []
    for pattern in patterns:
        values = [_count(match[1]) for match in sentence.take_all(f"(?i:{pattern})")]
        if any(value >= 2 for value in values):
            break
    large = [value for value in values if value >= 2]
    return {"n_candidates": int(whole(max(large)))} if large else {}


def _count(text: str) -> float:
    """A count: here a capital K is a thousand, not a kelvin."""
    return number(text.replace(" K", "k").replace("K", "k"))
