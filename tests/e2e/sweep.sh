#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# sweep.sh: expired connections free their memory and are reported as closed; the slots of deleted
# rules are freed when no connection refers to them; a slow follower of the log misses entries,
# receives their number, and costs the agent nothing.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
policy() { # RULE
	workloads 2
	cat <<-END
		rules:
		  - {name: $1, from: w1, to: w2, service: "udp/7001", action: allow, log: true}
		options: {timeouts: {udp-unreplied: 5s}}
	END
}
policy first >"$lab/first.yaml"
policy second >"$lab/second.yaml"

records() {
	tapwall status --json | jq .connection_records
}
swept() {
	[ "$(records)" = 0 ]
}
hits() {
	tapwall rules --json | jq --arg name "$1" 'select(.name == $name).hits'
}
many_flows() {
	[ "$(tapwall status --json | jq .connections)" -gt 2000 ]
}
open_from() { # PORT N: N connections, from the ports after this one
	SHOTS_FROM=$1 in_guest 1 "$TW_BUILD/tests/e2e/shots" 10.0.0.12 "$2" 7001
}
# A busy host may drop datagrams before the firewall; those are sent again.
opened_many() {
	open_from 20000 3000 && many_flows
}

start_agent --policy "$lab/first.yaml"
begin g2 count count "$lab/count" 7001
check "thousands of connections open" within 20 opened_many
equal "many requests in one breath, thousands of flows each" "answered 20" \
	"$("$TW_BUILD/tests/e2e/hostile" "$socket" ask 20)"
opened=$(hits first)
check "the rule counts them" test "$opened" -gt 2000
check "expired ones are no flows" within 60 sh -c \
	"[ \"\$('$TW_BUILD/tapwall' flows --json --socket '$socket' | wc -l)\" = 0 ]"
check "and no records either, before long" within 60 swept
check "the log has their ends, with what they carried" within 20 sh -c "'$TW_BUILD/tapwall' log --json --socket '$socket' |
	jq -es '[.[] | select(.event == \"close\" and .rule == \"first\" and .packets.out > 0 and .from.workload == \"w1\")] | length > 100'"

# A rule that is deleted and added again while connections refer to it is the same rule.
in_guest 1 "$traffic" connect udp 10.0.0.12 7001 >/dev/null &
opens() {
	[ "$(hits first)" -gt "$opened" ]
}
check "a connection opens" within 20 opens
check "another rule takes its place" apply "$lab/second.yaml"
check "and the first comes back at once" apply "$lab/first.yaml"
check "with its hits" test "$(hits first)" -gt "$opened"
# When no connection refers to the deleted rule any more, adding it again makes a new rule.
apply "$lab/second.yaml"
forgotten() {
	apply "$lab/first.yaml" && [ "$(hits first)" = 0 ] && return
	apply "$lab/second.yaml"
	sleep 1
	return 1
}
check "a rule that nothing speaks of any more is forgotten" within 60 forgotten

: >"$lab/followed"
"$TW_BUILD/tapwall" log --follow --json --socket "$socket" >"$lab/followed" &
follower=$!
children="$children $follower"
sees_open() {
	open_from $((1024 + (n_seen += 1))) 1
	grep -q '"event":"open"' "$lab/followed"
}
n_seen=0
check "a follower sees connections open" within 20 sees_open
before=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$agent/status")
freeze "$follower"
opened_more() {
	open_from 2000 12000 && open_from 20000 12000 && [ "$(hits first)" -gt 20000 ]
}
check "it stops reading while many thousands open" within 20 opened_more
kill -CONT "$follower"
accounts_for_all() { # received entries and entries reported as missed
	jq -es 'length + (map(.lost_before) | add) > 20000' "$lab/followed" >/dev/null
}
check "and gets them, or is told how many it missed" within 60 accounts_for_all
check "the agent's memory is what it was, give or take 8 MiB and the journal" test \
	"$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$agent/status")" -lt $((before + 8192 + 7680))
finish
