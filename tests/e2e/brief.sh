#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# brief.sh: short connections, 20,000 a second over real taps. With the default table and quotas
# none is refused, also after the port has reached its bound of finished connections. The same holds
# for a port with a small quota. SCALE=full: five minutes. BRIEF_RATE: another rate.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

brief=$TW_BUILD/tests/e2e/brief
rate=${BRIEF_RATE:-20000}
seconds=$(scaled 8 300)

make_host
for i in 1 2 3; do
	ip -n "$ns-host" tuntap add "tap$i" mode tap
	ip -n "$ns-host" link set "tap$i" txqueuelen 4000 master br0 up
done
{
	workloads 3 | sed '/ w3:/s|}$|, limits: {established: 100}}|'
	echo 'rules: [{name: all, from: any, to: any, service: tcp, action: allow}]'
	echo 'options: {adopt: 0s, timeouts: {time-wait: 10m}}' # longer than this takes on a busy machine
} >"$lab/policy.yaml"

count() { # NAME
	sed -n "s/^$1=//p" "$lab/brief.out"
}
denied_for() { # REASON
	tapwall counters --json | jq -s --arg reason "$1" '[.[] | select(.reason == $reason) | .out + .in] | add // 0'
}
in_order() {
	freeze "$agent"
	"$TW_BUILD/tests/e2e/table" "$lab/bpffs/tapwall/maps" >"$lab/table.out"
	code=$?
	kill -CONT "$agent"
	cat "$lab/table.out"
	return "$code"
}

run() { # GUEST N RATE
	on_host "$brief" "$2" "$3" "$1" >"$lab/brief.out" || bail "connections of guest $1"
	sed 's/^/# /' "$lab/brief.out"
	equal "guest $1: none is refused" 0 "$(count refused)"
	equal "guest $1: no segment is lost" 0 "$(count lost)"
	equal "guest $1: the connection that lives still does" 1 "$(count alive)"
	equal "guest $1: no quota was met" 0 "$(denied_for quota)"
	equal "guest $1: the table had room" 0 "$(denied_for table-full)"
}

start_agent --policy "$lab/policy.yaml"
run 1 $((rate * seconds)) "$rate"
check "the table is in order" in_order
over=$(sed -n 's/^states=//p' "$lab/table.out" | cut -d , -f 7)
# Connections that are open when the bound is reached end later: at most those of 10 ms.
check "as many are over as the port may have, and no more: $over" \
	test "$over" -gt 100000 -a "$over" -le $((131072 + rate / 100))
# A port with a quota of a hundred may have 32,768 finished connections.
run 3 60000 8000
check "the table is in order" in_order
finish
