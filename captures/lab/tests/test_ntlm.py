"""NTLM against the vectors of its own documents."""

from __future__ import annotations

import pytest
from signlab.ntlm import Account, authenticate, challenge, md4, negotiate, proves, user_of


@pytest.mark.parametrize(
    ("text", "digest"),
    [  # RFC 1320, appendix A.5
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4(text: bytes, digest: str) -> None:
    assert md4(text).hex() == digest


def test_key_of_the_specification() -> None:
    # [MS-NLMP] section 4.2.4.1.1: NTOWFv2 of User, Domain, Password.
    key = Account("Domain", "User", "Password").key()
    assert key.hex() == "0c868a403bfd7a93a3001ef22ef02e3f"


def test_only_the_right_password_proves_itself() -> None:
    account = Account("DOMAIN", "vvx", "right")
    offer, nonce = challenge("DOMAIN", "PROXY")
    answer = authenticate(account, offer, "PHONE")
    assert user_of(answer) == "vvx"
    assert proves(answer, nonce, account)
    assert not proves(answer, nonce, Account("DOMAIN", "vvx", "wrong"))
    assert not proves(answer, bytes(8), account)


@pytest.mark.parametrize("message", [b"", negotiate(), b"NTLMSSP\0\3\0\0\0"])
def test_other_messages_prove_nothing(message: bytes) -> None:
    with pytest.raises(ValueError, match="NTLM"):
        user_of(message)
