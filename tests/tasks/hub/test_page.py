import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import drain, fail
from cluster.allocate.gang import Gang
from cluster.hubfile import load
from cluster.simulate.jobs import Failure, Job
from cluster.simulate.record import Record
from cluster.simulate.simulator import simulate
from cluster.topology import Figure, Power
from tasks.hub.charts import power
from tasks.hub.ink import COLOURS
from tasks.hub.map import hub_map
from tasks.hub.page import write_map, write_simulation
from tasks.hub.tables import sources
from tasks.hub.words import energy

SVG = "{http://www.w3.org/2000/svg}"
STATES = {"held": "占用", "free": "空闲", "out": "停用"}
EVIL = "<script>alert(1)</script> & 气候\x00"
PRESETS = (
    "zhengzhou-60k",
    "zhengzhou-30k",
    "gb200-superpod",
    "cloudmatrix384",
    "tpu7x-pod",
    "frontier",
    "two-supernodes",
    "laptop",
)


def titles(svg: str) -> list[str]:
    """What the hosts of a map say when the pointer rests on them."""
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return [group.findtext(f"{SVG}title") or "" for group in groups if group.get("class") == "host"]


def told(svg: str) -> dict[str, int]:
    """Chips by state, added up over the hosts of a map."""
    found = dict.fromkeys(STATES, 0)
    for title in titles(svg):
        for count, state in re.findall(r"([\d,]+) (held|free|out) ", title.partition("\n")[2]):
            found[state] += int(count.replace(",", ""))
    return found


def some_supernode(allocator: Allocator) -> str:
    tree = allocator.tree
    return next(tree.paths[domain] for domain in tree.at_level[-2] if tree.capacity[tree.kinds[0]][domain])


def chips(allocator: Allocator) -> dict[str, int]:
    ledger, kinds = allocator.ledger, allocator.tree.kinds
    up, free = (sum(counts[kind][0] for kind in kinds) for counts in (ledger.up, ledger.free))
    return {"held": up - free, "free": free, "out": allocator.topology.chips - up}


@pytest.fixture(scope="module")
def day() -> Record:
    """A small day on the half-built hub: enough to wait for, one job too large, a supernode that fails."""
    topology = load("zhengzhou-30k")
    sizes = (1, 8, 64, 640, 2560)
    jobs = [
        Job(60.0 * n, Gang(name=f"job-{n}", chips=sizes[n % 5], preferred="supernode" if n % 5 < 4 else None), 3000.0)
        for n in range(200)
    ]
    jobs += [Job(5.0, Gang(name=f"huge-{n} {EVIL}", chips=20_000 + n), 60.0) for n in range(3)]
    return simulate(topology, jobs, failures=[Failure(6000.0, "c0/u0/sn0", 3000.0)])


