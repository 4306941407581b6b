#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# policies.sh: tapwall-slowd stores versions of policies and puts them in force at two agents. An agent may refuse
# a version, be away, or get another policy by hand. The store survives SIGKILL. If it is damaged, tapwall-slowd
# still serves the agents.
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
		--viewer-socket "$slow/view.sock" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" \
		--ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 policy status || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
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
policy() { # ACTION…
	"$TW_BUILD/tapwall" policy "$@" --slow "$slow/slowd.sock"
}
target() { # AGENT JQ FILTER
	policy status --json | jq -es "any(.[]; .agent == \"$1\" and ($2))"
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
log_has() { # FILE TEXT
	within 20 grep -q "$2" "$lab/$1"
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
begin g2 echo7002 echo tcp 7002

rules() { # PORT…
	echo 'rules:'
	for port; do
		echo "  - {name: p$port, from: any, to: any, service: tcp/$port, action: allow}"
	done
	echo '  - {name: rest, from: any, to: any, action: reject}'
}
{ workloads 2; rules 7001; } >"$lab/one.yaml"
{ workloads 1; rules 7001 7002; } >"$lab/two.yaml" # has no workload for tap2
{ workloads 2; rules 7002; } >"$lab/three.yaml"
{ workloads 2; echo 'rules:'; echo '  - {name: bad, from: w9, to: any, action: allow}'; } >"$lab/bad.yaml"

start_slowd
check "no version is stored" says 0 'no version is stored' policy log
# shellcheck disable=SC2046
start_agent $(linked host-a)
start_other
check "the agents connect" within 20 target host-a '.connected and .state == "unmanaged"'
check "both of them" within 20 target host-b '.connected and .state == "unmanaged"'

check "an invalid policy is refused at its place" says 1 'bad.yaml:6:23:.*w9' policy push "$lab/bad.yaml"
check "and not stored" says 0 'no version is stored' policy log
# A directory is one policy. An error is at its place in its file, and none of the files is stored.
mkdir "$lab/tenants.d"
head -n "$(($(grep -n '^rules:' "$lab/one.yaml" | cut -d : -f 1) - 1))" "$lab/one.yaml" >"$lab/tenants.d/10-base.yaml"
sed -n '/^rules:/,$p' "$lab/one.yaml" >"$lab/tenants.d/20-one.yaml"
printf 'rules:\n  - {name: other, from: any, to: w9, service: tcp/9, action: allow}\n' >"$lab/tenants.d/30-bad.yaml"
check "a directory with a faulty file is refused at the place in the file" says 1 '30-bad.yaml:2:34:.*w9' \
	policy push "$lab/tenants.d"
check "nor is it stored" says 0 'no version is stored' policy log
check "and no agent has got a part of it" target host-a '.state == "unmanaged"'
rm "$lab/tenants.d/30-bad.yaml"
check "an unknown agent is named" says 2 'there is no such agent' policy push "$lab/one.yaml" --agents host-x
check "viewers push nothing" says 3 "viewers' socket" "$TW_BUILD/tapwall" policy push "$lab/one.yaml" \
	--slow "$slow/view.sock"
check "a version is pushed" policy push "$lab/one.yaml" -m 'the first'
check "host-a has it" target host-a '.state == "in-force" and .wanted == 1 and .in_force == 1'
check "host-b has it" target host-b '.state == "in-force" and .in_force == 1'
equal "it is in force at the ports" "connected refused" \
	"$(attempt 1 tcp 10.0.0.12 7001) $(attempt 1 tcp 10.0.0.12 7002)"
policy log --json >"$lab/log.json"
equal "the log has author, comment and digest" "root the first $(sha256sum "$lab/one.yaml" | cut -d ' ' -f 1)" \
	"$(jq -r '.author + " " + .comment + " " + .sha256' "$lab/log.json")"
check "viewers read it" "$TW_BUILD/tapwall" policy log --slow "$slow/view.sock"

check "a version that one agent refuses" says 1 'host-a: REFUSED: .*NOT FILTERED' policy push "$lab/two.yaml"
check "is in force at the other" target host-b '.state == "in-force" and .in_force == 2'
check "and why is told" target host-a '.state == "refused" and .in_force == 1 and (.error | contains("tap2"))'
policy show 2 >"$lab/shown.yaml"
check "a version is shown" cmp "$lab/two.yaml" "$lab/shown.yaml"
policy diff 1 2 >"$lab/diff.out"
equal "two are compared" "  - workload w2,  + rule p7002" "$(grep -v '^      ' "$lab/diff.out" | paste -sd ,)"
check "an older version again" policy push --stored 1
check "is in force at both" target host-a '.state == "in-force" and .wanted == 1 and .in_force == 1'
equal "and no new one is made" 2 "$(policy log --json | wc -l)"

check "another policy is applied at the host" apply "$lab/three.yaml"
check "drift is shown" within 20 target host-a '.state == "drift" and .wanted == 1 and .in_force == null'
check "and logged" log_has slowd.log 'agent host-a: drift: policy .*three.yaml is in force instead of version 1'
equal "and not overwritten" "refused connected" \
	"$(attempt 1 tcp 10.0.0.12 7001) $(attempt 1 tcp 10.0.0.12 7002)"
check "a push replaces it" policy push --stored 1 --agents host-a
check "and ends the drift" target host-a '.state == "in-force" and .in_force == 1'

kill "$other"
wait "$other" 2>/dev/null
check "an agent goes away" within 20 target host-b '(.connected | not) and .state == "away"'
check "a push does not wait for it" says 0 'host-b: away; gets it when it connects' policy push "$lab/three.yaml"
check "it waits for the agent" target host-b '.state == "waiting" and .wanted == 3'
stop_slowd KILL
start_slowd
check "the slow path was killed, and knows what is wanted" target host-b '.state == "waiting" and .wanted == 3'
start_other
check "the agent comes back and gets it" within 60 target host-b '.state == "in-force" and .in_force == 3'
check "the other one had it" within 60 target host-a '.state == "in-force" and .in_force == 3'

check "a version that must be confirmed" says 0 'host-a: in force; returns in' policy push "$lab/one.yaml" --confirm 8s
equal "is in force" connected "$(attempt 1 tcp 10.0.0.12 7001)"
stop_slowd KILL
check "the slow path is dead: the agent returns" within 20 becomes refused 1 tcp 10.0.0.12 7001
check "… to what it had" becomes connected 1 tcp 10.0.0.12 7002
start_slowd
check "the slow path comes back and wants that" within 60 target host-a \
	'.state == "in-force" and .wanted == 3 and .confirm_left_s == null'
check "at both" within 60 target host-b '.state == "in-force" and .in_force == 3'
check "nothing is left to confirm" says 2 'no version waits' policy confirm
check "a version that is confirmed" policy push "$lab/one.yaml" --confirm 10m
check "at all agents at once" says 0 'host-b: in force$' policy confirm
check "stays there" sh -c "'$TW_BUILD/tapwall' status --socket '$socket' --json | jq -es 'any(.[]; .confirmation == null)'"

check "a directory is pushed" policy push "$lab/tenants.d"
check "and in force" target host-a '.state == "in-force" and .in_force == .wanted'
equal "at the ports, too" connected "$(attempt 1 tcp 10.0.0.12 7001)"
printf 'rules: [{name: p7001, from: any, to: any, service: tcp/7003, action: allow}]\n' >"$lab/tenants.d/30-bad.yaml"
check "after a file with a rule of the same name was added, it is refused" says 1 '30-bad.yaml:1:.*p7001' \
	policy push "$lab/tenants.d"
check "what was in force stays wanted" target host-a '.state == "in-force" and .in_force == .wanted'
equal "and in force" connected "$(attempt 1 tcp 10.0.0.12 7001)"

# ---- long texts ----
generation() { # of the policy in force at host-a
	tapwall status --json | jq -s '.[0].policy_generation'
}
long() { # LINES of 1,000 bytes
	cat "$lab/one.yaml"
	yes "# $(printf '%997s' comment)" | head -n "$1"
}
at_host_a() { # COMMAND…
	TAPWALL_SLOW="$slow/slowd.sock" "$TW_BUILD/tapwall" "$@" --socket agent:host-a
}
long 8000 >"$lab/long8.yaml"
check "a text of almost 8 MiB is pushed" says 0 'host-a: in force' policy push "$lab/long8.yaml"
check "and in force at both" target host-b '.state == "in-force" and .in_force == .wanted'
versions=$(policy log --json | wc -l)
long 8500 >"$lab/long9.yaml"
check "one of more than 8 MiB is not" \
	says 2 'the policy has more than 8 MiB; apply it on each host, or shorten it' policy push "$lab/long9.yaml"
equal "nor stored" "$versions" "$(policy log --json | wc -l)"
long 16000 >"$lab/long16.yaml"
check "one of almost 16 MiB is applied at one host" says 0 'is in force' at_host_a apply "$lab/long16.yaml"
at_host_a policy --show "$(generation)" >"$lab/shown.yaml"
check "which gives it back" cmp "$lab/long16.yaml" "$lab/shown.yaml"
long 17000 >"$lab/long17.yaml"
check "one of more is not" says 1 "the request is larger than 16 MiB; send it to the agent's own socket" \
	at_host_a apply "$lab/long17.yaml"
check "it is applied on the host itself" apply "$lab/long17.yaml"
check "which alone gives it back" says 2 'the answer is larger than 16 MiB; ask for it on the host itself' \
	at_host_a policy --show "$(generation)"
check "the agent stays connected" within 20 target host-a '.connected and .state == "drift"'

stop_slowd TERM
dd if=/dev/urandom of="$slow/policies.db" bs=4096 count=1 conv=notrunc status=none
start_slowd_damaged() {
	ip netns exec "$ns-slow" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen '[fd09::1]:7433' --socket "$slow/slowd.sock" \
		--cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
}
start_slowd_damaged
agents_are() {
	[ "$("$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" --json | jq -r 'select(.connected).name' | paste -sd ' ')" = "$1" ]
}
check "with a damaged store it serves agents" within 40 agents_are "host-a host-b"
check "and says what is wrong" says 5 'policies.db' policy log
equal "the ports keep their policy" "connected refused" \
	"$(attempt 1 tcp 10.0.0.12 7001) $(attempt 1 tcp 10.0.0.12 7002)"
finish
