#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# resize.sh: a new --max-connections at a restart, under traffic: no established connection is lost,
# flows and charges keep their counts, a number that is too small is refused without effect, and an
# interrupted resize is completed by the next start.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

not_started() { # OPTION…
	! on_host timeout 120 "$tapwalld" --ports 'tap*' --socket "$socket" \
		--bpffs "$lab/bpffs/tapwall" --state-dir "$lab/state" "$@" >"$lab/refused.log" 2>&1
}

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: tcp, from: w1, to: w2, service: tcp/7000, action: allow}
		  - {name: udp, from: w1, to: w2, service: udp/7001, action: allow}
		  - {name: six, from: w1, to: w2, service: tcp/7002, action: allow}
		  - {name: spray, from: w1, to: w2, service: udp/7003, action: allow}
		options: {timeouts: {udp-unreplied: 1h, time-wait: 1h, closed: 1h}}
	END
} >"$lab/policy.yaml"
maps=$lab/bpffs/tapwall/maps

status() { # FIELD
	tapwall status --json | jq ".$1"
}
flow_packets() { # PORT
	tapwall flows --json |
		jq -r --argjson port "$1" 'select(.to.port == $port) | .packets.out' |
		sort -n | tail -n 1
}
# Prints the charges of tap1, whose guest opens no connections during a restart.
charged() {
	tapwall ports --json | jq -c 'select(.name == "tap1") | [.connections.half_open, .connections.established]'
}
many() {
	[ "$(status connection_records)" -gt 2000 ]
}
pins() {
	for map in "$maps"/*; do
		basename "$map"
	done | grep -c -e -new
}
go_on() { # WHAT
	for kind in tcp udp six; do
		check "$1: $kind goes on" within 20 grows "$kind" echoed \
			"$(($(count_of "$kind" echoed) + 100))"
	done
}
# Restarts the agent with a new --max-connections, and checks what must not change.
resize() { # NUMBER
	before=$(flow_packets 7000)
	records=$(status connection_records)
	charges=$(charged)
	stop_agent
	start_agent --policy "$lab/policy.yaml" --max-connections "$1"
	equal "status tells of $1" "$1" "$(status connections_max)"
	equal "$1: every record is there" "$records" "$(status connection_records)"
	equal "$1: ports are charged what they were" "$charges" "$(charged)"
	check "$1: the flow has its packets" test "$(flow_packets 7000)" -gt "$before"
	equal "$1: nothing is left half done" 0 "$(pins)"
	go_on "$1"
}

start_agent --policy "$lab/policy.yaml" --max-connections 32768
begin g2 echo-tcp echo tcp 7000
begin g2 echo-udp echo udp 7001
begin g2 echo-six echo tcp 7002
begin g2 count count "$lab/count" 7003
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7000 2
tcp=$child
begin g1 udp stream "$lab/udp" udp 10.0.0.12 7001 2
udp=$child
begin g1 six stream "$lab/six" tcp fd00::12 7002 2
six=$child
begin g1 spray spray 10.0.0.12 7003
check "thousands of connections are there" within 30 many
end "$child"
check "traffic flows" within 20 grows tcp echoed 50

resize 65536
resize 4096

records=$(status connection_records)
stop_agent
on_host "$tapwalld" --ports 'tap*' --socket "$socket" --bpffs "$lab/bpffs/tapwall" \
	--state-dir "$lab/state" --max-connections 1024 2>"$lab/refused"
equal "a number that is too small is refused" 1 "$?"
check "the refusal names both numbers" grep -q 'in a table for 4096; they do not fit one for 1024' \
	"$lab/refused"
equal "and leaves no pin" 0 "$(pins)"
go_on "refused"
equal "a new connection opens" connected "$(attempt 1 tcp 10.0.0.12 7000)"
start_agent --policy "$lab/policy.yaml" --max-connections 4096
equal "the table is what it was" 4096 "$(status connections_max)"
check "with all its records" test "$(status connection_records)" -ge "$records"

# A start that died between attaching and settling: the programs have the new table, and the old one
# is still pinned as the one in force.
resize 32768
records=$(status connection_records)
stop_agent
mv "$maps/buckets" "$maps/buckets-new"
mv "$maps/conns" "$maps/conns-new"
bpftool map create "$maps/buckets" type array key 4 value 64 entries 302 name buckets flags 0x400
bpftool map create "$maps/conns" type array key 4 value 128 entries 4832 name conns flags 0x400
start_agent --policy "$lab/policy.yaml" --max-connections 4096
equal "a start goes on with what another began" 32768 "$(status connections_max)"
equal "no record is lost by that" "$records" "$(status connection_records)"
equal "and ends it" 0 "$(pins)"
go_on "resumed"

# A start that died between the renames: the old table's records are still pinned, its buckets no longer.
stop_agent
mv "$maps/conns" "$maps/conns-new"
bpftool map create "$maps/conns" type array key 4 value 128 entries 4832 name conns flags 0x400
start_agent --policy "$lab/policy.yaml" --max-connections 4096
equal "a start ends what was all but ended" 32768 "$(status connections_max)"
equal "with every record" "$records" "$(status connection_records)"
equal "and no pin is left" 0 "$(pins)"
go_on "renamed"

# A start that died before the new table was completely pinned: its pins are removed.
stop_agent
bpftool map pin pinned "$maps/usage" "$maps/usage-new"
bpftool map pin pinned "$maps/buckets" "$maps/buckets-new"
bpftool map pin pinned "$maps/buckets" "$maps/older-new"
equal "what was begun is there" 3 "$(pins)"
start_agent --policy "$lab/policy.yaml" --max-connections 32768
equal "a start takes away what was barely begun" 0 "$(pins)"
equal "… and goes on as before" 32768 "$(status connections_max)"
go_on "barely begun"

# Maps of the same shape with a different meaning.
stop_agent
layout() { # NUMBER
	bpftool -j map dump pinned "$maps/config" | jq -r --arg n "$1" \
		'.[0].value | .[116] = "0x0\($n)" | join(" ")' >"$lab/config"
	# shellcheck disable=SC2046 # bytes, one a word
	bpftool map update pinned "$maps/config" key 0 0 0 0 value $(cat "$lab/config")
}
ours=$(sed -n "s/^#define TW_LAYOUT[[:space:]]*//p" "$TW_SOURCE/fastpath/abi/types.h")
equal "the settings say which layout" "$ours" \
	"$(bpftool -j map dump pinned "$maps/config" | jq '.[0].formatted.value.layout')"
layout 9
check "pins of another layout are refused" not_started --policy "$lab/policy.yaml"
check "with the reason" grep -q "another version with layout 9, this one has $ours" "$lab/refused.log"
equal "and nothing is changed" 9 \
	"$(bpftool -j map dump pinned "$maps/config" | jq '.[0].formatted.value.layout')"
layout "$ours"
start_agent --policy "$lab/policy.yaml" --max-connections 32768
go_on "of this layout again"

all_arrive "every TCP message came back" end "$tcp"
# During the change of tables, each table sees one end of a connection: a few segments may be
# retransmitted.
check "hardly a TCP segment had to come again" test "$(count_of tcp lost)" -le 20
all_arrive "every datagram came back" end "$udp"
all_arrive "every message over IPv6 came back" end "$six"
check "hardly an IPv6 segment had to come again" test "$(count_of six lost)" -le 20
denied_for() { # REASON…
	tapwall counters --json | jq -s --arg reasons "$*" \
		'[.[] | select(.reason | IN($reasons | split(" ")[])) | .out + .in] | add // 0'
}
equal "no frame of a connection met a table without it" 0 \
	"$(denied_for no-image tcp-midstream tcp-expired tcp-closed tcp-reset no-connection tcp-state table-full bad-image)"
finish
