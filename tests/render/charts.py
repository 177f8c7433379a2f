"""Charts built by hand: what flows look like, and what must not break a renderer."""

from __future__ import annotations

from dataclasses import replace

from dissect.model import Actor, Arrow, ArrowStatus, Cause, SequenceChart, Source, Step

T0 = 1_487_740_799_250_000_000  # 2017-02-22T05:19:59.25Z
S = 1_000_000_000
PHONE, BROWSER, LOG = "phone.pcapng", "browser.pcapng", "phone.log"

ACTORS = (
    Actor("user", "User"),
    Actor("phone", "VVX phone", None, ("10.222.202.232",)),
    Actor("browser", "User's browser", None, ("10.222.202.51",)),
    Actor(
        "pairing",
        "Device Pairing Service",
        "bootstrap.pinauth.services.skypeforbusiness.com",
        ("52.113.66.30",),
    ),
    Actor("azuread", "Azure AD", "login.microsoftonline.com", ("20.190.1.1", "20.190.1.2")),
    Actor("adfs", "ADFS proxy", "sts.contoso.example", ("203.0.113.10",)),
    Actor("sfb", "Skype for Business Online", "webpoolsg20r04.infra.lync.com", ("52.112.64.9",)),
)


def arrow(
    at: float,
    sender: str,
    receiver: str,
    label: str,
    first: int | None = None,
    last: int | None = None,
    *,
    capture: str = PHONE,
    stream: int | None = 3,
    status: ArrowStatus = "ok",
    note: str | None = None,
    count: int = 1,
    until: float | None = None,
    event: str = "",
    sources: tuple[Source, ...] = (),
) -> Arrow:
    """An arrow at `at` seconds from the start of the chart."""
    return Arrow(
        time_ns=T0 + round(at * S),
        sender=sender,
        receiver=receiver,
        label=label,
        status=status,
        source=Source(capture, first, last or first, stream if first else None, encrypted=True),
        note=note,
        count=count,
        end_ns=None if until is None else T0 + round(until * S),
        event=event,
        sources=sources,
    )


