"""The traces of RFC 8448: §3, a whole handshake, and §4, a resumption with 0-RTT data."""

from __future__ import annotations

from dissect.protocols.tls import key_schedule
from dissect.protocols.tls.suites import suite

from ..drive import C, Part, S, bytewise
from .peers import look, store_of

CLIENT_HELLO = (
    "16030100c4010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece70000061301"
    "13031302010000910000000b0009000006736572766572ff01000100000a00140012001d001700180019010001010102"
    "0103010400230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529a"
    "af2c002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00"
    "020101001c00024001"
)
SERVER_HELLO = (
    "160303005a020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e269280013010000"
    "2e00330024001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304"
)
SERVER_FLIGHT = (
    "17030302a2d1ff334a56f5bff6594a07cc87b580233f500f45e489e7f33af35edf7869fcf40aa40aa2b8ea73f848a7ca"
    "07612ef9f945cb960b4068905123ea78b111b429ba9191cd05d2a389280f526134aadc7fc78c4b729df828b5ecf7b13b"
    "d9aefb0e57f271585b8ea9bb355c7c79020716cfb9b1183ef3ab20e37d57a6b9d7477609aee6e122a4cf51427325250c"
    "7d0e509289444c9b3a648f1d71035d2ed65b0e3cdd0cbae8bf2d0b227812cbb360987255cc744110c453baa4fcd61092"
    "8d809810e4b7ed1a8fd991f06aa6248204797e36a6a73b70a2559c09ead686945ba246ab66e5edd8044b4c6de3fcf2a8"
    "9441ac66272fd8fb330ef8190579b3684596c960bd596eea520a56a8d650f563aad27409960dca63d3e688611ea5e22f"
    "4415cf9538d51a200c27034272968a264ed6540c84838d89f72c24461aad6d26f59ecaba9acbbb317b66d902f4f292a3"
    "6ac1b639c637ce343117b659622245317b49eeda0c6258f100d7d961ffb138647e92ea330faeea6dfa31c7a84dc3bd7e"
    "1b7a6c7178af36879018e3f252107f243d243dc7339d5684c8b0378bf30244da8c87c843f5e56eb4c5e8280a2b48052c"
    "f93b16499a66db7cca71e4599426f7d461e66f99882bd89fc50800becca62d6c74116dbd2972fda1fa80f85df881edbe"
    "5a37668936b335583b599186dc5c6918a396fa48a181d6b6fa4f9d62d513afbb992f2b992f67f8afe67f76913fa388cb"
    "5630c8ca01e0c65d11c66a1e2ac4c85977b7c7a6999bbf10dc35ae69f5515614636c0b9b68c19ed2e31c0b3b66763038"
    "ebba42f3b38edc0399f3a9f23faa63978c317fc9fa66a73f60f0504de93b5b845e275592c12335ee340bbc4fddd50278"
    "4016e4b3be7ef04dda49f4b440a30cb5d2af939828fd4ae3794e44f94df5a631ede42c1719bfdabf0253fe5175be898e"
    "750edc53370d2b"
)
CLIENT_FINISHED = (
    "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1c"
    "aeacab6867d726c40546"
)
TICKET = (
    "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a"
    "015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e0"
    "9c30ba1e62972ac46f75f7b981be63439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77"
    "f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74"
    "bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f"
)
CLIENT_DATA = (
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
    "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"
)
SERVER_DATA = (
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8"
    "fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d"
)
CLIENT_ALERT = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"
SERVER_ALERT = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"

CLIENT_RANDOM = CLIENT_HELLO[22:86]
SECRETS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": (
        "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"
    ),
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": (
        "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"
    ),
    "CLIENT_TRAFFIC_SECRET_0": "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
    "SERVER_TRAFFIC_SECRET_0": "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
}
PAYLOAD = bytes(range(50))

