"""Miniature archives and weights in the published formats, and the project that makes tables of them.

``python -m tests.rehearsal FOLDER`` plays everything that the paper scale does, on a CPU and without internet.
"""
