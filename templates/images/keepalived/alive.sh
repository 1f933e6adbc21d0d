#!/bin/bash
# Whether the nginx beside it answers: alive.sh PORT PATH. Any answer will do, a template of the user's may lack the page.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
grep -qm1 '^HTTP/' <&3
