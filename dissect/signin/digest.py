"""Digest authentication (RFC 7616, RFC 8760, RFC 3310): what an answer has that its challenge
contradicts. Everything is inferred from the fields themselves; a password is never tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dissect.signin.authentication import Credentials

# Hexadecimal digits of a response, by algorithm (RFC 7616 §3.3, RFC 8760 §2.4).
_DIGITS = {"MD5": 32, "SHA-256": 64, "SHA-512-256": 64}
_SESSION = "-SESS"
_QOPS = ("auth", "auth-int")


def only(items: Iterable[Credentials]) -> tuple[Credentials, ...]:
    """The challenges or credentials among `items` that are Digest's."""
    return tuple(item for item in items if item.scheme.lower() == "digest")


def proves(item: Credentials) -> bool:
    """Whether credentials hold a response: IMS's first REGISTER only names the user, with an
    empty one (3GPP TS 24.229 §5.1.1.2.2), and `auts` asks for another challenge (RFC 3310 §3.4)."""
    return bool(item.parameters.get("response")) and not resynchronises(item)


def resynchronises(item: Credentials) -> bool:
    """Whether the SIM refuses the challenge's sequence number, to be given a fitting one."""
    return bool(item.parameters.get("auts"))


def is_aka(item: Credentials) -> bool:
    """Whether the response is made of a SIM's key and no password (RFC 3310, RFC 4169)."""
    return item.parameters.get("algorithm", "").upper().startswith("AKAV")


def is_stale(items: Iterable[Credentials]) -> bool:
    """Whether a challenge says that only the nonce had expired (RFC 7616 §3.3)."""
    return any(item.parameters.get("stale", "").lower() == "true" for item in items)


def contradiction(
    answer: Credentials, offers: Sequence[Credentials], earlier: Collection[str] = ()
) -> str:
    """What in a digest can't fit the challenge that came before it, in words; else "".

    `offers` are that challenge's alternatives, `earlier` the nonces of those before it.
    """
    realm = answer.parameters.get("realm", "")
    own = [item for item in offers if item.parameters.get("realm", "") == realm]
    if not own:
        return "the realm of the answer is not that of the challenge before it"
    used = _algorithm(answer)
    names = tuple(dict.fromkeys(_algorithm(item) for item in own))
    if used not in names:
        only_ = " and ".join(map(_shown, names))
        return f"the challenge offers the algorithm {only_} only, the answer is by {_shown(used)}"
    fitting = [item for item in own if _algorithm(item) == used]
    nonce = answer.parameters.get("nonce", "")
    if nonce not in {item.parameters.get("nonce", "") for item in fitting}:
        if nonce in {item.parameters.get("nonce", "") for item in own}:
            return "the nonce of the answer is that of the challenge for another algorithm"
        more = ": it is that of an earlier one" if nonce in earlier else ""
        return f"the nonce of the answer is not that of the challenge before it{more}"
    one = next(item for item in fitting if item.parameters.get("nonce", "") == nonce)
    return _protection(answer, one) or _form(answer, one, used)


def _protection(answer: Credentials, offer: Credentials) -> str:
    """qop, nc and cnonce (RFC 7616 §3.4, RFC 3261 §22.4)."""
    offered = [word.strip().lower() for word in offer.parameters.get("qop", "").split(",")]
    offered = [word for word in offered if word]
    used = answer.parameters.get("qop", "").lower()
    if used and not offered:
        return "the answer has a qop, which the challenge does not offer"
    if used and used not in offered:
        names = " and ".join(_quality(word) for word in offered)
        return f"the challenge offers the qop {names} only, the answer is by qop {_quality(used)}"
    if not used and offered and "auth" not in offered:
        names = " and ".join(_quality(word) for word in offered)
        return f"the challenge demands the qop {names}, the answer has no qop"
    lacking = [name for name in ("cnonce", "nc") if not answer.parameters.get(name)]
    if used and lacking:
        return f"the answer has a qop and no {' and no '.join(lacking)}, which it then needs"
    return ""


def _form(answer: Credentials, offer: Credentials, used: str) -> str:
    opaque = offer.parameters.get("opaque")
    if opaque and answer.parameters.get("opaque") != opaque:
        return "the answer does not bring the challenge's opaque back"
    digits = _DIGITS.get(used.removesuffix(_SESSION))
    length = len(answer.parameters.get("response", ""))
    if digits is not None and length != digits:
        return f"the answer's response has {length} digits, {_shown(used)} gives {digits}"
    return ""


def _algorithm(item: Credentials) -> str:
    return item.parameters.get("algorithm", "").upper() or "MD5"  # RFC 7616 §3.3: the default


def _shown(algorithm: str) -> str:
    base = algorithm.removesuffix(_SESSION)
    if base in _DIGITS:
        return base + ("-sess" if algorithm.endswith(_SESSION) else "")
    if algorithm in ("AKAV1-MD5", "AKAV2-MD5", "AKAV2-SHA-256"):
        return "AKAv" + algorithm[4:]
    return "another that is not registered"


def _quality(word: str) -> str:
    return word if word in _QOPS else "another that is not registered"
