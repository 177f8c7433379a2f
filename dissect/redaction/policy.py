"""The policy of one run: what may be shown of its messages, and what was met so far.

Everything that shows something of a capture asks it: tables, bodies, charts, HAR, reports,
exports, diagnostics. It knows nothing of files or commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dissect.model import (
    Body,
    Fact,
    Headers,
    HttpRequest,
    HttpResponse,
    Secret,
    SipMessage,
    Text,
    wire_text,
)
from dissect.redaction import event_facts, fields, forms, options, sdp, sip, sip_secrets
from dissect.redaction.book import SecretBook
from dissect.redaction.judge import Judge, Part, texts
from dissect.redaction.secret_collection import BODY_LIMIT, SecretCollector
from dissect.redaction.shown_bodies import Bodies, media_type
from dissect.redaction.typed import Served

MAX_CALLS = 100_000  # Call-IDs that are remembered; a dialog that is named by another is hidden


class Policy:
    """`shown_names` are names whose values the user wants to see (`--show-value`); `reveal` shows
    everything."""

    def __init__(
        self, reveal: bool = False, shown_names: Iterable[str] = (), book: SecretBook | None = None
    ) -> None:
        self.book = SecretBook(reveal) if book is None else book
        self.judge = Judge(shown_names)
        self.bounds = self.judge.bounds
        self.served = Served(self.bounds)
        self._bodies = Bodies(self.judge, self.served)
        self._collector = SecretCollector(self.judge, self.served)

    # ------------------------------------------------------------- what is met

    def secrets_of(
        self, message: HttpRequest | HttpResponse | SipMessage
    ) -> list[tuple[Secret, bool]]:
        """The secrets of a message, each with whether it stood where only credentials stand; what
        the forms in it ask for is learned with that."""
        if isinstance(message, HttpRequest):
            self.judge.paths.note(message.path.partition("?")[0])
        fields = sum(len(name) + len(value) for name, value in message.headers)
        self.judge.room.came(fields + len(message.body.data))
        credentials: list[Secret] = []
        with self.bounds.at(message.place):
            if isinstance(message, SipMessage):
                if len(self.judge.calls) < MAX_CALLS:
                    self.judge.calls.add((message.header("call-id") or "").strip())
                credentials = list(sip_secrets.credentials(message))
                found = list(self._collector.sip(message))
            else:
                found = list(self._collector.http(message))
        return [(item, True) for item in credentials] + [(item, False) for item in found]

    def secrets_of_body(self, body: Body, content_type: str | None, posted: bool) -> list[Secret]:
        """The secrets of known kinds in a body, whatever encodes them."""
        return list(self._collector.body(body.text[:BODY_LIMIT], content_type or "", posted))

    # ------------------------------------------------------------- what is shown of it

    def url(self, url: str) -> Text:
        """A URL or request target."""
        return self.judge.url(url)

    def target(self, request: HttpRequest) -> Text:
        """The request target with its query; absolute form as sent."""
        return self.judge.url(wire_text(request.target))

    def path(self, request: HttpRequest) -> Text:
        """The request's path without its query."""
        return texts(self.judge.path(request.path.partition("#")[0]))

    def uri(self, uri: str) -> Text:
        """A SIP request URI."""
        return texts(sip.uri(self.judge, uri))

    def name(self, name: str) -> Text:
        """A name, of a cookie, say; one that looks like a token is hidden."""
        return texts([self.judge.name(name)])

    def value(self, name: str, value: str) -> Text:
        """The value of a query parameter."""
        return texts(self.judge.value("query", name, value))

    def items(self, query: str) -> Iterator[tuple[Text, Text]]:
        """Name and value of each item of a query; what has no value may be one."""
        for name, value in self.judge.items(query):
            yield texts([name]), texts(value)

    def header(self, name: str, value: str, sip_message: bool = False) -> Text:
        return fields.header(self.judge, name, value, sip_message)

    def fields(self, headers: Headers, sip_message: bool = False) -> Iterator[tuple[Text, Text]]:
        """Name and value of each field in wire order."""
        for name, value in fields.fields(self.judge, headers, sip_message):
            yield texts([self.judge.name(name)]), value

    def media_type(self, content_type: str | None) -> str | None:
        """A Content-Type's media type in lower case; "unknown" for what is none."""
        kind = media_type(content_type)
        return (kind if forms.harmless(kind) else "unknown") if kind else None

    def words(self, text: str) -> Text:
        """A server's own words."""
        return texts(self.judge.words(text))

    def body(
        self, body: Body, content_type: str | None, posted: bool = False
    ) -> tuple[Text | None, str]:
        """A body and a note on it; `posted`: a client sent it. None: nothing may be shown."""
        return self._bodies.shown(body, content_type, posted)

    def whole(self, body: Body, content_type: str | None) -> bool:
        """Whether `body` tells of every byte of a body."""
        return self._bodies.whole(body, content_type)

    def form(self, content: str) -> list[tuple[str, Part, list[Part]]]:
        """The fields of a urlencoded form: name, name as it may be shown, value."""
        return self._bodies.form(content)

    def media(self, text: str) -> Text:
        """What a session description says of one stream: kind, address, formats."""
        return texts(sdp.tokens(self.judge, text))

    def option(self, place: str, value: bytes | str) -> Text | str:
        """A DHCP option by its code."""
        return options.option(self.judge, place, value)

    def class_identifier(self, text: str | None) -> Text | str | None:
        """A DHCP client's product or host name."""
        found = options.class_identifier(text) if text is not None else None
        return Text((found,)) if isinstance(found, Secret) else found

    def answer(self, kind: str, data: str) -> Text | str:
        """The data of a DNS record."""
        return options.answer(self.judge, kind, data)

    def fact(self, name: str, value: Fact) -> Fact:
        """A fact of an event that was copied from a message."""
        return event_facts.fact(self.judge, name, value)

    # ------------------------------------------------------------- as text

    @property
    def reveal(self) -> bool:
        return self.book.reveal

    @property
    def kept(self) -> list[str]:
        """Names that the user wanted to see and that stay hidden: a known kind of secret."""
        return sorted(self.judge.kept)

    def show(self, fact: Fact | None) -> str:
        """A fact or text: secrets by number, everything else scrubbed of known values."""
        return self.book.show(fact)

    def scrub(self, text: str) -> str:
        """Text with each known secret value in it masked."""
        return self.book.scrub(text)
