#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# gone.sh: the connections of a deleted port leave the table and the charges of other ports; a guest
# that returns at another port within seconds keeps them.
# shellcheck disable=SC2016,SC2119,SC2317 # sh -c expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2 3; do
	make_guest $i
done
{
	workloads 3
	echo 'rules: [{name: echo, from: any, to: w2, service: tcp/7000, action: allow}]'
} >"$lab/policy.yaml"

flows_of() { # WORKLOAD
	tapwall flows --json --workload "$1" | wc -l
}

flows_are() { # WORKLOAD N
	[ "$(flows_of "$1")" = "$2" ]
}

charged() { # PORT
	tapwall ports --json | jq -r --arg n "$1" \
		'select(.name == $n).connections | .half_open + .established'
}

charged_is() { # PORT N
	[ "$(charged "$1")" = "$2" ]
}

# Prints the workloads whose connections ended, with the reason, such as "w1 port-gone".
closes() {
	tapwall log --all --json |
		jq -r 'select(.event == "close") | "\(.from.workload) \(.reason)"' | sort -u
}

closes_are() { # LINES
	[ "$(closes)" = "$1" ]
}

start_agent --policy "$lab/policy.yaml"
begin g2 echo echo tcp 7000
begin g1 first stream "$lab/first" tcp 10.0.0.12 7000 50
begin g3 third stream "$lab/third" tcp 10.0.0.12 7000 50
third=$child
check "both guests have a connection" within 20 sh -c \
	'grep -q "^echoed=[1-9]" "$1" && grep -q "^echoed=[1-9]" "$2"' - "$lab/first" "$lab/third"
equal "the table has them" "1 1" "$(flows_of w1) $(flows_of w3)"

ip -n "$ns-host" link del tap1
ip -n "$ns-host" link del tap3
plug 3 br0
came=$(count_of third echoed)
check "the guest that comes back goes on with its connection" within 20 grows third echoed "$came"
check "the connection of the one that stays away ends" within 60 flows_are w1 0
check "… with what it was charged" within 20 charged_is tap2 0
check "… and the log says so" within 20 grep -q 'tap1: its 1 connections ended with it' "$lab/agent.log"
check "… of the connection, too, with the reason" within 20 closes_are 'w1 port-gone'
equal "the other one is still there" 1 "$(flows_of w3)"
came=$(count_of third echoed)
check "… and goes on" within 20 grows third echoed "$came"
kill -0 "$third" || not_ok "its traffic lives"

# A port that is deleted while no agent runs.
stop_agent KILL
ip -n "$ns-host" link del tap3
start_agent
check "the connection of a port that went while no agent ran ends" within 60 flows_are w3 0
finish
