"""Words that protocols, host names and names of values are made of."""

from __future__ import annotations


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


BOOLEANS = _set("true false yes no on off null none undefined")

# What protocols say themselves (RFC 6749, 7591, 8628, 8693, OpenID Connect, SAML, WS-Federation,
# HTTP); a value that is one of these tells nothing that a stranger would not know.
DOCUMENTED = _set(
    "RemoteUser pkcs10 x509",
    "authorization_code implicit refresh_token client_credentials device_code password code",
    "token id_token query fragment form_post web_message jwt query.jwt fragment.jwt",
    "form_post.jwt openid profile email address phone offline_access user_impersonation login",
    "consent select_account create page popup touch wap plain S256 S384 S512 RS256 RS384",
    "RS512 ES256 ES384 ES512 PS256 PS384 PS512 HS256 HS384 HS512 EdDSA none A256GCM A128GCM",
    "A128CBC-HS256 RSA-OAEP RSA-OAEP-256 RSA EC OKP sig enc Bearer bearer DPoP MAC pop Basic",
    "Digest NTLM Negotiate Kerberos TLS-DSK public pairwise normal aggregated distributed",
    "client_secret_basic client_secret_post client_secret_jwt private_key_jwt tls_client_auth",
    "self_signed_tls_client_auth authorization_pending slow_down expired_token access_denied",
    "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type",
    "unsupported_response_type invalid_scope invalid_token insufficient_scope server_error",
    "temporarily_unavailable interaction_required login_required consent_required",
    "on_behalf_of account_selection_required invalid_target code_expired",
    "authorization_declined bad_token wsignin1.0 wsignout1.0 wsignoutcleanup1.0 wattr1.0",
    "wpseudo1.0 FormsAuthentication WindowsAuthentication CertificateAuthentication",
    "MultiFactorAuthentication Managed Federated Unknown WSTrust WSFed SAML SAML20 OAuth2",
    "OpenIdConnect success Success failure error ok OK Ok SUCCESS FAILED ERROR GET POST PUT",
    "PATCH DELETE HEAD OPTIONS CONNECT TRACE UTF-8 utf-8 gzip deflate br zstd identity",
    "chunked close keep-alive upgrade websocket XMLHttpRequest redirect follow manual lax",
    "strict Lax Strict None secure default auto basic digest ntlm negotiate kerberos en_US",
    "external internal anonymous desktop mobile windows web native spa confidential user",
    "admin guest member standard json xml html text urlencoded sendrecv sendonly recvonly",
    "inactive active passive actpass holdconn tls tcp udp ws wss sctp sip sips h2 http/1.1 h3",
    "http https ldap ftp tftp required optional preferred",
)
# Top levels of host names, beside those of countries; private ones are usual in companies.
TOP = _set(
    "com org net edu gov mil int info biz name pro io dev app cloud online tech site ai co me",
    "tv example test local localhost internal intranet lan corp home private invalid onion",
    "arpa localdomain domain msft zone email network systems solutions services group gmbh",
    "berlin swiss nrw bayern hamburg koeln cologne global digital company software",
)

# The last word of a name says which form its value has, whatever stands before.
BY_LAST: dict[str, str] = {
    word: form
    for form, found in (
        (
            "measure",
            _set(
                "port ports size length count total timeout interval expires expire expiry",
                "expiration lifetime ttl age maxage limit offset duration delay width height",
                "timestamp iat exp nbf ver seconds ms minutes days hours retries attempts",
                "index step priority weight bytes number_of build qos dscp vlan rate page max",
                "min in before after on at until",
            ),
        ),
        (
            "word",
            _set(
                "step flow view app client service product theme sort order device cluster pool",
                "transport role stage outcome color font market",
                "status version level type types mode method methods format kind language",
                "locale lang protocol protocols action result reason error errors alg",
                "algorithm algorithms enc binding policy category severity event encoding",
                "charset platform os browser model vendor country region timezone scheme",
                "schemes provider",
            ),
        ),
        (
            "boolean",
            _set(
                "supported enabled disabled required allowed active hidden visible secure",
                "verified",
            ),
        ),
        (
            "url",
            _set(
                "endpoint endpoints url urls uri uris href link location",
            ),
        ),
        (
            "host",
            _set(
                "host hostname server servers domain fqdn realm authority issuer address ip",
                "proxy gateway registrar",
            ),
        ),
        (
            "guid",
            _set(
                "id ids uuid guid",
            ),
        ),
        (
            "mail",
            _set(
                "email mail upn username",
            ),
        ),
    )
    for word in found
}
