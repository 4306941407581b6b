#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# events.sh: events of 20,000 connections that open while the agent is stopped are reported afterwards; and an event
# buffer of another size, left by an older agent, is replaced.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

pin=$lab/bpffs/tapwall/maps/events
ports='7001 7002 7003 7004 7005 7006 7007 7008 7009 7010'

make_host
make_guest 1
make_guest 2
{
	workloads 2
	echo 'rules: [{name: all, from: any, to: any, action: allow}]'
	echo 'options: {limits: {half-open: none, established: none}}'
} >"$lab/policy.yaml"

bytes() {
	bpftool -j map show pinned "$pin" | jq .max_entries
}
opened() { # prints the number of connections in the log
	tapwall log --all --json | jq -r 'select(.event == "open" and .to.port > 7000 and .to.port < 7011)
		| "\(.from.port) \(.to.port)"' | sort -u | wc -l
}
told() { # N
	[ "$(opened)" -ge "$1" ]
}
lost() { # prints the lost events by the log, and by the counters
	tapwall log --all --json | jq -s 'map(.lost_before) | add'
	tapwall status --json | jq .events_lost
}

start_agent --policy "$lab/policy.yaml"
equal "the buffer for events" $((16 << 20)) "$(bytes)"
freeze "$agent"
# shellcheck disable=SC2086 # a list
in_guest 1 "$TW_BUILD/tests/e2e/shots" 10.0.0.12 2000 $ports
kill -CONT "$agent"
check "connections that opened while the agent stood still are told" within 60 told 15000
equal "no event was lost" "0 0" "$(lost | tr '\n' ' ' | sed 's/ $//')"

kill "$agent"
wait "$agent"
rm "$pin"
bpftool map create "$pin" type ringbuf key 0 value 0 entries $((1 << 20)) name tw_events
start_agent --policy "$lab/policy.yaml"
equal "a buffer of another size is replaced" $((16 << 20)) "$(bytes)"
# Source ports that no connection before has used, because the table still has those connections.
SHOTS_FROM=20000 in_guest 1 "$TW_BUILD/tests/e2e/shots" 10.0.0.12 1 7001
check "and events come through the new one" within 20 told 1
finish
