#!/bin/sh
# Installs what the lab needs from Debian or Ubuntu; needs root. Says plainly what it could not.
# Exit codes: 0 everything is there · 1 something is not (named on standard error).
set -u

PACKAGES="iproute2 ethtool dnsmasq-base nginx kamailio kamailio-tls-modules \
chromium chromium-driver libnss3-tools nftables wireshark-common tshark \
krb5-kdc krb5-admin-server krb5-user libfaketime \
kamailio-websocket-modules baresip-core sip-tester rsyslog udhcpc chrony ntpsec-ntpdig"

if [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: needs root" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "install.sh: no apt-get here; install by hand: $PACKAGES" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive

missing() {
    for package in $PACKAGES; do
        state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)
        [ "$state" = "install ok installed" ] || printf '%s ' "$package"
    done
}

# The packages' own services must not start: the lab runs the programs itself, in namespaces.
# A policy that somebody else has put there is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
fi

for attempt in 1 2; do
    wanted=$(missing)
    [ -z "$wanted" ] && break
    [ "$attempt" -eq 2 ] && sleep 5
    apt-get update -q || echo "install.sh: apt-get update failed (attempt $attempt)" >&2
    # shellcheck disable=SC2086  # a list of words
    if ! apt-get install -q -y --no-install-recommends $wanted; then
        for package in $wanted; do
            apt-get install -q -y --no-install-recommends "$package" >/dev/null 2>&1
        done
    fi
done

wanted=$(missing)
if [ -n "$wanted" ]; then
    echo "install.sh: could not be installed: $wanted" >&2
    exit 1
fi
echo "install.sh: everything the lab needs is installed"
