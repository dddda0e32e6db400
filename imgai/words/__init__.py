"""What people write, as steps: typed words (``denoise --strength 0.4``), TOML, and arguments of the library."""
