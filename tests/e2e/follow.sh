#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# follow.sh: the agent dies under clients that follow it, at its socket and through tapwall-slowd. They wait, say so, and
# go on with the next agent: a capture notes what is missing, a decider answers new questions and no old ones.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
notes=$TW_BUILD/tests/cli/notes
slow=$lab/slow
TAPWALL_SLOW=$slow/slowd.sock
export TAPWALL_SLOW

start_slowd() {
	ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen 127.0.0.1:7433 \
		--socket "$TAPWALL_SLOW" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" \
		2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$TAPWALL_SLOW" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
known() { # the agent is connected
	"$TW_BUILD/tapwall" agents --slow "$TAPWALL_SLOW" --json | jq -se 'any(.name == "host-a" and .connected)'
}
next_agent() {
	start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/host-a.pem" \
		--slow-path-key "$lab/host-a.pem" --slow-path-ca "$slow/ca.pem"
	within 20 known || bail "the agent dials" "$(cat "$lab/slowd.log")"
}
# Starts a client; its pid is in $child.
follow() { # NAME VERB OPTIONS…
	name=$1
	shift
	"$TW_BUILD/tapwall" "$@" >"$lab/$name.out" 2>"$lab/$name.err" &
	child=$!
	children="$children $child"
}
deciders() { # N
	[ "$(tapwall status --json | jq .deciders)" = "$1" ]
}
has() { # NAME TEXT
	grep -q -- "$2" "$lab/$1.out"
}
noted() { # NAME PATTERN
	"$notes" "$lab/$1.pcapng" | grep -q -- "$2"
}
captured() { # NAME: it has a frame to port 7003, or to the port given
	noted "$1" ">${2:-7003} verdict=deny"
}
stop() { # PID: as Ctrl-C does
	kill -INT "$1"
	wait "$1"
	code=$?
	children=$(echo "$children" | tr ' ' '\n' | grep -vx "$1")
	return "$code"
}
told() { # TEXT NAME…: each client said it on stderr
	text=$1
	shift
	for name in "$@"; do
		grep -q "$text" "$lab/$name.err" || return
	done
}
once() { # TEXT NAME…: each client said it once
	text=$1
	shift
	for name in "$@"; do
		times=$(grep -c "$text" "$lab/$name.err")
		[ "$times" = 1 ] || { cat "$lab/$name.err"; return 1; }
	done
}
denied() { # PORT: one more connection that the policy denies
	in_guest 1 "$traffic" connect tcp 10.0.0.12 "$1" >/dev/null 2>&1
}

make_host
make_guest 1
make_guest 2
mkdir "$slow"
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: asks, from: w1, to: w2, service: tcp/7001, action: ask, at: from}
		  - {name: rest, from: any, to: w2, service: tcp/7001, action: allow, at: to}
		options: {ask: {timeout: 10s, on-timeout: deny}}
	END
} >"$lab/policy.yaml"
must "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --init >"$lab/init"
must "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --issue host-a >"$lab/host-a.pem"
start_slowd
next_agent
begin g2 echo echo tcp 7001

for place in near far; do
	at=$socket
	[ "$place" = near ] || at=agent:host-a
	follow "$place-log" log --follow --json --socket "$at"
	log=$child
	echo "echo \"\$TAPWALL_TO_PORT\" >>'$lab/$place-asked'; [ ! -e '$lab/hang' ] || exec sleep 600" >"$lab/$place-decide.sh"
	: >"$lab/$place-asked"
	follow "$place-decide" decide --exec "sh $lab/$place-decide.sh" --ttl 1 --socket "$at"
	decider=$child
	clients="$place-log $place-decide"
	within 20 deciders 1 || bail "$place: a decider subscribes" "$(cat "$lab/$place-decide.err")"
	# Captures do not pass tapwall-slowd.
	if [ "$place" = near ]; then
		follow file capture w1 -w "$lab/file.pcapng" --socket "$at"
		file=$child
		follow text capture w1 --dropped --socket "$at"
		text=$child
		follow json capture w1 --dropped --json --socket "$at"
		json=$child
		clients="$clients file text json"
		within 20 test -s "$lab/file.pcapng" || bail "a capture begins" "$(cat "$lab/file.err")"
	fi

	shown() { # PORT: each client has a denial
		denied "$1"
		has "$place-log" "\"port\":$1" || return
		[ "$place" = far ] || { captured file "$1" && has text "$1" && has json "\"port\":$1"; }
	}
	check "$place: each client shows a denial" within 20 shown 7003
	check "$place: the decider allows" becomes connected 1 tcp 10.0.0.12 7001
	# The answer has expired, and the next question is open when the agent dies.
	sleep 1.2
	touch "$lab/hang"
	in_guest 1 "$traffic" connect tcp 10.0.0.12 7001 >"$lab/open" 2>&1 &
	open=$!
	children="$children $open"
	asked_twice() {
		[ "$(wc -l <"$lab/$place-asked")" = 2 ]
	}
	check "$place: another question is open" within 20 asked_twice
	hanging=$(pgrep -P "$decider")
	stop_agent KILL
	# shellcheck disable=SC2086 # names
	check "$place: each client says that the agent is gone" within 20 told 'the agent is gone; waiting for it to return' $clients
	no_command() {
		! kill -0 "$hanging"
	}
	check "$place: the command of the question has ended" within 20 no_command
	rm "$lab/hang"
	wait "$open"
	denied 7004
	next_agent
	# shellcheck disable=SC2086 # names
	check "$place: each client says that it is connected again" within 20 told 'connected again' $clients
	check "$place: the decider is subscribed again" within 20 deciders 1
	check "$place: and allows" within 20 becomes connected 1 tcp 10.0.0.12 7001
	check "$place: each client goes on" within 20 shown 7005
	# shellcheck disable=SC2086 # names
	check "$place: each client was told of one gap" once 'the agent is gone' $clients
	# shellcheck disable=SC2086 # names
	check "$place: and of its end" once 'connected again' $clients
	end "$log" "$decider" 2>/dev/null
	within 20 deciders 0 || bail "$place: the decider is gone"
	[ "$place" = near ] || continue
	check "text says what is missing" has text '^frames are missing here: the agent was gone for [0-9]'
	equal "JSON says before which frame" 1 "$(jq -s 'map(select(.gap_before_s > 0)) | length' "$lab/json.out")"
	equal "no capture has what came in between" 0 "$("$notes" "$lab/file.pcapng" | grep -c '>7004 ')"
	# A frame has its verdict as the first comment, and what is missing before it as the second.
	equal "the file says what is missing" 1 "$(grep -ac 'frames are missing here: the agent was gone for [0-9]' "$lab/file.pcapng")"
	check "Ctrl-C ends the capture well" stop "$file"
	check "its last message says what is missing" told '; frames are missing: the agent was gone 1 time, for' file
	check "the file is whole" "$notes" "$lab/file.pcapng"
	end "$text" "$json" 2>/dev/null
done
finish
