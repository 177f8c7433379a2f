"""`dissect export`: the packets of a sign-in alone, as a pcapng that opens in Wireshark."""
