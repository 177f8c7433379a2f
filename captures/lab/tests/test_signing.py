"""What the lab's servers believe, and what they do not: codes, tokens, SAML requests, names."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette", reason="starlette not installed (extra lab)")
pytest.importorskip("signxml", reason="signxml not installed (extra lab)")

from cryptography.hazmat.primitives.serialization import pkcs12
from signlab.config import Run, load_names
from signlab.pki import make_all, upn_of
from signlab.services.adfs_saml import read_request
from signlab.services.azure_grants import challenge_of, granted, redeem
from signlab.services.azure_state import AzureState, SignIn
from signlab.services.saml_sp import ServiceProvider
from signlab.services.tokens import audience_claims
from signlab.services.world import World

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
FORM = {"client_id": "app", "redirect_uri": "http://localhost:5", "code_verifier": VERIFIER}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    run = Run.create(tmp_path_factory.mktemp("run"), "saml-sp")
    make_all(run)
    return World(run)


def test_challenge_of_the_rfc() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE


@pytest.mark.parametrize(
    ("changed", "number"),
    [
        ({}, 0),
        ({"client_id": "other"}, 70000),
        ({"redirect_uri": "http://localhost:6"}, 500112),
        ({"code_verifier": VERIFIER[::-1]}, 501481),
        ({"code": "guessed"}, 70000),
    ],
)
def test_a_code_is_for_who_asked(world: World, changed: dict[str, str], number: int) -> None:
    state = AzureState(world)
    sign_in = SignIn("s", "f", "c", redirect_uri="http://localhost:5", client_id="app")
    sign_in.code_challenge = CHALLENGE
    code = urlsplit(granted(world, state, sign_in)).query.split("&")[0].removeprefix("code=")
    found, refused = redeem(state, {**FORM, "code": code, **changed})
    assert refused == number
    assert (found is sign_in) == (number == 0)
    if found:
        assert redeem(state, {**FORM, "code": code}) == (None, 70000)  # a second time


def test_a_token_is_for_one_resource(world: World) -> None:
    tokens = AzureState(world).tokens_for("vvx@ucprimer.example", "https://a.test", version="v2")
    key = world.key("azuread")
    assert audience_claims(key, tokens["access_token"], "https://a.test")["aud"] == "https://a.test"
    with pytest.raises(ValueError, match="audience"):
        audience_claims(key, tokens["access_token"], "https://b.test")


def test_adfs_reads_signed_requests_only(world: World) -> None:
    query = urlsplit(ServiceProvider(world)._request()).query
    asked = read_request(world, query)
    assert asked.acs == f"https://{world.hosts.sp.name}/saml/acs"
    assert asked.request_id.startswith("_")
    with pytest.raises(ValueError, match="service provider"):
        read_request(world, query.replace("RelayState=", "RelayState=x"))


def test_a_user_certificate_names_its_user(world: World) -> None:
    packed = (world.run.directory / "user.p12").read_bytes()
    _key, certificate, _others = pkcs12.load_key_and_certificates(packed, None)
    assert certificate is not None
    assert upn_of(certificate) == world.names.user.sip
    assert upn_of(world.key("enterprise").certificate) == ""


def test_a_names_table_can_be_like_another() -> None:
    real, hybrid = load_names("real"), load_names("hybrid")
    assert hybrid.hosts.azuread == real.hosts.azuread
    assert hybrid.hosts.pool != real.hosts.pool
    assert hybrid.organisation.sip_port == 5061
    assert hybrid.organisation.tenant_id == real.organisation.tenant_id
