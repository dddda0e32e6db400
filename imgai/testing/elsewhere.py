"""An empty folder to work in, and an ear for the network: what a model needs is in its wheel, or among its weights."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_INTERNET = (socket.AF_INET, socket.AF_INET6)


@contextlib.contextmanager
def elsewhere() -> Iterator[list[tuple[str, str]]]:
    """Work in a folder that is empty; the list then says what was written there and whom the network was asked for.

    A folder that the work changes to is looked at by `imgai.testing.state`.
    """
    touched: list[tuple[str, str]] = []
    before = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _heard(touched):
        os.chdir(folder)
        try:
            yield touched
        finally:
            left = sorted(each.name for each in Path(folder).iterdir())
            if Path.cwd().resolve() == Path(folder).resolve():
                os.chdir(before)
            if left:
                advice = "the folder is the user's: tempfile.TemporaryDirectory() makes one for what is passing"
                touched.append((f"writes {left[0]} into the folder that it is run from", advice))


@contextlib.contextmanager
def _heard(touched: list[tuple[str, str]]) -> Iterator[None]:
    """Notice calls of the network."""
    found, connect, ask = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex
    advice = 'declare what it fetches as Weights(file="https://...", sha256=..., size=...): it is then fetched once'

    def note(host: object) -> None:
        if not touched:
            touched.append((f"asks the network for {host}", advice))

    def resolve(host: Any, *values: Any, **named: Any) -> Any:
        note(host)
        return found(host, *values, **named)

    def reach(self: socket.socket, address: Any) -> None:
        if self.family in _INTERNET:
            note(address[0])
        connect(self, address)

    def try_to_reach(self: socket.socket, address: Any) -> int:
        if self.family in _INTERNET:
            note(address[0])
        return ask(self, address)

    socket.getaddrinfo = resolve
    socket.socket.connect, socket.socket.connect_ex = reach, try_to_reach  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        socket.getaddrinfo = found
        socket.socket.connect, socket.socket.connect_ex = connect, ask  # type: ignore[method-assign]
