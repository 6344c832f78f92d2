"""Regenerates the tables and figures of papers on visual reprogramming and prompt learning."""

NUMERICS = (
    3  # raised where code that all runs pass through changes numbers: every run is then made again; see numerics.py
)
