#!/bin/sh
# nginx is process 1, so that traffic does not depend on the agent beside it: the agent may die, and comes back.
set -eu

CONFIG=/run/stackctl/nginx.conf

# Threads look up names; one arena for all of them is enough.
export MALLOC_ARENA_MAX=1

# A restarted container still has the config that it served last.
[ -e "$CONFIG" ] || python3 -m stackctl.agents.balancer --first

keep_agent() {
    while true; do
        code=0
        python3 -m stackctl.agents.without_tls stackctl.agents.balancer || code=$?
        printf '{"ts": "%s", "level": "error", "agent": "balancer", "event": "agent ended", "code": %d}\n' \
            "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$code"
        sleep 0.5 # an agent that can't start must not take the processor from nginx
    done
}

keep_agent &
exec nginx -c "$CONFIG" -g 'daemon off;'
