"""One file from one address. What has arrived is kept, and a broken connection goes on where it stopped."""

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from papertables.specs.config import Config

STALLED = 60.0  # seconds without a byte until a connection counts as broken
PAUSES = (0.5, 60.0)  # seconds between two attempts: the first, which doubles, and the longest
CHUNK = 1 << 18  # bytes
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another attempt may find changed
PAGE = re.compile(rb"\s*<(!doctype html|html|head)\b", re.IGNORECASE)


class Network(NamedTuple):
    """How files are fetched.

    mirrors: by how an address begins, what stands there in its place; the longest beginning counts. patience: seconds
    without progress until an address is given up. shared: folders that are searched before any address is asked.
    """

    mirrors: Mapping[str, str] = {}
    patience: float = 300.0
    shared: Sequence[Path] = ()

    @classmethod
    def of(cls, config: Mapping) -> "Network":
        """As the configuration says."""
        said = Config.model_validate(config)
        return cls(said.mirrors, said.download_patience, tuple(map(Path, said.shared_data)))

    def address(self, url: str) -> str:
        """Where a file is asked for that the catalog has at ``url``."""
        begins = max(filter(url.startswith, self.mirrors), key=len, default="")
        return self.mirrors.get(begins, "") + url.removeprefix(begins)


DIRECT = Network()


class NotThere(Exception):
    """An address that does not give the file, and why."""


class Broken(Exception):
    """An attempt that another may make good. wait: the seconds that the server asks for."""

    def __init__(self, why: str, wait: float = 0.0):
        super().__init__(why)
        self.wait = wait


def arrive(url: str, part: Path, patience: float) -> None:
    """Completes ``part`` from an address, however often the connection breaks; NotThere after ``patience`` seconds
    without a new byte, and at once where another attempt would change nothing. ``part`` never shrinks, but is begun
    anew where it is longer than the file."""
    if url.startswith("file:"):
        try:
            shutil.copyfile(url2pathname(urlparse(url).path), part)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotThere("there is no such file") from None
        return
    first = pause = min(PAUSES[0], patience / 20)
    until = time.monotonic() + patience
    while True:
        before = _size(part)
        try:
            return _append(url, part, min(STALLED, max(1.0, patience)))
        except Broken as error:
            if _size(part) > before:
                pause, until = first, time.monotonic() + patience
            wait = max(pause, error.wait)
            if time.monotonic() + wait > until:
                raise NotThere(str(error)) from None
            print(f"{url}: {error}, next attempt in {wait:.1f} s", flush=True)
        time.sleep(wait)
        pause = min(2 * pause, PAUSES[1])


def _append(url: str, part: Path, timeout: float) -> None:
    """Asks for the bytes that ``part`` lacks, and adds them."""
    have, answered = _size(part), False
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            answered = True
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return _check_length(part, response)
            _add(part, have, response)
    except requests.exceptions.SSLError:
        raise NotThere("its certificate is not accepted") from None
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
        raise Broken("the connection ends before the file does" if answered else "no connection") from None
    except requests.RequestException as error:
        raise NotThere(" ".join(str(error).split())) from None


def _add(part: Path, have: int, response: requests.Response) -> None:
    """Adds what the answer has beyond the first ``have`` bytes; a server may send more of the file than it was asked
    for."""
    status = response.status_code
    if status in PASSING:
        raise Broken(f"HTTP status {status}", _asked_to_wait(response))
    if status >= 400:
        raise NotThere(f"HTTP status {status}")
    begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    start = int(begins[1]) if begins else 0
    chunks = response.iter_content(CHUNK)
    first = next(chunks, b"")
    if response.headers.get("Content-Type", "").startswith("text/html") or (not start and PAGE.match(first)):
        raise Broken("it sends a web page in place of the file")
    if start > have:
        raise Broken("it sends another part of the file than was asked for")
    known = have - start
    with part.open("ab") as file:
        for chunk in chain([first], chunks):
            file.write(chunk[known:])
            known = max(0, known - len(chunk))


def _check_length(part: Path, response: requests.Response) -> None:
    """After the answer that there are no bytes beyond ``part``: it is whole, or too long and begun anew."""
    length = response.headers.get("Content-Range", "").rpartition("/")[2]
    if length.isdecimal() and int(length) < _size(part):
        part.unlink()
        raise Broken("what had arrived is longer than the file")


def _asked_to_wait(response: requests.Response) -> float:
    """The seconds that the answer's Retry-After names, 0 where it names none."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0.0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
