#!/bin/sh
# Starts a node's engine. What it is to be is in /etc/stackctl: daemon.json, certificates and, while it is cut off, `cut`.

set -eu

# Under cgroup v2 a group that has processes can't give controllers to its children: the processes move into a leaf.
groups=/sys/fs/cgroup
if [ -f "$groups/cgroup.controllers" ]; then
    mkdir -p "$groups/init"
    while read -r process; do
        echo "$process" >"$groups/init/cgroup.procs" || true # it may have ended meanwhile
    done <"$groups/cgroup.procs"
    sed 's/^/+/; s/ / +/g' "$groups/cgroup.controllers" >"$groups/cgroup.subtree_control"
fi

# A machine that was cut off when it died is cut off when it comes back.
if [ -f /etc/stackctl/cut ]; then
    sh /opt/stackctl/cut.sh "$(cat /etc/stackctl/cut)"
fi

exec dockerd --config-file=/etc/stackctl/daemon.json
