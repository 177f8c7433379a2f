"""Chromium's own network log: what it did in answer to a 401, which DevTools do not show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SENT = ("HTTP_TRANSACTION_SEND_REQUEST_HEADERS", "HTTP_TRANSACTION_HTTP2_SEND_REQUEST_HEADERS")
READ = "HTTP_TRANSACTION_READ_RESPONSE_HEADERS"


@dataclass(frozen=True)
class Challenge:
    """A request that was answered with 401 and sent once more, with credentials."""

    url: str
    refused_ns: int
    repeated_ns: int


def challenges(path: Path) -> Iterator[Challenge]:
    """Every such pair in a log that is complete."""
    log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    constants = log["constants"]
    names = {number: name for name, number in constants["logEventTypes"].items()}
    offset = int(constants["timeTickOffset"])
    urls: dict[int, str] = {}
    refused: dict[int, int] = {}  # source → when
    for event in log["events"]:
        name, source = names[event["type"]], event["source"]["id"]
        parameters = event.get("params", {})
        moment = (int(event["time"]) + offset) * 10**6
        if name == "URL_REQUEST_START_JOB":
            urls[source] = parameters.get("url", urls.get(source, ""))
        elif name == READ and " 401" in str(parameters.get("headers", [""])[0]):
            refused[source] = moment
        elif name in SENT and source in refused:
            yield Challenge(urls[source], refused.pop(source), moment)
