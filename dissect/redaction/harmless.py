"""Names whose values are shown, by the place that they stand in; all in lower case.

Sources: RFC 6749, 7591, 8414, 8628, 9126, OpenID Connect Core and Discovery, SAML 2.0,
WS-Federation 1.2, [MS-OAPX], [MS-OIDCE], [MS-OCDISCWS], [MS-OCAUTHWS], makers' manuals, and what
error pages of Entra, ADFS, Okta, Keycloak, Ping, Google and GitHub ask a user to send to support.
What opens a door is not in here, nor what a person types, but for user names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from dissect.redaction import forms
from dissect.redaction.kinds import USER_SETTING, kind_of

Place = Literal["query", "form", "json", "xml", "field", "sip", "text"]


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


# Requests and answers of sign-in protocols, whether in a query, a form, JSON or an element.
PROTOCOL = _set(
    "client_id clientid resource scope scopes redirect_uri redirecturi post_logout_redirect_uri",
    "response_type response_mode grant_type prompt display max_age ui_locales claims_locales acr",
    "acr_values amr amr_values aud iss azp tid oid appid appidacr deviceid device_id sub scp",
    "roles groups wids ver exp iat nbf auth_time typ alg kid x5t kty use crv x5c x5t#s256",
    "code_challenge_method token_type issued_token_type requested_token_type subject_token_type",
    "requested_token_use expires_in ext_expires_in expires_on not_before refresh_expires_in",
    "interval verification_uri verification_url verification_uri_complete qr_code error",
    "error_description error_uri error_subcode suberror error_codes errorcode error_code",
    "errorcodes errorid errorsummary errorlink errormessage error_message timestamp trace_id",
    "traceid correlation_id correlationid correlation-id request_id requestid request-id",
    "activityid activity_id client-request-id client_request_id ms-correlation-id",
    "return-client-request-id x-client-sku x-client-ver x-client-os x-client-cpu x-app-name",
    "x-app-ver x-client-brkrver x-client-last-request api-version api_version apiversion tenant",
    "tenantid tenant_id domain domain_hint login_hint_type msafed sso_reload lc mkt ui_lang lang",
    "language locale country culture ctry hl market clientlocale wa wtrealm wreply whr wfresh",
    "wauth wct wreq wencoding wp wpolicy wttype pureadfs sigalg samlencoding spentityid",
    "providerid idpid binding entityid idp kc_idp_hint kc_action realm realmid tab_id kmsi cbcxt",
    "cbtxt username_type pullstatus ps psrntoast loginoptions authmethod auth_method authmethods",
    "authnmethod authcontext amrvalues isfidosupported fspost newuser foundmsas hpgid hpgact",
    "hpgrequestid lwsl isroamableupn isotheridpsupported checkphones isremoteconnectsupported",
    "isremotengcsupported iscookiebannershown isexternalfederationdisallowed",
    "isaccesspasssupported isqrcodepinsupported issignup issignuppost issigninallowed",
    "forceotclogin otclogindisallowed cookiedisclosure ppsx type method step flow flowname p",
    "policy tx_policy request_type view page estsredirect sku product app appname app_name",
    "applicationname apptype client sourceapp company_name brand brandname action event eventtype",
    "service gateway renew warn portal sipuri sip_uri host port proto protocol transport server",
    "fqdn region cluster pool ms-device-info access_location accesslocation useragent user_agent",
    "include_granted_scopes access_type approval_prompt flowentry hd allow_signup status",
    "statuscode status_code substatus reason reasons result outcome severity iframe-request-id",
    "x-ms-client-type i13 i18 i19 i21 idtype x-amz-algorithm x-amz-expires x-amz-date",
    "x-amz-signedheaders x-goog-algorithm x-goog-date x-goog-expires x-goog-signedheaders se st",
    "sr sp spr sv srt ss",
)
# The name of a person or a phone's account: the one thing that somebody types and that is shown.
USERS = _set(
    "username user_name user userid user_id uid login loginname login_name login_hint loginfmt",
    "loginid login_id logon logonname logonidentifier signinname signin_name sign_in_name email",
    "mail e-mail e_mail emailaddress email_address mailaddress upn userprincipalname",
    "user_principal_name unique_name preferred_username preferredusername identifier identity",
    "account accountname account_name accountid samaccountname principal principalname j_username",
    "j_user os_username pf.username httpd_username wp-login log_user benutzer benutzername",
    "benutzerkennung kennung anmeldename nutzername utilisateur identifiant usuario nombreusuario",
    "nomeutente utente gebruiker gebruikersnaam brugernavn brukernavn användarnamn anvandarnamn",
    "kayttajatunnus uzytkownik uživatel uzivatel felhasznalo benutzerid usernameoremail",
    "username_or_email emailorusername email_or_username user_login user_email",
    "session[username_or_email] user[email] user[login] ecom_user_id imapuser msisdn_user",
    "authname auth_name auth.userid authuser auth_user sipuser sip_user sipusername extension",
    "phoneuser rdpuser samuser loginuser userlogin userpn userprincipal screenname nickname",
)
_MORE_QUERY = _set(
    "environment audiencegroup mfaauthmethod hpgid x-client-dm",
    "v ver version rev format alt fmt output view sort order dir page pagesize limit offset top",
    "skip count first max start rows fields select $select $filter $top $skip $orderby $expand",
    "$format $count mode theme color font size lcid hl gl tz debug phonemodel model firmware mac",
    "macaddress serial serialnumber fw hw vendor product sku resumptiontype transport eio",
    "return_type sign_type charset encoding ie oe device devicetype devicename platform os",
    "osversion build appversion resume returntype sipdomain",
)
_MORE_FORM = _set(
    "mfaauthmethod x-client-dm",
    "submit submitbutton signin _eventid _eventid_proceed ajaxaction idsibutton9 ok cancel",
    "keepmesignedin rememberme remember_me remember staysignedin stay_signed_in persistent",
    "dontshowagain optionforms",
)
_MORE_JSON = _set(
    "etag partition time thumbprint devicedisplayname environment mfaauthmethod",
    "issuer jwks_uri name_id title titles displayname display_name givenname given_name surname",
    "family_name middle_name firstname first_name lastname last_name fullname jobtitle department",
    "company companyname organization organisation office officelocation city tenantname",
    "tenantregionscope tenant_region_scope tenant_region_sub_scope cloud_instance_name",
    "cloudinstancename cloud_graph_host_name msgraph_host rbac_url namespacetype account_type",
    "domainname federationbrandname domain_type domaintype ifexistsresult throttlestatus",
    "prefcredential isunmanaged userstate login federationglobalversion federation_protocol",
    "authnforwardtype consumerdomain isviral haspassword hasrememberedcredential remotengcparams",
    "fidoparams qrcodepinparams otcdisallowed sign_in_options desktopssoenabled hasphone",
    "codeaction iscodesent notificationtype subscriptiontype expiretime modified created",
    "createdat updatedat expiresat expires lastupdated lastlogin passwordchanged policies links",
    "rel method allow hints template value_type mediatype accept produces message messages msg",
    "description detail details text error_text innererror summary label labels header",
    "instructions prompt info reasonphrase exceptionmessage exceptiontype faultstring fault",
    "statustext statusmessage userdisplayablemessage usermessage developermessage moreinfo",
    "more_info target_resource category activity errortype subcode operation operationid",
    "capabilities features services service_type ewsurl owaurl url redirecturl redirect_url",
    "autodiscoverurl devicepairingwebsiteurl aadendpointurl authorization_endpoint token_endpoint",
    "userinfo_endpoint end_session_endpoint device_authorization_endpoint introspection_endpoint",
    "revocation_endpoint registration_endpoint check_session_iframe kerberos_endpoint model",
    "product manufacturer vendor firmware softwareversion version build mac macaddress",
    "serialnumber platform osversion devicetype devicename hostname profile availability",
    "phonenumber number extension lineuri sipaddress registrar keyops key_ops @odata.context",
    "@odata.type @odata.id odata.context odata.type odata.error tokentype sessiontype factortype",
    "factorresult providertype provider vendorname questiontype stage realmname authlevel",
)
# Elements and attributes: SAML, WS-Trust and WS-Federation, SOAP, Lync, Exchange, presence, phones.
_MORE_XML = _set(
    "messagetext config_files devicename hostname context webticketsupported transport",
    "issuer audience nameid nameidentifier subjectlocality authncontextclassref",
    "authncontextdeclref authenticatingauthority authenticationmethod authenticationinstant",
    "method format namequalifier spnamequalifier nameformat attributename attributenamespace",
    "originalissuer friendlyname destination consent recipient issueinstant notbefore",
    "notonorafter notafter authninstant sessionnotonorafter assertionconsumerserviceurl",
    "protocolbinding providername forceauthn ispassive allowcreate majorversion minorversion",
    "version comparison statusmessage statuscode statusdetail algorithm uri type encodingtype",
    "valuetype mustunderstand action to from replyto relatesto messageid created expires",
    "tokentype requesttype keytype keysize keyusage authenticationtype dialect optional address",
    "appliesto lifetime renewing faultcode faultstring faultactor reason text subcode role",
    "node errorid internalerror errorcode errortype error message detail reqstatus authurl",
    "errormessage internalcode lang xml:lang port binding location name servicename endpointname",
    "namespace targetnamespace schemalocation soapaction style transport part entityid entity",
    "protocolsupportenumeration workurl responselocation index isdefault wantauthnrequestssigned",
    "wantassertionssigned authnrequestssigned use validuntil cacheduration organizationname",
    "organizationdisplayname organizationurl displayname description title contacttype company",
    "givenname surname emailaddress telephonenumber user root link href domain accesslocation",
    "sipserverinternalaccess sipserverexternalaccess sipclientinternalaccess",
    "sipclientexternalaccess fqdn resource rel property uniqueidentifier deviceuri",
    "userdisplayname legacydn autodiscoversmtpaddress deploymentid server serverdn serverversion",
    "mdbdn authpackage ewsurl asurl ecpurl oabUrl ouurl redirectaddr redirecturl redirecturltype",
    "oofurl umurl publicfoldersmtpaddress addressbook basic status contact priority",
    "timestamp presence tuple availability activity activities state-type category categoryname",
    "instance publishtime container expiretype subtype cstatype useragent method-type phone line",
    "display-name target namespacetype federationbrandname isfederatedns stsauthurl mexurl",
    "domainname cloudinstancename cloudinstanceissueruri login preferredproductcatalog",
    "webticketsupported claimtype id-type attributeconsumingserviceindex responseclass",
    "responsecode requestedserverversion majorbuildnumber minorbuildnumber routingtype",
    "mailboxtype culture timezone",
)
# Parameters of SIP header fields and URIs (IANA, "SIP parameters"), and Microsoft's [MS-SIPRE].
SIP = _set(
    "ftag qop nc",
    "tag branch received rport maddr ttl transport user method lr ob comp sigcomp-id expires q",
    "reg-id +sip.instance sip.instance audio video text automata duplex",
    "mobility description events priority methods extensions schemes language actor",
    "isfocus +sip.byeless +sip.rendering +sip.message +g.3gpp.icsi-ref +g.3gpp.iari-ref",
    "+g.3gpp.smsip +g.3gpp.mid-call +sip.ice +u.sip!devcaps.module.cisco.com epid gruu ms-opaque",
    "ms-received-port ms-received-cid ms-fe ms-role-rs-to ms-role-rs-from ms-rrsig-type",
    "ms-keep-alive ms-ent-dest ms-identity-alt ms-route-sig-type x-cisco-tenant trusted charge",
    "cause reason reason-code source counter limit privacy screen party id-type noa cpc oli isub",
    "isub-encoding phone-context cic rn npdi refresher min-se retry-after duration id",
    "index mp np hi-index handling d-alg d-ver pn-provider keep hold orig-ioi",
    "term-ioi orig term purpose early-only session proxy from-tag to-tag appid",
    "errorid server reason_code ms-source-type utran-cell-id-3gpp cgi-3gpp access-type",
    "network-provided local-time-zone message-expires boundary charset name filename bnc inb",
    "+g.gsma.rcs.telephony fetch alert-type appearance vnd.vfe body-type msgxp version",
    "msrtc-event-categories ms-piggyback-first-notify ms-piggyback-cseq supported hsl autoextend",
    "grouped proxying",
)
TEXTS = _set(
    "messagetext",
    # The server's own words: shown as sentences, with what looks like a secret masked in them.
    "error error_description errormessage error_message errorsummary message messages msg",
    "description detail details text error_text summary statusmessage statustext faultstring",
    "reason info instructions exceptionmessage usermessage userdisplayablemessage",
    "developermessage innererror reasonphrase fault prompt label header title displayname",
    "errorcauses",
)
NOT_TYPED = _set(
    # Names that are harmless in an answer, and that a person might use for what was typed.
    "user_agent text message messages msg description detail details label info reason value_type",
    "number extension title header prompt phone line note summary instructions server host",
    "address name step resume use e service target node page view version",
)

# Words that anything may be called: what stands under them has to have their form as well.
SHAPED = _set(
    "type action port host server method step flow page view status mode service product platform",
    "event app client theme size sort order format count first max start rows color font",
    "ver v rev alt output dir model vendor region cluster pool protocol proto transport p binding",
    "result outcome severity reason_code state os build device firmware market product target",
    "availability activity category role use index value code_type stage provider",
)

NAMES: dict[Place, frozenset[str]] = {
    "query": PROTOCOL | USERS | _MORE_QUERY,
    "form": PROTOCOL | USERS | _MORE_FORM,
    "json": PROTOCOL | USERS | _MORE_JSON,
    "xml": PROTOCOL | USERS | _MORE_XML,
    "sip": SIP,
    "field": frozenset(),
    "text": PROTOCOL | USERS,
}

HARMLESS, TEXT = 1, 2  # what is known of a name at a place: its values are shown, as sentences


@lru_cache(maxsize=16384)
def known(place: Place, name: str) -> tuple[str | None, int]:
    """The kind of secret that a name (lower case) is of, and what else is known of it there."""
    shaped = name in SHAPED and place in ("query", "form", "json")
    named = (name in NAMES[place] and not shaped) or (
        place in ("xml", "json") and USER_SETTING.search(name[-100:])
    )
    flags = HARMLESS if named else 0
    return kind_of(name), flags | (TEXT if name in TEXTS else 0)


_FAULT_CODE = re.compile(r"0x[0-9a-fA-F]{1,8}|\d{1,6}|[A-Za-z][A-Za-z:._]{1,40}")
_FEW_DIGITS = re.compile(r"\d{1,3}")


def no_secret(kind: str, name: str, value: str, place: Place, typed: bool) -> bool:
    """Whether a value under a secret's name is none by what it is."""
    if typed:
        return False
    if kind == "session":
        # Azure AD's sessionId is the request id that a support desk asks for.
        return name == "sessionid" and forms.GUID.fullmatch(value) is not None
    if kind in ("code", "user_code"):
        if name == "code" and place == "xml" and _FAULT_CODE.fullmatch(value):
            return True  # of a SOAP fault
        return name == "code" and _FEW_DIGITS.fullmatch(value) is not None
    if kind in ("state", "sip_response", "token", "ticket"):
        return place in ("json", "xml", "text") and value in _STATES
    return False


_STATES = forms.DOCUMENTED | forms.BOOLEANS | frozenset(
    {"ACTIVE", "Active", "terminated", "pending", "early", "confirmed", "trying", "open", "closed",
     "SUCCESS", "MFA_REQUIRED", "MFA_CHALLENGE", "LOCKED_OUT", "PASSWORD_EXPIRED"}
)  # fmt: skip
