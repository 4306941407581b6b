#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# counts.sh: `rules` and `log` show one hit and one entry for each connection between two guests,
# cut through or not. The counters of a rule without a name persist across policies and agents,
# whichever rules precede it.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
cat >"$lab/rules" <<'END'
  - {from: w1, to: w2, service: tcp/7000, action: allow, log: true}
  - {name: leave, from: w1, to: w2, service: [tcp/7001, tcp/7002], action: allow, at: from}
  - {name: enter, from: any, to: w2, service: tcp/7001, action: allow, at: to, log: true}
  - {name: stay-out, from: any, to: w2, service: tcp/7002, action: reject, at: to}
END
{
	workloads 2
	echo 'rules:'
	cat "$lab/rules"
} >"$lab/policy.yaml"
{
	workloads 2
	echo 'rules:'
	echo '  - {from: w2, to: w1, service: tcp/22, action: allow}'
	cat "$lab/rules"
} >"$lab/more.yaml"

count() { # RULE WHAT
	tapwall rules --json | jq --arg rule "$1" --arg what "$2" 'select(.name == $rule)[$what]'
}

learned() { # N: true if the agent has entered guest N in the bridge's FDB
	bridge -n "$ns-host" fdb show br br0 | grep "52:54:00:00:00:0$1" | grep -q "dev tap$1 .*extern_learn"
}

# Prints the log's entries of connections to a port: the deciding end, and both ends' verdicts.
entries() { # PORT
	tapwall log --json --all | jq -r --argjson port "$1" 'select(.event != "close" and .to.port == $port)
		| "\(.event) \(.workload) \(.direction), \(.out.verdict) \(.out.rule), \(.in.verdict) \(.in.rule)"'
}

are_three() { # PORT ENTRY
	[ "$(entries "$1")" = "$(printf '%s\n%s\n%s' "$2" "$2" "$2")" ]
}

thrice() { # PORT
	for _ in 1 2 3; do
		attempt 1 tcp 10.0.0.12 "$1"
	done | sort | uniq -c | tr -s ' '
}

look() { # HOW
	equal "$1: three connections" ' 3 connected' "$(thrice 7000)"
	equal "$1: are three hits of the rule at both ends" 3 "$(count rule-1 hits)"
	check "$1: and three entries, with both ends" within 20 \
		are_three 7000 'open w2 in, allow rule-1, allow rule-1'
	equal "$1: three under rules of each end" ' 3 connected' "$(thrice 7001)"
	equal "$1: are three hits of the one" 3 "$(count leave hits)"
	equal "$1: and of the other" 3 "$(count enter hits)"
	check "$1: and three entries" within 20 are_three 7001 'open w2 in, allow leave, allow enter'
	equal "$1: three that the receiver refuses" ' 3 refused' "$(thrice 7002)"
	equal "$1: are three hits of the rule that lets them out" 6 "$(count leave hits)"
	equal "$1: and of the one that refuses them" 3 "$(count stay-out hits)"
	check "$1: and three entries, none of which says open" within 20 \
		are_three 7002 'deny w2 in, allow leave, reject stay-out'
}

begin g2 echo-7000 echo tcp 7000
begin g2 echo-7001 echo tcp 7001

start_agent --policy "$lab/policy.yaml" --forwarding vswitch
look vswitch
stop_agent
release
start_agent --policy "$lab/policy.yaml" --forwarding cut-through
within 20 learned 1 && within 20 learned 2
look cut-through

begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 60
stream=$child
check "a stream runs" within 20 grows stream echoed 20
equal "it is one more hit" 4 "$(count rule-1 hits)"
packets=$(count rule-1 packets)
check "a rule without a name is put before" apply "$lab/more.yaml"
check "the stream goes on" within 20 grows stream echoed "$(($(count_of stream echoed) + 20))"
equal "and is no hit once more, of a rule that is the second now" 4 "$(count rule-2 hits)"
check "which has all its packets" [ "$(count rule-2 packets)" -gt "$packets" ]
equal "the new one has none" "0 0" "$(count rule-1 hits) $(count rule-1 packets)"
equal "the stream's gates are called as the rule is now" "rule-2 rule-2" \
	"$(tapwall flows --json | jq -r 'select(.to.port == 7000 and .state == "established") | "\(.out.rule) \(.in.rule)"')"
stop_agent
start_agent --policy "$lab/more.yaml"
check "it goes on under another agent" \
	within 20 grows stream echoed "$(($(count_of stream echoed) + 20))"
equal "which counts on" 4 "$(count rule-2 hits)"
end "$stream"
finish
