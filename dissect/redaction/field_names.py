"""Header fields whose values are shown, by how they are read; names in lower case.

HTTP's from IANA's field name registry and from what servers of sign-ins send, SIP's from IANA's
"SIP parameters" and [MS-SIPRE], [MS-SIPAE], [MS-OCER]. A field that is in no list is judged by the
form of its value.
"""

from __future__ import annotations


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


CREDENTIALS = _set(
    "authorization proxy-authorization www-authenticate proxy-authenticate authentication-info",
    "proxy-authentication-info",
)
URLS = _set(
    "location content-location referer origin refresh link sip-uri x-ms-webticketurl destination",
    "x-ms-websrvlocation access-control-allow-origin timing-allow-origin sourcemap x-sourcemap",
    "x-forwarded-uri x-original-url x-rewrite-url x-ms-endpoint-absolute-path soapaction",
    "x-autodiscover-location deprecation-link service-worker x-frontend",
)
# Names of programs, their versions and machines, which are free.
PRODUCTS = _set(
    "mime-version ms-device-info sec-ch-ua-arch sec-ch-ua-model server sforce-limit-info",
    "user-agent x-accepted-oauth-scopes x-app-name x-app-ver x-aspnet-version x-aspnetmvc-version",
    "x-backend-server x-beserver x-client-brkrver x-client-cpu x-client-dm x-client-os",
    "x-client-sku x-client-ver x-datacenter x-device-type x-diaginfo x-feserver",
    "x-github-media-type x-machine x-ms-client-application x-ms-client-user-agent",
    "x-ms-ests-server x-ms-flighting x-ms-machinename x-ms-namespace x-ms-origin x-ms-proxy",
    "x-ms-routing-name x-ms-server x-ms-srs x-ms-user-agent x-oauth-scopes",
    "x-okta-user-agent-extended x-os-version x-owa-version x-polycom-fw x-polycom-model",
    "x-powered-by x-ratelimit-resource x-requested-with x-server x-servername x-version",
)
# Ids of a request, which a support desk asks for.
IDS = _set(
    "cf-ray client-request-id hpgid ms-cv request-id trace-id traceparent x-amz-cf-id",
    "x-amz-cf-pop x-amz-request-id x-amzn-requestid x-amzn-trace-id x-azure-ref x-b3-spanid",
    "x-b3-traceid x-correlation-id x-github-request-id x-guploader-uploadid x-ms-activity-id",
    "x-ms-client-request-id x-ms-clitelem x-ms-correlation-id x-ms-correlation-request-id",
    "x-ms-edge-ref x-ms-gateway-requestid x-ms-request-id x-msedge-ref x-okta-request-id",
    "x-request-id",
)
# Hosts, with ports; addresses.
HOSTS = _set(
    "client-ip from host true-client-ip x-calculatedbetarget x-calculatedfetarget x-client-ip",
    "x-cluster-client-ip x-forwarded-for x-forwarded-host x-ms-forwarded-client-ip",
    "x-ms-server-fqdn x-original-host x-real-ip x-responseorigin x-served-by",
)
# Members of which the standards have the words: methods, codings, names of fields.
LISTS = _set(
    "accept-patch accept-post accept-ranges access-control-allow-headers",
    "access-control-allow-methods access-control-expose-headers access-control-request-headers",
    "access-control-request-method allow connection content-encoding content-language dav",
    "ms-author-via proxy-connection trailer transfer-encoding upgrade vary",
)
# Words of the standards, numbers and dates.
VALUES = _set(
    "access-control-allow-credentials access-control-max-age",
    "access-control-request-private-network age content-dpr content-length content-range",
    "cross-origin-embedder-policy cross-origin-opener-policy cross-origin-resource-policy date",
    "date-modified deprecation depth dnt downlink ect expires if-modified-since if-range",
    "if-unmodified-since last-modified max-forwards odata-maxversion odata-version",
    "origin-agent-cluster overwrite purpose range referrer-policy retry-after",
    "return-client-request-id rtt save-data sec-ch-ua-mobile sec-fetch-dest sec-fetch-mode",
    "sec-fetch-site sec-fetch-user sec-gpc sec-purpose sec-websocket-version sunset",
    "upgrade-insecure-requests x-api-version x-backendhttpstatus x-cache x-cache-hits",
    "x-content-duration x-content-type-options x-dissect-body x-dns-prefetch-control",
    "x-download-options x-envoy-upstream-service-time x-forwarded-port x-forwarded-proto",
    "x-frame-options x-ms-httpver x-ms-invalid-url x-ms-keep-alive x-ms-pkeyauth x-ms-ratelimit",
    "x-ms-version x-ms-webticketsupported x-permitted-cross-domain-policies",
    "x-proxy-backendserverstatus x-rate-limit-limit x-rate-limit-remaining x-rate-limit-reset",
    "x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-ratelimit-used x-robots-tag",
    "x-rum-validated x-runtime x-timer x-ua-compatible x-varnish",
)
PLAIN = PRODUCTS | IDS | HOSTS | LISTS | VALUES
# Sentences, in which only what looks like a secret is hidden.
SENTENCES = _set(
    "warning x-ms-suberror x-ms-error x-ms-error-code x-ms-error-description",
    "x-ms-exception x-auth-failure x-auth-error x-error x-error-message x-error-description",
    "x-exception-message",
    "x-ms-passive-auth-info organization error-info",
)
# Members and parameters, of which the known ones stay.
STRUCTURED = _set(
    "accept accept-language accept-encoding accept-charset cache-control content-disposition",
    "content-type forwarded prefer preference-applied expect sec-ch-ua sec-ch-ua-platform alt-svc",
    "sec-websocket-extensions strict-transport-security keep-alive te expect-ct priority via",
    "pragma x-xss-protection server-timing",
)
# Their parameters (RFC 9110, 9111, 7239, 6266, 6797, 7838, 7692).
STRUCTURED_PARAMETERS = _set(
    "q charset boundary filename filename* name max-age s-maxage stale-while-revalidate",
    "stale-if-error max-stale min-fresh for by proto host ma persist v timeout max mode dur type",
    "server_max_window_bits client_max_window_bits version level profile start action u i return",
    "respond-async handling wait format odata.maxpagesize h2 h3 h3-29 h3-q050 private no-cache",
)
# Microsoft's explanations: a number, and parameters ([MS-OCER] 2.2.1).
DIAGNOSTICS = _set("ms-diagnostics ms-diagnostics-public x-ms-diagnostics x-ms-diagnostics-public")
DIAGNOSTIC_PARAMETERS = _set(
    "reason source appname errorid fault faultcode text component hresult sipcode statuscode",
    "calltype responsecode errortype requesttype",
)
# SIP: addresses and URIs with parameters, in a list.
ADDRESSES = _set(
    "reason ms-keep-alive",
    "from f to t contact m route record-route path service-route p-asserted-identity",
    "p-preferred-identity p-associated-uri p-called-party-id remote-party-id diversion",
    "history-info refer-to r referred-by b reply-to call-info alert-info geolocation",
    "p-profile-key identity-info x-ms-sip-uri ms-conversation-uri rpid-privacy p-charging-vector",
    "p-charging-function-addresses p-access-network-info security-client security-server",
    "security-verify via v session-expires x min-se event o subscription-state join replaces",
    "target-dialog in-reply-to error-info content-disposition accept accept-encoding",
    "accept-language e allow-events u feature-caps geolocation-routing retry-after accept-contact",
    "a reject-contact j request-disposition d",
)
# SIP's other fields.
SIP_PLAIN = _set(
    "ms-device-info hpgid x-client-dm x-ms-webticketsupported",
    "call-id i cseq max-forwards user-agent server date content-type c content-length l allow",
    "supported k require proxy-require unsupported expires min-expires mime-version",
    "content-language timestamp priority organization privacy p-early-media",
    "accept-resource-priority resource-priority rack rseq answer-mode",
    "priv-answer-mode content-encoding e",
    "suppress-if-match flow-timer ms-subnet",
    "ms-call-source ms-transparent-mode ms-asserted-verification-level",
    "ms-forking x-grandstream-pbx",
    "ms-edge-proxy-message-trust ms-server-version ms-skip-rnl",
    "ms-expires-keepalive recv-info x-serialnumber mac x-mac",
)
# Attributes of Set-Cookie (RFC 6265 §4.1, RFC 6265bis).
COOKIE_ATTRIBUTES = _set(
    "expires max-age domain secure httponly samesite partitioned priority version",
)

