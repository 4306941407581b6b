#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# quarantine-slow.sh: tapwall-slowd puts a workload into quarantine at all agents by one call: at those that are away,
# and where its port appears later. The agents keep it without the slow path. A list that was lost lifts nothing. An
# operator of a host can end it there. No client but an operator of the slow path can begin or end one.
#
#	  slow                       host
#	[ tapwall-slowd, host-b ]──veth──[ host-a, guests ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
slowd=
other=

start_slowd() {
	ip netns exec "$ns-slow" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen '[fd09::1]:7433' --socket "$slow/slowd.sock" \
		--viewer-socket "$slow/view.sock" --decider-socket "$slow/decide.sock" --cert "$slow/slowd.pem" \
		--key "$slow/slowd.pem" --ca "$slow/ca.pem" --no-history 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 everywhere || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
stop_slowd() { # SIGNAL
	kill "-$1" "$slowd"
	wait "$slowd" 2>/dev/null
}
linked() { # NAME: options of an agent that dials the slow path
	echo "--slow-path [fd09::1]:7433 --slow-path-cert $lab/$1.pem --slow-path-key $lab/$1.pem --slow-path-ca $lab/ca.pem"
}
# The agent host-b has no ports.
start_other() {
	# shellcheck disable=SC2046
	ip netns exec "$ns-slow" setpriv --bounding-set "$rights" "$tapwalld" --ports 'none*' --socket "$lab/b.sock" \
		--bpffs "$lab/bpffs/b" --state-dir "$lab/state-b" $(linked host-b) 2>>"$lab/b.log" &
	other=$!
	children="$children $other"
}
stop_other() {
	kill -KILL "$other"
	wait "$other" 2>/dev/null
}
everywhere() { # OPTIONS…
	"$TW_BUILD/tapwall" quarantine --everywhere --slow "$slow/slowd.sock" "$@"
}
row() { # JQ FILTER: true if a row of the slow path's list matches
	everywhere --ended --json | jq -es "any(.[]; $1)"
}
at_b() { # JQ FILTER: true if a row of host-b's list matches
	"$TW_BUILD/tapwall" quarantine --socket "$lab/b.sock" --json | jq -es "any(.[]; $1)"
}
lacks_b() { # WORKLOAD
	"$TW_BUILD/tapwall" quarantine --socket "$lab/b.sock" --json | jq -es "all(.[]; .workload != \"$1\")"
}
connected() { # AGENT…: these agents, and no other ones
	[ "$("$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" --json | jq -r 'select(.connected).name' |
		paste -sd ' ')" = "$*" ]
}
says() { # CODE TEXT COMMAND…: true if the command exits with CODE and prints TEXT
	code=$1
	text=$2
	shift 2
	"$@" >"$lab/says.out" 2>&1
	got=$?
	echo "$got"
	cat "$lab/says.out"
	[ "$got" = "$code" ] && grep -q "$text" "$lab/says.out"
}

make_host
make_guest 1
make_guest 2
guests="$guests slow"
ip netns add "$ns-slow"
ip -n "$ns-slow" link set lo up
ip -n "$ns-host" link add up0 type veth peer name eth0 netns "$ns-slow"
on_host sysctl -qw net.ipv6.conf.up0.disable_ipv6=0 net.ipv6.conf.up0.dad_transmits=0
ip -n "$ns-slow" addr add fd09::1/64 dev eth0 nodad
ip -n "$ns-host" addr add fd09::2/64 dev up0 nodad
ip -n "$ns-slow" link set eth0 up
ip -n "$ns-host" link set up0 up
chmod 755 "$lab"
mkdir "$slow"
chown 65534:65534 "$slow"
slowd_alone() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TW_BUILD/tapwall-slowd" --state-dir "$slow" "$@"
}
slowd_alone --init >"$lab/init.out" 2>&1 || bail "the slow path makes a CA" "$(cat "$lab/init.out")"
cp "$slow/ca.pem" "$lab"
for name in host-a host-b; do
	slowd_alone --issue "$name" >"$lab/$name.pem" || bail "a certificate is issued"
done
begin g2 echo7001 echo tcp 7001
{ workloads 3; echo 'rules:'; echo '  - {name: all, from: any, to: any, action: allow}'; } >"$lab/policy.yaml"

