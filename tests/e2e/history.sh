#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# history.sh: the history has each connection and denial of the guests once, with all fields, even if the slow path or
# the agent was killed or the disk was full.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
disk=$lab/disk
slowd=

start_slowd() {
	ip netns exec "$ns-host" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --history "$disk/history.db" --listen 127.0.0.1:7433 \
		--socket "$slow/slowd.sock" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" \
		2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
with_slow_path() {
	start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/host-a.pem" \
		--slow-path-key "$lab/host-a.pem" --slow-path-ca "$lab/ca.pem"
}
history() { # OPTION…
	"$TW_BUILD/tapwall" history "$@" --slow "$slow/slowd.sock"
}
rows() { # JQ FILTER: prints the source port of each row that the filter selects
	history --limit 0 --json | jq -c "select(.summary | not) | select($1) | .from.port"
}
has() { # N JQ FILTER
	[ "$(rows "$2" | wc -l)" = "$1" ]
}
has_some() { # JQ FILTER
	[ -n "$(rows "$1")" ]
}
status_has() { # JQ FILTER
	history status --json | jq -se "$1"
}
twice() {
	history --limit 0 --json | jq -c 'select(.event) | [.time, .event, .from, .to]' | sort | uniq -d
}
followed() {
	status_has '.[0].followed'
}
connects() { # PORT: connects, and closes
	attempt 1 tcp 10.0.0.12 "$1"
}

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: [tcp/7004, tcp/7005], action: allow}
		  - {name: no, from: any, to: any, service: tcp/7001, action: reject}
		  - {name: idle, from: any, to: any, service: tcp/7009, action: allow}
		options: {timeouts: {time-wait: 1s, closed: 1s, last-ack: 1s, fin-wait: 1s}}
	END
} >"$lab/policy.yaml"
chmod 755 "$lab"
mkdir "$slow" "$disk"
mount -t tmpfs -o size=48m,mode=755 tw-history "$disk" || bail "a small disk is mounted"
chown 65534:65534 "$slow" "$disk"
slowd_alone() { # OPTION…
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TW_BUILD/tapwall-slowd" --state-dir "$slow" "$@"
}
slowd_alone --init >"$lab/init.out" || bail "the slow path makes a CA" "$(cat "$lab/init.out")"
slowd_alone --issue host-a >"$lab/host-a.pem" || bail "a certificate is issued"
cp "$slow/ca.pem" "$lab"
start_slowd
check "a history without rows" sh -c "'$TW_BUILD/tapwall' history --slow '$slow/slowd.sock' | grep -q 'nothing is recorded'"
with_slow_path
check "the agent's events are followed" within 20 followed
begin g2 echo4 echo tcp 7004
begin g2 echo5 echo tcp 7005

equal "a connection" connected "$(connects 7004)"
equal "a refusal" refused "$(connects 7001)"
check "the connection is recorded when it is over" within 40 has 1 '.event == "close"'
check "and the refusal" within 40 has_some '.event == "deny" and .to.port == 7001'
history --json >"$lab/rows"
equal "the connection's fields" \
	'{"verdict":"allow","rule":"echo","proto":"tcp","from":["10.0.0.11","w1"],"to":["10.0.0.12",7004,"w2"],"out":"echo","in":"echo","agent":"host-a","some":true}' \
	"$(jq -c 'select(.event == "close") | {verdict, rule, proto, from: [.from.address, .from.workload],
		to: [.to.address, .to.port, .to.workload], out: .out.rule, in: .in.rule, agent,
		some: (.packets.out > 2 and .packets.in > 1 and .bytes.out > 100 and (now - .time | . >= 0 and . < 300))}' "$lab/rows")"
equal "the refusal's fields" '{"verdict":"reject","reason":"policy","rule":"no","direction":"out","port":"tap1","from":"w1"}' \
	"$(jq -c 'select(.event == "deny" and .to.port == 7001) |
		{verdict, reason, rule, direction, port: .ports.out, from: .from.workload}' "$lab/rows" | sort -u)"

kill -KILL "$slowd"
wait "$slowd" 2>/dev/null
for _ in 1 2 3; do connects 7005; done >"$lab/attempts"
equal "three connections while the slow path is dead" "connected connected connected" "$(tr '\n' ' ' <"$lab/attempts" | sed 's/ $//')"
start_slowd
check "they are recorded when it comes back" within 40 has 3 '.event == "close" and .to.port == 7005'
check "those from before are kept" has 1 '.event == "close" and .to.port == 7004'
equal "none is recorded twice" "" "$(twice)"

stop_agent KILL
with_slow_path
check "the agent is killed, and followed again" within 40 followed
equal "a connection" connected "$(connects 7004)"
check "is recorded" within 40 has 2 '.event == "close" and .to.port == 7004'
equal "none is recorded twice" "" "$(twice)"

