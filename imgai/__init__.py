"""imgai: the command-line image toolkit."""

__version__ = "0.1.0"
