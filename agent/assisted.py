"""A reading with the help of a language model, where the rules alone are unsure; its values are those that the rules read in its words."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from agent.catalogue import templates
from agent.intent import Guess, guess, likely
from agent.language_model import NoHelp, Pointed, suggestion
from agent.models.schema import Words
from agent.quoting import own_words
from agent.read import LONGEST, Help, Reading, read, reading_of
from agent.resource import read_data
from agent.safety import screen_text
from agent.slots.extract import Extraction, extract
from agent.slots.model import Slots
from agent.slots.numbers import NUMBER, number
from agent.slots.sentence import TAKEN
from agent.spelling import correct
from agent.task import CLEAR, SURE, Task, task_of
from agent.text import is_chinese, normalise
from agent.verdict import Decision

if TYPE_CHECKING:
    from pydantic_ai.models import Model


def read_with(text: str, name: str, model: "Callable[[], Model]") -> Reading:
    """Understand a request; a model is asked where the rules ask back, find no workflow, or are in doubt.

    It is never asked about what is refused or held, and can lift neither.
    """
    alone = read(text)
    if not unsure(alone):
        return alone
    whole = normalise(text[:LONGEST])
    own = correct(own_words(whole).text)
    found = extract(own)
    try:
        suggested = suggestion(own, likely(own, found, read_data("language_model")["choices"]), model)
        added = _values(suggested.said, own, found)
    except NoHelp as none:
        return alone.model_copy(update={"help": _none(name, none.words)})
    intent = suggested.intent or (alone.intent if alone.intent in templates() else None)
    task = _task(own, found, intent, added, name) if intent else None
    if task is None or (task.action, task.intent, task.slots) == (alone.action, alone.intent, alone.slots):
        return alone.model_copy(update={"help": _none(name, Words(en="it had nothing to add", zh="没有补充"))})
    helped = reading_of([task], alone.flags, screen_text(whole))
    used = {slot: value for slot, value in added.items() if getattr(task.slots, slot) is not None}
    return helped.model_copy(update={"help": _used(name, task.intent, used)})


def unsure(reading: Reading) -> bool:
    """Whether help is wanted: one task, about which the rules ask back or are in doubt."""
    if reading.decision is not Decision.ALLOW or len(reading.tasks) != 1:
        return False
    return reading.action == "clarify" or reading.confidence < SURE


def _task(text: str, found: Extraction, intent: str, added: Mapping[str, Any], name: str) -> Task:
    """The task of an intent, with what was added to the slots that the rules found; theirs stand."""
    best = guess(text, found)
    reasons = best.reasons if best.intent == intent else (f"{name} reads it so",)
    certain = Guess(intent, 1.0, 1.0, best.intent, max(best.total, CLEAR), best.cues, reasons)
    both = replace(found, slots={**added, **found.slots})
    return task_of(text, both, certain, chinese=is_chinese(text), follows=False)


def _values(said: tuple[Pointed, ...], text: str, found: Extraction) -> dict[str, Any]:
    """By slot, what the rules read in words that they had left unread.

    Raises:
        NoHelp: words that are not in the request. Who invents one may have invented all.
    """
    values: dict[str, Any] = {}
    for slot, words in said:
        places = _places(normalise(words), text)
        if not places:
            raise NoHelp(f"it quotes what you did not write: “{words}”", f"引用了句中没有的内容：“{words}”")
        unread = [text[start:end] for start, end in places if TAKEN not in found.masked[start:end]]
        if slot not in found.slots and unread and (value := _value(slot, unread[0])) is not None:
            values.setdefault(slot, value)
    return values


def _places(words: str, text: str) -> list[tuple[int, int]]:
    """Where the words stand in the request, whole."""
    whole = rf"(?<![A-Za-z0-9.]){re.escape(words)}(?![A-Za-z0-9])"
    return [match.span() for match in re.finditer(whole, text, re.IGNORECASE)] if words else []


def _value(slot: str, words: str) -> Any:
    """What the rules read in these words alone; a name that they do not know is kept as it is written."""
    data = read_data("language_model")
    read_alone = extract(words).slots
    if slot in read_alone:
        return read_alone[slot]
    if slot in data["counts"]:
        match = re.search(NUMBER, words, re.IGNORECASE)
        value = number(match[0]) if match else 0.0
        return int(value) if value >= 1 else None
    if slot in data["names"] and not re.fullmatch(r"[\W\d_]*", words):
        several = str not in get_args(Slots.model_fields[slot].annotation)
        return (words,) if several else words
    return None


def _used(name: str, intent: str, used: Mapping[str, Any]) -> Help:
    en, zh = f"read as {templates()[intent].title}", f"理解为「{templates()[intent].title_zh}」"
    if used:
        en, zh = f"{en}, with {', '.join(used)}", f"{zh}，补充了 {'、'.join(used)}"
    return Help(model=name, used=True, words=Words(en=en, zh=zh))


def _none(name: str, words: Words) -> Help:
    return Help(model=name, used=False, words=words)
