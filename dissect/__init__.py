"""dissect: from a packet capture to the answer in the ticket.

The five words of the architecture: a capture yields *frames*, transport joins their
payload to *streams*, protocol parsers cut streams into *messages*, sign-in rules read
messages as *events*, and a flow definition lays events out as a *chart*.

Nothing heavy is imported here; `dissect.open_flow` and the rest load on first use.
"""

# No `from __future__` here: that is an import, too, and the path is not yet what it should be.
import os
import sys


def _without_current_folder() -> None:
    """`python -m dissect` looks for modules in the current folder first, and so would run the
    json.py of a stranger. runpy has imported nothing of ours yet; `-P` keeps it from looking
    at all. Whoever imports dissect as a library keeps the path as it is."""
    if getattr(sys, "argv", [])[:1] == ["-m"] and not sys.flags.safe_path:
        try:
            folder = os.getcwd()
        except OSError:  # it was removed: then it is not on the path, either
            return
        if sys.path[:1] == [folder]:
            del sys.path[0]


_without_current_folder()

from pkgutil import extend_path  # noqa: E402

# The forensic framework also installs packages under `dissect.*`; share the name with it.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
