#!/bin/sh
# consul-template and nginx instead of stackctl's balancer: the same routes, on port 8080 of this machine.
#   CONSUL_HTTP_ADDR=127.0.0.1:8510 ./run.sh
set -eu
cd "$(dirname "$0")"
export CONSUL_HTTP_ADDR="${CONSUL_HTTP_ADDR:-127.0.0.1:8510}"
exec consul-template -config consul-template.hcl
