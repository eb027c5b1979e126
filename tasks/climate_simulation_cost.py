"""What a simulation has cost, and where its tiles were."""

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup

from domains.climate import simulation_figures as figures
from domains.climate.communication import communication
from domains.climate.dynamics import STAGES
from domains.climate.simulation_check import ClimateSimulation
from tasks.report import Section
from tasks.stage import Survivors
from tasks.traffic import readable
from tasks.words import Text


def cost_section(asked: ClimateSimulation, records: Survivors) -> Section:
    """Speed, waiting, bytes between tiles, and a map of the workers that held them last."""
    owner, names = _homes(records, asked.tiling.count)
    rows = [*_speed(asked, records), _halo(asked, owner)]
    table = Markup("").join(
        Markup('<tr><td><span lang="en">{}</span><span lang="zh">{}</span></td><td class="n">{}</td></tr>').format(
            *words, told
        )
        for words, told in rows
    )
    drawn = Markup(figures.homes(owner.tolist(), asked.tiling.tiles, names))
    html = Markup('<div class="scroll"><table><tbody>{}</tbody></table></div><figure>{}</figure>').format(table, drawn)
    return Section("What it cost, and who held which tile", "开销与分块归属", html, first=False)


def _homes(records: Survivors, tiles: int) -> tuple[np.ndarray, list[str]]:
    """The number of each tile's worker at the last time, and the workers' names."""
    shards = records.summary.shards
    last = max(shard.key.split("-")[0] for shard in shards)
    mine = [shard for shard in shards if shard.key.startswith(last)]
    names = sorted({shard.place for shard in mine})
    owner = np.zeros(tiles, np.int64)
    for shard in mine:
        table = pq.read_table(records.store.shard_path(shard.key), columns=["tile"], partitioning=None)
        owner[table["tile"].to_numpy()] = names.index(shard.place)
    return owner, names


def _speed(asked: ClimateSimulation, records: Survivors) -> list[tuple[Text, str]]:
    summary = records.summary
    steps = 6 * asked.tiling.cells**2 * asked.steps * asked.chunks
    cpu = sum(shard.cpu_s for shard in summary.shards)
    waited = 1 - summary.engine_s / summary.chip_s if summary.chip_s else 0.0
    return [
        (Text("Steps of a cell in a CPU-second, writing included", "每 CPU 秒的单元·步（含写出）"), f"{steps / max(cpu, 1e-9) / 1e6:.1f} M"),
        (Text("Time of the workers spent waiting for messages", "工作进程等待消息的时间占比"), f"{waited:.0%}"),
    ]  # fmt: skip


def _halo(asked: ClimateSimulation, owner: np.ndarray) -> tuple[Text, str]:
    pairs, amounts = communication(asked.tiling)
    away = amounts[owner[pairs[:, 0]] != owner[pairs[:, 1]]].sum()
    share = f"{readable(float(away))} / {readable(float(amounts.sum()))}"
    return Text(
        f"Borders of tiles that leave their worker, of all that tiles read of each other, in each of {len(STAGES)} stages of a step",
        f"离开工作进程的分块边界数据 / 分块间全部边界数据（每步 {len(STAGES)} 个阶段，每阶段）",
    ), share
