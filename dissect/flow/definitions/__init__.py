"""The shipped flow definitions; `docs/flows.md` teaches the format."""
