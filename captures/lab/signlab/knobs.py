"""What a scenario file can set; the defaults are the reference flow.

Fields that take one of a few words are Literals: `config.build` refuses any other word.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

WEB_SIGN_IN = "vvx-web-signin"


@dataclasses.dataclass(frozen=True)
class PhoneKnobs:
    # password: the phone's own "User ID"; teams: another phone, with Android, broker and Intune
    does: Literal["web-signin", "password", "pin", "teams"] = "web-signin"
    password: Literal["right", "old"] = "right"  # what was typed into the phone for it
    pin: Literal["right", "wrong"] = "right"  # the same for extension and PIN
    tls: Literal["1.0", "1.2", "1.3"] = "1.2"  # the only version that the phone offers
    ciphers: str = ""  # OpenSSL's cipher list up to TLS 1.2; empty: its default
    connections: Literal["kept", "each"] = "kept"  # each: one a request, TLS resumed
    oauth: Literal["v1", "v2"] = "v1"  # v1: /oauth2/…, v2: /oauth2/v2.0/…
    autodiscover: Literal["bearer", "webticket"] = "bearer"  # what follows the 401
    certificate: Literal["before-sip", "after-challenge"] = "before-sip"  # after: from its sts-uri
    polls_after_browser: int = 2  # how many the capture still shows once the user has given up
    codes: int = 1  # how many codes it fetches, one after the other has expired
    tries: int = 2  # how often it connects, or asks for what was refused, before it gives up
    retry_seconds: float = 2.0
    resource: Literal["autodiscover", "graph"] = "autodiscover"  # what its tokens are for
    clock_ahead_days: int = 0  # of its own clock
    proxy: bool = False  # HTTPS through the office's proxy (CONNECT); SIP goes out directly


@dataclasses.dataclass(frozen=True)
class BrowserKnobs:
    order: Literal["credentials-first", "code-first"] = "credentials-first"  # code-first: today's
    realm: Literal["GetCredentialType", "userrealm"] = "GetCredentialType"  # userrealm: then a 302
    pace: float = 1.0  # how long the user reads and thinks, relative
    password: Literal["right", "wrong"] = "right"
    code: Literal["right", "wrong", "wrong-first"] = "right"
    enters_code: bool = True
    of_attempt: int = 1  # which of the phone's codes the user is there for
    confirms: bool = True  # where Azure AD asks whether it is the user who is signing in
    https_upgrade: bool = True  # Chromium's own: go to https though http was typed
    # what a device or program shows, a website, or nothing: the user only logs on to the PC
    opens: Literal["screen", "sp", "desktop"] = "screen"


@dataclasses.dataclass(frozen=True)
class ClientKnobs:
    does: Literal["", "oauth-code"] = ""  # a program at the PC; empty: there is none


@dataclasses.dataclass(frozen=True)
class VoiceKnobs:
    """A phone of a telephone provider; `does` empty: the scenario is a sign-in."""

    does: Literal["", "register", "call", "websocket", "boot"] = ""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    password: Literal["right", "wrong"] = "right"  # the phone's, for the registrar
    callee: Literal["answers", "early-media", "rings", "rejects", "no-media"] = "answers"
    holds: bool = False  # the caller puts the call on hold and takes it back (re-INVITE)
    srtp: bool = False  # media keys in the SDP (RFC 4568)
    talks_seconds: float = 1.5
    mtu: int = 1500  # of the phone's line; a small one cuts its datagrams into fragments
    web_call: bool = False  # the telephone in a web page calls, with WebRTC's media
    loses_answers: bool = False  # the first 200 to REGISTER and the first 200 with SDP


@dataclasses.dataclass(frozen=True)
class AzureKnobs:
    federated: bool = True
    interval: int = 5
    expires_in: int = 900
    refuses: int = 0  # an AADSTS number: the policy's answer to the browser
    refuses_at: Literal["sign-in", "code"] = "sign-in"  # when: user known, or code entered
    mfa: bool = False  # a second factor is asked for after the first
    confirm: bool = False  # "Are you trying to sign in to …?", as since 2020
    remembers: bool = True  # false: the session is lost at once, and the browser sent back to ADFS
    lockout_after: int = 10  # wrong passwords until the account is locked
    consent: bool = False  # the user is asked whether the application may


@dataclasses.dataclass(frozen=True)
class AdfsKnobs:
    # windows: by HTTP (Negotiate), as inside the organisation; certificate: a choice on the form
    asks: Literal["form", "windows", "certificate"] = "form"
    answer: Literal["form", "redirect"] = "form"  # redirect: a 302 to itself before the wresult
    state: Literal["up", "down"] = "up"  # down: the proxy is there, the farm behind it is not
    password: Literal["current", "expired", "update"] = "current"  # update: sent to the portal
    saml_status: str = ""  # the last word of a SAML status other than Success
    knows_user: bool = True  # whether the website behind it has an account for the user


@dataclasses.dataclass(frozen=True)
class SfbKnobs:
    ticket: Literal["issued", "fault"] = "issued"  # fault: 500 with a SOAP fault
    certificate: Literal["issued", "error-info"] = "issued"  # error-info: inside a 200
    # on-premises: the customer's own servers, each of which believes tokens for itself only
    place: Literal["online", "on-premises"] = "online"


@dataclasses.dataclass(frozen=True)
class TeamsKnobs:
    registration: Literal["", "DeviceCapReached"] = ""  # why device registration refuses
    enrolment: Literal["", "DeviceCapReached", "Authorization", "UserLicense"] = ""  # the fault


@dataclasses.dataclass(frozen=True)
class SipKnobs:
    port: int = 0  # 0: the names table's
    dsk_tls: str = "1.0"  # the TLS version inside gssapi-data
    dsk: Literal["completes", "restarts"] = "completes"  # restarts: the schemes again, every time
    refuse_status: int = 0
    refuse_reason: str = ""
    refuse_diagnostics: str = ""


@dataclasses.dataclass(frozen=True)
class NetworkKnobs:
    unknown: list[str] = dataclasses.field(default_factory=list)  # roles that DNS does not know
    firewall: Literal["", "refuse", "drop", "reset"] = ""  # reset: at the first byte of TLS
    firewall_role: str = "sip"
    loss_percent: int = 0  # of the phone's packets, either way, at the router
    proxy: Literal["ntlm", "denies"] = "ntlm"  # denies: it knows nobody


@dataclasses.dataclass(frozen=True)
class TrustKnobs:
    unknown: list[str] = dataclasses.field(default_factory=list)  # roles under a foreign root
    expired: list[str] = dataclasses.field(default_factory=list)  # roles: last year's certificate


@dataclasses.dataclass(frozen=True)
class CaptureKnobs:
    keys: bool = True
    offload: bool = False  # leave checksum and segmentation offload on, as real hosts do
    begins: Literal["before", "after-code"] = "before"  # after-code: late, on the phone's side


@dataclasses.dataclass(frozen=True)
class Expect:
    """How the clients must have ended for the recording to be what the scenario says.

    An idle phone is not there at all, and nothing is captured where it would stand.
    """

    phone: str
    browser: str = "idle"  # nothing to do, or no code to enter
    client: str = "idle"  # the program at the PC


@dataclasses.dataclass(frozen=True)
class Evidence:
    """A tshark display filter for each capture that must match what was staged, if only there."""

    phone: str = ""
    browser: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How one flow ends, in the words that users read.

    `stopped_at` stays 0 for a flow whose steps are numbered by whoever defines that flow.
    """

    status: str
    stopped_at: int = 0  # TOML has no null: 0 stands for it
    code: str = ""
    flow: str = WEB_SIGN_IN

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "stopped_at": self.stopped_at or None,
            "code": self.code or None,
            "flow": self.flow,
        }


