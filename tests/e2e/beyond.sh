#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# beyond.sh: a frame from an uplink, or from a port of no workload, does not get the rights of a
# guest of this host by using its address or MAC, and no bridge learns the guest there. A guest that
# has not arrived, or has left, is not a guest of this host.
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
ask_longer beyond eth0
ip -n "$ns-beyond" link set eth0 up
ip -n "$ns-host" link set up0 master br0 up
{
	workloads 4 # the last one is not on this host
	cat <<-'END'
		rules:
		  - {name: local, from: [w2, w3, w4], to: w1, service: [tcp/7000, udp/7001], action: allow}
		  - {name: beyond, from: [10.0.0.99, 10.0.0.19], to: w1, service: tcp/7000, action: allow}
	END
} >"$lab/policy.yaml"

# become NAMESPACE ADDRESS MAC: gives the namespace this address and MAC, and no other.
become() {
	ip -n "$ns-$1" link set eth0 address "$3"
	ip -n "$ns-$1" addr flush dev eth0
	ip -n "$ns-$1" addr add "$2/24" dev eth0
	ip -n "$ns-$1" neigh replace 10.0.0.11 lladdr 52:54:00:00:00:01 dev eth0
}
tries() { # NAMESPACE: prints the result of a connection to guest 1
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
told() { # INTERFACE MAC: true if the log names the sender
	tapwall log --json | jq -es --arg by "$1" --arg mac "$2" \
		'any(.[]; .reason == "foreign-source" and .entered_by == $by and .src_mac == $mac)' &&
		tapwall log | grep -q "foreign-source, by $1 from $2"
}
guest_2_speaks() {
	[ "$(attempt 2 tcp 10.0.0.11 7000)" = connected ]
}
# Sends frames with the guest's MAC from outside, untagged and tagged.
forge_frames() {
	become beyond 10.0.0.99 52:54:00:00:00:02
	tries beyond >"$lab/tries"
	frames=$(frames_in)
	begin beyond forged flood eth0 7 7 52:54:00:00:00:02
	within 20 frames_came "$frames"
	end "$child"
}
frames_in() {
	on_host cat /sys/class/net/up0/statistics/rx_packets
}
frames_came() { # SINCE: true if over 100 more frames came; a few may be unrelated ones
	[ "$(frames_in)" -gt "$(($1 + 100))" ]
}
# Prints the deny events counted by the rate limiters: "at shut ports, at uplinks".
limiters_used() {
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/limiters" |
		jq -c '[.[].formatted | select(.key == 0 or .key == 4096).value.event_seen > 0]'
}
test_beyond() { # MODE OPTIONS…
	mode=$1
	shift
	start_agent --policy "$lab/policy.yaml" "$@"
	check "$mode: both guests are protected" within 20 port_is tap2 protected
	check "$mode: a guest has its rights" within 20 guest_2_speaks
	become beyond 10.0.0.99 52:54:00:00:09:09
	equal "$mode: what is beyond has its own" connected "$(tries beyond)"
	become beyond 10.0.0.12 52:54:00:00:09:09
	check "$mode: and not a guest's, with the guest's address" is_denied beyond
	check "$mode: the log says where it came from" within 20 told up0 52:54:00:00:09:09
	become g9 10.0.0.12 52:54:00:00:00:09
	check "$mode: nor does a port of no workload" is_denied g9
	check "$mode: which the log says" within 20 told tap9 52:54:00:00:00:09
	become beyond 10.0.0.14 52:54:00:00:09:09
	equal "$mode: a workload of another host is believed there" connected "$(tries beyond)"
	become g9 10.0.0.14 52:54:00:00:00:09
	check "$mode: not at a port of no workload" is_denied g9
	become g9 10.0.0.19 52:54:00:00:00:09
	equal "$mode: which has what any address has" connected "$(tries g9)"
	become beyond 10.0.0.99 52:54:00:00:00:02
	check "$mode: nor with the guest's MAC" is_denied beyond
	check "$mode: which the log says, too" within 20 told up0 52:54:00:00:00:02
	forge_frames
	check "$mode: the bridge has not learned that the guest is there" seen_behind 52:54:00:00:00:02 tap2
	check "$mode: the guest has its rights still" within 20 guest_2_speaks
	equal "$mode: what is told of the uplink takes no tokens from shut ports" '[false,true]' \
		"$(limiters_used)"
}

begin g1 echo echo tcp 7000
test_beyond cut-through
stop_agent
test_beyond vswitch --forwarding vswitch
stop_agent
release
test_beyond clsact --force-clsact
tc -n "$ns-host" qdisc del dev up0 ingress
check "clsact: a program that another tool removes is put back" within 20 \
	sh -c "tc -n '$ns-host' filter show dev up0 ingress | grep -q tw_from_uplink"
stop_agent
release
equal "clsact: nothing is left of it" '' "$(tc -n "$ns-host" qdisc show dev up0 ingress)"

# A guest that migrates to this host: its tap exists here, while it still runs on its old host,
# beyond the uplink.
start_agent --policy "$lab/policy.yaml"
within 20 port_is tap2 protected
become beyond 10.0.0.13 52:54:00:00:00:03
equal "a guest that is elsewhere is believed there" connected "$(tries beyond)"
guests="$guests g3"
ip netns add "$ns-g3"
ip -n "$ns-host" link add tap3 type veth peer name eth0 netns "$ns-g3"
ask_longer g3 eth0
in_guest 3 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
ip -n "$ns-g3" link set eth0 address 52:54:00:00:00:03 up
ip -n "$ns-host" link set tap3 master br0 up
check "its new tap is protected" within 20 port_is tap3 protected
check "its bridge is asked where it is" within 20 grep -q 'tap3: its MAC is seen behind another port' "$lab/agent.log"
equal "until it speaks there, it is believed beyond" connected "$(tries beyond)"
check "and its bridge knows so" seen_behind 52:54:00:00:00:03 up0
become g3 10.0.0.13 52:54:00:00:00:03
equal "it speaks here" connected "$(tries g3)"
become beyond 10.0.0.13 52:54:00:00:00:03
check "and from beyond, no frame can be its any more" within 20 is_denied beyond
check "as its bridge knows" seen_behind 52:54:00:00:00:03 tap3

# A guest that leaves while no agent runs.
stop_agent KILL
become beyond 10.0.0.12 52:54:00:00:09:09
equal "with the agent dead, guests are held to be here" timeout "$(tries beyond)"
become beyond 10.0.0.12 52:54:00:00:00:02
equal "by their MACs, too" timeout "$(tries beyond)"
ip -n "$ns-host" link del tap2
equal "but one whose device is gone has left" connected "$(tries beyond)"
plug 2 br0
start_agent --policy "$lab/policy.yaml" --hairpin
check "it is back" within 20 port_is tap2 protected
check "and speaks" within 20 guest_2_speaks
become beyond 10.0.0.12 52:54:00:00:09:09
ip -n "$ns-g1" neigh replace 10.0.0.12 lladdr 52:54:00:00:09:09 dev eth0
equal "where a router there sends guests' packets back, the address counts" connected "$(tries beyond)"
become beyond 10.0.0.99 52:54:00:00:00:02
check "the MAC does not" is_denied beyond
become g9 10.0.0.14 52:54:00:00:00:09
ip -n "$ns-g1" neigh replace 10.0.0.14 lladdr 52:54:00:00:00:09 dev eth0
equal "a workload's address at a port of no workload, which may be a router's, does" connected "$(tries g9)"
finish
