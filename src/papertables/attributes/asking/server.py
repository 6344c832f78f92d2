"""The server that answers. The key is read from the environment, and is in nothing that is written or raised."""

import ipaddress
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import JsonValue

from papertables.attributes.asking.prompts import Picture, Request
from papertables.attributes.asking.reading import is_whole
from papertables.base.errors import UserError, did_you_mean
from papertables.specs.language_models import LanguageModel

HIDDEN = "[key]"
ATTEMPTS = 3  # at one answer, where what comes is none


class NotUnderstood(UserError):
    """The server takes the request itself for faulty."""


def check_source(source: LanguageModel) -> None:
    """Raises UserError for a source that nobody can be asked for: without a model, or without a key of a server that is
    not in the user's own network."""
    if source.model is None:
        raise UserError(
            f"source {source.id} names no model: add it in {source.place}, or take "
            "papertables make … --model … --base-url …"
        )
    if not os.environ.get(source.key_variable) and not _is_near(urlsplit(source.base_url).hostname):
        raise UserError(
            f"{source.base_url} asks for a key: put it into the environment variable {source.key_variable}; "
            "or take the published sentences (--config sentences=published)"
        )


def _is_near(host: str) -> bool:
    """Whether it is this machine or one of the same network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".localhost", ".internal"))


class Server:
    def __init__(self, source: LanguageModel):
        from openai import OpenAI  # slow to import, and needed only where something is asked

        check_source(source)
        self.source, self.key = source, os.environ.get(source.key_variable, "")
        self.client = OpenAI(
            api_key=self.key or "none", base_url=source.base_url, timeout=source.timeout, max_retries=source.retries
        )

    def answer(self, request: Request) -> JsonValue:
        """The body of the answer, or of a stream its parts. Raises UserError where there is none."""
        import openai

        for _ in range(ATTEMPTS):
            try:
                body = self._asked(request)
            except openai.APIStatusError as error:
                raise self._failed(error) from None
            except openai.APIConnectionError as error:
                why = " ".join(str(error.__cause__ or error).split())
                raise UserError(
                    f"{self.source.base_url}: no answer after {self.source.retries + 1} attempts ({self._plain(why)}): "
                    "start the server or mend base_url, then run again: all answers so far are kept"
                ) from None
            except (openai.APIError, ValueError):  # in the midst of a stream, or no JSON
                continue
            if is_whole(body):
                return body
        raise UserError(
            f"{self.source.base_url}: {ATTEMPTS} answers in a row were broken (cut short, or not those of an "
            "OpenAI-compatible server): look at the server and at base_url, then run again: all whole answers are kept"
        )

    def _asked(self, request: Request) -> JsonValue:
        chat = self.source.interface == "chat"
        interface = self.client.chat.completions if chat else self.client.completions
        given = _body(request) | ({"messages": _messages(request)} if chat else {"prompt": _text(request)})
        if not self.source.stream:
            return json.loads(self._plain(interface.with_raw_response.create(**given).http_response.text))
        parts = []
        with interface.create(**given, stream=True, stream_options={"include_usage": True}) as stream:
            try:
                parts += [part.model_dump(mode="json", exclude_unset=True) for part in stream]
            except Exception as error:  # of the transport, whichever it is, where the connection breaks
                raise ValueError("cut") from error
        return json.loads(self._plain(json.dumps(parts)))

    def _failed(self, error) -> UserError:
        """What a status says to the user."""
        source, said = self.source, self._plain(" ".join(str(error.message).split()))
        match error.status_code:
            case 401 | 403 if self.key:
                return UserError(f"{source.base_url} refuses the key in {source.key_variable}: {said}")
            case 401 | 403:
                return UserError(f"{source.base_url} asks for a key: put it into {source.key_variable}: {said}")
            case 404:
                return UserError(f"{source.base_url} knows no model '{source.model}'{self._models()}: {said}")
            case 400 | 422:
                return NotUnderstood(
                    f"{source.base_url} does not understand the request: {said}: change it in {source.place} "
                    "(seed: null sends none)"
                )
        return UserError(
            f"{source.base_url}: {said} (after {source.retries + 1} attempts): run again later; all answers are kept"
        )

    def _models(self) -> str:
        """Those that the server has, where it says so."""
        try:
            known = [each.id for each in self.client.with_options(max_retries=0).models.list()]
        except Exception:
            return ""
        return f"{did_you_mean(self.source.model, known)}; it has {', '.join(known[:20])}" if known else ""

    def _plain(self, text: str) -> str:
        """Without the key, should a server say it."""
        return text.replace(self.key, HIDDEN) if self.key else text


def _body(request: Request) -> dict:
    """What the request holds beside its text; what is None is not sent."""
    parameters = request.parameters
    told = {
        "model": request.source.model,
        "n": parameters.n if parameters.n > 1 else None,
        "temperature": parameters.temperature,
        "max_tokens": parameters.max_tokens,
        "stop": list(parameters.stop) or None,
        "seed": request.seed,
        "extra_body": parameters.extra or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _messages(request: Request) -> list[Mapping]:
    system = request.source.prompts.system
    found = [{"role": "system", "content": system}] if system else []
    found += [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(request.turns)]
    if request.images:
        found[-1]["content"] = [{"type": "text", "text": request.turns[-1]}, *map(_shown, request.images)]
    return found


def _shown(image: Picture) -> Mapping:
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{b64encode(image.data).decode()}"}}


def _text(request: Request) -> str:
    """All that was said, to be continued."""
    system = request.source.prompts.system
    return "\n\n".join([*([system] if system else []), *request.turns])
