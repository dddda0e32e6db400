"""What `enhance` costs a megapixel, for a picture of 24 megapixels against one of 3."""

from __future__ import annotations

import statistics
import time


def measure(rounds: int = 5) -> dict[str, float]:
    """Seconds a megapixel of both, and their ratio; medians of `rounds` in turn."""
    from imgai.predict.device import tune_allocator

    tune_allocator()
    import torch

    from imgai.registry import load_registry
    from imgai.sample import Metadata, Sample, Source
    from imgai.testing import load_step

    registry = load_registry()
    task, model = registry.task("enhance"), registry.model("enhance", "auto")
    step = load_step(task, model, device=torch.device("cpu"), params=task.params(), quantized=True)
    coarse = torch.rand(1, 3, 60, 90, generator=torch.manual_seed(1))
    rates: dict[int, list[float]] = {3: [], 24: []}
    for _ in range(rounds + 1):
        for megapixels, found in rates.items():
            height = round((megapixels * 1e6 / 1.5) ** 0.5)
            image = torch.nn.functional.interpolate(coarse, (height, height * 3 // 2), mode="bicubic").clamp(0, 1)
            sample = Sample((image * 255).to(torch.uint8), Source(None, "drawn"), Metadata("JPEG"))
            begun = time.perf_counter()
            step(sample)
            found.append((time.perf_counter() - begun) / megapixels)
    small, large = (statistics.median(found[1:]) for found in rates.values())
    return {"ratio": large / small, "seconds a megapixel, 3 MP": small, "seconds a megapixel, 24 MP": large}
