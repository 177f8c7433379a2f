"""Which rows of a table are shown: --host, --method, --status, --stream, --time, --actor,
and which of their keys: --fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dissect.model import SequenceChart
    from dissect.pipeline import Session

Row = dict[str, Any]
Test = Callable[[Row], bool]
F = TypeVar("F", bound=Callable[..., Any])

# Keys of rows that name a host, in all tables; those of DNS and SIP are names and URIs.
HOST_KEYS = ("host", "server_name", "peer", "name", "from", "to", "client", "server")
STATUS_KEYS = ("status", "rcode")

_SIP_HOST = re.compile(r"sips?:(?:[^@>;]*@)?(\[[^\]]*\]|[^:;>?\s]+)", re.I)
_RANGE = re.compile(r"([1-9][0-9]{2})-([1-9][0-9]{2})")
_SECONDS = re.compile(r"\+?([0-9]{1,9})(?:\.([0-9]{1,9}))?")
_TIME_OF_DAY = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(.*[T ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9:]{4,6})?")


def _named(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    if not all(value.strip() for value in values):
        raise click.UsageError(f"{parameter.opts[0]} takes a name, not nothing", context)
    return values


def _numbers(
    context: click.Context, parameter: click.Parameter, values: tuple[int, ...]
) -> tuple[int, ...]:
    for value in values:
        if value < 0:
            raise click.UsageError(f"{parameter.opts[0]} takes 0 or more, not {value}", context)
    return values


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "host": click.option(
        "--host", "hosts", multiple=True, metavar="NAME",
        callback=_named,
        help="Only rows of this host: name or address, * and ? as wildcards. Repeatable.",
    ),
    "method": click.option(
        "--method", "methods", multiple=True, metavar="NAME", callback=_named,
        help="Only rows of this method. Repeatable.",
    ),
    "status": click.option(
        "--status", "statuses", multiple=True, metavar="CODE",
        help="Only rows of this status: 401, 4xx, 400-499, none (no answer); in `dns` a code "
        "such as NXDOMAIN. Repeatable.",
    ),
    "stream": click.option(
        "--stream", "streams", multiple=True, type=int, metavar="N", callback=_numbers,
        help="Only rows of this tcp.stream or udp.stream. Repeatable.",
    ),
    "time": click.option(
        "--time", "time_", metavar="FROM..TO",
        help="Only rows that begin in this time, either end may be missing: seconds from the "
        "start of the captures, a time of day in UTC, or a date and time.",
    ),
    "actor": click.option(
        "--actor", "actors", multiple=True, metavar="ID",
        help="Only rows to or from this actor of a flow that was found, such as phone. "
        "Repeatable.",
    ),
    "fields": click.option(
        "--fields", metavar="KEY,KEY...",
        help="Only these keys, in this order, in every format; facts.NAME is one fact.",
    ),
}  # fmt: skip


def filters(*names: str) -> Callable[[F], F]:
    """The filter options named; their values come as the keywords that `take` takes out."""

    def decorate(function: F) -> F:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return decorate


def take(options: dict[str, Any]) -> dict[str, Any]:
    """The filters' values, taken out of a command's keywords."""
    keys = ("hosts", "methods", "statuses", "streams", "time_", "actors")
    return {key: options.pop(key) for key in keys if key in options}


def chosen(
    rows: Iterable[Row], values: Mapping[str, Any], run: Session, words: bool = False
) -> Iterator[Row]:
    """The rows that every filter keeps; `words`: whether a status can be one (DNS).

    Raises UsageError for a value that can't be read.
    """
    tests = list(_tests(values, run, words))
    return (row for row in rows if all(test(row) for test in tests))


def _tests(values: Mapping[str, Any], run: Session, words: bool) -> Iterator[Test]:
    if hosts := values.get("hosts"):
        yield _any(_host(pattern) for pattern in hosts)
    if methods := values.get("methods"):
        wanted = {method.upper() for method in methods}
        yield lambda row: str(row.get("method") or "").upper() in wanted
    if statuses := values.get("statuses"):
        yield _any(_status(text, words) for text in statuses)
    if streams := values.get("streams"):
        yield lambda row: row.get("stream") in streams
    if (time := values.get("time_")) is not None:
        yield _time(time, run)
    if actors := values.get("actors"):
        yield _actor(actors, run.charts)


def _any(tests: Iterable[Test]) -> Test:
    known = list(tests)
    return lambda row: any(test(row) for test in known)


# ------------------------------------------------------------------ hosts and actors


def hosts_of(row: Row) -> set[str]:
    """Every name and address of a row, lower case, without ports."""
    found = set()
    for key in HOST_KEYS:
        value = row.get(key)
        if isinstance(value, str) and value:
            place = _place(value) if key in ("from", "to") else value
            found.add(_bare(place))
    return found


def _place(value: str) -> str:
    """The host of a SIP URI (`from`, `to` of `sip`) or a URL (those of `redirects`)."""
    if match := _SIP_HOST.search(value):
        return match[1]
    _, scheme, rest = value.partition("://")
    return re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2] if scheme else value


def _bare(text: str) -> str:
    """A host without its port, brackets and final dot."""
    name, colon, port = text.strip().lower().rpartition(":")
    host = name if colon and port.isdigit() and (":" not in name or name[-1:] == "]") else text
    return host.strip("[] ").rstrip(".").lower()


def _host(pattern: str) -> Test:
    wanted = _bare(pattern)
    return lambda row: any(fnmatchcase(name, wanted) for name in hosts_of(row))


def _actor(idents: Sequence[str], charts: Sequence[SequenceChart]) -> Test:
    """By the actor's addresses; where several servers share one, by the names it has."""
    known = {actor.ident: actor for chart in charts for actor in chart.actors}
    unknown = [ident for ident in idents if ident not in known]
    if unknown:
        found = ", ".join(sorted(known)) or "no flow was found, so there are none"
        raise click.UsageError(f"--actor: no {unknown[0]!r} here ({found})")
    places: set[str] = set()
    for chart in charts:
        for actor in chart.actors:
            if actor.ident in idents:
                places.update(actor.addresses, [actor.host.lower()] if actor.host else [])
    return lambda row: bool(places & hosts_of(row))


