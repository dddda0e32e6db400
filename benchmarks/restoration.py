"""How fast pictures go through `denoise` and `super-resolve`, against the same network in a bare torch loop.

The loop is what a person writes: the loaded network, one whole picture as a tensor, eager torch as it comes. It neither
reads nor writes a file; the command does both, and cuts and blends tiles. Both take the same pictures in turn.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.pictures import make_photographs
from benchmarks.rate import RUN, rate

BARE_LOOP = """
import importlib, sys, time
from pathlib import Path
import numpy as np, torch
from PIL import Image
from imgai.plugin import LoadContext
from imgai.registry import load_registry
from imgai.predict.weights import find
task, name = sys.argv[1].split("/")
registry = load_registry()
model = registry.model(task, name)
module, _, function = model.load.partition(":")
context = LoadContext(
    model=model, device=torch.device("cpu"), weights=find(model.weights), params=registry.task(task).params()
)
network = getattr(importlib.import_module(module), function)(context).network
images = []
for path in sorted(Path(sys.argv[2]).glob("*.jpg")):
    image = Image.open(path)
    image = image.crop((0, 0, image.width // 16 * 16, image.height // 16 * 16))
    images.append(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255)
with torch.inference_mode():
    network(images[0][..., :64, :64])
    begun = time.perf_counter()
    for image in images:
        network(image.contiguous())
    seconds = time.perf_counter() - begun
print(sum(image[0, 0].numel() for image in images) / 1e6 / seconds)
"""

COMMAND = (
    RUN
    + """
from PIL import Image
task, name = sys.argv[1].split("/")
spec = StepSpec(registry.task(task), registry.model(task, name), params=registry.task(task).params())
paths = sorted(Path(sys.argv[2]).glob("*.jpg"))
options = RunOptions(
    inputs=[str(path) for path in paths], out=Path(sys.argv[3]), outputs=OutputOptions(named_kinds("image")),
    force=True,
    machine=Machine(device="cpu"),
)
assert run([spec], options, Console(quiet=True)).done == len(paths)
seconds = time.perf_counter() - begun[0]
sizes = [Image.open(path).size for path in paths]
print(sum(width * height for width, height in sizes) / 1e6 / seconds)
"""
)


def measure(scratch: Path, rounds: int = 3) -> dict[str, float]:
    """Megapixels of input a second, both ways, and their ratio; medians of `rounds` in turn."""
    found = {}
    for name in ("denoise/photo", "super-resolve/faithful-x2", "super-resolve/faithful-x4"):
        size = (1.8, 2.2) if name.startswith("denoise") else (0.45, 0.55)
        pictures = scratch / f"{size[0]}"
        make_photographs(pictures, 4, size)
        pairs = []
        for _ in range(rounds):
            bare = rate(BARE_LOOP, name, pictures, scratch)
            pairs.append((rate(COMMAND, name, pictures, scratch / "made"), bare))
        found[f"{name} ratio"] = statistics.median(ours / bare for ours, bare in pairs)
        found[f"{name} MP/s"] = statistics.median(ours for ours, _ in pairs)
        found[f"{name} bare MP/s"] = statistics.median(bare for _, bare in pairs)
    return found
