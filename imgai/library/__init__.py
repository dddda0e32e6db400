"""imgai from Python: what `imgai.load` and `imgai.run` are made of; imported by the names in `imgai`."""
