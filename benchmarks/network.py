"""One forward of `subject`, against EfficientNet-Lite0's whole classifier at the same input, in turn in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def measure(runs: int = 25) -> dict[str, float]:
    from imgai.predict.device import tune_allocator

    tune_allocator()
    import torch
    from imgai_segment.efficientnet_lite import classify

    from imgai.registry import load_registry
    from imgai.testing import load_step

    registry = load_registry()
    model = registry.model("segment", "subject")
    step = load_step(registry.task("segment"), model, device=torch.device("cpu"))
    assert model.input_size is not None
    image = torch.rand(1, 3, *model.input_size).to(memory_format=torch.channels_last)
    network = step.predictor.network

    def classifier(pixels: torch.Tensor) -> object:
        """The same encoder as ImageNet's classifier: its features, its average, its thousand classes."""
        return classify(network.encoder(pixels)[-1], network.activation.weight, network.activation.bias)

    def seconds(network: Callable[[torch.Tensor], object]) -> float:
        begun = time.perf_counter()
        network(image)
        return time.perf_counter() - begun

    with torch.inference_mode():
        for _ in range(3):
            seconds(network)
            seconds(classifier)
        pairs = [(seconds(network), seconds(classifier)) for _ in range(runs)]
    return {
        "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
        "subject_ms": 1000 * statistics.median(ours for ours, _ in pairs),
        "lite0_ms": 1000 * statistics.median(theirs for _, theirs in pairs),
    }
