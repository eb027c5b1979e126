import pytest

from cluster import discover
from cluster.hubfile import dump, load, parse, presets
from cluster.launch import resolve, start
from cluster.launch.local import here
from cluster.need import Need
from cluster.topology import TopologyError
from cluster.tree import build

TEXT = """name: mine
title: Mine
kinds:
  k100: {title: K100, device: gpu, memory: {value: 64, unit: GiB, status: assumed}}
tree:
  - {name: sn0, of: [{name: host, count: 2, chips: {k100: 8}}]}
  - {name: sn1, of: [{name: host, count: 1, chips: {k100: 4}}]}
"""


def test_places_are_hosts_supernode_by_supernode():
    topology = parse(TEXT, "mine.yaml")
    assert [(str(place), place.supernode, place.chips) for place in topology.places()] == [
        ("sn0/host0", "sn0", {"k100": 8}),
        ("sn0/host1", "sn0", {"k100": 8}),
        ("sn1/host0", "sn1", {"k100": 4}),
    ]
    assert topology.chips == 20


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count: 2", "count: 0", r"mine.yaml, line 6: tree.0.of.0.count: Input should be greater"),
        ("count: 2", "hosts: 2", r"mine.yaml, line 6: tree.0.of.0.hosts: Extra inputs"),
        ("status: assumed", "status: guessed", r"line 4: kinds.k100.memory.status: Input should be 'public'"),
        ("status: assumed", "status: public", r"line 4: kinds.k100.memory: a public figure needs its source"),
        ("unit: GiB", "unit: MB", r"line 4: kinds.k100.memory: is given in MB; give it in GiB"),
        ("{k100: 4}", "{k200: 4}", r"line 7: tree.1.of.0.chips: unknown chip kind \['k200'\]; defined are \['k100'\]"),
        ("sn1", "sn0", r"line 6: tree: two domains are named sn0; names must differ"),
        (", chips: {k100: 4}", "", r"line 7: tree.1.of.0: host is at level host: it has chips"),
        (
            "of: [{name: host, count: 1, chips: {k100: 4}}]",
            "chips: {k100: 4}",
            "tree.1: sn1 is at level supernode: it needs 'of'",
        ),
        ("title: Mine", "title: [", "mine.yaml: while parsing"),
        ("title: Mine", "title: Mine\ntitle: Yours", "mine.yaml, line 3: title: is given twice"),
        (
            "title: Mine",
            "title: Mine\nlevels: [hub, host]",
            r"line 3: levels: got \['hub', 'host'\]; give the root's level first",
        ),
        ("title: Mine", "title: Mine\nlinks: {rack: {}}", "line 3: links.rack.bandwidth: Field required"),
        ("title: Mine", "title: Mine\nhealth: {sn7: down}", "line 3: health: there is no domain sn7"),
        ("title: Mine", "title: Mine\nextends: nowhere", "extends: unknown hub 'nowhere'; choose one of"),
        (TEXT, "- a list", "mine.yaml, line 1: the file has no keys; it needs name, title, kinds, tree"),
    ],
)
def test_a_wrong_file_is_named_by_line_and_key(old, new, message):
    with pytest.raises(TopologyError, match=message):
        parse(TEXT.replace(old, new, 1), "mine.yaml")


LINK = (
    "{bandwidth: {value: 1, unit: GB/s, status: assumed}, latency: {value: 1, unit: us, status: assumed}, torus: [3]}"
)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (f"links: {{rack: {LINK}}}", r"line 3: links: unknown level \['rack'\]; the levels are"),
        (f"links: {{supernode: {LINK}}}", "line 3: links.supernode.torus: its supernodes do not have 3 children each"),
        ("power: {cap: {rack: {value: 1, unit: kW, status: assumed}}}", r"line 3: power.cap: unknown level \['rack'\]"),
    ],
)
def test_links_and_power_fit_the_tree(key, message):
    with pytest.raises(TopologyError, match=message):
        parse(TEXT.replace("title: Mine", f"title: Mine\n{key}"), "mine.yaml")


def test_a_hub_file_says_the_same_again_when_written():
    for name in presets():
        topology = load(name)
        assert parse(dump(topology), "again.yaml") == topology


@pytest.mark.parametrize(
    ("name", "chips", "supernodes"),
    [
        ("zhengzhou-60k", 60_160, 94),
        ("zhengzhou-30k", 30_080, 47),
        ("gb200-superpod", 9_216, 128),
        ("cloudmatrix384", 384, 1),
        ("tpu7x-pod", 9_216, 144),
        ("frontier", 37_888, 74),
    ],
)
def test_the_presets_have_the_sizes_that_are_published(name, chips, supernodes):
    topology = load(name)
    tree = build(topology)
    assert topology.chips == tree.capacity["any"][0] == chips
    assert sum(tree.capacity["any"][domain] > 0 for domain in tree.at_level[-2]) == supernodes
    assert len(tree.hosts) == len(list(topology.places()))


def test_the_tree_knows_hosts_ancestors_and_where_ways_meet():
    tree = build(load("zhengzhou-60k"))
    unit, host = tree.number["c1/u2"], tree.number["c1/u2/sn1/h79"]
    assert [tree.paths[domain] for domain in tree.ancestors[host]] == ["c1/u2/sn1/h79", "c1/u2/sn1", "c1/u2", "c1", ""]
    assert tree.capacity["k2"][unit] == 1280
    assert len(tree.hosts_under(unit)) == 160
    assert host in tree.hosts_under(unit)
    other = tree.number["c1/u2/sn0/h0"]
    assert tree.levels[tree.meeting(host, other)] == "unit"
    assert tree.levels[tree.meeting(host, tree.number["c5/u0/sn0/h0"])] == "hub"


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
    path.write_text(TEXT.replace("count: 2", "count: 200"))
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
    left: list[float] = []

    def interrupted() -> None:
        with start("emulated:two-supernodes") as pod:
            pids.extend(pod.worker_processes())
            assert all(psutil.pid_exists(pid) for pid in pids)
            left.append(time.monotonic())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pids) == 2
    assert time.monotonic() - left[0] < 10
    assert not any(psutil.pid_exists(pid) for pid in pids)
