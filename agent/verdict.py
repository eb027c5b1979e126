"""What the safety screen decides: allow, hold for a named reviewer, refuse."""

from collections.abc import Iterable
from enum import StrEnum

from agent.resource import read_data
from domains.model import Frozen


class Decision(StrEnum):
    """In order of strictness."""

    ALLOW = "allow"
    HOLD = "hold"
    REFUSE = "refuse"


class Verdict(Frozen):
    """A decision with its flags and reasons; a hold names who may lift it."""

    decision: Decision
    flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    reviewer: str | None = None


ALLOWED = Verdict(decision=Decision.ALLOW)


def hold(flag: str, reason: str) -> Verdict:
    """Wait for the reviewer of a flag."""
    return Verdict(decision=Decision.HOLD, flags=(flag,), reasons=(reason,), reviewer=reviewer_of(flag))


def refuse(flag: str, reason: str) -> Verdict:
    """Do not do it."""
    return Verdict(decision=Decision.REFUSE, flags=(flag,), reasons=(reason,))


def reviewer_of(flag: str) -> str:
    """The role that may lift a hold."""
    reviewers = read_data("safety")["reviewers"]
    return str(reviewers.get(flag, reviewers["needs_approval"]))


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """All flags and reasons, under the strictest decision."""
    order = list(Decision)
    found = sorted(verdicts, key=lambda one: -order.index(one.decision))
    if not found:
        return ALLOWED
    return Verdict(
        decision=found[0].decision,
        flags=tuple(dict.fromkeys(flag for one in found for flag in one.flags)),
        reasons=tuple(dict.fromkeys(reason for one in found for reason in one.reasons)),
        reviewer=found[0].reviewer,
    )