@pytest.fixture(scope="module")
def pages(day: Record, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The day's page in both languages."""
    maps, folder = [("At noon <b>", hub_map(day.allocator))], tmp_path_factory.mktemp("pages")
    about, title = {"Trace": "x & y"}, f"A day {EVIL}"
    write_simulation(day, folder / "en.html", title=title, about=about, maps=maps)
    write_simulation(day, folder / "zh.html", title=title, about=about, maps=maps, language="zh")
    return {path.stem: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("name", PRESETS)
def test_the_map_of_every_preset_accounts_for_every_chip(name: str) -> None:
    allocator = Allocator(load(name))
    allocator.submit(Gang(name="one", chips=1), 0)
    allocator.submit(Gang(name="half", chips=max(1, allocator.topology.chips // 2), mixed=True), 0)
    allocator.schedule(0)
    fail(allocator, some_supernode(allocator), 1)

    svg = hub_map(allocator)

    assert told(svg) == chips(allocator)
    assert 'fill="url(#hub-out)"' in svg
    assert svg.count('<g class="supernode">') == len(allocator.tree.at_level[-2])


def test_boxes_of_a_level_do_not_overlap() -> None:
    svg = ElementTree.fromstring(hub_map(Allocator(load("zhengzhou-60k"))))
    corners = set()
    for group in svg.findall(f"{SVG}g"):
        x, y = map(float, (group.get("transform") or "")[10:-1].split())
        frame = group.findall(f"{SVG}rect")[-1]
        corners.add((x, y, x + float(frame.get("width", 0)), y + float(frame.get("height", 0))))
    assert len(corners) == 94
    assert max(right for _, _, right, _ in corners) <= 1032
    for left, top, right, bottom in corners:
        assert not any(
            left < r and right > x and top < b and bottom > y for x, y, r, b in corners - {(left, top, right, bottom)}
        )


def test_states_are_drawn() -> None:
    allocator = Allocator(load("zhengzhou-30k"))
    plain = hub_map(allocator)
    assert 'stroke-dasharray="1 3"' in plain
    assert "c3/u0/sn0: absent" in plain
    assert 'd="M0 0' in plain
    assert 'class="whole" fill="url(#hub-out)"' not in plain
    assert 'stroke-dasharray="1 3"' not in hub_map(Allocator(load("zhengzhou-60k")))

    allocator.submit(Gang(name="stays", chips=640, required="supernode"), 0)
    (allocation,) = allocator.schedule(0)
    drain(allocator, allocator.tree.paths[allocation.hosts()[0]])
    fail(allocator, "c2/u0/sn0/h0", 1, chips=3)
    found = titles(hub_map(allocator))
    assert told(hub_map(allocator)) == chips(allocator) == {"held": 632, "free": 30_080 - 643, "out": 11}
    assert any("8 out" in title and "stays: 8 / 640 · default" in title for title in found)
    assert any("5 free" in title and "3 out" in title for title in found)


def test_one_absent_host_is_dotted() -> None:
    topology = load("cloudmatrix384").model_copy(update={"health": {"sn0/node3": "absent"}})
    svg = hub_map(Allocator(topology))
    assert told(svg)["free"] == 376
    assert 'stroke-dasharray="1 1.5"' in svg
    assert any("absent" in title for title in titles(svg))


def test_a_gang_keeps_its_colour() -> None:
    allocator = Allocator(load("frontier"))
    allocator.submit(Gang(name="long", chips=512), 0)
    allocator.schedule(0)
    colour = next(fill for fill in COLOURS if f'class="whole" fill="{fill}"' in hub_map(allocator))
    allocator.submit(Gang(name="other", chips=256), 0)
    allocator.schedule(0)
    assert f'class="whole" fill="{colour}"' in hub_map(allocator)
    assert "long" in hub_map(allocator)


def test_names_are_escaped(tmp_path: Path) -> None:
    allocator = Allocator(load("two-supernodes"))
    allocator.submit(Gang(name=EVIL, chips=2, project="a&b<i>"), 0)
    allocator.schedule(0)
    svg = hub_map(allocator)
    assert "<script>" not in svg
    assert any("<script>alert(1)" in title and "a&b<i>" in title for title in titles(svg))
    write_map(allocator, tmp_path / "map.html")
    assert "<script>alert" not in (tmp_path / "map.html").read_text()


def test_a_full_hub_stays_small() -> None:
    allocator = Allocator(load("zhengzhou-60k"))
    for number in range(1500):
        allocator.submit(Gang(name=f"gang-with-a-long-name-{number}", chips=3 + number % 71), 0)
    allocator.schedule(0)
    while allocator.queue and allocator.schedule(0):
        pass
    assert len(allocator.running) > 1400
    svg = hub_map(allocator)
    assert len(svg) < 2_000_000
    assert told(svg) == chips(allocator)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_answers(day: Record, pages: dict[str, str], language: str) -> None:
    page = pages[language]
    summary = day.summary()
    assert f'data-show="{language}"' in page
    assert f"{100 * summary['utilisation_while_gangs_arrive']:.1f} %" in page
    assert energy(sum(summary["energy_kwh"].values())) in page
    assert f"{summary['makespan_s'] / max(summary['bounds_s'].values()):.2f} 倍" in page
    order = [
        page.index(text) for text in ("算力用得充分吗", "谁在等待，为什么", "耗能多少", "随时间变化", "按规模的等待")
    ]
    assert order == sorted(order)
    assert "modelled" in page
    assert "模型估算" in page
    assert page.count("<svg") == 8
    assert "At noon &lt;b&gt;" in page
    assert "x &amp; y" in page
    assert "<script>alert" not in page
    assert not re.search(r'(src|href)="[^#]', page), "the page needs nothing from outside"
    assert re.search(r'<td class="n">3</td><td class="long">huge-0', page), (
        "refusals that differ in numbers are one row"
    )
    assert "assumed" in page
    assert "假设" in page
    assert "860 kW a cabinet" in page
    assert len(page) < 3_000_000


def test_every_word_has_both_languages(day: Record, pages: dict[str, str], tmp_path: Path) -> None:
    page = pages["en"]
    assert page.count('<span lang="en">') == page.count('<span lang="zh">') > 60
    write_map(day.allocator, tmp_path / "map.html", "zh")
    page = (tmp_path / "map.html").read_text()
    assert page.count('<span lang="en">') == page.count('<span lang="zh">') > 20
    assert "30,080" in page
    assert "scaleFabric" in page
    assert 'data-show="zh"' in page


def test_an_empty_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing was simulated"):
        write_simulation(simulate(load("two-supernodes"), []), tmp_path / "x.html", title="x", about={})


def test_a_hub_without_power_figures_says_so(tmp_path: Path) -> None:
    jobs = [Job(float(n), Gang(name=f"j{n}", chips=1), 30.0) for n in range(4)]
    write_simulation(simulate(load("two-supernodes"), jobs), tmp_path / "x.html", title="x", about={})
    assert "no power figures" in (tmp_path / "x.html").read_text()


def test_the_cap_of_the_hub_is_a_line(day: Record) -> None:
    assert "#dc2626" not in power(day)
    cap = Figure(value=50_000, unit="kW", status="assumed")
    capped = load("two-supernodes").model_copy(update={"power": Power(cap={"hub": cap})})
    record = simulate(capped, [Job(0.0, Gang(name="one", chips=1), 30.0)])
    assert "#dc2626" in power(record)


def test_every_figure_of_a_hub_has_its_line() -> None:
    rows = [row for group in sources(load("zhengzhou-60k")).values() for row in group]
    assert sum(row.number for row in rows) == 6 * 6 + 12 + 3
    assert ("k1 / k2 / k3 / k4 / k6", "64 GiB", "assumed") in {(row.of, row.value, row.status) for row in rows}
    assert ("k1 / k2 / k3 / k4 / k5 / k6", "1 / 0.9 / 0.8 / 0.7 / 1.2 / 0.5") in {(row.of, row.value) for row in rows}
