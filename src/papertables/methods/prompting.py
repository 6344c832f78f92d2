"""The learned side of a prompt: context vectors of classes and attributes, put into a layout for any class names."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from papertables.backbones.prompts import TextPrompts
from papertables.methods.inputs import MethodInputs
from papertables.methods.layout import Placed, layout, place
from papertables.methods.prompt_names import Anchors, ClassPosition
from papertables.methods.seeding import seeded

CONTEXT_STD, ATTRIBUTE_STD = 0.02, 0.01


class Laid(NamedTuple):
    """A layout for some classes, on a device: the embeddings (C, L, W) of its tokens, and what replaces which."""

    placed: Placed
    embedded: Tensor
    index: Tensor  # (C, L)
    ends: Tensor  # (C,)
    shared: int  # first tokens that are those of all classes


class DeepPlaces(NamedTuple):
    """Where deep tokens stand: ``at`` (C, n), or (1, n) where they are among the ``shared`` tokens. length: of the
    prompts, up to the furthest of these or the furthest end token."""

    at: Tensor
    shared: int
    length: int


class Prompting(nn.Module):
    """CoOp's context (its section 3.2) with ATPrompt's attribute anchors (its section 3.2).

    Parameters: ``context`` (n, W), drawn from N(0, 0.02), or (C, n, W) where ``class_specific``; ``attribute1``, … of
    each attribute, from N(0, 0.01), ``attribute_context`` tokens each (None: as many as the class). init: words whose
    embeddings the context starts from; it gets as many tokens as they have, unless ``keep_length``: then the first
    words start it and the others stay fixed behind it, as in MaPLe's released code. Attributes' contexts start from
    the first of these words too, which is our reading of ATPrompt's table 11.
    """

    def __init__(
        self,
        given: MethodInputs,
        tokens: int,
        attributes: Sequence[str] = (),
        anchors: Anchors = "interval",
        attribute_context: Sequence[int] | None = None,
        class_position: ClassPosition = "end",
        init: str = "",
        keep_length: bool = False,
        class_specific: bool = False,
    ):
        super().__init__()
        text = given.text
        words = text.encode(init)
        n = tokens if keep_length or not words else len(words)
        tokens_up_to = accumulate(len(text.encode(word)) for word in init.split())
        fixed = " ".join(word for word, total in zip(init.split(), tokens_up_to, strict=True) if total > n)
        counts = list(attribute_context or [n] * len(attributes))[: len(attributes)]
        self.layout = layout(n, attributes, counts, class_position, anchors, fixed)
        self.text, self.attribute_tokens, self.class_specific = text, given.attribute_tokens, class_specific
        self.attributes = len(attributes)
        shape = (len(given.class_names), n, text.width) if class_specific else (n, text.width)
        with seeded(given.seed):
            self.context = nn.Parameter(CONTEXT_STD * torch.randn(shape))
            for i, count in enumerate(counts, start=1):
                self.register_parameter(f"attribute{i}", nn.Parameter(ATTRIBUTE_STD * torch.randn(count, text.width)))
        if words:
            embedded = text.embed(torch.tensor(words)).detach().cpu()
            with torch.no_grad():
                for own in self.parameters():
                    own[..., : len(words), :] = embedded[: own.shape[-2]]
        self._laid: dict[tuple, Laid] = {}
        self._deep: dict[tuple, DeepPlaces] = {}

    def laid(self, names: tuple[str, ...]) -> Laid:
        """The layout for classes, remembered."""
        device = self.context.device
        if (names, device) not in self._laid:
            text = self.text
            placed = place(self.layout, names, text.encode, text.start, text.end, text.length, self.attribute_tokens)
            with torch.inference_mode(False), torch.no_grad():  # a later step may need it for gradients
                embedded = text.embed(placed.tokens).to(device)
            shared = 1 if self.class_specific else placed.shared()
            self._laid[names, device] = Laid(placed, embedded, placed.index.to(device), placed.ends.to(device), shared)
        return self._laid[names, device]

    def deep_places(self, names: tuple[str, ...], find: Callable[[Laid], Tensor]) -> DeepPlaces:
        """Where what ``find`` says, (C, n), stands; remembered."""
        device = self.context.device
        if (names, device) not in self._deep:
            laid = self.laid(names)
            at, shared = find(laid), laid.shared
            if at.max() < shared:
                at = at[:1]
            else:
                shared = min(shared, int(at.min()))
            length = max(laid.placed.tokens.shape[1], 1 + int(at.max()))
            self._deep[names, device] = DeepPlaces(at.to(device), shared, length)
        return self._deep[names, device]

    def class_places(self, laid: Laid, assumed: bool) -> Tensor:
        """Where the class context stands, (C, n). assumed: behind attributes that have as many context tokens as the
        class, and words of one token, where the released code looks for it."""
        if not assumed:
            return laid.placed.at("context")
        length = len(self.context)
        start = 1 + self.attributes * (length + 1)
        return torch.arange(start, start + length).expand(len(laid.ends), -1)

    def vectors(self, laid: Laid, context: Tensor) -> Tensor:
        """All learned vectors (…, V, W) in the order of the layout, with this context (…, n, W)."""
        parts = [context if name == "context" else getattr(self, name) for name in laid.placed.lengths]
        return torch.cat([part.expand(*context.shape[:-2], -1, -1) for part in parts], dim=-2)

    def forward(self, names: tuple[str, ...], shift: Tensor | None = None) -> TextPrompts:
        """Prompts of C classes; with a ``shift`` (B, W) of the class context for every image, (B · C), image by
        image."""
        laid = self.laid(names)
        index = laid.index
        if self.class_specific:
            rows = torch.arange(len(index), device=index.device)[:, None] * self.context.shape[1]
            index = torch.where(index < 0, index, index + rows)
        context = self.context.view(-1, self.text.width)  # of all classes, where each has its own
        context = context if shift is None else context + shift[:, None]  # (B, n, W)
        learned = self.vectors(laid, context)[..., index.clamp(min=0), :]  # (…, C, L, W)
        embeddings = torch.where((index >= 0)[:, :, None], learned, laid.embedded)
        alike, lengths = {"family": len(names), "shared": laid.shared}, (laid.placed.tokens.shape[1],)
        if shift is None:
            return TextPrompts(embeddings, laid.ends, lengths, **alike)
        count = len(shift)
        return TextPrompts(embeddings.flatten(0, 1), laid.ends.repeat(count), count * lengths, **alike)


class MetaNetwork(nn.Sequential):
    """CoCoOp's shift of the context (its section 3.2): image features (B, D), taken with length 1, to (B, W)."""

    def __init__(self, given: MethodInputs):
        with seeded(given.seed + 1):  # other numbers than the context's
            hidden = max(given.embedding_width // 16, 1)
            super().__init__(nn.Linear(given.embedding_width, hidden), nn.ReLU(), nn.Linear(hidden, given.text.width))

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(F.normalize(features, dim=-1))


class Similarity(nn.Module):
    """Scaled cosines."""

    def __init__(self, given: MethodInputs):
        super().__init__()
        self.register_buffer("scale", given.logit_scale.clone())

    def forward(self, features: Tensor, texts: Tensor) -> Tensor:
        """(B, D) with texts (C, D), or (B · C, D) image by image, to (B, C)."""
        features, texts = F.normalize(features, dim=-1), F.normalize(texts, dim=-1)
        if texts.ndim == 3:
            return self.scale.exp() * torch.einsum("bd,bcd->bc", features, texts)
        return self.scale.exp() * features @ texts.T


def by_image(texts: Tensor, images: int) -> Tensor:
    """(B · C, D) to (B, C, D)."""
    return texts.unflatten(0, (images, -1))
