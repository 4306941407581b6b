#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# ask.sh: rules with `action: ask`: a first packet passes when the answer allows it; without an answer, on-timeout
# decides. A decider that dies, hangs or lies, and a guest that floods, affect only questions.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
make_guest 3
# Guest 4 is a host beyond an uplink: the agent treats its port, up4, as one.
guests="$guests g4"
ip netns add "$ns-g4"
ip -n "$ns-host" link add up4 type veth peer name eth0 netns "$ns-g4"
ip -n "$ns-g4" addr add 10.0.0.14/24 dev eth0
ip -n "$ns-host" link set up4 master br0 up
ip -n "$ns-g4" link set eth0 up
ip -n "$ns-g4" link set lo up

policy() { # TIMEOUT ON-TIMEOUT [MORE RULES]
	workloads 3
	cat <<-END
		rules:
		${3:-}
		  - {name: plain, from: any, to: w2, service: [tcp/7000, udp/7000], action: allow}
		  - {name: ask-out, from: w1, to: w2, service: [tcp/7001, udp/7001, icmp, icmp6], action: ask, at: from, log: true}
		  - {name: out, from: w1, to: w2, action: allow, at: from}
		  - {name: ask-in, from: any, to: w2, service: [tcp/7002, udp/7002], action: ask, at: to, log: true}
		  - {name: ask-both, from: w1, to: w3, service: tcp/7003, action: ask, log: true}
		  - {name: ask-flood, from: w3, to: w2, service: udp/7004, action: ask, at: from}
		  - {name: rest, from: any, to: w2, action: allow, at: to}
		  - {name: others, from: w3, to: w2, action: allow, at: from}
		options: {ask: {timeout: $1, on-timeout: $2}}
	END
}

# Starts a decider, which reads its answer to each question from $lab/answer; its pid is in $decider.
decide() {
	cat >"$lab/decide.sh" <<-END
		echo "\$TAPWALL_RULE \$TAPWALL_PROTO \$TAPWALL_FROM \$TAPWALL_TO \$TAPWALL_TO_PORT" >>"$lab/asked"
		[ "\$(cat "$lab/answer")" = allow ]
	END
	"$TW_BUILD/tapwall" decide --socket "$socket" --exec "sh $lab/decide.sh" 2>"$lab/decide.err" &
	decider=$!
	children="$children $decider"
	within 20 deciders 1 || bail "a decider subscribes" "$(cat "$lab/decide.err")"
}

deciders() { # N
	[ "$(tapwall status --json | jq .deciders)" = "$1" ]
}

no_decider() {
	kill -CONT "$decider" 2>/dev/null
	kill "$decider" 2>/dev/null
	wait "$decider" 2>/dev/null
	within 20 deciders 0 || bail "the decider is gone"
}

answer() { # allow|deny
	echo "$1" >"$lab/answer"
}

asked() {
	if [ -s "$lab/asked" ]; then wc -l <"$lab/asked"; else echo 0; fi
}

retransmitted() { # N: prints the number of segments that guest N retransmitted
	in_guest "$1" cat /proc/net/snmp | awk '/^Tcp:/ { if (n++) print $13 }'
}

reason_count() { # NAME
	tapwall counters --json --all | jq -s --arg name "$1" 'map(select(.reason == $name) | .out + .in) | add // 0'
}

policy 10s deny >"$lab/policy.yaml"
insist="cut-through!" # the table of watch_bridge does nothing but count
start_agent --policy "$lab/policy.yaml" --forwarding "$insist" --decider-socket "$lab/decider.sock" \
	--viewer-socket "$lab/viewer.sock"
for port in 7000 7001 7002 7004; do
	begin g2 "tcp$port" echo tcp $port
	begin g2 "udp$port" echo udp $port
done
begin g3 tcp7003 echo tcp 7003
check "traffic of other rules passes" becomes connected 1 tcp 10.0.0.12 7000

# ---- no decider ----

equal "without a decider the rule denies" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
check "and says so" [ "$(reason_count ask-unavailable)" -gt 0 ]

# ---- answers ----

