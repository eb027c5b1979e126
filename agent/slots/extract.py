"""All slots of a sentence: the rules in the order in which they must look."""

import re
from dataclasses import dataclass
from typing import Any

from agent.names import gazetteer, take_names
from agent.slots import biology, chemistry
from agent.slots.counts import take_counts
from agent.slots.numbers import NUMBER, number
from agent.slots.physics import take_capacity, take_quantities
from agent.slots.places import take_box, take_region, take_resolution, take_scenario
from agent.slots.properties import take_properties
from agent.slots.resources import take_resources
from agent.slots.sentence import Sentence
from agent.slots.times import take_deadline, take_intervals, take_lead, take_period, take_start

Found = dict[str, Any]
OF_MOLECULES = r"dock|ligand|molecul|librar|database|inhibit|against|\bvs\b|对接|分子|抑制|库"
CLASSES = (
    "oxide",
    "sulfide",
    "nitride",
    "halide",
    "carbide",
    "hydride",
    "catalyst",
)  # of materials; say little of a use


@dataclass(frozen=True)
class Extraction:
    """What the rules found: slots of every domain, the sentence with all of it blanked, and marks that only vote."""

    slots: Found
    masked: str
    marks: frozenset[str]


def extract(text: str) -> Extraction:
    """All slots of a normalised text, before anything is known of its intent.

    Names come first, as their digits are no quantities; then quantities with units, which are no counts; then counts.
    """
    s = Sentence(text)
    found: Found = {}
    found["smiles"] = chemistry.take_smiles(s)
    found["input_file"] = biology.take_file(s)
    found["sequence"] = biology.take_sequence(s)
    found["run_id"] = _run_id(s)
    found |= _names_before_symbols(s)
    found["variants"], hgvs = _genes_and_variants(s, found)
    found["pdb_ids"] = biology.take_pdb_ids(s)
    found["excluded_elements"] = chemistry.take_excluded(s)
    found["surface"] = chemistry.take_surface(s)
    found |= _times_and_places(s)
    found["capacity_MW"] = take_capacity(s)
    found["properties"] = take_properties(s)
    found |= take_resources(s)
    found |= take_quantities(s)
    found["elements"] = chemistry.take_system(s)
    found["adsorbates"] = chemistry.take_adsorbates(s)
    found["formulas"] = chemistry.take_conductors(s) or chemistry.take_formulas(s)
    if not (found["elements"] or found["formulas"] or found["surface"] or found["excluded_elements"]):
        found["formulas"] = take_names("solids", s)
    found["library"] = found["library"] or _own_library(s)
    found = take_counts(s) | found
    found |= take_lead(s)
    found["window_bp"] = _window(s)
    marks = {
        "hgvs": hgvs,
        "limits": any(one.op in ("<", ">", "between") for one in found["properties"]),
        "improves": any(one.op in ("maximize", "minimize") for one in found["properties"])
        and bool(found["molecules"] or found["smiles"]),
        "library_and_target": bool(found["library"] and found["targets"]),
        "gridded": bool(found["dataset"] and found["resolution"]),
        "two_models": len(found["models"]) > 1,
    }
    slots = {slot: value for slot, value in found.items() if value not in (None, [], "")}
    return Extraction(slots, s.rest, frozenset(mark for mark, there in marks.items() if there))


def _names_before_symbols(s: Sentence) -> Found:
    found: Found = {}
    found["scenario"] = take_scenario(s)
    found["models"] = take_names("models", s)
    found["library"] = _known_library(s)
    found["dataset"] = next(iter(take_names("datasets", s)), None)
    found["genome"] = next(iter(take_names("genomes", s)), None)
    found["molecules"] = biology.take_molecules(s)
    found["case"] = next(iter(take_names("cases", s)), None)
    found["device"] = next(iter(take_names("devices", s)), None)
    found["licence"] = next(iter(take_names("licences", s)), None)
    return found


