"""What a run is told, and what it tells in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgai.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from imgai.plugin import Model, NoParams, Task
from imgai.size import Size

GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step before it is loaded.

    members: the models of a family, of which `model` is one; empty where one model was asked for.
    size: what the pictures are brought to; None leaves it to the model.
    """

    task: Task
    model: Model
    params: Any = field(default_factory=NoParams)
    model_params: Any = field(default_factory=NoParams)
    members: tuple[Model, ...] = ()
    size: Size | None = None

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model that may be needed."""
        return self.members or (self.model,)

    @property
    def model_name(self) -> str:
        """The model, or the family, as people ask for it."""
        return (self.model.family if self.members else None) or self.model.name


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is written for an input.

    kinds: of "mask", "binary", "cutout", "overlay", "labels", "coco" for a mask; "image" for an image.
    threshold: from where on a soft mask counts as inside, 0 to 1.
    format, quality: of images; None is the input's format and the format's usual quality.
    """

    kinds: tuple[str, ...]
    threshold: float = 0.5
    format: str | None = None
    quality: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How a run goes about it.

    memory: budget in bytes for the decoded pictures that are in flight.
    threads: that decode, and as many again that encode; None chooses by the cores.
    """

    inputs: list[str]
    out: Path
    outputs: OutputOptions
    force: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    null: bool = False
    device: str = "auto"
    precision: str = "auto"
    batch: int | None = None
    tile: int | None = None
    threads: int | None = None
    memory: int = GIGABYTE
    max_pixels: int = 200_000_000


@dataclass(slots=True)
class Summary:
    """How a run ended: how many inputs were done, skipped because nothing changed, or failed."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_FAILED if self.failed else EXIT_OK
