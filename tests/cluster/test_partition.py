import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.hubfile import load
from cluster.partition import graph_positions, place, traffic
from cluster.topology import Topology
from cluster.tree import build
from domains.climate.communication import communication
from domains.climate.grid import Tiling


def hub(supernodes):
    """Supernodes of hosts of so many chips each."""
    chip = {"title": "chip", "device": "gpu", "memory": {"value": 64, "unit": "GiB", "status": "assumed"}}
    tree = [
        {
            "name": f"s{at}",
            "of": [{"name": f"h{number}", "chips": {"chip": chips}} for number, chips in enumerate(hosts)],
        }
        for at, hosts in enumerate(supernodes)
    ]
    return build(Topology.model_validate({"name": "hub", "title": "Hub", "kinds": {"chip": chip}, "tree": tree}))


HUBS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=6).map(hub)


@settings(max_examples=60, deadline=None)
@given(HUBS, st.floats(0.1, 3), st.integers(0, 9))
def test_every_vertex_has_a_home_and_no_host_more_than_its_share(tree, load, seed):
    count = max(1, int(load * tree.capacity["any"][0]))
    homes = place(np.random.default_rng(seed).normal(size=(count, 3)), tree)
    assert set(homes) <= set(tree.hosts)
    for host, vertices in zip(*np.unique(homes, return_counts=True), strict=True):
        share = count * tree.capacity["any"][host] / tree.capacity["any"][0]
        assert vertices <= tree.capacity["any"][host] or count > tree.capacity["any"][0]
        assert abs(vertices - share) < 6  # a rounding at each cut


@settings(max_examples=20, deadline=None)
@given(HUBS, st.integers(0, 9))
def test_homes_in_supernodes_and_in_hosts_agree_and_traffic_adds_up(tree, seed):
    random = np.random.default_rng(seed)
    positions, edges, amounts = random.normal(size=(50, 2)), random.integers(0, 50, (200, 2)), random.random(200)
    hosts, supernodes = place(positions, tree), place(positions, tree, "supernode")
    assert np.array_equal(np.array(tree.parent)[hosts], supernodes)
    found = traffic(edges, amounts, hosts, tree)
    assert list(found) == ["hub", "supernode", "host"]
    assert sum(found.values()) == pytest.approx(amounts.sum())
    across = supernodes[edges[:, 0]] != supernodes[edges[:, 1]]
    assert found["hub"] == pytest.approx(amounts[across].sum())


def test_hosts_that_are_absent_get_nothing():
    tree = hub([[4, 4], [4, 4]])
    gone = build(Topology.model_validate({**tree.topology.model_dump(), "health": {"s0": "absent"}}))
    homes = place(np.random.default_rng(0).normal(size=(8, 3)), gone, "supernode")
    assert {gone.paths[home] for home in homes} == {"s1"}
    with pytest.raises(ValueError, match="no chip of kind any"):
        place(
            np.zeros((3, 2)),
            build(Topology.model_validate({**tree.topology.model_dump(), "health": {"s0": "absent", "s1": "absent"}})),
        )


def test_a_sphere_of_60000_tiles_keeps_94_percent_of_its_halos_in_supernodes():
    tree, tiling = build(load("zhengzhou-60k")), Tiling(2400, 100)
    pairs, amounts = communication(tiling)
    stock = np.arange(tiling.count) % 94
    for positions, most in ((tiling.centres(), 0.055), (graph_positions(tiling.count, pairs), 0.06)):
        homes = place(positions, tree, "supernode")
        across = homes[pairs[:, 0]] != homes[pairs[:, 1]]
        assert np.unique(homes, return_counts=True)[1].max() <= 640
        assert amounts[across].sum() / amounts.sum() < most
    assert (stock[pairs[:, 0]] != stock[pairs[:, 1]]).mean() > 0.99