answer allow
decide
# A lost SYN is retransmitted after a second. On a slow machine that may happen too, but not every time.
opens_at_once() { # N HOST PORT
	before=$(retransmitted "$1")
	becomes connected "$1" tcp "$2" "$3" && [ "$(retransmitted "$1")" = "$before" ]
}
check "an allowed connection opens with its first SYN" within 2 opens_at_once 1 10.0.0.12 7001
equal "the decider was asked" "ask-out tcp 10.0.0.11 10.0.0.12 7001" "$(tail -n 1 "$lab/asked")"
opened() { # RULE PORT: an opening by the rule is in the log, with the reason
	tapwall log --json --all | jq -se --arg rule "$1" --argjson port "$2" \
		'any(.[]; .event == "open" and .to.port == $port and .out.rule == $rule and .reason == "ask-allowed")'
}
check "the log names rule and reason" within 20 opened ask-out 7001
check "so do the counters" [ "$(reason_count ask-allowed)" -gt 0 ]
equal "UDP: the first packet arrives, and its answer" connected "$(attempt 1 udp 10.0.0.12 7001)"
equal "IPv6" connected "$(attempt 1 tcp fd00::12 7001)"
equal "ICMP: the first echo request is answered" 0 "$(in_guest 1 ping -c 1 -W 2 10.0.0.12 >"$lab/ping" 2>&1; echo $?)"
equal "ICMPv6" 0 "$(in_guest 1 ping -c 1 -W 2 fd00::12 >"$lab/ping" 2>&1; echo $?)"
check "the destination's rule asks, too" within 2 opens_at_once 1 10.0.0.12 7002
equal "UDP to it" connected "$(attempt 1 udp 10.0.0.12 7002)"
asked_before=$(asked)
check "both ends ask" within 2 opens_at_once 1 10.0.0.13 7003
equal "each its own question" 0 "$((($(asked) - asked_before) % 2))"
check "from beyond the uplink" within 2 opens_at_once 4 10.0.0.12 7002
# A datagram in question arrives exactly once: as the copy that the agent sends again after the answer.
received() {
	in_guest 2 cat /proc/net/snmp | awk '/^Udp:/ { if (n++) print $2 }'
}
before=$(received)
equal "a datagram more" connected "$(attempt 1 udp 10.0.0.12 7002)"
equal "arrives once" 1 "$(($(received) - before))"

# ---- an established connection ----

begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7001 20
goes_on() {
	within 20 grows stream echoed "$(($(count_of stream echoed) + 20))"
}
check "a stream that was asked for runs" goes_on
watch_bridge
cut_through() { # true if no frame of the stream takes the bridge
	now=$(bridged)
	goes_on && [ "$(bridged)" = "$now" ]
}
check "its frames are cut through" within 5 cut_through
equal "flows names the rule" "allow ask-out" "$(tapwall flows --json |
	jq -r 'select(.to.port == 7001 and .state == "established") | .out.verdict + " " + .out.rule' | head -n 1)"
asked_before=$(asked)
policy 10s deny '  - {name: other, from: w3, to: w2, service: tcp/9, action: allow}' >"$lab/policy.yaml"
check "another policy is applied" apply "$lab/policy.yaml"
check "the stream goes on" goes_on
equal "and nobody is asked again" "$asked_before" "$(asked)"
no_decider
check "it needs no decider any more" goes_on
policy 10s deny '  - {name: yet-another, from: w3, to: w2, service: tcp/9, action: allow}' >"$lab/policy.yaml"
check "nor after yet another policy" apply "$lab/policy.yaml"
check "it goes on" goes_on

# ---- denied ----

answer deny
decide
equal "a denied connection does not open" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
denied() { # REASON PORT
	tapwall log --json | jq -se --arg reason "$1" --argjson port "$2" \
		'any(.[]; .event == "deny" and .to.port == $port and .reason == $reason)'
}
check "the log says why" within 20 denied ask-denied 7001
equal "nor one into the port" timeout "$(attempt 1 tcp 10.0.0.12 7002)"
check "the stream still goes on" goes_on
check "and so does other traffic" becomes connected 1 tcp 10.0.0.12 7000
no_decider

# ---- deciders that hang and die ----

answer allow
decide
policy 500ms deny >"$lab/policy.yaml"
check "questions wait for half a second" apply "$lab/policy.yaml"
freeze "$decider"
equal "a decider that hangs: denied" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
check "for want of an answer" within 20 denied ask-timeout 7001
check "other traffic passes" becomes connected 1 tcp 10.0.0.12 7000
check "the stream goes on" goes_on
kill -CONT "$decider"
check "it goes on answering" within 20 becomes connected 1 tcp 10.0.0.12 7001
policy 60s deny >"$lab/policy.yaml"
check "questions wait for a minute" apply "$lab/policy.yaml"
freeze "$decider"
in_guest 1 "$traffic" connect udp 10.0.0.12 7001 >"$lab/left" &
left=$!
children="$children $left"
is_open() {
	[ "$(tapwall status --json | jq .questions_open)" -gt 0 ]
}
check "a question waits" within 20 is_open
kill -9 "$decider"
wait "$decider" 2>/dev/null
check "its decider dies" within 20 deciders 0
answered() { # MORE THAN
	[ "$(tapwall status --json | jq .questions_answered)" -gt "$1" ]
}
before=$(tapwall status --json | jq .questions_answered)
decide
check "another one answers its question" within 20 answered "$before"
wait "$left"

