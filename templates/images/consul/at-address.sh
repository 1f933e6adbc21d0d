#!/bin/sh
# at-address.sh ADDRESS COMMAND…: a command as the user consul, in a container that has this address besides. Starts as root
# with NET_ADMIN, SETUID and SETGID, which end here.
set -e
ip address replace "$1/32" dev eth0
shift
if command -v su-exec >/dev/null; then
    exec su-exec consul:consul "$@"
fi
exec setpriv --reuid=consul --regid=consul --clear-groups --inh-caps=-all "$@"
