"""What tests of stores and clusters share."""

from __future__ import annotations

import http.client
import io
import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgai.console import Console
from imgai.options import Machine, OutputOptions, RunOptions
from imgai.params import as_values
from imgai.predict.spec import StepSpec
from imgai.runs import Run
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


def make_run(inputs: Any, out: Any, *, slow: float = 0.0, words: Words | None = None, **options: Any) -> Run:
    """A run of ``find-light``."""
    named = (inputs,) if isinstance(inputs, (str, Path)) else inputs
    spec = StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, as_values(fake.LightParams, {"slow": slow}))
    asked = RunOptions(
        inputs=tuple(map(str, named)),
        out=Path(out),
        outputs=OutputOptions(named_kinds("mask")),
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