# ---- roles ----

no_decider
# Without --exec, `decide` would exit at the end of its input, before the response arrives.
"$TW_BUILD/tapwall" decide --exec true --socket "$lab/viewer.sock" >"$lab/viewer" 2>&1
check "a viewer may not decide" grep -q "viewers' socket" "$lab/viewer"
check "nor counts as a decider" deciders 0
"$TW_BUILD/tapwall" apply "$lab/policy.yaml" --socket "$lab/decider.sock" >"$lab/viewer" 2>&1
check "a decider may not apply" grep -q "deciders' socket" "$lab/viewer"
own_socket=$socket
socket=$lab/decider.sock
check "it may look" tapwall status
answer allow
decide
check "and decide" becomes connected 1 tcp 10.0.0.12 7001
socket=$own_socket

# ---- lies ----

lie() { # LINE…: sends these answers, and prints the agent's errors
	printf '%s\n' "$@" | "$TW_BUILD/tapwall" decide --socket "$socket" 2>&1
}
said() {
	lie '4711 allow' '4711 allow pair 1h' 'nonsense' '12 perhaps' '13 allow pair 1x' | tee "$lab/lie"
	grep -q 'is no answer' "$lab/lie"
}
check "answers that are none are named" said
refused() {
	[ "$(tapwall status --json | jq .answers_refused)" -gt "$1" ]
}
check "those to no question are refused" within 20 refused 0
check "the true decider goes on" becomes connected 1 tcp 10.0.0.12 7001

# ---- pairs ----

no_decider
mkfifo "$lab/in"
"$TW_BUILD/tapwall" decide --json --socket "$socket" <"$lab/in" >"$lab/questions" 2>"$lab/decide.err" &
decider=$!
children="$children $decider"
exec 9>"$lab/in"
check "a decider that reads answers subscribes" within 20 deciders 1
in_guest 1 "$traffic" connect tcp 10.0.0.12 7001 >"$lab/left" &
left=$!
children="$children $left"
check "it prints the question" within 20 [ -s "$lab/questions" ]
equal "with its ends" "ask-out tcp w1 w2 7001 out true" "$(jq -r '[.rule, .proto, .from.workload, .to.workload, .to.port, .direction, .held] | join(" ")' "$lab/questions" | head -n 1)"
echo "$(jq .id "$lab/questions" | head -n 1) allow pair 1h" >&9
wait "$left"
check "it is answered for the pair" within 20 becomes connected 1 tcp 10.0.0.12 7001
n=$(wc -l <"$lab/questions")
equal "another connection of it opens" connected "$(attempt 1 tcp 10.0.0.12 7001)"
equal "unasked" "$n" "$(wc -l <"$lab/questions")"
in_guest 1 "$traffic" connect udp 10.0.0.12 7001 >"$lab/left" &
left=$!
children="$children $left"
asks_again() {
	[ "$(wc -l <"$lab/questions")" -gt "$n" ]
}
check "another service is asked for" within 20 asks_again
echo "$(jq .id "$lab/questions" | tail -n 1) allow policy" >&9
wait "$left"
n=$(wc -l <"$lab/questions")
equal "an answer until the policy changes" connected "$(attempt 1 udp 10.0.0.12 7001)"
equal "counts" "$n" "$(wc -l <"$lab/questions")"
policy 10s deny '  - {name: third, from: w3, to: w2, service: tcp/9, action: allow}' >"$lab/policy.yaml"
check "the policy changes" apply "$lab/policy.yaml"
equal "the pair's answer outlives it" connected "$(attempt 1 tcp 10.0.0.12 7001)"
in_guest 1 "$traffic" connect udp 10.0.0.12 7001 >"$lab/left" &
left=$!
children="$children $left"
check "the other one does not" within 20 asks_again
wait "$left"
exec 9>&-
wait "$decider" 2>/dev/null
check "the decider ends with its input" within 20 deciders 0

# ---- the agent dies ----

