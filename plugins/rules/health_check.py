"""An example to copy: a sign-in rule and a flow of its own, in one plugin.

    dissect flow capture.pcapng --plugin plugins/rules/health_check.py --flow health-check

A rule is a pure function from an exchange (a request and its response) to the events in it.
This one sees a client that asks a server's /healthz.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.plugins import Registry
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent


def health(exchange: Exchange) -> Iterator[Found]:
    """GET /healthz, and whether the answer says that all is well."""
    if exchange.path != "/healthz":
        return
    yield sent("health.asked")
    if exchange.response is not None:
        yield got("health.answered", status=exchange.status, well=exchange.status == 200)


FLOW = """
schema = 1
name = "health-check"
title = "Health check"
about = "A client asks a server how it is."

[instance]
keys = []
anchors = ["health.asked"]

[[actor]]
id = "client"
title = "Client"
kind = "client"

[[actor]]
id = "service"
title = "Service"

[[step]]
number = 1
title = "The service says that it is well"
between = ["client", "service"]
done_when = [["health.answered"]]

[[step.arrow]]
event = "health.asked"
from = "client"
to = "service"
label = "{method} {path}"

[[step.arrow]]
event = "health.answered"
from = "service"
to = "client"
where = { well = true }
label = "{status}"

[[step.arrow]]
id = "health.bad"
event = "health.answered"
from = "service"
to = "client"
label = "{status}"

[step.arrow.fails]
code = "health.{status}"
text = "the service is not well: {status}"
remedy = "Look at the service's own log."
"""


def register(registry: Registry) -> None:
    """Called by dissect with its registry."""
    registry.add_rule(health)
    registry.add_flow(FLOW)
