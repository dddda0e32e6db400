"""What a plugin does at the end, and while it is imported, does not keep the user waiting without a word."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from threading import Event

import pytest

from imgai import apart


def test_what_plugins_register_for_the_end_is_called_the_last_first(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    for name in ("one", "two"):
        with apart.apart(name):
            atexit.register(said.append, name)
            atexit.register(lambda: 1 / 0)
            atexit.register(lambda: os._exit(5))
    assert apart.end() == ""
    assert said == ["two", "one"]
    err = capfd.readouterr().err
    assert "warning: the plugin one fails at the end: division by zero" in err
    assert "it called os._exit" in err
    assert apart.end() == ""  # each is called once


def test_a_plugin_that_does_not_come_to_an_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_PATIENCE", 0.02)
    with apart.apart("one"):
        atexit.register(len, "")
        atexit.register(Event().wait)
    assert apart.end() == "one"


def test_a_plugin_that_takes_long_to_import_is_named_meanwhile(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(apart, "_PATIENCE", 0.01)
    said = ""
    with apart.apart("slow"):
        while not said:
            time.sleep(0.01)
            said = capfd.readouterr().err
    assert "the plugin slow is still being imported" in said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_that_a_plugin_forks_ends_with_its_import() -> None:
    child = -1
    with apart.apart("forks"):
        child = os.fork()
    assert os.waitpid(child, 0)[1] == 0


def test_standard_files_limits_and_signals_are_as_before() -> None:
    before = os.fstat(1).st_ino, os.fstat(0).st_ino, signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with apart.apart("meddles"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.close(1)
        os.close(0)
        sys.exit = None  # type: ignore[assignment]
    assert (os.fstat(1).st_ino, os.fstat(0).st_ino, signal.pthread_sigmask(signal.SIG_BLOCK, ())) == before
    assert callable(sys.exit)
