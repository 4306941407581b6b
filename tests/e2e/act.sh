#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# act.sh: an operator's quick actions: `kill` ends live connections, `block` shuts a workload, and a rule with `until`
# ends by itself, also if no agent runs at that time. --log-to writes denials to a file and rotates it; repeated
# broadcasts are one line; if the file cannot be written, status says so.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

policy() { # RULE…
	workloads 2
	echo 'rules:'
	for rule in "$@"; do
		echo "  - $rule"
	done
	echo '  - {name: rest, from: any, to: any, action: reject}'
	echo 'options: {adopt: 0s}'
}
in_utc() { # SECONDS FROM NOW
	date -u -d "@$(($(date +%s) + $1))" +%Y-%m-%dT%H:%M:%SZ
}
goes_on() {
	within 20 grows stream echoed "$(($(count_of stream echoed) + 10))"
}
denied() { # segments without a record
	tapwall counters --all --json |
		jq -s 'map(select(.reason == "tcp-midstream" or .reason == "tcp-expired") | .out + .in) | add'
}
is_denied() { # MORE THAN
	[ "$(denied)" -gt "$1" ]
}
rule_is() { # NAME STATE
	tapwall rules "$1" | grep -q " $2 "
}

lines() { # JQ FILTER: number of lines of the file
	jq -s "map(select($1)) | length" "$lab/log/log.json"
}
has() { # JQ FILTER
	[ -s "$lab/log/log.json" ] && jq -es "any(.[]; $1)" "$lab/log/log.json"
}
status_has() { # JQ FILTER
	tapwall status --json | jq -es "any(.[]; $1)"
}

make_host
make_guest 1
make_guest 2
policy '{name: echo, from: w1, to: w2, service: tcp/7000, action: allow}' >"$lab/policy.yaml"
mkdir "$lab/log"
head -c 1048576 /dev/zero >"$lab/log/log.json"
echo old >"$lab/log/log.json.1"
start_agent --policy "$lab/policy.yaml" --log-to "$lab/log/log.json" --log-size 1
begin g2 echo echo tcp 7000

# ---- the file of the log ----

equal "a connection is rejected" refused "$(attempt 1 tcp 10.0.0.12 7002)"
check "a line says so" within 20 has \
	'.reason == "policy" and .rule == "rest" and .to.port == 7002 and .workload == "w1"'
equal "the full file was renamed" 1048576 "$(stat -c %s "$lab/log/log.json.1")"
equal "and the one before it" old "$(cat "$lab/log/log.json.2")"
broadcasts() { # true if `tapwall log` has several
	tapwall log --json | jq -es 'map(select(.dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp")) | length >= 3'
}
# A guest's broadcast is denied at its own port.
in_guest 1 ping -b -c 4 -i 0.2 -W 1 10.0.0.255 >"$lab/ping.out" 2>&1
check "a guest sends a broadcast several times" within 20 broadcasts
equal "another connection is rejected after it" refused "$(attempt 1 tcp 10.0.0.12 7003)"
check "which is in the file" within 20 has '.to.port == 7003'
equal "as is the broadcast, once" 1 "$(lines '.dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp"')"
mv "$lab/log/log.json" "$lab/log/moved"
equal "another program moves the file" refused "$(attempt 1 tcp 10.0.0.12 7004)"
check "what follows is in a new one" within 20 has '.to.port == 7004'

# ---- kill ----

begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 120
stream=$child
check "a connection is open" goes_on
tapwall kill --port 7001 >"$lab/none.out"
equal "nothing matches another port" '1 0 connections ended' "$? $(cat "$lab/none.out")"
tapwall kill --address 10.0.0.0/33 >"$lab/bad.out" 2>&1
equal "a network is checked" 2 $?
tapwall kill >"$lab/wide.out" 2>&1
equal "nothing is ended without a filter" 2 $?
equal "another network does not match" 0 "$(tapwall kill --address 10.0.1.0/24 --json | jq .connections)"
equal "all of IPv6 does not match, either" 0 "$(tapwall kill --address ::/0 --json | jq .connections)"
equal "another rule neither" 0 "$(tapwall kill --rule other --json | jq .connections)"
before=$(denied)
equal "it is ended by network, rule, port and workload" '{"connections":1,"missed":0,"answers":0,"adopting":0}' \
	"$(tapwall kill --address 10.0.0.8/29 --rule echo --port 7000 -w w1 --json)"
