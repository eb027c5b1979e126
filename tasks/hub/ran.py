"""A map of where shards ran, as SVG: supernodes, hosts and chips in the colour of the time they were held."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.interchange.hosts import Host, grow, present
from cluster.launch.worker import Seats, seats_of
from cluster.topology import Topology
from cluster.tree import ANY, build
from tasks.hub.ink import DEFINITIONS, INK, both_at, heat, say, short, text_at
from tasks.hub.layout import LETTER, PAD, WIDTH, Box, header_of, lay_out
from tasks.outcomes import ShardSummary

UNUSED, LINE = "#ffffff", "#cbd5e1"
# A cell of this side has room for a host's name; a smaller one than SPLIT shows no single chips.
NAMED, SPLIT = 32.0, 6.0
# A worker of this width has room for its share.
TOLD = 26.0
LEGEND = 40.0


@dataclass
class Work:
    """What ran on a worker, a host or a supernode."""

    shards: int = 0
    chip_s: float = 0.0
    engine_s: float = 0.0

    def add(self, other: "Work") -> None:
        """Add what ran elsewhere."""
        self.shards += other.shards
        self.chip_s += other.chip_s
        self.engine_s += other.engine_s

    def __str__(self) -> str:
        engine = f", {self.engine_s / self.chip_s:.0%} in engine 在引擎内" if self.chip_s else ""
        return f"{self.shards:,} shards 分片, {self.chip_s:,.1f} chip-seconds 芯片·秒{engine}"


@dataclass
class _Hub:
    """A pod's hosts with what ran on each; ``seconds`` is the time at work, of which shares are told."""

    topology: Topology
    by_worker: Mapping[str, Work]
    seconds: float

    def __post_init__(self) -> None:
        hosts = [Host(place.path, place.chips) for place in present(self.topology)]
        whole = grow(self.topology.name, hosts, self.topology.kinds, "the run", self.topology.levels)
        self.tree = build(whole)
        self.seats = {str(place): seats_of(place, whole.kinds) for place in whole.places()}
        self.work = [Work() for _ in self.tree.paths]
        for name, work in self.by_worker.items():
            host = self.tree.number.get(name.rpartition("/")[0])
            for domain in self.tree.ancestors[host] if host is not None else ():
                self.work[domain].add(work)

    def share(self, work: Work, chips: int) -> float:
        return min(1.0, work.chip_s / (chips * self.seconds)) if chips and self.seconds else 0.0


def by_worker(shards: Iterable[ShardSummary]) -> dict[str, Work]:
    """What ran on each worker."""
    found: dict[str, Work] = defaultdict(Work)
    for shard in shards:
        found[shard.place].add(Work(1, shard.wall_s, shard.engine_s))
    return dict(found)


def ran_map(topology: Topology, ran: Mapping[str, Work], seconds: float) -> str:
    """The hosts of a pod as an <svg>, by the share of ``seconds`` in which shards held their chips.

    A worker that drives several chips does not tell which of them it used when: these share a colour.
    """
    hub = _Hub(topology, ran, seconds)
    root, cell = lay_out(hub.tree)
    parts: list[str] = []
    for box in root.walk():
        if box.columns:
            parts += _supernode(hub, box, cell)
        elif box.domain:
            parts += _frame(hub, box)
    top = root.height + 20
    legend = [
        f'<rect x="0" y="{top:.1f}" width="90" height="12" fill="url(#hub-heat)"/>',
        both_at(96, top + 10, "0–100 % of the time at work held by shards", "0–100 % 的运行时间被分片占用"),
    ]
    size = f'viewBox="0 0 {WIDTH:.0f} {root.height + LEGEND:.0f}" role="img"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="hub-map" {size}>{DEFINITIONS}{"".join([*parts, *legend])}</svg>'


def _frame(hub: _Hub, box: Box) -> list[str]:
    """A domain above the supernodes."""
    where = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4"'
    name = hub.tree.paths[box.domain].rpartition("/")[2]
    line = box.y + header_of(hub.tree, box.domain) - 4
    return [f'<rect {where} fill="#f1f5f9" stroke="#e2e8f0"/>', text_at(box.x + PAD, line, name, 10, INK)]


