"""Layouts of data sets, one file per output."""

from imgai.plugin import Output

LAYOUTS = {
    Output.SCORES: "imgai.training.layouts.scores:ScoresLayout",
    Output.MASK: "imgai.training.layouts.mask:MaskLayout",
    Output.IMAGE: "imgai.training.layouts.image:ImageLayout",
    Output.BOXES: "imgai.training.layouts.boxes:BoxesLayout",
}
"""The layout for each output, imported on first use."""
