"""Telephony beside the sign-in: registration, calls, SIP over WebSocket, a phone's boot."""
