#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# cut-moves.sh: cut-through ends as soon as the bridge would no longer send frames to that port,
# also while the agent is stopped or dead; and resumes when the old state is restored.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_bridge br1
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: w1, to: w2, service: [tcp/7000, udp/7001], action: allow}
	END
} >"$lab/policy.yaml"
watch_bridge
insist="cut-through!" # that table does nothing but count

astray() {
	tapwall counters --json | jq -s 'map(select(.reason == "astray").in) | add // 0'
}
goes_on() {
	within 20 grows stream echoed "$(($(count_of stream echoed) + 100))"
}
# True if a hundred more segments are echoed, and hardly any of them pass the bridge.
goes_past() {
	bridged=$(bridged)
	goes_on && [ "$(($(bridged) - bridged))" -lt 50 ]
}
goes_over() {
	bridged=$(bridged)
	goes_on && [ "$(($(bridged) - bridged))" -gt 100 ]
}
stands_still() {
	echoed=-1
	while [ "$echoed" != "$(count_of stream echoed)" ]; do
		echoed=$(count_of stream echoed)
		! within 1 grows stream echoed "$echoed" || continue
	done
}
learned() { # N: true if the agent has entered guest N in the bridge's FDB
	bridge -n "$ns-host" fdb show br br0 | grep "52:54:00:00:00:0$1" | grep -q "dev tap$1 .*extern_learn"
}
# A stopped agent learns of changes only later. Its cut-through lease lasts two seconds, so only
# frames in the first second prove anything.
unheard() { # COMMAND…
	freeze "$agent"
	"$@"
}
heard() {
	kill -CONT "$agent"
	within 20 answers
}

start_agent --policy "$lab/policy.yaml" --forwarding "$insist"
check "the bridge is told where guest 1 is" within 20 learned 1
check "and guest 2" within 20 learned 2
begin g2 echo echo tcp 7000
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 10
stream=$child
check "a stream goes past the bridge" within 20 goes_past
asks=$(tapwall status --json | jq .asks_bridges)

# True if frames have gone astray since $before. On a busy machine the lease may end before the first one does; then
# the change is repeated.
went_astray() { # THERE BACK
	for _ in $(seq 20); do
		[ "$(astray)" -le "$before" ] || return 0
		# shellcheck disable=SC2086 # words
		unheard on_host $1
		stands_still
		heard
		# shellcheck disable=SC2086
		on_host $2
		within 20 goes_past
	done
	return 1
}

for change in \
	"ip link set tap2 master br1|ip link set tap2 master br0|another bridge" \
	"ip link set tap2 nomaster|ip link set tap2 master br0|no bridge" \
	"ip link set tap1 master br1|ip link set tap1 master br0|another bridge, for who sends" \
	"bridge link set dev tap2 state 0|bridge link set dev tap2 state 3|a port that does not forward" \
	"ip link set tap2 down|ip link set tap2 up|a port that is down"; do
	there=${change%%|*}
	back=${change#*|}
	back=${back%%|*}
	what=${change##*|}
	before=$(astray)
	# shellcheck disable=SC2086 # words
	unheard on_host $there
	check "$what is not reached, though nobody has heard" stands_still
	heard
	check "and not when it has been heard" stands_still
	# shellcheck disable=SC2086
	on_host $back
	check "when it is back, the stream goes past the bridge" within 20 goes_past
	[ "$asks" != true ] || [ "$what" = "a port that is down" ] ||
		[ "$what" = "another bridge, for who sends" ] ||
		check "its frames went astray at once" went_astray "$there" "$back"
done

# A datagram of 1,200 bytes, sent by bash, which has /dev/udp.
long() {
	in_guest 1 bash -c 'head -c 1200 /dev/zero >/dev/udp/10.0.0.12/7001'
}
begin g2 count count "$lab/count" 7001
receiver=$child
long
check "a long frame arrives" within 20 grows count 7001 0
before=$(astray)
unheard on_host ip link set tap2 mtu 1000
long
check "a port whose MTU was lowered takes short frames, though nobody has heard" goes_on
heard
long_went_astray() { # as above
	for _ in $(seq 20); do
		[ "$(astray)" -le "$before" ] || return 0
		ip -n "$ns-host" link set tap2 mtu 1500
		within 20 goes_past
		unheard on_host ip link set tap2 mtu 1000
		long
		heard
	done
	return 1
}
[ "$asks" != true ] || check "a long one went astray at once" long_went_astray
ip -n "$ns-host" link set tap2 mtu 1500
check "when the MTU is back, the stream goes past the bridge" within 20 goes_past
end "$receiver"

unheard true
check "a stopped agent's ports are bridged soon" within 20 goes_over
heard
check "and cut through again when it goes on" within 20 goes_past

bridge -n "$ns-host" fdb flush dev br0
check "a bridge that was made to forget is told again" within 20 learned 1
check "of both" within 20 learned 2

stop_agent KILL
check "a dead agent's ports are bridged soon" within 20 goes_over
ip -n "$ns-host" link set tap2 master br1
check "another bridge is not reached when the agent is dead" stands_still
ip -n "$ns-host" link set tap2 master br0
check "but again when it is back, over the bridge" within 20 goes_over
start_agent --policy "$lab/policy.yaml" --forwarding "$insist"
check "the next agent cuts through again" within 20 goes_past
check "without a segment lost but to where it could not go" end "$stream"
stop_agent
release
finish
