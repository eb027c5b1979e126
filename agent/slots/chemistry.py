"""Elements, formulas, surfaces, SMILES: what a chemist or a materials scientist writes in symbols."""

import re

from agent.resource import read_data
from agent.slots.sentence import Sentence

ELEMENTS = list(read_data("elements"))
HAN_ELEMENTS = {names[0]: symbol for symbol, names in read_data("elements").items()}
ENGLISH_ELEMENTS = {name: symbol for symbol, names in read_data("elements").items() for name in names[1:]}
NONMETALS = frozenset(("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I", "Se", "He", "Ne", "Ar", "Kr", "Xe"))
ADSORBATES = "CO2|CO|N2|H2O|H2|O2|NO2|NO|NH3|CH4|CH3OH|OH|H2S|SO2"
UPPER_CASE_FORMULAS = frozenset(("BN", "WC", "VN", "VC", "KF", "KI", "UN", "BP", "UC"))
SUPERCONDUCTING = r"superconduct|electron.phonon|allen.dynes|(?<![a-z\-])tc(?![a-z\-])|超导|电声"
ELEMENTAL = "Al|Cd|Ga|Hf|Hg|Ir|La|Mo|Nb|Os|Pb|Re|Ru|Sn|Ta|Th|Ti|Tl|V|Zn|Zr"  # that superconduct at ambient pressure
NOT_FORMULAS = frozenset(("NaN", "CoV", "InS"))

_SYMBOL = "(?:" + "|".join(sorted(ELEMENTS, key=len, reverse=True)) + ")"
_HAN = "".join(HAN_ELEMENTS)
_ENGLISH = "|".join(sorted(ENGLISH_ELEMENTS, key=len, reverse=True))
_ANY = rf"(?:{_SYMBOL}(?![a-z])|(?i:{_ENGLISH})\b|[{_HAN}])"
_LIST = rf"{_ANY}(?:\s*(?:,|、|and|or|和|与|及|或|/|&)\s*(?:(?:and|or)\s+)?{_ANY})*"
FORMULA = rf"(?<![A-Za-z0-9\-.])((?:{_SYMBOL}\d*(?:\.\d+)?|\((?:{_SYMBOL}\d*)+\)\d*){{2,}})(?![A-Za-z0-9(]|\.\d)"
SYSTEM_WORD = (
    r"\s*(?:chemical\s|ternary\s|binary\s|alloy\s)?(?:system|space|alloy|binar|phase diagram|体系|合金|系|相图|二元)"
)


def elements_in(text: str) -> list[str]:
    """Symbols of the elements that a list names, in any of the three ways."""
    return list(dict.fromkeys(_symbol(word) for word in re.findall(_ANY, text)))


def _symbol(word: str) -> str:
    return ENGLISH_ELEMENTS.get(word.lower()) or HAN_ELEMENTS.get(word) or word


def take_smiles(sentence: Sentence) -> list[str]:
    """Tokens with a bond, ring or branch that RDKit reads as a molecule of at least four heavy atoms; verbatim."""
    found = []
    for match in list(re.finditer(r"(?<![\w.])[A-Za-z\[][A-Za-z0-9@+\-\[\]()=#$/\\%.]{4,}", sentence.text)):
        token = match[0].rstrip(".,;:")
        while token.endswith(")") and token.count("(") < token.count(")"):
            token = token[:-1]
        if _may_be_smiles(token) and _heavy_atoms(token) >= 4:
            found.append(token)
            sentence.blank(match.start(), match.start() + len(token))
    return list(dict.fromkeys(found))


def _may_be_smiles(token: str) -> bool:
    """Whether a token has the marks of a SMILES and not those of a formula, a file name or a code."""
    if re.fullmatch(r"[\w\-.]+\.[a-z]\w{1,6}|[A-Z0-9.\-]+|[A-Z][a-z]?\(\d{3}\)|(?:[A-Z][a-z]?\d*(?:\.\d+)?)+", token):
        return bool(re.fullmatch(r"[CNOSFI]{5,}", token))
    atoms = re.sub(r"Cl|Br|[BCNOPSFIbcnops]|\[[^\]]+\]|[0-9@+\-()=#$/\\%.]", "", token)
    return not atoms and bool(re.search(r"[=#(\[]|[a-z]\d", token)) and bool(re.search("[Cc]", token))


def _heavy_atoms(token: str) -> int:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(token)
    return molecule.GetNumHeavyAtoms() if molecule is not None else 0


