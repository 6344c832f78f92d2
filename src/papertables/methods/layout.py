"""The layout of a prompt: fixed words, learned vectors and the class name, and from it tokens, places and end tokens.

Every prompt method describes its text by one ``layout``; ``place`` lays it out for the names of some classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from papertables.base.errors import UserError
from papertables.methods.prompt_names import Anchors, AttributeTokens, ClassPosition

Encode = Callable[[str], list[int]]  # text to its tokens, without start and end
ATTRIBUTE = -2
PLACEHOLDER = "x"  # where learned vectors go; what remains of them where a layout is shifted


@dataclass(frozen=True)
class Learned:
    """``count`` rows, from ``first`` on, of the learned vectors ``name``."""

    name: str
    count: int
    first: int = 0


@dataclass(frozen=True)
class Word:
    """A fixed word or phrase. ``attribute``: one of the anchors."""

    text: str
    attribute: bool = False


@dataclass(frozen=True)
class ClassName:
    """Where the name of the class stands."""


Part = Learned | Word | ClassName
Layout = tuple[Part, ...]


def layout(
    context: int,
    attributes: Sequence[str] = (),
    attribute_context: Sequence[int] | None = None,
    class_position: ClassPosition = "end",
    anchors: Anchors = "interval",
    words: str = "",
) -> Layout:
    """CoOp's prompt (its section 3.2) with any number of attribute anchors (ATPrompt, section 3.2).

    context: learned tokens ``context`` of the class; attribute_context: of each attribute, ``attribute1``, … (None: as
    many). words: fixed ones between context and class. class_position: of the class name, ``end`` (behind everything),
    ``middle`` (in the middle of its context) or ``front`` (before everything). anchors: ``interval`` (each behind its
    own context: [a₁][word₁] [a₂][word₂] [context][class]), ``front`` (words, then all contexts), ``middle`` (words in
    the middle of the attributes' contexts), ``end`` (words behind the attributes' contexts), ``separate`` (words and
    contexts of the first half before the class, of the others behind it).
    """
    counts = tuple(attribute_context or (context,) * len(attributes))
    if len(counts) < len(attributes):
        raise UserError(f"{len(attributes)} attributes need as many numbers of context tokens, there are {len(counts)}")
    soft = [Learned(f"attribute{i}", count) for i, count in enumerate(counts[: len(attributes)], start=1)]
    hard = [Word(word, attribute=True) for word in attributes]
    pairs = [part for pair in zip(soft, hard, strict=True) for part in pair]
    half, behind = (len(soft) + 1) // 2, []
    match anchors:
        case "interval":
            anchored = pairs
        case "front":
            anchored = hard + soft
        case "middle":
            anchored = soft[:half] + hard + soft[half:]
        case "end":
            anchored = soft + hard
        case "separate":
            anchored, behind = pairs[: 2 * half], pairs[2 * half :]
        case _:
            raise UserError(f"option anchors is '{anchors}': choose interval, front, middle, end or separate")
    own, fixed = Learned("context", context), [Word(words)] if words else []
    match class_position:
        case "end":
            return (*anchored, own, *fixed, ClassName(), *behind)
        case "middle":
            first = Learned("context", context // 2)
            return (*anchored, first, ClassName(), Learned("context", context - first.count, first.count), *behind)
        case "front":
            return (ClassName(), *anchored, own, *fixed, *behind)
    raise UserError(f"option class_position is '{class_position}': choose end, middle or front")


@dataclass(frozen=True)
class Placed:
    """A layout for C classes. tokens: (C, L), up to the longest end token. index: (C, L), the learned vector that takes
    the place of the token, as a row of all vectors of ``lengths`` one after the other; -1 where the token itself
    stands, -2 where it is of an attribute word. ends: (C,)."""

    tokens: Tensor
    index: Tensor
    ends: Tensor
    lengths: dict[str, int]

    def at(self, *names: str, words: bool = False) -> Tensor:
        """Where these learned vectors stand, and the attribute words if wanted: (C, n), in the order of the prompt."""
        chosen = (self.index == ATTRIBUTE) if words else torch.zeros_like(self.index, dtype=torch.bool)
        for name in names:
            first = offset(self.lengths, name)
            chosen |= (self.index >= first) & (self.index < first + self.lengths[name])
        return chosen.nonzero()[:, 1].view(len(self.index), -1)

    def shared(self) -> int:
        """How many tokens, from the start token on, are the same for all classes; no end token is among them. A single
        class shares the start token alone."""
        if len(self.ends) == 1:
            return 1
        same = ((self.tokens == self.tokens[0]) & (self.index == self.index[0])).all(0)
        return min(int(same.long().cumprod(0).sum()), int(self.ends.min()))


def offset(lengths: dict[str, int], name: str) -> int:
    """The row of the first vector of ``name`` where all vectors stand one after the other."""
    return sum(list(lengths.values())[: list(lengths).index(name)])


def place(
    parts: Layout,
    class_names: Sequence[str],
    encode: Encode,
    start: int,
    end: int,
    context_length: int,
    attribute_tokens: AttributeTokens = "all",
) -> Placed:
    """Lays a layout out. ``first`` follows the released code: it counts one token for every attribute word, so behind a
    longer one learned vectors overwrite its other pieces and placeholders remain before the class name. A prompt longer
    than ``context_length`` is a UserError."""
    lengths: dict[str, int] = {}
    for part in parts:
        if isinstance(part, Learned):
            lengths[part.name] = max(lengths.get(part.name, 0), part.first + part.count)
    rows = [_place(parts, name, encode, lengths, attribute_tokens) for name in class_names]
    ends = torch.tensor([len(tokens) + 1 for tokens, _ in rows])
    longest = int(ends.max()) + 1
    if longest > context_length:
        name = class_names[int(ends.argmax())]
        raise UserError(
            f"the prompt of class '{name}' has {longest} tokens, the text tower takes {context_length}: "
            "take fewer context tokens"
        )
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    index = torch.full((len(rows), longest), -1)
    for row, (own, learned) in enumerate(rows):
        tokens[row, : len(own) + 2] = torch.tensor([start, *own, end])
        for position, vector in learned:  # learned vectors come last: they overwrite
            index[row, position + 1] = vector
    return Placed(tokens, index, ends, lengths)


def _place(
    parts: Layout, name: str, encode: Encode, lengths: dict[str, int], attribute_tokens: AttributeTokens
) -> tuple[list[int], list[tuple[int, int]]]:
    """Tokens between start and end, and which of them which learned vectors replace."""
    tokens, learned, ahead = [], [], 0
    closed = encode(f"{name}.")  # the full stop may join what the name ends in
    own = closed[: len(encode(name))]
    for part in parts:
        match part:
            case Learned(vectors, count, first):
                here, row = len(tokens) - ahead, offset(lengths, vectors) + first
                learned += [(here + i, row + i) for i in range(count)]
                tokens += encode(PLACEHOLDER) * count
            case Word(text, attribute):
                pieces = encode(text)
                learned += [(len(tokens) + i, ATTRIBUTE) for i in range(len(pieces))] if attribute else []
                ahead += len(pieces) - 1 if attribute and attribute_tokens == "first" else 0
                tokens += pieces
            case ClassName():
                tokens += own
    return tokens + closed[len(own) :], sorted(learned, key=lambda each: each[1])
