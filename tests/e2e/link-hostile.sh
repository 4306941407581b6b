#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# link-hostile.sh: unauthorised and hostile ends of the link. Each is refused for a reason that `status` or the log
# shows, and nothing else is disturbed.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

certs=$lab/certs
slowd=

start_slowd() { # [CERTIFICATE]
	ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" --listen 127.0.0.1:7433 --socket "$lab/slowd.sock" \
		--cert "$certs/${1:-slowd.pem}" --key "$certs/${1:-slowd.pem}" --ca "$certs/ca.pem" \
		2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$lab/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
stop_slowd() {
	kill "$slowd"
	wait "$slowd" 2>/dev/null
}
hostile() { # MANNER ARGUMENT…
	on_host "$TW_BUILD/tests/e2e/hostile_tls" "$@"
}
agents() { # JQ FILTER
	"$TW_BUILD/tapwall" agents --slow "$lab/slowd.sock" --json | jq -se "$@"
}
link_is() { # STATE
	tapwall status --json | jq -es --arg state "$1" 'any(.[]; .slow_path.state == $state)'
}
why_has() { # TEXT
	tapwall status --json | jq -es --arg text "$1" 'any(.[]; .slow_path.why | contains($text))'
}
# Gives the agent this certificate, or none, and this CA; restarts slowd with an empty log, so that the agent
# connects again.
as() { # CERTIFICATE [CA]
	stop_slowd
	rm -f "$lab/agent.pem"
	[ "$1" = none ] || cp "$certs/$1" "$lab/agent.pem"
	cp "$certs/${2:-ca.pem}" "$lab/agent-ca.pem"
	: >"$lab/slowd.log"
	start_slowd
}
rejected() { # CERTIFICATE REASON AT SLOWD, ALERT
	: >"$lab/slowd.log"
	equal "$1 is refused" "the peer refuses: $3" "$(hostile dial 7433 "$certs/$1" "$certs/ca.pem" hold)"
	check "... because it $2" within 20 grep -q "refused: the peer's certificate $2" "$lab/slowd.log"
}
# Plays a hostile slow path, to which the agent connects; prints the result.
meet() { # WHAT
	hostile serve 7433 "$certs/slowd.pem" "$certs/ca.pem" "$1" >"$lab/met" 2>&1
	cat "$lab/met"
}

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7004, action: allow}
	END
} >"$lab/policy.yaml"
mkdir "$certs"
"$TW_BUILD/tests/e2e/certificates" "$certs" || bail "certificates are made"
cp "$certs/host-a.pem" "$lab/agent.pem"
cp "$certs/ca.pem" "$lab/agent-ca.pem"

start_slowd
start_agent --policy "$lab/policy.yaml" --slow-path localhost:7433 --slow-path-cert "$lab/agent.pem" \
	--slow-path-key "$lab/agent.pem" --slow-path-ca "$lab/agent-ca.pem"
check "the agent dials a name" within 20 link_is connected
begin g2 echo-tcp echo tcp 7004
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7004 2
tcp=$child

as expired.pem
check "an expired certificate: status says why" within 40 why_has 'Certificate is expired'
check "... and since when" sh -c "'$TW_BUILD/tapwall' status --socket '$socket' | grep -q 'certificate EXPIRED 1d00h ago'"
check "... so does slowd" within 20 grep -q "refused: the peer's certificate expired" "$lab/slowd.log"
as none
check "no certificate: status says that it cannot be read" within 40 why_has 'agent.pem: cannot read it'
as decider.pem
check "a decider's certificate: the agent refuses to use it" within 40 why_has "is a decider's certificate, not an agent's"
as host-a.pem wrong-ca.pem
check "another CA of the agent's: the agent refuses" within 40 why_has "the peer's certificate was not issued by this CA"
check "... and slowd logs it" within 40 grep -q 'the peer refuses: CA is unknown' "$lab/slowd.log"
cp "$certs/ca.pem" "$lab/agent-ca.pem"
stop_slowd
start_slowd host-b.pem
check "a slow path with an agent's certificate is refused" within 40 why_has "the peer's certificate is for another purpose"
as host-a.pem
check "a good one is accepted again" within 60 link_is connected

rejected expired.pem expired 'Certificate is expired'
rejected early.pem 'is not valid yet' 'Certificate is expired'
rejected wrong.pem 'was not issued by this CA' 'CA is unknown'
rejected self.pem 'was not issued by this CA' 'CA is unknown'
rejected server.pem 'is for another purpose' 'Certificate is not supported'
rejected oracle.pem 'is for an unknown role' 'Certificate is not supported'
rejected late-decider.pem expired 'Certificate is expired'
rejected nameless.pem 'has no name' 'Certificate is bad'
: >"$lab/slowd.log"
equal "no certificate at all" "the peer refuses: Certificate is required" \
	"$(hostile dial 7433 - "$certs/ca.pem" hold)"
