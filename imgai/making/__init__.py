"""For authors of plugins: a new one, a look into one that is built, and pip or uv of this interpreter."""
