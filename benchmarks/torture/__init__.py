"""Runs that are killed, disks that are full, files that are damaged: what of it imgai survives. See `__main__`."""
