"""The program that every host of a pod runs: its workers, until the scheduler is gone or it is told to stop.

However it ends, it takes all its processes along at once: what a shard has finished is in the run store, and a thread
that waits for an engine cannot be asked to stop.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence

import dask
import psutil
from distributed import Nanny
from distributed.comm import connect
from distributed.security import Security
from distributed.system import MEMORY_LIMIT

from cluster.launch.pod import kill_below
from cluster.launch.worker import CONFIG, READY, Seats, worker_specs

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A job may start long after it was asked for, when the flow is gone.
SCHEDULER_LIMIT_S = 60


def slurm_place(supernode: str, environ: Mapping[str, str]) -> str:
    """The place of this node as SLURM tells it; under its job's supernode where SLURM knows no switches.

    The address names the switches from the root to the leaf and then the node: as many of its last parts count as a
    place of this hub has.
    """
    node = environ["SLURMD_NODENAME"]
    above = environ.get("SLURM_TOPOLOGY_ADDR", "").removesuffix(node).rstrip(".").split(".")
    depth = len(supernode.split("/"))
    known = environ.get("SLURM_TOPOLOGY_ADDR_PATTERN", "").startswith("switch") and len(above) >= depth
    return "/".join([*(above[-depth:] if known else [supernode]), node])


async def serve(scheduler: str, place: str, seats: Sequence[Seats]) -> None:
    """Run the workers until the scheduler lets go of them or is gone; does not return."""
    share = MEMORY_LIMIT / sum(each.workers for each in seats)
    nannies = [
        Nanny(scheduler, name=name, death_timeout=SCHEDULER_LIMIT_S, **spec["options"])
        for name, spec in worker_specs(place, seats, lambda each: share).items()
    ]
    await asyncio.gather(*nannies)
    print(READY, flush=True)
    # Workers alone would wait for their engines: the loss of a connection of our own tells it at once.
    comm = await connect(scheduler, **Security().get_connection_args("worker"))
    released = asyncio.gather(*(nanny.finished() for nanny in nannies))
    await asyncio.wait([asyncio.ensure_future(comm.read()), released], return_when=asyncio.FIRST_COMPLETED)
    end()


def end(*_: object, code: int = 0) -> None:
    """Kill all below this program and leave it."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)  # one is enough, and comes more than once
    kill_below(psutil.Process())
    os._exit(code)


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)  # only the main thread may end with signals set aside


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m cluster.launch.host", description=__doc__)
    parser.add_argument("scheduler")
    parser.add_argument("seats", nargs="+", type=Seats.parse)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--place")
    where.add_argument("--slurm", metavar="SUPERNODE")
    parser.add_argument("--tied", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    dask.config.set(CONFIG)
    for number in STOPS:
        signal.signal(number, end)
    if given.tied:
        threading.Thread(target=_end_with_input, daemon=True).start()
    place = given.place or slurm_place(given.slurm, os.environ)
    try:
        asyncio.run(serve(given.scheduler, place, given.seats))
    except BaseException:
        traceback.print_exc()
        end(code=1)


if __name__ == "__main__":
    main()
