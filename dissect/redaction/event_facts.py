"""Facts of events that were copied from the wire: what of them may be shown.

Rules put into facts what they read; here each is judged by the fact's name before anybody sees
it. Facts whose names are in no list are dissect's own words, or numbers.
"""

from __future__ import annotations

import re

from dissect.model import Fact, Secret, Text
from dissect.redaction import fields, forms, options, sip
from dissect.redaction.judge import Judge, Part, texts
from dissect.redaction.plain import plain


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


SENTENCES = _set(
    "text reason fault error error_sent suberror problem relying_party app_name brand words",
)
URLS = _set(
    "website autodiscover authority verification consumer destination realm resource audience iss",
    "aud issuer entity home_realm proxy_path issued_resource other_resource",
)
# Ids, names and words that a support desk asks for.
PLAIN = _set(
    "access_location action activity_id app_id appid application auth_method auth_wanted",
    "authn_context authn_method azp binding binding_wanted call call_id callee client_id cseq",
    "correlation_id deviceid digest domain epid federation_protocol file forwarded_for",
    "fresh_within grant issued_scope leg links message method name name_id_format namespace",
    "number oid ports preferred_username prompt proxy redirect_user request_id",
    "response_mode response_type roles scope scp server_date signature tid token_type trace_id",
    "unique_name upn code status_code substatus ms_error trusted_issuers rcode user user_agent",
    "amr alg server_name certificate code_challenge site target",
)
_PASSWORD = re.compile(r"[^:@]{1,200}:[^@]++@")  # in the user part of a SIP URI
_COUNTED = re.compile(r"\d{1,9} bytes")  # what stands for an option that is no text
_SCHEMES = _set("scheme schemes")


def fact(judge: Judge, name: str, value: Fact) -> Fact:
    """A fact as it may be kept: what is not known to be harmless in it wrapped."""
    if isinstance(value, str):
        return _text(judge, name, value)
    if isinstance(value, tuple):
        judged = [_text(judge, name, item) for item in value]
        if all(isinstance(item, str) for item in judged):
            return tuple(str(item) for item in judged)
        parts: list[Part] = []
        for index, item in enumerate(judged):
            parts.append(", " if index else "")
            parts += item.parts if isinstance(item, Text) else [item]
        return texts(parts)
    return value


def _text(judge: Judge, name: str, value: str) -> str | Text | Secret:
    if name in judge.shown_names:
        return value
    if name in SENTENCES:
        return _kept(value, texts(judge.words(value)))
    if name in URLS:
        url = forms.is_url(value) or "?" in value
        return _kept(value, judge.url(value) if url else texts(_guarded(value)))
    if name == "contacts" or (name in ("user", "callee") and _PASSWORD.match(value)):
        return _kept(value, _address(judge, name, value))
    if name in ("file", "call", "proxy_path"):
        return _kept(value, texts(judge.path(value)))
    if name == "user_agent":
        return _kept(value, texts(plain(value)))
    if name in PLAIN:
        return _kept(value, texts(_guarded(value)))
    if name in _SCHEMES:
        return value if fields.is_scheme(value) else "unknown"
    if name == "offered" or name == "protocol":
        part = fields.subprotocol(value)
        return part
    if name.startswith("option "):
        if _COUNTED.fullmatch(value):
            return value
        return options.option(judge, name.split()[1], value)
    if name == "pool":
        return options.option(judge, "43.3", value)
    if name in ("vendor_class", "host_name"):
        return options.class_identifier(value)
    if name == "answers":
        kind, _, data = value.partition(" ")
        return _kept(value, texts([kind, " ", *_parts(options.answer(judge, kind, data))]))
    return value


def _address(judge: Judge, name: str, value: str) -> Text:
    """A SIP address; that of a user has no scheme."""
    if name == "contacts":
        return texts(list(sip.uri(judge, value)))
    return texts(list(sip.uri(judge, "sip:" + value))[1:])


def _parts(value: Text | str) -> tuple[Part, ...]:
    return value.parts if isinstance(value, Text) else (value,)


def _kept(value: str, found: Text) -> str | Text:
    """The text itself where all of it is shown, so that it stays comparable."""
    return found if any(isinstance(part, Secret) for part in found.parts) else value


def _guarded(value: str) -> list[Part]:
    """Whole, unless a token stands where an id or a name is expected."""
    if len(value) > forms.TOKEN_LENGTH and (forms.has_jwt(value) or forms.PEM in value):
        return [Secret("opaque_value", value)]
    return [value]
