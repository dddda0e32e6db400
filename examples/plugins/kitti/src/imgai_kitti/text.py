"""KITTI's text: type, truncation, occlusion, angle, box, seven numbers in space that are unknown, score."""

from collections.abc import Iterator

from imgai.plugin import Page, Rendered

_UNKNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"


def render(page: Page) -> Iterator[Rendered]:
    """A line for each object with at least the threshold's score."""
    boxes, digits = page.output.above(page.params.threshold), page.params.kitti_digits
    lines = []
    for *box, score, index in boxes.values.tolist():
        label = boxes.labels[int(index)].replace(" ", "_")
        numbers = " ".join(f"{each:.{digits}f}" for each in box)
        lines.append(f"{label} -1 -1 -10 {numbers} {_UNKNOWN} {score:.4f}\n")
    yield Rendered("".join(lines).encode(), ".txt")
