"""One message as a report shows it: a line, facts, header fields and body."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import (
    HttpRequest,
    HttpResponse,
    LogEntry,
    Message,
    SipMessage,
    TlsConnection,
    wire_text,
)
from dissect.render.details import MessageView, Pair
from dissect.report.session_texts import SessionTexts


class Views:
    """Makes the views of a session's messages."""

    def __init__(self, shown: SessionTexts) -> None:
        self.shown = shown
        self.policy = shown.policy

    def view(self, message: Message) -> MessageView | None:
        if isinstance(message, HttpRequest):
            url = self.shown.show(self.policy.target(message))
            host = message.host or message.server_name or ""
            whole = url if "://" in url[:12] else f"{message.scheme}://{self.shown.show(host)}{url}"
            title = f"{message.method} {whole}"
            return self._view(message, title, message.headers.get("content-type"))
        if isinstance(message, HttpResponse):
            reason = self.shown.words(wire_text(message.reason))
            title = f"{message.status or 'response'} {reason}".strip()
            return self._view(message, title, message.headers.get("content-type"))
        if isinstance(message, SipMessage):
            first = wire_text(message.uri) if message.kind == "request" else ""
            if message.kind == "request":
                title = f"{message.method} {self.shown.show(self.policy.uri(first))}"
            else:
                reason = self.shown.words(message.reason)
                title = f"{message.status} {reason} ({message.method})"
            return self._view(message, title, message.header("content-type"))
        if isinstance(message, TlsConnection):
            return self._connection(message)
        if isinstance(message, LogEntry):
            size = len(message.text)
            component, level = map(self.shown.show, (message.component, message.level))
            return MessageView(
                f"Log entry of {component}, level {level}",
                self.shown.source(message.place),
                message.place.span.first_ns,
                body_note=f"{size:,} bytes; the log itself has them",
            )
        return None

    def _view(
        self, message: HttpRequest | HttpResponse | SipMessage, title: str, kind: str | None
    ) -> MessageView:
        posted = isinstance(message, HttpRequest)
        body, note = self.policy.body(message.body, kind, posted)
        return MessageView(
            title=title,
            source=self.shown.source(message.place),
            time_ns=message.place.span.first_ns,
            facts=tuple(self._facts(message)),
            headers=tuple(
                (self.shown.show(name), self.shown.show(value))
                for name, value in self.policy.fields(
                    message.headers, isinstance(message, SipMessage)
                )
            ),
            body=self.shown.show(body) if body is not None else None,
            body_note=note if message.body.data or message.body.problem else "",
        )

    def _facts(self, message: HttpRequest | HttpResponse | SipMessage) -> Iterator[Pair]:
        place = message.place
        if isinstance(message, SipMessage):
            yield "Protocol", f"SIP over {message.transport.upper()}"
            if message.tls_dsk:
                yield "TLS-DSK", ", ".join(message.tls_dsk)
            if message.retransmission:
                yield "Repeated", "the same message was seen before"
        else:
            inside = "in TLS, decrypted" if place.encrypted else "in the clear"
            yield "Protocol", f"HTTP/{message.version}, {inside}"
            if message.h2_stream is not None:
                yield "HTTP/2 stream", str(message.h2_stream)
            if isinstance(message, HttpRequest) and message.via:
                yield "Through the proxy", message.via
        if place.connection.capture < len(self.shown.run.options.captures):
            yield "From", str(place.sender)
            yield "To", str(place.receiver)

    def _connection(self, row: TlsConnection) -> MessageView:
        facts = [
            ("Server name", self.shown.show(row.server_name)),
            ("Version", row.version or ""),
            ("Cipher suite", row.cipher_suite or ""),
            ("Application protocol", self.shown.show(row.alpn)),
            ("Decrypted", row.decrypted),
            ("Reason", row.reason or ""),
            ("", self.shown.show(row.sentence)),
            ("Client", str(row.place.connection.client)),
            ("Server", str(row.place.connection.server)),
        ]
        facts += [("Certificate", self.shown.show(c.subject)) for c in row.certificates[:3]]
        facts += [("Alert", f"{a.level} {a.description}, frame {a.frame}") for a in row.alerts[:5]]
        shown = tuple((name, value) for name, value in facts if value)
        source = self.shown.source(row.place)
        return MessageView("TLS connection", source, row.place.span.first_ns, shown)
