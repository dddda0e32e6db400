"""Commands for plugin authors: create a plugin, check a built one, and install with pip or uv."""
