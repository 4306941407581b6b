#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# beyond.sh: what comes from an uplink, or from a port of no workload, gets no rights of a guest of this
# host by the guest's address or MAC.
#
#	[ guest 1, 2 ]──[ tap1, tap2 ]─[ br0 ]─[ up0 ]──[ eth0 ] beyond: 10.0.0.99
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
make_guest 9
guests="$guests beyond"
ip netns add "$ns-beyond"
ip -n "$ns-beyond" link set lo up
ip -n "$ns-host" link add up0 type veth peer name eth0 address 52:54:00:00:09:09 netns "$ns-beyond"
ip -n "$ns-beyond" link set eth0 up
ip -n "$ns-host" link set up0 master br0 up
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: local, from: w2, to: w1, service: [tcp/7000, udp/7001], action: allow}
		  - {name: beyond, from: 10.0.0.99, to: w1, service: tcp/7000, action: allow}
	END
} >"$lab/policy.yaml"

# become NAMESPACE ADDRESS MAC: the only guest there is now at this address.
become() {
	ip -n "$ns-$1" link set eth0 address "$3"
	ip -n "$ns-$1" addr flush dev eth0
	ip -n "$ns-$1" addr add "$2/24" dev eth0
	ip -n "$ns-$1" neigh replace 10.0.0.11 lladdr 52:54:00:00:00:01 dev eth0
}
tries() { # NAMESPACE: what comes of a connection to guest 1
	ip netns exec "$ns-$1" "$traffic" connect tcp 10.0.0.11 7000 | cut -d ' ' -f 1
}
foreign() {
	tapwall counters --json | jq -s '[.[] | select(.reason == "foreign-source")][0].in // 0'
}
is_denied() { # NAMESPACE
	before=$(foreign)
	[ "$(tries "$1")" != connected ] && [ "$(foreign)" -gt "$before" ]
}
seen_behind() { # MAC PORT
	ip netns exec "$ns-host" bridge fdb show br br0 | grep -i "^$1 dev $2 "
}
guest_2_speaks() {
	[ "$(attempt 2 tcp 10.0.0.11 7000)" = connected ]
}
test_beyond() { # FORWARDING
	start_agent --policy "$lab/policy.yaml" --forwarding "$1"
	check "$1: both guests are protected" within 20 port_is tap2 protected
	check "$1: a guest has its rights" within 20 guest_2_speaks
	become beyond 10.0.0.99 52:54:00:00:09:09
	equal "$1: what is beyond has its own" connected "$(tries beyond)"
	become beyond 10.0.0.12 52:54:00:00:09:09
	check "$1: and not a guest's, with the guest's address" is_denied beyond
	become g9 10.0.0.12 52:54:00:00:00:09
	check "$1: nor does a port of no workload" is_denied g9
	become beyond 10.0.0.99 52:54:00:00:00:02
	check "$1: nor with the guest's MAC" is_denied beyond
	check "$1: the guest has its rights still" within 20 guest_2_speaks
}

begin g1 echo echo tcp 7000
for forwarding in cut-through vswitch; do
	test_beyond $forwarding
	[ $forwarding = vswitch ] ||
		check "the bridge has not learned that the guest is there" seen_behind 52:54:00:00:00:02 tap2
	stop_agent
done
become beyond 10.0.0.12 52:54:00:00:09:09
check "with the agent dead, it is as before" sh -c "[ '$(tries beyond)' != connected ]"
ip -n "$ns-g1" neigh replace 10.0.0.12 lladdr 52:54:00:00:09:09 dev eth0
start_agent --policy "$lab/policy.yaml" --hairpin
equal "where a router there sends guests' packets back, the address counts" connected "$(tries beyond)"
become beyond 10.0.0.99 52:54:00:00:00:02
check "the MAC does not" is_denied beyond
finish
