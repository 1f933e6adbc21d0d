#!/bin/sh
# Starts a Redis node or a Sentinel: with the settings that the stack has now, in the role that failovers have left.
#
# REGISTRY         what the Sentinels call the master and its replicas
# SELF             this node's own address
# NODES SENTINELS  all addresses, the first master's first
# QUORUM           how many Sentinels must agree that the master is gone
# REDISCLI_AUTH    the password, where the stack has one
set -eu

TOLD=/etc/stackctl
PATIENCE=5 # seconds

# Which node the most Sentinels call the master; nothing where none answers.
current_master() {
    for sentinel in $SENTINELS; do
        timeout 0.5 redis-cli -h "$sentinel" -p 26379 --raw sentinel get-master-addr-by-name "$REGISTRY" 2>/dev/null |
            sed -n '1{/^[0-9.]*$/p;}' &
    done | sort | uniq -c | sort -rn | sed -n '1s/^ *[0-9]* *//p'
}

# A node that comes back must not call itself master again: the Sentinels know who is. Where none answers, as when the
# whole stack starts, the role counts that Redis itself has written into its config at the last failover.
start_redis() {
    master="$(current_master)"
    if [ -n "$master" ]; then
        role="replicaof $master 6379"
    elif [ -e /data/redis.conf ]; then
        role="$(grep '^replicaof ' /data/redis.conf || true)"
    else
        role="replicaof ${NODES%% *} 6379"
    fi
    [ "$role" != "replicaof $SELF 6379" ] || role=""
    { cat "$TOLD/redis.conf" && echo "$role"; } >/data/redis.conf.new
    mv /data/redis.conf.new /data/redis.conf
    exec redis-server /data/redis.conf
}

# Whether a Redis node answers, if only that it wants a password.
answers() {
    timeout 0.5 redis-cli -h "$1" ping >/dev/null 2>&1
}

# A Sentinel counts a master's silence from its own start: while the whole stack starts, it would replace one that is
# about to come. One that does not come is not waited for long.
await() {
    trap 'exit 143' TERM # the first process of a container has no other way to end
    deadline=$(($(date +%s) + PATIENCE))
    until answers "$1" || [ "$(date +%s)" -ge "$deadline" ]; do
        sleep 0.1
    done
}

# A Sentinel remembers who is master and for what it has voted; who else is there it is told by the stack.
start_sentinel() {
    master="${NODES%% *}"
    epochs=""
    if [ -e /data/sentinel.conf ]; then
        last="$(sed -n "s/^sentinel monitor $REGISTRY \([0-9.]*\) .*/\1/p" /data/sentinel.conf)"
        case " $NODES " in *" $last "*) master="$last" ;; esac
        epochs="$(grep -E '^sentinel (current-epoch|config-epoch|leader-epoch) ' /data/sentinel.conf || true)"
    fi
    {
        echo "sentinel monitor $REGISTRY $master 6379 $QUORUM"
        cat "$TOLD/sentinel.conf"
        for node in $NODES; do
            [ "$node" = "$master" ] || echo "sentinel known-replica $REGISTRY $node 6379"
        done
        echo "$epochs"
    } >/data/sentinel.conf.new
    mv /data/sentinel.conf.new /data/sentinel.conf
    await "$master"
    exec redis-server /data/sentinel.conf --sentinel
}

case "${1:-}" in
redis) start_redis ;;
sentinel) start_sentinel ;;
*)
    echo "redis: say redis or sentinel, not '${1:-}'" >&2
    exit 2
    ;;
esac
