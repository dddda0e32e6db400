"""What listens to a run: one file for each thing that happens when an input is finished, or at the end."""
