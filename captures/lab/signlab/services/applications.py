"""Applications that Azure AD knows by their ids, beside those of the names table."""

from __future__ import annotations

from ..config import Names

BROKER = "29d9ed98-a469-4536-ade2-f981bc1d605e"
COMPANY_PORTAL = "9ba1a5c7-f17a-4de9-a1f1-6178c8d51223"
TEAMS = "1fec8e78-bce4-4aaf-ab1b-5451cc387264"
TITLES = {
    BROKER: "Microsoft Authentication Broker",
    COMPANY_PORTAL: "Microsoft Intune Company Portal",
    TEAMS: "Microsoft Teams",
}


def title_of(names: Names, client_id: str) -> str:
    """What a page calls the application; a phone's, if it is none that is known otherwise."""
    own = names.organisation
    known = {**TITLES, own.native_client_id: own.native_application}
    return known.get(client_id, own.application)
