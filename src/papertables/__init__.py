"""Regenerates the tables and figures of papers on visual reprogramming and prompt learning."""

# Raised where code that all runs pass through changes numbers: every run is then made again; see base/numerics.py.
NUMERICS = 3
