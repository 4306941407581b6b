#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# steady.sh: connections at a steady rate, each in the history of tapwall-slowd, over TLS: also while a large policy is
# applied, while tapwall-slowd does not read, and after it was away. The figures of a run are printed.
# SCALE=full: 100,000 connections a second, a policy of 100,000 rules, and an outage of 30 s at 30,000 a second. The
# agent may then use a tenth of a core. STEADY_RATE: another rate.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

rate=${STEADY_RATE:-$(scaled 4000 100000)}
away_seconds=$(scaled 1 30)
stop_seconds=$(scaled 1 2)
rules=$(scaled 2000 100000)
slow=$lab/slow
slowd=
total=0

start_slowd() {
	ip netns exec "$ns-host" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen 127.0.0.1:7433 --socket "$slow/slowd.sock" \
		--cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
slowd_alone() { # OPTION…
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TW_BUILD/tapwall-slowd" --state-dir "$slow" "$@"
}
followed() {
	"$TW_BUILD/tapwall" history status --json --slow "$slow/slowd.sock" | jq -se '.[0].followed'
}
policy() { # N: with N more rules, which decide nothing here
	workloads 2
	echo 'options: {limits: {half-open: none, established: none}, timeouts: {udp-unreplied: 1s}}'
	echo 'rules:'
	seq "$1" | awk '{ printf "  - {name: r%d, from: 198.18.%d.%d, to: any, service: tcp/%d, action: deny}\n", $1, $1 / 256 % 256, $1 % 256, 1 + $1 % 1000 }'
	echo '  - {name: all, from: any, to: any, action: allow}'
}
cpu_ms() { # PID: prints the CPU time of all threads
	sed 's/^.*) //' "/proc/$1/stat" | awk '{ print ($12 + $13) * 10 }'
}
note_cpu() {
	begun=$(date +%s%N) agent_ms=$(cpu_ms "$agent") slowd_ms=$(cpu_ms "$slowd")
}
# Opens connections for some seconds while a function runs. Each must then be in the history.
during() { # WHAT RATE SECONDS FUNCTION
	on_host "$TW_BUILD/tests/e2e/steady" "$total" "$2" "$3" >"$lab/steady.out" 2>&1 &
	steady=$!
	children="$children $steady"
	total=$((total + $2 * $3))
	note_cpu
	"$4"
	wait "$steady" || bail "$1: connections are opened" "$(cat "$lab/steady.out")"
	wall=$((($(date +%s%N) - begun) / 1000000))
	agent_ms=$(($(cpu_ms "$agent") - agent_ms)) slowd_ms=$(($(cpu_ms "$slowd") - slowd_ms))
	say "$1: $(tr '\n' ' ' <"$lab/steady.out")"
	say "CPU time in $wall ms: agent $agent_ms ms, tapwall-slowd $slowd_ms ms"
	within 120 all_stored || say "not stored yet: $(tapwall status --json | jq -c '[.connection_records, .slow_path.events]')"
	within 20 stored_is "$total"
	equal "$1: each connection is in the history" "$total" "$(stored)"
	equal "$1: no event was dropped or lost" "0 0" "$(tapwall status --json | jq -r '"\(.slow_path.events.dropped) \(.events_lost)"')"
}
# From here on, as many connections end as begin.
settle() {
	within 10 false
	note_cpu
}
apply_large() {
	apply_begun=$(date +%s%N)
	check "a policy of $rules rules is applied meanwhile" apply "$lab/large.yaml"
	say "in $((($(date +%s%N) - apply_begun) / 1000000)) ms"
}
stop_slowd() {
	freeze "$slowd"
	within "$stop_seconds" false
	kill -CONT "$slowd"
}
lose_slowd() {
	kill -KILL "$slowd"
	wait "$slowd" 2>/dev/null
	slowd_ms=0
	within "$away_seconds" false
	start_slowd
}
disturb() {
	apply_large
	stop_slowd
	lose_slowd
}
all_stored() { # true if every connection has ended, and its row is stored
	tapwall status --json | jq -es 'any(.[]; .connection_records == 0 and .slow_path.events.kept == 0)'
}
stored() { # prints the number of stored connections
	"$TW_BUILD/tapwall" history --from w1 --to w2 --proto udp --verdict allow --limit 1 --count --json --slow "$slow/slowd.sock" |
		jq -s 'map(select(.summary)) | .[0].summary.matched'
}
stored_is() { # N
	[ "$(stored)" = "$1" ]
}

make_host
for i in 1 2; do
	ip -n "$ns-host" tuntap add "tap$i" mode tap
	ip -n "$ns-host" link set "tap$i" master br0 up
done
policy 0 >"$lab/policy.yaml"
policy "$rules" >"$lab/large.yaml"
chmod 755 "$lab"
mkdir "$slow"
chown 65534:65534 "$slow"
slowd_alone --init >"$lab/init.out" || bail "the slow path makes a CA" "$(cat "$lab/init.out")"
slowd_alone --issue host-a >"$lab/host-a.pem" || bail "a certificate is issued"
cp "$slow/ca.pem" "$lab"
start_slowd
start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/host-a.pem" \
	--slow-path-key "$lab/host-a.pem" --slow-path-ca "$lab/ca.pem" --max-connections "$(scaled 65536 1000000)"
check "the agent's events are followed" within 20 followed

if [ "${SCALE:-}" = full ]; then
	during steady "$rate" 70 settle
	check "the agent uses at most a tenth of a core" test $((agent_ms * 10)) -le "$wall"
	during "a policy of $rules rules is applied" "$rate" 30 apply_large
	during "tapwall-slowd is stopped for $stop_seconds s" "$rate" 10 stop_slowd
	during "tapwall-slowd is away for $away_seconds s" 30000 40 lose_slowd
else
	during "all of it" "$rate" 4 disturb
fi
finish
