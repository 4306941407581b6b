#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# cut-forged.sh: neither a MAC forged by a guest nor a mark forged by a process of the host gets a
# frame past a gate, and neither ends the cut-through of others.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2 3; do make_guest $i; done
ip -n "$ns-host" addr add 10.0.0.1/24 dev br0
{
	workloads 3
	cat <<-'END'
		rules:
		  - {name: echo, from: w1, to: w2, service: tcp/7000, action: allow}
		  - {name: told, from: w1, to: w2, service: udp/7001, action: allow}
	END
} >"$lab/policy.yaml"

learned() { # N: true if the agent has entered guest N in the bridge's FDB
	bridge -n "$ns-host" fdb show br br0 | grep "52:54:00:00:00:0$1" | grep -q "dev tap$1 .*extern_learn"
}
denied() { # REASON DIRECTION: frames so far
	tapwall counters --json | jq --arg reason "$1" "select(.reason == \$reason).$2"
}
more() { # REASON DIRECTION THAN
	[ "$(denied "$1" "$2")" -gt "$3" ]
}
goes_on() {
	within 20 grows stream echoed "$(($(count_of stream echoed) + 100))"
}
received() {
	count_of count 7001
}

start_agent --policy "$lab/policy.yaml"
check "the bridge is told where guest 2 is" within 20 learned 2
begin g2 echo echo tcp 7000
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 10
stream=$child
check "a stream runs" goes_on

# Guest 3 poses as guest 1, from which guest 2 accepts connections, and as guest 2.
for victim in 1 2; do
	before=$(denied spoofed-mac out)
	ip -n "$ns-g3" link set eth0 address "52:54:00:00:00:0$victim"
	ip -n "$ns-g3" neigh replace 10.0.0.12 lladdr 52:54:00:00:00:02 dev eth0
	in_guest 3 "$traffic" connect udp 10.0.0.12 7001 >/dev/null 2>&1
	check "with the MAC of guest $victim it is denied" within 20 more spoofed-mac out "$before"
	check "and the bridge knows better" learned "$victim"
	check "and the stream goes on" goes_on
done
ip -n "$ns-g3" link set eth0 address 52:54:00:00:00:03

# The secret of this boot, which only root can read, as a mark on frames that the host itself sends.
begin g2 count count "$lab/count" 7001
secret=$(bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/config" | jq '.[0].formatted.value.mark')
for mark in $((secret | 4)) $((secret | 7)) "$secret"; do
	on_host nft -f - <<-END
		table inet forge
		delete table inet forge
		table inet forge {
			chain output {
				type filter hook output priority 0
				udp dport 7001 meta mark set $mark
			}
		}
	END
	before=$(denied policy in)
	on_host "$traffic" connect udp 10.0.0.12 7001 >/dev/null 2>&1
	check "a frame with mark $mark of our own is judged all the same" within 20 more policy in "$before"
done
equal "and none has arrived" 0 "$(received)"
on_host nft delete table inet forge
in_guest 1 "$traffic" connect udp 10.0.0.12 7001 >/dev/null 2>&1
check "as one does that may" within 20 grows count 7001 0
check "the stream goes on" goes_on
check "without a segment lost" end "$stream"
stop_agent
release
finish
