"""Folders of pictures, and a run of the fake plugin over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgai.console import Console
from imgai.options import Machine
from imgai.params import as_values
from imgai.predict.spec import StepSpec
from imgai.runs import OutputOptions, RunOptions, Summary, run
from imgai.testing import fake
from imgai.testing.kinds import named_kinds


def picture(path: Path, size: tuple[int, int] = (40, 30), seed: int = 0) -> Path:
    """A colourful picture with structure, in the format of its suffix."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


class Words(Console):
    """A console that remembers instead of printing."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(f"warning: {text}")

    def fail(self, text: str) -> None:
        self.said.append(f"error: {text}")

    def out_line(self, text: str) -> None:
        self.lines.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def words() -> Words:
    return Words()


Runner = Callable[..., tuple[Summary, Words]]


@pytest.fixture
def find_light() -> Runner:
    """Run ``find-light`` in this very program: ``find_light(inputs, out, kinds=..., params=..., **options)``."""

    def call(
        inputs: list[Any],
        out: Path,
        *,
        kinds: tuple[str, ...] = ("mask",),
        params: dict[str, Any] | None = None,
        **options: Any,
    ) -> tuple[Summary, Words]:
        words = Words()
        spec = StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, as_values(fake.LightParams, params or {}))
        summary = run([spec], _options(inputs, out, kinds, options), words)
        return summary, words

    return call


@pytest.fixture
def brighten() -> Runner:
    """Run ``brighten``, which doubles the size, in this very program."""

    def call(inputs: list[Any], out: Path, **options: Any) -> tuple[Summary, Words]:
        words = Words()
        summary = run([StepSpec(fake.BRIGHTEN, fake.DOUBLE)], _options(inputs, out, ("image",), options), words)
        return summary, words

    return call


@pytest.fixture
def weigh() -> Runner:
    """Run ``weigh``, whose labels go to a table, in this very program."""

    def call(inputs: list[Any], table: Path, **options: Any) -> tuple[Summary, Words]:
        words = Words()
        asked = {name: options.pop(name) for name in ("sort_into", "write_xmp", "link") if name in options}
        outputs = OutputOptions((), table=table, **asked)
        run_options = RunOptions(
            inputs=[str(name) for name in inputs],
            out=table,
            outputs=outputs,
            **{"machine": Machine(device="cpu"), **options},
        )
        return run([StepSpec(fake.WEIGH, fake.MEAN)], run_options, words), words

    return call


def _options(inputs: list[Any], out: Path, kinds: tuple[str, ...], options: dict[str, Any]) -> RunOptions:
    asked = {name: options.pop(name) for name in ("format", "quality", "threshold") if name in options}
    outputs = OutputOptions(named_kinds(*kinds, **asked))
    return RunOptions(
        inputs=[str(name) for name in inputs], out=out, outputs=outputs, **{"machine": Machine(device="cpu"), **options}
    )


@pytest.fixture
def make_picture() -> Callable[..., Path]:
    return picture
