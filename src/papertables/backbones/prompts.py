"""What learned prompts are built from, and what they hand to frozen towers: embedded text, tokens beside patches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Text:
    """What a learned prompt is built from. encode: text to tokens, without start and end. embed: tokens (…) to the text
    tower's input (…, W), before positions. length: the longest prompt in tokens, start and end included. width,
    image_width: W and V of the blocks of both towers. blocks, image_blocks: how many there are; an image tower that is
    no ViT has 0."""

    encode: Callable[[str], list[int]]
    embed: Callable[[Tensor], Tensor]
    start: int
    end: int
    length: int
    width: int
    blocks: int
    image_width: int
    image_blocks: int


@dataclass(frozen=True)
class TextPrompts:
    """embeddings: (N, L, W), before positions are added. ends: (N,), where each end token stands. Of each ``family``
    prompts, one after the other, the first ``shared`` tokens are the same, at least the start token and no end token.
    lengths: of each family, its tokens up to the furthest end or deep one; known here, since asking a GPU takes a wait.
    deep: for the blocks from the second on, what replaces tokens there, (N, n, W) each; the replaced ones stand at
    ``at`` (N, n). Where they are among the shared ones, these are those of each family, (N / family, n, W) and (N /
    family, n)."""

    embeddings: Tensor
    ends: Tensor
    lengths: tuple[int, ...]
    deep: tuple[Tensor, ...] = ()
    at: Tensor | None = None
    family: int = 1
    shared: int = 1

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def shape(self) -> tuple[int, ...]:
        """What prompts that go through the tower together agree in."""
        deep = (self.shared, len(self) // len(self.at), self.at.shape[1]) if self.deep else ()
        return self.family, len(self.deep), *deep

    def part(self, first: int, count: int) -> "TextPrompts":
        """Some of the prompts, whole families, cut behind the last end token among them: under the causal mask nothing
        there counts. Deep tokens that stand even further back keep a place."""
        rows, deep, at = slice(first, first + count), (), None
        if self.deep:
            each = len(self) // len(self.at)
            own = slice(first // each, (first + count) // each)
            deep, at = tuple(vectors[own] for vectors in self.deep), self.at[own]
        lengths = self.lengths[first // self.family : (first + count) // self.family]
        embeddings = F.pad(self.embeddings[rows], (0, 0, 0, max(lengths) - self.embeddings.shape[1]))  # cuts or fills
        return replace(self, embeddings=embeddings, ends=self.ends[rows], lengths=lengths, deep=deep, at=at)


@dataclass(frozen=True)
class ImagePrompts:
    """Tokens (B, n, V) that follow an image's patches, and what replaces them from the second block on."""

    tokens: Tensor
    deep: tuple[Tensor, ...] = ()

    @classmethod
    def of_all(cls, tokens: Tensor, deep: Sequence[Tensor], count: int) -> "ImagePrompts":
        """The same (n, V) for each of ``count`` images."""
        return cls(tokens.expand(count, -1, -1), tuple(own.expand(count, -1, -1) for own in deep))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.deep), self.tokens.shape[1]


def join_texts(parts: Sequence[TextPrompts]) -> TextPrompts:
    """Prompts of the same ``shape``, one after the other; as shared counts what is so in all parts."""
    longest, shared = max(part.embeddings.shape[1] for part in parts), min(part.shared for part in parts)
    padded = [F.pad(part.embeddings, (0, 0, 0, longest - part.embeddings.shape[1])) for part in parts]
    deep = tuple(torch.cat(own) for own in zip(*(part.deep for part in parts), strict=True))
    at = torch.cat([part.at for part in parts]) if deep else None
    ends, lengths = torch.cat([part.ends for part in parts]), sum((part.lengths for part in parts), ())
    embeddings = torch.cat(padded)
    return replace(parts[0], embeddings=embeddings, ends=ends, lengths=lengths, deep=deep, at=at, shared=shared)


def join_images(parts: Sequence[ImagePrompts]) -> ImagePrompts:
    """Prompts of the same ``shape``, one after the other."""
    deep = tuple(torch.cat(own) for own in zip(*(part.deep for part in parts), strict=True))
    return ImagePrompts(torch.cat([part.tokens for part in parts]), deep)
