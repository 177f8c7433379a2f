"""The accepting side of Negotiate (RFC 4559), by MIT's GSSAPI; the key is in KRB5_KTNAME's file."""

from __future__ import annotations

import ctypes

LIBRARY = "libgssapi_krb5.so.2"
COMPLETE = 0  # GSS_S_COMPLETE (RFC 2744 §3.9)


class _Buffer(ctypes.Structure):
    """gss_buffer_desc."""

    _fields_ = (("length", ctypes.c_size_t), ("value", ctypes.c_void_p))

    def content(self) -> bytes:
        return ctypes.string_at(self.value, self.length) if self.length else b""


def accept(token: bytes) -> tuple[str, bytes]:
    """The principal that a client's first token proves, and the answer to it.

    Raises ValueError when the token proves nobody. One leg: what Kerberos needs.
    """
    library = ctypes.CDLL(LIBRARY)
    minor, context, name = ctypes.c_uint32(), ctypes.c_void_p(), ctypes.c_void_p()
    given = ctypes.create_string_buffer(token, len(token))
    incoming = _Buffer(len(token), ctypes.cast(given, ctypes.c_void_p))
    outgoing, shown = _Buffer(), _Buffer()
    ref = ctypes.byref
    try:
        major = library.gss_accept_sec_context(
            *(ref(minor), ref(context), None, ref(incoming), None),
            *(ref(name), None, ref(outgoing), None, None, None),
        )
        if major != COMPLETE:
            raise ValueError(f"GSSAPI says {major:#x}, {minor.value}")
        answer = outgoing.content()
        if library.gss_display_name(ref(minor), name, ref(shown), None) != COMPLETE:
            raise ValueError("the principal has no name")
        return shown.content().decode(), answer
    finally:
        for buffer in (outgoing, shown):
            library.gss_release_buffer(ref(minor), ref(buffer))
        library.gss_release_name(ref(minor), ref(name))
        library.gss_delete_sec_context(ref(minor), ref(context), None)
