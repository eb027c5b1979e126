"""The tasks of a request: one for each part of a sentence that asks for something of its own."""

import re
from collections.abc import Collection
from typing import Literal

from agent.catalogue import OUT_OF_SCOPE, UNCOVERED_SCIENCE, Need, Template, templates
from agent.clauses import clauses
from agent.intent import UNKNOWN, Guess, guess, guess_among
from agent.questions import assumptions, missing, not_covered, question, what, which_of
from agent.relevance import COST, relevant
from agent.resource import read_data
from agent.slots.extract import Extraction, extract
from agent.slots.model import Slots
from domains.model import Frozen

Action = Literal["plan", "clarify", "refuse", "out_of_scope", "answer"]
SURE = 0.45  # probability of its domain from which a clause may be a task of its own
CLEAR = 3.0  # total from which it is one, whatever else it sounds like
UNSURE = 0.3  # probability below which two templates are asked about
LITTLE = {"variables", "dry_run", "deadline_text"}  # slots that say little about what is wanted
VAGUE = re.compile(
    r"^\W*(?:please |pls |help me |can you |帮我|请|麻烦)*(?:simulat|run|comput|calculat|predict|optimi|analy|screen|help|start|test|算|跑"
    r"|模拟|计算|分析|预测|优化|筛选|做)",
    re.IGNORECASE,
)


class Task(Frozen):
    """One task of a request."""

    action: Action
    intent: str
    domain: str
    slots: Slots
    question: str | None = None
    assumptions: tuple[str, ...] = ()
    confidence: float = 1.0
    because: tuple[str, ...] = ()

    @property
    def has_substance(self) -> bool:
        """Whether it says anything of its own: a slot, or a word that gave it away."""
        return self.action != OUT_OF_SCOPE and bool(self.because or self.slots.model_dump(exclude_defaults=True))


def tasks_of(text: str, *, chinese: bool) -> list[Task]:
    """The tasks of a request in the user's own words, at least one."""
    found = extract(text)
    whole = guess(text, found)
    parts = [] if whole.intent.startswith(("ops.", OUT_OF_SCOPE)) else _separate(text)
    if len(parts) < 2:
        return [task_of(text, found, whole, chinese=chinese, follows=False)]
    tasks: list[Task] = []
    for part, its_guess in parts:
        its = extract(part)
        if "dry_run" in found.slots:
            its.slots["dry_run"] = True
        # What follows a task of the same domain works on what that leaves.
        follows = templates()[its_guess.intent].domain in {task.domain for task in tasks}
        tasks.append(task_of(part, its, its_guess, chinese=chinese, follows=follows))
    return tasks


def _separate(text: str) -> list[tuple[str, Guess]]:
    """The parts of a text that are tasks of their own: each with cue words of another intent than the one before."""
    parts: list[tuple[str, str | None]] = []
    for part in clauses(text):
        its = guess(part, extract(part))
        sure = its.cues > 0 and (its.domain_probability >= SURE or its.total >= CLEAR) and its.intent != OUT_OF_SCOPE
        if sure and its.intent == COST:
            return []
        intent = its.intent if sure else None
        if parts and (intent is None or parts[-1][1] in (None, intent)):
            parts[-1] = (f"{parts[-1][0]}, {part}", parts[-1][1] or intent)
        else:
            parts.append((part, intent))
    guesses = [(part, guess(part, extract(part))) for part, _ in parts]
    return guesses if len({one.intent for _, one in guesses}) > 1 else []


def task_of(text: str, found: Extraction, best: Guess, *, chinese: bool, follows: bool) -> Task:
    """One task: its slots, and whether enough is known to plan it."""
    useful = len(found.slots.keys() - LITTLE)
    if best.total < UNKNOWN + 1 and not best.cues and not found.slots and VAGUE.search(text):
        return _nothing("clarify", "none", what(chinese=chinese), best)
    if best.intent.startswith(OUT_OF_SCOPE) or (best.total < UNKNOWN and not useful):
        why = not_covered(science=best.intent == UNCOVERED_SCIENCE, chinese=chinese)
        return _nothing("out_of_scope", OUT_OF_SCOPE, why, best)
    template = templates()[best.intent]
    slots = relevant(found.slots, best.intent, _work(text) if best.intent == COST else None)
    known = _known(slots, found)
    open_needs = [] if follows else missing(template, known)
    action, asked = _decide(template, best, useful, open_needs, known, chinese=chinese)
    return Task(
        action=action,
        intent=best.intent,
        domain=template.domain,
        slots=slots,
        question=asked,
        assumptions=assumptions(open_needs, chinese=chinese) if action == "plan" else (),
        confidence=round(best.probability, 3),
        because=best.reasons,
    )


def _nothing(action: Action, intent: str, words: str, best: Guess) -> Task:
    """No task of the hub."""
    return Task(
        action=action,
        intent=intent,
        domain="none",
        slots=Slots(),
        question=words,
        confidence=round(best.probability, 3),
        because=best.reasons,
    )


def _decide(
    template: Template, best: Guess, useful: int, open_needs: list[Need], known: Collection[str], *, chinese: bool
) -> tuple[Action, str | None]:
    """Plan, ask or answer, and the question."""
    if template.domain == "ops":
        return "answer", None
    doubtful = best.probability < UNSURE and not best.reasons and useful <= 1
    if doubtful and not best.second.startswith(OUT_OF_SCOPE):
        same = templates()[best.second].domain == template.domain
        return "clarify", which_of(best.intent, best.second, chinese=chinese) if same else what(chinese=chinese)
    if any(not need.has_default for need in open_needs) or (open_needs and useful <= 1):
        return "clarify", question(template, open_needs, known, chinese=chinese)
    return "plan", None


def _known(slots: Slots, found: Extraction) -> set[str]:
    """The slots that may meet a need; a second target stands for the partner of a complex."""
    second = {"second_target"} if len(found.slots.get("targets", ())) > 1 else set()
    return {*slots.model_dump(exclude_defaults=True), *second}


def _work(text: str) -> str | None:
    """What a question of cost is about."""
    work = guess_among(text, lambda intent: not intent.startswith(("ops.", OUT_OF_SCOPE)))
    names: dict[str, str] = read_data("evidence")["task_names"]
    return names.get(work, work.split(".")[1].replace("_", " ")) if work else None
