#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# churn.sh: netlink loses messages while other interfaces come and go so fast that each dump is
# interrupted. A tap that was recreated meanwhile is found, a deleted one is forgotten, and
# an existing one is not. An agent that starts at that time finds all taps too.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

rounds=3
others=200

make_host
for i in 1 2 3; do
	make_guest $i
done
{
	workloads 3
	echo 'rules: [{name: echo, from: any, to: any, service: tcp/7000, action: allow}]'
} >"$lab/policy.yaml"
begin g3 echo echo tcp 7000

# Interfaces that are not ports, so that dumps take long and messages fill the socket's buffer.
seq "$others" | sed 's/.*/link add d& type veth peer name e&\nlink set d& up/' >"$lab/others"
ip -n "$ns-host" -batch "$lab/others"
text=$(printf '%0200d' 0)
seq 12000 | awk -v n="$others" -v text="$text" \
	'{ printf "link set dev d%d alias %s%d\n", 1 + $1 % n, text, $1 }' >"$lab/aliases"
seq 100000 | awk '{ printf "link add x%d type veth peer name y%d\nlink del x%d\n", $1 % 50, $1 % 50, $1 % 50 }' \
	>"$lab/churn"

churners=
begin_churn() {
	for _ in 1 2; do
		ip -n "$ns-host" -force -batch "$lab/churn" >"$lab/churn.out" 2>&1 &
		churners="$churners $!"
		children="$children $!"
	done
}

end_churn() {
	for pid in $churners; do
		kill -9 "$pid"
		wait "$pid" 2>/dev/null
		children=$(echo "$children" | tr ' ' '\n' | grep -vx "$pid")
	done
	churners=
}

ifindex() {
	on_host cat "/sys/class/net/$1/ifindex"
}

known() { # PORT: true if the agent protects the interface that has this name now
	[ "$(tapwall ports --json | jq -r --arg n "$1" 'select(.name == $n) | "\(.ifindex) \(.state)"')" = \
		"$(ifindex "$1") protected" ]
}

names() {
	tapwall ports --json | jq -r .name | sort | tr '\n' ' '
}

names_are() {
	[ "$(names)" = "$1" ]
}

start_agent --policy "$lab/policy.yaml"
equal "what is allowed passes" connected "$(attempt 1 tcp 10.0.0.13 7000)"
for round in $(seq "$rounds"); do
	freeze "$agent"
	ip -n "$ns-host" -force -batch "$lab/aliases" 2>"$lab/aliases.err"
	ip -n "$ns-host" link del tap3
	plug 3 br0
	ip -n "$ns-host" link del tap2
	begin_churn
	kill -CONT "$agent"
	check "$round: a tap that was made anew unheard of is protected" within 20 known tap3
	check "$round: the one that is gone is forgotten" within 20 names_are 'tap1 tap3 '
	end_churn
	in_guest 1 ip neigh flush all
	check "$round: … and what is allowed passes" within 20 becomes connected 1 tcp 10.0.0.13 7000
	plug 2 br0
	check "$round: one that comes is met" within 20 known tap2
done
check "messages were lost" within 20 grep -q 'could not keep up with netlink' "$lab/agent.log"

begin_churn
for round in $(seq "$rounds"); do
	stop_agent KILL
	start_agent
	equal "$round: an agent that starts meanwhile knows all ports" 'tap1 tap2 tap3 ' "$(names)"
done
end_churn
in_guest 1 ip neigh flush all
equal "what is allowed passes in the end" connected "$(attempt 1 tcp 10.0.0.13 7000)"
finish