@dataclasses.dataclass(frozen=True)
class SecondPhone:
    """One more phone in the same capture; `does` empty means that there is none.

    With `lan` "same" it is the first phone once more, after the first sign-in, for another user.
    """

    does: Literal["", "web-signin", "password", "refresh"] = ""
    same_user: bool = False  # else the names table's second user, with a browser of their own
    lan: Literal["nat", "routed", "same"] = "routed"  # nat: both phones behind one address
    expect: Expect = dataclasses.field(default_factory=lambda: Expect(""))
    verdict: Verdict = dataclasses.field(default_factory=lambda: Verdict(""))


@dataclasses.dataclass(frozen=True)
class Scenario:
    title: str
    verdict: Verdict
    expect: Expect
    names: str = "real"
    about: str = ""
    phone: PhoneKnobs = dataclasses.field(default_factory=PhoneKnobs)
    browser: BrowserKnobs = dataclasses.field(default_factory=BrowserKnobs)
    client: ClientKnobs = dataclasses.field(default_factory=ClientKnobs)
    azuread: AzureKnobs = dataclasses.field(default_factory=AzureKnobs)
    adfs: AdfsKnobs = dataclasses.field(default_factory=AdfsKnobs)
    sfb: SfbKnobs = dataclasses.field(default_factory=SfbKnobs)
    teams: TeamsKnobs = dataclasses.field(default_factory=TeamsKnobs)
    sip: SipKnobs = dataclasses.field(default_factory=SipKnobs)
    network: NetworkKnobs = dataclasses.field(default_factory=NetworkKnobs)
    trust: TrustKnobs = dataclasses.field(default_factory=TrustKnobs)
    capture: CaptureKnobs = dataclasses.field(default_factory=CaptureKnobs)
    evidence: Evidence = dataclasses.field(default_factory=Evidence)
    second: SecondPhone = dataclasses.field(default_factory=SecondPhone)
    voice: VoiceKnobs = dataclasses.field(default_factory=VoiceKnobs)
    also: Verdict = dataclasses.field(default_factory=lambda: Verdict(""))  # of one more flow
