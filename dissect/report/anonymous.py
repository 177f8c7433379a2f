"""Pseudonyms for people and machines, the same in all of a report: for tickets that leave
the house.

Replaced are user names with their domain (SIP addresses, UPNs, e-mail), the customers'
domains in host names, display names in SIP, IP and MAC addresses. IP addresses keep their
common prefixes (the scheme of Crypto-PAn: whether a bit is flipped depends on the bits before
it), private ones stay private. The key is random, so nothing can be turned back, and
two reports can't be compared. A name in a sentence looks like any word: it is replaced where
some field of any message told it (a display name, a claim, a user name such as vera.voss), and
as that may be none, bodies of messages are left out.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from dissect.model import SequenceChart
from dissect.redaction.masked_texts import mapped
from dissect.render.details import Details

Value = TypeVar("Value")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_AT = r"(?:@|%40|%2540|&#64;)"
_USER = re.compile(rf"(?<![\w.+%-])([\w.+-]{{1,64}}?)({_AT})((?:[\w-]+\.)+[A-Za-z][\w-]*)")
_AT_ADDRESS = re.compile(
    rf"(?<![\w.+%-])([\w.+-]{{1,64}}?)({_AT})(?=\d{{1,3}}(?:\.\d{{1,3}}){{3}}|\[)"
)
_BACKSLASH = re.compile(r"(?<![\w\\])([A-Za-z][\w.-]{0,15})(\\{1,2}|%5[Cc])([\w.-]{2,64})(?!\w)")
_DISPLAY = re.compile(r'"([^"<>\\]{1,100})"(\s*<sips?:)', re.I)
# Fields that hold a person's name: SIP without quotes, claims and directories, XML.
_NAMES = (
    re.compile(r"(?:^|[\s,:])((?:[^\W\d_][\w'-]* ){1,4}[^\W\d_][\w'-]*) *<sips?:"),
    re.compile(r'"(?:displayName|given_?name|family_?name|surname)"\s*:\s*"([^"\\]{2,100})"', re.I),
    re.compile(r'"name"\s*:\s*"([^"\\\s]{2,50} [^"\\]{2,50})"', re.I),
    re.compile(r"<(?:\w+:)?DisplayName>([^<]{2,100})<", re.I),
)
_DOTTED = re.compile(r"[\w-]++(?:\.[\w-]++)*+")
_LETTER = re.compile(r"[A-Za-z]")
DOMAIN_LENGTH = 253  # characters (RFC 1035 §2.3.4)
_SPELLED = re.compile(r"[^\W\d_]{2,30}(?:[._-][^\W\d_]{2,30}){1,3}")
_PSEUDONYM = re.compile(r"person \d+")
MIN_NAME = 3  # letters of a name that is looked for in sentences
# A name in a sentence is a row of these, whatever blanks, dots and strokes stand between them.
_TOKEN = re.compile(r"[^\W_]+|[^\w\s.-]")
_BEFORE = re.compile(r"(?<![\w@.%-])")
_AFTER = re.compile(r"(?![\w-]|\.\w|@|%40)")  # what is part of an address is the address's affair
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:])"
)
_MAC = re.compile(
    r"(?<![0-9A-Fa-f:-])((?:[0-9A-Fa-f]{2}[:-]){3})"
    r"((?:[0-9A-Fa-f]{2}[:-]){2}[0-9A-Fa-f]{2})(?![0-9A-Fa-f:-])"
)
# Without separators a MAC is recognised by its vendor: Polycom, whose phones write it so.
_BARE_MAC = re.compile(
    r"(?<![0-9A-Fa-f])(0004[Ff]2|64167[Ff]|482567)([0-9A-Fa-f]{6})(?![0-9A-Fa-f])"
)
_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fe80::/10", "fc00::/7",
    )
)  # fmt: skip


class Anonymizer:
    """Learns who is there, then replaces. Unknown names of the same kind are never mixed up."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._users: dict[str, str] = {}
        self._locals: dict[str, str] = {}
        self._domains: dict[str, str] = {}
        self._people: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        # Names by their tokens: the pseudonym, and the spelling that alone is meant if it is a
        # single word; and by a first token how many such names have. All are looked up, however
        # many there are.
        self._spellings: dict[tuple[str, ...], tuple[str, str | None]] = {}
        self._lengths: dict[str, set[int]] = {}

    def learn(self, text: str) -> str:
        """Note the users, domains and people's names in a text; returns it unchanged."""
        for user, _, domain in _USER.findall(text):
            self._user(user, domain)
            if _SPELLED.fullmatch(user):
                self._person(re.sub(r"[._-]", " ", user))
        for name, _ in _DISPLAY.findall(text):
            self._person(name)
        for pattern in _NAMES:
            for name in pattern.findall(text):
                self._person(name)
        return text

    def _domain(self, domain: str) -> str:
        name = domain.lower()
        if name not in self._domains:
            self._domains[name] = f"org{len(self._domains) + 1}.example"
        return self._domains[name]

    def _user(self, user: str, domain: str) -> str:
        name = f"{user}@{domain}".lower()
        found = self._users.setdefault(name, f"user{len(self._users) + 1}")
        self._locals.setdefault(user.lower(), found)
        self._domain(domain)
        return found

    def _local(self, user: str) -> str:
        """A user at a machine's address, as in a SIP Contact: the one of that name, if known."""
        name = user.lower()
        if name not in self._locals:
            self._locals[name] = self._users.setdefault(name, f"user{len(self._users) + 1}")
        return self._locals[name]

    def replace(self, text: str) -> str:
        """`text` with pseudonyms for all that is known and all that looks like it."""
        text = self._sentence(text)
        if not any(sign in text for sign in '@%.:\\"') and not _BARE_MAC.search(text):
            return text
        text = _DISPLAY.sub(lambda m: f'"{self._person(m[1])}"{m[2]}', text)
        text = _USER.sub(lambda m: f"{self._user(m[1], m[3])}{m[2]}{self._domain(m[3])}", text)
        text = _AT_ADDRESS.sub(lambda m: f"{self._local(m[1])}{m[2]}", text)
        text = _BACKSLASH.sub(self._backslash, text)
        if self._domains:
            text = _DOTTED.sub(self._known_domains, text)
        text = _MAC.sub(lambda m: m[1] + self._mac(m[2]), text)
        text = _BARE_MAC.sub(lambda m: m[1] + self._mac(m[2]), text)
        text = _IPV4.sub(lambda m: self._address(m[0]), text)
        return _IPV6.sub(lambda m: self._address(m[0]), text)

    def _person(self, name: str) -> str:
        key = " ".join(name.lower().split())
        if _PSEUDONYM.fullmatch(key):
            return name
        if key not in self._people:
            self._people[key] = f"Person {len(self._people) + 1}"
            tokens = tuple(_TOKEN.findall(key))
            single = len(name.split()) == 1
            if tokens and (not single or (len(name) >= MIN_NAME and name[0].isupper())):
                # A single one in the same case only: it may be a word, too.
                self._spellings.setdefault(tokens, (self._people[key], name if single else None))
                self._lengths.setdefault(tokens[0], set()).add(len(tokens))
        return self._people[key]

    def _sentence(self, text: str) -> str:
        """Names of known people in any text, however their words are joined."""
        if not self._spellings:
            return text
        found: list[str] = []
        done = at = 0
        tokens = list(_TOKEN.finditer(text))
        lower = [token[0].lower() for token in tokens]
        while at < len(tokens):
            size = self._name_at(text, tokens, lower, at)
            if size:
                start, end = tokens[at].start(), tokens[at + size - 1].end()
                found += [text[done:start], self._spellings[tuple(lower[at : at + size])][0]]
                done = end
            at += size or 1
        return "".join([*found, text[done:]]) if found else text

    def _name_at(
        self, text: str, tokens: Sequence[re.Match[str]], lower: Sequence[str], at: int
    ) -> int:
        """How many tokens the longest name has that begins at one; 0 if none does."""
        lengths = self._lengths.get(lower[at])
        if not lengths or not _BEFORE.match(text, tokens[at].start()):
            return 0
        for size in sorted(lengths, reverse=True):
            key = tuple(lower[at : at + size])
            if len(key) == size and key in self._spellings:
                start, end = tokens[at].start(), tokens[at + size - 1].end()
                spelled = self._spellings[key][1]
                if spelled in (None, text[start:end]) and _AFTER.match(text, end):
                    return size
        return 0

    def _backslash(self, match: re.Match[str]) -> str:
        """DOMAIN\\user; one of them alone says nothing of whose it is."""
        if len(match[3]) < 3 or match[3].isdigit() or re.fullmatch(r"[xuU][0-9a-f]{2,8}", match[3]):
            return match[0]  # an escape, not a name
        name = f"{match[3]}@{match[1]}".lower()
        return f"ORG{match[2]}{self._users.setdefault(name, f'user{len(self._users) + 1}')}"

    def _known_domains(self, match: re.Match[str]) -> str:
        """A dotted name with each known domain in it replaced, the longest at each label; one
        ends where no further name follows. A domain is looked up, however many are known."""
        labels = match[0].split(".")
        found: list[str] = []
        first = 0
        while first < len(labels):
            last = size = -1
            for at in range(first, len(labels)):
                size += len(labels[at]) + 1
                if size > DOMAIN_LENGTH:
                    break
                ends = at + 1 == len(labels) or not _LETTER.match(labels[at + 1])
                if ends and ".".join(labels[first : at + 1]).lower() in self._domains:
                    last = at
            if last < 0:
                found.append(labels[first])
                first += 1
            else:
                found.append(self._domains[".".join(labels[first : last + 1]).lower()])
                first = last + 1
        return ".".join(found)

    # ------------------------------------------------------------- addresses

    def _address(self, text: str) -> str:
        known = self._addresses.get(text)
        if known is None:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                return text  # a version or a time, no address
            known = self._addresses[text] = str(self._mapped_address(address))
        return known

    def _mapped_address(self, address: Address) -> Address:
        if address.is_loopback or address.is_multicast or address.is_unspecified:
            return address
        if int(address) == (1 << address.max_prefixlen) - 1:
            return address
        bits = address.max_prefixlen
        keep = next((net.prefixlen for net in _PRIVATE if address in net), 0)
        value, result = int(address), 0
        for index in range(bits):
            bit = value >> (bits - 1 - index) & 1
            if index >= keep:
                prefix = value >> (bits - index)
                word = f"{bits}/{index}/{prefix:x}".encode()
                bit ^= hmac.digest(self._key, word, "sha256")[0] & 1
            result = result << 1 | bit
        return type(address)(result)

    def _mac(self, tail: str) -> str:
        """The second half of a MAC address; the first names the vendor only."""
        digits = re.sub(r"[:-]", "", tail).lower()
        digest = hmac.digest(self._key, b"mac/" + digits.encode(), "sha256").hex()[:6]
        separator = tail[2] if len(tail) == 8 else ""
        return separator.join(digest[i : i + 2] for i in (0, 2, 4))


class Anonymous:
    """The charts and details of a run, and its lines, under pseudonyms."""

    def __init__(
        self, charts: Sequence[SequenceChart], details: Details, lines: Sequence[str]
    ) -> None:
        self._anonymizer = Anonymizer()
        bare = replace(
            details,
            messages={
                key: tuple(
                    replace(view, body=None, body_note=_left_out(view.body_note)) for view in views
                )
                for key, views in details.messages.items()
            },
        )
        everything = (tuple(charts), bare, tuple(lines))
        # Bodies don't leave, but they tell names.
        mapped((tuple(charts), details, tuple(lines)), self._anonymizer.learn)
        self.charts, self.details, self.lines = mapped(everything, self._replace)

    @property
    def _replace(self) -> Callable[[str], str]:
        return self._anonymizer.replace

    def text(self, value: Value) -> Value:
        """More of the same run, such as its HAR."""
        return mapped(mapped(value, self._anonymizer.learn), self._replace)


def _left_out(note: str) -> str:
    return f"{note}; bodies are left out with --anonymize" if note else ""
