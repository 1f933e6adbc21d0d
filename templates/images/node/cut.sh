#!/bin/sh
# Cuts the node off from everything on its network, or brings it back: cut.sh most|all|none.
#
# most: this machine still reaches the engine's port, as over a management network.  all: not even that.
# Needs NODE_ADDRESS and NODE_GATEWAY (this machine, as the node sees it).

set -eu

mode="$1"
state=/etc/stackctl/cut

tables() { iptables --wait --table mangle "$@"; }

# What came before goes first, so that it makes no difference how often this runs.
for hook in PREROUTING POSTROUTING; do
    tables --delete "$hook" --jump "CUT-$hook" 2>/dev/null || true
    tables --flush "CUT-$hook" 2>/dev/null || true
    tables --delete-chain "CUT-$hook" 2>/dev/null || true
done
arptables-nft --flush

if [ "$mode" = none ]; then
    rm -f "$state"
    exit
fi
echo "$mode" >"$state"

# In mangle, before and after all routing: packets of the node itself and of its containers alike.
for hook in PREROUTING POSTROUTING; do
    tables --new-chain "CUT-$hook"
done
if [ "$mode" = most ]; then
    tables --append CUT-PREROUTING --source "$NODE_GATEWAY" --protocol tcp --dport 2376 --jump RETURN
    tables --append CUT-POSTROUTING --destination "$NODE_GATEWAY" --protocol tcp --sport 2376 --jump RETURN
fi
tables --append CUT-PREROUTING --in-interface eth0 --jump DROP
tables --append CUT-POSTROUTING --out-interface eth0 --jump DROP
tables --append PREROUTING --jump CUT-PREROUTING
tables --append POSTROUTING --jump CUT-POSTROUTING

# A shared address must not be answered for, or announced, from behind the cut.
arptables-nft --append INPUT --destination-ip ! "$NODE_ADDRESS" --jump DROP
arptables-nft --append OUTPUT --source-ip ! "$NODE_ADDRESS" --jump DROP
