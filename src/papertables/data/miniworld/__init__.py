"""The mini world: small images composed of attributes, captions from a grammar, and shifted target sets."""

from .sentences import sentences, write_sentences
from .targets import TARGETS, draw_target

__all__ = ["TARGETS", "draw_target", "sentences", "write_sentences"]
