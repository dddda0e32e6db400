"""How good what models return is, one file an output: `update` with one image after another, then `compute`."""
