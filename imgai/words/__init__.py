"""Parse steps from the command line (``denoise --strength 0.4``), TOML, and arguments of the library."""