equal "bytes that are not TLS" closed "$(hostile raw 7433 garbage)"
equal "a connection that says nothing" closed "$(hostile raw 7433 silent)"
check "... was given up after 5 s" within 20 grep -q 'the handshake took longer than 5 s' "$lab/slowd.log"
equal "a message of 2 GiB" closed "$(hostile dial 7433 "$certs/host-b.pem" "$certs/ca.pem" huge)"
check "... is logged" within 20 grep -q 'host-b: gone: sent a message of more than 16 MiB' "$lab/slowd.log"
equal "an incomplete message" closed "$(hostile dial 7433 "$certs/host-b.pem" "$certs/ca.pem" half)"
check "... is logged" within 20 grep -q 'host-b: gone: a message took longer than 10 s' "$lab/slowd.log"
equal "bytes that form no message" closed "$(hostile dial 7433 "$certs/host-b.pem" "$certs/ca.pem" garbage)"
check "... is logged" within 20 grep -q 'host-b: gone: sent an invalid message' "$lab/slowd.log"
equal "an agent may ask nothing" "1: error 13: not allowed to an agent
2: error 13: not allowed to an agent" "$(hostile dial 7433 "$certs/host-b.pem" "$certs/ca.pem" ask)"
equal "nor decide" "$(printf '%s: error 13: not allowed to an agent\n' 1 2 3 4 6 7 8)" \
	"$(hostile dial 7433 "$certs/host-b.pem" "$certs/ca.pem" roles | grep -v '^5: ')"
equal "a decider may do nothing else" "1: error 13: not allowed to a decider
2: error 13: not allowed to a decider
3: error 13: not allowed to a decider
4: error 13: not allowed to a decider
5: error 13: not allowed to a decider
6: error 95: tapwall-slowd has no answer to this
7: error 7: more than 1024 answers at once
8: answered" "$(hostile dial 7433 "$certs/decider.pem" "$certs/ca.pem" roles)"
check "... and is no agent" agents 'all(.name != "dave")'
equal "a decider's message of 15 MiB" closed "$(hostile dial 7433 "$certs/decider.pem" "$certs/ca.pem" fill | tail -n 1)"
check "... is logged" within 20 grep -q 'decider dave: gone: sent a message of more than 64 KiB' "$lab/slowd.log"
: >"$lab/slowd.log"
accepted() { # COUNT: connections of the decider were accepted
	[ "$(grep -c 'decider dave: connected' "$lab/slowd.log")" -ge "$1" ]
}
holders=
for i in 1 2 3 4; do
	hostile dial 7433 "$certs/decider.pem" "$certs/ca.pem" hold >"$lab/holder-$i" &
	holders="$holders $!"
done
children="$children $holders"
check "four connections of one decider" within 20 accepted 4
equal "a fifth one" closed "$(hostile dial 7433 "$certs/decider.pem" "$certs/ca.pem" hold)"
check "... is refused" within 20 grep -q 'refused: decider dave: too many deciders are connected' "$lab/slowd.log"
equal "a newer agent: its requests are refused, known or not" "1: error 13: not allowed to an agent
2: error 13: not allowed to an agent" "$(hostile dial 7433 "$certs/host-b.pem" "$certs/ca.pem" newer)"
hostile raw 7433 patient >"$lab/patient" &
children="$children $!"
patient=$!
check "a connection that is slow in its handshake" within 20 grep -q connected "$lab/patient"
equal "many connections from another address" closed "$(hostile raw 7433 crowd)"
check "... replace each other" within 20 grep -q '127.0.0.3:.*refused: too many other connections' "$lab/slowd.log"
wait "$patient"
check "... not those of other addresses" within 20 grep -q '127.0.0.2:.*refused: the handshake took longer' "$lab/slowd.log"
slowd_memory() { # prints its peak memory in KiB
	sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$slowd/status"
}
before=$(slowd_memory)
fillers=
for i in 1 2 3 4 5 6 7; do
	: >"$lab/fill-$i"
	hostile dial 7433 "$certs/fill-$i.pem" "$certs/ca.pem" fill >"$lab/fill-$i" 2>&1 &
	fillers="$fillers $!"
done
children="$children $fillers"
check "seven incomplete messages of 15 MiB are too much" within 30 \
	grep -q 'fill-.: gone: incomplete messages exceed 64 MiB' "$lab/slowd.log"
for pid in $fillers; do wait "$pid"; done
check "... memory stays below 128 MiB" test "$(slowd_memory)" -lt $((before + 131072))
check "the good agent was connected all the time" agents 'any(.name == "host-a" and .connected and .connects == 1)'
for pid in $holders; do
	wait "$pid"
done
check "deciders that say nothing were closed" within 20 grep -q 'decider dave: gone: sent nothing for 15 s' "$lab/slowd.log"

stop_slowd
equal "a slow path asks for frames, and for a file" \
	"1: error 13: not allowed to the slow path
2: error 13: not allowed to the slow path" "$(meet capture)"
equal "a newer slow path: known requests are answered" "1: answered
2: error 95: unknown request" "$(meet newer)"
equal "an answer without a request" closed "$(meet unasked)"
check "... is logged" within 20 grep -q 'answered a request that was not sent' "$lab/agent.log"
equal "one that sends a message of 2 GiB" closed "$(meet huge)"
check "... is logged" within 20 grep -q 'sent a message of more than 16 MiB' "$lab/agent.log"
equal "one that sends what is no message" closed "$(meet garbage)"
check "... is logged" within 20 grep -q 'sent an invalid message' "$lab/agent.log"
memory() { # of the agent, KiB
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$agent/status"
}
before=$(memory)
equal "one that sends requests but accepts no answers" closed "$(meet deaf)"
check "the agent's memory is what it was, give or take 64 MiB" test "$(memory)" -lt $((before + 65536))
start_slowd
check "after all that a good one is connected again" within 60 link_is connected

check "the agent lives" kill -0 "$agent"
all_arrive "every TCP message came back" end "$tcp"
all_arrive "no segment was lost" none_lost tcp
finish
