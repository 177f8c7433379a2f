"""The registered numbers of TLS that people read as words (IANA TLS parameters)."""

from __future__ import annotations

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24

SSL30, TLS10, TLS11, TLS12, TLS13 = 0x0300, 0x0301, 0x0302, 0x0303, 0x0304

HELLO_REQUEST = 0
CLIENT_HELLO = 1
SERVER_HELLO = 2
NEW_SESSION_TICKET = 4
END_OF_EARLY_DATA = 5
ENCRYPTED_EXTENSIONS = 8
CERTIFICATE = 11
SERVER_KEY_EXCHANGE = 12
CERTIFICATE_REQUEST = 13
SERVER_HELLO_DONE = 14
CERTIFICATE_VERIFY = 15
CLIENT_KEY_EXCHANGE = 16
FINISHED = 20
KEY_UPDATE = 24
COMPRESSED_CERTIFICATE = 25

HANDSHAKE_NAMES = {
    HELLO_REQUEST: "hello_request",
    CLIENT_HELLO: "client_hello",
    SERVER_HELLO: "server_hello",
    3: "hello_verify_request",
    NEW_SESSION_TICKET: "new_session_ticket",
    END_OF_EARLY_DATA: "end_of_early_data",
    6: "hello_retry_request",
    ENCRYPTED_EXTENSIONS: "encrypted_extensions",
    CERTIFICATE: "certificate",
    SERVER_KEY_EXCHANGE: "server_key_exchange",
    CERTIFICATE_REQUEST: "certificate_request",
    SERVER_HELLO_DONE: "server_hello_done",
    CERTIFICATE_VERIFY: "certificate_verify",
    CLIENT_KEY_EXCHANGE: "client_key_exchange",
    FINISHED: "finished",
    21: "certificate_url",
    22: "certificate_status",
    23: "supplemental_data",
    KEY_UPDATE: "key_update",
    COMPRESSED_CERTIFICATE: "compressed_certificate",
    67: "next_protocol",
    254: "message_hash",
}

ALERT_LEVELS = {1: "warning", 2: "fatal"}
CLOSE_NOTIFY, USER_CANCELED = 0, 90
ALERT_NAMES = {
    CLOSE_NOTIFY: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    USER_CANCELED: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
    121: "ech_required",
}


def version_name(version: int) -> str:
    """0x0303 → `TLS 1.2`; the drafts of TLS 1.3 keep their number."""
    if version == SSL30:
        return "SSL 3.0"
    if version >> 8 == 0x7F:
        return f"TLS 1.3 draft {version & 0xFF}"
    if version >> 8 == 3:
        return f"TLS 1.{(version & 0xFF) - 1}"
    return f"0x{version:04X}"


def alert_name(code: int) -> str:
    return ALERT_NAMES.get(code, f"alert_{code}")


def alert_level(code: int) -> str:
    return ALERT_LEVELS.get(code, f"level_{code}")
