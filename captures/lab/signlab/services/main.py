"""Run the servers of one zone: `python -m signlab.services.main RUNDIR`, zone in LAB_ZONE.

One process a zone, behind its nginx: the roles share what a cloud shares (keys, device codes), and
Starlette tells the hosts apart. The internet zone runs the SIP registrar too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Host, Route

from ..config import Run
from .adfs import Adfs
from .adfs_active import AdfsActive
from .azure_oauth import AzureOAuth
from .azure_pages import AzurePages
from .azure_state import AzureState
from .graph import Graph
from .lync import Lync
from .lync_pin import PinDoor
from .pairing import Pairing, ShortLinks, WebSignIn
from .registrar import Registrar
from .saml_sp import ServiceProvider
from .teams import Intune, Registration, Teams
from .world import Notebook, World

HTTP_PORT = 8000
REGISTRAR_PORT = 5070


def routes_of_zone(world: World, zone: str) -> dict[str, list[Route]]:
    """The routes of each role that lives in `zone`."""
    if zone == "dmz":
        return {"adfs": [*Adfs(world).routes, *AdfsActive(world).routes]}
    state = AzureState(world)
    links, lync, teams = ShortLinks(world), Lync(world), Teams(world)
    return {
        "pairing": Pairing(world).routes,
        "websignin": WebSignIn(world).routes,
        "shortlink": links.shortlink_routes,
        "codepage": links.codepage_routes,
        "azuread": [*AzureOAuth(world, state).routes, *AzurePages(world, state).routes],
        "autodiscover": lync.autodiscover_routes,
        "pool": [*PinDoor(world, lync).routes, *lync.pool_routes],
        "graph": Graph(world).routes,
        "drs": Registration(world).routes,
        "intune": Intune(world).routes,
        "teamsconfig": teams.configuration_routes,
        "teams": teams.routes,
        "sp": ServiceProvider(world).routes,
    }


def application(world: World, zone: str) -> Starlette:
    hosts: list[BaseRoute] = []
    for role, routes in routes_of_zone(world, zone).items():
        notebook = Middleware(Notebook, world=world, role=role)
        app = Starlette(routes=routes, middleware=[notebook])
        hosts.append(Host(getattr(world.hosts, role).name, app=app))
    return Starlette(routes=hosts)


async def serve(run: Run, zone: str) -> None:
    world = World(run)
    config = uvicorn.Config(
        application(world, zone),
        host="127.0.0.1",
        port=HTTP_PORT,
        log_level="warning",
        server_header=False,
        lifespan="off",
    )
    if zone == "internet":
        registrar = Registrar(world)
        server = await asyncio.start_server(registrar.serve, "127.0.0.1", REGISTRAR_PORT)
        async with server:
            await uvicorn.Server(config).serve()
    else:
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(Run.load(Path(sys.argv[1])), os.environ["LAB_ZONE"]))