count=$(count_of stream echoed)
check "its next segments are denied" within 20 is_denied "$before"
equal "so it stands still" "$count" "$(count_of stream echoed)"
equal "a new connection is allowed" connected "$(attempt 1 tcp 10.0.0.12 7000)"
check "in an adoption window" tapwall adopt --for 60s
check "it continues" goes_on
equal "and a kill says that it may" true "$(tapwall kill --from w1 --to 10.0.0.12 --proto tcp --json | jq '.adopting > 0')"
check "the window is closed" tapwall adopt --stop
kill "$stream" 2>/dev/null

# ---- block ----

check "a workload is blocked" tapwall block w2 --why 'ticket 4712'
equal "and shut" quarantined "$(state_of tap2)"
equal "with its reason" 'w2 ticket 4712' "$(tapwall block --json | jq -r '"\(.workload) \(.reason)"')"
check "it is unblocked" tapwall unblock w2
equal "and works" connected "$(attempt 1 tcp 10.0.0.12 7000)"
check "a block for a second" tapwall block w2 --for 1s
check "ends by itself" within 20 port_is tap2 protected

# ---- until ----

policy '{name: lasting, from: w1, to: w2, service: tcp/7002, action: allow, until: 2999-12-31T00:00Z}' \
	"{name: guest, from: w1, to: w2, service: tcp/7000, action: allow, until: \"$(in_utc 2)\"}" >"$lab/until.yaml"
check "a rule for two seconds" apply "$lab/until.yaml"
check "one for centuries is in force" rule_is lasting allow
check "the other one ends by itself" within 20 rule_is guest ended
equal "so connections are denied" refused "$(attempt 1 tcp 10.0.0.12 7000)"
check "and the log says so" within 20 grep -q 'rule guest has ended: its until has passed' "$lab/agent.log"
equal "it is listed as ended" true "$(tapwall rules --json | jq 'select(.name == "guest").expired')"
"$TW_BUILD/tapwall" check "$lab/until.yaml" >"$lab/check.txt" 2>&1
check "check warns of it" grep -q 'warning: rule guest has ended; remove it' "$lab/check.txt"
end=$(in_utc 2)
policy "{name: gone, from: w1, to: w2, service: tcp/7000, action: allow, until: \"$end\"}" >"$lab/gone.yaml"
check "another rule" apply "$lab/gone.yaml"
stop_agent KILL
over() {
	[ "$(date +%s)" -gt "$(date -d "$end" +%s)" ]
}
check "its time is over while no agent runs" within 20 over
start_agent --log-to "$lab/log/gone/log.json"
equal "the first connection after the next agent's start is refused" refused "$(attempt 1 tcp 10.0.0.12 7000)"
check "it has ended when the next agent is there" rule_is gone ended
check "the directory of the log does not exist: status says so" within 20 status_has \
	'.degraded[0] | contains("denials cannot be written to") and contains("No such file")'
mkdir "$lab/log/gone"
check "then it exists: the host is no longer degraded" within 20 status_has '.degraded == []'
stop_agent
must cd "$lab"
ip netns exec "$ns-host" "$tapwalld" --ports 'tap*' --log-to relative --socket "$socket" --bpffs "$lab/bpffs/tapwall" \
	--state-dir "$lab/state" >"$lab/bad.out" 2>&1
equal "a relative path is refused" 1 $?
check "and not made" test ! -e relative
check "with its reason" grep -q "write an absolute path, journald, syslog:ADDRESS:PORT" "$lab/bad.out"
finish
