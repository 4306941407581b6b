#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# adopt.sh: TCP connections that began before a port saw them continue in its adoption window: when a
# guest arrives, however late it speaks, when ports move to another bridge, and when an operator says
# so. Outside a window they are denied. A policy and an operator can close windows early.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_bridge br1
make_bridge br2
make_bridge br3
make_guest 1
make_guest 3
# Guest 3 sends nothing but what the test makes it send.
in_guest 3 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
make_policy() { # LENGTH OF THE WINDOW
	workloads 3
	cat <<-END
		rules:
		  - {name: echo, from: w3, to: w1, service: tcp/7000, action: allow}
		options: {adopt: $1}
	END
}
make_policy 2s >"$lab/short.yaml"
make_policy 0s >"$lab/never.yaml"
make_policy 1h >"$lab/long.yaml"

rename() { # OLD NEW
	ip -n "$ns-host" link set "$1" down &&
		ip -n "$ns-host" link set "$1" name "$2" &&
		ip -n "$ns-host" link set "$2" up
}
goes_on() {
	within 40 grows stream echoed "$(($(count_of stream echoed) + 20))"
}
denied() { # the number of segments that were denied, because no record has their connection
	tapwall counters --all --json |
		jq -s 'map(select(.reason == "tcp-midstream") | .out + .in) | add'
}
is_denied() { # MORE THAN
	[ "$(denied)" -gt "$1" ]
}
stands_still() {
	before=$(count_of stream echoed)
	within 20 is_denied "$(($(denied) + 1))" && [ "$(count_of stream echoed)" = "$before" ]
}
# Moves both ports to a bridge on which their connection has no record.
move() { # BRIDGE
	ip -n "$ns-host" link set tap1 master "$1" && ip -n "$ns-host" link set tap3 master "$1"
}
placed() { # BRIDGE
	tapwall ports --json | jq -es "map(select(.bridge == \"$1\")) | length == 2" >/dev/null
}

# ---- a guest that arrives ----

rename tap3 oth3
start_agent --policy "$lab/short.yaml"
begin g1 echo echo tcp 7000
begin g3 stream stream "$lab/stream" tcp 10.0.0.11 7000 120
stream=$child
check "a connection is open, and one of its ends is not protected" goes_on
ip -n "$ns-g3" link set eth0 down
rename oth3 tap3
check "the guest at that end arrives, and is silent" within 20 port_is tap3 protected
sleep 3 # for longer than the window
ip -n "$ns-g3" link set eth0 up
check "the connection continues when the guest speaks" goes_on
equal "and its record is that of an established connection" established \
	"$(tapwall flows --json --port 7000 | jq -r .state)"

# ---- ports that move to another bridge ----

sleep 3
move br1
check "both ports move to another bridge" within 20 placed br1
check "and the connection continues there" goes_on
left_behind() {
	tapwall log --all --json --port 7000 |
		jq -es 'any(.[]; .event == "close" and .reason == "port-gone")' >/dev/null
}
check "its record on the bridge that both have left ends" within 40 left_behind
move br0
check "both ports come back" within 20 placed br0
check "and the connection continues, despite the record left behind there" goes_on

check "a policy without windows" apply "$lab/never.yaml"
sleep 3
move br2
check "both ports move to a third bridge" within 20 placed br2
check "the connection stands still" stands_still

# ---- an operator's window ----

check "a window for an unknown workload is refused" sh -c "! '$TW_BUILD/tapwall' adopt w9 --for 60s --socket '$socket' 2>'$lab/refused'"
check "and the error says why" grep -q "there is no such workload" "$lab/refused"
equal "a window at one end" '{"ports":1,"seconds":60}' "$(tapwall adopt w1 --for 60s --json)"
check "is not enough" stands_still
equal "a window at both ends" '{"ports":2,"seconds":60}' "$(tapwall adopt --for 60s --json)"
check "the connection continues" goes_on
check "the log says who opened it" within 20 grep -q "all ports: TCP connections without a record are adopted for 60 s at 2 ports, on request of root" "$lab/agent.log"

# ---- windows that end early ----

check "a policy with windows" apply "$lab/short.yaml"
check "and one without" apply "$lab/never.yaml"
equal "an operator's windows outlive both, and --stop closes them" '{"ports":2,"seconds":0}' \
	"$(tapwall adopt --stop --json)"
move br3
check "both ports move again" within 20 placed br3
check "the connection stands still, because no window counts for moved ports" stands_still
check "a policy with long windows" apply "$lab/long.yaml"
equal "opens none where ports are protected already" 0 "$(tapwall adopt --stop --json | jq .ports)"
move br0
check "both ports move back" within 20 placed br0
check "the connection continues in its windows" goes_on
check "a policy without windows" apply "$lab/never.yaml"
check "closes them, and the log says so" within 20 \
	grep -q "adoption windows of 2 ports end earlier, as the policy says" "$lab/agent.log"
equal "so none is open" '{"ports":0,"seconds":0}' "$(tapwall adopt --stop --json)"
check "a window at one workload" tapwall adopt w1 --for 60s
equal "is not closed with another's" 0 "$(tapwall adopt w3 --stop --json | jq .ports)"
equal "but with its own" 1 "$(tapwall adopt w1 --stop --json | jq .ports)"
tapwall adopt >"$lab/neither" 2>&1
equal "a time or --stop is needed" 2 $?
all_arrive "no segment was lost" end "$stream"
finish
