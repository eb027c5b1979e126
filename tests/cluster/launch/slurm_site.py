"""A real SLURM on this machine: its own key, sockets and ports in a folder of its own, eight hosts under two switches."""

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HOSTS = 8
_DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
_CONF = """
ClusterName=emulated
SlurmctldHost={machine}
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldLogFile={folder}/slurmctld.log
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
KillWait=5
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
TopologyPlugin=topology/tree
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
GresTypes=dcu
NodeName=h[0-7] NodeHostname={machine} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[8]}] CPUs=2 CoresPerSocket=2 \
RealMemory=2000 Gres=dcu:k100:{cards}
PartitionName=ai Nodes=h[0-7] Default=YES MaxTime=INFINITE State=UP
PartitionName=small Nodes=h[0-1] MaxNodes=1 State=UP
"""
_TOPOLOGY = "SwitchName=sn0 Nodes=h[0-3]\nSwitchName=sn1 Nodes=h[4-7]\nSwitchName=fabric Switches=sn[0-1]\n"


def missing() -> str:
    """Why there can be no SLURM here; empty where there can."""
    absent = [name for name in _DAEMONS if shutil.which(name, path=_path()) is None]
    return f"SLURM is not installed here: no {', '.join(absent)} (Debian: slurm-wlm and munge)" if absent else ""


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class SlurmSite:
    """Handles on the daemons."""

    def __init__(self, folder: Path, cards: int) -> None:
        self.folder, self.cards = folder, cards
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to see this site, and to leave nothing outside its folder."""
        own = {"SLURM_CONF": f"{self.folder}/slurm.conf", "DASK_JOBQUEUE__SLURM__LOG_DIRECTORY": f"{self.folder}/logs"}
        return {**os.environ, **own}

    def ask(self, *words: str) -> str:
        """What a command of SLURM prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start munged, slurmctld and a slurmd for each host, and wait until all hosts are idle."""
        for name in ("state", "spool", "logs"):
            (self.folder / name).mkdir()
        ports = _free_ports(1 + HOSTS)
        (self.folder / "slurm.conf").write_text(
            _CONF.format(
                machine=socket.gethostname(), ports=ports, user=getpass.getuser(), folder=self.folder, cards=self.cards
            )
        )
        (self.folder / "topology.conf").write_text(_TOPOLOGY)
        (self.folder / "gres.conf").write_text(f"NodeName=h[0-7] Name=dcu Type=k100 Count={self.cards}\n")
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        places = [
            f"--{what}={self.folder}/munge.{end}"
            for what, end in (
                ("socket", "sock"),
                ("key-file", "key"),
                ("pid-file", "pid"),
                ("log-file", "log"),
                ("seed-file", "seed"),
            )
        ]
        self._spawn("munged", "munged", "--foreground", *places)
        self._wait(lambda: (self.folder / "munge.sock").exists(), "munged")
        self._spawn("slurmctld", "slurmctld", "-D")
        for number in range(HOSTS):
            self._spawn(f"h{number}", "slurmd", "-D", "-N", f"h{number}")
        self._wait(lambda: self._idle() == HOSTS, "slurmd")

    def _idle(self) -> int:
        done = subprocess.run(
            ["sinfo", "-h", "-N", "-p", "ai", "-t", "idle"],
            env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return len(done.stdout.splitlines())

    def _spawn(self, name: str, *words: str) -> None:
        log = (self.folder / f"{name}.out").open("wb")
        program = shutil.which(words[0], path=_path())
        assert program is not None
        # A session of its own: Ctrl-C in the terminal is for the test, which then stops all in order.
        self.daemons[name] = subprocess.Popen(
            [program, *words[1:]], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        log.close()

    def _wait(self, done: Callable[[], bool], name: str) -> None:
        begun = time.monotonic()
        while not done():
            ended = [one for one, daemon in self.daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() - begun > 180:
                said = {path.name: path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.[ol]*")}
                raise RuntimeError(f"{name} did not start; ended {ended}: {said}")
            time.sleep(0.1)

    def processes(self, host: str) -> list[psutil.Process]:
        """What runs on a host, its daemon left out."""
        return [process for process in psutil.process_iter() if _node_of(process) == (str(self.folder), host)]

    def busy_host(self) -> str | None:
        """A host with an engine at work."""
        spent: dict[psutil.Process, tuple[str, float]] = {}
        for host in (f"h{number}" for number in range(HOSTS)):
            for process in self.processes(host):
                with contextlib.suppress(psutil.Error):
                    if "tasks.child" in process.cmdline():
                        spent[process] = host, sum(process.cpu_times()[:2])
        time.sleep(0.4)
        for process, (host, before) in spent.items():
            with contextlib.suppress(psutil.Error):
                if sum(process.cpu_times()[:2]) > before + 0.1:
                    return host
        return None

    def kill_host(self, host: str) -> None:
        """Take a host away as a power cut does: its daemon and all that runs on it."""
        gone = self.processes(host)
        self.daemons[host].kill()
        self.daemons[host].wait()
        _kill(gone)

    def stop(self) -> None:
        """End every process of the site, jobs and daemons, whatever state it is in."""
        for daemon in self.daemons.values():
            daemon.terminate()  # in order: slurmctld has a child of its own to wait for
        ends = time.monotonic() + 5
        for daemon in self.daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(max(0, ends - time.monotonic()))
            daemon.kill()
            daemon.wait()
        _kill([process for process in psutil.process_iter() if _node_of(process)[0] == str(self.folder)])


def _node_of(process: psutil.Process) -> tuple[str, str]:
    """The site's folder and the host that a process belongs to: by its environment, or a job's keeper by its log."""
    try:
        if process.name() == "slurmstepd":
            logs = [Path(file.path) for file in process.open_files() if file.path.endswith(".log")]
            return (str(logs[0].parent), logs[0].suffixes[0][1:]) if logs else ("", "")
        environment = process.environ()
    except (psutil.Error, OSError):
        return "", ""
    folder = str(Path(environment.get("SLURM_CONF", "")).parent)
    return folder, environment.get("SLURMD_NODENAME", "")


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        if process.pid != os.getpid():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _free_ports(count: int) -> list[int]:
    """A row of free ports, the first for the controller."""
    for start in range(20_000 + os.getpid() % 5000, 32_000, 16):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(start, start + count):
                stack.enter_context(socket.socket()).bind(("", port))
            return list(range(start, start + count))
    raise RuntimeError("no row of free ports")


@contextmanager
def slurm_site(cards: int = 8) -> Iterator[SlurmSite]:
    """A site that is gone in the end, even after a failure."""
    # Directly under the system's: munge wants every folder above its socket to be open, and a short path.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        site = SlurmSite(Path(name), cards)
        try:
            site.start()
            yield site
        finally:
            site.stop()
