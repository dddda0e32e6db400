"""What tests of stores and clusters share."""

from __future__ import annotations

import dataclasses
import http.client
import io
import os
import random
import signal
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from imgai.console import Console
from imgai.options import Machine, OutputOptions, RunOptions
from imgai.params import as_values
from imgai.plugin import LoadContext, Predictor
from imgai.predict.spec import StepSpec
from imgai.runs import Run
from imgai.stores import open_store
from imgai.testing import fake
from imgai.testing.kinds import named_kinds

SECRETS = ("AKIAVERYSECRETKEY", "the-secret-itself")


def png(seed: int, size: tuple[int, int] = (30, 20)) -> bytes:
    """A picture in memory."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class Words(Console):
    """Remembers what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def say(self, text: str) -> None:
        self.text += text + "\n"

    warn = fail = say

    def out_line(self, text: str) -> None:
        self.say(text)


DEADLY = dataclasses.replace(fake.LIGHTNESS, name="deadly", load="scaling:load_deadly")
"""As `LIGHTNESS`, but the process dies of a red picture."""


def load_deadly(context: LoadContext) -> Predictor:
    whole = fake.load_lightness(context)

    def network(image: Tensor) -> Tensor:
        red, green, _ = image.amin(dim=(2, 3)).unbind(1)
        if bool(((red > 0.9) & (green < 0.1)).any()):
            os.kill(os.getpid(), signal.SIGKILL)
        return whole.network(image)

    return Predictor(network=network)


def make_run(
    inputs: Any,
    out: Any,
    *,
    slow: float = 0.0,
    words: Words | None = None,
    deadly: bool = False,
    labels: bool = False,
    kinds: tuple[str, ...] = ("mask",),
    **options: Any,
) -> Run:
    """A run of ``find-light``, or of ``weigh``, whose labels go into a table."""
    named = (inputs,) if isinstance(inputs, (str, Path)) else inputs
    model = DEADLY if deadly else fake.LIGHTNESS
    spec = StepSpec(fake.FIND_LIGHT, model, as_values(fake.LightParams, {"slow": slow}))
    if labels:
        spec = StepSpec(fake.WEIGH, fake.MEAN)
    asked = RunOptions(
        inputs=tuple(map(str, named)),
        out=Path(out),
        outputs=OutputOptions(table=Path(out)) if labels else OutputOptions(named_kinds(*kinds)),
        machine=Machine(device="cpu"),
        **options,
    )
    return Run([spec], asked, words or Words())


def do(inputs: Any, out: Any, **options: Any) -> Run:
    """The same, done."""
    run = make_run(inputs, out, **options)
    for _ in run:
        pass
    return run


def set_environment(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """What obstore takes the credentials and the server from."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SECRETS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS[1])
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    open_store.cache_clear()


class Proxy:
    """Passes requests on to the server, or not: ``moods`` says how often it does what."""

    def __init__(self, port: int, moods: dict[str, float]) -> None:
        self.moods = moods
        self.did: Counter[str] = Counter()
        chance = random.Random(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                mood = next((name for name, part in outer.moods.items() if chance.random() < part), "good")
                outer.did[mood] += 1
                if mood == "reset":
                    self.connection.close()
                    self.close_connection = True
                    return
                if mood.isdigit():
                    self.give(int(mood), b"", [])
                    return
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                connection.request(self.command, self.path, body, headers)
                got = connection.getresponse()
                content = got.read()
                if mood == "lost":  # it was done, and nobody hears of it
                    self.connection.close()
                    self.close_connection = True
                    return
                self.give(got.status, content, got.getheaders())

            def give(self, status: int, content: bytes, headers: list[tuple[str, str]]) -> None:
                self.send_response(status)
                length = "0"
                for name, value in headers:
                    if name.lower() == "content-length":
                        length = value
                    elif name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

            def log_message(self, *about: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
