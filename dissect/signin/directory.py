"""What `services.toml` knows: services, applications and resources by id, phones, in words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Service:
    """A service: `event` begins its events' names; it is recognised by host patterns and path."""

    event: str
    title: str
    path: re.Pattern[str]
    hosts: tuple[str, ...] = ()

    def serves(self, host: str | None, path: str) -> bool:
        """Whether a request to this host and (lower case) path is one to the service."""
        if self.path.match(path) is None:
            return False
        return not self.hosts or any(fnmatchcase(host or "", pattern) for pattern in self.hosts)


@dataclass(frozen=True, slots=True)
class Directory:
    """What `services.toml` holds."""

    applications: Mapping[str, str]
    resources: Mapping[str, str]
    services: tuple[Service, ...]
    phone_applications: frozenset[str]
    phone_agent: re.Pattern[str]
    phone_names: re.Pattern[str]
    pairing_hosts: tuple[str, ...]


@lru_cache(maxsize=1)
def directory() -> Directory:
    """The shipped list, read once."""
    raw = tomllib.loads((files("dissect.signin") / "services.toml").read_text("utf-8"))
    return Directory(
        applications=raw["application"],
        resources={name.lower().rstrip("/"): title for name, title in raw["resource"].items()},
        services=tuple(
            Service(
                item["event"], item["title"], re.compile(item["path"]), tuple(item.get("hosts", ()))
            )
            for item in raw["service"]
        ),
        phone_applications=frozenset(raw["sfb_phone"]["applications"]),
        phone_agent=re.compile(raw["sfb_phone"]["user_agent"], re.I),
        phone_names=re.compile(raw["sfb_phone"]["names"], re.I),
        pairing_hosts=tuple(raw["sfb_phone"]["hosts"]),
    )


def application(client_id: object) -> str | None:
    """What an application id is, where it is a known one."""
    return directory().applications.get(client_id.lower()) if isinstance(client_id, str) else None


def sfb_phone(client_id: object, user_agent: object) -> bool:
    """Whether application id or User-Agent say that a phone of Skype for Business asks."""
    known = directory()
    by_id = isinstance(client_id, str) and client_id.lower() in known.phone_applications
    return by_id or (isinstance(user_agent, str) and bool(known.phone_agent.search(user_agent)))


def named_phone(client_id: object, name: object) -> bool | None:
    """Whether the application that a page names is that of a phone of Skype for Business; None
    if neither its id nor its name is known."""
    known = directory()
    if isinstance(client_id, str) and client_id.lower() in known.applications:
        return client_id.lower() in known.phone_applications
    if not isinstance(name, str):
        return None
    if known.phone_names.search(name):
        return True
    return False if name.lower() in {t.lower() for t in known.applications.values()} else None


def of_pairing(host: str | None) -> bool:
    """Whether a host name is the Device Pairing Service's."""
    return any(fnmatchcase(host or "", pattern) for pattern in directory().pairing_hosts)


def resource_of(name: object) -> str | None:
    """What a resource or audience is, where it is a known one."""
    return directory().resources.get(name.lower().rstrip("/")) if isinstance(name, str) else None
