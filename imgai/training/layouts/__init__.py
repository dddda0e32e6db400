"""How folders hold pictures with what is right for them; one file a layout, looked up by output."""

from imgai.plugin import Output

LAYOUTS = {
    Output.SCORES: "imgai.training.layouts.scores:ScoresLayout",
    Output.MASK: "imgai.training.layouts.mask:MaskLayout",
    Output.IMAGE: "imgai.training.layouts.image:ImageLayout",
    Output.BOXES: "imgai.training.layouts.boxes:BoxesLayout",
}
"""What reads the folder for models of an output, imported when it is used."""
