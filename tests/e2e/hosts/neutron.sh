#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# neutron.sh: networks of Neutron's Linux bridge agent: VLAN 101 with a container that has several addresses, and VXLAN 300;
# and its hybrid plug into VLAN 102, where a Linux bridge stands in for br-int. Stations of the two VLANs have the same address.
# Limits are set as Neutron's QoS sets them. If the kernel has no VLAN interfaces, NICs of their own stand in for them.
#
#	[ a ]── tapa ──┐
#	[ b ]── vethb ─[ brq101 ]──────── nic0.101 ─┐            ┌ 101 ─[ far ]
#	[ c ]── tapc ──[ qbrc ]─[ br-int ]─ nic0.102 ─ nic0 ══ fabric ─ 102 ─[ far2 ]
#	[ d ]── tapd ──[ brq300 ]─ vxlan-300 ─ host ─┘            └ VXLAN 300 ─[ far3 ]
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
		far3 tcp 10.3.0.14 80 connected
		d tcp fd00:103::99 80 connected
		far tcp 10.1.0.12 5432 timeout
		far tcp 10.1.0.22 5432 timeout
		b tcp 10.1.0.11 80 timeout
		far2 tcp 10.1.0.13 23 refused
		a tcp 10.1.0.99 80 timeout
		far3 tcp 10.3.0.14 22 timeout
		far3 tcp 10.3.0.14 23 refused
		d udp 10.3.0.99 53 timeout
	END
}
uses_second_address() {
	ip netns exec "$ns-b" ip addr show dev eth0 | grep -q 10.1.0.22
}
no_plumbing() { # the agent filters no interface of Neutron's own
	tapwall ports --json | jq -es 'all(.[]; .name | test("^(tap|veth)"))'
}
# Neutron limits what a guest receives by a token bucket.
bucket() { # PORT
	on_host tc qdisc replace dev "$1" root tbf rate 1gbit burst 1mb latency 50ms
}
attached_by_tcx() {
	tapwall status --json | jq -es 'any(.[]; .attach == "tcx")' >/dev/null
}
# A token bucket takes no filters. Without tcx hooks, the programs then need a clsact, which excludes the policer's qdisc.
both_limits() { # MODE
	if attached_by_tcx; then
		check "$1: what it sends is limited, too" within 30 police tapd
	else
		equal "$1: a second limit is refused" refused "$(police tapd 2>/dev/null || echo refused)"
	fi
	check "$1: the guest still reaches its network" within 20 gets connected d tcp 10.3.0.99 80
}
limits() { # MODE
	check "$1: both limits are set" within 30 police tapd
	if attached_by_tcx; then
		check "$1: and the guest reaches its network" within 20 gets connected d tcp 10.3.0.99 80
	else
		check "$1: and the port is shut" within 20 port_is tapd shut
		check "$1: and status says so" eval "tapwall status | grep tapd"
	fi
}
limits() { # MODE
	check "$1: what a guest with a limit sends is limited as before" is_policed tapa
	check "$1: what a guest receives is limited" within 30 bucket tapd
	check "$1: its port is protected" within 20 placed tapd brq300
	check "$1: and it reaches its network" within 20 gets connected d tcp 10.3.0.99 80
	check "$1: and a denied service stays denied" gets timeout far3 tcp 10.3.0.14 22
	both_limits "$1"
	no_rate_limit tapd
	check "$1: without limits the port is protected" within 20 placed tapd brq300
}
tries_more() { # MODE
	check "$1: a denied connection has its reason" within 20 has_denied b out policy
	check "$1: the container's second address is its own" uses_second_address
	spoofs "$1" b b 10.1.0.11 10.1.0.99
	spoofs "$1" c c 10.1.0.12 10.1.0.99
	spoofs "$1" d d 10.3.0.15 10.3.0.99
	# The bridge of a hybrid plug has one guest, and frames leave by its veth.
	check "$1: the hybrid plug's guest is at its bridge" within 20 placed tapc qbrc
	check "$1: nothing of Neutron's own is a port" no_plumbing
	check "$1: a connection from before tapwall continues" stream_goes_on
	[ -z "$limited" ] || limits "$1"
}

# Gives a network behind the NIC its interface at the host, and its station.
vlan_network() { # STATION VID BRIDGE MAC ADDRESS/LENGTH…
	station=$1
	vid=$2
	bridge=$3
	mac=$4
	shift 4
	if [ -n "$vlans" ]; then
		vlan_interface host nic0 "nic0.$vid" "$vid" host
		vlan_interface fabric eth0 eth0 "$vid" "$station"
		must ip -n "$ns-$station" link set eth0 address "$mac"
	else
		join "$station" "nic0.$vid" "$mac"
	fi
	must ip -n "$ns-host" link set "nic0.$vid" master "$bridge"
	addresses "$station" eth0 "$@"
}
# The station is behind the tunnel's other end.
vxlan_network() {
	must ip -n "$ns-fabric" addr add 192.0.2.2/24 dev eth0
	host_address nic0 192.0.2.1/24
	must ip -n "$ns-host" link add vxlan-300 type vxlan id 300 dstport 4789 local 192.0.2.1 remote 192.0.2.2
	must ip -n "$ns-host" link set vxlan-300 master brq300 up
	must ip -n "$ns-fabric" link add vxlan300 type vxlan id 300 dstport 4789 local 192.0.2.2 remote 192.0.2.1
	must ip -n "$ns-fabric" link set vxlan300 netns "$ns-far3" name eth0
	ask_longer far3 eth0
	must ip -n "$ns-far3" link set eth0 up
	addresses far3 eth0 10.3.0.99/24 fd00:103::99/64
}

make_host
vlans=
! has_vlans || vlans=yes
for name in a b c d fabric far far2 far3; do make_namespace $name; done
for bridge in brq101 brq300 br-int qbrc; do make_bridge $bridge mcast_snooping 0; done
must ip -n "$ns-host" link add qvoc type veth peer name qvbc
must ip -n "$ns-host" link set qvoc master br-int up
must ip -n "$ns-host" link set qvbc master qbrc up
join fabric nic0 52:54:00:00:09:09
join a tapa 52:54:00:00:00:01 10.1.0.11/24 fd00:101::11/64
join b vethb 52:54:00:00:00:02 10.1.0.12/24 10.1.0.22/24 fd00:101::12/64
join c tapc 52:54:00:00:00:03 10.1.0.13/24
join d tapd 52:54:00:00:00:06 10.3.0.14/24 fd00:103::14/64
must ip -n "$ns-d" link set eth0 mtu 1450
vlan_network far 101 brq101 52:54:00:00:00:04 10.1.0.99/24 fd00:101::99/64
vlan_network far2 102 br-int 52:54:00:00:00:05 10.1.0.99/24
vxlan_network
for port in tapa vethb; do must ip -n "$ns-host" link set $port master brq101; done
must ip -n "$ns-host" link set tapc master qbrc
must ip -n "$ns-host" link set tapd master brq300
limited=
! police tapa 2>/dev/null || limited=yes
serve a tcp 80
serve b tcp 5432
serve c tcp 80 23
serve d tcp 80 22 23
serve far tcp 80
serve far udp 53
serve far2 tcp 80
serve far3 tcp 80
serve far3 udp 53
begin far stream stream "$lab/stream" tcp 10.1.0.11 80 "$pace"
try_layout "VLAN networks, and the hybrid plug" 'tap*,veth*' 'tapa vethb tapc tapd'
check "the connection from before continues without tapwall" stream_goes_on
finish
