"""A map of a hub as SVG: supernodes by their place in the tree, hosts as cells, chips in the colour of their gang."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from cluster.allocate.allocator import Allocator
from tasks.hub.ink import DEFINITIONS, FREE, INK, OUT, SOFT, Palette, heat, say, short, text_at
from tasks.hub.layout import LETTER, PAD, WIDTH, Box, header_of, lay_out
from tasks.hub.legend import draw_legend

MOST_TOLD = 6
# A cell of this side has room for the host's name.
NAMED = 32.0


class Chip(NamedTuple):
    """The state of a chip: its kind, who has it, whether it is out of service."""

    kind: str
    gang: str | None
    out: bool


Content = tuple[tuple[Chip, int], ...]
"""Runs of equal chips of a host, in the order of the chips."""


def hub_map(allocator: Allocator) -> str:
    """The hub now, as an <svg> for a page: words in English and Chinese, which the page shows by its ``data-show``."""
    tree = allocator.tree
    palette = Palette.of(list(allocator.running.values()))
    content = contents(allocator)
    root, cell = lay_out(tree)
    parts: list[str] = []
    for box in root.walk():
        if box.columns:
            parts += _supernode(allocator, box, cell, content, palette)
        elif box.domain:
            parts += _frame(allocator, box)
    legend, height = draw_legend(allocator, palette, root.height + 22)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hub-map" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'role="img">{DEFINITIONS}{"".join(parts)}{legend}</svg>'
    )


def contents(allocator: Allocator) -> dict[int, Content]:
    """What each host's chips are; a host that is absent has none."""
    tree, ledger = allocator.tree, allocator.ledger
    holders: dict[int, list[tuple[str, int, str]]] = defaultdict(list)
    for one in allocator.running.values():
        for kind, pairs in one.given.items():
            for host, bits in pairs:
                holders[host].append((kind, bits, one.gang.name))

    def chips(host: int) -> Iterator[Chip]:
        for kind in tree.kinds:
            mine = [(bits, gang) for of, bits, gang in holders[host] if of == kind]
            out = ledger.out[kind][host]
            for number in range(tree.capacity[kind][host]):
                gang = next((name for bits, name in mine if bits >> number & 1), None)
                yield Chip(kind, gang, bool(out >> number & 1))

    return {host: tuple((chip, len(list(run))) for chip, run in groupby(chips(host))) for host in tree.hosts}


def _name(allocator: Allocator, domain: int) -> str:
    return allocator.tree.paths[domain].rpartition("/")[2]


def _counts(allocator: Allocator, domain: int) -> tuple[int, int, int]:
    """Chips installed, in service, held of a domain."""
    tree, ledger = allocator.tree, allocator.ledger
    up = sum(ledger.up[kind][domain] for kind in tree.kinds)
    free = sum(ledger.free[kind][domain] for kind in tree.kinds)
    return sum(tree.capacity[kind][domain] for kind in tree.kinds), up, up - free


def _kinds(allocator: Allocator, domain: int) -> str:
    tree = allocator.tree
    return ", ".join(kind for kind in tree.kinds if tree.capacity[kind][domain])


def _told(held: int, free: int, out: int) -> str:
    named = ((held, "held 占用"), (free, "free 空闲"), (out, "out 停用"))
    return ", ".join(f"{count:,} {word}" for count, word in named if count)


def _frame(allocator: Allocator, box: Box) -> list[str]:
    """A domain above the supernodes: a box with its name, and on the outermost how much of it is held."""
    installed, up, held = _counts(allocator, box.domain)
    size = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4"'
    outer = allocator.tree.level_of[box.domain] == 1
    if not installed:
        style = f'fill="none" stroke="{SOFT}" stroke-dasharray="1 3"'
    else:
        style = f'fill="{"#f1f5f9" if outer else "#e2e8f0"}"'
    name = _name(allocator, box.domain)
    line = box.y + header_of(allocator.tree, box.domain) - 4
    found = [f"<rect {size} {style}/>"] if outer or installed else []
    if not outer:
        return [*found, text_at(box.x + PAD, line + 1, name, 8.5)]
    told = f"{_kinds(allocator, box.domain)} · {held:,} / {up:,}" + (f" · {held / up:.0%}" if up else "")
    fits = installed and 6.5 * len(name) + 5.5 * len(told) + 20 < box.width
    bold = ' font-weight="700"'
    return [*found, text_at(box.x + PAD, line, name, 11, INK, bold, told if fits else "")]


