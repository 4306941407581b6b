#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# latch.sh: a tap is created on a bridge that floods traffic to it, and its guest sends at once.
# Nothing reaches the guest or leaves it before its image is live, with the agent running, stopped,
# or dead.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

[ -c /dev/net/tun ] || {
	echo "1..0 # SKIP no /dev/net/tun here"
	exit 0
}
make_host
make_guest 1
make_guest 2
# Guests 1 and 2 flood and listen; taps 7 and 8 are denied everything, 9 is allowed the port.
{
	workloads 2
	for i in 7 8 9; do
		echo "  w$i: {port: tap$i, addresses: [any]}"
	done
	cat <<-'END'
		groups:
		  shut: {workloads: [w7, w8]}
		rules:
		  - {name: open, from: any, to: any, service: udp/9000, action: allow}
	END
} >"$lab/open.yaml"
sed 's/udp.9000, action: allow/udp\/9000, action: deny/' "$lab/open.yaml" >"$lab/shut.yaml"
# The two guests that flood and listen are not filtered.
sed -i '/^  w[12]:/d' "$lab/open.yaml" "$lab/shut.yaml"

start_agent --policy "$lab/shut.yaml"
equal "status tells of the latch" true "$(tapwall status --json | jq .latch)"
begin g1 flood flood eth0 9000
begin g2 sniffed sniff "$lab/sniffed" eth0 9000
check "the flood crosses the bridge" within 20 grows sniffed seen 100
end "$child"

# Port numbers show where a datagram came from: the flood goes to 9000, the taps send to 9001.
begin g2 leaked sniff "$lab/leaked" eth0 9001
new_tap() { # FILE NAME SEND-PORT
	begin host "$1" tap "$lab/$1" "$2" br0 "$3"
}

leaks=0
for round in $(seq 10); do
	new_tap "round$round" tap7 9000
	within 20 grows "round$round" sent 50 || bail "the guest on the tap sends"
	within 20 port_is tap7 protected || bail "the tap is protected"
	end "$child"
	leaks=$((leaks + $(count_of "round$round" got)))
done
equal "ten new taps, denied by policy: the guests got nothing of the flood" 0 "$leaks"

freeze "$agent"
new_tap stopped tap8 9001
check "with the agent stopped, a guest sends on" within 20 grows stopped sent 2000
equal "and gets nothing" 0 "$(count_of leaked seen)"
equal "and nothing of it comes out" 0 "$(count_of stopped got)"
kill -CONT "$agent"
check "the agent finds the tap when it goes on" within 20 port_is tap8 protected
equal "still nothing came out" 0 "$(count_of leaked seen)"
end "$child"

stop_agent KILL
new_tap dead tap9 9000
check "with the agent dead, a guest sends on" within 20 grows dead sent 2000
equal "and gets nothing of the flood" 0 "$(count_of dead got)"
start_agent --policy "$lab/open.yaml"
check "the next agent puts its policy in force, and what that allows gets through" \
	within 20 grows dead got 10
equal "nothing was ever seen of those that were shut" 0 "$(count_of leaked seen)"

# A port that the host has put into an interface group works nevertheless.
ip netns add "$ns-g5"
guests="$guests g5"
ip -n "$ns-host" link add tap5 group 42 type veth peer name eth0 netns "$ns-g5"
ip -n "$ns-host" link set tap5 master br0 up
ip -n "$ns-g5" link set eth0 up
begin g5 grouped sniff "$lab/grouped" eth0 9000
check "a port in a group of somebody's own is not shut out" within 20 grows grouped seen 10
check "and keeps its group" sh -c "ip -n $ns-host -o link show tap5 | grep -q 'group 42'"

table=$(on_host nft list tables bridge | grep tapwall)
check "the latch is one table of its own" test "$(echo "$table" | wc -l)" = 1
on_host nft flush ruleset
has_table() {
	on_host nft list tables bridge | grep -q tapwall
}
check "flushing netfilter does not take the latch away for long" within 20 has_table
end "$child"
finish
