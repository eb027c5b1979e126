"""Runs inside jcm's own environment, where nothing of this project is installed: ``python gcm_program.py FOLDER``.

Reads FOLDER/asked.json: days, chunk_days, truncation, time_step (minutes). Leaves for each chunk of days, numbered from 0,
``chunk-N.npz`` (daily means by CMIP's names) and ``state-N.ckpt`` (the model after it; the last two are kept). A chunk's means
are written after its state, so that a chunk whose means are there can be gone on from. Run again, it does.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEPT = 2
# By CMIP's name: jcm's, and what it is multiplied with.
FIELDS = {
    "tas": ("surface_flux.t0", 1.0),
    "ts": ("surface_flux.tsfc", 1.0),
    "pr": ("surface_exchange.precipitation", 1.0),
    "rlut": ("longwave_rad.ftop", 1.0),
    "rsnt": ("shortwave_rad.ftop", 1.0),
    "hfds": ("surface_exchange.net_heat_flux", 1.0),
    "ps": ("normalized_surface_pressure", 1e5),
}
ZONAL = {"ua": "u_wind", "ta": "temperature"}


def built(asked: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model with its forcing, from the boundary data in the package."""
    # One core: a chip of the pool here is one, and the order of sums is then the same on any machine.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jcm
    from hydra import compose, initialize_config_dir
    from jcm import runners
    from jcm.configurations import CONFIG_DIR

    boundary = Path(jcm.__file__).parent / "data" / "bc" / "t63"
    settings = [
        "physics=speedy", "grid=speedy_t31_l8", f"grid.spectral_truncation={asked['truncation']}", f"run.time_step={asked['time_step']}",
        "terrain=from_file", f"terrain.file={boundary}/terrain.nc", "terrain.interpolate=true", "forcing=from_file", f"forcing.file={boundary}/forcing.nc",
    ]  # fmt: skip
    with initialize_config_dir(version_base=None, config_dir=str(CONFIG_DIR)):
        configuration = compose(config_name="config", overrides=settings)
    model = runners.build_model(configuration)
    return model, runners.build_forcing(configuration, model.coords)


def arrays(made: Any) -> dict[str, Any]:
    """Daily means (days, lat, lon) and zonal means (days, level, lat) of a chunk; raises where a value is not a number."""
    import numpy as np

    found = {
        name: made[theirs].transpose("time", "lat", "lon").values * np.float32(factor)
        for name, (theirs, factor) in FIELDS.items()
    }
    found |= {name: made[theirs].mean("lon").transpose("time", "level", "lat").values for name, theirs in ZONAL.items()}
    if bad := [name for name, values in found.items() if not np.isfinite(values).all()]:
        raise FloatingPointError(f"{', '.join(bad)} is not a number: the model has blown up")
    start = made["time_bounds"].transpose("time", ...).values.astype("datetime64[s]")
    days = (start - np.datetime64("2000-01-01")) / np.timedelta64(86400, "s")
    return {
        **found,
        "time_bnds": days,
        "lat": made["lat"].values,
        "lon": made["lon"].values,
        "lev": made["level"].values,
    }


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    import numpy as np

    temporary = path.with_name(f".tmp-{path.name}")
    with temporary.open("wb") as file:
        np.savez(file, **values)
    temporary.replace(path)


def main(folder: Path) -> None:
    """Do all chunks that are not there yet."""
    asked = json.loads((folder / "asked.json").read_text())
    lengths = [min(asked["chunk_days"], asked["days"] - day) for day in range(0, asked["days"], asked["chunk_days"])]
    done = next((at for at in range(len(lengths)) if not (folder / f"chunk-{at}.npz").exists()), len(lengths))
    if done == len(lengths):
        return
    from jcm import checkpoint

    model, forcing = built(asked)
    model.bootstrap_state()
    if done:
        checkpoint.load_checkpoint(model, folder / f"state-{done - 1}.ckpt")
    for at in range(done, len(lengths)):
        made = model.resume(forcing=forcing, total_time=float(lengths[at]), save_interval=1.0, output_averages=True)
        found = arrays(made.to_xarray())
        checkpoint.save_checkpoint(model, folder / f"state-{at}.ckpt")
        write(folder / f"chunk-{at}.npz", found)
        (folder / f"state-{at - KEPT}.ckpt").unlink(missing_ok=True)
        print(f"day {sum(lengths[: at + 1])} of {asked['days']}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
