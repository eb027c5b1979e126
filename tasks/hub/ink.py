"""What the map is drawn with: colours by gang and by occupancy, words as SVG text."""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cluster.allocate.running import Allocation
from cluster.simulate.record import SIZES

# Paul Tol's muted scheme and three of Okabe and Ito: told apart with any kind of colour vision. Out of service is red.
COLOURS = (
    *("#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77"),
    *("#cc6677", "#882255", "#aa4499", "#e69f00", "#0072b2", "#8c510a"),
)
GREYS = ("#dde1e7", "#c3c9d2", "#a6aeba", "#868f9c", "#66707e")
HEAT = ((219, 228, 238), (107, 174, 214), (8, 48, 107))
FREE, OUT, INK, SOFT = "#ffffff", "#dc2626", "#0f172a", "#64748b"
# XML knows no other control characters, not even escaped.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
DEFINITIONS = (
    '<defs><pattern id="hub-out" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<path d="M0 1H4" stroke="{OUT}" stroke-width="1.8"/></pattern>'
    f'<linearGradient id="hub-heat">{"".join(f"""<stop offset="{n / 2}" stop-color="rgb{c}"/>""" for n, c in enumerate(HEAT))}'
    "</linearGradient></defs>"
    "<style>.hub-map text{font-family:system-ui,'Noto Sans','Noto Sans CJK SC',sans-serif}"
    ".hub-map .whole{stroke:#fff;stroke-width:.9}.hub-map .host:hover path{stroke:#0f172a;stroke-width:1.2}.hub-map text{pointer-events:none}"
    ":root:not([data-show]) .hub-map [lang=zh]{display:none}</style>"
)


@dataclass(frozen=True)
class Palette:
    """The colour of each gang; ``named`` are the largest, in the order of their size, and have one of their own."""

    named: tuple[Allocation, ...]
    colour: dict[str, str]

    @classmethod
    def of(cls, running: Sequence[Allocation]) -> "Palette":
        """Colour by name, so that a gang keeps its colour from map to map where no larger one has it."""
        ordered = sorted(running, key=lambda one: (-one.held, one.gang.name))
        named = tuple(ordered[: len(COLOURS)])
        colour: dict[str, str] = {}
        for one in named:
            slot = zlib.crc32(one.gang.name.encode(errors="replace")) % len(COLOURS)
            while COLOURS[slot] in colour.values():
                slot = (slot + 1) % len(COLOURS)
            colour[one.gang.name] = COLOURS[slot]
        for one in ordered[len(named) :]:
            colour[one.gang.name] = GREYS[size_class(one)]
        return cls(named, colour)


def heat(share: float) -> str:
    """The colour of an occupancy."""
    low = min(int(share * 2), 1)
    part = share * 2 - low
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(HEAT[low], HEAT[low + 1], strict=True))


def size_class(one: Allocation) -> int:
    """The class of a gang's size, from 0."""
    return next(number for number, most in enumerate(SIZES) if one.gang.chips <= most)


def size_names() -> list[str]:
    """The classes of a gang's size in chips, the same in all languages."""
    lows = [1, *(most + 1 for most in SIZES)]
    middle = [f"{low:,}" if low == most else f"{low:,}–{most:,}" for low, most in zip(lows, SIZES[:-1], strict=False)]
    return [*middle, f"≥ {lows[len(SIZES) - 1]:,}"]


def say(text: str) -> str:
    """Text as XML, whatever it holds."""
    return escape(CONTROL.sub("\ufffd", text), {'"': "&quot;"})


def width_of(text: str) -> int:
    """Letters' widths added up: a Chinese one counts two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def short(text: str, most: int) -> str:
    """The text, cut where it is wider than so many letters."""
    if width_of(text) <= most:
        return text
    while width_of(text) >= most:
        text = text[:-1]
    return text + "…"


def text_at(x: float, y: float, words: str, size: float = 9, colour: str = SOFT, more: str = "", tail: str = "") -> str:
    """A line of text on the map; ``more`` are further attributes, ``tail`` follows it in a softer tone."""
    soft = f'<tspan dx="7" fill="{SOFT}" font-weight="400">{say(tail)}</tspan>' if tail else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{more}>{say(words)}{soft}</text>'


def both_at(x: float, y: float, en: str, zh: str) -> str:
    """A line in English and Chinese; the page shows one of them."""
    return text_at(x, y, en, 11, INK, ' lang="en"') + text_at(x, y, zh, 11, INK, ' lang="zh"')
