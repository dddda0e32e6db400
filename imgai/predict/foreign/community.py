"""Third-party models from state dicts, which spandrel recognizes, builds and calls.

spandrel (https://github.com/chaiNNer-org/spandrel, MIT) supports some forty architectures. It is given a state dict
that was read here, never a file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from imgai.apart import words_of
from imgai.errors import PluginError
from imgai.pages import see
from imgai.plugin import FIELDS_OF, LoadContext, Model, Predictor, Task
from imgai.predict.foreign.content import Content, content_of
from imgai.predict.foreign.kept import kept

if TYPE_CHECKING:
    from torch import Tensor

    from imgai.predict.foreign.network import Foreign
    from imgai.predict.foreign.state import State

_TILE = 512
_LARGE_TILE = 1024
"""The side of a tile of networks that look at the whole picture: the larger, the less the tiles differ."""
_WIDEST = 1536
"""The most pixels along the answer to a tile: with 64 channels a layer takes 600 MB of it."""
_VERSION = "community 1"
"""Of what is kept in the cache; raise it when other facts are, or they are found in another way."""
_LOCK = threading.Lock()
_LOAD = "imgai.predict.foreign.community:load"
_TRAIN = "imgai.predict.foreign.learning:train"


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about the network in a file.

    scale: of the network; shrink: by what its answer is resized, 1 for most.
    channels: of pictures that it takes, 1 or 3. tiles: whether parts of a picture may be taken by themselves.
    """

    architecture: str
    scale: int
    shrink: float
    channels: int
    parameters: int
    minimum: int
    multiple_of: int
    tiles: bool
    overlap: int


