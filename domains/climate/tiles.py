"""A group of tiles that lives in one process: its state, what it sends to other groups, and the stages of a step.

A stage of a group, between which a runtime carries messages from group to group:

    group.begin(stage)                      primitive values of all tiles
    {peer: group.pack(peer)}                one array for each peer: send
    group.advance_inner(stage, dt)          tiles that need no message, while messages travel
    group.unpack(peer, array)               for each peer: received
    group.advance_outer(stage, dt)          the others

Three stages are a step. The bits of a tile's state depend neither on how the sphere is cut nor on who holds which tile.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from domains.climate.cases import Case
from domains.climate.dynamics import STAGES, coefficients
from domains.climate.grid import EAST, NORTH, SOUTH, WEST, Tiling, metric
from domains.climate.halo import HALO, POINTS, Entries, Halo, around, halo
from domains.errors import InvalidRequest

SCHEMA = 1  # of a checkpoint


class TileGroup:
    """Some of the tiles of a sphere; ``owner`` (tiles,) names the group of each tile, and this one is ``group``."""

    def __init__(
        self, tiling: Tiling, case: Case, owner: Sequence[int] | np.ndarray | None = None, group: int = 0
    ) -> None:
        # Here: the master of a run plans groups that live elsewhere, and need not compile anything.
        from domains.climate import kernels

        self.tiling, self.case, self.group = tiling, case, group
        self.owner = np.zeros(tiling.count, np.int64) if owner is None else np.asarray(owner)
        self.tiles = np.flatnonzero(self.owner == group)
        if self.owner.shape != (tiling.count,) or not len(self.tiles):
            raise ValueError(f"group {group} owns no tile, or owner is not of {tiling.count} tiles")
        self.metric = metric(tiling, self.tiles)
        self.coefficients = coefficients(tiling, self.tiles, case, self.metric)
        self.state = case.state(self.metric.position)
        self.step_number = 0
        recipes = {int(tile): halo(tiling, int(tile)) for tile in self.tiles}
        self._receives = _needs(self.owner, group, recipes.values(), tiling.size)
        self._sends = self._asked(recipes)
        self._layout(recipes)
        self.edges = np.array([tiling.on_edge(int(tile)) for tile in self.tiles])
        self._begin, self._kernels = np.empty_like(self.state), kernels
        self._room = kernels.scratch(tiling.size)

    @property
    def peers(self) -> tuple[int, ...]:
        """The groups that this one exchanges messages with."""
        return tuple(sorted(self._receives))

    @property
    def message_bytes(self) -> Mapping[int, int]:
        """Bytes sent to each peer in a stage."""
        return {peer: 4 * 8 * len(cells) for peer, cells in self._sends.items()}

    def begin(self, stage: int) -> None:
        """Make ready for a stage: 0, 1 or 2."""
        if stage == 0:
            np.copyto(self._begin, self.state)
        self._kernels.primitives(self.state, self.coefficients.bottom, self._padded)

    def pack(self, peer: int) -> np.ndarray:
        """What a peer reads of this group in the stage begun: (4, cells)."""
        return self._flat[self._sends[peer] + self._values]

    def unpack(self, peer: int, message: np.ndarray) -> None:
        """Take a peer's message of the same stage."""
        self._flat[self._inbox[peer] + self._values] = message

    def advance_inner(self, stage: int, dt: float) -> None:
        """The stage, of ``dt`` seconds, for tiles that read nothing of other groups."""
        self._advance(self.inner, stage, dt)

    def advance_outer(self, stage: int, dt: float) -> None:
        """The stage for the other tiles, after all messages; the last stage ends the step."""
        self._advance(self.outer, stage, dt)
        self.step_number += stage == len(STAGES) - 1

    def step(self, dt: float) -> None:
        """A whole step of a group that owns the sphere."""
        assert not self.peers
        for stage in range(len(STAGES)):
            self.begin(stage)
            self.advance_inner(stage, dt)
            self.advance_outer(stage, dt)

    def padded(self) -> np.ndarray:
        """Surface height and velocity with halos (tiles, 4, k + 8, k + 8), of the stage begun and its messages."""
        self._kernels.fill(np.arange(len(self.tiles)), self._padded, self._strips, self._fixed)
        return self._padded[: len(self.tiles)]

    def checkpoint(self) -> dict[str, np.ndarray]:
        """All that later groups need to go on with the same bits."""
        about = np.array([SCHEMA, self.tiling.cells, self.tiling.tiles, self.step_number])
        return {"about": about, "case": np.array(self.case.name), "tiles": self.tiles, "state": self.state.copy()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from a checkpoint of the same grid, tiling and case that holds at least this group's tiles.

        Nothing changes where it is of another.
        """
        schema, cells, tiles, step = (int(value) for value in arrays["about"])
        mine = (SCHEMA, self.tiling.cells, self.tiling.tiles, self.case.name)
        found = (schema, cells, tiles, str(arrays["case"]))
        if found != mine:
            raise InvalidRequest("checkpoint", _named(*found), "is of another run", _named(*mine))
        rows = {int(tile): row for row, tile in enumerate(arrays["tiles"])}
        if missing := [int(tile) for tile in self.tiles if int(tile) not in rows]:
            raise InvalidRequest("checkpoint", _named(*found), f"lacks {len(missing)} tiles, as number {missing[0]}")
        self.state[:] = arrays["state"][[rows[int(tile)] for tile in self.tiles]]
        self.step_number = step

    def _advance(self, order: np.ndarray, stage: int, dt: float) -> None:
        a, b = STAGES[stage]
        kernels, padded, strips = self._kernels, self._padded, self._strips
        kernels.fill(order, padded, strips, self._fixed)
        kernels.advance(order, padded, strips, self.state, self._begin, self._fixed, self._room, a, b, dt)

    def _asked(self, recipes: Mapping[int, Halo]) -> dict[int, np.ndarray]:
        """By peer the cells that it reads of this group: its own plan, made here as well, so nobody need ask."""
        others: dict[int, set[int]] = {}
        for tile in recipes:
            for other in around(self.tiling, tile):
                others.setdefault(int(self.owner[other]), set()).add(other)
        others.pop(self.group, None)
        asked = {
            peer: _needs(self.owner, peer, [halo(self.tiling, tile) for tile in sorted(theirs)], self.tiling.size)
            for peer, theirs in others.items()
        }
        return {peer: self._address(needs[self.group]) for peer, needs in asked.items() if self.group in needs}

    def _address(self, cells: np.ndarray) -> np.ndarray:
        """Where own cells, numbered over all tiles, lie in the padded tiles: of the first of their four values."""
        k, m = self.tiling.size, self.tiling.size + 2 * HALO
        tile, place = np.divmod(cells, k * k)
        block = np.searchsorted(self.tiles, tile)
        return np.asarray(block * 4 * m * m + (place // k + HALO) * m + place % k + HALO)

    def _layout(self, recipes: Mapping[int, Halo]) -> None:
        """Padded tiles, and after them blocks for what is received; then all recipes as addresses."""
        k, m = self.tiling.size, self.tiling.size + 2 * HALO
        counts = {peer: len(cells) for peer, cells in sorted(self._receives.items())}
        received = np.arange(sum(counts.values()))
        inbox = (len(self.tiles) + received // (m * m)) * 4 * m * m + received % (m * m)
        parts = np.split(inbox, np.cumsum(list(counts.values()))[:-1]) if counts else []
        self._inbox = dict(zip(counts, parts, strict=True))
        self._padded = np.zeros((len(self.tiles) + -(-len(received) // (m * m)), 4, m, m))
        self._flat, self._values = self._padded.reshape(-1), np.arange(4)[:, None] * m * m
        outside = [np.any(self.owner[recipe.cells()[0]] != self.group) for recipe in recipes.values()]
        self.inner, self.outer = np.flatnonzero(~np.array(outside)), np.flatnonzero(outside)
        self._fixed = self._addressed(list(recipes.values()), k, m)

    def _addressed(self, recipes: Sequence[Halo], k: int, m: int) -> Any:
        from domains.climate.kernels import Tiles

        edge = np.full((len(recipes), 4), -1)
        strips = [(tile, side) for tile, recipe in enumerate(recipes) for side in recipe.twins]
        for number, where in enumerate(strips):
            edge[where] = number
        self._strips = np.zeros((len(strips), 4, 6, k))
        found = self.coefficients
        faces = {WEST: found.face_a[..., 1], EAST: found.face_a[..., k + 1]}
        faces |= {SOUTH: found.face_b[:, :, 1], NORTH: found.face_b[:, :, k + 1]}
        normals = {WEST: found.normal_a[:, :, 0, 1], EAST: found.normal_a[:, :, 0, k + 1]}
        normals |= {SOUTH: found.normal_b[:, :, 1, 0], NORTH: found.normal_b[:, :, k + 1, 0]}
        block, strip = 4 * m * m, 4 * 6 * k
        twins = [
            [(int(edge[tile, side]) * strip, entries) for side, entries in recipe.twins.items()]
            for tile, recipe in enumerate(recipes)
        ]
        return Tiles(
            normal_a=np.ascontiguousarray(found.normal_a[:, :, 0]),
            normal_b=np.ascontiguousarray(found.normal_b[..., 0]),
            face_a=found.face_a,
            face_b=found.face_b,
            cell=found.cell,
            edge=edge,
            edge_normal=np.array([normals[side][tile] for tile, side in strips]).reshape(-1, 3),
            edge_face=np.array([faces[side][tile] for tile, side in strips]).reshape(-1, 2, 1, k),
            copies=self._lists([[(tile * block, recipe.copies)] for tile, recipe in enumerate(recipes)]),
            ghosts=self._lists([[(tile * block, recipe.ghosts)] for tile, recipe in enumerate(recipes)]),
            twin_copies=self._lists([[(at, entries.alone()) for at, entries in part] for part in twins]),
            twins=self._lists([[(at, entries.mixed()) for at, entries in part] for part in twins]),
        )

    def _lists(self, parts: Sequence[Sequence[tuple[int, Entries]]]) -> Any:
        """Each tile's entries, with the address that their targets count from."""
        from domains.climate.kernels import Lists

        flat = [(at, entries) for part in parts for at, entries in part]
        none = np.empty((0, POINTS), np.int64)
        return Lists(
            np.cumsum([0, *(sum(len(entries.target) for _, entries in part) for part in parts)]),
            np.concatenate([none[:, 0], *(at + entries.target for at, entries in flat)]).astype(np.uint64),
            np.concatenate([none, *(self._sources(entries) for _, entries in flat)]).astype(np.uint64),
            np.concatenate([none.astype(float), *(entries.weight for _, entries in flat)]),
        )

    def _sources(self, entries: Entries) -> np.ndarray:
        cells = entries.tile * self.tiling.size**2 + entries.place
        group = self.owner[entries.tile]
        found: np.ndarray = np.empty_like(cells)
        found[group == self.group] = self._address(cells[group == self.group])
        for peer, wanted in self._receives.items():
            found[group == peer] = self._inbox[peer][np.searchsorted(wanted, cells[group == peer])]
        return found


def _needs(owner: np.ndarray, group: int, recipes: Any, size: int) -> dict[int, np.ndarray]:
    """By other group the cells that recipes of a group read of it, numbered over all tiles; sorted, none twice."""
    parts = [recipe.cells() for recipe in recipes]
    tile, place = (np.concatenate([part[at] for part in parts]) for at in range(2))
    cells = np.unique(tile * size**2 + place)
    whose = owner[cells // size**2]
    return {int(peer): cells[whose == peer] for peer in np.unique(whose) if peer != group}


def _named(schema: int, cells: int, tiles: int, case: str) -> str:
    return f"{case} on C{cells} in {6 * tiles**2} tiles (schema {schema})"