def steps_of_success() -> tuple[Step, ...]:
    polls = tuple(Source(PHONE, n, n, 5, encrypted=True) for n in range(44, 300, 11))
    return (
        Step(
            1,
            "The user starts Web Sign-in on the phone",
            "inferred",
            (arrow(0, "user", "phone", "selects Web Sign-in", status="inferred"),),
            "Nothing on the wire shows it; the phone's request to the pairing service implies it.",
        ),
        Step(
            2,
            "Phone ↔ Device Pairing Service",
            "done",
            (
                arrow(0.012, "phone", "pairing", "GET /api/DeviceConfig/Polycom/Default", 12, 15),
                arrow(
                    0.131,
                    "pairing",
                    "phone",
                    "200 AadEndpointUrl, ClientId, AutoDiscoverUrl",
                    17,
                    19,
                ),
                arrow(0.58, "phone", "azuread", "POST /common/oauth2/devicecode", 31, 33, stream=5),
                arrow(
                    0.9,
                    "azuread",
                    "phone",
                    "200 user_code ‹user_code #1›, device_code ‹device_code #1›",
                    35,
                    36,
                    stream=5,
                    note="expires in 900 s, poll every 5 s",
                ),
                arrow(
                    5.92,
                    "phone",
                    "azuread",
                    "POST /common/oauth2/token (poll)",
                    44,
                    45,
                    stream=5,
                    count=24,
                    until=120.9,
                    event="oauth.token.requested",
                    sources=polls,
                ),
                arrow(
                    6.05,
                    "azuread",
                    "phone",
                    "400 authorization_pending",
                    47,
                    48,
                    stream=5,
                    status="pending",
                    count=23,
                    until=116.1,
                    sources=polls,
                ),
            ),
        ),
        Step(
            3,
            "User at the browser",
            "done",
            (
                arrow(21.4, "browser", "azuread", "GET http://aka.ms/sphone", 102, capture=BROWSER),
                arrow(21.5, "azuread", "browser", "301 → sign-in page", 104, capture=BROWSER),
                arrow(
                    42.75,
                    "browser",
                    "azuread",
                    "POST /common/GetCredentialType",
                    220,
                    222,
                    capture=BROWSER,
                    stream=9,
                ),
                arrow(
                    43.1,
                    "azuread",
                    "browser",
                    "200 federated domain: sts.contoso.example",
                    224,
                    226,
                    capture=BROWSER,
                    stream=9,
                ),
            ),
        ),
        Step(
            4,
            "Redirect to ADFS",
            "done",
            (
                arrow(
                    43.4,
                    "browser",
                    "adfs",
                    "GET /adfs/ls/ wa=wsignin1.0",
                    251,
                    252,
                    capture=BROWSER,
                    stream=12,
                ),
                arrow(
                    43.7,
                    "adfs",
                    "browser",
                    "200 sign-in form",
                    255,
                    259,
                    capture=BROWSER,
                    stream=12,
                ),
                arrow(
                    61.1,
                    "browser",
                    "adfs",
                    "POST credentials of alice@contoso.example",
                    270,
                    271,
                    capture=BROWSER,
                    stream=12,
                ),
            ),
        ),
        Step(
            5,
            "Claims token",
            "done",
            (
                arrow(
                    61.9,
                    "adfs",
                    "browser",
                    "200 self-posting form, wresult ‹saml_assertion #1›",
                    281,
                    290,
                    capture=BROWSER,
                    stream=12,
                ),
                arrow(
                    62.2,
                    "browser",
                    "azuread",
                    "POST /login.srf",
                    301,
                    309,
                    capture=BROWSER,
                    stream=9,
                ),
                arrow(
                    62.6, "azuread", "browser", "200 signed in", 311, 312, capture=BROWSER, stream=9
                ),
            ),
        ),
        Step(
            6,
            "Pairing code and tokens",
            "done",
            (
                arrow(75.0, "user", "browser", "enters the pairing code", status="inferred"),
                arrow(
                    110.0,
                    "browser",
                    "azuread",
                    "POST /common/oauth2/deviceauth",
                    402,
                    404,
                    capture=BROWSER,
                    stream=9,
                ),
                arrow(
                    120.95,
                    "azuread",
                    "phone",
                    "200 access_token, refresh_token, id_token",
                    311,
                    318,
                    stream=5,
                    note="aud https://webdir.online.lync.com, upn alice@contoso.example",
                ),
            ),
        ),
        Step(
            7,
            "Sign-in to Skype for Business Online",
            "done",
            (
                arrow(
                    122.0,
                    "phone",
                    "sfb",
                    "POST /WebTicket/WebTicketService.svc",
                    330,
                    334,
                    stream=14,
                ),
                arrow(122.3, "sfb", "phone", "200 web ticket ‹web_ticket #1›", 336, 340, stream=14),
                arrow(
                    122.9,
                    "phone",
                    "sfb",
                    "POST /CertProv/CertProvisioningService.svc",
                    350,
                    355,
                    stream=14,
                ),
                arrow(123.4, "sfb", "phone", "200 user certificate", 357, 361, stream=14),
                arrow(124.1, "phone", "sfb", "REGISTER sip:contoso.example", 371, stream=15),
                arrow(
                    124.2,
                    "sfb",
                    "phone",
                    "401 TLS-DSK, NTLM, Kerberos offered",
                    372,
                    374,
                    stream=15,
                ),
                arrow(
                    124.4,
                    "phone",
                    "phone",
                    "TLS handshake in gssapi-data, 3 legs",
                    376,
                    390,
                    stream=15,
                    count=3,
                    until=125.0,
                ),
                arrow(125.6, "phone", "sfb", "REGISTER, signed", 395, 396, stream=15),
                arrow(125.8, "sfb", "phone", "200 OK, registered", 398, stream=15),
            ),
        ),
    )


def success() -> SequenceChart:
    return SequenceChart(
        flow="vvx-web-signin",
        title="Web Sign-in of a VVX phone through ADFS",
        status="complete",
        stopped_at=None,
        cause=None,
        actors=ACTORS,
        steps=steps_of_success(),
        diagnostics=("step 1 is inferred: no phone log was given (--phone-log)",),
        captures=(PHONE, BROWSER),
        subject="alice@contoso.example",
    )