check "by workload, address, port, rule and verdict" history -c -w w1 -a 10.0.0.0/24 --to w2 --proto tcp -p 7005 -r echo -v allow --since 1h
equal "… the rows" "3 match" "$(tail -n 1 "$lab/check.out")"
check "who talked" history who w2 --json --sort connections
equal "… to a workload" '["10.0.0.11","w1",5]' "$(jq -c 'select(.connections > 0) | [.address, .workload, .connections]' "$lab/check.out")"
check "talkers" history talkers --json
equal "… with their denials" '["w1",5,true]' "$(jq -c 'select(.connections > 0) | [.workload, .connections, .denials > 0]' "$lab/check.out")"
check "services" sh -c "'$TW_BUILD/tapwall' history services --slow '$slow/slowd.sock' | grep -q tcp/7005"
check "rules that decided nothing for an hour" history rules --unused-since 1h --json
equal "… are those that never did" '["idle",null]' "$(jq -c 'select(.rule and .rule != "default") | [.rule, .last]' "$lab/check.out")"
pages() { # prints the source ports of all rows, a page at a time
	page=
	while :; do
		# shellcheck disable=SC2086 # two words or none
		history --json -n 2 $page >"$lab/page"
		jq -r '.from.port // empty' "$lab/page"
		next=$(jq -r '.summary.next // empty' "$lab/page")
		[ -n "$next" ] || break
		page="--page $next"
	done
}
equal "pages have each row once" "$(rows true | sort | tr '\n' ' ')" "$(pages | sort | tr '\n' ' ')"

dd if=/dev/zero of="$disk/full" bs=1M 2>/dev/null
connects 7004 >"$lab/attempts"
fails() {
	status_has '.[-1].failing != null and .[-1].pending > 0'
}
check "the disk is full: status says so" within 40 fails
check "and the log" within 20 grep -q 'the history cannot be written: No space left on device; agents keep their events' "$lab/slowd.log"
check "the agent is connected" within 2 sh -c "'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' --json | jq -es 'any(.[]; .connected)'"
rm "$disk/full"
check "the disk has space: the connection is recorded" within 40 has 3 '.event == "close" and .to.port == 7004'
equal "none is recorded twice" "" "$(twice)"
check "the history is as it was committed" test "$(rows '.event == "close"' | wc -l)" = 6
check "nothing is missing" status_has '.[0].lost == 0 and .[-1].failing == null'
sed 's/^options: {/options: {mode: observe, /' "$lab/policy.yaml" >"$lab/observed.yaml"
check "the ports are observed" apply "$lab/observed.yaml"
equal "what a rule refuses passes, but nothing listens" refused "$(connects 7001)"
check "it is recorded as would-deny" within 40 has_some '.event == "close" and .verdict == "would-deny" and .to.port == 7001 and
	.out.verdict == "would-deny" and .out.rule == "no"'
check "and in the text" sh -c "'$TW_BUILD/tapwall' history --slow '$slow/slowd.sock' -v would-deny | grep -q ' would-deny .*w1 .* w2 .*:7001 '"
check "observe sums up the history" tapwall observe --slow "$slow/slowd.sock" --json --port 7001
equal "… of this agent" '["history","would-deny","w1","w2","tcp/7001","no",["out","in"]]' \
	"$(jq -sc '(.[-1].summary.source | [.]) + (.[] | select(.verdict == "would-deny") |
		[.verdict, .from.workload, .to.workload, .service, .rule, .ends])' "$lab/check.out")"
check "a draft has what a rule refuses in a comment only" tapwall propose --slow "$slow/slowd.sock"
equal "… and no rule for it" 0 "$(grep -c 'service: tcp/7001.*allow' "$lab/check.out")"
equal "… but a note" 1 "$(grep -c '^# propose: left out: .* connections that the rule no refuses$' "$lab/check.out")"
check "the ports are enforced again" apply "$lab/policy.yaml"
kill -TERM "$slowd"
wait "$slowd"
history_is_garbage() {
	dd if=/dev/urandom of="$disk/history.db" bs=8k count=1 conv=notrunc
	rm -f "$disk"/history.db-wal
}
check "the file is damaged" history_is_garbage
start_slowd
check "the log says so" within 20 grep -q 'cannot open the history: file is not a database; move the file away.*; agents keep their events' "$lab/slowd.log"
equal "and the command" "tapwall: $disk/history.db: cannot open the history: file is not a database; move the file away, and a new one is made" \
	"$(history 2>&1)"
check "the agent is served" within 20 sh -c "'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' --json | jq -es 'any(.[]; .connected)'"
connects 7004 >"$lab/attempts"
rm "$disk"/history.db*
check "the file is moved away: a new one has what the agent kept" within 40 has_some '.event == "close" and .to.port == 7004'
check "the log says so" within 20 grep -q 'the history is written again' "$lab/slowd.log"
finish
