"""One error for what a person asked for and cannot have."""

import difflib
from collections.abc import Iterable


class InvalidRequest(ValueError):
    """A request that cannot run: names the field, the value, and what would be valid."""

    def __init__(self, field: str, value: object, problem: str, valid: str = "") -> None:
        self.field, self.value, self.problem, self.valid = field, value, problem, valid
        super().__init__(f"{field} = {value!r}: {problem}" + (f". Valid: {valid}" if valid else ""))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.field, self.value, self.problem, self.valid)


def closest(word: str, choices: Iterable[str], most: int = 4) -> list[str]:
    """The choices that look most like a word, in any case; best first."""
    by_folded = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=most, cutoff=0.5)
    return [by_folded[name] for name in found]