def failure() -> SequenceChart:
    """Wrong password at ADFS: step 4 fails, the rest is missing."""
    good = steps_of_success()
    proof = Source(BROWSER, 281, 287, 12, encrypted=True)
    refused = replace(
        arrow(
            61.9,
            "adfs",
            "browser",
            "200 sign-in form again: Incorrect user ID or password",
            status="failed",
        ),
        source=proof,
    )
    missing = tuple(
        Step(
            s.number,
            s.title,
            "missing",
            (),
            f"Nothing of step {s.number} was seen in either capture.",
        )
        for s in good[4:]
    )
    return SequenceChart(
        flow="vvx-web-signin",
        title="Web Sign-in of a VVX phone through ADFS",
        status="failed",
        stopped_at=4,
        cause=Cause(
            "adfs.credentials_rejected",
            "ADFS did not accept the user name or password of alice@contoso.example.",
            "Check the account in Active Directory: password expired, locked or mistyped? "
            "Event 411 on the ADFS server names the reason.",
            (proof,),
            {"client-request-id": "5b1f0c52-9f3c-4f0e-8f6e-0080000000ce"},
        ),
        actors=ACTORS,
        steps=(
            *good[:3],
            replace(good[3], status="failed", arrows=(*good[3].arrows, refused)),
            *missing,
        ),
        diagnostics=("steps 5 to 7 are missing: the flow stopped before them",),
        captures=(PHONE, BROWSER),
        subject="alice@contoso.example",
    )


def hidden() -> SequenceChart:
    """No key log: SNI and timing are all there is."""
    reason = "Encrypted: no key log holds a secret for the client random of tcp.stream 5."
    steps = []
    for step in steps_of_success():
        arrows = tuple(
            replace(
                a,
                status="hidden",
                label="encrypted request" if a.sender == "phone" else "encrypted answer",
                note=None,
            )
            for a in step.arrows
            if a.status != "inferred" and a.source.capture == PHONE
        )
        status = "inferred" if step.number == 1 else "hidden" if arrows else "missing"
        why = reason if arrows else "The browser is not in this capture."
        steps.append(replace(step, status=status, arrows=arrows, explanation=why))
    return replace(
        success(),
        status="incomplete",
        stopped_at=2,
        cause=Cause(
            "tls.no_keys",
            "The traffic is encrypted and no key log fits it.",
            "Record again with SSLKEYLOGFILE set, or give the key log with -k.",
            (),
        ),
        steps=tuple(steps),
        captures=(PHONE,),
        subject=None,
    )


HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "$\\frac{1}{0}$ $unbalanced",
    "<script>alert(1)</script>&amp;]]><!--",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "line one\nline two\r\tthree\x00\x85\u2028end",
    "lone \ud800 surrogate \udfff, non-character \ufffe \uffff",
    "Z" + "\u0301" * 40 + "algo",
    "漢字とかな 🙂 𝔘nicode \ue000",
    "%s %(x)s {0} {x!r} \\N{BULLET}",
    "\u200b\u2060\ufeff\u3164 invisible",
)


def hostile() -> SequenceChart:
    """Every text field filled with what might break out of some format."""
    evil = HOSTILE
    actors = tuple(
        Actor(f"a{i}\x1b<\ud800", text, text, (text, f"10.0.0.{i}"))
        for i, text in enumerate(evil[:5])
    )
    names = [actor.ident for actor in actors]
    arrows = tuple(
        Arrow(
            T0 + i * S,
            names[i % 5],
            names[(i + 1) % 5],
            text,
            ("ok", "failed", "pending", "inferred", "hidden")[i % 5],  # type: ignore[arg-type]
            Source(evil[4] + ".pcapng", i + 1, i + 2, i),
            note=text,
            event=text,
        )
        for i, text in enumerate(evil)
    )
    return SequenceChart(
        flow="hostile\x1b[0m",
        title=evil[0] + evil[2],
        status="failed",
        stopped_at=2,
        cause=Cause(
            evil[1],
            evil[2] + evil[3],
            evil[4] + evil[5],
            (Source(evil[0], 1, 2, 3),),
            {evil[2]: evil[6]},
        ),
        actors=actors,
        steps=(
            Step(1, evil[3], "done", arrows[:5], evil[4]),
            Step(2, evil[1], "failed", arrows[5:], evil[5]),
        ),
        diagnostics=evil,
        captures=(evil[4] + ".pcapng", evil[7]),
        subject=evil[3],
    )


