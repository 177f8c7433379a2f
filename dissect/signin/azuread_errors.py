"""Errors of Azure AD (Entra) wherever they stand: numbers AADSTS…, their sentences and ids, in
JSON, pages or the text of a redirect."""

from __future__ import annotations

import re

from dissect.model import Fact
from dissect.redaction import markup

NUMBER = re.compile(r"AADSTS(\d{5,7})")
_CONFIG_CODE = re.compile(
    r'"(?:strServiceExceptionCode|sErrorCode|iErrorCode)"\s*:\s*"?(\d{5,7})"?'
)
_GUID = r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
# Between a label and its id: a colon, quotes (escaped in a script), blanks, markup.
_BETWEEN = r"(?:[\s\":\\]|&nbsp;|<[^<>]{0,120}>)*+"
_TRACE = re.compile(r"(?:trace ?id|request ?id)" + _BETWEEN + _GUID, re.I)
_CORRELATION = re.compile(r"correlation[ _]?id" + _BETWEEN + _GUID, re.I)
_SENTENCE = re.compile(r"AADSTS\d{5,7}: ?([^\r\n<\\\"]{1,300})")
_CONFIG_SENTENCE = re.compile(
    r'"(?:strServiceExceptionMessage|sErrTxt|strMainMessage)"\s*:\s*"([^"\\<]{1,300})'
)
# How the application that signs in is named: the details of an error, the sentences of
# AADSTS65001, 700016 and others.
_APP_ID = re.compile(
    r"(?:app ?id|application(?: with (?:id|identifier))?)" + _BETWEEN + r"'?" + _GUID, re.I
)
_APP_NAME = re.compile(r"app name" + _BETWEEN + r"([^<\r\n\"\\]{1,100})", re.I)
# The page on which a sign-in ends, whatever number it shows; the others go on asking.
_ERROR_PAGE = re.compile(r'"pgid"\s*:\s*"ConvergedError"', re.I)

# Azure AD uses an error number where it only asks for one more thing; none of these ends
# a sign-in (names in Microsoft's list of AADSTS codes).
INTERRUPTS = frozenset(
    {"16000", "50058", "50072", "50074", "50076", "50079", "50097", "50140", "50199"}
)


def error_facts(text: str) -> dict[str, Fact]:
    """Code, sentence, trace and correlation id of an AADSTS error in JSON, HTML or text."""
    found = NUMBER.search(text) or _CONFIG_CODE.search(text)
    if found is None:
        return {}
    facts: dict[str, Fact] = {"code": found.group(1), "interrupt": found.group(1) in INTERRUPTS}
    sentence = _SENTENCE.search(text) or _CONFIG_SENTENCE.search(text)
    if sentence:
        facts["text"] = sentence.group(1).partition(" Trace ID")[0].strip()
    if facts["interrupt"] and _ERROR_PAGE.search(text):
        facts["interrupt"] = False
    for name, pattern in (("trace_id", _TRACE), ("correlation_id", _CORRELATION)):
        match = pattern.search(text)
        if match:
            facts[name] = match.group(1)
    for name, pattern in (("app_id", _APP_ID), ("app_name", _APP_NAME)):
        match = pattern.search(text)
        if match:
            facts[name] = match.group(1).lower() if name == "app_id" else plain(match.group(1))
    return facts


def plain(text: str) -> str:
    """A name out of a page: references resolved, white space made single blanks."""
    return " ".join(markup.html_unescaped(text).split())
