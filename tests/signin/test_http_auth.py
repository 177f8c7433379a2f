"""HTTP sign-ins at any server, proxies that refuse, and the Kerberos errors of web servers."""

from __future__ import annotations

import base64

import pytest

from dissect.model import Event
from dissect.signin import kerberos_error
from dissect.signin.authentication import parse
from tests.signin.build import exchange, play

URL = "https://intranet.test/x"


def only(*events: Event) -> list[Event]:
    return [event for event in events if event.name.startswith("http.auth.")]


def krb_error(code: int) -> str:
    """A GSS-API token with a KRB-ERROR (RFC 4120 §5.9.1, RFC 4121 §4.1)."""

    def der(tag: int, content: bytes) -> bytes:
        size = len(content)
        head = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
        return bytes([tag]) + head + content

    def number(tag: int, value: int) -> bytes:
        return der(tag, der(2, bytes([value])))

    realm = der(0xA9, der(0x1B, b"R" * 150))
    fields = number(0xA0, 5) + number(0xA1, 30) + number(0xA6, code) + realm
    oid = bytes.fromhex("06092a864886f712010202")
    token = der(0x60, oid + b"\x03\x00" + der(0x7E, der(0x30, fields)))
    return base64.b64encode(token).decode()


@pytest.mark.parametrize(
    ("status", "name"),
    [(200, "accepted"), (302, "accepted"), (404, "accepted"), (401, "refused"),
     (403, "forbidden"), (500, None)],
)  # fmt: skip
def test_basic(status: int, name: str | None) -> None:
    secret = base64.b64encode(b"alice:p:w").decode()
    found = only(*play(exchange(
        url=URL, status=status, headers={"Authorization": f"Basic {secret}"},
        response_headers={"WWW-Authenticate": 'Basic realm="Staff"'} if status == 401 else {},
    )))  # fmt: skip
    assert [event.name for event in found] == ["http.auth.sent"] + (
        [f"http.auth.{name}"] if name else []
    )
    assert found[0].facts["user"] == "alice"
    assert not any("p:w" in str(value) for event in found for value in event.facts.values())


def test_ntlm_in_three_legs() -> None:
    def blob(kind: int) -> str:
        return base64.b64encode(b"NTLMSSP\0" + kind.to_bytes(4, "little") + b"\0" * 80).decode()

    asked = exchange(url=URL, status=401, at=1, response_headers={"WWW-Authenticate": "NTLM"})
    first = exchange(url=URL, status=401, at=2, headers={"Authorization": f"NTLM {blob(1)}"},
                     response_headers={"WWW-Authenticate": f"NTLM {blob(2)}"})  # fmt: skip
    last = {"Authorization": f"NTLM {blob(3)}"}
    good = only(*play(asked, first, exchange(url=URL, at=3, headers=last)))
    assert [event.name.rpartition(".")[2] for event in good] == [
        "asked", "sent", "challenged", "sent", "accepted",
    ]  # fmt: skip
    bad = exchange(url=URL, status=401, at=3, headers=last,
                   response_headers={"WWW-Authenticate": "NTLM"})  # fmt: skip
    assert only(*play(asked, first, bad))[-1].name == "http.auth.refused"


@pytest.mark.parametrize(
    ("code", "name"),
    [(44, "KRB_AP_ERR_BADKEYVER"), (41, "KRB_AP_ERR_MODIFIED"), (37, "KRB_AP_ERR_SKEW"),
     (99, "error 99")],
)  # fmt: skip
def test_the_servers_kerberos_error(code: int, name: str) -> None:
    ticket = base64.b64encode(
        bytes.fromhex("6010" + "06092a864886f712010202" + "0100") + b"ticket"
    ).decode()
    found = only(*play(exchange(
        url=URL, status=401, headers={"Authorization": f"Negotiate {ticket}"},
        response_headers={"WWW-Authenticate": f"Negotiate {krb_error(code)}"},
    )))  # fmt: skip
    assert (found[-1].name, found[-1].facts["krb_error"]) == ("http.auth.refused", name)
    assert found[-1].facts["meaning"]


@pytest.mark.parametrize("token", ["", "!", "fg==", "fgA=", "foD/////", "YII="])
def test_a_token_that_holds_no_error(token: str) -> None:
    assert kerberos_error.of(parse(f"Negotiate {token}")) == {}


def test_a_stale_nonce_over_http_is_asked_again() -> None:
    found = only(*play(exchange(
        url=URL, status=401,
        headers={"Authorization": 'Digest username="u", realm="r", nonce="n", response="0"'},
        response_headers={"WWW-Authenticate": 'Digest realm="r", nonce="m", stale=true'},
    )))  # fmt: skip
    assert [event.name for event in found] == ["http.auth.sent", "http.auth.asked"]


def test_a_proxy_that_refuses_says_why() -> None:
    *_, last = play(exchange("CONNECT", "http://idp.test/", status=403,
                             response_headers={"X-Squid-Error": "ERR_ACCESS_DENIED 0"}))  # fmt: skip
    assert (last.name, last.facts["status"]) == ("proxy.connect.refused", 403)
    assert last.facts["words"] == "X-Squid-Error “ERR_ACCESS_DENIED 0”"
    # A proxy wants credentials for plain requests, too (RFC 9110 §15.5.8).
    plain = play(exchange(url="http://idp.test/", status=407,
                          response_headers={"Proxy-Authenticate": 'Basic realm="p"'}))  # fmt: skip
    assert "proxy.connect.refused" in [event.name for event in plain]
    assert not any(e.name.startswith("proxy.") for e in play(exchange(url=URL, status=403)))


def test_an_applications_own_secret_is_no_sign_in() -> None:
    """RFC 6749 §2.3.1: `invalid_client` is the token endpoint's word for it."""
    found = play(exchange(
        "POST", "https://login.test/token", {"grant_type": "client_credentials"}, 401,
        {"Authorization": "Basic YTpi"}, {"error": "invalid_client"},
        {"WWW-Authenticate": 'Basic realm="x"'},
    ))  # fmt: skip
    assert not only(*found)
