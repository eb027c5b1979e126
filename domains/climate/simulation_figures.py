"""Figures of a simulation: maps, time series, spectra and errors as SVG text, and an animation."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from PIL import Image, ImageDraw, ImageFont

from domains.climate import sampling
from domains.climate.grid import RADIUS
from domains.climate.simulation import FIELDS, Whole
from domains.figures import as_svg, figure

INK, COOL, WARM, GREY = "#0f172a", "#2f6f9f", "#c4512d", "#8a8f98"
SHARE = 99.9  # % of the values that the colours span


class View(NamedTuple):
    """How a case is shown: its field, in what unit, and the latitude in the middle of the globe of its animation."""

    field: str
    scale: float
    unit: str
    latitude: float


VORTICITY = View("vo", 1e5, "10⁻⁵ s⁻¹", 55)
VIEWS: Mapping[str, View] = {
    "galewsky": VORTICITY._replace(latitude=70),
    "williamson-2": View("zg", 1e-3, "km", 30),
    "williamson-5": VORTICITY._replace(latitude=40),
    "williamson-6": VORTICITY._replace(latitude=50),
    "rest": View("zg", 1e-3, "km", 30),
}
MAP_ROWS = 181
GLOBE = 360  # pixels across
FRAME_MS, LAST_MS, MOST_FRAMES = 110, 1500, 61


def colours(view: View, values: np.ndarray) -> tuple[Any, Normalize]:
    """The colour map of a field and its range: even about zero where the sign matters."""
    if view.field == "zg":
        return colormaps["viridis"], Normalize(float(values.min()), float(values.max()))
    most = float(np.percentile(np.abs(values), SHARE)) or 1.0
    return colormaps["RdBu_r"], Normalize(-most, most)


def maps(view: View, days: Sequence[float], fields: np.ndarray) -> str:
    """The globe (times, 6, n, n) at each of some times, in Mollweide's equal-area projection."""
    longitude, latitude = np.linspace(-np.pi, np.pi, 2 * MAP_ROWS - 1), np.linspace(-np.pi / 2, np.pi / 2, MAP_ROWS)
    points = sampling.at(fields.shape[-1], longitude[None, :], latitude[:, None])
    palette, limits = colours(view, view.scale * fields)
    rows = -(-len(days) // 2)
    with figure(9.2, 2.45 * rows + 0.5) as made:
        axes = made.subplots(rows, 2, squeeze=False, subplot_kw={"projection": "mollweide"}).ravel()
        for one, day, field in zip(axes, days, fields, strict=False):
            mesh = one.pcolormesh(
                longitude, latitude, view.scale * points(field), cmap=palette, norm=limits, shading="nearest", rasterized=True
            )  # fmt: skip
            one.set_title(f"day {day:g}", fontsize=9)
            one.grid(color="#00000022", linewidth=0.5)
            one.set_xticklabels([])
            one.tick_params(labelsize=7)
        for one in axes[len(days) :]:
            one.remove()
        bar = made.colorbar(mesh, ax=axes[: len(days)], orientation="horizontal", fraction=0.04, aspect=50)
        bar.set_label(f"{FIELDS[view.field].title}, {view.unit}")
        return as_svg(made)


def end(vorticity: np.ndarray, height: np.ndarray, latitudes: tuple[float, float], day: float) -> str:
    """Vorticity at the end (6, n, n), with lines of equal height, between two latitudes in degrees."""
    longitude, latitude = np.linspace(-180, 180, 721), np.arange(latitudes[0], latitudes[1] + 0.25, 0.5)
    points = sampling.at(vorticity.shape[-1], np.radians(longitude)[None, :], np.radians(latitude)[:, None])
    shown = VORTICITY.scale * points(vorticity)
    palette, limits = colours(VORTICITY, shown)
    with figure(9.2, 1.3 + 7.6 * len(latitude) / len(longitude)) as made:
        axes = made.subplots()
        mesh = axes.pcolormesh(
            longitude, latitude, shown, cmap=palette, norm=limits, shading="nearest", rasterized=True
        )
        axes.contour(longitude, latitude, points(height), 12, colors=INK, linewidths=0.5, alpha=0.8)
        axes.set_xticks(range(-180, 181, 60), [_degrees(one, "W", "E") for one in range(-180, 181, 60)])
        ticks = range(int(latitudes[0]), int(latitudes[1]) + 1, 20)
        axes.set_yticks(ticks, [_degrees(one, "S", "N") for one in ticks])
        axes.set_title(f"day {day:g}: relative vorticity, and lines of equal height", fontsize=9)
        made.colorbar(mesh, ax=axes, orientation="horizontal", fraction=0.06, aspect=60, shrink=0.8).set_label(
            f"relative vorticity, {VORTICITY.unit}"
        )
        return as_svg(made)


def on_rows(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A field (6, n, n) on parallels (rows, columns), and the sine of their latitudes (rows,)."""
    longitude, latitude = (
        np.linspace(-np.pi, np.pi, 2 * MAP_ROWS - 1)[:-1],
        np.linspace(-np.pi / 2, np.pi / 2, MAP_ROWS),
    )
    return sampling.at(field.shape[-1], longitude[None, :], latitude[:, None])(field), np.sin(latitude)


def _degrees(angle: int, low: str, high: str) -> str:
    return f"{abs(angle)}°{low if angle < 0 else high if angle else ''}"


def budgets(days: Sequence[float], held: Sequence[Whole]) -> str:
    """What mass, energy and potential enstrophy have changed since the start, relatively."""
    words = {"mass": "mass (round-off is 10⁻¹⁶)", "energy": "energy", "enstrophy": "potential enstrophy"}
    with figure(9.2, 2.5) as made:
        for axes, (name, title) in zip(made.subplots(1, 3), words.items(), strict=True):
            values = np.array([getattr(one.budget, name) for one in held])
            axes.plot(days, values / values[0] - 1, color=COOL, linewidth=1.5)
            axes.axhline(0, color=GREY, linewidth=0.6)
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("day")
            axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        made.axes[0].set_ylabel("relative change since the start")
        return as_svg(made)


def spectra(found: Mapping[str, np.ndarray], cells: int) -> str:
    """Kinetic energy by total wave number, m2/s2, at some times by name."""
    with figure(9.2, 3.4) as made:
        axes = made.subplots()
        names = list(found)
        for number, (name, energy) in enumerate(found.items()):
            colour = colormaps["viridis"](0.85 * number / max(1, len(names) - 1))
            axes.loglog(np.arange(1, len(energy) + 1), energy, color=colour, linewidth=1.5, label=name)
        last = found[names[-1]]
        guide = np.array([12.0, cells / 2])
        if len(last) > guide[0]:
            axes.loglog(guide, 3 * last[11] * (guide / 12) ** -3.0, "--", color=GREY, linewidth=1, label="slope −3")
        least = max(float(last.min()), 1e-12 * float(last.max()))
        axes.set_ylim(bottom=least / 3)
        axes.set_xlabel("total wave number")
        axes.set_ylabel("kinetic energy, m² s⁻²")
        top = axes.secondary_xaxis(
            "top", functions=(lambda n: 2e-3 * np.pi * RADIUS / np.maximum(n, 1e-9), lambda km: 2e-3 * np.pi * RADIUS / np.maximum(km, 1e-9))
        )  # fmt: skip
        top.set_xlabel("wavelength, km")
        axes.legend(frameon=False, fontsize=8)
        return as_svg(made)


def errors(days: Sequence[float], held: Sequence[Whole], coarser: Mapping[int, float], cells: int) -> str:
    """Relative errors of depth in time, and at the end by resolution (l2 by cells along a panel's side)."""
    norms = [one.norms for one in held if one.norms]
    with figure(9.2, 3.0) as made:
        left, right = made.subplots(1, 2)
        for name, label, colour in (("l1", "l1", COOL), ("l2", "l2", WARM), ("greatest", "greatest", GREY)):
            left.semilogy(days[1:], [getattr(one, name) for one in norms[1:]], color=colour, label=label)
        left.set_xlabel("day")
        left.set_ylabel("relative error of depth")
        left.legend(frameon=False, fontsize=8)
        _convergence(right, {**coarser, cells: norms[-1].l2})
        return as_svg(made)


def _convergence(axes: Axes, l2: Mapping[int, float]) -> None:
    sizes = sorted(l2)
    axes.loglog(sizes, [l2[one] for one in sizes], "o-", color=WARM, label="l2 at the end")
    guide = np.array([sizes[0], sizes[-1]], float)
    axes.loglog(guide, l2[sizes[0]] * (guide / guide[0]) ** -4, "--", color=GREY, linewidth=1, label="4th order")
    axes.set_xticks(sizes, [f"C{one}" for one in sizes])
    axes.minorticks_off()
    axes.set_xlabel("resolution")
    axes.legend(frameon=False, fontsize=8)


def homes(owner: Sequence[int], tiles: int, names: Sequence[str]) -> str:
    """Which worker holds which tile, on the globe; ``tiles`` along a panel's side."""
    each = 24
    longitude, latitude = np.linspace(-np.pi, np.pi, 2 * MAP_ROWS - 1), np.linspace(-np.pi / 2, np.pi / 2, MAP_ROWS)
    field = np.kron(np.reshape(owner, (6, tiles, tiles)), np.ones((each, each)))
    points = sampling.at(tiles * each, longitude[None, :], latitude[:, None])
    # Nearest cell, not a mean of workers' numbers: the largest of the weights.
    place = np.argmax(points.weight_y, axis=-1)[..., None, None], np.argmax(points.weight_x, axis=-1)[..., None, None]
    source = np.take_along_axis(np.take_along_axis(points.source, place[0], axis=-2), place[1], axis=-1)[..., 0, 0]
    shown = np.round(sampling.padded(field).reshape(-1)[source])
    with figure(6.0, 3.0) as made:
        axes = made.subplots(subplot_kw={"projection": "mollweide"})
        palette = colormaps["Set2"] if len(names) <= 8 else colormaps["turbo"]
        limits = Normalize(-0.5, (8 if len(names) <= 8 else len(names)) - 0.5)
        axes.pcolormesh(longitude, latitude, shown, cmap=palette, norm=limits, shading="nearest", rasterized=True)
        axes.set_xticklabels([])
        axes.tick_params(labelsize=7)
        for number, name in enumerate(names[:8]):
            axes.scatter([], [], color=palette(limits(number)), label=name)
        if len(names) <= 8:
            axes.legend(frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, -0.2), ncols=4)
        return as_svg(made)


def animation(view: View, days: Sequence[float], fields: np.ndarray) -> bytes:
    """The globe (times, 6, n, n) from above, as a GIF that repeats."""
    skipped = -(-len(days) // MOST_FRAMES)
    shown = np.arange(len(days) - 1, -1, -skipped)[::-1]
    points, inside, shade = _globe(fields.shape[-1], np.radians(view.latitude))
    palette, limits = colours(view, view.scale * fields)
    levels = (palette(np.linspace(0, 1, 120))[:, :3] * 255).astype(np.uint8)
    frames = []
    for at in shown:
        picture = np.full((GLOBE, GLOBE, 3), 255, np.uint8)
        level = np.clip(limits(view.scale * points(fields[at])), 0, 1) * (len(levels) - 1)
        picture[inside] = (levels[np.round(level).astype(int)] * shade[:, None]).astype(np.uint8)
        frame = Image.fromarray(picture)
        ImageDraw.Draw(frame).text((4, 2), f"day {days[at]:.2f}", fill=INK, font=ImageFont.load_default(15))
        frames.append(frame.quantize(96, dither=Image.Dither.NONE))
    sink = io.BytesIO()
    frames[0].save(
        sink, "GIF", save_all=True, append_images=frames[1:], loop=0, optimize=True,
        duration=[*[FRAME_MS] * (len(frames) - 1), LAST_MS],
    )  # fmt: skip
    return sink.getvalue()


def _globe(cells: int, middle: float) -> tuple[sampling.Sampling, np.ndarray, np.ndarray]:
    """Points that are seen from above a latitude, where they are in the picture, and how light they are."""
    edge = (np.arange(GLOBE) + 0.5) / GLOBE * 2 - 1
    x, y = np.meshgrid(edge * 1.02, -edge * 1.02)
    inside = x**2 + y**2 < 1
    x, y = x[inside], y[inside]
    z = np.sqrt(1 - x**2 - y**2)
    sine = y * np.cos(middle) + z * np.sin(middle)
    east, out = x, z * np.cos(middle) - y * np.sin(middle)
    points = sampling.at(cells, np.arctan2(east, out), np.arcsin(np.clip(sine, -1, 1)))
    return points, inside, 0.82 + 0.18 * np.sqrt(z)
