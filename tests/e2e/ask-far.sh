#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# ask-far.sh: a decider at the slow path answers the questions of an agent over the link, or from another machine with a
# certificate. What a client may do depends on the socket, or on the certificate. When the slow path dies, on-timeout
# decides the questions, and other traffic is not affected.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
slowd=
decider=

start_slowd() {
	ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen 127.0.0.1:7433 \
		--socket "$slow/slowd.sock" --decider-socket "$slow/decide.sock" --viewer-socket "$slow/view.sock" \
		--cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
known() { # the agent is connected
	"$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" --json | jq -se 'any(.name == "host-a" and .connected)'
}
at() { # SOCKET VERB…
	at=$1
	shift
	TAPWALL_SLOW="$slow/$at.sock" "$TW_BUILD/tapwall" "$@" --socket agent:host-a
}
decide() { # SOCKET COMMAND
	: >"$lab/decide.err"
	TAPWALL_SLOW="$slow/$1.sock" "$TW_BUILD/tapwall" decide --socket agent:host-a --exec "$2" 2>>"$lab/decide.err" &
	decider=$!
	children="$children $decider"
}
no_decider() {
	kill "$decider" 2>/dev/null
	wait "$decider" 2>/dev/null
	within 20 deciders 0 || bail "the decider is gone"
}
deciders() { # N
	[ "$(tapwall status --json | jq .deciders)" = "$1" ]
}
refused() { # TEXT COMMAND…
	text=$1
	shift
	if "$@" >"$lab/refused.out" 2>&1; then return 1; fi
	grep -q "$text" "$lab/refused.out"
}

make_host
make_guest 1
make_guest 2
mkdir "$slow"
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: plain, from: any, to: w2, service: tcp/7000, action: allow}
		  - {name: asks, from: w1, to: w2, service: [tcp/7001-7004, udp/7005, tcp/7006], action: ask, at: from}
		  - {name: rest, from: any, to: w2, action: allow, at: to}
		options: {ask: {timeout: 10s, on-timeout: deny}}
	END
} >"$lab/policy.yaml"
"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --init >"$lab/init" || bail "the slow path makes a CA"
"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --issue host-a >"$lab/host-a.pem" || bail "a certificate is issued"
start_slowd
start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/host-a.pem" \
	--slow-path-key "$lab/host-a.pem" --slow-path-ca "$slow/ca.pem"
within 20 known || bail "the agent dials" "$(cat "$lab/slowd.log")"
for port in 7000 7001 7002 7003 7004 7006; do
	begin g2 "tcp$port" echo tcp $port
done

decide slowd "echo \"\$TAPWALL_RULE \$TAPWALL_TO:\$TAPWALL_TO_PORT\" >>'$lab/asked'"
check "a decider at the slow path subscribes at the agent" within 20 deciders 1
check "it allows a connection" becomes connected 1 tcp 10.0.0.12 7001
equal "and was told about it" "asks 10.0.0.12:7001" "$(tail -n 1 "$lab/asked")"
# tapwall-slowd also follows the agent's events on the connection. If questions waited for events, each answer would
# take 50 ms.
begin g2 udp7005 echo udp 7005
no_decider
"$TW_BUILD/tests/e2e/asker" decider "$slow/slowd.sock" 64 host-a >"$lab/asker" 2>&1 &
decider=$!
children="$children $decider"
within 20 deciders 1 || bail "a decider subscribes" "$(cat "$lab/asker")"
is_quick() {
	in_guest 1 "$TW_BUILD/tests/e2e/asker" latency 10.0.0.12 7005 20 >"$lab/latency" &&
		awk -F '[= ]' '{ exit !($4 < 40000) }' "$lab/latency"
}
check "all of its answers come within 40 ms" within 20 is_quick
no_decider
decide decide false
check "so does one at the deciders' socket" within 20 deciders 1
equal "it denies" timeout "$(attempt 1 tcp 10.0.0.12 7002)"
check "a client there may look" at decide ports
check "but set no policy" refused "not allowed on the deciders' socket" at decide apply "$lab/policy.yaml"
check "a viewer may not decide" refused "not allowed on the viewers' socket" at view decide --exec true
followers=
for i in 1 2 3 4 5 6; do
	: >"$lab/follow-$i"
	TAPWALL_SLOW="$slow/view.sock" "$TW_BUILD/tapwall" log --follow --all --socket agent:host-a >"$lab/follow-$i" 2>&1 &
	followers="$followers $!"
