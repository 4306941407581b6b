#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# cut-uplink.sh: frames to and from hosts behind an uplink are cut through too, but only if the
# bridge would send them to the same port; the bridge still learns the addresses that it needs.
#
#	[ guest 1 ]──[ tap1 ]─[ br0 ]─[ up0 ]──[ eth0 ] beyond: 10.0.0.99
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
# uplink NAME NAMESPACE ADDRESS MAC BRIDGE
uplink() {
	guests="$guests $2"
	ip netns add "$ns-$2"
	ip -n "$ns-$2" link set lo up
	ip -n "$ns-host" link add "$1" type veth peer name eth0 address "$4" netns "$ns-$2"
	ask_longer "$2" eth0
	ip -n "$ns-$2" addr add "$3/24" dev eth0
	ip -n "$ns-$2" link set eth0 up
	ip -n "$ns-host" link set "$1" master "$5" up
}
uplink up0 beyond 10.0.0.99 52:54:00:00:09:09 br0
ip -n "$ns-host" addr add 10.0.0.1/24 dev br0
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: out, from: w1, to: 10.0.0.0/24, service: [tcp/7000, udp/7004], action: allow}
		  - {name: in, from: 10.0.0.99, to: w1, service: [tcp/7001, udp/7001], action: allow}
		  - {name: no, from: 10.0.0.99, to: w1, service: tcp/7002, action: reject}
	END
} >"$lab/policy.yaml"
watch_bridge
insist="cut-through!" # that table does nothing but count

goes_on() { # LOG
	within 20 grows "$1" echoed "$(($(count_of "$1" echoed) + 100))"
}
goes_past() { # LOG
	bridged=$(bridged)
	goes_on "$1" && [ "$(($(bridged) - bridged))" -lt 50 ]
}
goes_over() {
	bridged=$(bridged)
	goes_on "$1" && [ "$(($(bridged) - bridged))" -gt 100 ]
}
stands_still() { # LOG
	echoed=-1
	while [ "$echoed" != "$(count_of "$1" echoed)" ]; do
		echoed=$(count_of "$1" echoed)
		! within 1 grows "$1" echoed "$echoed" || continue
	done
}
uplinks() {
	tapwall status --json | jq -r '.uplinks | join(" ")'
}
uplinks_are() {
	[ "$(uplinks)" = "$1" ]
}

start_agent --policy "$lab/policy.yaml" --forwarding "$insist"
if [ "$(tapwall status --json | jq '.asks_bridges and .attach == "tcx"')" != true ]; then
	echo "1..0 # SKIP this kernel's bridges cannot be asked"
	stop_agent
	release
	exit 0
fi
check "up0 is an uplink" within 20 uplinks_are up0
begin beyond echo echo tcp 7000
begin g1 in echo tcp 7001
begin g1 out stream "$lab/out" tcp 10.0.0.99 7000 10
out=$child
begin beyond in-stream stream "$lab/in" tcp 10.0.0.11 7001 10
in=$child
check "a guest's stream goes past the bridge to the uplink and back" within 20 goes_past out
check "and one from beyond to the guest" within 20 goes_past in
equal "judged once each" "1 1" "$(tapwall flows --json | jq -s -r '[(map(select(.to.port == 7000)) | length),
	(map(select(.to.port == 7001)) | length)] | map(tostring) | join(" ")')"
equal "what no rule allows stays out" timeout "$(ip netns exec "$ns-beyond" "$traffic" connect tcp 10.0.0.11 7009 |
	cut -d ' ' -f 1)"
equal "what a rule rejects is told so" reset "$(ip netns exec "$ns-beyond" "$traffic" connect tcp 10.0.0.11 7002 |
	cut -d ' ' -f 1 | sed s/refused/reset/)"
equal "the guest's way to the host is the bridge's" refused "$(attempt 1 tcp 10.0.0.1 7000)"

bridge -n "$ns-host" fdb flush dev br0
check "a bridge that was made to forget learns again" within 20 sh -c \
	"bridge -n $ns-host fdb show br br0 | grep -q '52:54:00:00:09:09 dev up0'"
check "and the stream goes past it again" within 20 goes_past out
# An ageing time shorter than the test: without any frames the bridge would forget the MACs, and
# flood.
ip -n "$ns-host" link set br0 type bridge ageing_time 300
check "with a short memory of the bridge, it still goes on" goes_on out
sleep 4
check "because it is shown frames in time" sh -c \
	"bridge -n $ns-host fdb show br br0 | grep -q '52:54:00:00:09:09 dev up0'"
ip -n "$ns-host" link set br0 type bridge ageing_time 30000

# The outside station moves behind another port of the bridge, like a guest that migrates.
uplink up2 other 10.0.0.98 52:54:00:00:09:0a br0
ip -n "$ns-other" addr add 10.0.0.97/32 dev lo
ip -n "$ns-g1" neigh replace 10.0.0.97 lladdr 52:54:00:00:09:09 dev eth0
begin other moved count "$lab/moved" 7004
check "up2 is an uplink too" within 20 uplinks_are "up0 up2"
freeze "$agent"
ip -n "$ns-beyond" link set eth0 down
ip -n "$ns-other" link set eth0 address 52:54:00:00:09:09
ip netns exec "$ns-other" "$traffic" connect tcp 10.0.0.1 1 >/dev/null 2>&1
attempt 1 udp 10.0.0.97 7004 >/dev/null 2>&1
check "frames follow a MAC that moved, though nobody has heard" within 20 grows moved 7004 0
kill -CONT "$agent"
ip -n "$ns-other" link set eth0 address 52:54:00:00:09:0a
ip -n "$ns-beyond" link set eth0 up
ip netns exec "$ns-beyond" "$traffic" connect tcp 10.0.0.1 1 >/dev/null 2>&1
check "and back" within 20 goes_past out
ip -n "$ns-host" link del up2
check "an uplink that is gone is none" within 20 uplinks_are up0

ip -n "$ns-host" link set up0 nomaster
check "an uplink off the bridge is not reached" stands_still out
ip -n "$ns-host" link set up0 master br0
check "and reached again" within 20 goes_past out
check "from there too" within 20 goes_past in

stop_agent KILL
check "with the agent dead all of it is bridged" within 20 goes_over out
check "both ways" within 20 goes_over in
start_agent --policy "$lab/policy.yaml" --forwarding "$insist" --uplinks 'eth*,none*'
check "--uplinks says which they are" within 20 uplinks_are ""
check "others are bridged to" within 20 goes_over out
check "and from" within 20 goes_over in
stop_agent
start_agent --policy "$lab/policy.yaml" --forwarding "$insist" --uplinks none
check "--uplinks none: no uplinks" within 20 uplinks_are ""
stop_agent
start_agent --policy "$lab/policy.yaml" --forwarding "$insist"
check "by default all are" within 20 goes_past out
check "the stream out lost nothing but to where it could not go" end "$out"
check "and the stream in" end "$in"
stop_agent
release
equal "released, nothing is left at the uplink" "" \
	"$(on_host bpftool net show dev up0 2>/dev/null | grep -o tw_from_uplink)"
finish
