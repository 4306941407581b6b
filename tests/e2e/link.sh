#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# link.sh: an agent dials its slow path, which queries the agent, sets its policy and follows its log on that
# connection. Under traffic the slow path is killed, stopped and restarted, and its cable is cut: no packet is lost.
#
#	  slow              host
#	[ tapwall-slowd ]──veth──[ tapwalld, guests ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
slowd=

# Starts slowd without privileges, as a user that owns only its state directory.
start_slowd() {
	ip netns exec "$ns-slow" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen '[fd09::1]:7433' --socket "$slow/slowd.sock" \
		--viewer-socket "$slow/view.sock" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" \
		--ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
stop_slowd() { # SIGNAL
	kill "-$1" "$slowd"
	wait "$slowd" 2>/dev/null
}
by_slow() { # VERB…
	TAPWALL_SLOW="$slow/slowd.sock" TAPWALL_SOCKET=agent:host-a "$TW_BUILD/tapwall" "$@"
}
agents() { # JQ FILTER
	"$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" --json | jq -es "any(.[]; $1)"
}
link_is() { # STATE
	tapwall status --json | jq -es --arg state "$1" 'any(.[]; .slow_path.state == $state)'
}
why_has() { # TEXT
	tapwall status --json | jq -es --arg text "$1" 'any(.[]; .slow_path.why | contains($text))'
}
refused() { # TEXT COMMAND…
	text=$1
	shift
	if "$@" >"$lab/refused.out" 2>&1; then return 1; fi
	grep -q "$text" "$lab/refused.out"
}
not() { # COMMAND…
	! "$@"
}
echoed() {
	count_of "$1" echoed
}

make_host
make_guest 1
make_guest 2
guests="$guests slow"
ip netns add "$ns-slow"
ip -n "$ns-slow" link set lo up
ip -n "$ns-host" link add up0 type veth peer name eth0 netns "$ns-slow"
on_host sysctl -qw net.ipv6.conf.up0.disable_ipv6=0 net.ipv6.conf.up0.dad_transmits=0
ip netns exec "$ns-slow" sysctl -qw net.ipv6.conf.eth0.dad_transmits=0
ip -n "$ns-slow" addr add fd09::1/64 dev eth0 nodad
ip -n "$ns-host" addr add fd09::2/64 dev up0 nodad
ip -n "$ns-slow" link set eth0 up
ip -n "$ns-host" link set up0 up
policy() { # ACTION
	workloads 2
	cat <<-END
		rules:
		  - {name: echo, from: any, to: any, service: [udp/7003, tcp/7004], action: allow}
		  - {name: no, from: any, to: any, service: tcp/7001, action: $1}
	END
}
policy reject >"$lab/policy.yaml"
policy deny >"$lab/other.yaml"
chmod 755 "$lab"
mkdir "$slow" "$lab/certs"
chown 65534:65534 "$slow"
slowd_alone() { # OPTION…
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TW_BUILD/tapwall-slowd" --state-dir "$slow" "$@"
}
check "the slow path makes a CA" slowd_alone --init
print=$(cat "$lab/check.out")
equal "its keys are its own" "600 600" "$(stat -c %a "$slow/ca-key.pem") $(stat -c %a "$slow/slowd.pem")"
equal "and keeps it" "$print" "$(slowd_alone --init)"
slowd_alone --issue host-a >"$lab/certs/host-a.pem" || bail "a certificate is issued"
cp "$slow/ca.pem" "$lab/certs"
check "a name is checked" refused 'is not a valid name' slowd_alone --issue ../host-a

start_slowd
equal "its sockets are its own and its groups'" "660 660" \
	"$(stat -c %a "$slow/slowd.sock") $(stat -c %a "$slow/view.sock")"
check "no agent has connected" sh -c \
	"'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' | grep -q 'no agent has connected'"
start_agent --policy "$lab/policy.yaml" --slow-path '[fd09::1]:7433' --slow-path-cert "$lab/certs/host-a.pem" \
	--slow-path-key "$lab/certs/host-a.pem" --slow-path-ca "$lab/certs/ca.pem"
check "the agent dials its slow path" within 20 link_is connected
check "status names it" sh -c "'$TW_BUILD/tapwall' status --socket '$socket' | grep -q 'slow path.*connected for .* to slow-path,'"
check "and when the certificate expires" tapwall status --json
equal "… in days" true "$(jq '.slow_path.certificate_left_s > 364 * 86400' "$lab/check.out")"
equal "the agent listens nowhere" "" "$(on_host ss -Hltn)"
check "the slow path knows the agent" within 20 \
	agents '.name == "host-a" and .connected and .policy_generation == 1'

check "it asks the agent for its status" sh -c \
	"TAPWALL_SLOW='$slow/slowd.sock' '$TW_BUILD/tapwall' status --socket agent:host-a --json | jq -es 'any(.[]; .ports_protected == 2)'"
check "for its ports" by_slow ports
check "and its policy's rules" sh -c \
	"TAPWALL_SLOW='$slow/slowd.sock' '$TW_BUILD/tapwall' rules --socket agent:host-a | grep -q 7001"
check "there is no such agent" refused 'there is no such agent' \
	env TAPWALL_SLOW="$slow/slowd.sock" "$TW_BUILD/tapwall" status --socket agent:nobody
check "the slow path gets no frames" refused 'not allowed to the slow path' by_slow capture w1
check "and reads no file of the host" refused 'not allowed to the slow path' by_slow reload
TAPWALL_SLOW="$slow/slowd.sock" "$TW_BUILD/tapwall" log --follow --json --socket agent:host-a >"$lab/followed" \
	2>"$lab/followed.err" &
follower=$!
children="$children $follower"
: >"$lab/logged"
TAPWALL_SLOW="$slow/slowd.sock" "$TW_BUILD/tests/e2e/connection-log" agent:host-a >"$lab/logged" 2>&1 &
children="$children $!"
equal "a refusal" refused "$(attempt 1 tcp 10.0.0.12 7001)"
check "is followed through the slow path" within 20 grep -q '"rule":"no"' "$lab/followed"
check "and by a program with the library" within 20 grep -q ' deny tcp w1=.* w2=10.0.0.12:7001 rule no ' "$lab/logged"
check "a stream does not stop a policy" by_slow apply "$lab/other.yaml"
equal "which is in force at the port" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
check "and told in the list of agents" within 20 agents '.policy_generation == 2'
check "a viewer of the slow path looks" env TAPWALL_SLOW="$slow/view.sock" \
	"$TW_BUILD/tapwall" ports --socket agent:host-a
check "and sets no policy" refused "viewers' socket" env TAPWALL_SLOW="$slow/view.sock" \
	"$TW_BUILD/tapwall" apply "$lab/policy.yaml" --socket agent:host-a

begin g2 echo-udp echo udp 7003
begin g2 echo-tcp echo tcp 7004
begin g1 udp stream "$lab/udp" udp 10.0.0.12 7003 2
udp=$child
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7004 2
tcp=$child
check "traffic flows" within 20 grows tcp echoed 50

stop_slowd KILL
check "the slow path is killed: status says so" within 20 link_is waiting
check "… and the log why" within 20 grep -q 'slow path .*\(cut\|closed\) by the peer' "$lab/agent.log"
check "a client that follows waits for it" within 20 grep -q "is gone; waiting" "$lab/followed.err"
end "$follower"
check "the host is not degraded" tapwall status --json
equal "… in any way" '[]' "$(jq -c .degraded "$lab/check.out")"
check "status tells of refused connections" within 20 why_has refused
start_slowd
check "it comes back: the agent dials again" within 40 link_is connected
check "and is asked again" within 20 agents '.connected and .policy_generation == 2'

freeze "$slowd"
before=$(echoed tcp)
check "the slow path is stopped: the agent answers at once" within 2 answers
check "traffic goes on" within 20 grows tcp echoed $((before + 100))
check "the agent notices that nothing comes" within 40 link_is waiting
check "… and says so" within 20 grep -q 'slow path .*: sent nothing for 15 s' "$lab/agent.log"
check "a handshake that does not end is given up" within 40 grep -q \
	'slow path .*: the handshake took longer than 5 s' "$lab/agent.log"
kill -CONT "$slowd"
check "it goes on: the agent dials again" within 60 link_is connected

ip -n "$ns-host" link set up0 down
before=$(echoed tcp)
check "the cable is cut: traffic goes on" within 20 grows tcp echoed $((before + 100))
check "the agent notices" within 40 link_is waiting
check "so does the slow path" within 40 agents '.connected | not'
check "… and says why" agents '.why | contains("15 s")'
ip -n "$ns-host" link set up0 up
ip -n "$ns-host" addr replace fd09::2/64 dev up0 nodad
check "the cable is mended: the agent dials again" within 60 link_is connected
check "and is known again" within 20 agents '.connected'

stop_agent TERM
check "the agent ends: the slow path says so" within 20 agents '(.connected | not) and .why != ""'
start_agent --policy "$lab/policy.yaml" --slow-path '[fd09::1]:7433' --slow-path-cert "$lab/certs/host-a.pem" \
	--slow-path-key "$lab/certs/host-a.pem" --slow-path-ca "$lab/certs/ca.pem"
check "it comes back" within 40 link_is connected

check "root revokes its certificate" "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --revoke host-a
check "the connection is cut" within 20 agents '(.connected | not) and (.why | contains("revoked"))'
check "and refused: status says why" within 40 why_has 'Certificate was revoked'
check "the reason is logged" within 20 grep -q "refused: the peer's certificate was revoked" "$lab/slowd.log"
is_later() { # than the revocation, which covers certificates of the same second
	[ "$(date +%s)" -gt "$(cut -d ' ' -f 2 "$slow/revoked")" ]
}
within 20 is_later || bail "time passes"
slowd_alone --issue host-a >"$lab/certs/new.pem" || bail "a certificate is issued again"
mv "$lab/certs/new.pem" "$lab/certs/host-a.pem"
check "a new certificate is accepted" within 60 link_is connected
echo 'host-b not a time' >>"$slow/revoked"
check "a list that cannot be read shuts all out" within 20 agents '.connected | not'
sed -i '$d' "$slow/revoked"
check "until it can" within 60 link_is connected
mv "$slow/revoked" "$lab/revoked"
check "a list that was deleted shuts all out, too" within 20 agents '.connected | not'
mv "$lab/revoked" "$slow/revoked"
check "until it is back" within 60 link_is connected

all_arrive "every datagram came back" end "$udp"
all_arrive "every TCP message came back" end "$tcp"
all_arrive "no segment was lost" none_lost tcp
check "the slow path lives" kill -0 "$slowd"
finish
