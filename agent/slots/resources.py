"""What a run may use: chips, supernodes, budget, memory, precision; whether anything may run at all."""

import re
from typing import Any

from agent.names import gazetteer
from agent.slots.model import Budget, Chips
from agent.slots.numbers import NUMBER, number, whole
from agent.slots.sentence import Sentence

CARD = r"(?:cards?|chips?|accelerators?|张|块|片|卡)"
DRY_RUN = (
    r"\b(?:do not|don't|dont|do n't) (?:actually )?(?:run|start|launch|execute|submit)\b|without (?:running|starting|launching|executing)"
    r"|\bdry[- ]run\b|\b(?:just|only) (?:an |a |the |give me an? )?(?:rough )?(?:cost )?estimate\b|\bestimate only\b|not? (?:run|start) (?:anything|it) yet|\bno need to run\b"
    r"|先?(?:别|不要|不用|不)\s*(?:真的?|实际)?\s*(?:跑|运行|执行|提交|启动)|只(?:做|要|给)?(?:一?个)?(?:估算|预估|估计)|空跑|试算而?不"
)
PRECISION = {
    "fp64": r"\bfp64\b|\bfloat64\b|\bdouble[- ]precision\b|双精度",
    "fp32": r"\bfp32\b|\bfloat32\b|\bsingle[- ]precision\b|单精度",
    "bf16": r"\bbf16\b|\bbfloat16\b",
    "fp16": r"\bfp16\b|\bhalf[- ]precision\b|半精度",
    "fp8": r"\bfp8\b",
}


def take_resources(sentence: Sentence) -> dict[str, Any]:
    """All slots of resources that a sentence has."""
    found: dict[str, Any] = {}
    if match := sentence.take(
        rf"({NUMBER})\s*个?\s*(?:(?:card|gpu|chip|dcu)[- ]?(?:hours?|hrs?|h\b)|卡时|卡·时|卡小时|机时)"
    ):
        found["budget"] = Budget(value=whole(number(match[1])), unit="card_h")
    if match := sentence.take(rf"({NUMBER})\s*(?:个|台|full|whole|entire)?\s*(?:super-?\s?nodes?|superpods?|超节点)"):
        found["supernodes"] = int(number(match[1]))
    if match := sentence.take(rf"({NUMBER})\s*(?:GB|GiB|G\b(?:\s*(?=显存|memory|内存|vram|的卡|card))|TB)"):
        found["memory_GB"] = whole(number(match[1]) * (1000 if match[0].upper().endswith("TB") else 1))
    found |= _parameters(sentence)
    found |= _chips(sentence)
    for precision, pattern in PRECISION.items():
        if sentence.take(pattern):
            found["precision"] = precision
            break
    if sentence.find(DRY_RUN):
        found["dry_run"] = True
    return found


def _parameters(sentence: Sentence) -> dict[str, Any]:
    bound = r"(?:under|below|less than|smaller than|up to|at most|no more than|fewer than|max(?:imum)?|<=?|≤|小于|低于|不超过|少于|不大于|最多)"
    patterns = (
        rf"{bound}\s*({NUMBER})\s*(?:-?\s*param\w*|参数)",
        rf"(?:参数量?|params?|parameters|parameter count)\s*(?:规模|数)?\s*(?:of|is|are)?\s*{bound}\s*({NUMBER})",
        rf"{bound}\s*(\d+(?:\.\d+)?\s?[bB])(?![A-Za-z])",
        rf"({NUMBER})\s*(?:参数|params?|parameters)?\s*(?:or smaller|or less|or fewer|以下|以内)(?:\s*(?:参数|的?(?:开源)?模型|models?))",
    )
    for pattern in patterns:
        if match := sentence.take(pattern):
            return {"max_params": number(match[1].replace(" ", ""))}
    return {}


def _chips(sentence: Sentence) -> dict[str, Any]:
    mentions = gazetteer("chips").take(sentence)
    if not mentions:
        match = sentence.take(
            rf"({NUMBER})\s*(?:个|of the|free|domestic|国产|加速)?\s*{CARD}(?!\s*[时·]|-?hours?| hours?)"
        )
        return {"chips": Chips(kind=None, count=int(number(match[1])))} if match else {}
    first = next((one for one in mentions if one.name != "GPU"), mentions[0])
    before = re.search(
        rf"({NUMBER})\s*(?:x|×|\*)?\s*(?:个|of the|free|{CARD})?\s*(?:的)?\s*□*\s*$",
        sentence.rest[: first.start],
        re.IGNORECASE,
    )
    after = re.match(
        rf"\s*(?:x|×|\*|:)\s*({NUMBER})|\s*(?:卡)?\s*({NUMBER})\s*(?:张|块|片|卡)",
        sentence.rest[first.end :],
        re.IGNORECASE,
    )
    count = None
    if before:
        count = int(number(before[1]))
        sentence.blank(before.start(1), before.end(1))
    elif after:
        group = 1 if after[1] else 2
        count = int(number(after[group]))
        sentence.blank(first.end + after.start(group), first.end + after.end(group))
    return {"chips": Chips(kind=first.name, count=count)}
