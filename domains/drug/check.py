"""What must hold before a screen starts: files are there and fit, counts and box make sense."""

from domains.drug.library import Library, open_library
from domains.drug.receptors import Receptor, load
from domains.drug.request import ScreeningRequest
from domains.errors import InvalidRequest


def check(request: ScreeningRequest) -> tuple[Library, Receptor]:
    """Open the library and the receptor of a request; raises InvalidRequest that names field, value and what is valid."""
    receptor = load(request.target, *((request.box.center, request.box.size) if request.box else ()))
    library = open_library(request.library)
    for field, count in (("top", request.top), ("sample", request.sample)):
        if count is not None and count > library.rows:
            raise InvalidRequest(field, count, f"the library {library.name} has {library.rows:,} records", f"1 to {library.rows}")
    return library, receptor
