#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# neutron.sh: a network of Neutron's Linux bridge agent, with a container that has several addresses, and its hybrid plug,
# where a Linux bridge stands in for br-int. Stations of the two networks have the same address. nic101 and nic102 are the
# networks' interfaces; tests/vm/vlan has tagged ones.
#
#	[ a ]── tapa ──┐
#	[ b ]── vethb ─[ brq101 ]── nic101 ──[ far ]
#	[ c ]── tapc ──[ qbrc ]─ qvbc ══ qvoc ─[ br-int ]── nic102 ──[ far2 ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

paths() {
	cat <<-'END'
		far tcp 10.1.0.11 80 connected
		far tcp fd00:101::11 80 connected
		a tcp 10.1.0.12 5432 connected
		a tcp 10.1.0.22 5432 connected
		b udp 10.1.0.99 53 connected
		far2 tcp 10.1.0.13 80 connected
		c tcp 10.1.0.99 80 connected
		c ping 10.1.0.99 - connected
		far ping fd00:101::12 - connected
		far tcp 10.1.0.12 5432 timeout
		far tcp 10.1.0.22 5432 timeout
		b tcp 10.1.0.11 80 timeout
		far2 tcp 10.1.0.13 23 refused
		a tcp 10.1.0.99 80 timeout
	END
}
uses_second_address() {
	ip netns exec "$ns-b" ip addr show dev eth0 | grep -q 10.1.0.22
}
# The bridge of a hybrid plug has one guest, and frames leave by its veth.
is_at() { # PORT BRIDGE
	tapwall ports --json | jq -es --arg p "$1" --arg b "$2" 'any(.[]; .name == $p and .bridge == $b and .state == "protected")'
}
no_plumbing() { # the agent filters no interface of Neutron's own
	tapwall ports --json | jq -es 'all(.[]; .name | test("^(tap|veth)"))'
}
tries_more() { # MODE
	check "$1: a denied connection has its reason" within 20 has_denied b out policy
	check "$1: the container's second address is its own" uses_second_address
	spoofs "$1" b b 10.1.0.11 10.1.0.99
	spoofs "$1" c c 10.1.0.12 10.1.0.99
	check "$1: the hybrid plug's guest is at its bridge" within 20 is_at tapc qbrc
	check "$1: nothing of Neutron's own is a port" no_plumbing
}

make_host
for name in a b c far far2; do make_namespace $name; done
make_bridge brq101 mcast_snooping 0
make_bridge br-int mcast_snooping 0
make_bridge qbrc mcast_snooping 0
must ip -n "$ns-host" link add qvoc type veth peer name qvbc
must ip -n "$ns-host" link set qvoc master br-int up
must ip -n "$ns-host" link set qvbc master qbrc up
join a tapa 52:54:00:00:00:01 10.1.0.11/24 fd00:101::11/64
join b vethb 52:54:00:00:00:02 10.1.0.12/24 10.1.0.22/24 fd00:101::12/64
join c tapc 52:54:00:00:00:03 10.1.0.13/24
join far nic101 52:54:00:00:00:04 10.1.0.99/24 fd00:101::99/64
join far2 nic102 52:54:00:00:00:05 10.1.0.99/24
for port in tapa vethb nic101; do must ip -n "$ns-host" link set $port master brq101; done
must ip -n "$ns-host" link set tapc master qbrc
must ip -n "$ns-host" link set nic102 master br-int
serve a tcp 80
serve b tcp 5432
serve c tcp 80 23
serve far tcp 80
serve far udp 53
serve far2 tcp 80
try_layout "VLAN networks, and the hybrid plug" 'tap*,veth*' 'tapa vethb tapc'
finish
