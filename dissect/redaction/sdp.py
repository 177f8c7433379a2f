"""Session descriptions (RFC 8866): what they say of media, by the grammar of each line.

Keys and passwords of media streams (RFC 4568, 8839), names of sessions that only their ends know
(RFC 4975 §14.1), free texts and whatever the grammar has no form for are hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import UNKNOWN, Secret
from dissect.redaction import forms
from dissect.redaction.field_names import SDP_ATTRIBUTES
from dissect.redaction.kinds import kind_by_words, kind_of

if TYPE_CHECKING:
    from dissect.redaction.judge import Judge, Part


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_KEYED = frozenset({"crypto", "ice-pwd", "key-mgmt", "zrtp-hash", "ekt", "3ge2ae", "psk"})
_GRAMMAR = {
    "v": re.compile(r"\d{1,3}"),
    "t": re.compile(r"[\d ]{1,60}"),
    "r": re.compile(r"[\ddhms ]{1,200}"),
    "z": re.compile(r"[\ddhms -]{1,200}"),
    "b": re.compile(r"(?:X-)?[A-Za-z]{1,12}:\d{1,15}"),
}
# Names of sessions that phones and servers give to all (RFC 8866 §5.3: "-" for none).
_SESSIONS = _set(
    "- session sip call talk phone-call a asterisk freeswitch kamailio sipp pjmedia sdp"
)
_SPACES = re.compile(r"([ \t;]+)")
_ATOMS = re.compile(r"([:/,|])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}")
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:[.-]\d{1,20}){0,3}")
_SHORT = re.compile(r"[A-Za-z]{1,3}\d{0,3}|sdparta_\d{1,3}|[*-]")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63}")
# An ICE foundation (RFC 8839 §5.1) as programs make it: a number, a letter and a number, a hash.
_FOUNDATION = re.compile(r"[A-Za-z]{0,6}\d{1,10}|[A-Z]?[0-9a-f]{1,8}")
_MSRP = re.compile(r"(msrps?://[^/\s]{1,300}/)([^;\s]++)((?:;[a-z]{1,10})?)", re.I)
_PROFILE = re.compile(r"[0-9A-Fa-f]{6}")
_TRANSPORTS = frozenset({"udp", "tcp", "tls", "tcp-act", "tcp-pass", "tcp-so", "dtls", "sctp"})
_FIELDS = frozenset({"ufrag", "pwd", "password"})  # of a candidate, what they lead is secret
# Parameters of codecs (IANA, "Media Types") that are numbers, and what they may say in words.
_CODEC_NUMBERS = _set(
    "mode mode-set mode-change-period mode-change-neighbor mode-change-capability octet-align",
    "crc robust-sorting interleaving channels max-red bitrate ptime maxptime minptime stereo",
    "sprop-stereo useinbandfec usedtx cbr maxaveragebitrate maxplaybackrate",
    "sprop-maxcapturerate packetization-mode max-mbps max-smbps max-fs max-cpb max-dpb max-br",
    "max-fr level-idx tier-flag level-asymmetry-allowed sar-understood sar-supported profile",
    "profile-id level-id apt rtx-time repair-window size cif qcif sqcif cif4 cif16 qp vbr cng",
    "ebw br bw dtx hf-only ch-aw-recv vbr-rate speed max-bitrate x-google-min-bitrate",
    "x-google-max-bitrate x-google-start-bitrate capture-width capture-height max-packet-rate",
    "fbr sprop-interleaving-depth streamtype",
)
_WORDS = _set(
    "in ip4 ip6 udp tcp tls dtls sctp rtp rtcp avp savp avpf savpf msrp udptl bfcp tcp-so",
    "tcp-act tcp-pass typ host srflx prflx relay raddr rport generation network-id",
    "network-cost tcptype active passive so actpass holdconn sha-1 sha-224 sha-256 sha-384",
    "sha-512 md5 bundle ls fid fec fec-fr sim ddup cs nack pli fir ccm tmmbr tstr vbcm",
    "goog-remb transport-cc trr-int rpsi sli ack app cname msid label mslabel semantic wms",
    "audio video text application message data image main slides applicationsharing",
    "applicationsharing-video main-video panoramic-video x-data new existing trickle",
    "renomination ice2 send recv sendrecv sendonly recvonly inactive all none yes no on off",
    "true false t38 transferredtcf localtcf t38udpredundancy t38udpfec t38udpnoecc both",
    "stat-summary voip-metrics rcvr-rtt pkt-loss-rle pkt-dup-rle pkt-rcpt-times portrait",
    "landscape seascape broadcast meeting moderated test h332 utf-8 iso-8859-1 us-ascii",
    "c-only s-only c-s incl excl webrtc-datachannel alt altc en de fr es it nl en-us en-gb",
    "srtp supported rejected optional required ufrag foundation pwd password annexb annexa",
    # Suites of SRTP (IANA, SDP Security Descriptions) and how their keys are agreed on.
    "aes_cm_128_hmac_sha1_80 aes_cm_128_hmac_sha1_32 f8_128_hmac_sha1_80 aead_aes_128_gcm",
    "aes_192_cm_hmac_sha1_80 aes_192_cm_hmac_sha1_32 aes_256_cm_hmac_sha1_80 aead_aes_256_gcm",
    "aes_256_cm_hmac_sha1_32 dtls-srtp sdes zrtp mikey",
    # Codecs (IANA, RTP payload format media types) and Microsoft's.
    "pcmu pcma g722 g7221 g723 g726-16 g726-24 g726-32 g726-40 g728 g729 g7291 gsm gsm-efr",
    "gsm-hr-08 ilbc opus speex silk silk16 amr amr-wb amr-wb+ evs l8 l16 l24 dvi4 lpc qcelp",
    "mpa vdvi aal2-g726-32 cn telephone-event tone red parityfec ulpfec flexfec-03 rtx",
    "x-ulpfecuc siren sirenlpr siren14 siren22 x-msrta x-rtvc1 x-h264uc h261 h263 h263-1998",
    "h263-2000 h264 h264-svc h265 vp8 vp9 av1 av1x jpeg mp4a-latm mpeg4-generic mpv mp4v-es",
    "t140 t38fax isac g711 aac-ld bv16 bv32 smpte2110 x-data baresip",
)  # fmt: skip


def judged(judge: Judge, content: str) -> Iterator[Part]:
    """A session description, each line with its line end."""
    for line in content.splitlines():
        kind, equals, value = line.partition("=")
        if not equals or len(kind) != 1:
            yield Secret(UNKNOWN, line) if line else ""
        else:
            yield from _line(judge, kind, equals, value)
        yield "\n"


def _line(judge: Judge, kind: str, equals: str, value: str) -> Iterator[Part]:
    lead = kind + equals
    if kind == "k":
        yield from (lead, Secret("token", value))
    elif kind == "a":
        yield from _attribute(judge, value)
    elif kind == "u":
        yield from (lead, *judge.url(value).parts)
    elif kind in ("c", "m", "o"):
        user, space, rest = value.partition(" ") if kind == "o" else ("", "", value)
        hidden = len(user) > forms.TOKEN_LENGTH and forms.looks_like_token(user)
        yield from (lead, Secret(UNKNOWN, user) if hidden else user, space)
        yield from tokens(judge, rest)
    elif kind in _GRAMMAR:
        plain = not value or _GRAMMAR[kind].fullmatch(value)
        yield from (lead, value if plain else Secret(UNKNOWN, value))
    elif kind == "s" and all(word.lower() in _SESSIONS for word in value.split()):
        yield from (lead, value)
    elif kind in "sipe":
        yield from (lead, *judge.value("sip", kind, value))
    else:
        yield from (lead, Secret(UNKNOWN, value))


def _attribute(judge: Judge, value: str) -> Iterator[Part]:
    name, colon, content = value.partition(":")
    lower = name.lower()
    yield from ("a=", judge.name(name) if colon or _known(lower) else judge.flag(name), colon)
    if not content:
        return
    if lower in _KEYED or kind_of(name):
        yield Secret(kind_of(name) or "token", content)
    elif lower not in judge.shown_names and _known(lower):
        yield from _candidate(judge, content) if "candidate" in lower else tokens(judge, content)
    else:
        yield from judge.value("sip", name, content)


def _known(lower: str) -> bool:
    return lower in SDP_ATTRIBUTES and kind_by_words(lower) is None


def _candidate(judge: Judge, content: str) -> Iterator[Part]:
    """RFC 8839 §5.1; older ones of Microsoft's ([MS-ICE] §2.2) begin with user and password."""
    before = "foundation"
    number = 0
    for token in _SPACES.split(content):
        if not token.strip():
            yield token
            continue
        number += 1
        if number == 3 and token.lower() not in _TRANSPORTS:
            yield Secret("password", token)
        elif before == "foundation":
            yield token if _FOUNDATION.fullmatch(token) else Secret(UNKNOWN, token)
        elif before in _FIELDS:
            yield Secret("token", token)
        else:
            yield from _token(judge, token)
        before = token.lower()


