"""A run that began with a sentence: what was asked, the plan that was approved, and what was changed in it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

ASKED, ANSWER = "ask.json", "answer.json"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Asked(NamedTuple):
    """The sentence, and the approved plan as a part of the page."""

    text: str
    plan: Markup

    @property
    def language(self) -> str:
        """The language that it was asked in, in which the page opens."""
        return "zh" if CHINESE.search(self.text) else "en"


def asked(folder: Path, measured_chip_s: float) -> Asked | None:
    """What stands in a run's ``ask.json``; None for a run that no sentence began."""
    path = folder / ASKED
    if not path.exists():
        return None
    noted: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    stated: Sequence[Mapping[str, Any]] = noted["plan"]["stated"]
    page = Environment(loader=PackageLoader("tasks", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    html = page.get_template("asked.html.j2").render(
        plan=noted["plan"],
        estimate=noted["estimate"],
        changed=[one for one in stated if one["how"] == "changed"],
        rest=[one for one in stated if one["how"] != "changed"],
        measured_h=measured_chip_s / 3600,
    )
    return Asked(noted["text"], Markup(html))
