import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.climate.communication import communication
from domains.climate.grid import BEYOND, PANELS, RADIUS, Tiling, metric, positions
from domains.climate.halo import HALO, around, halo
from domains.errors import InvalidRequest


def test_panels_are_right_handed_and_know_their_neighbours():
    for panel in range(6):
        outward, first, second = PANELS[panel]
        assert np.array_equal(np.cross(outward, first), second)
        assert len({beyond.panel for beyond in BEYOND[panel]} | {panel}) == 5
        for side, beyond in enumerate(BEYOND[panel]):
            back = BEYOND[beyond.panel][beyond.side]
            assert (back.panel, back.side, back.reversed) == (panel, side, beyond.reversed)


@pytest.mark.parametrize("cells", [12, 24, 48])
def test_control_volumes_fill_the_sphere_to_fourth_order(cells):
    area = metric(Tiling(cells), np.arange(6)).area.sum()
    assert area == pytest.approx(4 * np.pi * RADIUS**2, rel=0.03 / cells**4 * 16)


@pytest.mark.parametrize(
    ("cells", "tiles", "valid"), [(8, 1, "C12 or finer"), (24, 5, "[1, 2, 3, 4]"), (24, 0, "[1,"), (24, 8, "3, 4]")]
)
def test_a_grid_that_cannot_be_is_refused_with_what_can(cells, tiles, valid):
    with pytest.raises(InvalidRequest) as refused:
        Tiling(cells, tiles)
    assert valid in str(refused.value)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([(12, 2), (18, 3), (24, 4), (24, 1), (30, 5)]), st.data())
def test_ghosts_of_any_tile_are_the_smooth_field_beyond_its_sides(cut, data):
    tiling = Tiling(*cut)
    tile = data.draw(st.integers(0, tiling.count - 1))
    field = _smooth(metric(tiling, np.arange(tiling.count)).position).reshape(tiling.count, -1)
    recipe, m = halo(tiling, tile), tiling.size + 2 * HALO
    expected = _smooth(_padded_positions(tiling, tile))[0].ravel()
    for entries, close in ((recipe.copies, 1e-14), (recipe.ghosts, 6 / tiling.cells**5)):
        made = (field[entries.tile, entries.place] * entries.weight).sum(axis=1)
        assert np.abs(made - expected[entries.target]).max(initial=0) < close
    edges, k = tiling.on_edge(tile), tiling.size
    assert len(recipe.copies.target) == (4 - sum(edges)) * HALO * k
    assert len(recipe.ghosts.target) == sum(edges) * 3 * k
    assert sorted(recipe.twins) == [side for side in range(4) if edges[side]]
    assert all(sorted(entries.target) == list(range(6 * k)) for entries in recipe.twins.values())
    assert max(recipe.copies.target.max(initial=0), recipe.ghosts.target.max(initial=0)) < m * m


@pytest.mark.parametrize("cut", [(12, 2), (24, 3), (48, 8)])
def test_the_traffic_of_all_tiles_is_what_their_recipes_read(cut):
    tiling = Tiling(*cut)
    counted: dict[tuple[int, int], int] = {}
    for tile in range(tiling.count):
        owner, place = halo(tiling, tile).cells()
        senders, cells = np.unique(np.unique(owner * tiling.size**2 + place) // tiling.size**2, return_counts=True)
        counted |= {(int(s), tile): 32 * int(c) for s, c in zip(senders, cells, strict=True) if s != tile}
        assert {int(s) for s in senders} - {tile} <= around(tiling, tile)
    pairs, amounts = communication(tiling)
    assert {(int(s), int(r)): int(a) for (s, r), a in zip(pairs, amounts, strict=True)} == counted


def _smooth(position):
    x, y, z = position[:, 0], position[:, 1], position[:, 2]
    return 1 + x * y + z**3 - 0.5 * x


def _padded_positions(tiling, tile):
    panel, row, column = tiling.corner(tile)
    tangents = np.tan((np.arange(-HALO, tiling.cells + HALO) + 0.5) * tiling.spacing - np.pi / 4)
    width = tiling.size + 2 * HALO
    x, y = tangents[column : column + width], tangents[row : row + width]
    return positions(np.array([panel]), x[None, None, :], y[None, :, None])
