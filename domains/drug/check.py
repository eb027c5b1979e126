"""What must hold before a screen starts: files are there and fit, counts and box make sense."""

from dataclasses import dataclass

from domains.drug import admet
from domains.drug.engines import ENGINES, NO_CHARGES, charged
from domains.drug.library import Library, open_library
from domains.drug.plan import plan
from domains.drug.receptors import Receptor, load
from domains.drug.request import ScreeningRequest
from domains.errors import InvalidRequest
from domains.request import Outline, PlannedStage


@dataclass(frozen=True)
class Screen:
    """A request that can run, with what it refers to."""

    request: ScreeningRequest
    library: Library
    receptor: Receptor

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return self.receptor.name

    @property
    def facts(self) -> dict[str, str]:
        """Checksums of what the request refers to: a resumed run must find the same."""
        return {"library_sha256": self.library.sha256, "receptor_sha256": self.receptor.identity}

    @property
    def summary(self) -> str:
        """One line for people."""
        rows = min(self.request.sample or self.library.rows, self.library.rows)
        return f"Screening {rows:,} of the {self.library.rows:,} records of {self.library.name} against {self.receptor.name}"

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take."""
        return plan(self.request, self.library.rows)


def check(request: ScreeningRequest) -> Screen:
    """Open the library and the receptor of a request; raises InvalidRequest that names field, value and what is valid."""
    receptor = load(request.target, *((request.box.center, request.box.size) if request.box else ()))
    library = open_library(request.library)
    if request.admet:
        admet.installed()
    engine = ENGINES[request.engine]
    if problem := engine.state or (NO_CHARGES if engine.reads_charges and not charged(receptor.path) else ""):
        ready = ", ".join(name for name, engine in ENGINES.items() if not engine.state)
        raise InvalidRequest("engine", request.engine, problem, ready)
    if too_many := _too_many(request, library):
        raise too_many
    return Screen(request, library, receptor)


def outline(request: ScreeningRequest) -> Outline:
    """The stages without the receptor, as one that must be built first takes half a minute; as many rows as are asked for."""
    library = open_library(request.library)
    return Outline(plan(request, max(library.rows, request.sample or 0)), _too_many(request, library))


def _too_many(request: ScreeningRequest, library: Library) -> InvalidRequest | None:
    for field, count in (("top", request.top), ("sample", request.sample)):
        if count is not None and count > library.rows:
            return InvalidRequest(
                field, count, f"the library {library.name} has {library.rows:,} records", f"1 to {library.rows}"
            )
    return None
