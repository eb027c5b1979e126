"""The workflow templates: title, example sentences, cue words, and what each needs to know."""

import re
from dataclasses import dataclass
from functools import cache

from agent.resource import read_data

DOMAINS = ("drug", "materials", "climate", "energy", "genomics", "ops")
OUT_OF_SCOPE = "out_of_scope"
UNCOVERED_SCIENCE = "out_of_scope.science"


@dataclass(frozen=True)
class Need:
    """A requirement: any one of the slots meets it; with a default, its absence is said and not asked."""

    any_of: tuple[str, ...]
    has_default: bool

    @classmethod
    def parse(cls, text: str) -> "Need":
        """From ``"region|region_bbox?"``: alternatives, and a question mark where a default exists."""
        return cls(tuple(text.rstrip("?").split("|")), text.endswith("?"))


@dataclass(frozen=True)
class Template:
    """A workflow that the hub has."""

    id: str
    title: str
    title_zh: str
    phrases: tuple[str, ...]
    cues: tuple[re.Pattern[str], ...]
    decides: tuple[re.Pattern[str], ...]
    needs: tuple[Need, ...]

    @property
    def domain(self) -> str:
        """The part before the dot; ``none`` outside the hub's sciences."""
        return "none" if self.id.startswith(OUT_OF_SCOPE) else self.id.split(".")[0]


@cache
def templates() -> dict[str, Template]:
    """All templates by id, in the order of the files."""
    found = {}
    for domain in DOMAINS:
        for name, content in read_data(f"templates_{domain}").items():
            found[name] = Template(
                id=name,
                title=content["title"][0],
                title_zh=content["title"][1],
                phrases=tuple(content["phrases"]),
                cues=tuple(re.compile(cue) for cue in content["cues"]),
                decides=tuple(re.compile(cue) for cue in content.get("decides", ())),
                needs=tuple(map(Need.parse, content["needs"])),
            )
    return found