def _supernode(allocator: Allocator, box: Box, cell: float, content: dict[int, Content], palette: Palette) -> list[str]:
    tree = allocator.tree
    installed, up, held = _counts(allocator, box.domain)
    share, hosts, path = held / up if up else 0.0, tree.children[box.domain], tree.paths[box.domain]
    rows, top = -(-len(hosts) // box.columns), header_of(tree, box.domain)
    wide, high = box.columns * cell, rows * cell
    found = [f'<g transform="translate({box.x:.1f} {box.y:.1f})">']
    if not installed:
        found.append(f'<g class="supernode"><title>{say(path)}: absent 未安装</title>')
        found.append(
            f'<rect width="{wide:g}" height="{top + high:g}" fill="#fff" stroke="{SOFT}" stroke-dasharray="1 3"/>'
        )
        return [*found, text_at(2, top - 3, _name(allocator, box.domain), 8.5), "</g></g>"]
    colour, ink = heat(share) if up else OUT, INK if share < 0.6 and up else "#fff"
    title = f"{path}\n{_kinds(allocator, box.domain)}: {_told(held, up - held, installed - up)}\n{share:.0%}"
    found.append(f'<g class="supernode"><title>{say(title)}</title>')
    found.append(f'<rect width="{box.width:g}" height="{top:g}" fill="{colour}"/></g>')
    found.append(text_at(2.5, top - 3.2, _name(allocator, box.domain), 8.5, ink))
    percent = f"{share:.0%}" if up else ""
    if LETTER * (len(_name(allocator, box.domain)) + len(percent)) + 12 < box.width:
        found.append(text_at(box.width - 2.5, top - 3.2, percent, 8.5, ink, ' text-anchor="end"'))
    found.append(f'<g transform="translate(0 {top:g})"><rect width="{wide:g}" height="{high:g}" fill="#fff"/>')
    found += _hosts(allocator, hosts, box.columns, cell, content, palette)
    found.append(_grid(hosts, content, box.columns, cell))
    found += _ranks(hosts, box.columns, cell, content, palette)
    found += _host_names(allocator, hosts, box.columns, cell)
    edge = f'<rect width="{box.width:g}" height="{top + high:g}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    return [*found, "</g>", edge, "</g>"]


def _hosts(
    allocator: Allocator, hosts: range, columns: int, cell: float, content: dict[int, Content], palette: Palette
) -> Iterator[str]:
    """Neighbours with the same chips in the same hands are one element: the page stays small."""
    for runs, members in groupby(hosts, key=content.__getitem__):
        those = list(members)
        title = f"<title>{say(_host_title(allocator, those, runs))}</title>"
        if len(runs) == 1:
            drawn = _area(those[0] - hosts.start, those[-1] - hosts.start, columns, cell)
            fills = [_fill(runs[0][0], palette), *(["url(#hub-out)"] if runs[0][0].out else [])]
            found = "".join(f'<path class="whole" fill="{fill}" d="{drawn}"/>' for fill in fills)
        else:
            found = _mixed(those, runs, hosts.start, columns, cell, palette)
        yield f'<g class="host">{title}{found}</g>'


def _fill(chip: Chip, palette: Palette) -> str:
    return FREE if chip.gang is None else palette.colour[chip.gang]


def _area(first: int, last: int, columns: int, cell: float) -> str:
    """The outline of neighbouring cells, row after row."""
    (top, left), (bottom, right) = divmod(first, columns), divmod(last, columns)
    x, y, u, v, high = left * cell, top * cell, (right + 1) * cell, bottom * cell, cell
    if top == bottom:
        return f"M{x:g} {y:g}H{u:g}v{high:g}H{x:g}z"
    edge = columns * cell
    return f"M{x:g} {y:g}H{edge:g}V{v:g}H{u:g}v{high:g}H0V{y + high:g}H{x:g}z"


def _mixed(those: list[int], runs: Content, start: int, columns: int, cell: float, palette: Palette) -> str:
    """Hosts whose chips differ: each is cut into the parts that its chips make."""
    paths: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    chips = sum(count for _, count in runs)
    for host in those:
        row, column = divmod(host - start, columns)
        x = column * cell
        for chip, count in runs:
            wide = cell * count / chips
            _piece(paths[_fill(chip, palette)], x, row * cell, wide)
            if chip.out:
                _piece(paths["url(#hub-out)"], x, row * cell, wide)
            x += wide
    return "".join(f'<path fill="{fill}" d="{_outline(of, cell)}"/>' for fill, of in paths.items())


def _piece(pieces: list[tuple[float, float, float]], x: float, y: float, wide: float) -> None:
    """Add a piece of a row, or lengthen the one that ends here."""
    if pieces and pieces[-1][1] == y and abs(pieces[-1][0] + pieces[-1][2] - x) < 1e-6:
        x, wide = pieces[-1][0], pieces[-1][2] + wide
        pieces.pop()
    pieces.append((x, y, wide))


def _outline(pieces: Sequence[tuple[float, float, float]], cell: float) -> str:
    return "".join(f"M{x:.4g} {y:g}h{wide:.4g}v{cell:g}h-{wide:.4g}z" for x, y, wide in pieces)


def _host_title(allocator: Allocator, hosts: list[int], runs: Content) -> str:
    """What is seen when the pointer rests: path, kind, held, free and out, gangs with chips and project."""
    paths = allocator.tree.paths
    where = paths[hosts[0]] + (f" – {_name(allocator, hosts[-1])} ({len(hosts)})" if len(hosts) > 1 else "")
    if not runs:
        return f"{where}\nabsent 未安装"
    gangs: dict[str, int] = defaultdict(int)
    held = free = out = 0
    for chip, count in runs:
        chips = count * len(hosts)
        out += chips * chip.out
        held += chips * (chip.gang is not None and not chip.out)
        free += chips * (chip.gang is None and not chip.out)
        if chip.gang is not None:
            gangs[chip.gang] += chips
    lines = [f"{where} · {_kinds(allocator, hosts[0])}", _told(held, free, out)]
    for name, chips in list(gangs.items())[:MOST_TOLD]:
        one = allocator.running[name]
        lines.append(f"{short(name, 40)}: {chips:,} / {one.held:,} · {short(one.gang.project, 24)}")
    return "\n".join([*lines, *([f"+ {len(gangs) - MOST_TOLD:,}"] if len(gangs) > MOST_TOLD else [])])


def _grid(hosts: range, content: dict[int, Content], columns: int, cell: float) -> str:
    """Lines between hosts, and a dotted outline around each one that is absent."""
    rows = -(-len(hosts) // columns)
    lines = [f"M0 {row * cell:g}H{columns * cell:g}" for row in range(1, rows)]
    lines += [f"M{column * cell:g} 0V{rows * cell:g}" for column in range(1, columns)]
    found = f'<path d="{"".join(lines)}" stroke="#94a3b8" stroke-opacity=".6" stroke-width=".6" pointer-events="none"/>'
    found += _chip_lines(hosts, content, columns, cell) if cell >= NAMED else ""
    absent = [divmod(host - hosts.start, columns) for host in hosts if not content[host]]
    inner = cell * 0.7
    dots = [
        f"M{(c + 0.15) * cell:.4g} {(r + 0.15) * cell:.4g}h{inner:.4g}v{inner:.4g}h-{inner:.4g}z" for r, c in absent
    ]
    if dots:
        found += f'<path d="{"".join(dots)}" fill="none" stroke="{SOFT}" stroke-width=".8" stroke-dasharray="1 1.5"/>'
    return found


def _chip_lines(hosts: range, content: dict[int, Content], columns: int, cell: float) -> str:
    """Lines between the chips of a host, where there is room for them."""
    lines = []
    for host in hosts:
        row, column = divmod(host - hosts.start, columns)
        chips = sum(count for _, count in content[host])
        if chips <= cell / 4:
            lines += [f"M{(column + n / chips) * cell:.4g} {row * cell:g}v{cell:g}" for n in range(1, chips)]
    return f'<path d="{"".join(lines)}" stroke="#94a3b8" stroke-opacity=".6" stroke-width=".4" pointer-events="none"/>'


def _ranks(hosts: range, columns: int, cell: float, content: dict[int, Content], palette: Palette) -> Iterator[str]:
    """The number of a named gang where it has a good part of a supernode: colour alone does not tell twelve apart."""
    for rank, one in enumerate(palette.named, start=1):
        mine = [host for host in hosts if content[host] and _mostly(content[host], one.gang.name)]
        if len(mine) * 5 < len(hosts) or cell * len(mine) < 24:
            continue
        cells = [divmod(host - hosts.start, columns) for host in mine]
        middle = [sum(axis) / len(cells) for axis in zip(*cells, strict=True)]
        row, column = middle
        if (int(row + 0.5), int(column + 0.5)) not in cells:
            row, column = min(cells, key=lambda at: (at[0] - middle[0]) ** 2 + (at[1] - middle[1]) ** 2)
        size = 10 if cell < NAMED else 14
        halo = ' font-weight="700" text-anchor="middle" paint-order="stroke" stroke="#fff" stroke-width="2.5"'
        yield text_at((column + 0.5) * cell, (row + 0.5) * cell + 0.36 * size, str(rank), size, INK, halo)


def _mostly(runs: Content, gang: str) -> bool:
    mine = sum(count for chip, count in runs if chip.gang == gang)
    return 2 * mine > sum(count for _, count in runs)


def _host_names(allocator: Allocator, hosts: range, columns: int, cell: float) -> Iterator[str]:
    """Names where they fit into a cell."""
    if cell < NAMED:
        return
    halo = ' paint-order="stroke" stroke="#fff" stroke-width="2.5"'
    for host in hosts:
        row, column = divmod(host - hosts.start, columns)
        name = short(_name(allocator, host), int((cell - 4) / LETTER))
        yield text_at(column * cell + 3, (row + 1) * cell - 4, name, 9, INK, halo)
