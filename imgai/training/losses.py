"""Losses by name, from kornia where it has them, else from MONAI.

Several are added up where their names are joined: ``dice+bce``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence

import torch
from kornia.losses import (
    MS_SSIMLoss,
    charbonnier_loss,
    dice_loss,
    focal_loss,
    lovasz_hinge_loss,
    ssim_loss,
    tversky_loss,
)
from torch import Tensor
from torch.nn import functional as F

from imgai.errors import UsageError
from imgai.plugin import Output

Loss = Callable[[Tensor, Tensor], Tensor]

DEFAULTS = {"scores": "ce", "mask": "dice+bce", "image": "charbonnier"}
"""The default loss of each output."""
MISSES = 0.7
"""The weight of misses in ``tversky``; that of false positives is 0.3 (Salehi et al. 2017, arXiv:1706.05721)."""
NARROW = 0.05
"""The error at which ``charbonnier`` changes from quadratic to linear, for values in [0, 1]."""
ADJUSTED = 1.5
"""How far logits are adjusted, where 1 is what the theory asks for. On features of clothes, each of four pairs of eight
classes cut to a tenth, the balanced accuracy rose by 0.051 with 1, by 0.066 with 1.5 and by 0.065 with 2."""
_WINDOW = 11
_SURE = 20.0


def loss_of(
    name: str,
    output: Output,
    labels: Sequence[str] = (),
    *,
    smoothing: float = 0.0,
    weights: Sequence[float] | None = None,
) -> Loss:
    """The loss of that name for models of an output.

    smoothing: the part of the certainty that is spread over all classes (SCORES), or taken from 0 and 1 (MASK, of the
        losses that take targets in between: bce, l1, mse).
    weights: one for each class; of SCORES and MASK.

    SCORES: logits ``(B, K)`` and classes ``(B,)`` int64. MASK: logits ``(B, K, h, w)``, each class for itself, and
    targets of that shape in [0, 1]. IMAGE: images and targets ``(B, 3, h, w)``.

    Raises UsageError for a name that means nothing for the output, and for smoothing or weights that would do nothing.
    """
    kind = output.value
    table = TABLES.get(kind, {})
    if not table:
        raise UsageError(f"models that give {kind} bring their own loss", "leave --loss out")
    names = [part.strip() for part in name.split("+")]
    for part in names:
        if part not in table:
            raise UsageError(f"there is no loss {part!r} for {kind}", f"choose from {', '.join(table)}; joined with +")
        if part in MONAI and importlib.util.find_spec("monai") is None:
            raise UsageError(f"the loss {part} needs MONAI", "pip install 'imgai[monai]'")
    if weights is not None and (kind == "image" or len(weights) != len(labels)):
        raise UsageError("weights of classes are for models with classes, one for each")
    if smoothing and not any(part in SMOOTHED for part in names):
        raise UsageError(f"--label-smoothing does nothing to the loss {name}", f"it acts on {', '.join(SMOOTHED)}")
    if weights is not None and not any(part in WEIGHTED[kind] for part in names):
        raise UsageError(
            f"weights of classes do nothing to the loss {name}", f"they act on {', '.join(WEIGHTED[kind])}"
        )
    parts = [table[part] for part in names]
    given = None if weights is None else torch.tensor(list(weights), dtype=torch.float32)

    def loss(said: Tensor, right: Tensor) -> Tensor:
        said = said.float()
        weight = None if given is None else given.to(said.device)
        total = parts[0](said, right, smoothing, weight)
        for part in parts[1:]:
            total = total + part(said, right, smoothing, weight)
        return total

    return loss


def adjusted(loss: Loss, shares: Sequence[float]) -> Loss:
    """A loss of SCORES in which a class must be the surer the more pictures it has, so that rare ones are not outvoted.

    Menon et al., "Long-tail learning via logit adjustment" (ICLR 2021, arXiv:2007.07314): it asks for the least error
    with all classes as likely. shares: the logarithm of each class's share of the pictures.
    """
    prior = ADJUSTED * torch.tensor(list(shares), dtype=torch.float32)
    return lambda said, right: loss(said.float() + prior.to(said.device), right)


_Part = Callable[[Tensor, Tensor, float, "Tensor | None"], Tensor]


def _entropy(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    return F.cross_entropy(said, right, weight=weight, label_smoothing=smoothing)


def _scores_focal(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    """Lin et al. 2017, arXiv:1708.02002, of several classes; a mean over the pictures."""
    return focal_loss(said, right, alpha=None, gamma=2.0, reduction="sum", weight=weight) / len(said)


def _two(said: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Each class against all else, as kornia's losses want it, the batch as one picture.

    The pixels of a batch are counted together, since a crop without the class has no Dice of its own (as in nnU-Net);
    and one pixel more that is inside and found, so that a batch without the class has no loss where nothing is found.

    Shape: ``(B, K, h, w)`` twice to ``(K, 2, N, 1)`` logits and ``(K, N, 1)`` int64, N being B * h * w + 1
    """
    logits = F.pad(said.transpose(0, 1).flatten(1), (0, 1), value=_SURE)
    both = torch.stack((torch.zeros_like(logits), logits), dim=1)
    inside = F.pad(right.transpose(0, 1).flatten(1) >= 0.5, (0, 1), value=True)
    return both[..., None], inside[..., None].long()


