"""A file of gangs to be placed on a hub at one moment: ``ai4s hub place``."""

from pydantic import Field

from cluster.allocate.gang import Gang, Project
from cluster.hubfile import parse_as, read_text
from cluster.model import Frozen

EXAMPLE = """\
# Gangs for a hub that is empty but for what is down. Save, edit, then: ai4s hub place FILE
hub: zhengzhou-60k
down: [c0/u0/sn0/h3]
projects:
  materials: {share: 2, chip_hours: 100000}
gangs:
  - {name: relax, chips: 64, preferred: supernode, project: materials, duration_s: 7200}
  - name: train
    chips: 2560
    groups: [{chips: 640, level: supernode}, {chips: 8, level: host}]
    project: materials
"""


class PlaceRequest(Frozen):
    """Gangs in order of arrival, on a hub with parts of it out of service."""

    hub: str = "laptop"
    down: tuple[str, ...] = ()
    projects: dict[str, Project] = Field(default_factory=dict)
    preemption: bool = False
    gangs: tuple[Gang, ...] = Field(min_length=1)


def read_request(path: str) -> PlaceRequest:
    """Read a request file; raises TopologyError that names line and key."""
    return parse_as(PlaceRequest, read_text(path, "request "), path)
