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
from collections.abc import Callable
from urllib.parse import urlsplit

from ..config import Run
from ..tlsdsk import Identity
from ..truth import Truth
from .log import PhoneLog
from .lync import LyncWeb
from .pairing import Pairing
from .password import PasswordSignIn
from .pin import SIP_PORT, PinWeb
from .proxy import ProxyRefused
from .registration import Registration
from .sntp import ask_the_time
from .teams import USER_AGENT as TEAMS_AGENT
from .teams import TeamsPhone
from .web import USER_AGENT, Refused, Web, insist, tls_context

AFTER_SIGN_IN = 1.5  # seconds it stays on the line after the last answer


class Switched(Exception):
    """SIGTERM: the phone is switched off."""


class Phone:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.knobs = run.scenario.phone
        self.does = run.scenario.second.does if run.seat == 2 else self.knobs.does
        self.truth = Truth(run, "phone")
        other = self.does == "teams"  # a phone of another make: other User-Agent, no log
        owner = run if run.two_phones else run.at(1)  # whose log it is
        self.log = PhoneLog(None if other else owner.file("phone", ".log"))
        self.context = tls_context(run)
        agent = TEAMS_AGENT if other else USER_AGENT
        self.web = Web(run, self.truth, self.context, agent)
        self.pairing = Pairing(run, self.truth, self.log, self.web)

    def sign_in(self) -> str:
        """The whole of it; the outcome in a word."""
        if self.knobs.clock_ahead_days:
            ask_the_time(self.run.names.hosts.ntp.name)
        if self.does == "web-signin":
            config, error = self.pairing.pair()
            if error:
                return error
            return self.register(config["AutoDiscoverUrl"], config)
        if self.does == "teams":
            return TeamsPhone(self.run, self.truth, self.web).sign_in()
        if self.does == "pin":
            return self.register_with_pin()
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

    def register_with_pin(self) -> str:
        """A phone of Skype for Business Server that DHCP has told its pool."""
        services = PinWeb(self.run, self.truth, self.log, self.web)
        certificates, host = services.learn_pool()
        services.fetch_chains(certificates)
        identity = services.user_certificate(certificates)
        return self.talk_sip((host, SIP_PORT), lambda uri: identity)

    def register(self, autodiscover: str, config: dict[str, str] | None = None) -> str:
        """Step 7: discovery, ticket, certificate, REGISTER."""
        known = {urlsplit(autodiscover).hostname: self.pairing.access_token}

        def token_for(host: str) -> str:
            """The token from the sign-in, or one for another server of the customer's own."""
            if self.run.scenario.sfb.place == "online" or config is None:
                return self.pairing.access_token
            if host not in known:
                authority, client_id = config["AadEndpointUrl"], config["ClientId"]
                known[host] = self.pairing.token_for(authority, client_id, host)
            return known[host]

        services = LyncWeb(self.run, self.truth, self.log, self.web, token_for)
        host, port, certificates = services.discover(autodiscover)
        early: Identity | None = None
        if self.knobs.certificate == "before-sip":
            early = services.user_certificate(certificates)
        return self.talk_sip((host, port), lambda uri: early or services.user_certificate(uri))

    def talk_sip(self, edge: tuple[str, int], identity_from: Callable[[str], Identity]) -> str:
        """REGISTER, and a while on the line; the outcome in a word."""
        registration = Registration(self.run, self.truth, self.log, self.context, edge)
        status = registration.register(identity_from)
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