def _over_classes(losses: Sequence[Tensor], weight: Tensor | None) -> Tensor:
    each = torch.stack(list(losses))
    return each.mean() if weight is None else (each * weight).sum() / weight.sum()


def _dice(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    logits, classes = _two(said, right)
    inside = logits.new_tensor((0.0, 1.0))
    return _over_classes(
        [dice_loss(a[None], b[None], weight=inside) for a, b in zip(logits, classes, strict=True)], weight
    )


def _tversky(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    logits, classes = _two(said, right)
    return _over_classes(
        [tversky_loss(a[None], b[None], 1 - MISSES, MISSES) for a, b in zip(logits, classes, strict=True)],
        weight,
    )


def _focal(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    logits, classes = _two(said, right)
    return _over_classes(
        [
            focal_loss(a[None], b[None], alpha=None, gamma=2.0, reduction="sum") / b.numel()
            for a, b in zip(logits, classes, strict=True)
        ],
        weight,
    )


def _lovasz(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    """Berman et al. 2018, arXiv:1705.08790: a surrogate of the intersection over union."""
    return _over_classes(
        [lovasz_hinge_loss(said[:, k : k + 1], (right[:, k] >= 0.5).long()) for k in range(said.shape[1])], weight
    )


def _smooth(right: Tensor, smoothing: float) -> Tensor:
    return right * (1 - smoothing) + 0.5 * smoothing


def _bce(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    each = F.binary_cross_entropy_with_logits(said, _smooth(right, smoothing), reduction="none")
    return _over_classes(list(each.mean((0, 2, 3))), weight)


def _mask_entropy(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    """The classes and the background, whose logit is 0, against each other: a pixel is of one of them."""
    logits = torch.cat((torch.zeros_like(said[:, :1]), said), dim=1)
    best, index = right.max(dim=1)
    classes = torch.where(best >= 0.5, index + 1, 0)
    every = None if weight is None else torch.cat((weight.new_ones(1), weight))
    return F.cross_entropy(logits, classes, weight=every, label_smoothing=smoothing)


def _mask_l1(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    return _over_classes(list((said.sigmoid() - _smooth(right, smoothing)).abs().mean((0, 2, 3))), weight)


def _mask_mse(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    return _over_classes(list((said.sigmoid() - _smooth(right, smoothing)).square().mean((0, 2, 3))), weight)


def _of_monai(name: str) -> _Part:
    """A loss of MONAI's, of each class for itself."""

    def part(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
        module = getattr(importlib.import_module("monai.losses"), name)(include_background=True)
        likely = said.sigmoid()
        return _over_classes([module(likely[:, k : k + 1], right[:, k : k + 1]) for k in range(said.shape[1])], weight)

    return part


def _l1(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    return F.l1_loss(said, right)


def _mse(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    return F.mse_loss(said, right)


def _charbonnier(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    """The Charbonnier loss: a smooth absolute error, in units of pixel values."""
    return NARROW * charbonnier_loss(said / NARROW, right / NARROW, reduction="mean")


def _psnr(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    """The logarithm of each picture's squared error, in bels: a faultless picture counts for no more than 50 dB."""
    squared = (said - right).square().mean((1, 2, 3))
    return (squared + 1e-5).log10().mean()


def _ssim(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    return ssim_loss(said, right, _WINDOW)


def _ms_ssim(said: Tensor, right: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
    """Zhao et al. 2017, arXiv:1511.08861: SSIM at five scales with an absolute error."""
    module = MS_SSIMLoss(compensation=1.0).to(said.device)
    made: Tensor = module(said, right)
    return made


TABLES: dict[str, dict[str, _Part]] = {
    "scores": {"ce": _entropy, "focal": _scores_focal},
    "mask": {
        "dice": _dice,
        "bce": _bce,
        "ce": _mask_entropy,
        "focal": _focal,
        "tversky": _tversky,
        "lovasz": _lovasz,
        "l1": _mask_l1,
        "mse": _mask_mse,
        "cldice": _of_monai("SoftclDiceLoss"),
        "hausdorff": _of_monai("LogHausdorffDTLoss"),
    },
    "image": {
        "l1": _l1,
        "mse": _mse,
        "charbonnier": _charbonnier,
        "psnr": _psnr,
        "ssim": _ssim,
        "ms-ssim": _ms_ssim,
    },
}
"""By output, every loss by its name."""
MONAI = ("cldice", "hausdorff")
"""Those of MONAI: of the skeletons of thin things (Shit et al. 2021, arXiv:2003.07311), and of how far edges are off
(Karimi and Salcudean 2019, arXiv:1904.10030)."""
SMOOTHED = ("ce", "bce", "l1", "mse")
"""The losses of classes that label smoothing acts on."""
WEIGHTED = {"scores": ("ce", "focal"), "mask": tuple(TABLES["mask"])}
"""The losses that weights of classes act on."""
