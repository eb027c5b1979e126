"""``read(text)``: from a sentence to a typed reading: what is asked, with which facts, and whether it may be done."""

from collections.abc import Iterable, Sequence
from typing import Any

from agent.models.schema import Words
from agent.questions import refusal
from agent.quoting import attacks, own_words
from agent.resource import read_data
from agent.safety import screen_text
from agent.screen import screen_molecule, screen_sequence
from agent.slots.model import Slots
from agent.spelling import correct
from agent.task import Task, tasks_of
from agent.text import is_chinese, normalise
from agent.verdict import Decision, Verdict, hold, strictest
from domains.model import Frozen

LONGEST = 4000  # characters of a request; what comes after is not read


class Help(Frozen):
    """What a language model added to a reading, or why it added nothing."""

    model: str
    used: bool
    words: Words


class Reading(Task):
    """A request as it was understood: the first task, all tasks, flags, and the decision of the safety screen."""

    flags: tuple[str, ...] = ()
    decision: Decision = Decision.ALLOW
    reviewer: str | None = None
    tasks: tuple[Task, ...] = ()
    help: Help | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: slots that are not there are left out, the open ends of a period or limit are null."""
        return {
            **self.model_dump(mode="json"),
            "slots": _slots(self),
            "tasks": [{**task.model_dump(mode="json"), "slots": _slots(task)} for task in self.tasks],
        }


def _slots(task: Task) -> dict[str, Any]:
    return task.slots.model_dump(mode="json", exclude_defaults=True)


def read_many(texts: Iterable[str]) -> list[Reading]:
    """A reading for each text, in their order."""
    return [read(text) for text in texts]


def read(text: str) -> Reading:
    """Understand a request; the same text always gives the same reading."""
    whole = normalise(text[:LONGEST])
    chinese = is_chinese(whole)
    own = own_words(whole)
    verdict = screen_text(whole)
    demanded = [flag for flag in attacks(own.text) if flag != "injection"]
    if verdict.decision is Decision.REFUSE or demanded:
        return _refused((*own.flags, *demanded, *verdict.flags), verdict.reasons or demanded, chinese=chinese)
    tasks = tasks_of(correct(own.text), chinese=chinese)
    if "injection" in own.flags and not tasks[0].has_substance:
        return _refused(own.flags, own.flags, chinese=chinese)
    return reading_of(tasks, own.flags, verdict)


def reading_of(tasks: Sequence[Task], flags: Sequence[str], of_text: Verdict) -> Reading:
    """The reading of these tasks, after the screen of what they carry; ``of_text`` is the verdict on the request's words."""
    verdict = strictest([of_text, *_candidates(tasks), *_approval(tasks)])
    held = ("needs_approval",) if verdict.decision is Decision.HOLD else ()
    return Reading(
        **{name: getattr(tasks[0], name) for name in Task.model_fields},
        flags=tuple(dict.fromkeys((*flags, *verdict.flags, *held))),
        decision=verdict.decision,
        reviewer=verdict.reviewer,
        tasks=tuple(tasks),
    )


def _refused(flags: Sequence[str], reasons: Sequence[str], *, chinese: bool) -> Reading:
    domains: dict[str, str] = read_data("safety")["domains"]
    return Reading(
        action="refuse",
        intent="refuse",
        domain=next((domains[flag] for flag in flags if flag in domains), "ops"),
        slots=Slots(),
        question=refusal(reasons, chinese=chinese),
        flags=tuple(dict.fromkeys(flags)),
        decision=Decision.REFUSE,
    )


def _candidates(tasks: Sequence[Task]) -> list[Verdict]:
    """The verdicts on every molecule and sequence that a request carries."""
    molecules = [screen_molecule(smiles) for task in tasks for smiles in task.slots.smiles or ()]
    return [*molecules, *(screen_sequence(task.slots.sequence) for task in tasks if task.slots.sequence)]


def _approval(tasks: Sequence[Task]) -> list[Verdict]:
    """Holds for what takes much of the hub."""
    bounds = read_data("safety")["approval"]
    found = []
    for slots in (task.slots for task in tasks if task.action in ("plan", "clarify")):
        asked = {
            "chips": slots.chips.count if slots.chips else None,
            "supernodes": slots.supernodes,
            "card_h": slots.budget.value if slots.budget else None,
        }
        found += [
            hold("needs_approval", f"{value:,} {name}")
            for name, value in asked.items()
            if value is not None and value > bounds[name]
        ]
    return found
