"""dissect: from a packet capture to the answer in the ticket.

The five words of the architecture: a capture yields *frames*, transport joins their
payload to *streams*, protocol parsers cut streams into *messages*, sign-in rules read
messages as *events*, and a flow definition lays events out as a *chart*.

For programs there is `dissect.open` (docs/python.md). Nothing heavy is imported here: it loads
what it needs when it is called.
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

from importlib import import_module  # noqa: E402
from pkgutil import extend_path  # noqa: E402

# The forensic framework also installs packages under `dissect.*`; share the name with it.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"


def open(*captures: object, **options: object) -> object:
    """The sign-ins in some captures, as charts, events and tables; they are read when one of
    these is first asked for.

    `captures` are files (pcap, pcapng, packed or not). `key_logs` are TLS key logs
    (SSLKEYLOGFILE), for all captures, or for one as `CAPTURE:FILE`; with `auto_keys` also those
    that lie beside a capture. `phone_logs` are logs of phones or SIP servers. `flows` are names
    of flows, or definitions (TOML files), that alone are looked for. `plugins` are files of
    plugins. `roles` names the actor of an address, `clocks` are ns to add to the times of a
    capture, by its name as given. `reveal` shows secrets, `show_values` the values of these
    names, unless they are of a known kind of secret.

    The types of the options are in `__init__.pyi`: here they would be imported.

    Raises UsageError if neither a capture nor a phone log is given; what reading raises says
    `dissect.results.Results`.
    """
    return import_module("dissect.results").results(captures, **options)
