"""What the colours of the map mean: occupancy, states of a chip, the largest gangs by name, the others by size."""

from collections import Counter

from cluster.allocate.allocator import Allocator
from tasks.hub.ink import FREE, GREYS, INK, SOFT, Palette, both_at, short, size_class, size_names, text_at
from tasks.hub.layout import WIDTH

LINE = 20.0
ACROSS = 4


def draw_legend(allocator: Allocator, palette: Palette, top: float) -> tuple[str, float]:
    """The legend from a height on, and the height where it ends."""
    levels = " › ".join(allocator.tree.levels[1:])
    parts = [*_states(top), both_at(600, top + 10, f"boxes: {levels}", f"方框：{levels}")]
    line = top + 1.5 * LINE
    for rank, one in enumerate(palette.named):
        x, y = rank % ACROSS * WIDTH / ACROSS, line + rank // ACROSS * LINE
        parts.append(_swatch(x, y, palette.colour[one.gang.name]))
        parts.append(text_at(x + 18, y + 10, f"{rank + 1}", 11, INK, ' font-weight="700"'))
        told = f"{one.held:,} · {short(one.gang.project, 14)}"
        parts.append(text_at(x + 38, y + 10, short(one.gang.name, 15), 11, INK, tail=told))
    line += -(-len(palette.named) // ACROSS) * LINE
    others = _others(allocator, palette)
    if others:
        parts.append(_line(line + 14, "en", "Other gangs, by chips each:", others, "{} ({} chips)"))
        parts.append(_line(line + 14, "zh", "其余作业，按芯片数：", others, "{} 个（{} 芯片）"))
        line += 1.2 * LINE
    return "".join(parts), line + 4


def _states(top: float) -> list[str]:
    """The first line: the heat of a supernode, and chips that are not somebody's."""
    parts = [f'<rect x="0" y="{top:.1f}" width="90" height="12" fill="url(#hub-heat)"/>']
    parts.append(
        both_at(96, top + 10, "0–100 % of its chips in service are held", "超节点占用率 0–100 %（占在用芯片）")
    )
    parts += [_swatch(330, top, FREE), both_at(348, top + 10, "free", "空闲")]
    parts += [_swatch(390, top, "url(#hub-out)"), both_at(408, top + 10, "out of service", "停用")]
    parts += [_swatch(500, top, "none", dotted=True), both_at(518, top + 10, "absent", "未安装")]
    return parts


def _swatch(x: float, y: float, fill: str, *, dotted: bool = False) -> str:
    dash = ' stroke-dasharray="1 2"' if dotted else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="12" fill="{fill}" stroke="{SOFT}" stroke-width=".8"{dash}/>'
    )


def _line(y: float, language: str, heading: str, others: list[tuple[str, str, int, int]], words: str) -> str:
    """One line of text, its squares as letters: so nothing overlaps, whatever the numbers."""
    told = "".join(
        f'<tspan dx="14" fill="{grey}" stroke="{SOFT}" stroke-width=".5">■</tspan> '
        f"{size}: {words.format(f'{gangs:,}', f'{chips:,}')}"
        for size, grey, gangs, chips in others
    )
    return f'<text x="0" y="{y:.1f}" font-size="11" fill="{INK}" lang="{language}">{heading}{told}</text>'


def _others(allocator: Allocator, palette: Palette) -> list[tuple[str, str, int, int]]:
    """For each class of size: its chips, its grey, gangs and chips of those that have no colour of their own."""
    gangs: Counter[int] = Counter()
    chips: Counter[int] = Counter()
    named = {one.gang.name for one in palette.named}
    for one in allocator.running.values():
        if one.gang.name not in named:
            gangs[size_class(one)] += 1
            chips[size_class(one)] += one.held
    return [(size_names()[number], GREYS[number], gangs[number], chips[number]) for number in sorted(gangs)]
