"""Maps of fields on latitudes and longitudes, side by side with one scale, as SVG text; no data from the network."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from domains.climate.regrid import LatLon
from domains.figures import as_svg, figure


def maps(
    fields: Mapping[str, tuple[LatLon, np.ndarray]], unit: str, colours: str, centred: bool = False, columns: int = 3
) -> str:
    """Fields (n, m) by their title, each on its grid; colours reach from the 1st to the 99th percentile of all of them.

    ``centred``: zero is the middle colour.
    """
    every = np.concatenate([values[np.isfinite(values)] for _, values in fields.values()])
    low, high = np.percentile(every, [1, 99]) if len(every) else (0.0, 1.0)
    if centred:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    rows = -(-len(fields) // columns)
    across = min(columns, len(fields))
    grid = next(iter(fields.values()))[0]
    shape = (grid.latitude[-1] - grid.latitude[0]) / (grid.longitude[-1] - grid.longitude[0])
    with figure(9.2, rows * (8.2 / across * min(1.2, shape) + 0.5) + 0.6) as made:
        axes = made.subplots(rows, across, squeeze=False).ravel()
        for one, (title, (grid, values)) in zip(axes, fields.items(), strict=False):
            drawn = one.pcolormesh(
                grid.longitude, grid.latitude, values, cmap=colours, vmin=low, vmax=high, rasterized=True
            )
            one.set_title(title, fontsize=9)
            _degrees(one)
        for one in axes[len(fields) :]:
            one.set_visible(False)
        made.colorbar(drawn, ax=list(axes), label=unit, orientation="horizontal", shrink=0.5, aspect=40, extend="both")
        return as_svg(made)


def _degrees(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}°")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}°")
    axes.tick_params(labelsize=7, length=2)
