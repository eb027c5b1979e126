"""The SLURM job of one slice, as dask-jobqueue submits and cancels it."""

import shlex
from pathlib import Path

import dask
from dask_jobqueue.slurm import SLURMJob
from distributed.core import Status

from cluster.errors import ClusterError
from cluster.interchange.hostlist import compress
from cluster.launch.slurm import Slice
from cluster.launch.worker import command

# dask-jobqueue writes a job of one task on a part of a node, with a time limit of its own; ours takes whole nodes, for
# as long as the partition allows.
_NOT_OURS = ("-n 1", "--cpus-per-task", "--mem=", "-t ", "-J ", "-e ", "-o ")
# A host that fails must not take the others of its slice along, neither in the job nor in the step.
_SRUN = ("srun", "--no-kill", "--kill-on-bad-exit=0", "--wait=0", "--ntasks-per-node=1", "--cpu-bind=none")


class SliceJob(SLURMJob):  # type: ignore[misc]
    """One job over the hosts of a slice, each of which runs ``cluster.launch.host``.

    Account, prologue and further directives come from the site's own ``jobqueue.yaml``, if there is one.
    """

    def __init__(self, scheduler: str, name: str, piece: Slice, partition: str, blocks: bool) -> None:
        self.piece = piece
        logs = Path(dask.config.get("jobqueue.slurm.log-directory") or Path.home() / ".cache" / "ai4s" / "slurm")
        logs.mkdir(parents=True, exist_ok=True)
        self.log_file = str(logs / "%j.log")
        own = dask.config.get("jobqueue.slurm.job-extra-directives")
        skipped = dask.config.get("jobqueue.slurm.job-directives-skip")
        super().__init__(
            scheduler=scheduler,
            name=name,
            queue=partition,
            cores=1,
            memory="1GiB",
            job_extra_directives=[*own, *directives(piece, blocks), f"--output={self.log_file}"],
            job_directives_skip=[*skipped, *_NOT_OURS],
        )
        step = [*_SRUN, f"--nodes={len(piece.nodes)}"]
        self._command_template = shlex.join([*step, *command(scheduler, piece.seats, "--slurm", piece.supernode)])

    async def _submit_job(self, script_filename: str) -> str:
        try:
            submitted: str = await super()._submit_job(script_filename)
        except RuntimeError as error:
            said = str(error).partition("stderr:\n")[2].strip() or str(error)
            raise ClusterError(
                f"SLURM refuses the job: {said.removeprefix('sbatch: error: ')}. If that is a quota, set SBATCH_ACCOUNT "
                "or SBATCH_QOS, or choose another partition"
            ) from None
        return submitted

    async def close(self) -> None:
        """Cancel the job; every host of it ends its processes at once."""
        await super().close()
        self.status = Status.closed


def directives(piece: Slice, blocks: bool) -> list[str]:
    """What sbatch is asked for: the slice's hosts, whole, under one switch or in one block."""
    many = len(piece.nodes)
    together = [f"--segment={many}"] if blocks else ["--switches=1"]
    return [
        "--job-name=ai4s",
        f"--nodes={many}",
        f"--nodelist={compress(piece.nodes)}",
        *(together if many > 1 else []),
        "--exclusive",
        "--mem=0",
        *([f"--gres={piece.gres}"] if piece.gres else []),
        "--no-kill",
        "--no-requeue",  # the pod asks again itself, for the hosts that are up then
    ]
