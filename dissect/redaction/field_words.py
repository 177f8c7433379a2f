"""Words that the standards have in header fields, by field; names and words in lower case.

RFC 9110 to 9112, 6265, 6455, 6797, 7034, 7239, 7240, 7838, 8941, 9218, Fetch, Client Hints, SIP
(IANA, "SIP parameters"), and what caches and gateways of sign-ins write. A word that is in no list
may be somebody's secret, whatever field it stands in.
"""

from __future__ import annotations


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


METHODS = _set(
    "get head post put delete connect options trace patch propfind proppatch mkcol copy move lock",
    "unlock report search mkcalendar acl purge link unlink bind rebind unbind checkin checkout",
    "merge mkactivity uncheckout update version-control baseline-control label orderpatch query",
    "invite ack bye cancel register prack subscribe notify publish info refer message service",
    "benotify keepalive negotiate *",
)
# Of fields whose values are words, numbers or names of other fields.
_COMMON = _set(
    "* 0 1 ?0 ?1 true false none no yes on off bytes deny sameorigin allow-from nosniff noopen",
    "same-origin same-site cross-site cross-origin require-corp credentialless unsafe-none null",
    "all any",
    "same-origin-allow-popups noopener-allow-popups noopener master-only by-content-type",
    "by-ftp-filename no-referrer no-referrer-when-downgrade origin origin-when-cross-origin",
    "strict-origin strict-origin-when-cross-origin unsafe-url",
    "xmlhttprequest close keep-alive upgrade te http2-settings transfer-encoding",
    "chunked gzip x-gzip deflate compress x-compress br zstd identity trailers dcb dcz",
    "websocket h2c h2 h3 http http/1.0 http/1.1 http/2 http/2.0 http/3 https tls/1.0 connect-udp",
    "connect-ip icap",
    "cors navigate no-cors webtransport document empty audio audioworklet embed fencedframe font",
    "frame iframe image json manifest object paintworklet report script serviceworker",
    "sharedworker style track video webidentity worker xslt prefetch prerender preview",
    "2g 3g 4g slow-2g infinity t f noindex nofollow noarchive nosnippet noimageindex notranslate",
    "unavailable_after index follow max-snippet max-image-preview max-video-preview large standard",
    "ie=edge ie=emulateie7 ie=8 ie=9 ie=10 ie=11 ie=7 chrome=1 hit miss stale expired bypass",
    "dynamic revalidated updating fresh refreshhit error from cloudfront refresh tcp_hit tcp_miss",
    "tcp_refresh_hit tcp_refresh_miss tcp_mem_hit tcp_ims_hit tcp_expired_hit tcp_negative_hit",
    "tcp_remote_hit config_nocache config_cache private_nostore notset uncacheable pass redis",
    "cwt saml samlassertion oauth x86 arm",
)
_DIRECTIVES = _set(
    "no-cache no-store no-transform max-age max-stale min-fresh only-if-cached stale-if-error",
    "stale-while-revalidate must-revalidate must-understand private proxy-revalidate public",
    "s-maxage immutable post-check pre-check must-revalidate no-vary-search",
)
MEMBERS: dict[str, frozenset[str]] = {
    "accept-encoding": _set("gzip x-gzip deflate compress x-compress br zstd identity * dcb dcz"),
    "accept-charset": _set("utf-8 utf-16 iso-8859-1 iso-8859-15 us-ascii windows-1252 *"),
    "accept-language": _set("*"),
    "accept": _set("*/*"),
    "cache-control": _DIRECTIVES,
    "pragma": _DIRECTIVES,
    "content-disposition": _set("inline attachment form-data session render signal early-session"
                                " icon alert by-reference info-package recipient-list aib"),
    "expect": _set("100-continue"),
    "prefer": _set("respond-async return=minimal return=representation handling=strict"
                   " handling=lenient odata.continue-on-error odata.allow-entityreferences"
                   " odata.track-changes respond-async depth-noroot"),
    "alt-svc": _set("clear"),
    "sec-websocket-extensions": _set("permessage-deflate x-webkit-deflate-frame bbf-usp-protocol"
                                     " permessage-bzip2 permessage-snappy mux"),
    "te": _set("trailers chunked gzip deflate compress br"),
    "keep-alive": _set("timeout max"),
    "priority": _set("i"),
    "x-xss-protection": _set("0 1"),
    "server-timing": _set("cache cdn-cache cfcache cfl4 cfedge cforigin edge origin total db app"
                          " dtrpid dtsinfo dtreqid intid ak_p hit miss pass redis render auth dns"
                          " rtt processing backend fastly sbn proto"),
    "sec-ch-ua-platform": _set('"windows" "macos" "linux" "android" "ios" "chrome os" "chromeos"'
                               ' "chromium os" "fuchsia" "unknown" ""').union(
        {'"chrome os"', '"chromium os"'}),
    "strict-transport-security": _set("includesubdomains preload"),
    "expect-ct": _set("enforce"),
}  # fmt: skip
MEMBERS["preference-applied"] = MEMBERS["prefer"]
# Values of parameters that are words; those of the others are numbers, hosts, versions, dates.
PARAMETERS: dict[str, frozenset[str]] = {
    "charset": _set("utf-8 utf8 utf-16 utf-16le utf-16be utf-32 us-ascii ascii iso-8859-1"
                    " iso-8859-2 iso-8859-9 iso-8859-15 latin1 windows-1250 windows-1251"
                    " windows-1252 shift_jis euc-jp iso-2022-jp gbk gb2312 gb18030 big5 euc-kr"
                    " koi8-r unicode"),
    "proto": _set("http https ws wss sip sips"), "mode": _set("block"),
    "return": _set("minimal representation"), "handling": _set("strict lenient required optional"),
    "format": _set("flowed fixed"), "delsp": _set("yes no"),
    "desc": _set("hit miss hit-fresh hit-stale hit-wait error pass expired bypass dynamic"),
    "type": MEMBERS["content-disposition"], "odata.metadata": _set("none minimal full"),
    "odata": _set("verbose nometadata minimalmetadata fullmetadata"),
    "odata.streaming": _set("true false"), "ieee754compatible": _set("true false"),
    "v": _set("b2 b3"), "for": _set("unknown _hidden"), "by": _set("unknown"),
}  # fmt: skip
# Brands of browsers in Sec-CH-UA; one of them is made up anew with each version.
BRANDS = _set("chromium google_chrome microsoft_edge opera brave vivaldi yandex yabrowser"
              " android_webview microsoft_edge_webview2 headlesschrome samsung_internet"
              " opera_gx operamobile whale duckduckgo avast_secure_browser electron")  # fmt: skip
