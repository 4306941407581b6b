#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# firecracker.sh: routed taps, as the documentation of Firecracker sets them up: no bridge, a network of four addresses for
# each guest, the host as its router, and masquerading. The third guest is named without a MAC.
#
#	[ a 172.16.0.2 ]─── tap0 172.16.0.1 ─┐
#	[ b 172.16.0.6 ]─── tap1 172.16.0.5 ─┼─ host, routing ─ NAT ─ eth0 203.0.113.1 ──[ world 203.0.113.2 ]
#	[ c 172.16.0.10 ]── tap2 172.16.0.9 ─┘
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

paths() {
	cat <<-'END'
		a tcp 203.0.113.2 80 connected
		b udp 203.0.113.2 123 connected
		world tcp 203.0.113.1 8022 connected
		a tcp 172.16.0.6 5432 connected
		a tcp fd00:16:1::2 5432 connected
		c tcp 172.16.0.2 80 connected
		host tcp 172.16.0.6 22 connected
		host tcp fd00:16:1::2 22 connected
		b ping 172.16.0.5 - connected
		b ping fd00:16:0::2 - connected
		world ping 172.16.0.10 - connected
		a tcp 172.16.0.1 22 refused
		b tcp 203.0.113.1 22 refused
		c tcp 172.16.0.6 5432 timeout
		b tcp 172.16.0.2 80 timeout
		a tcp 203.0.113.2 25 timeout
		b tcp fd00:16:0::2 80 timeout
		host tcp 172.16.0.10 22 timeout
	END
}

tries_more() { # MODE
	check "$1: a denied connection has its reason where it begins" within 20 has_denied a out policy
	check "$1: and where it ends" within 20 has_denied c in policy
	spoofs "$1" a a 172.16.0.10 172.16.0.6 172.16.0.1
	spoofs "$1" c c 172.16.0.2 172.16.0.6 172.16.0.9
}

# Adds a guest behind a routed tap.
routed() { # NAME PORT MAC BASE IPV6-PREFIX
	make_namespace "$1"
	join "$1" "$2" "$3" "172.16.0.$(($4 + 2))/30" "$5::2/64"
	host_address "$2" "172.16.0.$(($4 + 1))/30" "$5::1/64"
	must on_host sysctl -qw "net.ipv6.conf.$2.forwarding=1"
	must ip -n "$ns-$1" route add default via "172.16.0.$(($4 + 1))"
	must ip -n "$ns-$1" route add default via "$5::1"
}

make_host
make_router
must on_host sysctl -qw net.ipv6.conf.all.forwarding=1
routed a tap0 52:54:00:00:00:01 0 fd00:16:0
routed b tap1 52:54:00:00:00:02 4 fd00:16:1
routed c tap2 52:54:00:00:00:03 8 fd00:16:2
make_namespace world
join world eth0 52:54:00:00:09:09 203.0.113.2/24
must ip -n "$ns-host" addr add 203.0.113.1/24 dev eth0
must ip -n "$ns-world" route add 172.16.0.0/16 via 203.0.113.1
must on_host nft -f - <<'END'
table ip firecracker {
	chain postrouting {
		type nat hook postrouting priority srcnat
		ip saddr 172.16.0.0/16 oifname "eth0" masquerade
	}
	chain prerouting {
		type nat hook prerouting priority dstnat
		iifname "eth0" tcp dport 8022 dnat to 172.16.0.6:22
	}
}
END
serve a tcp 80
serve b tcp 22 5432
serve c tcp 22
serve world tcp 80 25
serve world udp 123
serve host tcp 22
try_layout Firecracker 'tap*' 'tap0 tap1 tap2'

# The tap of a guest that the policy names is made again while no agent runs.
start_agent --ports 'tap*' --policy "$lab/policy.yaml"
stop_agent
must ip -n "$ns-host" link del tap2
routed_again() {
	join c tap2 52:54:00:00:00:03 172.16.0.10/30
	host_address tap2 172.16.0.9/30
	must ip -n "$ns-c" route add default via 172.16.0.9
}
routed_again
equal "a tap that is made without an agent is shut" timeout "$(try_in_vain c tcp 172.16.0.2 80)"
start_agent --ports 'tap*' --policy "$lab/policy.yaml"
check "the next agent protects it" within 20 port_is tap2 protected
check "and what is allowed passes" within 20 gets connected c tcp 172.16.0.2 80
finish
