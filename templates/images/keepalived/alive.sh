#!/bin/bash
# Whether the nginx beside it answers: alive.sh PORT PATH [STACK]. It says whose it is, because something else may have
# that port on a machine without a balancer; without STACK any answer will do.
expected="${3:+^stackctl $3\$}"
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
# No Host, which a service could be routed by: nginx itself is asked.
printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
grep -qm1 "${expected:-^HTTP/}" <&3
