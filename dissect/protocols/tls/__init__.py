"""Passive TLS: SSL 3.0 to TLS 1.3, opened with key logs or RSA keys.

`parser` is the stream parser. It has two `half`s (`records`, `resync`, `protection`) and a
`negotiation` (`messages`, `handshake`) that turns `secrets` into `keys` (`keyring`, `blind`),
an `inside` for the application's bytes, and ends with the row that `verdict` writes.
"""