SIMPLE: list[Part] = [
    (C, bytes.fromhex(CLIENT_HELLO)),
    (S, bytes.fromhex(SERVER_HELLO + SERVER_FLIGHT)),
    (C, bytes.fromhex(CLIENT_FINISHED)),
    (S, bytes.fromhex(TICKET)),
    (C, bytes.fromhex(CLIENT_DATA)),
    (S, bytes.fromhex(SERVER_DATA)),
    (C, bytes.fromhex(CLIENT_ALERT)),
    (S, bytes.fromhex(SERVER_ALERT)),
]

RESUMED_HELLO = (
    "010001fc03031bc3ceb6bbe39cff938355b5a50adb6db21b7a6af649d7b4bc419d7876487d9500000613011303130201"
    "0001cd0000000b0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103010400"
    "3300260024001d0020e4ffb68ac05f8d96c99da26698346c6be16482badddafe051a66b4f18d668f0b002a0000002b00"
    "03020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c"
    "0002400100150057"
    + "00"
    * 87
    + "002900dd00b800b22c035d829359ee5ff7af4ec900000000262a6494dc486d2c"
    "8a34cb33fa90bf1b0070ad3c498883c9367c09a2be785abc55cd226097a3a982117283f82a03a143efd3ff5dd36d64e8"
    "61be7fd61d2827db279cce145077d454a3664d4e6da4d29ee03725a6a4dafcd0fc67d2aea70529513e3da2677fa5906c"
    "5b3f7d8f92f228bda40dda721470f9fbf297b5aea617646fac5c03272e970727c621a79141ef5f7de6505e5bfbc388e9"
    "3343694093934ae4d357fad6aacb0021203add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f"
    "9d"
)
RESUMED_SERVER_HELLO = (
    "0200005c03033ccfd2dec890222763472ae8136777c9d7358777bb66e91ea5122495f559ea2d00130100003400290002"
    "000000330024001d0020121761ee42c333e1b9e77b60dd57c2053cd94512ab47f115e86eff50942cea31002b00020304"
)
EARLY_DATA = "1703030017ab1df420e75c457a7cc5d2844f76d5aee4b4edbf049be0"
RESUMED_SERVER_FLIGHT = (
    "1703030061dc48237b4b879f50d0d4d262ea8b4716eb40ddc1eb957e11126e8a7149c2d012d37a7115957e64ce30008b"
    "9e0323f2c05a9c1c77b4f37849a695ab255060a33fee770ca95cb8486bfd0843b87024865ca35cc41c4e515c64dcb136"
    "9f98635bc7a5"
)
END_OF_EARLY_DATA = "1703030015aca6fc944841298df99593725f9bf9754429b12f09"
RESUMED_FINISHED = (
    "170303003500f8b467d14cf22a4b3f0b6ae0d8e6cc8d08e0db3515ef5c2bdf1922eafbb70009964716d834fb70c3d2a5"
    "6c5b1f5f6bdba6c333cf"
)
RESUMED_CLIENT_DATA = (
    "1703030043b1cebce242aa201be9ae5e1cb2a9aa4b33d4e866af1edb068919237741aa031d7a74d491c99b9d4e232b74"
    "206bc6fbaa04fe78be44a9b4f54320a17eb76992afac3103"
)
RESUMED_SERVER_DATA = (
    "1703030043275e9f20acff57bc000657d3867df039cccf79047884cf75771746f740b5a83f462a0954c3581393a203a2"
    "5a7dd14141ef1a37900cdb62ff62dee1ba39ab2590cbf194"
)
RESUMED_ALERTS = (
    "17030300130facce3246bdfc6369838d6a82ae6de5d422dc",
    "17030300135b18af444e8e1eec7158fb62d8f2577d37ba5d",
)
RESUMED_SECRETS = {
    "CLIENT_EARLY_TRAFFIC_SECRET": (
        "3fbbe6a60deb66c30a32795aba0eff7eaa10105586e7be5c09678d63b6caab62"
    ),
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": (
        "2faac08f851d35fea3604fcb4de82dc62c9b164a70974d0462e27f1ab278700f"
    ),
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": (
        "fe927ae271312e8bf0275b581c54eef020450dc4ecffaa05a1a35d27518e7803"
    ),
    "CLIENT_TRAFFIC_SECRET_0": "2abbf2b8e381d23dbebe1dd2a7d16a8bf484cb4950d23fb7fb7fa8547062d9a1",
    "SERVER_TRAFFIC_SECRET_0": "cc21f1bf8feb7dd5fa505bd9c4b468a9984d554a993dc49e6d285598fb672691",
}


