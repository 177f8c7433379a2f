"""Passive TLS: SSL 3.0 to TLS 1.3, decrypted with key logs or RSA keys.

`parser` is the stream parser. It has a `direction_state` for each direction (`records`, `resync`,
`protection`) and a `negotiation` (`handshake_messages`, `handshake`) that turns the secrets of
`secret_store` into the keys of `key_schedule` (`keyring`, `blind`), an `inside` for the
application's bytes, and ends with the row that `connection_row` writes.
"""
