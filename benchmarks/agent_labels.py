"""Labelled requests and how readings are scored against them."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.read import Reading
from benchmarks.bench import ROOT, data_folders

OWN = ROOT / "tests" / "agent" / "requests.jsonl"
PARAPHRASES = ROOT / "tests" / "agent" / "paraphrases.jsonl"  # without slots
STYLES = (
    ROOT / "tests" / "agent" / "styles.jsonl"
)  # blind-1 and blind-2 were scored once before anyone looked: see docs/agent.md
SAFETY = ROOT / "tests" / "agent" / "safety.yaml"
HELD_OUT, SEED = 25, 20261122  # of each language
LANGUAGES = ("en", "zh")

Label = dict[str, Any]


@dataclass(frozen=True)
class Score:
    """Counts of what was right; slots as true positives, false positives, false negatives."""

    rows: int
    intents: int
    actions: int
    slots: tuple[int, int, int]
    wrong: tuple[str, ...]

    @property
    def intent(self) -> float:
        """The share of right intents."""
        return self.intents / self.rows

    @property
    def action(self) -> float:
        """The share of right actions."""
        return self.actions / self.rows

    @property
    def slot_f1(self) -> float:
        """Over all slots of the rows; 1 where there is none."""
        right, extra, missed = self.slots
        return 2 * right / (2 * right + extra + missed) if any(self.slots) else 1.0


def load(path: Path) -> list[Label]:
    """Labels of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def own(held_out: bool) -> list[Label]:
    """One half of the project's own requests: drawn once by the seed, the same number of each language."""
    rows = load(OWN)
    held = {
        name
        for language in LANGUAGES
        for name in random.Random(SEED).sample(sorted(row["id"] for row in rows if row["lang"] == language), HELD_OUT)
    }
    return [row for row in rows if (row["id"] in held) == held_out]


def public_rows() -> list[Label]:
    """The development rows of the public data; none where the data is not here."""
    paths = (folder / "agent" / "requests-dev.jsonl" for folder in data_folders())
    return next((load(path) for path in paths if path.exists()), [])


def safety_set() -> dict[str, Any]:
    """Requests to refuse by flag, to hold, and to allow."""
    found: dict[str, Any] = yaml.safe_load(SAFETY.read_text(encoding="utf-8"))
    return found


def plain(value: Any) -> Any:
    """A slot's value without what does not matter: order, case, int or float."""
    if isinstance(value, (list, tuple)):
        return sorted((plain(one) for one in value), key=str)
    if isinstance(value, dict):
        return {key: plain(one) for key, one in sorted(value.items())}
    if isinstance(value, bool):
        return value
    return float(value) if isinstance(value, (int, float)) else value.lower() if isinstance(value, str) else value


def intent_right(label: Label, got: dict[str, Any]) -> bool:
    """Where a label lists several tasks, all of them in order."""
    if "tasks" in label:
        return [task["intent"] for task in got["tasks"]] == [task["intent"] for task in label["tasks"]]
    return got["intent"] == label["intent"] or got["intent"] in label["also_ok"]


def slots_right(label: Label, got: dict[str, Any]) -> tuple[int, int, int]:
    """True positives, false positives and false negatives; none where nothing is planned or labelled."""
    if label["action"] in ("refuse", "out_of_scope") or "slots" not in label:
        return 0, 0, 0
    pairs = list(zip(label["tasks"], got["tasks"], strict=False)) if "tasks" in label else [(label, got)]
    right = extra = missed = 0
    for wanted, found in ((one["slots"], other["slots"]) for one, other in pairs):
        same = sum(plain(wanted[slot]) == plain(found[slot]) for slot in wanted.keys() & found.keys())
        right, extra, missed = right + same, extra + len(found) - same, missed + len(wanted) - same
    return right, extra, missed


def score(labels: Sequence[Label], readings: Sequence[Reading]) -> Score:
    """Readings against their labels."""
    intents = actions = 0
    slots, wrong = [0, 0, 0], []
    for label, got in zip(labels, (reading.as_dict() for reading in readings), strict=True):
        intent = intent_right(label, got)
        action = got["action"] == label["action"] or got["action"] in label["also_ok"]
        counts = slots_right(label, got)
        intents, actions, slots = (
            intents + intent,
            actions + action,
            [a + b for a, b in zip(slots, counts, strict=True)],
        )
        if not (intent and action) or counts[1:] != (0, 0):
            wrong.append(label["id"])
    return Score(len(labels), intents, actions, (slots[0], slots[1], slots[2]), tuple(wrong))
