"""The ``bright`` model: what touches and is brighter than the mean by some standard deviations."""

import torch
from scipy import ndimage
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor

_SMALL = 0.01  # a small spot's box covers less of what is seen
_LEAST = 9  # pixels; less is noise


class Bright(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, M, 6)``; rows of zeros fill up."""

    def __init__(self, contrast: float) -> None:
        super().__init__()
        self.contrast = contrast

    def forward(self, image: Tensor) -> Tensor:
        rows = [self.boxes(each) for each in image.mean(dim=1)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def boxes(self, gray: Tensor) -> Tensor:
        """Shape: ``(H, W)`` to ``(M, 6)``: x0, y0, x1, y1 as fractions, the score, the class."""
        height, width = gray.shape
        least = gray.mean() + self.contrast * gray.std()
        numbered, _ = ndimage.label((gray > least).cpu().numpy())
        found = [torch.zeros(6)]
        for number, place in enumerate(ndimage.find_objects(numbered), start=1):
            if int((numbered[place] == number).sum()) < _LEAST:
                continue
            (top, bottom), (left, right) = ((each.start, each.stop) for each in place)
            box = left / width, top / height, right / width, bottom / height
            area = (box[2] - box[0]) * (box[3] - box[1])
            found.append(torch.tensor([*box, float(gray[place].max()), float(area >= _SMALL)]))
        return torch.stack(found).to(gray.device)


def load(context: LoadContext) -> Predictor:
    """Load the model."""
    return Predictor(network=Bright(context.params.contrast))
