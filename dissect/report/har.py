"""HTTP messages as an HTTP Archive (HAR 1.2), for the network panel of a browser.

Everything is redacted as in the report; a secret inside a URL is written percent-encoded,
so that the URL stays one. Times are of the capture; phases that HAR asks for and a capture
can't tell (DNS, connect) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import dissect
from dissect.model import Headers, HttpRequest, HttpResponse, Secret, Text, wire_text
from dissect.pipeline import Session
from dissect.redaction.fields import cookies, set_cookie
from dissect.render.escape import json_text, visible
from dissect.report.anonymous import Anonymous
from dissect.report.reread_bodies import with_bodies
from dissect.report.session_texts import SessionTexts
from dissect.signin.exchange import Exchange, pair

MAX_ENTRIES = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS = 253_402_300_799 * 1_000_000_000


def document(
    run: Session, anonymous: Anonymous | None = None, warnings: list[str] | None = None
) -> str:
    """The archive as JSON text. Exchanges whose request was not captured are left out. A bound
    that was reached is added to `warnings`."""
    shown = SessionTexts(run)
    exchanges = [exchange for exchange in pair(run.messages) if exchange.request is not None]
    exchanges.sort(key=lambda item: (item.place.span.first_ns, item.place.span.first_frame))
    log: dict[str, Any] = {
        "version": "1.2",
        "creator": {"name": "dissect", "version": dissect.__version__},
        "pages": [],
        "entries": [_entry(shown, item) for item in _whole(run, exchanges[:MAX_ENTRIES])],
        "comment": "Secrets are shown as ‹kind #number›.",
    }
    if len(exchanges) > MAX_ENTRIES:
        lacks = f"{len(exchanges) - MAX_ENTRIES} more exchanges are left out"
        log["comment"] += f" {lacks}."
        if warnings is not None:
            warnings.append(f"the HAR holds {MAX_ENTRIES:,} exchanges: {lacks}")
    masked = shown.masked({"log": log})
    if anonymous is not None:
        for entry in masked["log"]["entries"]:
            entry["request"].pop("postData", None)
            entry["response"]["content"].pop("text", None)
        masked = anonymous.text(masked)
    return json_text(json.dumps(masked, ensure_ascii=False, indent=1)) + "\n"


def _whole(run: Session, exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    """The exchanges with the bodies of their messages."""
    asked = with_bodies(run, [e.request for e in exchanges if e.request is not None])
    given = with_bodies(run, [e.response for e in exchanges if e.response is not None])
    requests, responses = iter(asked), iter(given)
    for exchange in exchanges:
        whole = Exchange(next(requests) if exchange.request is not None else None)
        whole.response = next(responses) if exchange.response is not None else None
        yield whole


def _entry(shown: SessionTexts, exchange: Exchange) -> dict[str, Any]:
    request, response = exchange.request, exchange.response
    if request is None:
        raise ValueError("an entry needs its request")
    place = request.place
    send = place.span.last_ns - place.span.first_ns
    wait = receive = 0
    if response is not None:
        wait = max(0, response.place.span.first_ns - place.span.last_ns)
        receive = response.place.span.last_ns - response.place.span.first_ns
    source = shown.source(place)
    frames = f"frames {source.first_frame}–{source.last_frame} of {source.capture}"
    entry: dict[str, Any] = {
        "startedDateTime": _time(place.span.first_ns),
        "time": _ms(send + wait + receive),
        "request": _request(shown, request),
        "response": _response(shown, request, response),
        "cache": {},
        "timings": {"send": _ms(send), "wait": _ms(wait), "receive": _ms(receive)},
        "connection": str(place.connection.client.port),
        "comment": visible(f"{frames} ({source.transport}.stream {source.stream})"),
    }
    address = place.connection.server.address
    if ":" in address or address.count(".") == 3:
        entry["serverIPAddress"] = address
    return entry


def _time(time_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    bounded = max(0, min(_LAST_NS, time_ns))
    moment = _EPOCH + timedelta(seconds=bounded // 1_000_000_000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{bounded // 1_000_000 % 1000:03d}Z"


def _ms(length_ns: int) -> float:
    return round(max(0, length_ns) / 1_000_000, 3)


def _version(version: str) -> str:
    return f"HTTP/{version}" if "." in version else f"HTTP/{version}.0"


def _url(shown: SessionTexts, text: Text) -> str:
    """A URL whose secrets' labels can't be taken for a fragment or a space."""
    parts = []
    for part in text.parts:
        label = shown.show(Text((part,)))
        parts.append(quote(label, safe="") if isinstance(part, Secret) else visible(label))
    return "".join(parts)


def _request(shown: SessionTexts, request: HttpRequest) -> dict[str, Any]:
    target = _url(shown, shown.policy.target(request))
    host = shown.show(request.host or request.server_name or str(request.place.connection.server))
    url = target if "://" in target[:12] else f"{request.scheme}://{visible(host)}{target}"
    if request.method == "CONNECT":
        url = f"https://{target}/"
    query = [
        {
            "name": visible(shown.show(name)),
            "value": visible(shown.show(value)),
        }
        for name, value in shown.policy.items(request.query)
    ]
    found: dict[str, Any] = {
        "method": visible(request.method),
        "url": url,
        "httpVersion": _version(request.version),
        "cookies": _cookies(shown, request.headers, "cookie"),
        "headers": _headers(shown, request.headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": request.body.wire_size,
    }
    if request.body.data:
        kind = request.headers.get("content-type")
        text, note = shown.policy.body(request.body, kind, posted=True)
        found["postData"] = {
            "mimeType": visible(_mime(shown, kind)),
            "text": _lines(shown.show(text)) if text else "",
            "comment": visible(note),
        }
    return found


def _response(
    shown: SessionTexts, request: HttpRequest, response: HttpResponse | None
) -> dict[str, Any]:
    if response is None:
        return {
            "status": 0, "statusText": "", "httpVersion": _version(request.version),
            "cookies": [], "headers": [], "content": {"size": 0, "mimeType": ""},
            "redirectURL": "", "headersSize": -1, "bodySize": -1,
            "comment": "no response was captured",
        }  # fmt: skip
    kind = response.headers.get("content-type")
    text, note = shown.policy.body(response.body, kind)
    content: dict[str, Any] = {
        "size": len(response.body.data),
        "mimeType": visible(_mime(shown, kind)),
        "comment": visible(note),
    }
    if text is not None:
        content["text"] = _lines(shown.show(text))
    location = response.headers.get("location")
    return {
        "status": response.status,
        "statusText": visible(shown.words(wire_text(response.reason))),
        "httpVersion": _version(response.version),
        "cookies": _cookies(shown, response.headers, "set-cookie"),
        "headers": _headers(shown, response.headers),
        "content": content,
        "redirectURL": _url(shown, shown.policy.url(location)) if location else "",
        "headersSize": -1,
        "bodySize": response.body.wire_size,
    }


def _mime(shown: SessionTexts, kind: str | None) -> str:
    return shown.show(shown.policy.header("content-type", kind, sip_message=True)) if kind else ""


def _headers(shown: SessionTexts, headers: Headers) -> list[dict[str, str]]:
    return [
        {"name": visible(shown.show(name)), "value": visible(shown.show(value))}
        for name, value in shown.policy.fields(headers)
    ]


def _cookies(shown: SessionTexts, headers: Headers, field: str) -> list[dict[str, str]]:
    found: list[tuple[str, Secret]] = []
    for value in headers.all(field):
        if field == "cookie":
            found += cookies(value)
        elif named := set_cookie(value):
            found.append(named)
    return [
        {"name": visible(shown.show(shown.policy.name(name))), "value": shown.show(Text((value,)))}
        for name, value in found
    ]


def _lines(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))
