import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.hubfile import load
from cluster.interchange import FORMATS, read, write
from cluster.interchange.hostlist import compress, expand
from cluster.topology import ChipKind, Domain, Figure, Topology, TopologyError

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,3}[a-z0-9])?", fullmatch=True)
NUMBERED = st.builds(
    lambda prefix, number, width: f"{prefix}{number:0{width}}", NAMES, st.integers(0, 12), st.integers(1, 3)
)


def hosts(topology):
    return {str(place): place.chips for place in topology.places()}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("h[0-2,9]", ["h0", "h1", "h2", "h9"]),
        ("n[001-003],x", ["n001", "n002", "n003", "x"]),
        ("n[8-11]", ["n8", "n9", "n10", "n11"]),
        ("rack[1-2]n[01-02]-ib", ["rack1n01-ib", "rack1n02-ib", "rack2n01-ib", "rack2n02-ib"]),
        ("[1101-1102]", ["1101", "1102"]),
    ],
)
def test_hostlists_expand(text, names):
    assert expand(text, "here") == names
    assert expand(compress(names), "here") == names


@pytest.mark.parametrize(
    "text", ["", "h[", "h]", "h[]", "h[a-b]", "h[1-2", "a,,b", "h[[1]]", "h[0-99999999]", "a b", "h[1-]"]
)
def test_a_hostlist_that_cannot_be_read_is_named(text):
    with pytest.raises(TopologyError, match="here: cannot read the hostlist"):
        expand(text, "here")


@given(st.lists(st.one_of(NAMES, NUMBERED), min_size=1, max_size=30))
@settings(deadline=None)
def test_compressed_hostlists_expand_to_the_same_names_in_the_same_order(names):
    assert expand(compress(names), "here") == names


KINDS = {
    name: ChipKind(title=name, device=device, memory=Figure(value=64, unit="GiB", status="assumed"))
    for name, device in {"k100": "gpu", "A910": "npu", "core": "cpu"}.items()
}
CHIPS = st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers(1, 16), min_size=1)


@st.composite
def hubs(draw):
    """Hubs of random depth and fan-out, whose names may repeat in different places."""
    levels = ("hub", *draw(st.sampled_from([(), ("unit",), ("row", "unit")])), "supernode", "host")
    names = st.one_of(NAMES, NUMBERED)

    def domains(depth):
        named = draw(st.lists(names, min_size=1, max_size=3, unique=True))
        if depth == len(levels) - 1:
            return tuple(Domain(name=name, chips=draw(CHIPS)) for name in named)
        return tuple(Domain(name=name, of=domains(depth + 1)) for name in named)

    return Topology(name="the.hub", title="Any", kinds=KINDS, levels=levels, tree=domains(1))


@pytest.mark.parametrize("name", [name for name, found in FORMATS.items() if found.writer])
@given(hub=hubs())
@settings(deadline=None, max_examples=25)
def test_what_is_written_reads_back_as_the_same_tree(name, hub):
    files = write(name, hub)
    back = read(name, files)
    assert (back.name, back.levels, hosts(back)) == (hub.name, hub.levels, hosts(hub))
    assert [str(place) for place in back.places()] == [str(place) for place in hub.places()]
    assert write(name, hub) == write(name, back) == files


@given(st.recursive(st.integers(1, 4), lambda below: st.lists(below, min_size=1, max_size=3), max_leaves=8))
@settings(deadline=None)
def test_any_tree_of_switches_reads_back_as_it_was_read(shape):
    lines, nodes = [], iter(range(1000))

    def switch(below):
        name = f"s{len(lines)}"
        lines.append("")
        if isinstance(below, int):
            lines[int(name[1:])] = f"SwitchName={name} Nodes={','.join(f'n{next(nodes)}' for _ in range(below))}"
        else:
            lines[int(name[1:])] = f"SwitchName={name} Switches={','.join([switch(part) for part in below])}"
        return name

    switch(shape)
    topology = read("slurm", {"topology.conf": "\n".join(lines)})
    assert len(hosts(topology)) == next(nodes)
    back = read("slurm", write("slurm", topology))
    assert (back.levels, hosts(back)) == (topology.levels, hosts(topology))


def test_an_unknown_format_names_the_valid_ones():
    with pytest.raises(TopologyError, match="unknown format 'slrum'; choose one of slurm, slurm-block"):
        read("slrum", {"a": "b"})
    with pytest.raises(TopologyError, match="format slurm: give at least one file"):
        read("slurm", {})
    with pytest.raises(TopologyError, match="format kubernetes cannot be written; choose one of slurm"):
        write("kubernetes", load("two-supernodes"))
