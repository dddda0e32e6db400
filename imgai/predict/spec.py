"""Specifications of steps, before anything is loaded. This module does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imgai.images.formats import DEFAULT_MAX_PIXELS
from imgai.options import MaskOptions
from imgai.plugin import Kind, Model, NoParams, Task
from imgai.predict.normalize import AUTO, NONE, Normalize
from imgai.predict.size import Size


@dataclass(frozen=True, slots=True)
class KindSpec:
    """A kind to write, with the values of its options."""

    kind: Kind
    params: Any = field(default_factory=NoParams)

    @property
    def name(self) -> str:
        """The name in ``--as``."""
        return self.kind.name


@dataclass(frozen=True, slots=True)
class Keep:
    """Outputs to write for a step before the last: the step's name and the kinds."""

    name: str
    kinds: tuple[KindSpec, ...]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step before it is loaded.

    members: the models of a family, of which `model` is one; empty where one model was asked for.
    size: what the pictures are brought to; None leaves it to the model.
    name: what its masks and scores are kept under; two steps of one task have two names.
    keep: what of it is written beside the last step's output; None is nothing.
    passes: the kind whose picture the next step is given, in place of the image; None leaves that as it is.
    version: of the distribution that the model comes from: where there are no weights, its code is all there is.
    explain: the label to show where a picture speaks for, "" for the best; None shows nothing. explain_by: how.
    normalize: the range that the network is shown, of a model that declares `normalize`.
    uses: the models that the model is made of, by their names in `Model.uses`, as steps of their own.
    mask: the mask beside each picture, of a task that takes one.
    max_pixels: of a picture that a param names.
    """

    task: Task
    model: Model
    params: Any = field(default_factory=NoParams)
    model_params: Any = field(default_factory=NoParams)
    members: tuple[Model, ...] = ()
    size: Size | None = None
    name: str = ""
    keep: Keep | None = None
    passes: KindSpec | None = None
    explain: str | None = None
    explain_by: str = "gradcam"
    normalize: Normalize = AUTO
    uses: Mapping[str, StepSpec] = field(default_factory=dict)
    mask: MaskOptions = field(default_factory=MaskOptions)
    max_pixels: int = DEFAULT_MAX_PIXELS
    version: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.task.name)

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model that may be needed."""
        return self.members or (self.model,)

    @property
    def all_models(self) -> tuple[Model, ...]:
        """Every model that may be needed, and the models that these use."""
        return (*self.models, *(model for used in self.uses.values() for model in used.all_models))

    @property
    def normalizes(self) -> bool:
        """Whether a range of values may be stretched for the network."""
        return self.model.normalize is not None and self.normalize != NONE

    @property
    def model_name(self) -> str:
        """The name of the model with its variant, or of the family, as on the command line."""
        variant = getattr(self.model_params, self.model.variant, "") if self.model.variant else ""
        return (self.model.family if self.members else None) or self.model.name + (f"/{variant}" if variant else "")
