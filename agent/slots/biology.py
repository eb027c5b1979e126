"""Variants, genes, targets, entries and files of biology."""

import re

from agent.names import gazetteer, take_names
from agent.resource import read_data
from agent.slots.sentence import Sentence

RESIDUE = "ACDEFGHIKLMNPQRSTVWY"
THREE = "Ala|Arg|Asn|Asp|Cys|Gln|Glu|Gly|His|Ile|Leu|Lys|Met|Phe|Pro|Ser|Thr|Trp|Tyr|Val"
HGVS = (
    r"(?<![A-Za-z0-9])(?:[NX][MCGRP]_\d+(?:\.\d+)?:)?(?:[cgm]\.[\d*+\-_]+(?:[ACGT]+>[ACGT]+|del[ACGT]*(?:ins[ACGT]+)?|dup[ACGT]*|ins[ACGT]+)"
    rf"|p\.\(?(?:(?:{THREE})\d+(?:{THREE}|Ter|\*|fs\w*)|[{RESIDUE}]\d+[{RESIDUE}*])\)?|rs\d{{3,}})"
)
CHANGE = rf"(?<![A-Za-z0-9.])((?:Δ|del)?[{RESIDUE}]\d{{2,4}}(?:[{RESIDUE}]|del))(?![A-Za-z0-9])"
LINEAGE = (
    r"(?<![A-Za-z0-9])((?:XBB|XEC|XFG|JN|BA|BQ|KP|LF|EG|LP|NB|B|P|AY|CH|FL|XD[A-Z])\.\d+(?:\.\d+)*)(?![A-Za-z0-9])"
)
NAMED_STRAIN = r"(?<![A-Za-z])(Omicron|Delta(?= (?:variant|strain|and)| 变异| 株| 毒株)|Alpha(?= (?:variant|strain)| 变异))|奥密克戎|德尔塔"
STRAINS = {"奥密克戎": "Omicron", "德尔塔": "Delta"}
FILE = r"(?<![\w/])([\w\-./~]*\w\.(?:csv|tsv|txt|smi|sdf|mol2|cif|vcf|h5ad|fasta|fa|fastq|bam|pdb|xyz|extxyz|nc|zarr|parquet|xlsx|json|traj|xtc|dcd|poscar|vasp))(?![A-Za-z0-9])"


def take_file(sentence: Sentence) -> str | None:
    """The first file name."""
    match = sentence.take(FILE)
    return match[1] if match else None


def take_molecules(sentence: Sentence) -> list[str]:
    """Medicines by name: known ones, words with the ending of an international nonproprietary name, misspelt Chinese ones."""
    found = [(one.start, one.name) for one in gazetteer("molecules").take(sentence)]
    stems = "|".join(read_data("names")["molecule_stems"])
    coined = rf"(?<![A-Za-z\-])([A-Za-z]{{3,}}(?:{stems}))(?![A-Za-z\-])"
    found += [(match.start(), match[1].lower()) for match in sentence.take_all(coined, re.IGNORECASE)]
    names = [name for _, name in sorted(found)]
    return list(dict.fromkeys(names or gazetteer("molecules").misspelt_han(sentence.rest)))


def take_pdb_ids(sentence: Sentence) -> list[str]:
    """Entries of the Protein Data Bank: after or before the word PDB, or of the usual shape."""
    found = [
        m[1].upper()
        for m in sentence.take_all(
            r"\bPDB\s*(?:ID|entry|code|条目|编号|结构)?\s*:?\s*([1-9][A-Za-z0-9]{3})\b", re.IGNORECASE
        )
    ]
    shape = r"(?<![A-Za-z0-9.])([1-9](?=[A-Z0-9]{0,2}[A-Z])[A-Z0-9]{3})(?![A-Za-z0-9])"
    named = re.search(r"\bpdb\b", sentence.text, re.IGNORECASE)
    strict = r"(?<![A-Za-z0-9.])([1-9](?=[A-Z0-9]*[A-Z][A-Z0-9]*[A-Z0-9])[A-Z][A-Z0-9]{2})(?![A-Za-z0-9])"
    found += [m[1] for m in sentence.take_all(shape if named and not found else strict)]
    return list(dict.fromkeys(found))


def take_variants(sentence: Sentence) -> tuple[list[str], bool]:
    """Variants as written, in the order of the sentence, and whether any is in HGVS."""
    found: list[tuple[int, str]] = []
    for match in sentence.take_all(r"\bwild[ -]?type\b|野生型|\bWT\b", re.IGNORECASE):
        found.append((match.start(), "wild type"))
    hgvs = [(m.start(), m[0]) for m in sentence.take_all(HGVS)]
    found += hgvs
    found += [(m.start(), m[1]) for m in sentence.take_all(CHANGE)]
    lineages = [(m.start(), m[1]) for m in sentence.take_all(LINEAGE)]
    strains = [(m.start(), STRAINS.get(m[0], m[0])) for m in sentence.take_all(NAMED_STRAIN)]
    found += lineages or strains
    return list(dict.fromkeys(name for _, name in sorted(found))), bool(hgvs)


def take_targets(sentence: Sentence) -> list[str]:
    """Protein targets; a virus as a whole counts only where none of its proteins is named."""
    found = take_names("targets", sentence)
    proteins = [name for name in found if name not in read_data("names")["general_targets"]]
    return proteins or found


def take_genes(sentence: Sentence) -> list[str]:
    """Gene symbols: known ones, and the symbol that stands before a variant in HGVS."""
    before_variant = rf"(?<![A-Za-z0-9\-])([A-Z][A-Z0-9]{{1,7}})(?=\s*:?\s*(?:{HGVS}))"
    found = [(m.start(), m[1]) for m in re.finditer(before_variant, sentence.rest)]
    found += [(one.start, one.name) for one in gazetteer("genes").take(sentence)]
    return list(dict.fromkeys(name for _, name in sorted(found)))


def take_sequence(sentence: Sentence) -> str | None:
    """A protein or nucleotide sequence of at least twenty letters."""
    match = sentence.take(rf"(?<![A-Za-z])((?-i:[{RESIDUE}U]{{20,}}))(?![A-Za-z])")
    return match[1] if match else None
