#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# hostwork.sh: cut-through does not bypass the host's own processing of frames at a bridge or a
# port: if the host filters, limits or mirrors there, frames go through the bridge, and the agent
# reports the reason.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2; do make_guest $i; done
on_host sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 \
	net.bridge.bridge-nf-call-arptables=0 2>/dev/null
{
	workloads 2
	cat <<-'END'
		default: allow
	END
} >"$lab/policy.yaml"
begin g2 open echo tcp 7000
begin g2 closed echo tcp 7025 # the port to which the host's filters drop frames

forwards() { # HOW [WHY]
	tapwall status --json | jq -es --arg how "$1" --arg why "${2:-}" \
		'any(.[]; .forwarding == $how and ((.bridged // "") | startswith($why)))'
}
port_bridged() { # PORT WHY
	tapwall ports --json | jq -es --arg name "$1" --arg why "$2" \
		'any(.[]; .name == $name and (.bridged // "") == $why)'
}
held() { # WHAT
	check "$1: what the host lets pass passes" becomes connected 1 tcp 10.0.0.12 7000
	check "$1: and what it drops is dropped" becomes timeout 1 tcp 10.0.0.12 7025
}
drop_in_bridge() {
	on_host nft 'table bridge pve { chain forward { type filter hook forward priority 0; tcp dport 7025 drop; }; }'
}

start_agent --policy "$lab/policy.yaml"
within 20 port_is tap2 protected
check "where the host does nothing, frames are cut through" within 20 forwards cut-through
check "and all pass" becomes connected 1 tcp 10.0.0.12 7025

drop_in_bridge
check "a table of family bridge is seen" within 20 forwards vswitch 'table bridge pve'
held "nft bridge"
on_host nft delete table bridge pve
check "when it is gone, frames are cut through again" within 20 forwards cut-through
check "and all pass again" becomes connected 1 tcp 10.0.0.12 7025

if on_host sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null; then
	check "br_netfilter alone does nothing" forwards cut-through
	on_host nft 'table ip docker { chain forward { type filter hook forward priority 0; tcp dport 7025 drop; }; }'
	check "with a table it does" within 20 forwards vswitch 'br_netfilter and table ip docker'
	held br_netfilter
	on_host nft delete table ip docker
	on_host sysctl -qw net.bridge.bridge-nf-call-iptables=0
	within 20 forwards cut-through
fi

tc -n "$ns-host" qdisc add dev tap1 handle ffff: ingress
# A filter without an action, because not every kernel has the actions.
tc -n "$ns-host" filter add dev tap1 parent ffff: protocol ip prio 50 u32 match ip dport 7025 0xffff flowid 1:1
check "a filter of tc at a port is seen" within 20 port_bridged tap1 'a tc filter at its ingress'
check "the other port has none" port_bridged tap2 ''
check "others go on being cut through" forwards cut-through
tc -n "$ns-host" filter del dev tap1 parent ffff:
check "when it is gone, the port is as others" within 20 port_bridged tap1 ''

# A guest's frames are mirrored, as for an intrusion detection system, also those that would be cut
# through.
ip -n "$ns-host" link add mirror0 type veth peer name mirror1
for end in mirror0 mirror1; do ip -n "$ns-host" link set $end up; done
mirrored() {
	on_host cat /sys/class/net/mirror1/statistics/rx_packets
}
if tc -n "$ns-host" filter add dev tap1 parent ffff: protocol all prio 50 u32 match u32 0 0 \
	action mirred egress mirror dev mirror0 2>"$lab/tc.err"; then
	check "a mirror at a port is seen" within 20 port_bridged tap1 'a tc filter at its ingress'
	before=$(mirrored)
	check "what the port sends passes" becomes connected 1 tcp 10.0.0.12 7000
	check "and comes to the mirror" test "$(mirrored)" -gt $((before + 2))
	tc -n "$ns-host" filter del dev tap1 parent ffff:
	within 20 port_bridged tap1 ''
else
	echo "ok $((n_checks += 1)) - a mirror at a port # SKIP this kernel has no act_mirred: $(cat "$lab/tc.err")"
fi

on_host nft 'table netdev limits { chain in { type filter hook ingress device tap1 priority 0; tcp dport 7025 drop; }; }'
check "a chain of family netdev at a port is seen" within 20 port_bridged tap1 'an nftables chain at its ingress'
held "nft netdev"
on_host nft delete table netdev limits
check "and that it is gone" within 20 port_bridged tap1 ''
stop_agent

drop_in_bridge
start_agent --policy "$lab/policy.yaml"
check "what is there before the agent is seen at once" forwards vswitch 'table bridge pve'
within 20 port_is tap2 protected
held "from the start"
stop_agent
start_agent --policy "$lab/policy.yaml" --forwarding 'cut-through!'
within 20 port_is tap2 protected
check "cut-through! insists" within 20 forwards cut-through
check "and passes by the host" within 20 becomes connected 1 tcp 10.0.0.12 7025
stop_agent
release
finish
