"""Regenerates the tables and figures of papers on visual reprogramming and prompt learning."""

NUMERICS = 2  # raise when the shared training loop or the towers change numbers: every run is then made again
