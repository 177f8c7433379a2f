"""What a recording is made of: the names table, the scenario and the run's own secrets.

Everything is read from TOML into frozen dataclasses; an unknown or missing key is an error that
names the file, so that a new scenario is a file and a typing mistake in it is seen at once.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

LAB = Path(__file__).resolve().parent.parent
NAMES_DIR = LAB / "names"
SCENARIO_DIR = LAB / "scenarios"

T = TypeVar("T")


class ConfigError(Exception):
    """A names table or scenario file that cannot be used; the text says which key of which file."""


def build(cls: type[T], table: dict[str, Any], where: str) -> T:
    """Make the dataclass `cls` from a TOML table, tables in it into the dataclasses of its fields.

    Raises ConfigError on unknown or missing keys.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    kinds = get_type_hints(cls)
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            kind, value = kinds[name], table[name]
            inner = dataclasses.is_dataclass(kind)
            values[name] = build(kind, value, f"{where}.{name}") if inner else value
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: key {name!r} is missing")
    return cls(**values)


@dataclasses.dataclass(frozen=True)
class Host:
    """One server: its DNS name, its address, whose lane it belongs to, where it stands."""

    name: str
    address: str
    actor: str
    zone: str = "internet"


@dataclasses.dataclass(frozen=True)
class Hosts:
    pairing: Host
    websignin: Host
    shortlink: Host
    codepage: Host
    azuread: Host
    adfs: Host
    autodiscover: Host
    pool: Host
    sip: Host

    def by_role(self) -> dict[str, Host]:
        """Every host under its role, in the order of the table."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True)
class Clients:
    phone: str
    browser: str
    dns: str


@dataclasses.dataclass(frozen=True)
class User:
    sip: str
    display: str
    given: str
    family: str


@dataclasses.dataclass(frozen=True)
class Organisation:
    domain: str
    brand: str
    directory: str
    tenant_id: str
    tenant_path: str
    client_id: str
    application: str
    web_client_id: str
    home_server: str
    sip_port: int
    pairing_site: str


@dataclasses.dataclass(frozen=True)
class Device:
    mac: str
    instance: str


@dataclasses.dataclass(frozen=True)
class Links:
    website: str
    code: str
    graph: str
    exchange: str


@dataclasses.dataclass(frozen=True)
class Names:
    hosts: Hosts
    clients: Clients
    user: User
    organisation: Organisation
    device: Device
    links: Links

    def client_at(self, address: str) -> str:
        """Which client ("phone" or "browser") has this address; "unknown" if neither."""
        by_address = {self.clients.phone: "phone", self.clients.browser: "browser"}
        return by_address.get(address, "unknown")


@dataclasses.dataclass(frozen=True)
class PhoneKnobs:
    tls: str = "1.2"  # the only version that the phone offers
    ciphers: str = ""  # OpenSSL's cipher list for TLS 1.2; empty: its default
    connections: str = "kept"  # or each: one a request, TLS resumed
    oauth: str = "v1"  # v1: /oauth2/…, v2: /oauth2/v2.0/…
    autodiscover: str = "bearer"  # what follows the 401: bearer, or webticket
    certificate: str = "before-sip"  # or after-challenge: fetched from the 401's sts-uri
    polls_after_browser: int = 2  # how many the capture still shows once the user has given up


@dataclasses.dataclass(frozen=True)
class BrowserKnobs:
    order: str = "credentials-first"  # or code-first, as today's pages do
    realm: str = "GetCredentialType"  # or userrealm: asked by the page, then a 302 to ADFS
    pace: float = 1.0  # how long the user reads and thinks, relative
    password: str = "right"  # or wrong
    enters_code: bool = True
    https_upgrade: bool = True  # Chromium's own: go to https though http was typed


@dataclasses.dataclass(frozen=True)
class AzureKnobs:
    federated: bool = True
    interval: int = 5
    expires_in: int = 900


@dataclasses.dataclass(frozen=True)
class AdfsKnobs:
    answer: str = "form"  # wresult in the answer to the POST; redirect: a 302 to itself before


@dataclasses.dataclass(frozen=True)
class SipKnobs:
    port: int = 0  # 0: the names table's
    dsk_tls: str = "1.0"  # the TLS version inside gssapi-data
    refuse_status: int = 0
    refuse_reason: str = ""
    refuse_diagnostics: str = ""


@dataclasses.dataclass(frozen=True)
class CaptureKnobs:
    keys: bool = True
    offload: bool = False  # leave checksum and segmentation offload on, as real hosts do


@dataclasses.dataclass(frozen=True)
class Expect:
    """How the two clients must have ended for the recording to be what the scenario says."""

    phone: str
    browser: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    status: str
    stopped_at: int = 0  # TOML has no null: 0 stands for it
    code: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "stopped_at": self.stopped_at or None,
            "code": self.code or None,
        }


@dataclasses.dataclass(frozen=True)
class Scenario:
    title: str
    verdict: Verdict
    expect: Expect
    names: str = "real"
    about: str = ""
    phone: PhoneKnobs = dataclasses.field(default_factory=PhoneKnobs)
    browser: BrowserKnobs = dataclasses.field(default_factory=BrowserKnobs)
    azuread: AzureKnobs = dataclasses.field(default_factory=AzureKnobs)
    adfs: AdfsKnobs = dataclasses.field(default_factory=AdfsKnobs)
    sip: SipKnobs = dataclasses.field(default_factory=SipKnobs)
    capture: CaptureKnobs = dataclasses.field(default_factory=CaptureKnobs)


def read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"{path.name}: no such file in {path.parent.name}/") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: {error}") from error


def load_names(name: str) -> Names:
    """The names table names/NAME.toml. Raises ConfigError."""
    path = NAMES_DIR / f"{name}.toml"
    return build(Names, read_toml(path), path.name)


def load_scenario(name: str) -> Scenario:
    """The scenario scenarios/NAME.toml. Raises ConfigError."""
    path = SCENARIO_DIR / f"{name}.toml"
    return build(Scenario, read_toml(path), path.name)


def scenario_names() -> list[str]:
    return sorted(path.stem for path in SCENARIO_DIR.glob("*.toml"))


@dataclasses.dataclass(frozen=True)
class Run:
    """One recording in progress: its folder, what it plays, and the password it was born with."""

    directory: Path
    scenario_name: str
    scenario: Scenario
    names: Names
    password: str
    typed_password: str

    @property
    def sip_port(self) -> int:
        """Where the SIP edge listens."""
        return self.scenario.sip.port or self.names.organisation.sip_port

    @classmethod
    def create(cls, directory: Path, scenario_name: str) -> Run:
        scenario = load_scenario(scenario_name)
        password = secrets.token_urlsafe(9) + "!7a"
        wrong = scenario.browser.password == "wrong"
        typed = secrets.token_urlsafe(8) + "?x3" if wrong else password
        (directory / "run.json").write_text(
            json.dumps({"scenario": scenario_name, "password": password, "typed": typed})
        )
        names = load_names(scenario.names)
        return cls(directory, scenario_name, scenario, names, password, typed)

    @classmethod
    def load(cls, directory: Path) -> Run:
        state = json.loads((directory / "run.json").read_text())
        scenario = load_scenario(state["scenario"])
        return cls(
            directory,
            state["scenario"],
            scenario,
            load_names(scenario.names),
            state["password"],
            state["typed"],
        )