def _supernode(hub: _Hub, box: Box, cell: float) -> list[str]:
    tree, domain = hub.tree, box.domain
    top, hosts = header_of(tree, domain), tree.children[domain]
    work, chips = hub.work[domain], tree.capacity[ANY][domain]
    share = hub.share(work, chips)
    ink, name = INK if share < 0.6 else "#fff", tree.paths[domain].rpartition("/")[2]
    title = f"<title>{say(f'{tree.paths[domain]}: {share:.0%}{chr(10)}{work}')}</title>"
    high = -(-len(hosts) // box.columns) * cell
    found = [f'<g transform="translate({box.x:.1f} {box.y:.1f})">']
    found.append(f'<g>{title}<rect width="{box.width:g}" height="{top:g}" fill="{heat(share)}"/></g>')
    found.append(text_at(2.5, top - 3.2, name, 8.5, ink))
    if LETTER * (len(name) + 4) + 12 < box.width:
        found.append(text_at(box.width - 2.5, top - 3.2, f"{share:.0%}", 8.5, ink, ' text-anchor="end"'))
    for number, host in enumerate(hosts):
        row, column = divmod(number, box.columns)
        found += _host(hub, host, column * cell, top + row * cell, cell)
    edge = (
        f'<rect width="{box.width:g}" height="{top + high:g}" fill="none" stroke="{heat(share)}" stroke-width="1.5"/>'
    )
    return [*found, edge, "</g>"]


def _host(hub: _Hub, host: int, x: float, y: float, cell: float) -> list[str]:
    """A host's workers side by side, each as wide as it has chips."""
    path, work = hub.tree.paths[host], hub.work[host]
    chips = hub.tree.capacity[ANY][host]
    told = f"{path}: {hub.share(work, chips):.0%}\n{work}"
    found = [f"<g><title>{say(told)}</title>"]
    drawn = list(_workers(hub, path)) if cell >= SPLIT else [(work, chips)]
    at = x
    for each, many in drawn:
        found += _chips(hub.share(each, many), each.shards > 0, at, y, cell * many / chips, cell)
        at += cell * many / chips
    if chips <= cell / 4:
        lines = "".join(f"M{x + n * cell / chips:.4g} {y:g}v{cell:g}" for n in range(1, chips))
        found.append(f'<path d="{lines}" stroke="{LINE}" stroke-width=".8"/>')
    found.append(f'<path d="M{x:g} {y:g}h{cell:g}v{cell:g}h-{cell:g}z" fill="none" stroke="{LINE}"/></g>')
    if cell >= NAMED:
        halo = ' paint-order="stroke" stroke="#fff" stroke-width="2.5"'
        name = short(path.rpartition("/")[2], int((cell - 4) / LETTER))
        found.append(text_at(x + 3, y + cell - 4, name, 9, INK, halo))
    return found


def _chips(share: float, used: bool, x: float, y: float, wide: float, high: float) -> list[str]:
    """The chips of one worker, and the share of the time in which they were held where there is room for it."""
    fill, ink = heat(share) if used else UNUSED, INK if share < 0.6 else "#fff"
    found = [f'<rect x="{x:.4g}" y="{y:g}" width="{wide:.4g}" height="{high:g}" fill="{fill}"/>']
    if wide >= TOLD:
        found.append(text_at(x + wide / 2, y + 0.42 * high, f"{share:.0%}", 9, ink, ' text-anchor="middle"'))
    return found


def _workers(hub: _Hub, path: str) -> Iterable[tuple[Work, int]]:
    """What ran on each worker of a host, and its chips, in the order in which workers are numbered."""
    each: list[Seats] = [seats for seats in hub.seats[path] for _ in range(seats.workers)]
    for number, seats in enumerate(each):
        yield hub.by_worker.get(f"{path}/{number}", Work()), seats.chips
