"""Several tasks in one sentence: where it can be cut."""

import re

VERBS = (
    r"(?:predict|compute|calculate|run|relax|dock|screen|forecast|downscale|fold|generate|train|fine-tune|simulate|estimate|score|evaluate|compare"
    r"|annotate|call|redock|optimi[sz]e|analy[sz]e|rank|filter|list|show|check|do|perform|design|search|find|make|produce|get|give)\b"
)
STRONG = (
    r"(?<=[^\d\s])[.!?](?=\s|$)|[;。!?\n]|,?\s*\b(?:and\s+)?(?:then|afterwards|after that|finally|next,|secondly|besides|additionally|in addition|also)\b,?"
    r"|[,\s]*(?:然后|接着|随后|之后再?|再(?=[对用把做算跑预给])|最后|另外|此外|同时|顺便|还要|还想|并且|以及再?(?=[对用把做算跑预给]))"
)
WEAK = rf",?\s+(?:and|&|plus)\s+(?={VERBS})|,\s*(?={VERBS})|[,\s]*(?:并|,\s*也)(?=[^且排])"
CUT = re.compile(f"{STRONG}|{WEAK}", re.IGNORECASE)


def clauses(text: str) -> list[str]:
    """The parts of a sentence that might be tasks of their own, in order; empty ones left out."""
    parts = (part.strip(" ,.;:") for part in CUT.split(text))
    return [part for part in parts if part]
