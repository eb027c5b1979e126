"""Licences: SPDX identifiers, what they say of commercial use, and how others spell them."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Literal

from agent.models.data import read
from agent.models.schema import UNKNOWN_LICENCE, Licence
from domains.errors import InvalidRequest, closest

COMMERCIAL_OK = "commercial-ok"
COMMON = "Apache-2.0, MIT, BSD-3-Clause, CC-BY-4.0, GPL-3.0-only"

Commercial = Literal["yes", "conditions", "unknown", "no"]
STRICTEST: tuple[Commercial, ...] = ("yes", "conditions", "unknown", "no")


@cache
def _known() -> dict[str, Commercial]:
    return {UNKNOWN_LICENCE: "unknown", **{name: rest["commercial"] for name, rest in read("licences").items()}}


@cache
def _spellings() -> dict[str, str]:
    """Identifiers by every way they are written."""
    spelt = {_key(name): name for name in _known()}
    for name, rest in read("licences").items():
        spelt |= {_key(other): name for other in rest.get("also", ())}
    return spelt


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text.casefold())


def spdx(text: str | None) -> str:
    """The identifier of a licence as a model hub writes it; ``NOASSERTION`` where nothing is known of it."""
    return _spellings().get(_key(text or ""), UNKNOWN_LICENCE)


def licence_named(text: str) -> str:
    """The identifier that a person means, or ``commercial-ok``; raises InvalidRequest with the closest names."""
    if _key(text) in (_key(COMMERCIAL_OK), "commercial"):
        return COMMERCIAL_OK
    if _key(text) in _spellings():
        return _spellings()[_key(text)]
    near = closest(text, [*_known(), COMMERCIAL_OK])
    raise InvalidRequest(
        "licence",
        text,
        "unknown licence" + (f", closest: {', '.join(near)}" if near else ""),
        f"{COMMERCIAL_OK}, or an SPDX identifier such as {COMMON}",
    )


def parts(licence: Licence) -> tuple[str, ...]:
    """The licences that bind who runs the model."""
    return tuple(dict.fromkeys(filter(None, (licence.weights, licence.code))))


def commercial(licence: Licence) -> Commercial:
    """Whether it may be used commercially: what the stricter of code and weights says."""
    return strictest(_known().get(one, "unknown") for one in parts(licence))


def strictest(found: Iterable[Commercial]) -> Commercial:
    """The one that allows least."""
    return max(found, key=STRICTEST.index)
