import pytest

from cluster.topology import Topology


@pytest.fixture
def unlike() -> Topology:
    """A hub of clusters of supernodes, with a link a level."""

    def figure(value: float, unit: str) -> dict[str, object]:
        return {"value": value, "unit": unit, "status": "assumed"}

    def link(bandwidth: float, **more: object) -> dict[str, object]:
        return {"bandwidth": figure(bandwidth, "GB/s"), "latency": figure(1, "us"), **more}

    return Topology.model_validate(
        {
            "name": "unlike",
            "title": "Unlike",
            "kinds": {"a": {"title": "A", "device": "gpu", "memory": figure(64, "GiB")}},
            "levels": ["hub", "cluster", "supernode", "host"],
            "links": {
                "hub": link(1, oversubscription=figure(2, "ratio")),
                "cluster": link(10),
                "supernode": link(100),
            },
            "tree": [
                {
                    "name": "c",
                    "count": 2,
                    "of": [{"name": "sn", "count": 2, "of": [{"name": "h", "count": 2, "chips": {"a": 8}}]}],
                }
            ],
        }
    )
