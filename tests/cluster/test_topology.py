import pytest

from cluster import discover
from cluster.launch import resolve, start
from cluster.launch.local import here
from cluster.need import Need
from cluster.topology import TopologyError, load, parse, presets

TEXT = """name: mine
title: Mine
kinds:
  k100: {title: K100, device: gpu, memory: {value: 64, unit: GiB, status: assumed}}
links: {}
tree:
  - {name: sn0, hosts: 2, chips: {k100: 8}}
  - {name: sn1, hosts: 1, chips: {k100: 4}}
"""


def test_places_are_hosts_supernode_by_supernode():
    topology = parse(TEXT, "mine.yaml")
    assert [(str(place), place.chips) for place in topology.places()] == [
        ("sn0/host0", 8),
        ("sn0/host1", 8),
        ("sn1/host0", 4),
    ]
    assert topology.chips == 20


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hosts: 2", "hosts: 0", r"mine.yaml, line 7: tree.0.hosts: Input should be greater"),
        ("hosts: 2", "host: 2", r"mine.yaml, line 7: tree.0.hosts: Field required"),
        ("status: assumed", "status: guessed", r"line 4: kinds.k100.memory.status: Input should be 'public'"),
        ("{k100: 4}", "{k200: 4}", r"unknown chip kind \['k200'\]; defined are \['k100'\]"),
        ("sn1", "sn0", "supernode names must differ"),
        ("title: Mine", "title: [", "mine.yaml: while parsing"),
    ],
)
def test_a_wrong_file_is_named_by_line_and_key(old, new, message):
    with pytest.raises(TopologyError, match=message):
        parse(TEXT.replace(old, new, 1), "mine.yaml")


def test_every_preset_loads_and_every_figure_has_a_status():
    for name in presets():
        assert load(name).chips > 0


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("slrum", "choose one of laptop, emulated:two-supernodes"),
        ("emulated:nowhere", "unknown hub 'nowhere'; choose one of"),
        ("emulated:no.yaml", "hub file no.yaml: No such file"),
    ],
)
def test_an_unknown_profile_names_the_valid_ones(profile, message):
    with pytest.raises(TopologyError, match=message):
        resolve(profile)


def test_a_hub_too_large_for_this_machine_is_refused(tmp_path):
    path = tmp_path / "big.yaml"
    path.write_text(TEXT.replace("hosts: 2", "hosts: 200"))
    with pytest.raises(TopologyError, match="has 1,604 chips; one machine emulates 256"):
        resolve(f"emulated:{path}")


def test_the_laptop_is_the_cores_we_may_use():
    topology = discover.laptop()
    assert topology.chips == discover.cores() >= 1


def test_a_need_asks_for_the_chip_and_for_its_kind():
    assert Need().annotations() == {"resources": {"chip": 1}}
    assert Need(chips=2, kind="k100").annotations() == {"resources": {"chip": 2, "chip.k100": 2}}


def test_workers_carry_their_place_and_their_chips(pod):
    from distributed import Client

    with Client(pod.address, set_as_default=False) as client:
        workers = client.run_on_scheduler(
            lambda dask_scheduler: [
                (w.name, w.extra["place"], dict(w.resources)) for w in dask_scheduler.workers.values()
            ]
        )
        assert sorted(workers) == [
            ("sn0/host0/0", "sn0/host0", {"chip": 1, "chip.core": 1}),
            ("sn1/host0/0", "sn1/host0", {"chip": 1, "chip.core": 1}),
        ]
        names = ["sn0/host0/0", "sn1/host0/0"]
        assert [client.submit(here, workers=[name], pure=False).result() for name in names] == names
    assert here() == "local"


def test_leaving_a_pod_in_error_ends_its_processes_at_once():
    import time

    import psutil

    pids: list[int] = []

    def interrupted() -> None:
        with start("emulated:two-supernodes") as pod:
            pids.extend(pod.worker_processes())
            assert all(psutil.pid_exists(pid) for pid in pids)
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pids) == 2
    assert time.monotonic() - started < 10
    assert not any(psutil.pid_exists(pid) for pid in pids)