def take_excluded(sentence: Sentence) -> list[str]:
    """Elements that must not be there: lead-free, without Co, 无铅, 不含铅和镉."""
    found: list[str] = []
    after = rf"(?:\b(?:without|no|(?:don't|do not|doesn't|must not) (?:want|use|include|need|contain)|excluding|exclude|avoid(?:ing)?|free of|not containing)\s+(?:any\s+)?|(?:不要含|不能含|不含有?|不要|无|去|排除|避免)\s*(?:有)?)({_LIST})(?!\w*[a-z])"
    for match in sentence.take_all(rf"({_ANY})-free\b"):
        found += elements_in(match[1])
    for match in sentence.take_all(after):
        found += elements_in(match[1])
    return list(dict.fromkeys(found))


def take_system(sentence: Sentence) -> list[str]:
    """The elements of a chemical system: Li-P-S-Cl; Li, P and S; 锂镧锆氧体系."""
    joined = rf"(?<![A-Za-z0-9\-])({_SYMBOL}(?:-{_SYMBOL})+)(?![A-Za-z0-9])"
    for match in re.finditer(joined, sentence.rest):
        found = match[1].split("-")
        if len(found) >= 3 or re.match(SYSTEM_WORD, sentence.rest[match.end() :], re.IGNORECASE):
            sentence.blank(match.start(), match.end())
            return list(dict.fromkeys(found))
    listed = rf"(?<![A-Za-z0-9\-])({_ANY}(?:\s*(?:,|、|and|和|与|及|/|-)\s*(?:and\s+)?{_ANY})+)(?![A-Za-z0-9])"
    held = rf"(?:\b(?i:containing|contains|made of)\s+|包?含有?(?!量))\s*({_LIST})(?![A-Za-z0-9\-])|({_ANY})-(?i:containing|bearing|based)\b|([{_HAN}])基(?![础本于因])|\b(?i:with)\s+({_LIST})\s+(?i:in (?:them|it|there))\b|({_LIST})\s+(?i:only|alone)\b"
    if named := re.search(held, sentence.rest):
        sentence.blank(named.start(), named.end())
        return elements_in(next(group for group in named.groups() if group))
    for pattern in (listed, rf"([{_HAN}]{{2,}})"):
        for match in re.finditer(pattern, sentence.rest):
            found = elements_in(match[1])
            enough = len(found) >= 3 or re.match(SYSTEM_WORD, sentence.rest[match.end() :], re.IGNORECASE)
            if enough and len(found) >= 2:
                sentence.blank(match.start(), match.end())
                return found
    return []


def take_surface(sentence: Sentence) -> str | None:
    """A crystal face, as written: Pt(111)."""
    match = sentence.take(rf"(?<![A-Za-z0-9])((?-i:(?:{_SYMBOL}\d*)+)\s?\(-?\d{{3,4}}\))")
    return match[1].replace(" ", "") if match else None


def take_adsorbates(sentence: Sentence) -> list[str]:
    """Small gases, where a sentence speaks of adsorption or uptake."""
    if not re.search("adsor|uptake|selectiv|captur|吸附|选择性|捕集", sentence.text, re.IGNORECASE):
        return []
    return list(dict.fromkeys(m[0] for m in sentence.take_all(rf"(?<![A-Za-z0-9])(?:{ADSORBATES})(?![A-Za-z0-9(])")))


def take_formulas(sentence: Sentence) -> list[str]:
    """Formulas of solids, as written."""
    found = []
    for match in list(re.finditer(FORMULA, sentence.rest)):
        if is_solid(match[1]):
            found.append(match[1])
            sentence.blank(match.start(), match.end())
    return list(dict.fromkeys(found))


def take_conductors(sentence: Sentence) -> list[str]:
    """Elements and compounds, gases among them, where a sentence speaks of superconductivity."""
    if not re.search(SUPERCONDUCTING, sentence.text, re.IGNORECASE):
        return []
    found: list[tuple[int, str]] = []
    for match in sentence.take_all(FORMULA):
        if re.search(r"\d|[a-z]", match[1]):
            found.append((match.start(), match[1]))
    named = rf"(?<![A-Za-z0-9\-])(?:{ELEMENTAL}|(?i:{_ENGLISH}))(?![A-Za-z0-9\-])"
    han = rf"(?<![^\s,、和与及对算看测查])[{_HAN}](?=[\s,、和与及的真会能有是]|单质|金属|$)"
    found += [(match.start(), _symbol(match[0])) for match in sentence.take_all(f"{named}|{han}")]
    return list(dict.fromkeys(name for _, name in sorted(found)))


def is_solid(formula: str) -> bool:
    """Whether symbols in a row are a compound with a metal or metalloid, and not a gas or a code of capitals."""
    symbols = set(re.findall(_SYMBOL, re.sub(r"[\d.()]", " ", formula)))
    if formula in UPPER_CASE_FORMULAS:
        return True
    if len(symbols) < 2 or formula in NOT_FORMULAS or symbols <= NONMETALS:
        return False
    return bool(re.search(r"\d", formula)) or bool(re.search("[a-z]", formula) and re.search("[A-Z].*[A-Z]", formula))
