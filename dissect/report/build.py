"""From a session to the details of a report; everything in them is redacted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from dissect.model import SipMessage, Source, TlsConnection
from dissect.pipeline import Session
from dissect.render.details import (
    AnomalyView,
    Details,
    EvidenceKey,
    ExchangeView,
    MessageView,
    RedirectView,
    SipView,
    TlsView,
    evidence_key,
)
from dissect.report.environment import environment, key_logs
from dissect.report.message_views import Views
from dissect.report.reread_bodies import with_bodies
from dissect.report.session_texts import SessionTexts
from dissect.signin.exchange import Exchange, pair
from dissect.tables.redirects import rows as redirects

MAX_MESSAGES = 6000  # with headers and body
MAX_CHARACTERS = 12_000_000  # of all headers and bodies
MAX_ROWS = 5000  # of each table
_DIAGNOSTICS = ("ms-diagnostics", "ms-diagnostics-public")
AnyRow = TypeVar("AnyRow")


def build(run: Session) -> Details:
    """The details of everything that the session read.

    Messages are those that the charts' arrows and the SIP ladder point to.
    """
    charts = run.charts
    builder = _Builder(run)
    wanted = {
        evidence_key(source)
        for chart in charts
        for step in chart.steps
        for arrow in step.arrows
        for source in (arrow.source, *arrow.sources)
    }
    wanted |= {evidence_key(source) for c in charts if c.cause for source in c.cause.evidence}
    return builder.details(wanted)


class _Builder:
    """Fills the details, each list bounded."""

    def __init__(self, run: Session) -> None:
        self.run = run
        self.shown = SessionTexts(run)
        self.left_out: list[str] = []

    def details(self, wanted: set[EvidenceKey]) -> Details:
        run = self.run
        messages = self._messages(wanted)
        exchanges = self._rows("HTTP exchanges", self._exchanges())
        found = Details(
            messages=messages,
            exchanges=tuple(exchanges),
            redirects=tuple(self._rows("redirects", self._redirects())),
            tls=tuple(self._rows("TLS connections", self._tls())),
            sip=tuple(self._rows("SIP messages", self._sip())),
            clocks=tuple(self._clocks()),
            anomalies=tuple(self._rows("oddities", self._anomalies())),
            environment=environment(run),
            key_logs=key_logs(run),
            left_out=tuple(self.left_out),
        )
        return self.shown.masked(found)

    def _rows(self, what: str, rows: Iterator[AnyRow]) -> list[AnyRow]:
        kept: list[AnyRow] = []
        for row in rows:
            if len(kept) == MAX_ROWS:
                rest = 1 + sum(1 for _ in rows)
                self.left_out.append(f"{rest} more {what}: the tables of dissect have all of them")
                break
            kept.append(row)
        return kept

    # ------------------------------------------------------------- messages

    def _messages(self, wanted: set[EvidenceKey]) -> dict[EvidenceKey, tuple[MessageView, ...]]:
        found: dict[EvidenceKey, list[MessageView]] = {}
        used = count = missed = 0
        views = Views(self.shown)
        chosen = [
            message
            for message in [*self.run.messages, *self.run.log_messages]
            if isinstance(message, SipMessage)
            or evidence_key(self.shown.source(message.place)) in wanted
        ]
        for message in with_bodies(self.run, chosen):
            key = evidence_key(self.shown.source(message.place))
            if count >= MAX_MESSAGES or used >= MAX_CHARACTERS:
                missed += 1
                continue
            view = views.view(message)
            if view is None:
                continue
            count += 1
            used += len(view.body or "") + sum(len(a) + len(b) for a, b in view.headers)
            found.setdefault(key, []).append(view)
        if missed:
            self.left_out.append(f"header fields and bodies of {missed} messages")
        return {key: tuple(views) for key, views in found.items()}

    # ------------------------------------------------------------- tables

    def _exchanges(self) -> Iterator[ExchangeView]:
        exchanges: list[Exchange] = pair(self.run.messages)
        exchanges.sort(key=lambda e: (e.place.span.first_ns, e.place.span.first_frame))
        for exchange in exchanges:
            request, response = exchange.request, exchange.response
            location = exchange.location
            yield ExchangeView(
                source=self.shown.source(exchange.place),
                start_ns=exchange.place.span.first_ns,
                end_ns=response.place.span.last_ns if response else None,
                method=self.shown.show(exchange.method),
                url=self.shown.show(self.run.policy.target(request)) if request else "",
                host=self.shown.show(exchange.host),
                status=exchange.status,
                location=self.shown.show(self.run.policy.url(location)) if location else "",
            )

    def _redirects(self) -> Iterator[RedirectView]:
        for row in redirects(self.run):
            cookies = [f"cookie {name}" for name in row["cookies"]]
            source = Source(
                row["capture"], row["first_frame"], row["last_frame"], row["stream"],
                encrypted=row["encrypted"],
            )  # fmt: skip
            yield RedirectView(
                source=source,
                chain=row["chain"],
                start=row["from"],
                target=row["to"],
                status=row["status"],
                kind=row["kind"],
                carried=", ".join([*row["why"], *cookies]),
                followed=row["followed"],
            )

    def _tls(self) -> Iterator[TlsView]:
        for row in self.run.messages:
            if isinstance(row, TlsConnection):
                connection = row.place.connection
                yield TlsView(
                    source=self.shown.source(row.place),
                    client=str(connection.client),
                    server=str(connection.server),
                    name=self.shown.show(row.server_name),
                    version=row.version or "",
                    suite=row.cipher_suite or "",
                    decrypted=row.decrypted,
                    reason=row.reason or "",
                    why=self.shown.show(row.sentence),
                    keys=row.secret_source or "",
                    alerts=", ".join(f"{a.level} {a.description}" for a in row.alerts[:5]),
                )

    def _sip(self) -> Iterator[SipView]:
        for message in self.run.messages:
            if not isinstance(message, SipMessage):
                continue
            policy, call = self.run.policy, message.header("call-id") or ""
            status = message.status
            if message.kind == "request":
                label = message.method
            else:
                label = f"{status} {self.shown.words(message.reason)}"
            named = ((name, message.header(name)) for name in _DIAGNOSTICS)
            name, diagnostics = next(((n, v) for n, v in named if v), ("", ""))
            yield SipView(
                source=self.shown.source(message.place),
                time_ns=message.place.span.first_ns,
                sender=str(message.place.sender),
                receiver=str(message.place.receiver),
                label=label,
                note=self.shown.show(policy.header(name, diagnostics, sip_message=True)),
                call=self.shown.show(policy.header("call-id", call, sip_message=True)),
                failed=bool(status and status >= 300 and status not in (401, 407)),
                repeated=message.retransmission,
            )

    def _clocks(self) -> Iterator[str]:
        for line in (*self.run.diagnostics, *self.run.noted):
            yield self.run.policy.scrub(line)

    def _anomalies(self) -> Iterator[AnomalyView]:
        for item in self.run.reading.anomalies:
            yield AnomalyView(
                item.kind, self.run.names[item.capture], item.frame, self.shown.show(item.sentence)
            )
