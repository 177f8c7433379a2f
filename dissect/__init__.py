"""dissect: from a packet capture to the answer in the ticket.

The five words of the architecture: a capture yields *frames*, transport joins their
payload to *streams*, protocol parsers cut streams into *messages*, sign-in rules read
messages as *events*, and a flow definition lays events out as a *chart*.

Nothing heavy is imported here; `dissect.open_flow` and the rest load on first use.
"""

from __future__ import annotations

from pkgutil import extend_path

# The forensic framework also installs packages under `dissect.*`; share the name with it.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
