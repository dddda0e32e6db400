"""The implementation of `imgai.load` and `imgai.run`, which `imgai` imports on first use."""
