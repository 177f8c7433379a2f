"""HTTP without its framing (RFC 9110): what HTTP/1 (RFC 9112), HTTP/2 (RFC 9113) and any other
way to write it have in common.

`messages` is a message while it is read and what becomes of it, `pseudo` its control data where
fields hold them, `switch` what follows CONNECT and Upgrade. Requests and responses are brought
together by their order on a connection (`pairing`) or by the stream they share (`exchanges`).
No framing is imported here.
"""
