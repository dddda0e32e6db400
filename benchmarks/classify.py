"""How fast a folder is labelled, against a plain loop of the same network.

The loop is what a person writes: Pillow for reading, cropping and resizing, a DataLoader of two workers, batches of 16,
eager torch as it comes. Both take the same JPEGs in turn; neither's imports are counted.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.pictures import make_photographs
from benchmarks.rate import RUN, rate

LOOP = """
import sys, time
from pathlib import Path
import numpy as np, torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from imgai.registry import load_registry
from imgai.predict.weights import find
from imgai_classify.efficientnet_lite import load_weights
model = load_registry().model("classify", "imagenet")
network = load_weights(find(model.weights))
class Pictures(Dataset):
    def __init__(self, folder):
        self.paths = sorted(Path(folder).glob("*.jpg"))
    def __len__(self):
        return len(self.paths)
    def __getitem__(self, index):
        image = Image.open(self.paths[index]).convert("RGB")
        side = int(0.875 * min(image.size))
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
        return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() - 127) / 128
pictures = Pictures(sys.argv[1])
with torch.inference_mode():
    network(torch.zeros(1, 3, 224, 224))
    begun = time.perf_counter()
    for batch in DataLoader(pictures, batch_size=16, num_workers=2):
        network(batch).softmax(1).topk(1)
print(len(pictures) / (time.perf_counter() - begun))
"""

COMMAND = (
    RUN
    + """
spec = StepSpec(registry.task("classify"), registry.model("classify", "imagenet"))
table = Path(sys.argv[1]).parent / "labels.csv"
options = RunOptions(
    inputs=[sys.argv[1]], out=table, outputs=OutputOptions((), threshold=0.0, table=table), force=True,
    machine=Machine(device="cpu"),
)
done = run([spec], options, Console(quiet=True)).done
print(done / (time.perf_counter() - begun[0]))
"""
)


def measure(scratch: Path, rounds: int = 3) -> dict[str, float]:
    """Pictures a second, both ways, and their ratio; medians of `rounds` in turn. Photographs of 0.2 to 2 MP."""
    pictures = scratch / "pictures"
    make_photographs(pictures, 200, (0.2, 2.0))
    pairs = []
    for _ in range(rounds):
        loop = rate(LOOP, pictures)
        pairs.append((rate(COMMAND, pictures), loop))
    return {
        "ratio": statistics.median(ours / loop for ours, loop in pairs),
        "pictures/s": statistics.median(ours for ours, _ in pairs),
        "loop pictures/s": statistics.median(loop for _, loop in pairs),
    }