# ------------------------------------------------------------------ status


def _status(text: str, words: bool) -> Test:
    wanted = text.strip().lower()
    if wanted == "none":
        return lambda row: all(row.get(key) is None for key in STATUS_KEYS)
    if match := _RANGE.fullmatch(wanted):
        low, high = int(match[1]), int(match[2])
        return lambda row: isinstance(row.get("status"), int) and low <= row["status"] <= high
    if re.fullmatch(r"[1-9](?:xx|[0-9]{2})", wanted):
        return lambda row: _same_status(row.get("status"), wanted)
    if re.fullmatch(r"[a-z][a-z0-9]*", wanted) and words:
        return lambda row: any(str(row.get(key) or "").lower() == wanted for key in STATUS_KEYS)
    code = " or a DNS code" if words else ""
    raise click.UsageError(f"--status takes 401, 4xx, 400-499, none{code}, not {text!r}")


def _same_status(status: Any, wanted: str) -> bool:
    text = str(status) if isinstance(status, int) else ""
    return text[:1] == wanted[0] if wanted.endswith("xx") else text == wanted


# ------------------------------------------------------------------ time


def _time(text: str, run: Session) -> Test:
    first, dots, last = text.partition("..")
    if not dots or not (first.strip() or last.strip()):
        raise click.UsageError(f"--time takes FROM..TO, not {text!r}")
    starts = [info.start_ns for info in run.reading.captures if info.start_ns is not None]
    start = min(starts, default=0)
    low = _stamp(first.strip(), start, "")
    high = _stamp(last.strip(), start, "9999-12-31T23:59:59.999999999Z")
    return lambda row: low <= row["time"] <= high


def _stamp(text: str, start_ns: int, missing: str) -> str:
    """A bound as rows write times, so that the two compare as text."""
    from dissect.render.words import rfc3339

    if not text:
        return missing
    if match := _SECONDS.fullmatch(text):
        return rfc3339(start_ns + int(match[1]) * 1_000_000_000 + _fraction(match[2]))
    if match := _TIME_OF_DAY.fullmatch(text):
        hours, minutes, seconds = (int(match[index]) for index in (1, 2, 3))
        day = start_ns // 86_400_000_000_000 * 86_400
        total = day + hours * 3600 + minutes * 60 + seconds
        return rfc3339(total * 1_000_000_000 + _fraction(match[4]))
    match = _MOMENT.fullmatch(text)
    try:
        moment = datetime.fromisoformat(match[1] + (match[3] or "Z") if match else text)
    except ValueError:
        raise click.UsageError(
            f"--time takes seconds, a time of day or a date and time, not {text!r}"
        ) from None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return rfc3339(
        (since // timedelta(seconds=1)) * 1_000_000_000 + _fraction(match[2] if match else None)
    )


def _fraction(digits: str | None) -> int:
    return int((digits or "0").ljust(9, "0"))


# ------------------------------------------------------------------ fields


def fields(rows: Sequence[Row], wanted: str, known: Sequence[str] = ()) -> list[Row]:
    """The rows with only the keys of `wanted`, comma separated, in that order.

    `facts.leg` is a key inside a dictionary. Raises UsageError for a key that no row has,
    where there are rows or `known` keys to tell by.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    keys = {key: None for row in rows for key in row} or dict.fromkeys(known)
    for name in names:
        if keys and name not in keys and name.partition(".")[0] not in keys:
            raise click.UsageError(f"--fields: no {name!r}; there are {', '.join(keys)}")
    if not names:
        raise click.UsageError("--fields takes keys, separated by commas")
    return [{name: _value(row, name) for name in names} for row in rows]


def _value(row: Row, name: str) -> Any:
    if name in row:
        return row[name]
    outer, _, inner = name.partition(".")
    value = row.get(outer)
    return value.get(inner) if isinstance(value, dict) else None
