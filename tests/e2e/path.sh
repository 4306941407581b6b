#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# path.sh: the ICMP errors of routers on the path reach a guest: traceroute shows every hop, and
# path MTU discovery finds a link with a small MTU that neither end knows.
#
#	guest 1 ─ tap1 ─[ br0 ]─ up0 ── eth0 [ g8: router ] far ──1400── eth0 [ g9: server ]
#
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
pieces=$TW_BUILD/tests/e2e/pieces

make_host
make_guest 1
for i in 8 9; do
	guests="$guests g$i"
	ip netns add "$ns-g$i"
	ip -n "$ns-g$i" link set lo up
	in_guest $i sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.accept_dad=0 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
done
ip -n "$ns-host" link add up0 type veth peer name eth0 netns "$ns-g8"
ip -n "$ns-host" link set up0 master br0 up
ip -n "$ns-g8" link add far type veth peer name eth0 netns "$ns-g9"
ask_longer g8 eth0
ask_longer g8 far
ask_longer g9 eth0
ip -n "$ns-g8" link set far mtu 1400 up
ip -n "$ns-g8" link set eth0 up
ip -n "$ns-g9" link set eth0 mtu 1400 up
ip -n "$ns-g8" addr add 10.0.0.254/24 dev eth0
ip -n "$ns-g8" addr add fd00::fe/64 dev eth0 nodad
ip -n "$ns-g8" addr add 10.9.0.1/24 dev far
ip -n "$ns-g8" addr add fd09::1/64 dev far nodad
ip -n "$ns-g9" addr add 10.9.0.2/24 dev eth0
ip -n "$ns-g9" addr add fd09::2/64 dev eth0 nodad
# The server announces a segment size that is too large for its link; only the router knows that
# link's MTU.
ip -n "$ns-g9" route add default via 10.9.0.1 advmss 1460
ip -n "$ns-g9" -6 route add default via fd09::1 advmss 1440
ip -n "$ns-g1" route add default via 10.0.0.254
ip -n "$ns-g1" -6 route add default via fd00::fe
{
	workloads 1
	cat <<-'END'
		rules:
		  - {name: out, from: w1, to: any, action: allow}
	END
} >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"

hop() { # PROTO HOST TTL → who complained
	in_guest 1 "$pieces" hop "$1" "$2" 33434 "$3"
}
found_mtu() { # ADDRESS
	ip -n "$ns-g1" route get "$1" | grep -q "mtu 1400"
}

within 20 in_guest 1 "$pieces" hop udp 10.0.0.254 33434 1
within 20 in_guest 1 "$pieces" hop udp fd00::fe 33434 1
equal "one hop away is the router" 10.0.0.254 "$(hop udp 10.9.0.2 1)"
equal "two hops away the server, where nobody listens" 10.9.0.2 "$(hop udp 10.9.0.2 2)"
equal "over IPv6 the router" fd00::fe "$(hop udp fd09::2 1)"
equal "over IPv6 the server" fd09::2 "$(hop udp fd09::2 2)"
equal "by TCP the router" 10.0.0.254 "$(hop tcp 10.9.0.2 1)"
equal "by TCP over IPv6 the router" fd00::fe "$(hop tcp fd09::2 1)"

begin g9 sink sink 7001
check "the narrow link is not known yet" sh -c "! ip -n '$ns-g1' route get 10.9.0.2 | grep -q mtu"
check "a stream comes through it" in_guest 1 "$traffic" bulk 10.9.0.2 7001 4
check "as the guest was told of it" found_mtu 10.9.0.2
check "a stream over IPv6 too" in_guest 1 "$traffic" bulk fd09::2 7001 4
check "as the guest was told of it" found_mtu fd09::2
finish