FIELDS = _set(
    # Names of fields that other fields list, besides those that this program reads.
    "cookie set-cookie etag if-match if-none-match authentication x-ms-webticket x-csrf-token",
    "x-xsrf-token x-requested-with x-api-key x-auth-token api-key apikey ocp-apim-subscription-key",
    "x-amz-security-token x-amz-date x-amz-user-agent x-amz-content-sha256 x-amzn-errortype",
    "content-md5 content-digest repr-digest digest nel p3p report-to reporting-endpoints",
    "content-security-policy content-security-policy-report-only permissions-policy feature-policy",
    "sec-websocket-key sec-websocket-accept sec-websocket-protocol sec-ch-ua-full-version",
    "sec-ch-ua-full-version-list sec-ch-ua-platform-version sec-ch-ua-bitness sec-ch-ua-wow64",
    "sec-ch-prefers-color-scheme sec-ch-viewport-width viewport-width width dpr device-memory",
    "x-http-method-override x-http-method x-method-override x-goog-api-key x-goog-user-project",
    "idempotency-key tracestate baggage b3 uber-trace-id x-b3-sampled x-cloud-trace-context",
    "x-ms-date x-ms-blob-type x-ms-lease-id x-ms-meta x-ms-continuation x-anchormailbox",
    "x-owa-canary x-skypetoken x-ms-cookieuri-requested x-ms-refreshtokencredential",
    "x-ms-devicecredential signature signature-input dpop dpop-nonce x-okta-user-agent-extended",
    "x-okta-xsrftoken x-forwarded-prefix x-forwarded-ssl x-forwarded-server x-country-code",
    "x-user-agent x-device-id x-session-id x-client-id x-tenant-id x-locale x-timezone x-platform",
    "http2-settings proxy-connection *",
)
VOCABULARY = _COMMON | METHODS
