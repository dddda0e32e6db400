"""An S3 server on this machine, and a proxy before it that misbehaves. Run with: make test-scale."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scaling import Proxy, set_environment

from imgai.stores import open_store

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("scale")


SERVER = """
import logging, sys, time
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
server.start()
while True:
    time.sleep(60)
"""


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    """The port of an S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stderr=subprocess.DEVNULL) as child:
        for _ in range(240):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.25)
        yield port
        child.kill()


@pytest.fixture
def bucket(server: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    connection = http.client.HTTPConnection("127.0.0.1", server, timeout=60)
    connection.request("PUT", f"/{name}")
    assert connection.getresponse().status == 200
    set_environment(monkeypatch, server)
    return f"s3://{name}"


COMMAND = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from scaling import make_run
from imgai.runs.signals import on_signal
options = eval(sys.argv[4])
run = make_run(sys.argv[2], sys.argv[3], **options)
with on_signal(run.interrupt):
    for record in run:
        print(record["status"], flush=True)
sys.exit(run.summary.exit_code)
"""


@pytest.fixture
def begin() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a run in a process of its own, which prints the status of each input."""
    children = []

    def start(inputs: Any, out: Any, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", COMMAND, str(HERE), str(inputs), str(out), repr(options)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def proxy(server: int, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, float]], Proxy]]:
    """Put a proxy before the server."""
    made: list[Proxy] = []

    def put(moods: dict[str, float]) -> Proxy:
        made.append(Proxy(server, moods))
        set_environment(monkeypatch, made[-1].port)
        return made[-1]

    yield put
    open_store.cache_clear()
    for each in made:
        each.server.shutdown()
