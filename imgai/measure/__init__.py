"""How good what models return is, one file an output: `update` with one image after another, then `compute`."""

from imgai.plugin import Output

MEASURES = {Output.SCORES: "imgai.measure.scores:ScoresMeasure"}
"""What measures an output, imported when it is used."""
