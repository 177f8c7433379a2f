"""The desk phone's sign-in from its first request to REGISTER.

`python -m signlab.phone.client RUNDIR [SEAT]`. The display is `screen.json` in the run's folder;
the user at the browser reads the code from it. SIGTERM ends it, as switching the phone off does.
"""

from __future__ import annotations

import signal
import socket
import ssl
import sys
import time

from ..config import Run
from ..tlsdsk import Identity
from ..truth import Truth
from .log import PhoneLog
from .lync import LyncWeb
from .pairing import Pairing
from .password import PasswordSignIn
from .proxy import ProxyRefused
from .registration import Registration
from .web import Refused, Web, insist, tls_context

AFTER_SIGN_IN = 1.5  # seconds it stays on the line after the last answer


class Switched(Exception):
    """SIGTERM: the phone is switched off."""


class Phone:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.knobs = run.scenario.phone
        self.does = run.scenario.second.does if run.seat == 2 else self.knobs.does
        self.truth = Truth(run, "phone")
        self.log = PhoneLog(run.file("phone", ".log"))
        self.context = tls_context(run)
        self.web = Web(run, self.truth, self.context)
        self.pairing = Pairing(run, self.truth, self.log, self.web)

    def sign_in(self) -> str:
        """The whole of it; the outcome in a word."""
        if self.does == "web-signin":
            config, error = self.pairing.pair()
            if error:
                return error
            return self.register(config["AutoDiscoverUrl"])
        alone = PasswordSignIn(self.run, self.truth, self.log, self.web, self.pairing)
        host = self.run.names.hosts.autodiscover.name
        autodiscover = f"https://{host}/autodiscover/autodiscoverservice.svc/root?"
        if self.does == "refresh":

            def renew() -> str:
                alone.refresh()
                return self.register(autodiscover)

            return insist(self.knobs, renew, Refused)
        alone.sign_in(old=self.run.seat == 2 or self.knobs.password == "old")
        return self.register(autodiscover)

    def register(self, autodiscover: str) -> str:
        """Step 7: discovery, ticket, certificate, REGISTER."""
        services = LyncWeb(self.run, self.truth, self.log, self.web, self.pairing.access_token)
        host, port, certificates = services.discover(autodiscover)
        early: Identity | None = None
        if self.knobs.certificate == "before-sip":
            early = services.user_certificate(certificates)
        registration = Registration(self.run, self.truth, self.log, self.context, (host, port))
        status = registration.register(lambda uri: early or services.user_certificate(uri))
        registration.keep_alive()
        time.sleep(AFTER_SIGN_IN)
        registration.close()
        return "registered" if status == 200 else f"sip-{status}"


def word_for(error: Exception) -> str:
    """The outcome of a sign-in that ended with this error."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, ProxyRefused):
        return f"proxy-{error}"
    kinds: dict[type[Exception], str] = {
        ssl.SSLCertVerificationError: "certificate-not-trusted",
        ssl.SSLError: "tls-failed",
        socket.gaierror: "no-such-name",
        ConnectionRefusedError: "tcp-refused",
        ConnectionResetError: "tcp-reset",
        TimeoutError: "tcp-timeout",
    }
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), repr(error))


def main(arguments: list[str]) -> None:
    def switch_off(*_: object) -> None:
        raise Switched

    signal.signal(signal.SIGTERM, switch_off)
    phone = Phone(Run.from_arguments(arguments))
    try:
        phone.truth.outcome(phone.sign_in())
    except Switched:
        phone.log.pairing("Application is going down", 4)
    except (Refused, ProxyRefused, OSError) as error:
        phone.log.write("app1", 4, f"sign-in failed: {error}")
        phone.truth.outcome(word_for(error))
    finally:
        phone.web.close()


if __name__ == "__main__":
    main(sys.argv[1:])