def _genes_and_variants(s: Sentence, found: Found) -> tuple[list[str], bool]:
    found["genes"] = biology.take_genes(Sentence(s.rest))  # EGFR is a gene and a target: the intent decides
    found["targets"] = biology.take_targets(s)
    for gene in found["genes"]:
        s.rest = re.sub(rf"(?<![A-Za-z0-9]){re.escape(gene)}(?![A-Za-z0-9])", lambda match: "□" * len(match[0]), s.rest)
    return biology.take_variants(s)


def _times_and_places(s: Sentence) -> Found:
    found: Found = {}
    found["region_bbox"] = take_box(s)
    found["start"] = take_start(s) if not re.search(r"\d{4}-\d\d-\d\d\s*(?:to|-|~|到|至)\s*\d{4}-", s.rest) else None
    found["period"] = take_period(s)
    found |= take_intervals(s)
    found |= take_deadline(s)
    found["variables"] = take_names("variables", Sentence(s.rest))
    found["resolution"] = take_resolution(s)
    found["region"] = take_region(s)
    found["organism"] = next(iter(take_names("organisms", s)), None)
    return found | _application(s)


def _application(s: Sentence) -> Found:
    """What a material is for: the first, unless a later one says more; and how many, where that stands right before it."""
    mentions = gazetteer("applications").take(s)
    if not mentions:
        return {}
    found: Found = {"application": next((one.name for one in mentions if one.name not in CLASSES), mentions[0].name)}
    for one in mentions:
        count = re.search(rf"(?<![\d.\-])({NUMBER})\s*(?:个|种)?\s*$", s.rest[: one.start], re.IGNORECASE)
        if count and (value := number(count[1])) >= 2:
            s.blank(*count.span(1))
            return found | {"n_candidates": int(value)}
    return found


def _known_library(s: Sentence) -> str | None:
    """A library by name; zinc in small letters is the metal, unless molecules or targets are spoken of."""
    metal = re.search(r"\bzinc\b", s.rest) and not re.search(OF_MOLECULES, s.text, re.IGNORECASE)
    return next(iter(take_names("libraries", Sentence(s.rest.replace("zinc", "    ")) if metal else s)), None)


def _own_library(s: Sentence) -> str | None:
    """The user's own collection: our 50k oxime library."""
    if match := re.search(
        rf"\b(?:our|my)\s+(?:own\s+)?(?:{NUMBER}\s+)?((?:[a-z\-]+\s+){{0,2}})(?:library|collection)\b",
        s.rest,
        re.IGNORECASE,
    ):
        return f"user {match[1].lower()}library"
    match = re.search(
        r"(?:我们|我|本组|自己|自有|实验室)(?:组|实验室|课题组)?的?[^,。;]{0,6}?(?:化合物|分子|小分子)?库", s.rest
    )
    return "user library" if match else None


def _run_id(s: Sentence) -> str | None:
    """The name of a run: a code with a digit after the word run, job or task."""
    word = r"(?:flow[- ]?run|run|job|task|任务|作业|运行|编号|流程)\s*(?:id|号|编号)?\s*[#:]?\s*"
    code = r"((?=[0-9a-z\-]*\d)(?=[0-9a-z\-]*[a-z])[0-9a-z]{3,}(?:-[0-9a-z]+)*|\d{4,})"
    unit = r"(?!\s*(?:ns|ps|compounds|molecules|个|万|k\b|-?day|structures|ligands))"
    match = s.find(rf"(?:{word}|#){code}(?![\w.]){unit}")
    if not match:
        alone = re.search(r"(?<![\w.])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])(?!\d+e\d+\b)[0-9a-f]{4,12}(?![\w.])", s.rest)
        return alone[0] if alone else None
    if re.fullmatch(r"\d+(?:ns|ps|k|m|km|day|days|h|ev)", match[1], re.IGNORECASE):
        return None
    s.blank(match.start(1), match.end(1))
    return match[1]


def _window(s: Sentence) -> int | None:
    match = s.take(rf"({NUMBER})\s*-?\s*(kb|kbp|mb|mbp|bp|碱基)\b")
    if not match:
        return None
    scale = {"k": 1_000, "m": 1_000_000}.get(match[2][0].lower(), 1)
    return int(number(match[1]) * scale)
