"""The networks of the plugin that keeps the contract."""

import numpy as np
import torch
from safetensors.torch import load_file
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from imgai.plugin import Predictor, identity


class Blur(nn.Module):
    """Shape: ``(B, 3, H, W)`` to the same."""

    def __init__(self, weight, params, own):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.params, self.own = params, own

    def forward(self, image):
        weight = self.weight
        if self.params.window == "tent":
            weight = F.conv2d(weight, weight, padding=1)
        weight = (weight / weight.sum()).expand(3, 1, -1, -1)
        made = image
        for _ in range(self.own.rounds):
            made = F.conv2d(F.pad(made, (1, 1, 1, 1), "replicate"), weight, groups=3)
        made = image + self.params.strength * (made - image)
        if self.params.darken:
            made = made * 0.5
        return made


def load_blur(context):
    weight = load_file(context.weights, device=str(context.device))["weight"]
    network = Blur(weight, context.params, context.model_params)
    return Predictor(network=network)


def number(maps, threshold):
    return ndimage.label(maps[0] >= threshold)[0].astype(np.int32)


class Light(nn.Module):
    """Shape: ``(B, 3, H, W)`` to ``(B, 2, H, W)``."""

    def forward(self, image):
        light = F.avg_pool2d(image.mean(dim=1, keepdim=True), 2)
        light = F.interpolate(light, scale_factor=2)
        return torch.cat((light, 1 - light), dim=1)


def load_light(context):
    return Predictor(network=Light(), instances=number)


def load_mean(context):
    def network(image):
        light = image.mean(dim=(1, 2, 3))
        return torch.stack((1 - light, light), dim=1)

    return Predictor(network=network)


def load_extent(context):
    def network(image):
        boxes = image.new_zeros(len(image), 2, 6)
        for light, row in zip(image.mean(dim=1), boxes, strict=True):
            y, x = (light > 0.6).nonzero(as_tuple=True)
            if len(y):
                edges = (x.min() / 32, y.min() / 32, (x.max() + 1) / 32, (y.max() + 1) / 32)
                row[0] = torch.stack((*edges, light[y, x].mean(), light.new_tensor(0)))
        return boxes

    return Predictor(network=network)


def load_relief(context):
    return Predictor(network=lambda image: 100 * image.mean(dim=1, keepdim=True))


def load_colour(context):
    def postprocess(image):
        return [{"color": [round(float(value), 3) for value in each.mean(dim=(1, 2))]} for each in image]

    return Predictor(network=identity, postprocess=postprocess)
