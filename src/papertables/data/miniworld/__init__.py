"""The mini world: small images composed of attributes, captions from a grammar, and shifted target sets."""

from papertables.data.miniworld.sentences import sentences, write_sentences
from papertables.data.miniworld.targets import TARGETS, draw_target

__all__ = ["TARGETS", "draw_target", "sentences", "write_sentences"]
