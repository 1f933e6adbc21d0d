#!/bin/sh
# Starts keepalived where this machine reaches the address that it shares with others: entrypoint.sh ADDRESS. With
# `leave` behind it, nothing is started: the address is put down, and that is all.
set -eu

address="$1"

# Who was killed could not put it down: it is nobody's until the machines have said whose it is.
ip -4 -oneline address show | grep -F " $address/32 " | while read -r _ interface _; do
    ip address delete "$address/32" dev "$interface"
done
test "${2:-}" != leave || exit 0

interface="$(ip -4 -oneline route get "$address" | sed -n 's/.* dev \([^ ]*\) .*/\1/p')"
test -n "$interface"
# What is left here by the process before would make this one believe that it runs already.
rm -rf /run/stackctl /run/keepalived*
mkdir -p /run/stackctl
echo "\$INTERFACE=$interface" >/run/stackctl/interface.conf

# On TERM it tells the others, puts the address down, and ends.
exec keepalived --dont-fork --log-console --vrrp
