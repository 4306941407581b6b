#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# cut.sh: allowed frames go directly to their destination port, but only if the bridge would have
# sent them there: not to isolated ports, not to a port's former place, not for a MAC that has
# moved.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: w1, to: w2, service: tcp/7000, action: allow}
	END
} >"$lab/policy.yaml"
watch_bridge
insist="cut-through!" # that table does nothing but count

learned() { # N: true if the agent has entered guest N in the bridge's FDB
	bridge -n "$ns-host" fdb show br br0 | grep "52:54:00:00:00:0$1" | grep -q "dev tap$1 .*extern_learn"
}
# True if an established stream continues, and has echoed a number of further segments.
goes_on() {
	within 20 grows stream echoed "$(($(count_of stream echoed) + 100))"
}
# Waits until no more segments arrive in the time that usually suffices for a hundred.
stands_still() {
	before=-1
	while [ "$before" != "$(count_of stream echoed)" ]; do
		before=$(count_of stream echoed)
		! within 1 grows stream echoed "$before" || continue
	done
}

start_agent --policy "$lab/policy.yaml" --forwarding "$insist" --uplinks no-uplink # at an uplink, tw_from_uplink would drop a guest's MAC
check "the bridge is told where guest 1 is" within 20 learned 1
check "and guest 2" within 20 learned 2
begin g2 echo echo tcp 7000
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 30
stream=$child
check "a stream runs" goes_on
# An agent that waits for a CPU too long lets its cut-through lease end, and renews it later.
goes_past() {
	before=$(bridged)
	goes_on && [ "$(bridged)" = "$before" ]
}
check "it goes on without the bridge" within 20 goes_past
equal "counted at both ends" true "$(tapwall ports --json |
	jq -s 'map(select(.packets.out > 100 and .packets.in > 100)) | length == 2')"
equal "and judged at both" "allow allow" "$(tapwall flows --json |
	jq -r 'select(.to.port == 7000) | .out.verdict + " " + .in.verdict')"
opened_at_both() {
	[ "$(tapwall log --json --all | jq -sr '[.[] | select(.event == "open" and .to.port == 7000)
		| "\(.workload) \(.direction), \(.out.rule) and \(.in.rule)"] | join(", ")')" = "w2 in, echo and echo" ]
}
check "one entry tells that both ends opened" within 20 opened_at_both

on_host bridge link set dev tap1 isolated on
on_host bridge link set dev tap2 isolated on
check "isolated ports do not reach each other" stands_still
on_host bridge link set dev tap1 isolated off
check "one of them may" goes_on
on_host bridge link set dev tap2 isolated off
check "and both when they are no longer" goes_on

make_bridge br1
ip -n "$ns-host" link set tap2 master br1
check "a port on another bridge is not reached" stands_still
ip -n "$ns-host" link set tap2 master br0
check "but again when it is back" goes_on

# The same MAC behind a port that the agent does not manage: for the bridge, the guest has moved. A
# static entry says so, because tw_from_uplink drops frames with that MAC, and the bridge learns
# nothing from them.
ip -n "$ns-host" link add up0 type veth peer name up1
ip -n "$ns-host" link set up0 master br0 up
ip -n "$ns-host" link set up1 up
# Until a port forwards, the bridge takes only static and local entries for it.
check "the bridge has its MAC at another port" within 20 \
	bridge -n "$ns-host" fdb replace 52:54:00:00:00:02 dev up0 master dynamic
check "a MAC that is seen elsewhere is believed" within 20 grep -q "tap2: its MAC is seen" "$lab/agent.log"
ip -n "$ns-host" link del up0
check "its guest speaks, and is believed again" within 20 grep -q "tap2: its MAC is back" "$lab/agent.log"
check "the stream goes on" goes_on

stop_agent
start_agent --policy "$lab/policy.yaml" --forwarding vswitch
before=$(bridged)
check "with --forwarding vswitch it goes on" goes_on
check "through the bridge" test "$(bridged)" -gt "$((before + 100))"
check "without a segment lost but to ports that were kept apart" end "$stream"
stop_agent
release
equal "nothing is left with the bridge" "" \
	"$(bridge -n "$ns-host" fdb show br br0 | grep extern_learn)"
finish
