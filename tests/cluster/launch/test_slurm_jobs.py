"""What SLURM is asked for, and what a person is told when it says no; the real thing is in tests/flows/test_slurm.py."""

import subprocess
import sys

import dask
import pytest

from cluster.errors import ClusterError
from cluster.interchange import slurm as format_of
from cluster.launch import resolve, slurm, start
from cluster.launch.slurm import Slice, slices
from cluster.launch.worker import Seats
from tests.cluster.launch.fake import install

pytest.importorskip("dask_jobqueue")

TREE = "SwitchName=sn0 Nodes=h[0-1]\nSwitchName=sn1 Nodes=h[2-3]\nSwitchName=fabric Switches=sn[0-1]"
NODES = "\n".join(
    f"NodeName=h{n} CPUTot=64 Gres=dcu:k100:{8 if n else 4}(S:0-1) State={'DOWN' if n == 3 else 'IDLE'}"
    for n in range(4)
)
SINFO = "\n".join(f"ai|h{n}|dcu:k100:{8 if n else 4}(S:0-1)" for n in range(4)) + "\nlong|h0|(null)"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site whose SLURM says what a test wants."""

    def make(**scripts):
        shows = f"case \"$*\" in *config*) echo 'TopologyPlugin = topology/tree';; *topology*) echo '{TREE}';; "
        told = {
            "sinfo": f"echo '{SINFO}'",
            "scontrol": f"{shows} *node*) echo '{NODES}';; esac",
            "sbatch": "echo Submitted batch job 7",
            "squeue": "echo '7|PENDING|Resources'",
            "scancel": "",
        }
        return install(tmp_path, monkeypatch, {**told, **scripts})

    monkeypatch.setattr(slurm, "ASK_EVERY_S", 0.05)
    with dask.config.set({"jobqueue.slurm.log-directory": str(tmp_path / "logs")}):
        yield make


def script(piece, blocks=False):
    from cluster.launch.slurm_job import SliceJob

    job = SliceJob("tcp://head:4242", "slice0", piece, "ai", blocks)
    return job.job_script().replace(sys.executable, "python").splitlines()


def test_ctrl_c_stays_the_flows():
    ask = "import signal; from cluster.launch import slurm; before = signal.getsignal(signal.SIGINT); "
    ask += "import threading; thread = threading.Thread(target=slurm._import_jobs); thread.start(); thread.join(); "
    ask += "assert signal.getsignal(signal.SIGINT) is before; from cluster.launch import slurm_job"
    subprocess.run([sys.executable, "-c", ask], check=True)


def test_a_slice_is_one_job_of_whole_hosts_under_one_switch(tmp_path):
    piece = Slice("sn0", ("h0", "h1", "h2", "h3"), "dcu:k100:8", (Seats("k100", 1, 8),))
    with dask.config.set({"jobqueue.slurm.log-directory": str(tmp_path), "jobqueue.slurm.account": "chem"}):
        assert script(piece) == [
            "#!/usr/bin/env bash",
            "",
            "#SBATCH -p ai",
            "#SBATCH -A chem",
            "#SBATCH --job-name=ai4s",
            "#SBATCH --nodes=4",
            "#SBATCH --nodelist=h[0-3]",
            "#SBATCH --switches=1",
            "#SBATCH --exclusive",
            "#SBATCH --mem=0",
            "#SBATCH --gres=dcu:k100:8",
            "#SBATCH --no-kill",
            "#SBATCH --no-requeue",
            f"#SBATCH --output={tmp_path}/%j.log",
            "",
            "srun --no-kill --kill-on-bad-exit=0 --wait=0 --ntasks-per-node=1 --cpu-bind=none --nodes=4 "
            "python -m cluster.launch.host tcp://head:4242 k100=1x8 --slurm sn0",
        ]


def test_a_block_is_asked_for_as_a_segment_and_one_host_as_itself(tmp_path):
    with dask.config.set({"jobqueue.slurm.log-directory": str(tmp_path)}):
        cores = (Seats("core", 64, 1),)
        block = script(Slice("b0", ("n01", "n02", "n04"), "", cores), blocks=True)
        assert "#SBATCH --segment=3" in block
        assert "#SBATCH --nodelist=n[01-02,04]" in block
        assert not any("switches" in line or "gres" in line for line in block)
        alone = script(Slice("sn0", ("h0",), "", cores))
        assert not any("switches" in line or "segment" in line for line in alone)


def test_slices_are_the_supernodes_hosts_that_are_equal_and_up(site):
    site()
    topology = resolve("slurm:ai")
    assert topology.chips == 4 + 8 + 8  # h3 is down
    gres = {"h0": "dcu:k100:4", "h1": "dcu:k100:8", "h2": "dcu:k100:8"}
    assert slices(topology, gres) == [
        Slice("sn0", ("h0",), "dcu:k100:4", (Seats("k100", 1, 4),)),
        Slice("sn0", ("h1",), "dcu:k100:8", (Seats("k100", 1, 8),)),
        Slice("sn1", ("h2",), "dcu:k100:8", (Seats("k100", 1, 8),)),
    ]
    assert resolve("slurm:long").chips == 4
    assert isinstance(topology, type(format_of.read({"topology.conf": TREE})))


def test_an_unknown_partition_names_the_known(site):
    site()
    with pytest.raises(ClusterError, match="unknown partition 'gpu'; choose one of ai, long"):
        resolve("slurm:gpu")


def test_a_slurm_that_does_not_answer_and_one_without_hosts(site):
    site(sinfo="exit 1")
    with pytest.raises(ClusterError, match="SLURM does not answer; 'sinfo' says why"):
        resolve("slurm:ai")
    site(sinfo="echo 'ai|h3|dcu:k100:8'")
    with pytest.raises(ClusterError, match="partition ai has no host that is up"):
        resolve("slurm:ai")


def test_a_refused_job_says_why_and_the_others_are_cancelled(site):
    said = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
    calls = site(sbatch=f"grep -q nodelist=h2 $1 && {{ echo '{said}' >&2; exit 1; }}; echo Submitted batch job 7")
    with pytest.raises(ClusterError, match="SLURM refuses the job: Batch job submission failed: Job violates .*quota"):
        start("slurm:ai")
    assert "scancel 7" in calls.read_text()


def test_a_job_that_a_limit_holds_is_an_error_and_cancelled(site):
    calls = site(squeue="echo '7|PENDING|QOSMaxNodePerUserLimit'")
    with pytest.raises(ClusterError, match="SLURM holds the jobs: QOSMaxNodePerUserLimit. That is a limit"):
        start("slurm:ai")
    assert "scancel 7" in calls.read_text()


def test_jobs_that_end_without_a_worker_show_their_last_words(site, tmp_path):
    site(squeue="echo '7|FAILED|NonZeroExitCode'")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "7.log").write_text("python: No such file or directory\n\n")
    with pytest.raises(ClusterError, match="ended before a worker came: python: No such file or directory"):
        start("slurm:ai")


def test_a_full_queue_is_waited_for(site, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(slurm.log, "info", lambda message, *values: said.append(message % values))
    turns = tmp_path / "turns"
    squeue = f"echo x >> {turns}; [ $(wc -l < {turns}) -lt 4 ] && echo '7|PENDING|Priority' || echo '7|FAILED|x'"
    site(squeue=squeue)
    with pytest.raises(ClusterError, match="wrote nothing"):
        start("slurm:ai")
    assert said == ["waiting for SLURM: 1 jobs, Priority"]
