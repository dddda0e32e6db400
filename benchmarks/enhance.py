"""What `enhance` costs a megapixel, for a picture of 24 megapixels against one of 3; and `low-light` for one of 9."""

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


def low_light(rounds: int = 3) -> dict[str, float]:
    """Seconds that `low-light` takes for a noisy picture of 9 MP, in the precision of a command and in fp32."""
    from imgai.predict.device import choose_precision, tune_allocator

    tune_allocator()
    import torch

    from imgai.registry import load_registry
    from imgai.sample import Metadata, Sample, Source
    from imgai.testing import load_step

    registry, cpu = load_registry(), torch.device("cpu")
    task, model = registry.task("enhance"), registry.model("enhance", "low-light")
    random = torch.manual_seed(1)
    coarse = torch.rand(1, 3, 60, 60, generator=random) * 0.15
    image = torch.nn.functional.interpolate(coarse, (3000, 3000), mode="bicubic")
    image = (image + 0.02 * torch.randn(image.shape, generator=random)).clamp(0, 1)
    sample = Sample((image * 255).to(torch.uint8), Source(None, "drawn"), Metadata("JPEG"))
    chosen = choose_precision("auto", cpu, bfloat16=model.bfloat16)
    steps = {
        name: load_step(task, model, device=cpu, precision=precision, quantized=True)
        for name, precision in (("seconds, as chosen", chosen), ("seconds, fp32", torch.float32))
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            begun = time.perf_counter()
            step(sample)
            times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values[1:]) for name, values in times.items()}