# Parameters of challenges and credentials that open no door (RFC 7235, 7616, 6750, [MS-SIPAE]).
AUTHENTICATION = _set(
    "realm qop algorithm charset error error_description error_codes scope stale client_id",
    "targetname version username authorization_uri trusted_issuers sts-uri snum cnum nc uri type",
    "grant_type resource_id resource issuer authorization acr_values max_age domain auth-param",
    "userhash",
)
# Schemes (IANA's registry, and what Microsoft's, Amazon's and SIP's servers use besides).
SCHEMES = _set(
    "basic bearer digest dpop gnap hoba mutual negotiate oauth privatetoken scram-sha-1",
    "scram-sha-256 vapid concealed ntlm kerberos tls-dsk aws aws4-hmac-sha256 sharedkey",
    "sharedkeylite sharedaccesssignature wrap passport1.4 msoidcrp signature hawk token apikey",
    "api-key key goog1 x-amz aws3-https genie-key ssws atbasic msal livesignin pkeyauth pop",
    "msauth1.0 msauth1.1 fxa splunk httpsig x-ms-webticket anonymous digest-md5 form xbl3.0",
)
# WebSocket subprotocols (IANA's registry, and those that are in common use).
SUBPROTOCOLS = _set(
    "sip xmpp mqtt mqttv3.1 msrp bfcp soap wamp wamp.2.json wamp.2.msgpack stomp v10.stomp",
    "v11.stomp v12.stomp ocpp1.2 ocpp1.5 ocpp1.6 ocpp2.0 ocpp2.0.1 ocpp2.1 graphql-ws",
    "graphql-transport-ws jsonrpc janus-protocol rtsp.onvif.org webrtc.softphone.com",
    "base64.binary.k8s.io v4.base64.channel.k8s.io v4.channel.k8s.io v5.channel.k8s.io",
    "channel.k8s.io base64.channel.k8s.io chat superchat binary text json protobuf signalr",
    "actioncable-v1-json actioncable-unsupported socket.io echo-protocol xmpp-framing jmap",
    "opcua+uacp opcua+uajson coap http vnc ship v1.usp v12.usp 3gpp.org mbws.huawei.com mbws tap",
    "bitcoin ietf.ocpp vrmmp openid.connect amqp amqpwsb10 ws-sip wss",
)
# Attributes of session descriptions (IANA, "SDP parameters"; [MS-SDPEXT]) that tell no keys.
SDP_ATTRIBUTES = _set(
    "rtpmap fmtp ptime maxptime minptime sendrecv sendonly recvonly inactive orient type",
    "charset sdplang lang framerate quality rtcp rtcp-mux rtcp-mux-only rtcp-rsize rtcp-fb",
    "rtcp-xr candidate remote-candidates ice-lite ice-options ice-mismatch",
    "end-of-candidates fingerprint setup connection mid group bundle-only ssrc ssrc-group",
    "msid msid-semantic extmap extmap-allow-mixed label content imageattr simulcast rid",
    "sctpmap sctp-port max-message-size curr des conf cat keywds tool cliprect encryption",
    "x-caps x-ssrc-range x-sourceid x-mediabw x-devicecaps x-bypassid x-bypass",
    "x-mediasettings x-candidate-ipv6 x-candidate-info x-media-settings x-ms-sdp-diagnostics",
    "silencesupp direction nortpproxy direct-media t38faxversion t38maxbitrate",
    "t38faxfillbitremoval t38faxtranscodingmmr t38faxtranscodingjbig t38faxratemanagement",
    "t38faxmaxbuffer t38faxmaxdatagram t38faxudpec floorctrl confid userid floorid",
    "source-filter bandwidth maxprate ts-refclk mediaclk altc acap pcap tcap pcfg acfg csup",
    "creq path accept-types accept-wrapped-types max-size file-transfer-id file-disposition",
    "msrp-cema range control etag rtcp-unicast sqn cdsc cpar x-nat recorder record",
)

# Parameters without a value that the standards have; any other bare word behind a semicolon may be
# the rest of a value that was not quoted.
FLAGS = _set(
    "httponly secure partitioned includesubdomains preload no-store no-cache must-revalidate",
    "server_no_context_takeover client_no_context_takeover client_max_window_bits",
    "lr ob rport gr gruu early-only isfocus audio video text data control automata attendant",
    "mobility duplex message application schemes priority extensions required require user",
    "session header none critical",
    "id history hide maddr transport tcp udp tls sigcomp-id u sg ub drop bnc cpc orig normal",
)

# Every name of a field that is known, as it may stand in the values of Vary, Trailer, Connection.
KNOWN = CREDENTIALS | URLS | PLAIN | SENTENCES | STRUCTURED | DIAGNOSTICS | ADDRESSES | SIP_PLAIN
