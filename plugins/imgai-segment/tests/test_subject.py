"""The `subject` model on images drawn here: what it takes, what it gives, and that it finds the obvious."""

from __future__ import annotations

import hashlib
from pathlib import Path

import imgai_segment
import pytest
import torch
from imgai_segment import efficientnet_lite, subject
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from imgai.plugin import LoadContext, Model, Predictor

WEIGHTS = Path(imgai_segment.__file__).parent / "weights" / "subject.safetensors"
MODEL = Model(
    name="subject", task="segment", summary="-", license="Apache-2.0", load="imgai_segment.subject:load",
    input_size=(subject.SIZE, subject.SIZE),
)  # fmt: skip


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return subject.load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=WEIGHTS))


def masks_of(predictor: Predictor, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return predictor.postprocess(predictor.network(predictor.preprocess(images)).float())


def person(left: float, size: int = subject.SIZE) -> tuple[Tensor, Tensor]:
    """A figure of a person before a lawn and a sky, ``(1, 3, size, size)``, and where it is, ``(size, size)``."""
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    head = ((x - left) / 0.06) ** 2 + ((y - 0.22) / 0.08) ** 2 < 1
    coat = ((x - left).abs() < 0.11) & (y > 0.3) & (y < 0.6)
    legs = ((x - left).abs() < 0.085) & ((x - left).abs() > 0.015) & (y >= 0.6) & (y < 0.92)
    lawn, sky = (torch.tensor(colour)[:, None, None] for colour in ((0.35, 0.5, 0.25), (0.65, 0.78, 0.9)))
    image = torch.where(y > 0.55, lawn, sky)
    for where, colour in ((head, (0.85, 0.65, 0.52)), (coat, (0.65, 0.12, 0.15)), (legs, (0.12, 0.15, 0.3))):
        image = torch.where(where, torch.tensor(colour)[:, None, None], image)
    noise = torch.rand((3, size, size), generator=torch.Generator().manual_seed(0)) - 0.5
    return (image + 0.08 * noise).clamp(0, 1)[None], head | coat | legs


def test_mask_has_the_size_of_the_image_and_stays_in_range(predictor: Predictor) -> None:
    images = torch.rand(2, 3, subject.SIZE, subject.SIZE, generator=torch.Generator().manual_seed(1))
    mask = masks_of(predictor, images)
    assert mask.shape == (2, 1, subject.SIZE, subject.SIZE)
    assert mask.dtype == torch.float32
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_finds_a_person_wherever_one_stands(predictor: Predictor) -> None:
    for left in (0.3, 0.5, 0.7):
        image, truth = person(left)
        found = masks_of(predictor, image)[0, 0] > 0.5
        iou = (found & truth).sum() / (found | truth).sum()
        assert iou > 0.6, f"IoU {iou:.2f} at {left}"


def test_what_shows_no_subject_has_an_empty_mask(predictor: Predictor) -> None:
    side, generator = subject.SIZE, torch.Generator().manual_seed(0)
    coarse = F.interpolate(torch.rand(1, 3, 24, 24, generator=generator), (side, side), mode="bicubic").clamp(0, 1)
    sky = torch.linspace(0.4, 0.9, side)[:, None].expand(1, 3, side, side) * torch.tensor([0.6, 0.8, 1])[:, None, None]
    pictures = {
        "grey": torch.full((1, 3, side, side), 0.5),
        "noise": torch.rand(1, 3, side, side, generator=generator),
        "texture": 0.4 + 0.2 * coarse,
        "sky": sky,
    }
    for name, image in pictures.items():
        assert (masks_of(predictor, image) > 0.5).float().mean() < 0.005, name


def test_presence_lowers_the_mask_where_the_picture_speaks_against_it() -> None:
    presence = subject.Presence()
    torch.nn.init.zeros_(presence.score.weight)
    logits = torch.randn(2, 1, 8, 8)
    average = torch.zeros(2, 1280)
    average[1, 0] = 1
    with torch.inference_mode():
        presence.score.weight[0, 0] = -3.0
        presence.score.bias.fill_(0.5)
        lowered = presence(average, logits)
    assert torch.equal(lowered[0], logits[0])  # a score above 0 changes nothing, not even by rounding
    torch.testing.assert_close(lowered[1], logits[1] - 2.5 * subject.STEEP)


def test_it_looks_at_the_image_and_at_a_small_mirrored_copy(predictor: Predictor, tmp_path: Path) -> None:
    kept = {name: value for name, value in load_file(WEIGHTS).items() if not name.startswith("presence.")}
    save_file(kept, tmp_path / "once.safetensors")
    once = subject.load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=tmp_path / "once.safetensors"))
    image = predictor.preprocess(person(0.5)[0])
    assert isinstance(predictor.network, subject.Looks)
    with torch.inference_mode():
        both, _ = predictor.network.look(image)
        whole = F.avg_pool2d(image, 2)
        small = once.network(F.interpolate(whole, (320, 320), mode="bilinear").flip(-1))
        again = F.interpolate(small, both.shape[-2:], mode="bilinear").flip(-1)
        torch.testing.assert_close(both, (once.network(whole) + again) / 2, atol=1e-3, rtol=1e-3)


