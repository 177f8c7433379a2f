"""Which names of parameters, cookies, headers and keys hold secrets, and of what kind.

A name that is not in here is no proof of anything: `harmless` says what may be shown. But a
secret of a known kind is looked for in every other text, so the better half of them is named.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Parameter, form field, JSON key (lower case) → kind.
NAMES: dict[str, str] = {
    "access_token": "access_token",
    "refresh_token": "refresh_token",
    "id_token": "id_token",
    "id_token_hint": "id_token",
    "device_code": "device_code",
    "user_code": "user_code",
    "otc": "user_code",
    "code": "code",
    "code_verifier": "code_verifier",
    "client_secret": "client_secret",
    "client_assertion": "client_assertion",
    "assertion": "assertion",
    "password": "password",
    "passwd": "password",
    "pwd": "password",
    "pin": "password",
    "flowtoken": "flow_token",
    "sft": "flow_token",
    "sctx": "flow_token",
    "ctx": "flow_token",
    "originalrequest": "flow_token",
    "estsrequest": "flow_token",
    "canary": "canary",
    "apicanary": "canary",
    "wresult": "wresult",
    "wctx": "wctx",
    "samlresponse": "saml_response",
    "samlrequest": "saml_request",
    "samlart": "saml_artifact",
    "relaystate": "relay_state",
    "state": "state",
    "nonce": "nonce",
    "session_state": "session",
    "sessionid": "session",
    "jsessionid": "session",
    "phpsessid": "session",
    "sid": "session",
    "token": "token",
    "ticket": "ticket",
    "sig": "signature",
    "signature": "signature",
    "x-amz-signature": "signature",
    "x-goog-signature": "signature",
    "x-amz-security-token": "token",
    "gssapi-data": "gssapi_data",
    "response": "sip_response",
    "rspauth": "sip_response",
    "opaque": "opaque",
    "subject_token": "access_token",
    "actor_token": "access_token",
    "skypetoken": "access_token",
    "registrationtoken": "access_token",
    "x-skypetoken": "access_token",
    "bearertoken": "bearer_token",
    "usercode": "user_code",
    "devicecode": "device_code",
    "accesstoken": "access_token",
    "refreshtoken": "refresh_token",
    "idtoken": "id_token",
    "logout_token": "id_token",
    "logouttoken": "id_token",
    "client_info": "client_info",
    "clientinfo": "client_info",
    "newpassword": "password",
    "oldpassword": "password",
    "confirmpassword": "password",
    "i0118": "password",
    "otp": "one_time_code",
    "saotcc": "one_time_code",
    "otcc": "one_time_code",
    "x-ms-refreshtokencredential": "refresh_token",
    "x-ms-devicecredential": "device_credential",
    "session_key_jwe": "session",
    "wres": "wctx",
    "wresultptr": "wresult",
    "loginhint_token": "token",
    "authorization": "authorization",
    "proxy-authorization": "authorization",
    "x-ms-webticket": "web_ticket",
    "binarysecret": "binary_secret",
    "binarysecuritytoken": "binary_security_token",
    "pn-prid": "push_id",
    "pn-purr": "push_id",
}
# Settings of phones are paths whose last word says what they are (Polycom: reg.1.auth.password,
# device.prov.password, prov.login.password); other makers number theirs (Cisco: Password_1_).
SETTING = re.compile(
    r".\.(?:[a-z0-9]*(?:password|passwd|passphrase|psk)|login_?pin|(?:psk|wep)\.key[0-9]?"
    r"|customdevicekey[0-9]{0,2})$"
    r"|^[a-z_]*(?:password|passwd)_[0-9]{1,2}_$"
    r"|^(?:user_pass|http_pass|auth_pass(?:word)?|authpassword|phonepassword|sshpassword"
    r"|admin_(?:mode_)?passw(?:or)?d|user_password)$",
    re.I,
)
# Of the settings of accounts: names, and where they count, that open nothing by themselves.
USER_SETTING = re.compile(
    r"(?:^|[._])(?:auth|login|ssh|prov)?_?user(?:_?(?:id|name))?(?:_[0-9]{1,2}_)?$"
    r"|(?:^|[._])auth_?name$|^auth_id_[0-9]{1,2}_$|\.auth\.(?:domain|realm)$"
    r"|^(?:reg|voipprot)\.[\w.]{1,60}\.(?:address|displayname|label|transport)$",
    re.I,
)
# Kinds that no parameter names: they come from a value's shape or place.
SHAPED_KINDS = (
    "bearer_token", "basic_credentials", "cookie", "opaque_value", "csr", "private_key", "api_key",
)  # fmt: skip
KINDS: frozenset[str] = frozenset(NAMES.values()) | frozenset(SHAPED_KINDS)

MAX_NAME = 200  # characters of a name that are read
_WORDS = re.compile(r"[A-Z]{1,30}(?![a-z])|[A-Z]?[^\W\d_A-Z]++|[A-Z]|\d++")

# Words of a name, in the languages of sign-in pages, that say what kind its value is of.
_PASSWORD_WORDS = frozenset(
    {
        "pass", "password", "passwd", "passwort", "kennwort", "losung", "pwd", "pw", "psw",
        "passcode", "passphrase", "passwrd", "passkey", "contrasena",
        "contraseña", "contrasenya", "clave",
        "senha", "palavra", "mdp", "motdepasse", "wachtwoord", "haslo", "hasło", "losenord",
        "lösenord", "passord", "adgangskode", "kodeord", "salasana", "heslo", "jelszo", "jelszó",
        "parola", "parole", "sifre", "şifre", "pin", "pincode", "passwords", "psk", "secretanswer",
        "geslo", "lozinka", "slaptazodis", "parool",
        "пароль", "密码", "密碼", "パスワード", "비밀번호",
    }
)  # fmt: skip
_CODE_WORDS = frozenset(
    {
        "otp", "totp", "hotp", "mfa", "tan", "otc", "onetimecode", "verificationcode", "smscode",
        "mfacode", "securitycode", "logincode", "accesscode", "authcode", "recoverycode",
        "backupcode", "emailcode", "challengecode", "otpcode",
    }
)  # fmt: skip
_OTHER_WORDS: dict[str, str] = {
    "secret": "client_secret",
    "secrets": "client_secret",
    "token": "token",
    "tokens": "token",
    "ticket": "ticket",
    "key": "api_key",
    "apikey": "api_key",
    "accesskey": "api_key",
    "subscriptionkey": "api_key",
    "privatekey": "private_key",
    "credential": "authorization",
    "credentials": "authorization",
    "creds": "authorization",
    "assertion": "assertion",
    "signature": "signature",
    "hmac": "signature",
    "cookie": "cookie",
    "cookies": "cookie",
    "session": "session",
    "csrf": "token",
    "xsrf": "token",
    "canary": "canary",
    "nonce": "nonce",
    "authorization": "authorization",
    "auth": "token",
    "jwt": "token",
    "saml": "assertion",
}  # fmt: skip
_ENDINGS: tuple[tuple[str, str], ...] = (
    *((word, "password") for word in (
        "password", "passwd", "passwort", "kennwort", "passcode", "passphrase", "motdepasse",
        "wachtwoord",
    )),
    *((word, "one_time_code") for word in sorted(_CODE_WORDS) if word.endswith("code")),
    ("pincode", "password"), ("privatekey", "private_key"), ("apikey", "api_key"),
    ("subscriptionkey", "api_key"),
    ("accesskey", "api_key"), ("secretkey", "api_key"), ("sharedkey", "api_key"),
    ("secret", "client_secret"), ("token", "token"), ("credentials", "authorization"),
    ("signature", "signature"), ("sessionid", "session"),
)  # fmt: skip


@lru_cache(maxsize=8192)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `credentials.passCode` is credentials, pass, code."""
    return tuple(word.lower() for word in _WORDS.findall(name[:MAX_NAME]))


def kind_of(name: str) -> str | None:
    """The kind of secret that a parameter, field, cookie or key of this name holds."""
    return NAMES.get(name.lower()) or ("password" if SETTING.search(name[-MAX_NAME:]) else None)


@lru_cache(maxsize=8192)
def kind_by_words(name: str) -> str | None:
    """The kind that the words of a longer name speak of; None if they speak of none."""
    found = words(name)
    if _PASSWORD_WORDS.intersection(found):
        return "password"
    if _CODE_WORDS.intersection(found):
        return "one_time_code"
    compact = "".join(found)
    for ending, kind in _ENDINGS:
        if compact.endswith(ending):
            return kind
    if found and found[-1] == "code" and len(found) > 1 and found[-2] in _TYPED_CODES:
        return "one_time_code"
    return next((_OTHER_WORDS[word] for word in reversed(found) if word in _OTHER_WORDS), None)


_TYPED_CODES = frozenset(
    {
        "verification", "sms", "mfa", "security", "login", "access", "auth", "recovery", "backup",
        "email", "mail", "confirmation", "second", "factor", "one", "time", "pass",
    }
)  # fmt: skip
