"""A sentence from which what was understood is taken away, so that no rule reads the digits of another's name."""

import re
from collections.abc import Iterator

TAKEN = "□"  # a symbol, not a letter: word borders stay where they were


class Sentence:
    """A normalised text; ``rest`` has the same length, with the parts that were taken blanked."""

    def __init__(self, text: str) -> None:
        self.text = self.rest = text

    def find(self, pattern: str) -> re.Match[str] | None:
        """The first match in what is left, in any case."""
        return re.search(pattern, self.rest, re.IGNORECASE)

    def take(self, pattern: str) -> re.Match[str] | None:
        """The first match in what is left, which is then taken."""
        match = self.find(pattern)
        if match:
            self.blank(match.start(), match.end())
        return match

    def take_all(self, pattern: str, flags: int = 0) -> Iterator[re.Match[str]]:
        """All matches in what is left, each taken; exact case unless the flags say otherwise."""
        for match in list(re.finditer(pattern, self.rest, flags)):
            self.blank(match.start(), match.end())
            yield match

    def blank(self, start: int, end: int) -> None:
        """Take the characters from start to end."""
        self.rest = self.rest[:start] + TAKEN * (end - start) + self.rest[end:]
