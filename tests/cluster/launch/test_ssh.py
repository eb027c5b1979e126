import contextlib
import getpass
import shutil
import socket
import subprocess
import time

import psutil
import pytest
import yaml

from cluster.errors import ClusterError
from cluster.launch import resolve, start
from cluster.launch.ssh import SshHost
from cluster.launch.worker import Seats
from tests.cluster.launch.fake import install

HUB = {"hub": "two-supernodes", "hosts": {"one": {"place": "sn0/host0"}, "me@two": {"place": "sn1/host0"}}}
OWN = {
    "hosts": {"one": {"place": "rack0/one", "chips": {"core": 1}}, "two": {"place": "rack1/two", "chips": {"k100": 2}}}
}
# A shell of this machine instead of another's: options, host, command.
LOCAL = 'while [ "$1" = -o ]; do shift 2; done; [ "$1" = gone ] && '
LOCAL += '{ echo "ssh: connect to host gone port 22: No route to host" >&2; exit 255; }; shift; exec sh -c "$*"'


def write(folder, content):
    path = folder / "hosts.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize(("content", "chips"), [(HUB, ["sn0/host0", "sn1/host0"]), (OWN, ["rack0/one", "rack1/two"])])
def test_a_file_of_hosts_is_a_topology(tmp_path, content, chips):
    topology = resolve(f"ssh:{write(tmp_path, content)}")
    assert [str(place) for place in topology.places()] == chips


def test_hosts_that_the_file_does_not_name_are_absent(tmp_path):
    topology = resolve(f"ssh:{write(tmp_path, {**HUB, 'hosts': {'one': {'place': 'sn1/host0'}}})}")
    assert topology.chips == 1
    assert topology.health == {"sn0/host0": "absent"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"hosts": {}}, "line 1: hosts: "),
        ({"hosts": {"one": {"place": "r/one"}}}, "hosts.one: give its chips, or name a hub"),
        ({**OWN, "hub": "two-supernodes"}, "hosts.one: the hub says what it has"),
        (
            {**HUB, "hosts": {"one": {"place": "sn7/host0"}}},
            "hub two-supernodes has no host sn7/host0; its hosts are sn0",
        ),
        ({**HUB, "hosts": {name: {"place": "sn0/host0"} for name in "ab"}}, "place sn0/host0 is given twice"),
        ({**HUB, "hosts": {"-oProxyCommand=x": {"place": "sn0/host0"}}}, "hosts"),
    ],
)
def test_a_wrong_file_says_where(tmp_path, content, message):
    with pytest.raises(ClusterError, match=message):
        resolve(f"ssh:{write(tmp_path, content)}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ClusterError, match=r"ssh file .*none.yaml: No such file"):
        resolve(f"ssh:{tmp_path}/none.yaml")


def test_the_command_quotes_what_a_shell_would_read(tmp_path, monkeypatch):
    folder = tmp_path / "a folder; with"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", "/my code")
    host = SshHost("tcp://head:1", "node", "sn0/host0", [Seats("core", 2, 1)])
    assert host.command.startswith(f"cd '{folder}' && exec env 'PYTHONPATH=/my code' ")
    assert host.command.endswith("-m cluster.launch.host tcp://head:1 core=2x1 --place sn0/host0 --tied")


def test_a_host_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    calls = install(tmp_path, monkeypatch, {"ssh": LOCAL})
    hosts = {"gone": {"place": "sn0/host0"}}
    with pytest.raises(
        ClusterError, match="host gone: ssh: connect to host gone port 22: No route to host. 'ssh gone'"
    ):
        start(f"ssh:{write(tmp_path, {**HUB, 'hosts': hosts})}")
    assert "-o BatchMode=yes" in calls.read_text()


def labels(pod):
    return sorted((worker.name, worker.extra["place"]) for worker in pod.cluster.scheduler.workers.values())


def programs():
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [one] if "cluster.launch.host" in one.cmdline() else []
    return found


def test_workers_come_over_ssh_and_go_with_the_pod(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, {"ssh": LOCAL})
    with start(f"ssh:{write(tmp_path, HUB)}") as pod:
        assert labels(pod) == [("sn0/host0/0", "sn0/host0"), ("sn1/host0/0", "sn1/host0")]
        ours = programs()
        assert len(ours) >= 2
    ends = time.monotonic() + 60
    while any(one.is_running() for one in ours):
        assert time.monotonic() < ends
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sshd", path="/usr/sbin:/usr/bin") is None, reason="OpenSSH's server is not installed")
def test_the_same_over_a_real_server(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "allowed").write_text((tmp_path / "mine.pub").read_text())
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/allowed\n"
        f"PidFile {tmp_path}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
    )
    (tmp_path / "config").write_text(
        f"Host one two\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  IdentityFile {tmp_path}/mine\n"
        f"  UserKnownHostsFile {tmp_path}/known\n  StrictHostKeyChecking no\n  LogLevel ERROR\n"
    )
    install(tmp_path, monkeypatch, {"ssh": f'exec {shutil.which("ssh")} -F {tmp_path}/config "$@"'})
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", tmp_path / "sshd_config"], stderr=subprocess.PIPE)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.skip(f"OpenSSH's server does not start here: {server.communicate(timeout=1)[1].decode()}")
        hosts = {"one": {"place": "sn0/host0"}, "two": {"place": "sn1/host0"}}
        with start(f"ssh:{write(tmp_path, {**HUB, 'hosts': hosts})}") as pod:
            assert [name for name, _ in labels(pod)] == ["sn0/host0/0", "sn1/host0/0"]
    finally:
        server.kill()
        server.wait()
