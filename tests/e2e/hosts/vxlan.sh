#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# vxlan.sh: a bridge whose uplink is a VXLAN tunnel to another host, as Neutron's and Proxmox's SDN set it up. Guests of the
# other host are named in the policy by their addresses. They have their own rights, and never those of a local guest.
#
#	[ a ]── tap1 ─┐                                                                       ┌─ eth0 ──[ far ]
#	[ b ]── tap2 ─[ br100 ]─ vxlan100 ─ host, eth0 192.0.2.1 ══ 192.0.2.2 other ─ vxlan100 ─[ br100 ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

paths() {
	cat <<-'END'
		far tcp 10.100.0.11 80 connected
		far tcp fd00:100::11 80 connected
		a tcp 10.100.0.13 5432 connected
		b udp fd00:100::13 53 connected
		b tcp 10.100.0.11 80 connected
		far ping 10.100.0.12 - connected
		a ping fd00:100::13 - connected
		far tcp 10.100.0.12 80 timeout
		b tcp 10.100.0.13 5432 timeout
		a udp 10.100.0.13 53 timeout
		far tcp fd00:100::12 80 timeout
		b tcp 10.100.0.13 23 refused
		far tcp 10.100.0.12 23 refused
	END
}

has_foreign() {
	tapwall log --all --json | jq -es \
		'any(.[]; .reason == "foreign-source" and .entered_by == "vxlan100" and .direction == "in")'
}
large_passes() { # more than one frame of the tunnel's MTU
	ip netns exec "$ns-a" ping -nq -c 1 -W 2 -s 3000 10.100.0.13
}

tries_more() { # MODE
	check "$1: what is beyond the tunnel and denied has its reason" within 20 has_denied b in policy
	check "$1: fragments pass the tunnel" within 20 large_passes
	spoofs "$1" b b 10.100.0.11 10.100.0.13
	# The far station takes the address of b, to which a's rule would apply.
	must ip -n "$ns-far" addr add 10.100.0.12/32 dev eth0
	must ip -n "$ns-far" route replace 10.100.0.11/32 dev eth0 src 10.100.0.12
	must ip -n "$ns-far" neigh replace 10.100.0.11 lladdr 52:54:00:00:00:01 dev eth0
	equal "$1: a local guest's address is worth nothing beyond the tunnel" timeout "$(try_in_vain far tcp 10.100.0.11 7000)"
	check "$1: and the log names the tunnel" within 20 has_foreign
	must ip -n "$ns-far" route del 10.100.0.11/32 dev eth0
	must ip -n "$ns-far" addr del 10.100.0.12/32 dev eth0
	must ip -n "$ns-far" neigh del 10.100.0.11 dev eth0
}

make_host
for name in other a b far; do make_namespace $name; done
join other eth0 52:54:00:00:09:09 192.0.2.2/24
host_address eth0 192.0.2.1/24
make_bridge br100 mcast_snooping 0
must ip -n "$ns-host" link add vxlan100 type vxlan id 100 dstport 4789 local 192.0.2.1 remote 192.0.2.2
must ip -n "$ns-host" link set vxlan100 master br100 up
must ip -n "$ns-other" link add br100 type bridge mcast_snooping 0
must ip -n "$ns-other" link add vxlan100 type vxlan id 100 dstport 4789 local 192.0.2.2 remote 192.0.2.1
must ip -n "$ns-other" link set br100 up
must ip -n "$ns-other" link set vxlan100 master br100 up
join a tap1 52:54:00:00:00:01 10.100.0.11/24 fd00:100::11/64
join b tap2 52:54:00:00:00:02 10.100.0.12/24 fd00:100::12/64
for port in tap1 tap2; do must ip -n "$ns-host" link set $port master br100; done
# The far guest is plugged into the other host.
must ip -n "$ns-other" link add tap3 type veth peer name eth0 address 52:54:00:00:00:03 netns "$ns-far"
must ip -n "$ns-other" link set tap3 master br100 up
must ip netns exec "$ns-far" sysctl -qw net.ipv6.conf.eth0.dad_transmits=0 net.ipv6.conf.eth0.router_solicitations=0
ask_longer far eth0
must ip -n "$ns-far" link set eth0 up
must ip -n "$ns-far" addr add 10.100.0.13/24 dev eth0
must ip -n "$ns-far" addr add fd00:100::13/64 dev eth0 nodad
# The MTU that Neutron announces by DHCP.
for name in a b far; do must ip -n "$ns-$name" link set eth0 mtu 1450; done
serve a tcp 80 7000
serve b tcp 80 23
serve far tcp 5432 23
serve far udp 53
try_layout "VXLAN, and Neutron's bridges" 'tap*' 'tap1 tap2'
finish
