"""The sign-in rules that are built in, in the order in which they look at an exchange."""

from __future__ import annotations

from dissect.signin import (
    adfs,
    azuread,
    clock,
    http_auth,
    idp_pages,
    json_pages,
    lync,
    oauth,
    openid,
    provisioning,
    proxy,
    saml_bindings,
    services,
    skew,
    websocket,
    wsfed,
    wstrust,
)
from dissect.signin.rule import Rule

BUILT_IN: tuple[Rule, ...] = (
    *lync.RULES,
    *proxy.RULES,
    *oauth.RULES,
    *openid.RULES,
    *azuread.RULES,
    *json_pages.RULES,
    *idp_pages.RULES,
    *adfs.RULES,
    *wsfed.RULES,
    *websocket.RULES,
    *saml_bindings.RULES,
    *wstrust.RULES,
    *services.RULES,
    *clock.RULES,
    *skew.RULES,
    *provisioning.RULES,
    *http_auth.RULES,
)
