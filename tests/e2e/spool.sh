#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# spool.sh: events are kept until a reader acknowledges them: while there is no reader, when a reader is killed, and
# over a restart of the agent. Connections that go on are reported, too. SCALE=full: an outage of 30 s or more, with
# 30,000 connections a second.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

spooler=$TW_BUILD/tests/e2e/spooler
ports='7001 7002 7003 7004 7005 7006 7007 7008 7009 7010'

make_host
make_guest 1
make_guest 2
{
	workloads 2
	echo 'rules: [{name: all, from: any, to: any, action: allow}]'
	echo 'options: {limits: {half-open: none, established: none}, timeouts: {udp-unreplied: 1s}}'
} >"$lab/policy.yaml"
start() {
	# Nothing listens there: this test is the reader, at the agent's socket.
	start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:1 --snapshot 1 \
		--max-connections "$(scaled 16384 600000)"
}
kept() { # prints the number of events that are not acknowledged
	tapwall status --json | jq .slow_path.events.kept
}
keeps() { # N
	[ "$(kept)" -ge "$1" ]
}
shoot() { # N: N connections to each of 10 ports
	# shellcheck disable=SC2086 # a list
	SHOTS_FROM=20000 in_guest 1 "$TW_BUILD/tests/e2e/shots" 10.0.0.12 "$1" $ports
}
read_rows() { # N [ack]: prints what the reader says at its end
	"$spooler" "$socket" "$lab/position" "$@" >"$lab/rows.new" || return
	grep -v '^rows' "$lab/rows.new" >>"$lab/rows"
	tail -n 1 "$lab/rows.new"
}
connections() { # prints the numbers of connections to the ports that the rows report as ended, and of their packets
	awk '$1 == "close" && $3 > 7000 && $3 < 7011 { n++; packets += $10 } END { print n + 0, packets + 0 }' "$lab/rows"
}
reported() { # KIND FROM-INTERFACE TO-INTERFACE PORT STATE
	awk -v kind="$1" -v from="$2" -v to="$3" -v port="$4" -v state="$5" \
		'$1 == kind && $4 == from && $5 == to && $3 == port && $6 == state { found = 1 } END { exit !found }' "$lab/live"
}

: >"$lab/rows"
start
# True if guest 1 has guest 2's MAC, and the bridge's ports forward. Datagrams that wait for an ARP answer may overflow
# their queue.
forwards() {
	ip -n "$ns-g1" neigh replace 10.0.0.12 dev eth0 nud none use
	ip -n "$ns-g1" neigh show 10.0.0.12 | grep -q 52:54:00:00:00:02
}
within 20 forwards || bail "guest 1 finds guest 2"
shoot 100
check "events are kept without a reader" within 60 keeps 1000
equal "a reader that dies has acknowledged nothing" "rows 700 lost 0 kept 0" "$(read_rows 700)"
rm "$lab/position"
: >"$lab/rows"
check "so all are kept" keeps 1000
equal "one that stores some" "rows 350 lost 0" "$(read_rows 350 ack | cut -d ' ' -f 1-4)"
check "leaves the others" keeps 650
equal "what was not sent cannot be acknowledged" 2 "$("$spooler" "$socket" future | grep -c 'has not sent these')"
equal "the next one continues there" "rows 100 lost 0" "$(read_rows 100 ack | cut -d ' ' -f 1-4)"

stop_agent TERM
equal "the agent writes the rest to disk at its end" 600 "$(stat -c %a "$lab/state/spool/"* | sort -u)"
shoot 40 # without an agent: the programs keep these
start
check "the next agent has it" keeps 550
check "and adds its own" within 60 keeps 950
equal "a reader gets both" "rows 950 lost 0 kept 0" "$(read_rows 950 ack)"
equal "nothing is left on disk" "" "$(ls "$lab/state/spool")"
equal "each connection has ended once" "1400 1400" "$(connections)"
equal "with the ports of both ends" "tap1 tap2" "$(awk '{ print $4, $5 }' "$lab/rows" | sort -u)"
equal "and the times of its only packet" 0 "$(awk '$7 != $8 || $8 < 1000' "$lab/rows" | wc -l)"

# Prints the sum of packets over the rows. A killed reader may have stored rows twice; each row counts once.
packets() {
	awk 'NF == 11 && $1 == "close" && $3 > 7000 && $3 < 7011 && !seen[$9]++ { n += $10 } END { print n + 0 }' \
		"$lab/outage.1" "$lab/outage.2"
}
all_stored() { # true if every connection has ended, and the reader has acknowledged its row
	tapwall status --json | jq -es 'any(.[]; .connection_records == 0 and .slow_path.events.kept == 0)'
}
follow() { # N: follows until it is killed
	: >"$lab/outage.$1"
	"$spooler" "$socket" "$lab/position" 100000000 ack >"$lab/outage.$1" 2>/dev/null &
	reader=$!
	children="$children $reader"
}
passed() { # prints the number of packets that the firewall let pass; a busy host drops some before it
	tapwall counters --json | jq -s 'map(select(.reason == "policy" or .reason == "established").out) | add'
}
before=$(passed)
n=$(scaled 60 15000)
rounds=$(scaled 1 6)
follow 1
: >"$lab/outage.2"
shoot "$n"
kill -KILL "$reader"
wait "$reader" 2>/dev/null
begun=$(date +%s%N)
for i in $(seq "$rounds"); do
	shoot "$n"
	[ "$rounds" = 1 ] || within 5 false # keeps the rate at 30,000 connections a second or less
done
say "$((rounds * n * 10)) datagrams in $((($(date +%s%N) - begun) / 1000000)) ms without a reader: $(tapwall status --json | jq -c .slow_path.events)"
follow 2
shoot "$n"
check "a reader is killed, and another comes later: it stores all" within 60 all_stored
after=$(passed)
equal "each packet is in a row" $((after - before)) "$(packets)"
equal "no event was dropped or lost" "0 0" "$(tapwall status --json | jq -r '"\(.slow_path.events.dropped) \(.events_lost)"')"
kill "$reader"
wait "$reader" 2>/dev/null

begin g2 echo echo tcp 7020
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7020 20
: >"$lab/live"
"$spooler" "$socket" "$lab/position" 1000000 ack >"$lab/live" 2>/dev/null &
children="$children $!"
check "a connection that goes on is reported" within 60 reported live tap1 tap2 7020 established
finish
