#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# cpus.sh: with two CPUs at once, the connection table stays consistent, ports are charged for
# exactly its records, and no packet is lost or passed wrongly. SCALE=full: 35 million random
# frames.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

cpus=$TW_BUILD/tests/e2e/cpus
table=$TW_BUILD/tests/e2e/table
few=1
[ "${SCALE:-}" != full ] || few=100

make_host
for i in 1 2 3; do
	ip -n "$ns-host" tuntap add "tap$i" mode tap multi_queue
	ip -n "$ns-host" link set "tap$i" txqueuelen 8000 master br0 up
done
policy() { # GUEST-1'S-PORT [RULE]
	cat <<-END
		version: 1
		workloads:
		  w1: {port: $1, mac: "52:54:00:00:00:01", addresses: [10.0.0.11]}
		  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: [10.0.0.12]}
		rules:
		${2:-}
		  - {name: few, from: any, to: any, service: [tcp/1000-1007, udp/1000-1007], action: allow}
		  - {name: many, from: any, to: any, service: [tcp/10000-60000, udp/10000-60000], action: allow}
		options:
		  adopt: 0s
		  timeouts: {syn-sent: 1s, syn-recv: 1s, fin-wait: 1s, close-wait: 1s, last-ack: 1s, closed: 1s, udp-unreplied: 1s, udp-replied: 60s}
		  limits: {half-open: none, established: none}
	END
}
policy tap1 >"$lab/one.yaml"
none='  - {name: none, from: any, to: any, service: [tcp/1004-1005, udp/1004-1005], action: deny}'
policy tap1 "$none" >"$lab/two.yaml"
policy tap3 >"$lab/moved.yaml"
policy tap3 "$none" >"$lab/both.yaml"

drive() { # MODE N [TAP3]
	on_host "$cpus" "$1" "$2" tap1 tap2 ${3:+"$3"} >"$lab/drive.out" 2>"$lab/drive.err"
}
count() { # NAME [FILE]
	sed -n "s/^$1=//p" "$lab/${2:-drive.out}"
}
in_order() {
	freeze "$agent"
	"$table" "$lab/bpffs/tapwall/maps" >"$lab/table.out"
	code=$?
	kill -CONT "$agent"
	cat "$lab/table.out"
	return "$code"
}
hits() {
	tapwall rules --json | jq --arg name "$1" 'select(.name == $name).hits'
}
denied_for() { # REASON
	tapwall counters --json | jq -s --arg reason "$1" '[.[] | select(.reason == $reason) | .out + .in] | add // 0'
}
state_count() { # STATE'S NUMBER
	count states table.out | cut -d , -f $(($1 + 1))
}

start_agent --policy "$lab/one.yaml" --max-connections 2048
drive churn 100 tap3
[ "$?" != 77 ] || {
	echo "1..0 # SKIP one CPU only"
	exit 0
}

# Meanwhile policies change, and guest 1 moves between ports.
: >"$lab/flipping"
while [ -e "$lab/flipping" ]; do
	for text in two moved both one; do
		tapwall apply "$lab/$text.yaml" --allow-unprotect >"$lab/flip.out" && echo "$text"
		sleep 0.1
	done
done >>"$lab/flips" &
flipper=$!
children="$children $flipper"
all_flipped() {
	[ "$(grep -cx both "$lab/flips")" -gt 1 ]
}
churn_and_flip() { # until the agent, which may have to wait for a CPU, has published all policies
	for _ in $(seq 10); do
		drive churn $((300000 * few)) tap3 || return
		! all_flipped || return 0
	done
}
check "frames of two guests come by two CPUs at once" churn_and_flip
rm "$lab/flipping"
wait "$flipper"
say "$(grep -c . "$lab/flips") policies came into force, half of them moved the workload; $(tr '\n' ' ' <"$lab/drive.out")"
check "each policy was in force meanwhile" all_flipped
equal "none passes that no rule allows" 0 "$(count forbidden)"
check "the table is in order" in_order
stop_agent KILL
check "also while only openings sweep" drive churn $((50000 * few)) tap3
start_agent --policy "$lab/one.yaml" --max-connections 262144
check "and after the agent was killed, and the table got another size" in_order

before=$(hits few)
check "first datagrams come by both at once" drive first $((2000 * few))
equal "all of them arrive" $((4000 * few)) "$(count arrived)"
check "and each connection opened once" test "$(($(hits few) - before))" = $((2000 * few))
check "the table is in order" in_order

check "both ends of connections say FIN at once" drive fins $((1000 * few))
check "the table is in order" in_order
equal "none of them waits for a FIN that was there" 0 "$(state_count 4)"

check "both fragments of datagrams come at once" drive pieces $((1000 * few))
equal "all of them arrive" $((2000 * few)) "$(count arrived)"

before=$(denied_for tcp-window)
check "segments of one connection come by both at once" drive acks $((2000 * few))
equal "what acknowledges them is never out of window" "$before" "$(denied_for tcp-window)"

begin_moves() {
	drive moves $((20 * few)) tap3
}
carried() {
	tapwall rules --json | jq 'select(.name == "few").packets'
}
carries() { # MORE THAN
	[ "$(carried)" -gt "$1" ]
}
before=$(carried)
begin_moves &
mover=$!
children="$children $mover"
within 20 carries "$before"
check "a workload moves to another port while its connections go on" tapwall apply "$lab/moved.yaml" --allow-unprotect
wait "$mover"
check "ports are charged what stands there" in_order
equal "no row was kept for too long" 0 "$(denied_for table-full)"
equal "the agent found no count of connections to be wrong" 0 "$(grep -c "counted wrong" "$lab/agent.log")"
finish