def record(message: str) -> bytes:
    body = bytes.fromhex(message)
    return b"\x16\x03\x01" + len(body).to_bytes(2) + body


RESUMED: list[Part] = [
    (C, record(RESUMED_HELLO) + bytes.fromhex(EARLY_DATA)),
    (S, record(RESUMED_SERVER_HELLO) + bytes.fromhex(RESUMED_SERVER_FLIGHT)),
    (C, bytes.fromhex(END_OF_EARLY_DATA + RESUMED_FINISHED + RESUMED_CLIENT_DATA)),
    (S, bytes.fromhex(RESUMED_SERVER_DATA)),
    (C, bytes.fromhex(RESUMED_ALERTS[0])),
    (S, bytes.fromhex(RESUMED_ALERTS[1])),
]


def log(secrets: dict[str, str], random: str) -> str:
    return "".join(f"{label} {random} {secret}\n" for label, secret in secrets.items())


def test_simple_handshake() -> None:
    for parts in (SIMPLE, bytewise(SIMPLE)):
        seen = look(parts, store_of(log(SECRETS, CLIENT_RANDOM)))
        assert seen.got == (PAYLOAD, PAYLOAD)
        row = seen.row
        assert (row.version, row.cipher_suite) == ("TLS 1.3", "TLS_AES_128_GCM_SHA256")
        assert (row.server_name, row.decrypted, seen.kinds) == ("server", "full", [])
        (certificate,) = row.certificates
        assert (certificate.subject, certificate.key) == ("CN=rsa", "RSA 1024")
        # 2016-07-30 01:23:59 UTC, as in the certificate's DER
        assert certificate.not_before_ns == 1469841839 * 10**9
        assert [(one.direction, one.description) for one in row.alerts] == [
            (C, "close_notify"),
            (S, "close_notify"),
        ]


def test_resumed_with_early_data() -> None:
    random = RESUMED_HELLO[12:76]
    for parts in (RESUMED, bytewise(RESUMED)):
        seen = look(parts, store_of(log(RESUMED_SECRETS, random)))
        assert seen.got == (b"ABCDEF" + PAYLOAD, PAYLOAD)
        assert (seen.row.resumed, seen.row.decrypted, seen.kinds) == (True, "full", [])


def test_traffic_keys() -> None:
    secret = bytes.fromhex(SECRETS["SERVER_HANDSHAKE_TRAFFIC_SECRET"])
    assert key_schedule.expand_label(secret, "key", 16, "sha256").hex() == (
        "3fce516009c21727d0f2e4e86ee403bc"
    )
    assert key_schedule.expand_label(secret, "iv", 12, "sha256").hex() == "5d313eb2671276ee13000b30"


def test_a_secret_of_the_wrong_size_is_not_used() -> None:
    """A log may be damaged: 48 bytes can't be a secret of a SHA-256 suite."""
    assert suite(0x1301).prf == "sha256"
    longer = {label: secret + "00" * 16 for label, secret in SECRETS.items()}
    seen = look(SIMPLE, store_of(log(longer, CLIENT_RANDOM)))
    assert seen.got == (b"", b"")
    assert (seen.row.decrypted, seen.row.reason) == ("none", "wrong_secret")
    assert "another size" in (seen.row.sentence or "")
