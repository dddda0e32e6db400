"""The port against the graph that it was made from, and what it takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from imgai_detect.network import BINS, CLASSES, STRIDES, NanoDet
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "src" / "imgai_detect" / "weights" / "nanodet.safetensors"

RECORDED = (
    # What the published graph says, run operation by operation, about the picture that training/convert.py draws:
    # stride, cell, class, score, and how far left, top, right and bottom are, in strides.
    (8, 819, 4, 0.033623, (2.756400, 0.244612, 3.893761, 1.480166)),
    (8, 872, 4, 0.049163, (3.678849, 0.941231, 2.736647, 0.579861)),
    (8, 1338, 0, 0.031393, (1.802758, 0.714197, 0.981032, 0.709391)),
    (16, 163, 11, 0.627500, (4.990739, 3.444824, 3.687892, 5.503972)),
    (16, 188, 11, 0.794587, (4.010731, 4.348994, 4.731238, 4.413990)),
    (16, 215, 11, 0.721687, (5.003538, 5.489878, 3.694949, 3.404242)),
    (32, 73, 11, 0.084922, (3.410680, 3.944513, 3.702865, 5.465267)),
    (32, 86, 11, 0.093513, (3.942945, 5.107784, 3.836043, 5.717768)),
    (32, 98, 33, 0.086694, (3.615766, 5.668861, 4.579784, 5.072597)),
)


@pytest.fixture(scope="module")
def network() -> NanoDet:
    network = NanoDet().eval()
    network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return network


@pytest.fixture(scope="module")
def convert() -> ModuleType:
    """The script that made the weights."""
    spec = importlib.util.spec_from_file_location("detect_convert", ROOT / "training" / "convert.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_port_says_what_the_graph_said(network: NanoDet, convert: ModuleType) -> None:
    with torch.inference_mode():
        grids = dict(zip(STRIDES, network(convert.drawn()), strict=True))
    for stride, cell, label, score, sides in RECORDED:
        said = grids[stride].flatten(2)[0, :, cell]
        assert said[:CLASSES].argmax() == label
        assert said[:CLASSES].max().sigmoid() == pytest.approx(score, abs=1e-4)
        expected = said[CLASSES:].view(4, BINS).softmax(1) @ torch.arange(float(BINS))
        assert expected.tolist() == pytest.approx(sides, abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (320, 416), (416, 96), (480, 640)])
def test_any_multiples_of_32_are_taken(network: NanoDet, height: int, width: int) -> None:
    with torch.inference_mode():
        grids = network(torch.zeros(1, 3, height, width))
    shapes = [(1, CLASSES + 4 * BINS, height // stride, width // stride) for stride in STRIDES]
    assert [tuple(grid.shape) for grid in grids] == shapes


def test_an_object_is_found_where_it_is_moved(network: NanoDet, convert: ModuleType) -> None:
    """The network is convolutional: 32 pixels to the right, one cell of the coarsest grid on, it says the same."""
    image = convert.drawn()
    moved = torch.cat((image[..., :1].expand(-1, -1, -1, 64), image[..., :-32]), dim=3)
    with torch.inference_mode():
        here, there = (network(x)[1][0, 11].sigmoid() for x in (image, moved))
    assert divmod(int(there.argmax()), there.shape[1])[0] == divmod(int(here.argmax()), here.shape[1])[0]
    assert divmod(int(there.argmax()), there.shape[1])[1] - divmod(int(here.argmax()), here.shape[1])[1] == 4
    assert there.max() > 0.6


def test_a_batch_says_what_single_images_say(network: NanoDet, convert: ModuleType) -> None:
    images = torch.cat((convert.drawn(), convert.drawn().flip(3)))
    with torch.inference_mode():
        together = network(images)
        for index in range(2):
            for alone, grid in zip(network(images[index : index + 1]), together, strict=True):
                torch.testing.assert_close(alone[0], grid[index], atol=1e-3, rtol=1e-4)


def test_weights_are_half_precision_and_finite() -> None:
    assert all(value.dtype == torch.float16 and value.isfinite().all() for value in load_file(WEIGHTS).values())