def many(count: int = 300) -> SequenceChart:
    """One step far longer than a page, between two short ones."""
    good = steps_of_success()
    long = tuple(
        arrow(
            1 + i * 0.25 + (i // 50) * 30,
            "phone" if i % 2 == 0 else "sfb",
            "sfb" if i % 2 == 0 else "phone",
            f"REGISTER #{i // 2 + 1}" if i % 2 == 0 else "401 Unauthorized",
            400 + i * 3,
            401 + i * 3,
            stream=15 + i // 50,
        )
        for i in range(count)
    )
    return replace(
        success(),
        status="incomplete",
        stopped_at=3,
        steps=(
            good[0],
            good[1],
            replace(
                good[6],
                number=3,
                title="Registration that never ends",
                arrows=long,
                status="missing",
                explanation="The registrar challenges each REGISTER anew; no 200 was seen.",
            ),
            replace(good[5], number=4),
        ),
    )


def one_actor() -> SequenceChart:
    return SequenceChart(
        "log",
        "A phone log alone",
        "complete",
        None,
        None,
        (Actor("phone", "Phone", None, ("10.0.0.1",)),),
        (
            Step(
                1,
                "Starts",
                "done",
                tuple(
                    replace(arrow(i, "phone", "phone", text), source=Source(LOG, line=4 + i))
                    for i, text in enumerate(
                        ("asks for the device configuration", "got a user certificate " * 12)
                    )
                ),
            ),
        ),
        captures=(LOG,),
    )


def empty() -> SequenceChart:
    return SequenceChart("none", "Nothing", "incomplete", None, None, (), ())


LONG = (
    "GET /common/oauth2/authorize?response_type=code&client_id=131c22db-3591-4fc8-a305-55444fa5ccd3"
    "&redirect_uri=https%3a%2f%2flogin.microsoftonline.com%2fcommon%2foauth2%2fdeviceauth&state="
    + "x"
    * 160
)


def long_labels() -> SequenceChart:
    """Neighbours and the outermost lanes, with labels longer than the page is wide."""
    pairs = [
        ("user", "phone"),
        ("adfs", "sfb"),
        ("user", "sfb"),
        ("sfb", "user"),
        ("azuread", "azuread"),
        ("sfb", "sfb"),
        ("user", "user"),
        ("phone", "browser"),
    ]
    arrows = tuple(
        arrow(
            i * 7, a, b, LONG, 100000 + i, 1000000 + i, note=LONG, count=i % 3 + 1, until=i * 7 + 5
        )
        for i, (a, b) in enumerate(pairs)
    )
    failed = replace(arrows[1], status="failed")
    return replace(
        success(),
        title="Sign-in " * 30,
        status="failed",
        stopped_at=2,
        cause=Cause(
            "adfs.MSIS7042",
            LONG,
            LONG,
            tuple(Source(PHONE, n, n + 9, 1) for n in range(30)),
            {"correlation id": LONG},
        ),
        actors=tuple(
            replace(
                a,
                title=a.title * 3,
                host=(a.host or "host") * 4,
                addresses=("2001:db8:85a3::8a2e:370:7334",) * 5,
            )
            for a in ACTORS
        ),
        steps=(
            Step(1, LONG, "done", arrows, LONG),
            Step(2, "Two neighbours", "failed", (failed, *arrows[2:]), "short"),
        ),
        captures=(*(f"/captures/{'long name ' * 6}{i}.pcapng" for i in range(5)), PHONE),
        subject=LONG,
        diagnostics=(LONG,) * 3,
    )


def wide() -> SequenceChart:
    base = failure()
    return replace(
        base,
        title="ウェブサインイン（VVX 電話機、ADFS 経由）",
        subject="田中太郎@例え.テスト",
        actors=(
            Actor("user", "利用者"),
            Actor("phone", "電話機", "会議室の電話", ("10.0.0.1",)),
            *ACTORS[2:],
        ),
        steps=tuple(
            replace(
                s,
                title=f"手順{s.number} " + s.title,
                arrows=tuple(
                    replace(a, label="サインイン要求を送信する " + a.label) for a in s.arrows
                ),
            )
            for s in base.steps
        ),
    )


def crowd(lanes: int = 14) -> SequenceChart:
    """More actors than fit side by side with their names."""
    actors = tuple(
        Actor(f"host{i}", f"Server number {i}", f"host{i}.example.net", (f"192.0.2.{i}",))
        for i in range(lanes)
    )
    arrows = tuple(
        arrow(i * 0.3, f"host{i}", f"host{(i * 5 + 1) % lanes}", f"request {i} of a crowd", 10 + i)
        for i in range(lanes)
    )
    return replace(
        success(), actors=actors, steps=(Step(1, "All talk", "done", arrows),), diagnostics=()
    )


def unknown_lane() -> SequenceChart:
    """An arrow to someone who is not among the actors."""
    stray = arrow(0.5, "phone", "proxy", "CONNECT login.microsoftonline.com:443", 5)
    return replace(success(), steps=(Step(1, "Proxy", "done", (stray,)),))


ALL = {
    function.__name__: function
    for function in (
        success,
        failure,
        hidden,
        hostile,
        many,
        one_actor,
        empty,
        long_labels,
        wide,
        crowd,
        unknown_lane,
    )
}
