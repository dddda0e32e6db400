"""Graphs in whole numbers of 8 bits, calibrated on pictures (static quantization of ONNX Runtime)."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imgai.errors import InputError, PluginError, UsageError
from imgai.images.decode import read_image
from imgai.images.depth import to_float
from imgai.plugin import Model
from imgai.predict.backends.whole import CPU, Whole, apart
from imgai.predict.foreign.graph import session
from imgai.predict.work import view_of

_TILE = 128
_MOST = 128
"""The maximum number of pictures."""
ENOUGH = 30
"""The number of pictures from which on the ranges hardly depend on which pictures they are."""


def seen(paths: Sequence[Path], model: Model, max_pixels: int) -> Iterator[Tensor]:
    """Read pictures as the model sees them, whole or cropped at the centre. Shape: ``(1, 3, h, w)`` in [0, 1]."""
    for path in paths[:_MOST]:
        try:
            image = read_image(path, max_pixels=max_pixels)
        except (InputError, UsageError):
            continue
        if model.input_size is not None:
            yield to_float(view_of(image, model).small)[None]
            continue
        side = -(-max(_TILE, model.minimum) // model.multiple_of) * model.multiple_of
        if min(image.shape[-2:]) >= side:
            top, left = ((length - side) // 2 for length in image.shape[-2:])
            yield image[..., top : top + side, left : left + side]


def quantize(path: Path, whole: Whole, model: Model, kind: str, pictures: Sequence[Tensor]) -> tuple[float, int]:
    """Replace a graph by one of 8 bits, calibrated on half of the pictures, and say what it lost on the others.

    Returns what `apart` says, and of how many pictures.
    Raises UsageError for too few pictures, PluginError for a graph that cannot be of 8 bits.
    """
    if len(pictures) < 4:
        raise UsageError(
            f"there are {len(pictures)} pictures to calibrate on", "--calibrate names a folder of 4 or more"
        )
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    half = len(pictures) // 2
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="imgai-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared, made = Path(name) / "prepared.onnx", Path(name) / "int8.onnx"
        try:
            quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
            kept = _deciding(prepared, kind)
            quantization.quantize_static(
                str(prepared),
                str(made),
                _Reader(pictures[:half]),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                # What is not a convolution or a product costs little, and holds what matters: a mask's last steps.
                op_types_to_quantize=["Conv", "MatMul", "Gemm", "Add", "Relu", "Clip", "Concat"],
                nodes_to_exclude=kept,
            )
            content = made.read_bytes()
        except Exception as error:
            raise PluginError(f"the graph cannot be of 8 bits: {' '.join(str(error).split())[:160]}") from error
    opened = session(content, CPU)
    lost = []
    with torch.inference_mode():
        for picture in pictures[half:]:
            answer = torch.from_numpy(opened.run(None, {"input": picture.numpy()})[0])
            lost.append(apart(whole(picture), answer, kind))
    path.write_bytes(content)
    return sum(lost) / len(lost), len(lost)


def _deciding(path: Path, kind: str) -> list[str]:
    """The nodes that stay in float, since they decide: they cost a hundredth of the time.

    Of scores the last product: rounding it tells labels apart that are near each other, and of `imagenet` two thirds
    of all that 8 bits change come of it. Of all else what follows the last convolution, and what says where in a
    picture to look once more: `subject` says there whether a picture has a subject at all, by a sum of figures of very
    different sizes, and lost 20 % of its masks with it; and of places a part in 256 is three pixels and more.
    """
    import onnx

    nodes = list(onnx.load(str(path), load_external_data=False).graph.node)
    if kind == "scores":
        return [node.name for node in nodes if node.op_type in ("Conv", "MatMul", "Gemm")][-1:]
    last = max((number for number, node in enumerate(nodes) if node.op_type == "Conv"), default=len(nodes))
    kept = {node.name for node in nodes[last + 1 :]}
    made_by = {output: node for node in nodes for output in node.output}
    asked = [node.input[1] for node in nodes if node.op_type == "GridSample"]
    while asked:
        node = made_by.get(asked.pop())
        if node is not None and node.op_type != "Conv" and node.name not in kept:
            kept.add(node.name)
            asked += node.input
    return sorted(kept)


class _Reader:
    """The pictures, one by one, as ONNX Runtime asks for them."""

    def __init__(self, pictures: Sequence[Tensor]) -> None:
        self._left = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self._left, None)
        return None if picture is None else {"input": picture.numpy()}
