"""Rows of the accuracy table on cathodes: voltages of eight hosts against experiment, and the barrier of lithium in LiFePO4."""

import time

import numpy as np
from scipy.stats import spearmanr

from benchmarks.bench import Row
from domains.materials import battery, hosts, migration
from domains.materials.crystal import Crystal
from domains.materials.potential import Identity


def measured_hosts() -> dict[str, hosts.Host]:
    """The hosts whose voltage is known."""
    return {name: host for name, host in hosts.HOSTS.items() if host.volts is not None}


def voltages(potential: Identity) -> dict[str, float]:
    """Mean voltage of each host whose voltage is measured, from full to empty."""
    step = battery.Step(battery.StepSettings(potential=potential))
    found: dict[str, float] = {}
    for ion in sorted({host.ion for host in measured_hosts().values()}):
        crystals = {name: hosts.load(name).crystal for name, host in measured_hosts().items() if host.ion == ion}
        ended = [{**row, **step(row)} for row in battery.steps(crystals, ion, 1).to_pylist()]
        for name in crystals:
            of_host = [row for row in ended if row["host"] == name and row["outcome"] == "ok"]
            found[name] = battery.electrode(of_host, ended[0]).voltage
    return found


def voltage_rows() -> list[Row]:
    """Mean absolute error over the eight hosts, and how well they are ranked."""
    started = time.process_time()
    found = voltages(Identity.of("chgnet"))
    known = {name: host.volts for name, host in measured_hosts().items() if host.volts is not None}
    errors = {name: abs(found[name] - volts) for name, volts in known.items()}
    each = ", ".join(f"{name} {found[name]:.2f} ({known[name]:g})" for name in known)
    spearman = float(spearmanr([found[name] for name in known], list(known.values())).statistic)
    note = f"{each}; {time.process_time() - started:.0f} CPU s"
    return [
        Row.judged(
            "voltages of 8 cathodes, mean absolute error", float(np.mean(list(errors.values()))), "V", "<= 0.30", note
        ),
        Row.judged("voltage of LiFePO4, error", errors["LiFePO4"], "V", "<= 0.10"),
        Row.judged("voltages of 8 cathodes, Spearman", spearman, "", ">= 0.8"),
    ]


def barrier(potential: Identity, images: int = 5, fmax: float = 0.05) -> dict[str, object]:
    """The shortest hop of lithium in LiFePO4, in its relaxed cell."""
    full = battery.steps({"LiFePO4": hosts.load("LiFePO4").crystal}, "Li", 1).to_pylist()[1]
    relaxed = Crystal.from_row(battery.Step(battery.StepSettings(potential=potential))(full))
    (hop,) = migration.rows({"LiFePO4": relaxed}, "Li", most=1).to_pylist()
    settings = migration.BarrierSettings(potential=potential, images=images, fmax=fmax)
    return {**hop, **migration.Barrier(settings)(hop)}


def barrier_rows() -> list[Row]:
    """The barrier of lithium in LiFePO4, which has a lower and an upper bound."""
    started = time.process_time()
    found = barrier(Identity.of("chgnet"))
    value = float(str(found["barrier"]))
    note = f"{found['atoms']} atoms, hop of {found['length']:.2f} Å; {time.process_time() - started:.0f} CPU s"
    return [
        Row.judged("LiFePO4, barrier of lithium", value, "eV", ">= 0.15", note),
        Row.judged("LiFePO4, barrier of lithium", value, "eV", "<= 0.30"),
    ]