def far_off(left: float, top: float, size: int = subject.SIZE) -> tuple[Tensor, Tensor]:
    """The person at a third of the size, in a wide landscape; see `person`."""
    near, inside = person(0.5, size // 3)
    y, x = int(top * size), int(left * size)
    lawn, sky = (torch.tensor(colour)[:, None, None] for colour in ((0.35, 0.5, 0.25), (0.65, 0.78, 0.9)))
    rows = (torch.arange(size) > y + 0.55 * (size // 3))[:, None]
    image = torch.where(rows, lawn, sky).expand(3, size, size).clone()[None]
    image += 0.08 * (torch.rand(image.shape, generator=torch.Generator().manual_seed(2)) - 0.5)
    mask = torch.zeros(size, size, dtype=torch.bool)
    part = (slice(y, y + size // 3), slice(x, x + size // 3))
    image[..., part[0], part[1]] = near
    mask[part] = inside
    return image.clamp(0, 1), mask


def overlap(mask: Tensor, truth: Tensor) -> float:
    found = F.interpolate(mask, truth.shape, mode="bilinear")[0, 0] > 0.5
    return float((found & truth).sum() / (found | truth).sum())


def test_a_subject_that_is_small_is_looked_at_once_more(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it, without = [], []
    for left, top in ((0.1, 0.3), (0.55, 0.35), (0.35, 0.5)):
        image, truth = far_off(left, top)
        with_it.append(overlap(masks_of(predictor, image), truth))
        with monkeypatch.context() as patched:
            patched.setattr(predictor.network, "closer", lambda _, logits, __: logits)
            without.append(overlap(masks_of(predictor, image), truth))
    assert sum(with_it) > sum(without) + 0.01 * len(without), (with_it, without)


def test_a_subject_that_fills_the_image_or_is_not_there_is_not_looked_at_again(predictor: Predictor) -> None:
    network = predictor.network
    assert isinstance(network, subject.Looks)
    images = torch.rand(3, 3, subject.SIZE, subject.SIZE)
    logits = torch.full((3, 1, subject.LOOK, subject.LOOK), -3.0)
    logits[1, :, 40:-40, 40:-40] = 3
    logits[2, :, 100:105, 100:105] = 3  # a speck
    with torch.inference_mode():
        assert torch.equal(network.closer(images, logits, torch.zeros(3, 1, 1, 1)), logits)


def test_a_graph_without_branches_answers_as_the_network_does(predictor: Predictor) -> None:
    """What ONNX is given: of a batch some are looked at again, and some are not."""
    images = predictor.preprocess(torch.cat((far_off(0.1, 0.3)[0], torch.rand(1, 3, subject.SIZE, subject.SIZE))))
    with torch.inference_mode(False), torch.no_grad():
        traced = torch.jit.trace(predictor.network, (images[:1],), check_trace=False)
        logits = predictor.network(images)
        torch.testing.assert_close(traced(images), logits, atol=1e-3, rtol=1e-3)


def test_a_part_of_an_image_is_put_back_where_it_was() -> None:
    y, x = torch.meshgrid(torch.linspace(0, 6, 448), torch.linspace(0, 5, 448), indexing="ij")
    image = torch.stack((y.sin() + x.cos(), y.cos()))[None].expand(2, -1, -1, -1)
    box = torch.tensor([[0.25, 0.1, 0.5, 0.7], [0.0, 0.6, 0.3, 1.0]])
    found = subject.Place(box, torch.tensor([[0.05, 0.08], [0.05, 0.05]]), torch.ones(2))
    back, share = subject.returned(subject.seen(image, box, subject.CLOSER), found, 448)
    inside = share > 0
    assert inside.sum((1, 2, 3)).tolist() == pytest.approx([0.25 * 0.6 * 448**2, 0.3 * 0.4 * 448**2], rel=0.03)
    assert (back - image).abs()[inside.expand_as(back)].max() < 0.03
    assert share[0, 0, 180, 168] == 1
    assert share[0, 0, 180, 113] < 0.05, "it begins at nothing"
    assert share[0, 0, 180, 300] == 0
    assert (share[1, 0, -1, :100] == 1).all(), "and not where the image ends"
    assert max(share.diff(dim=2).abs().max(), share.diff(dim=3).abs().max()) < 0.1


def test_the_place_of_a_subject_is_that_of_its_mask_and_some_around_it() -> None:
    logits = torch.full((4, 1, 100, 100), -6.0)
    logits[0, :, 30:50, 10:40] = 2
    logits[0, :, 90, 90] = 2  # one pixel in six hundred is a speck
    logits[1] = 2
    logits[2, :, 30:50, 10:40] = 2
    logits[2, :, 50:80, 10:40] = -1  # what is in doubt is seen, too
    box, fade, counts = subject.place(logits)
    wide, high, higher = (side * subject.AROUND + subject.BESIDE for side in (0.3, 0.2, 0.5))
    assert box[0].tolist() == pytest.approx((max(0, 0.1 - wide), 0.3 - high, 0.4 + wide, 0.5 + high), abs=0.011)
    assert box[2].tolist() == pytest.approx((max(0, 0.1 - wide), 0.3 - higher, 0.4 + wide, 0.8 + higher), abs=0.011)
    assert box[1].tolist() == box[3].tolist() == [0, 0, 1, 1]
    assert counts.tolist() == [1, 0, 1, 0]
    assert fade[0].tolist() == pytest.approx((subject.FADE * wide, subject.FADE * high), abs=0.01)


def test_a_larger_subject_is_looked_at_less_and_less() -> None:
    sides = range(120, 320, 5)
    logits = torch.full((len(sides), 1, subject.LOOK, subject.LOOK), -6.0)
    for each, side in zip(logits, sides, strict=True):
        each[:, 60 : 60 + side, 60 : 60 + side] = 2
    counts = subject.place(logits).counts
    assert (counts[0], counts[-1]) == (1, 0)
    assert counts.diff().abs().max() < 0.25, "no step, which a rounded digit might take or not"


def test_what_is_trained_from_it_has_no_opinion_of_what_a_subject_is(tmp_path: Path) -> None:
    weights = load_file(WEIGHTS)
    kept = {name: value for name, value in weights.items() if not name.startswith("presence.")}
    assert len(kept) == len(weights) - 2
    save_file(kept, tmp_path / "own.safetensors")
    loaded = subject.load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=tmp_path / "own.safetensors"))
    assert type(loaded.network) is subject.Subject


def test_an_image_gets_the_same_mask_alone_and_in_a_batch(predictor: Predictor) -> None:
    images = torch.cat([person(left)[0] for left in (0.25, 0.5, 0.75)])
    together = masks_of(predictor, images)
    for index in range(len(images)):
        alone = masks_of(predictor, images[index : index + 1])
        torch.testing.assert_close(alone[0], together[index], atol=1e-3, rtol=0)


def test_memory_format_does_not_matter(predictor: Predictor) -> None:
    image, _ = person(0.5)
    plain = masks_of(predictor, image.contiguous())
    last = masks_of(predictor, image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last, atol=1e-3, rtol=0)


def test_weights_are_half_precision_finite_and_complete() -> None:
    weights = load_file(WEIGHTS)
    assert weights.keys() == subject.Looks().state_dict().keys()
    assert all(value.dtype == torch.float16 and value.isfinite().all() for value in weights.values())


def test_card_names_the_weights_it_describes() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert digest in WEIGHTS.with_suffix(".md").read_text(encoding="utf-8")


def test_load_refuses_no_weights() -> None:
    with pytest.raises(ValueError, match="needs its weights"):
        subject.load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=None))


def test_folding_batch_normalisation_changes_nothing() -> None:
    """A network with normalisations and the same network with them folded give the same logits."""
    torch.manual_seed(0)
    block = subject.Separable(8, 3, norm=True)
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    plain = subject.Separable(8, 3, norm=False)
    for name in ("depthwise", "pointwise"):
        fused = torch.nn.utils.fuse_conv_bn_eval(*getattr(block, name).eval())
        getattr(plain, name)[0].load_state_dict(fused.state_dict())
    images = torch.randn(2, 8, 9, 9)
    torch.testing.assert_close(plain(images), block.eval()(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kernel", "side"), [(3, 8), (3, 7), (5, 8), (5, 9)])
def test_same_padding_halves_upwards_and_keeps_to_the_right(kernel: int, side: int) -> None:
    """TensorFlow pads the odd pixel on the right and at the bottom, which the encoder's weights expect."""
    layer = efficientnet_lite.SameConv(1, 1, kernel, 2)
    torch.nn.init.ones_(layer.weight)
    assert layer.bias is not None
    torch.nn.init.zeros_(layer.bias)
    image = torch.rand(1, 1, side, side)
    out = layer(image)
    assert out.shape[-1] == (side + 1) // 2
    total = max(kernel - 2 + (side % 2), 0)
    left = total // 2
    padded = F.pad(image, (left, total - left, left, total - left))
    torch.testing.assert_close(out[0, 0, 0, 0], padded[0, 0, :kernel, :kernel].sum())


def test_encoder_gives_every_scale() -> None:
    shapes = [tuple(level.shape[1:]) for level in efficientnet_lite.EfficientNetLite0()(torch.rand(1, 3, 64, 96))]
    assert shapes == [(16, 32, 48), (24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3), (1280, 2, 3)]


def test_declaration_matches_the_network_and_the_file() -> None:
    declared = next(model for model in imgai_segment.MODELS if model.name == "subject")
    assert declared.weights is not None
    assert declared.input_size == (subject.SIZE, subject.SIZE)
    assert declared.parameters == sum(value.numel() for value in subject.Looks().state_dict().values())
    assert declared.weights.size == WEIGHTS.stat().st_size
    assert declared.weights.sha256 == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()


def test_what_speaks_for_the_subject_lies_on_it(predictor: Predictor) -> None:
    images, inside = person(0.5)
    assert predictor.explain is not None
    heat = predictor.explain(predictor.preprocess(images), 0)
    assert heat.shape == (1, subject.LOOK // 32, subject.LOOK // 32)
    on_image = F.interpolate(heat[None], inside.shape, mode="bilinear")[0, 0]
    assert on_image[inside.bool()].mean() > 3 * on_image[~inside.bool()].mean()
