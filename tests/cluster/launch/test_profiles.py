import re

import pytest

from cluster.errors import ClusterError
from cluster.launch import resolve, start
from cluster.launch.host import slurm_place
from cluster.launch.worker import Seats, command, seats_of
from cluster.topology import ChipKind, Figure, Place

EVERY = "laptop, emulated:two-supernodes, emulated:FILE.yaml, slurm:PARTITION, ssh:FILE.yaml, kubernetes:NAMESPACE"


@pytest.mark.parametrize(
    "profile", ["slrum", "", "slurm", "slurm:", "ssh:", "kubernetes", "laptop:x", "emulate:laptop"]
)
def test_an_unknown_profile_names_all_valid_ones(profile):
    message = re.escape(f"unknown profile {profile!r}; choose one of {EVERY}")
    with pytest.raises(ClusterError, match=message):
        resolve(profile)
    with pytest.raises(ClusterError, match=message):
        start(profile)


@pytest.mark.parametrize(
    ("profile", "missing"), [("slurm:ai", "sinfo"), ("ssh:x.yaml", "ssh command"), ("kubernetes:lab", "kubectl")]
)
def test_a_site_without_its_commands_is_named(profile, missing, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=f"profile {profile} needs .*{missing}"):
        start(profile)


def test_a_host_is_one_worker_and_a_core_is_one():
    memory = Figure(value=1, unit="GiB", status="assumed")
    kinds = {
        "core": ChipKind(title="core", device="cpu", memory=memory),
        "k100": ChipKind(title="card", device="gpu", memory=memory),
    }
    place = Place(hub="hub", path=("sn0", "h0"), chips={"k100": 8, "core": 4})
    seats = seats_of(place, kinds)
    assert [str(each) for each in seats] == ["k100=1x8", "core=4x1"]
    assert [Seats.parse(str(each)) for each in seats] == seats
    words = command("tcp://head:1", seats, "--place", "sn0/h0")
    assert words[1:] == [
        "-m", "cluster.launch.host", "tcp://head:1", "k100=1x8", "core=4x1", "--place", "sn0/h0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("supernode", "address", "pattern", "place"),
    [
        ("sn1", "fabric.sn0.h3", "switch.switch.node", "sn0/h3"),
        ("u0/sn1", "core.u0.sn0.h3", "switch.switch.switch.node", "u0/sn0/h3"),
        ("sn0", "sn0.h3", "switch.node", "sn0/h3"),
        ("u0/sn0.up1", "sn0.h3", "switch.node", "u0/sn0.up1/h3"),
        ("sn1", "h3", "node", "sn1/h3"),
        ("sn1", None, None, "sn1/h3"),
    ],
)
def test_a_place_is_what_slurm_says_as_deep_as_the_hub_goes(supernode, address, pattern, place):
    environ = {"SLURMD_NODENAME": "h3"}
    if address:
        environ |= {"SLURM_TOPOLOGY_ADDR": address, "SLURM_TOPOLOGY_ADDR_PATTERN": pattern}
    assert slurm_place(supernode, environ) == place