answer allow
decide
freeze "$decider"
in_guest 1 "$traffic" connect udp 10.0.0.12 7002 >"$lab/left" &
left=$!
children="$children $left"
check "a question waits" within 20 is_open
stop_agent KILL
check "the stream goes on without an agent" goes_on
check "other connections open" becomes connected 1 tcp 10.0.0.12 7000
equal "a rule that asks denies" timeout "$(attempt 1 tcp 10.0.0.12 7002)"
kill -9 "$decider" 2>/dev/null
wait "$decider" "$left" 2>/dev/null
start_agent --forwarding "$insist"
decide
check "the next agent asks again" within 20 becomes connected 1 tcp 10.0.0.12 7002
check "the stream goes on" goes_on

# ---- on-timeout: allow ----

freeze "$decider"
policy 300ms allow >"$lab/policy.yaml"
check "a policy that allows what nobody answers" apply "$lab/policy.yaml"
equal "a held packet goes on when its time is over" connected "$(attempt 1 udp 10.0.0.12 7002)"
let_through() {
	tapwall log --json --all | jq -se 'any(.[]; .event == "open" and .reason == "ask-timeout")'
}
check "and the log says so" within 20 let_through
no_decider
equal "without a decider at once" connected "$(attempt 1 tcp 10.0.0.12 7002)"

# ---- senders that are gone ----

policy 60s deny >"$lab/policy.yaml"
check "questions wait for a minute again" apply "$lab/policy.yaml"
exec 9>&-
rm -f "$lab/in"
mkfifo "$lab/in"
: >"$lab/questions"
"$TW_BUILD/tapwall" decide --json --socket "$socket" <"$lab/in" >"$lab/questions" 2>"$lab/decide.err" &
decider=$!
children="$children $decider"
exec 9>"$lab/in"
check "a decider reads answers" within 20 deciders 1
holds() { # GUEST: its datagram for guest 2 is held at guest 2's port
	n=$(wc -l <"$lab/questions")
	in_guest "$1" "$traffic" connect udp 10.0.0.12 7002 >"$lab/left" &
	children="$children $!"
	within 20 asks_again
}
# Allows what is held, and sends a datagram behind it. True if only the latter arrives.
is_dropped() {
	before=$(received)
	done_before=$(tapwall status --json | jq .questions_answered)
	echo "$(tail -n 1 "$lab/questions" | jq .id) allow" >&9
	within 20 answered "$done_before" || return
	attempt 4 udp 10.0.0.12 7000
	[ "$(received)" = $((before + 1)) ]
}
check "a datagram of guest 1 is held" holds 1
check "guest 1 is put in quarantine" tapwall quarantine w1 --reason 'a test'
check "its datagram does not go on" is_dropped
check "the quarantine is lifted" tapwall quarantine w1 --lift
check "a datagram of guest 3 is held" holds 3
{ policy 60s deny | grep -v ' w3:' | grep -v 'w3'; } >"$lab/without.yaml"
check "its port belongs to no workload any more" tapwall apply --allow-unprotect "$lab/without.yaml"
check "its datagram does not go on" is_dropped
check "guest 3 is back" apply "$lab/policy.yaml"
check "a datagram of guest 3 is held again" holds 3
ip -n "$ns-host" link del tap3
port_is_gone() {
	tapwall ports --json | jq -se 'any(.[]; .name == "tap2") and all(.[]; .name != "tap3")'
}
check "it moves to another host" within 20 port_is_gone
check "its datagram does not go on" is_dropped
plug 3 br0
check "it comes back" within 20 port_is tap3 protected
no_decider
exec 9>&-

# ---- a flood ----

policy 10s deny >"$lab/policy.yaml"
check "back to deny" apply "$lab/policy.yaml"
decide
# Without in_guest, so that $! is the process id of the program itself.
ip netns exec "$ns-g3" "$traffic" spray 10.0.0.12 7004 >/dev/null 2>&1 &
flood=$!
children="$children $flood"
limited() {
	[ "$(reason_count ask-limit)" -gt 0 ] || [ "$(tapwall status --json | jq .questions_dropped)" -gt 0 ]
}
# However little CPU time the flood gets, its questions pile up while the decider is stopped.
floods() {
	in_guest 3 "$TW_BUILD/tests/e2e/shots" 10.0.0.12 1000 7004
	limited
}
freeze "$decider"
check "a guest floods questions" within 20 floods
kill -CONT "$decider"
check "another one's connection is asked for and opens" within 20 becomes connected 1 tcp 10.0.0.12 7002
check "other traffic passes" becomes connected 1 tcp 10.0.0.12 7000
check "the stream goes on" goes_on
kill "$flood"
no_decider
finish
