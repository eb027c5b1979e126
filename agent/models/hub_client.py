"""The API of a model hub, as Hugging Face has it and its mirrors speak it: pages of models of an organisation."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

PATIENCE_S = 20.0
TRIES, LONGEST_WAIT_S = 3, 30.0
BUSY = (429, 502, 503, 504)
MOST_BYTES = 64 * 2**20
FIELDS = ("safetensors", "cardData", "config", "pipeline_tag", "createdAt", "sha", "gated")


class Unreachable(Exception):
    """The site cannot be asked, or answers something else than models; says why in one line."""


def models_of(site: str, author: str, most: int) -> Iterator[dict[str, Any]]:
    """The entries of an organisation's models, most downloaded first, page by page; raises Unreachable."""
    if _place(site)[0] not in ("http", "https"):
        raise Unreachable("it is no address that begins with https://")
    query = [("author", author), ("sort", "downloads"), ("limit", str(most)), *(("expand", name) for name in FIELDS)]
    url: str | None = f"{site.rstrip('/')}/api/models?{urllib.parse.urlencode(query)}"
    given = 0
    while url and given < most:
        entries, following = _page(url)
        yield from entries[: most - given]
        given += len(entries)
        # Another address than the one that was asked could be anybody's.
        url = following if entries and following and _place(following) == _place(url) else None


def _place(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def _page(url: str) -> tuple[list[dict[str, Any]], str | None]:
    """The entries of a page and the address of the next one."""
    for tried in range(1, TRIES + 1):
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "ai4s", "Accept": "application/json"})
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return _entries(answer.read(MOST_BYTES)), _next(answer.headers.get("Link", ""))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in BUSY or tried == TRIES:
                raise Unreachable(f"HTTP {error.code} {error.reason}") from None
            time.sleep(_wait(error.headers.get("Retry-After", ""), tried))
        except (OSError, ValueError, HTTPException) as error:
            raise Unreachable(str(getattr(error, "reason", error)) or type(error).__name__) from None
    raise AssertionError("the last try returns or raises")


def _wait(asked: str, tried: int) -> float:
    return min(float(asked) if asked.isdigit() else 2.0**tried, LONGEST_WAIT_S)


def _entries(body: bytes) -> list[dict[str, Any]]:
    try:
        entries = json.loads(body)
    except ValueError:
        raise Unreachable("the answer is not JSON") from None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise Unreachable("the answer is no list of models")
    return entries


def _next(link: str) -> str | None:
    found = re.search(r'<([^>]+)>\s*;\s*rel="next"', link)
    return found[1] if found else None
