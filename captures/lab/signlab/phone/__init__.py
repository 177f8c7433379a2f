"""The desk phone: its HTTP, its SIP, its log."""
