#!/bin/sh
# confd and nginx instead of stackctl's balancer: the same routes, on port 8080 of this machine.
#   REDIS_NODE=HOST:PORT [REDIS_PASSWORD=…] ./run.sh
# REDIS_NODE is the master: confd knows nothing of Sentinels, and is left behind when another node becomes it.
set -eu
cd "$(dirname "$0")"
exec confd -confdir "$PWD" -backend redis -node "${REDIS_NODE:?host:port of the Redis master}" \
    -client-key "${REDIS_PASSWORD:-}" -interval 10