def tokens(judge: Judge, content: str) -> Iterator[Part]:
    """Words of a description between blanks: the documented ones, numbers, hosts are shown."""
    for token in _SPACES.split(content):
        yield from _token(judge, token) if token.strip(" \t;") else (token,)


def _token(judge: Judge, token: str) -> Iterator[Part]:
    name, equals, value = token.partition("=")
    path = _MSRP.fullmatch(token)
    if _plain(token) or _FINGERPRINT.fullmatch(token):
        yield token
    elif path is not None:
        yield from (path[1], Secret("session", path[2]), path[3])
    elif forms.is_url(token):
        plain = token.startswith("urn:") and forms.harmless(token)
        yield from judge.url(token).parts if "://" in token else _hidden(token, plain)
    elif equals and value and _NAME.fullmatch(name) and not forms.padded(token):
        yield from (judge.name(name), "=", *_parameter(judge, name, value))
    else:
        for atom in _ATOMS.split(token):
            yield from _hidden(atom, not atom or _ATOMS.fullmatch(atom) or _plain(atom))


def _hidden(text: str, plain: object) -> tuple[Part]:
    return (text if plain else Secret(UNKNOWN, text),)


def _parameter(judge: Judge, name: str, value: str) -> Iterator[Part]:
    lower = name.lower()
    atoms = _ATOMS.split(value)
    number = all(_NUMBER.fullmatch(a) or _ATOMS.fullmatch(a) for a in atoms if a)
    word = value.lower() in _WORDS and kind_by_words(name) is None
    if (
        (lower in _CODEC_NUMBERS and number)
        or word
        or (lower == "profile-level-id" and _PROFILE.fullmatch(value))
    ):
        yield value
    else:
        yield from judge.value("sip", name, value)


def _plain(atom: str) -> bool:
    """What the grammars have: a number, a documented word, an address, a host, a short label."""
    return (
        _NUMBER.fullmatch(atom) is not None
        or atom.lower() in _WORDS
        or _SHORT.fullmatch(atom) is not None
        or forms.is_address(atom)
        or forms.host(atom.lower())
        or forms.GUID.fullmatch(atom.removesuffix(".local")) is not None
    )
