"""Point mutations as they are written: E166V, several joined with +, WT for none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domains.errors import InvalidRequest

WILD_TYPE = "WT"
SPELLINGS_OF_WILD_TYPE = {"wt", "wildtype", "野生型"}
AMINO_ACIDS = {
    "A": "ALA", "R": "ARG", "N": "ASN", "D": "ASP", "C": "CYS", "Q": "GLN", "E": "GLU", "G": "GLY", "H": "HIS", "I": "ILE",
    "L": "LEU", "K": "LYS", "M": "MET", "F": "PHE", "P": "PRO", "S": "SER", "T": "THR", "W": "TRP", "Y": "TYR", "V": "VAL",
}  # fmt: skip
WRITTEN = re.compile(r"([A-Z])(\d{1,4})([A-Z])")
VALID = "WT, or mutations such as E166V, several joined with + (E166V+L50F)"

Residues = Mapping[str, Mapping[int, str]]  # chain -> residue number -> one-letter code


class Mutation(NamedTuple):
    """One residue replaced by another, in one-letter codes."""

    wild: str
    number: int
    mutant: str

    def __str__(self) -> str:
        return f"{self.wild}{self.number}{self.mutant}"


@dataclass(frozen=True)
class Variant:
    """A name and the mutations it stands for; none for the wild type."""

    name: str
    mutations: tuple[Mutation, ...] = ()

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of the mutated residues."""
        return frozenset(mutation.number for mutation in self.mutations)


def parse(text: str) -> Variant:
    """Read a variant as a person writes it; raises ValueError that says what is wrong with it."""
    plain = re.sub(r"[\s_-]", "", text.replace("＋", "+"))
    if plain.casefold() in SPELLINGS_OF_WILD_TYPE:
        return Variant(WILD_TYPE)
    mutations = tuple(_mutation(part) for part in plain.upper().split("+"))
    numbers = [mutation.number for mutation in mutations]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise ValueError(f"{text!r} changes residue {twice} twice")
    return Variant("+".join(map(str, mutations)), mutations)


def _mutation(part: str) -> Mutation:
    match = WRITTEN.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is not a mutation; write {VALID}")
    wild, number, mutant = match.groups()
    for letter in (wild, mutant):
        if letter not in AMINO_ACIDS:
            raise ValueError(f"{letter} in {part} is no amino acid; the letters are {' '.join(sorted(AMINO_ACIDS))}")
    if wild == mutant:
        raise ValueError(f"{part} changes nothing")
    return Mutation(wild, int(number), mutant)


def with_wild_type(texts: Sequence[str]) -> tuple[Variant, ...]:
    """Every variant once, the wild type first whether asked for or not: all others are compared with it."""
    by_mutations = {frozenset(one.mutations): one for one in reversed([parse(text) for text in texts])}
    by_mutations.pop(frozenset(), None)
    return (Variant(WILD_TYPE), *reversed(by_mutations.values()))


def check_fits(variant: Variant, residues: Residues) -> None:
    """Raise InvalidRequest unless every mutation starts from what the structure has there, in each chain that has it."""
    for mutation in variant.mutations:
        found = {
            chain: numbered[mutation.number] for chain, numbered in residues.items() if mutation.number in numbered
        }
        if not found:
            spans = "; ".join(f"chain {chain}: {min(ours)} to {max(ours)}" for chain, ours in residues.items())
            problem = f"the structure has no residue {mutation.number}"
            raise InvalidRequest("variants", variant.name, problem, f"residue numbers of the structure ({spans})")
        for chain, letter in found.items():
            if letter != mutation.wild:
                problem = f"residue {mutation.number} of chain {chain} is {AMINO_ACIDS.get(letter, letter)}, not {AMINO_ACIDS[mutation.wild]}"
                valid = f"{letter}{mutation.number}{mutation.mutant}" if letter != mutation.mutant else ""
                raise InvalidRequest("variants", variant.name, problem, valid)
