"""A pod under Dask's TLS settings: all its connections are encrypted, and strangers are not let in."""

import shutil
import subprocess
from pathlib import Path

import dask
import pytest
from distributed import Client

from cluster.launch import start
from cluster.launch.worker import Seats, command


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=pod"]
    subprocess.run([*make, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def test_a_pod_that_must_encrypt_does(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate
    settings = {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": cert}
    for who in ("scheduler", "worker", "client"):
        settings |= {f"distributed.comm.tls.{who}.cert": cert, f"distributed.comm.tls.{who}.key": key}
    with dask.config.set(settings):
        monkeypatch.setenv("DASK_INTERNAL_INHERIT_CONFIG", dask.config.serialize(dask.config.global_config))
        with start("emulated:two-supernodes") as pod:
            assert pod.address.startswith("tls://")
            with Client(pod.address, set_as_default=False) as client:
                assert client.submit(sum, [1, 2]).result() == 3
                words = command(pod.address, [Seats("core", 1, 1)], "--place", "sn1/more", "--tied")
                with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
                    assert host.stdout is not None
                    assert host.stdout.readline().strip() == "ready"
                    client.wait_for_workers(3, timeout=60)
                    host.communicate()
            nobody = {"cert": None, "key": None}
            stranger = {"distributed.comm.tls.client": nobody, "distributed.comm.require-encryption": None}
            with dask.config.set(stranger), pytest.raises((OSError, TypeError)):
                Client(pod.address, set_as_default=False, timeout=3)
