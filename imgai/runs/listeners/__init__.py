"""The listeners of a run, one file each."""
