#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# birth.sh: a port of any kind is shut from its creation, and a device that reuses the number and
# name of a live one counts as new. The agent is stopped or dead, so only the latch acts.
#
#	[ eth0 ]──veth──[ tap4 ] 172.16.4.1, routed        [ eth0 ]──veth──[ tap1 ]─[ br0 ]─[ tap2 ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 4
	echo 'rules: [{name: all, from: any, to: any, action: allow}]'
} | sed 's/10.0.0.14.*]/172.16.4.2]/' >"$lab/policy.yaml"
# Counts the packets that pass the latch, whose hooks run first.
on_host nft -f - <<-'END'
	table inet watch {
		counter came { }
		counter went { }
		chain pre { type filter hook prerouting priority 0; iifname "tap4" counter name came; }
		chain post { type filter hook postrouting priority 400; oifname "tap4" counter name went; }
	}
	table arp watch {
		counter came { }
		chain in { type filter hook input priority 0; iifname "tap4" counter name came; }
	}
END

packets() { # FAMILY COUNTER
	on_host nft -j list counter "$1" watch "$2" | jq '.nftables[] | .counter? | .packets // empty'
}

# Adds a guest behind a tap to which the host routes. `group` and `index` are options of ip link.
plug_routed() { # [OPTIONS]
	# shellcheck disable=SC2086 # options
	ip -n "$ns-host" link add tap4 ${1:-} type veth peer name eth0 netns "$ns-g4"
	ask_longer g4 eth0
	ip -n "$ns-host" addr add 172.16.4.1/30 dev tap4
	ip -n "$ns-g4" link set eth0 address 52:54:00:00:00:04 up
	ip -n "$ns-g4" addr add 172.16.4.2/30 dev eth0
	ip -n "$ns-host" link set tap4 up
	# A permanent neighbour entry, so that packets leave at once.
	ip -n "$ns-host" neigh replace 172.16.4.2 lladdr 52:54:00:00:00:04 dev tap4
	mac=$(on_host cat /sys/class/net/tap4/address)
	ip -n "$ns-g4" neigh replace 172.16.4.1 lladdr "$mac" dev eth0
}

unplug() { # PORT
	ip -n "$ns-host" link del "$1"
}

index_of() { # PORT
	on_host cat "/sys/class/net/$1/ifindex"
}

came_and_went() {
	echo "$(packets inet came) $(packets inet went) $(packets arp came)"
}

# Both ends send IP and ARP packets.
both_try() {
	equal "$1: the guest gets no answer" timeout "$(attempt 4 udp 172.16.4.1 7000)"
	equal "$1: the host cannot send" prohibited \
		"$(on_host "$traffic" connect udp 172.16.4.2 7000 | cut -d ' ' -f 1)"
	ip -n "$ns-g4" neigh del 172.16.4.1 dev eth0
	equal "$1: nor one to ARP" timeout "$(attempt 4 udp 172.16.4.1 7000)"
}

ip netns add "$ns-g4"
guests="$guests g4"
begin host echo echo udp 7000
start_agent --policy "$lab/policy.yaml"
freeze "$agent"
plug_routed
begin g4 guest echo udp 7000
both_try "a routed tap, the agent stopped"
equal "nothing came or went" "0 0 0" "$(came_and_went)"
kill -CONT "$agent"
check "the agent goes on, and protects it" within 20 port_is tap4 protected
check "then it works" within 20 becomes connected 4 udp 172.16.4.1 7000
equal "the host gets an answer" connected \
	"$(on_host "$traffic" connect udp 172.16.4.2 7000 | cut -d ' ' -f 1)"
routed=$(index_of tap4)
bridged=$(index_of tap1)

# More packets than the network stack sends on a new tap by itself.
has_sent() { # PACKETS
	[ "$(tapwall ports --json | jq 'select(.name == "tap4").packets.out')" -gt "$1" ]
}
begin g4 stream stream "$lab/stream" udp 172.16.4.1 7000 5
check "it sends some more" within 20 has_sent 200
end "$child"
stop_agent KILL
equal "with the agent dead, it works on" connected "$(attempt 4 udp 172.16.4.1 7000)"
unplug tap4
before=$(came_and_went)
plug_routed "index $routed"
equal "a tap of the same number and name" "$routed" "$(index_of tap4)"
both_try "a routed tap made anew, the agent dead"
equal "nothing came or went" "$before" "$(came_and_went)"
begin g2 two echo tcp 7000
unplug tap1
ip -n "$ns-host" link add tap1 index "$bridged" type veth peer name eth0 netns "$ns-g1"
ask_longer g1 eth0
ip -n "$ns-host" link set tap1 master br0 up
ip -n "$ns-g1" link set eth0 address 52:54:00:00:00:01 up
ip -n "$ns-g1" addr add 10.0.0.11/24 dev eth0
equal "a bridged one" "$bridged" "$(index_of tap1)"
equal "is shut, too" timeout "$(attempt 1 tcp 10.0.0.12 7000)"

start_agent --policy "$lab/policy.yaml"
check "the next agent protects it" within 20 port_is tap1 protected
check "and takes neither for the one that was there before" \
	eval '! has_sent 100'
check "and it works" within 20 becomes connected 1 tcp 10.0.0.12 7000
check "so does the routed one" within 20 becomes connected 4 udp 172.16.4.1 7000

# A tap that the host has put into an interface group is not covered by the latch.
unplug tap4
plug_routed "group 42"
check "a tap in a group of its host's works" within 20 becomes connected 4 udp 172.16.4.1 7000
routed=$(index_of tap4)
stop_agent KILL
unplug tap4
before=$(came_and_went)
plug_routed "index $routed"
both_try "made anew, the agent dead"
equal "nothing came or went" "$before" "$(came_and_went)"
release
finish
