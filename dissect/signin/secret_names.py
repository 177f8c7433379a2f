"""Which names of parameters, cookies, headers and keys hold secrets, and of what kind."""

from __future__ import annotations

import re

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
# Of the settings of accounts: names, and switches, that open nothing by themselves.
USER_SETTING = re.compile(
    r"(?:^|[._])(?:auth|login|ssh)?_?user(?:_?(?:id|name))?(?:_[0-9]{1,2}_)?$"
    r"|(?:^|[._])auth_?name$|^auth_id_[0-9]{1,2}_$"
    r"|\.auth\.(?:domain|realm|uselogincredentials|optimizedinfailover)$|.\.(?:set|enabled)$",
    re.I,
)
# Kinds that no parameter names: they come from a value's shape or place.
SHAPED_KINDS = ("bearer_token", "basic_credentials", "cookie", "opaque_value", "csr")
KINDS: frozenset[str] = frozenset(NAMES.values()) | frozenset(SHAPED_KINDS)

# Values under these names are long and odd-looking, yet say nothing that opens a door.
HARMLESS = frozenset(
    {
        "client_id", "resource", "scope", "redirect_uri", "client-request-id",
        "client_request_id", "wa", "wtrealm", "wreply", "whr", "wfresh", "wauth",
        "response_type", "response_mode", "grant_type", "api-version", "tenant", "username",
        "login", "login_hint", "domain_hint", "prompt", "mkt", "lc", "x-client-sku",
        "x-client-ver", "cbcxt", "return-client-request-id", "code_challenge",
        "code_challenge_method", "error", "error_description", "errorcode", "sipuri", "host",
        "ms-device-info", "correlation_id", "trace_id", "pullstatus", "loginoptions",
        "estsredirect", "user", "authmethod", "kmsi", "sigalg", "wreq", "wencoding", "wct",
        "device_id", "deviceid", "tid", "oid", "appid", "aud",
    }
)  # fmt: skip
