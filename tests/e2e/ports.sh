#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# ports.sh: ports are created, renamed, moved between bridges, deleted and recreated; workloads
# without a port name are found by MAC; ports of no workload are ignored, or denied.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_bridge br1
for i in 1 2 3; do
	make_guest $i
done
{
	workloads 2
	cat <<-'END'
		  by-tap: {mac: "52:54:00:00:00:05", addresses: [10.0.0.15]}
		  by-sender: {mac: "52:54:00:00:00:06", addresses: [10.0.0.16]}
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7000, action: allow}
	END
} >"$lab/policy.yaml"
sed '$a options: {unclaimed: deny}' "$lab/policy.yaml" >"$lab/deny.yaml"
sed '$a options: {bind: first-sender}' "$lab/policy.yaml" >"$lab/first-sender.yaml"

workload_of() { # PORT
	tapwall ports --json | jq -r --arg name "$1" 'select(.name == $name).workload'
}
belongs_to() { # PORT WORKLOAD
	[ "$(workload_of "$1")" = "$2" ]
}
# A guest whose neighbour did not answer before may not send for a moment.
sends_as() { # N WORKLOAD
	attempt "$1" tcp 10.0.0.12 7000 >/dev/null
	belongs_to "tap$1" "$2"
}
no_port() { # NAME
	[ -z "$(tapwall ports --json | jq -r --arg name "$1" 'select(.name == $name).name')" ]
}
pins_are() { # N
	[ "$(find "$lab/bpffs/tapwall/links" -type f | wc -l)" = "$1" ]
}
bridge_is() { # PORT BRIDGE
	[ "$(tapwall ports --json | jq -r --arg name "$1" 'select(.name == $name).bridge')" = "$2" ]
}

start_agent --policy "$lab/policy.yaml"
begin g2 echo2 echo tcp 7000
begin g3 echo3 echo tcp 7000
equal "a port that no workload claims is told" unclaimed "$(state_of tap3)"
equal "and ignored: its guest sends what it likes" connected "$(attempt 3 tcp 10.0.0.12 7000)"

# Renamed ports.
ip -n "$ns-host" link set tap1 down
ip -n "$ns-host" link set tap1 name tap1b
ip -n "$ns-host" link set tap1b up
check "a renamed port loses the workload of its old name" within 20 port_is tap1b unclaimed
ip -n "$ns-host" link set tap1b down
ip -n "$ns-host" link set tap1b name tap1
ip -n "$ns-host" link set tap1 up
check "and finds it again with its old one" within 20 belongs_to tap1 w1
equal "it works" connected "$(attempt 1 tcp 10.0.0.12 7000)"
ip -n "$ns-host" link set tap1 down
ip -n "$ns-host" link set tap1 name other1
ip -n "$ns-host" link set other1 up
check "a name that is no port's makes it none" within 20 no_port other1
ip -n "$ns-host" link set other1 down
ip -n "$ns-host" link set other1 name tap1
ip -n "$ns-host" link set tap1 up
check "until it is one again" within 20 belongs_to tap1 w1

# Deleted and recreated ports.
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 5
check "a connection lives" within 20 grows stream echoed 20
end "$child"
ip -n "$ns-host" link del tap1
check "a deleted port is gone" within 20 no_port tap1
plug 1 br0
check "made again, it is protected again" within 20 port_is tap1 protected
equal "and works" connected "$(attempt 1 tcp 10.0.0.12 7000)"
for _ in $(seq 10); do
	ip -n "$ns-host" link del tap1
	plug 1 br0
done
check "ten times over" within 20 port_is tap1 protected
equal "it works still" connected "$(attempt 1 tcp 10.0.0.12 7000)"
check "with pins of the three ports alone" within 20 pins_are 6

# Ports that change their bridge.
ip -n "$ns-host" link set tap1 nomaster
ip -n "$ns-host" link set tap1 master br1
ip -n "$ns-host" link set tap2 master br1
check "a port that moves to another bridge is found there" within 20 bridge_is tap2 br1
equal "and works there" connected "$(attempt 1 tcp 10.0.0.12 7000)"
equal "its connections are those of that network" br1 \
	"$(tapwall flows --json | jq -rs '[.[] | select(.to.port == 7000)] | sort_by(.age_s)[0].network')"
ip -n "$ns-host" link set tap1 master br0
ip -n "$ns-host" link set tap2 master br0
check "and back" within 20 bridge_is tap2 br0

# Workloads found by MAC.
ip -n "$ns-host" link set tap3 down address fe:54:00:00:00:05
ip -n "$ns-host" link set tap3 up
check "a tap whose MAC is the workload's behind fe belongs to it" within 20 belongs_to tap3 by-tap
ip -n "$ns-host" link set tap3 down address 02:00:00:00:00:01
ip -n "$ns-host" link set tap3 up
check "with another MAC it does not" within 20 port_is tap3 unclaimed
in_guest 3 ip link set eth0 down address 52:54:00:00:00:06
in_guest 3 ip link set eth0 up
in_guest 3 ip addr del 10.0.0.13/24 dev eth0
in_guest 3 ip addr add 10.0.0.16/24 dev eth0
check "what a guest sends makes it no workload, and is not let pass" \
	test "$(attempt 3 tcp 10.0.0.12 7000)" != connected
equal "it stays unclaimed" unclaimed "$(state_of tap3)"
check "unless the policy says so" apply "$lab/first-sender.yaml"
check "a port belongs to the workload whose MAC it first sends from" within 20 sends_as 3 by-sender
equal "and works" connected "$(attempt 3 tcp 10.0.0.12 7000)"
stop_agent
start_agent --policy "$lab/first-sender.yaml"
equal "the next agent remembers" by-sender "$(workload_of tap3)"

# Deleted while no agent ran.
make_guest 7
check "another port comes" within 20 port_is tap7 unclaimed
stop_agent
ip -n "$ns-host" link del tap7
start_agent --policy "$lab/policy.yaml"
check "a port that went while there was no agent is not there" no_port tap7
check "and has left no pins" within 20 pins_are 6

# Ports of no workload, denied.
check "unclaimed: deny is applied" apply "$lab/deny.yaml"
make_guest 4
check "a port of nobody is there" within 20 port_is tap4 unclaimed
equal "and shut" timeout "$(attempt 4 tcp 10.0.0.12 7000)"
equal "which is counted" true \
	"$(tapwall counters --json | jq 'select(.reason == "unclaimed") | .out > 0')"
finish
