#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# link-local.sh: a link-local address belongs to the guest that uses it first, and a reserved one to
# no guest, with real network stacks in guests and in a router beyond the uplink.
#
#	[ guest 1, 2 ]──[ tap1, tap2 ]─[ br0 ]─[ up0 ]──[ eth0 ] router: fe80::1
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
guests="$guests router"
ip netns add "$ns-router"
ip -n "$ns-router" link set lo up
ip -n "$ns-host" link add up0 type veth peer name eth0 address 52:54:00:00:09:09 netns "$ns-router"
ask_longer router eth0
ip -n "$ns-router" addr add fe80::1/64 dev eth0 nodad
ip -n "$ns-router" link set eth0 up
ip -n "$ns-host" link set up0 master br0 up
{
	workloads 2
	cat <<-'END'
		options: {reserved: ["fe80::1"]}
		default: allow
	END
} >"$lab/policy.yaml"

# calls itself N ADDRESS: gives a guest this link-local address, and no other.
calls_itself() {
	ip -n "$ns-g$1" addr flush dev eth0 scope link
	ip -n "$ns-g$1" addr add "$2/64" dev eth0 nodad
}
# reaches NAMESPACE ADDRESS: true if TCP from its link-local address connects.
reaches() {
	ip netns exec "$ns-$1" ip neigh flush dev eth0
	[ "$(ip netns exec "$ns-$1" "$traffic" connect tcp "$2%eth0" 7000 | cut -d ' ' -f 1)" = connected ]
}
fails() {
	! "$@"
}
denied() { # REASON
	tapwall counters --json | jq -s --arg reason "$1" '[.[] | select(.reason == $reason)][0].out // 0'
}

start_agent --policy "$lab/policy.yaml"
check "both guests are protected" within 20 port_is tap2 protected
for name in g1 g2 router; do begin $name "echo-$name" echo tcp 7000; done
calls_itself 1 fe80::aaaa
calls_itself 2 fe80::bbbb
check "a guest's address that is free is its own" within 20 reaches g1 fe80::bbbb
check "as is the other's" within 20 reaches g2 fe80::aaaa
check "the router has its own" within 20 reaches router fe80::aaaa

before=$(denied spoofed-nd)
calls_itself 2 fe80::aaaa
check "another guest does not get it" fails reaches g2 fe80::1
check "and is told of, as what it is" test "$(denied spoofed-nd)" -gt "$before"
check "its owner keeps it" reaches router fe80::aaaa
calls_itself 2 fe80::1
check "a reserved one is no guest's" fails reaches g2 fe80::aaaa
check "but who it is reserved for has it" within 20 reaches g1 fe80::1
calls_itself 2 fe80::5054:ff:fe00:1
check "nor does a guest get one that is made of another's MAC" fails reaches g2 fe80::1
calls_itself 2 fe80::bbbb
check "its own is its own still" within 20 reaches g2 fe80::aaaa
finish
