"""What a source has cost so far, and the ceilings that no request goes over."""

from dataclasses import dataclass, field
from threading import Lock

from papertables.attributes.asking.answers import Answer
from papertables.attributes.asking.prompts import Request
from papertables.base.errors import UserError
from papertables.specs.language_models import LanguageModel


@dataclass
class Spent:
    """Of a source in all. begun: requests that are not answered yet, and the tokens that they may cost."""

    source: LanguageModel
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    begun: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def begin(self, request: Request) -> None:
        """Raises UserError for a request that may go over a ceiling."""
        with self._lock:
            for ceiling, most, now in self._ceilings(request):
                if most is not None and now > most:
                    raise UserError(
                        f"{self.source.id}: {ceiling} is {most:g}, and one request more may pass it ({self} so far, "
                        f"all answers kept): raise it in {self.source.place}"
                    )
            self.begun[request.name] = request.most_tokens

    def count(self, answer: Answer) -> None:
        """An answer that was stored before."""
        tokens_in, tokens_out = answer.tokens
        with self._lock:
            self.requests, self.tokens_in = self.requests + 1, self.tokens_in + tokens_in
            self.tokens_out += tokens_out

    def end(self, request: Request, answer: Answer | None) -> None:
        """What was begun, with its answer or without any."""
        with self._lock:
            del self.begun[request.name]
            self.requests += answer is None
        if answer is not None:
            self.count(answer)

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def _ceilings(self, request: Request):
        """By name, the ceiling, and what there would be with one request more."""
        source, waiting = self.source, sum(self.begun.values()) + request.most_tokens
        yield "max_requests", source.max_requests, self.requests + len(self.begun) + 1
        yield "max_tokens", source.max_tokens, self.tokens + waiting
        yield "max_cost", source.max_cost, source.cost(self.tokens_in, self.tokens_out + waiting) or 0

    def __str__(self) -> str:
        cost = self.source.cost(self.tokens_in, self.tokens_out)
        return f"{self.requests} requests, {self.tokens:,} tokens" + (
            f", {cost:.4f} in all" if cost is not None else ""
        )
