"""Link types (LINKTYPE_… of the tcpdump group's registry): names, and who reads them.

`NATIVE` are those whose headers `dissect.transport` walks by offset; a test keeps the two
lists equal. All others are handed to scapy's layer classes (`scapy_links`).
"""

from __future__ import annotations

LINKTYPE_RAW = 101

NO_LINK = -1
"""Link type of a frame that holds no packet: a custom block, an undeclared interface."""

NATIVE = frozenset(
    {
        *(0, 1, 9, 10, 12, 14, 50, 51),
        *(100, 101, 104, 107, 108, 109, 113, 117),
        *(130, 135, 137, 138, 166, 167, 168, 178, 179, 180, 181, 183),
        *(204, 205, 206, 228, 229, 239, 276),
    }
)

_NAMES = {
    NO_LINK: "no packet",
    0: "NULL",
    1: "ETHERNET",
    6: "IEEE802_5",
    7: "ARCNET_BSD",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    12: "RAW",
    14: "RAW",
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    107: "FRELAY",
    108: "LOOP",
    109: "ENC",
    113: "LINUX_SLL",
    117: "PFLOG",
    119: "IEEE802_11_PRISM",
    122: "IP_OVER_FC",
    127: "IEEE802_11_RADIOTAP",
    129: "ARCNET_LINUX",
    130: "JUNIPER_MLPPP",
    131: "JUNIPER_MLFR",
    132: "JUNIPER_ES",
    133: "JUNIPER_GGSN",
    134: "JUNIPER_MFR",
    135: "JUNIPER_ATM2",
    136: "JUNIPER_SERVICES",
    137: "JUNIPER_ATM1",
    138: "APPLE_IP_OVER_IEEE1394",
    143: "DOCSIS",
    144: "LINUX_IRDA",
    163: "IEEE802_11_AVS",
    164: "JUNIPER_MONITOR",
    166: "PPP_PPPD",
    167: "JUNIPER_PPPOE",
    168: "JUNIPER_PPPOE_ATM",
    178: "JUNIPER_ETHER",
    179: "JUNIPER_PPP",
    180: "JUNIPER_FRELAY",
    181: "JUNIPER_CHDLC",
    183: "JUNIPER_VP",
    187: "BLUETOOTH_HCI_H4",
    189: "USB_LINUX",
    192: "PPI",
    195: "IEEE802_15_4_WITHFCS",
    201: "BLUETOOTH_HCI_H4_WITH_PHDR",
    204: "PPP_WITH_DIR",
    205: "C_HDLC_WITH_DIR",
    206: "FRELAY_WITH_DIR",
    220: "USB_LINUX_MMAPPED",
    228: "IPV4",
    229: "IPV6",
    239: "NFLOG",
    242: "IPOIB",
    249: "USBPCAP",
    253: "NETLINK",
    276: "LINUX_SLL2",
}


def link_name(link: int) -> str:
    """The registry's name without its prefix; `LINKTYPE_300` where we know none."""
    if 147 <= link <= 162:
        return f"USER{link - 147}"
    return _NAMES.get(link, f"LINKTYPE_{link}")