done
children="$children $followers"
all_follow() { # each viewer got what the log has
	for i in 1 2 3 4 5 6; do
		grep -q 7002 "$lab/follow-$i" || return
	done
}
one_more() { # a seventh viewer is refused; if it is not, it is ended
	refused 'too many requests to the agent are open' timeout 1 env TAPWALL_SLOW="$slow/view.sock" \
		"$TW_BUILD/tapwall" log --follow --socket agent:host-a
}
check "six viewers follow an agent's log" within 20 all_follow
check "a seventh one is refused" one_more
check "an operator still reaches the agent" at slowd status
for pid in $followers; do
	kill "$pid"
	wait "$pid" 2>/dev/null
done
check "a decider for an unknown agent is refused" refused 'there is no such agent' env TAPWALL_SLOW="$slow/slowd.sock" \
	"$TW_BUILD/tapwall" decide --socket agent:nobody --exec true
check "status counts its answers" tapwall status --json
equal "… none is overdue" 0 "$(jq .questions_overdue "$lab/check.out")"

no_decider
"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --issue dave --role decider >"$lab/dave.pem" || bail "a decider's certificate is issued"
decide_by_tls() { # CERTIFICATE OPTION…
	file=$1
	shift
	: >"$lab/decide.err"
	ip netns exec "$ns-host" "$TW_BUILD/tapwall" decide --connect 127.0.0.1:7433 --socket agent:host-a --cert "$file" --ca "$slow/ca.pem" \
		"$@" 2>"$lab/decide.err" &
	decider=$!
	children="$children $decider"
}
exits() { # PID CODE TEXT [FILE]: true if the decider exits with CODE, and FILE has TEXT
	wait "$1"
	got=$?
	cat "$lab/${4:-decide.err}"
	[ "$got" = "$2" ] && grep -q "$3" "$lab/${4:-decide.err}"
}
: >"$lab/asked"
decide_by_tls "$lab/dave.pem" --exec "echo \"\$TAPWALL_TO_PORT\" >>'$lab/asked'" --scope pair --ttl 1
check "a decider with a certificate subscribes over TLS" within 20 deciders 1
check "it allows a connection" becomes connected 1 tcp 10.0.0.12 7006
equal "and was told about it" 7006 "$(tail -n 1 "$lab/asked")"
no_decider
decide_by_tls "$lab/host-a.pem" --exec true
check "an agent's certificate decides nothing" exits "$decider" 1 "is an agent's certificate, not a decider's"
"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --issue brief --role decider --lifetime 10s >"$lab/brief.pem" || bail "another one is issued"
decide_by_tls "$lab/brief.pem" --exec true
check "a decider with a certificate for ten seconds subscribes" within 20 deciders 1
brief=$decider
mv "$lab/decide.err" "$lab/brief.err"
decide_by_tls "$lab/dave.pem" --exec true
check "another decider subscribes, too" within 20 deciders 2
"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --revoke dave || bail "a name is revoked"
check "its connection ends when its certificate is revoked" exits "$decider" 1 'Certificate was revoked'
check "... for that reason" within 20 grep -q 'decider dave: gone: its certificate was revoked' "$lab/slowd.log"
decide_by_tls "$lab/dave.pem" --exec true
check "and it is refused" exits "$decider" 1 'Certificate was revoked'
check "the connection of a certificate that expires ends" exits "$brief" 1 'Certificate is expired' brief.err
check "... for that reason" within 20 grep -q 'decider brief: gone: its certificate expired' "$lab/slowd.log"
decide_by_tls "$lab/brief.pem" --exec true
check "and it is refused from then on" exits "$decider" 1 'Certificate is expired'
decide decide true
check "a decider subscribes again" within 20 deciders 1

kill -KILL "$slowd"
wait "$slowd" 2>/dev/null
check "the slow path dies: its decider waits" within 20 grep -q 'the agent is gone' "$lab/decide.err"
check "the agent has no decider" within 20 deciders 0
equal "its questions are denied" timeout "$(attempt 1 tcp 10.0.0.12 7003)"
check "other traffic passes" becomes connected 1 tcp 10.0.0.12 7000
start_slowd
within 60 known || bail "the agent dials again" "$(cat "$lab/slowd.log")"
check "after it came back the decider subscribes again" within 20 deciders 1
check "and says so" within 20 grep -q 'connected again' "$lab/decide.err"
check "and allows" becomes connected 1 tcp 10.0.0.12 7004
finish
