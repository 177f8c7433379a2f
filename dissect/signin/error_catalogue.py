"""What an error means and what to do about it: the catalogue `errors.toml`, and its lookup.

`error` is asked first, then the text, then the number: Azure AD's maker warns that numbers
and texts change. An OAuth error that says little (`invalid_grant`) comes after the number.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from dissect.model import Fact

_CLIENT_CODE = re.compile(r"\b0x(CAA[0-9A-F]{5})\b", re.I)  # of the Teams client
_ADFS_CODE = re.compile(r"\b(MSIS[0-9]{4})\b")


# Of a number that only its range is known of.
_WIDE_CAUSE = "the server's own words, where it sent any, tell more than this number"
_WIDE_REMEDY = "Look for the same number and time in the log of the server that the source names."


@dataclass(frozen=True, slots=True)
class Advice:
    """An entry: `text` can follow a colon; `source` says where the meaning is documented."""

    code: str
    text: str
    cause: str = ""
    remedy: str = ""
    source: str = ""
    name: str = ""
    says: tuple[str, ...] = ()
    general: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Entries by family and code, and the ranges of ms-diagnostics numbers."""

    families: Mapping[str, Mapping[str, Advice]]
    ranges: tuple[tuple[int, int, Advice], ...]

    def get(self, family: str, code: str) -> Advice | None:
        """The entry of exactly this code, or None."""
        return self.families.get(family, {}).get(code)

    def by_text(self, text: str) -> Advice | None:
        """The sign-in entry one of whose phrases the text holds, or None."""
        lower = text.lower()
        return next(
            (
                entry
                for family in ("oauth", "aadsts")
                for entry in self.families[family].values()
                if any(phrase in lower for phrase in entry.says)
            ),
            None,
        )

    def in_range(self, number: str) -> Advice | None:
        """What kind of component an unknown ms-diagnostics number comes from, or None."""
        digits = number.partition(".")[0].strip()
        if not digits.isdecimal() or len(digits) > 6:
            return None
        value = int(digits)
        return next((entry for low, high, entry in self.ranges if low <= value <= high), None)


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The shipped catalogue, read once."""
    raw = tomllib.loads((files("dissect.signin") / "errors.toml").read_text("utf-8"))
    sources: dict[str, str] = raw.pop("source")
    ranges = []
    for span, entry in raw.pop("range")["ms-diagnostics"].items():
        low, _, high = span.partition("-")
        wide = Advice(span, entry["text"], _WIDE_CAUSE, _WIDE_REMEDY, sources["ocer"])
        ranges.append((int(low), int(high), wide))
    return Catalogue(
        families={
            family: {code: _entry(code, entry, sources) for code, entry in entries.items()}
            for family, entries in raw.items()
        },
        ranges=tuple(ranges),
    )


def _entry(code: str, raw: Mapping[str, object], sources: Mapping[str, str]) -> Advice:
    says = raw.get("says", ())
    return Advice(
        code=code,
        text=str(raw["text"]),
        cause=str(raw["cause"]),
        remedy=str(raw["remedy"]),
        source=sources[str(raw["source"])],
        name=str(raw.get("name", "")),
        says=tuple(str(item) for item in says) if isinstance(says, list) else (),
        general=bool(raw.get("general", False)),
    )


def sign_in(error: str = "", text: str = "", number: str = "") -> Advice | None:
    """What an OAuth or Azure AD error means: `error` first, then the text, then the number.

    `number` is the AADSTS number in digits. An error that says little comes last.
    """
    known = catalogue()
    by_name = known.get("oauth", error)
    if by_name is not None and not by_name.general:
        return by_name
    client, adfs = _CLIENT_CODE.search(text), _ADFS_CODE.search(text)
    by_text = (
        known.by_text(text)
        or (known.get("teams", "0x" + client[1].upper()) if client else None)
        or (known.get("msis", adfs[1]) if adfs else None)
    )
    return by_text or known.get("aadsts", number) or by_name


def sip(status: str, ms_error: str = "") -> Advice | None:
    """What a SIP refusal means: the ms-diagnostics number first, then the status.

    A number that only its range is known of gives that range's words with the status's
    remedy.
    """
    known = catalogue()
    number = ms_error.partition(".")[0].strip()
    exact = known.get("diagnostics", number) if number else None
    if exact is not None:
        return exact
    by_status = known.get("sip", status)
    wide = known.in_range(number) if number else None
    if by_status is None:
        return wide
    if wide is None:
        return by_status
    text = f"{by_status.text}; {wide.text} (ms-diagnostics {number})"
    return Advice(by_status.code, text, by_status.cause, by_status.remedy, by_status.source)


# What only Skype for Business speaks over SIP ([MS-SIPAE]).
_SIPAE = ("tls-dsk", "ntlm", "kerberos")


def _sip(word: Callable[[str], str], facts: Mapping[str, Fact]) -> Advice | None:
    """By the code that a rule gave, by what was refused as proof, or by the status."""
    known = catalogue()
    code, number = word("code"), word("ms_error")
    for key in (code, word("proof")):
        entry = known.get("sip", key)
        if entry is not None and not key.isdigit() and not number:
            return entry
    status = code if known.get("sip", code) else word("status")
    if facts.get("contradiction") and status in ("400", "401", "407") and not number:
        lacking = status != "400" and not facts.get("schemes")
        return known.get("sip", "no_challenge" if lacking else "contradiction")
    spoke = number or word("scheme").lower() in _SIPAE
    if spoke and known.get("sip", f"sfb_{status}"):
        status = f"sfb_{status}"
    found, proof = sip(status, number), known.get("sip", word("scheme").lower())
    if found is not None and proof is not None and number and word("scheme").lower() != "tls-dsk":
        # Numbers are the same for each scheme; what to do about a certificate is TLS-DSK's.
        cause, remedy = (
            own if "certificate" in reported else reported
            for reported, own in ((found.cause, proof.cause), (found.remedy, proof.remedy))
        )
        return replace(found, cause=cause, remedy=remedy)
    return found


def of_event(name: str, facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """`meaning`, `cause` and `remedy` for the event of a failure, as far as known.

    Pure; empty for events that are no failure and for codes that no entry knows.
    """
    found = _find(name, facts)
    return _named(found) if found else {}


def of_code(code: str) -> dict[str, Fact]:
    """The same for a failure whose code is FAMILY.CODE, in capitals or small letters."""
    family, _, rest = code.lower().partition(".")
    entries = catalogue().families.get(family, {})
    found = next((entry for key, entry in entries.items() if key.lower() == rest), None)
    return _named(found) if found else {}


def _named(found: Advice) -> dict[str, Fact]:
    named = {"meaning": found.text, "cause": found.cause, "remedy": found.remedy}
    return {key: value for key, value in named.items() if value}


# The endings of events that say that something was refused.
_FAILURES = (
    ".refused", ".failed", ".error", ".rejected", ".unavailable", ".alert", ".response.sent",
    ".looped",
)  # fmt: skip


# Events whose code is one fact, and its family; events that are a code by themselves.
_LOOKUPS = {
    "tls.alert": ("tls", "alert"),
    "adfs.error": ("msis", "code"),
    "dns.failed": ("dns", "rcode"),
    "sip.register.looped": ("sip", "code"),
    "proxy.connect.refused": ("proxy", "status"),
    "provisioning.failed": ("provisioning", "http_status"),
}
_SAML = ("saml.response.issued", "saml.response.posted")  # a refusal is inside a response
_FIXED = {
    "tcp.refused": ("tcp", "refused"),
    "tcp.timeout": ("tcp", "timeout"),
    "tcp.reset": ("tcp", "reset"),
    "udp.unreachable": ("udp", "unreachable"),
    "adfs.unavailable": ("service", "unavailable"),
    "adfs.credentials.rejected": ("service", "credentials"),
    "adfs.password.expired": ("service", "password_expired"),
}


def _find(name: str, facts: Mapping[str, Fact]) -> Advice | None:
    if not name.endswith(_FAILURES) and name not in _FIXED and name not in _SAML:
        return None

    def word(key: str) -> str:
        value = facts.get(key)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    known = catalogue()
    if name == "dns.failed" and word("type") in ("HTTPS", "SVCB"):
        return known.get("dns", "no_https")
    if name in _LOOKUPS:
        family, key = _LOOKUPS[name]
        return known.get(family, word(key))
    if name == "adfs.credentials.rejected" and word("auth_method"):
        return known.get("http_auth", word("auth_method").lower())
    if name in _FIXED:
        return known.get(*_FIXED[name])
    if name in _SAML:
        return known.get("saml", word("substatus")) or known.get("saml", word("status_code"))
    if name == "http.auth.refused":
        found = known.get("krb_ap", word("krb_error"))
        return found or known.get("http_auth", word("scheme").lower())
    if name.startswith("sip."):
        if name == "sip.response.sent" and word("status")[:1] in "123":
            return None
        return _sip(word, facts)
    if name.startswith(("webticket.", "certprov.", "autodiscover.")):
        number = word("ms_error").partition(".")[0]
        exact = (
            known.get("pin", word("pin_problem"))
            or known.get("diagnostics", number)
            or known.get("service", word("code"))
        )
        return exact or known.in_range(number)
    if name == "oauth.bearer.refused" and not word("error") and word("status") == "401":
        return known.get("oauth", "invalid_token")
    return (
        sign_in(word("error"), word("text"), word("code"))
        or known.get("wstrust", word("fault"))
        or known.get("enrolment", word("error"))
    )
