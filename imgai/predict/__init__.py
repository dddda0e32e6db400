"""Declared models become steps and chains, and pictures go through them. torch is imported below here."""