start_slowd
# shellcheck disable=SC2046
start_agent --policy "$lab/policy.yaml" $(linked host-a)
start_other
check "the agents connect" within 20 connected host-a host-b
equal "guest 1 talks" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "no workload is in quarantine" says 0 'no workload is in quarantine' everywhere
check "viewers shut nothing" says 3 "viewers' socket" "$TW_BUILD/tapwall" quarantine w1 --everywhere --reason x \
	--slow "$slow/view.sock"
check "nor do deciders" says 3 "deciders' socket" "$TW_BUILD/tapwall" quarantine w1 --everywhere --reason x \
	--slow "$slow/decide.sock"
check "viewers see the list" says 0 'no workload' "$TW_BUILD/tapwall" quarantine --everywhere --slow "$slow/view.sock"
check "a call for one agent alone is refused" says 1 'at all agents' \
	env TAPWALL_SLOW="$slow/slowd.sock" "$TW_BUILD/tapwall" quarantine w1 --reason x --socket agent:host-a
check "a reason must be given" says 2 'reason is missing' everywhere w1

check "one call shuts it: each agent answers" says 0 'host-a: accepted, 1 port shut' everywhere w1 --reason 'ticket 7'
check "the port is shut" port_is tap1 quarantined
equal "nothing passes" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
check "its host says who and why" says 0 '^QUARANTINED: w1, by root through the slow path until it is lifted: ticket 7' \
	tapwall status
check "the other agent has it, too" at_b '.workload == "w1" and .who == "root" and .reason == "ticket 7" and .change > 0'
check "the slow path's list says so" row '.workload == "w1" and .who == "root" and .waiting_all == 0 and .ended == null'
check "a guest that is not there yet" says 0 'host-a: accepted$' everywhere w3 --reason 'on its way' --for 1h
make_guest 3
check "is shut when its port appears" within 20 port_is tap3 quarantined

stop_other
check "an agent goes away" within 20 connected host-a
check "it is not waited for" says 0 'host-b: away; it follows when it connects' everywhere w2 --reason 'a third'
check "the list says who lacks it" row '.workload == "w2" and .waiting == ["host-b"]'
check "a quarantine is lifted meanwhile" says 0 'w1 is no longer in quarantine' everywhere w1 --lift
check "and its guest talks" within 20 port_is tap1 protected
check "the list says by whom" row '.workload == "w1" and .ended > 0 and .ended_by == "root"'
stop_slowd KILL
start_slowd
start_other
check "the slow path was killed: the agent gets the change" within 60 at_b '.workload == "w2"'
check "the lift, too" within 20 lacks_b w1
check "and the agent had kept the others" at_b '.workload == "w3" and .until > 0'

stop_slowd KILL
stop_agent KILL
# shellcheck disable=SC2046
start_agent --policy "$lab/policy.yaml" $(linked host-a)
check "without the slow path, a host keeps it through a restart" port_is tap2 quarantined
check "an operator of the host ends it" says 0 'w2 is no longer' tapwall quarantine w2 --lift
check "and it talks" within 20 port_is tap2 protected
start_slowd
check "the slow path says where it was lifted" within 60 row '.workload == "w2" and .lifted_at == ["host-a"]'
check "and does not begin it again" port_is tap2 protected
check "a host's own quarantine of the same workload" tapwall quarantine w3 --reason 'seen here'
check "outlives the slow path's" says 0 'host-a: accepted' everywhere w3 --lift
check "and the host's list has it, with its own reason" says 0 '^w3  *root  *[0-9].*seen here' tapwall quarantine
check "so the port stays shut" port_is tap3 quarantined
check "a new call begins it at the host where it was lifted" says 0 'host-a: accepted, 1 port' everywhere w2 --reason again
check "so its port is shut" port_is tap2 quarantined

stop_slowd TERM
mv "$slow/policies.db" "$lab/lost.db"
start_slowd
check "the slow path's list is lost: it says who has what" within 60 row '.workload == "w2" and .only_at == "host-a"'
check "and lifts nothing" port_is tap2 quarantined
check "until an operator does" says 0 'host-a: accepted' everywhere w2 --lift
check "then it talks" within 20 port_is tap2 protected
check "a quarantine for two seconds begins at all agents" everywhere w1 --reason 'a moment' --for 2s
check "after that time, the port is open" within 20 port_is tap1 protected
check "and the list says that it has ended" within 20 row '.workload == "w1" and .ended > 0 and .ended_by == null'
check "no agent has it" within 20 lacks_b w1
finish