def declare(path: Path, task: Task, ours: Model, base: Model) -> Model:
    """The model in a file. Raises PluginError, in one line, for one that cannot be used, or not for this task."""
    facts = _facts(path, base)
    made, resizes = round(facts.scale * facts.shrink), ours.scale > 1
    about = f"{path} holds {facts.architecture}"
    if task.output is not FIELDS_OF["scale"]:
        raise PluginError(f"{about}, which makes pictures", f"{task.name} needs a model of another kind")
    if resizes and made == 1:
        raise PluginError(
            f"{about}, which keeps the size", f"{task.name} needs one that enlarges; try denoise or enhance"
        )
    if not resizes and made != 1:
        raise PluginError(f"{about}, which enlarges {made} times", f"use it with super-resolve, not {task.name}")
    tile = max(facts.minimum, min(_TILE, _WIDEST // facts.scale) if facts.tiles else _LARGE_TILE)
    return dataclasses.replace(
        base,
        summary=f"{facts.architecture}, read from {path.name}.",
        parameters=facts.parameters,
        scale=made,
        train=_TRAIN,
        minimum=facts.minimum,
        multiple_of=facts.multiple_of,
        tile=tile,
        overlap=min(facts.overlap, 3 * tile // 8),
    )


def bare(path: Path, name: str, task: Task) -> Model:
    """Declare the model in a file without reading its network. The header of a trained model has the differences.

    Raises PluginError for a task whose models give no pictures.
    """
    if task.output is not FIELDS_OF["scale"]:
        raise PluginError(f"{path} is of {task.name}, which has no models of this kind", "train it again")
    try:
        return Model(
            name=name, task=task.name, summary="Read from a file.", license="unknown", load=_LOAD, train=_TRAIN
        )
    except ValueError as error:
        raise PluginError(f"{path}: its header names a model that cannot be: {error}", "train it again") from None


def is_foreign(model: Model) -> bool:
    """Whether a model is one of these: a network of somebody else's file, trained further or not."""
    return model.load == _LOAD


def load(context: LoadContext) -> Predictor:
    """Load the model in a file.

    Shape: ``(B, 3, h, w)`` in [0, 1] to ``(B, 3, h * scale, w * scale)``, around [0, 1]

    Raises PluginError, in one line, for a file that cannot be used.
    """
    from imgai.predict.foreign.asked import with_params

    assert context.weights is not None
    # Of networks that were written for an older torch; told once in a run, in the middle of its progress.
    warnings.filterwarnings("ignore", message=r"torch\.meshgrid")
    network, _, _ = _built(context.weights)
    return Predictor(network=with_params(network.to(context.device), context))


def _facts(path: Path, base: Model) -> Facts:
    """Return the facts about a file; they are determined once per content."""
    assert base.weights is not None
    return Facts(**kept(base.weights.sha256, _VERSION, lambda: dataclasses.asdict(_found(path))))


def _found(path: Path) -> Facts:
    from imgai.predict.foreign import probe

    warnings.filterwarnings("ignore", message=r"torch\.meshgrid")
    network, descriptor, shrink = _built(path)
    needs = descriptor.size_requirements
    scale, channels = descriptor.scale, 3
    try:
        minimum = probe.smallest(network, needs.minimum, needs.multiple_of, channels)
        made = network(probe.picture(minimum, minimum, channels))
        if tuple(made.shape[1:]) != (3, *(2 * [round(minimum * scale * shrink)])):
            raise PluginError(f"{path} holds {descriptor.architecture.name}, whose answer is of the shape {made.shape}")
        overlap = probe.overlap(network, round(scale * shrink), minimum, needs.multiple_of, channels)
    except PluginError:
        raise
    except Exception as error:
        text = words_of(error)[:160]
        raise PluginError(f"{path} holds {descriptor.architecture.name}, which does not run: {text}") from error
    return Facts(
        architecture=descriptor.architecture.name,
        scale=scale,
        shrink=shrink,
        channels=descriptor.input_channels,
        parameters=sum(value.numel() for value in descriptor.model.parameters()),
        minimum=minimum,
        multiple_of=needs.multiple_of,
        tiles=descriptor.tiling.name == "SUPPORTED",
        overlap=overlap,
    )


def _built(path: Path) -> tuple[Foreign, Any, float]:
    """The network of a file, ready to be called; spandrel's descriptor of it; and by what its answer is resized."""
    from imgai.predict.foreign.ncnn import read_ncnn
    from imgai.predict.foreign.state import read_state

    content, shrink = content_of(path), 1.0
    assert content is not None
    if content is Content.NCNN:
        state, shrink = read_ncnn(path)
    else:
        state = read_state(path, content)
    network, descriptor = built_from(state, path, shrink)
    return network, descriptor, shrink


def built_from(state: State, path: Path | str, shrink: float = 1.0) -> tuple[Foreign, Any]:
    """The network of a state dict, ready to be called, and spandrel's descriptor of it.

    path: what the state is called in errors. Raises PluginError, in one line, for one that cannot be used.
    """
    from imgai.predict.foreign import ffdnet
    from imgai.predict.foreign.nearest import nearest
    from imgai.predict.foreign.network import Foreign

    if (own := ffdnet.built(state)) is not None:
        return Foreign(own, shrink).eval().requires_grad_(False), own
    spandrel = _spandrel()
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except spandrel.UnsupportedModelError:
        words = nearest(state, spandrel.MAIN_REGISTRY)
        raise PluginError(f"{path} holds no known architecture: {words}", see("other-models")) from None
    except Exception as error:
        text = words_of(error)[:160]
        words = nearest(state, spandrel.MAIN_REGISTRY)
        raise PluginError(f"{path} cannot be built: {words}, and it does not fit: {text}") from error
    about = f"{path} holds {descriptor.architecture.name}"
    if descriptor.purpose not in ("SR", "Restoration"):
        what = {"FaceSR": "takes one face cut to size", "Inpainting": "fills holes that a mask names"}
        raise PluginError(
            f"{about}, which {what.get(descriptor.purpose, descriptor.purpose)}", "such models are not run"
        )
    if (descriptor.input_channels, descriptor.output_channels) not in ((1, 1), (3, 3)):
        raise PluginError(
            f"{about} with {descriptor.input_channels} channels in and {descriptor.output_channels} out",
            "models that take and give 1 or 3 are run",
        )
    return Foreign(descriptor, shrink).eval().requires_grad_(False), descriptor


def _spandrel() -> Any:
    """The library. Raises PluginError that names the extra."""
    with _LOCK:
        if "spandrel" in sys.modules:
            return sys.modules["spandrel"]
        try:
            with _without_torchvision():
                import spandrel
        except ImportError as error:
            raise PluginError(
                f"models of other people need spandrel: {error}", "pip install 'imgai[community]'"
            ) from error
        return spandrel


@contextlib.contextmanager
def _without_torchvision() -> Iterator[None]:
    """Provide stubs for three names of torchvision while spandrel is imported.

    Two architectures import them (face restoration and inpainting), which are not used here. torchvision itself
    cannot be imported beside a torch of another build.
    """
    names = ["torchvision", "torchvision.transforms", "torchvision.transforms.functional"]
    if any(name in sys.modules for name in names):
        yield
        return
    stubs = {name: ModuleType(name) for name in names}
    functional = stubs[names[-1]]
    functional.InterpolationMode = type("InterpolationMode", (), {"BILINEAR": 2, "NEAREST": 0})  # type: ignore[attr-defined]
    functional.rotate = functional.normalize = _absent  # type: ignore[attr-defined]
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


def _absent(*given: Any, **named: Any) -> Tensor:
    raise PluginError("this network needs torchvision")
