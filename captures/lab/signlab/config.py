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
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .knobs import Scenario, Verdict

LAB = Path(__file__).resolve().parent.parent
NAMES_DIR = LAB / "names"
SCENARIO_DIR = LAB / "scenarios"

T = TypeVar("T")


class ConfigError(Exception):
    """A names table or scenario file that cannot be used; the text says which key of which file."""


def build(cls: type[T], table: dict[str, Any], where: str) -> T:
    """Make the dataclass `cls` from a TOML table, tables in it into the dataclasses of its fields.

    Raises ConfigError on unknown or missing keys, and on a word that is none of a Literal's.
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
            if get_origin(kind) is Literal and value not in get_args(kind):
                words = ", ".join(repr(word) for word in get_args(kind))
                raise ConfigError(f"{where}: {name!r} is {value!r}, not one of {words}")
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
    web: bool = True  # whether nginx answers here


ABSENT = Host("", "", "")


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Every server by its role; a names table has those that its scenarios need."""

    pairing: Host = ABSENT
    websignin: Host = ABSENT
    shortlink: Host = ABSENT
    codepage: Host = ABSENT
    azuread: Host = ABSENT
    adfs: Host = ABSENT
    autodiscover: Host = ABSENT
    pool: Host = ABSENT
    sip: Host = ABSENT
    graph: Host = ABSENT
    drs: Host = ABSENT
    intune: Host = ABSENT
    teamsconfig: Host = ABSENT
    teams: Host = ABSENT
    sp: Host = ABSENT
    kdc: Host = ABSENT
    ntp: Host = ABSENT
    provisioning: Host = ABSENT

    def by_role(self) -> dict[str, Host]:
        """Every host of this names table under its role, in the order of the fields."""
        hosts = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        return {role: host for role, host in hosts if host is not ABSENT}


@dataclasses.dataclass(frozen=True)
class Clients:
    phone: str
    browser: str
    dns: str
    phone2: str
    proxy: str
    inside: str  # where the phone stands when it is behind NAT
    inside2: str


@dataclasses.dataclass(frozen=True)
class User:
    sip: str
    display: str
    given: str
    family: str
    extension: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Organisation:
    """What is empty, the scenarios of that names table have no use for."""

    domain: str
    brand: str
    directory: str = ""
    tenant_id: str = ""
    tenant_path: str = ""
    client_id: str = ""
    application: str = ""
    web_client_id: str = ""
    native_client_id: str = ""
    native_application: str = ""
    home_server: str
    sip_port: int
    pairing_site: str = ""


@dataclasses.dataclass(frozen=True)
class Device:
    mac: str
    instance: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Links:
    website: str = ""
    code: str = ""
    graph: str = ""
    exchange: str = ""


@dataclasses.dataclass(frozen=True)
class Names:
    hosts: Hosts
    clients: Clients
    user: User
    organisation: Organisation
    device: Device
    links: Links
    user2: User
    device2: Device

    def client_at(self, address: str) -> str:
        """Which client ("phone" or "browser") has this address; "unknown" if neither.

        The proxy counts as the phone: nobody else in the office uses it.
        """
        clients = self.clients
        by_address = dict.fromkeys((clients.phone, clients.phone2, clients.proxy), "phone")
        by_address[clients.browser] = "browser"
        return by_address.get(address, "unknown")


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
    return build(Names, _names_table(path), path.name)


def _names_table(path: Path) -> dict[str, Any]:
    """A names table; with `like`, another one in which it replaces what it names."""
    table = read_toml(path)
    other = table.pop("like", None)
    if other is None:
        return table
    merged = _names_table(path.with_name(f"{other}.toml"))
    for section, values in table.items():
        merged[section] = {**merged.get(section, {}), **values}
    return merged


def load_scenario(name: str) -> Scenario:
    """The scenario scenarios/NAME.toml. Raises ConfigError."""
    path = SCENARIO_DIR / f"{name}.toml"
    return build(Scenario, read_toml(path), path.name)


def scenario_names() -> list[str]:
    return sorted(path.stem for path in SCENARIO_DIR.glob("*.toml"))


@dataclasses.dataclass(frozen=True)
class Run:
    """One recording in progress: its folder, what it plays, and the passwords it was born with.

    A `seat` is a phone with its user: 1, or 2 where the scenario has a second phone. The same
    recording looks different from either.
    """

    directory: Path
    scenario_name: str
    scenario: Scenario
    names: Names
    passwords: dict[str, str]  # of each user, by SIP address
    wrong_password: str  # which the user types by mistake
    old_password: str  # which was the first user's until it was changed
    pin: str  # of the first user
    wrong_pin: str
    seat: int = 1

    @property
    def user(self) -> User:
        """Whose phone it is."""
        second = self.seat == 2 and not self.scenario.second.same_user
        return self.names.user2 if second else self.names.user

    @property
    def device(self) -> Device:
        another = self.seat == 2 and self.scenario.second.lan != "same"
        return self.names.device2 if another else self.names.device

    @property
    def password(self) -> str:
        return self.passwords[self.user.sip]

    @property
    def typed_password(self) -> str:
        """What the user types into the browser."""
        right = self.scenario.browser.password == "right"
        return self.password if right else self.wrong_password

    @property
    def two_phones(self) -> bool:
        """Whether the second seat has a phone of its own."""
        return bool(self.scenario.second.does) and self.scenario.second.lan != "same"

    @property
    def seats(self) -> tuple[int, ...]:
        return (1, 2) if self.scenario.second.does else (1,)

    @property
    def verdicts(self) -> list[tuple[int, Verdict]]:
        """Of each flow in the recording with the seat that it is of, the first phone's first."""
        scenario = self.scenario
        reported = [(1, scenario.verdict), (1, scenario.also), (2, scenario.second.verdict)]
        return [(seat, verdict) for seat, verdict in reported if verdict.status]

    def file(self, stem: str, suffix: str) -> Path:
        """A file of this seat: screen.json of the first is screen2.json of the second."""
        return self.directory / f"{stem}{'' if self.seat == 1 else self.seat}{suffix}"

    def at(self, seat: int) -> Run:
        """The same recording from another seat."""
        return dataclasses.replace(self, seat=seat)

    @property
    def sip_port(self) -> int:
        """Where the SIP edge listens."""
        return self.scenario.sip.port or self.names.organisation.sip_port

    @classmethod
    def create(cls, directory: Path, scenario_name: str) -> Run:
        scenario = load_scenario(scenario_name)
        names = load_names(scenario.names)
        state = {
            "scenario": scenario_name,
            "passwords": {
                user.sip: secrets.token_urlsafe(9) + "!7a" for user in (names.user, names.user2)
            },
            "wrong": secrets.token_urlsafe(8) + "?x3",
            "old": secrets.token_urlsafe(8) + "#5k",
            "pin": str(secrets.randbelow(9 * 10**9) + 10**9),
            "wrong-pin": str(secrets.randbelow(9 * 10**9) + 10**9),
        }
        (directory / "run.json").write_text(json.dumps(state))
        return cls.load(directory)

    @classmethod
    def load(cls, directory: Path, seat: int = 1) -> Run:
        state = json.loads((directory / "run.json").read_text())
        scenario = load_scenario(state["scenario"])
        return cls(
            directory,
            state["scenario"],
            scenario,
            load_names(scenario.names),
            state["passwords"],
            state["wrong"],
            state["old"],
            state["pin"],
            state["wrong-pin"],
            seat,
        )

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> Run:
        """RUNDIR [SEAT], as the actors' modules get them."""
        return cls.load(Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1)
