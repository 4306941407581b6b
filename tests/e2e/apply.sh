#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# apply.sh: a policy takes effect completely or not at all. An invalid policy is refused with a list
# of all errors, and the old one stays. A valid one cuts a live connection at its next
# packet if it no longer allows that connection, and leaves the others alone.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: one, from: w1, to: w2, service: tcp/7001, action: allow}
		  - {name: two, from: w1, to: w2, service: tcp/7002, action: allow}
	END
} >"$lab/both.yaml"
sed '/name: two/d' "$lab/both.yaml" >"$lab/one.yaml"
cat >"$lab/invalid.yaml" <<'END'
version: 1
rules:
  - {name: a, from: nobody, to: any, action: allow}
  - {name: a, from: any, to: any, action: permit}
  - {nam: b, from: any, to: 10.0.0.0/33, action: deny}
END

start_agent
check "without a policy, guests that ran before are left as they were" port_is tap1 unfiltered
make_guest 3
check "new ports are shut" within 20 port_is tap3 shut
check "and nothing passes" eval '! becomes connected 3 tcp 10.0.0.12 7001'
check "a first policy is applied" apply "$lab/both.yaml"
check "the ports are protected" port_is tap1 protected

begin g2 echo-one echo tcp 7001
begin g2 echo-two echo tcp 7002
begin g1 one stream "$lab/one" tcp 10.0.0.12 7001 2
one=$child
begin g1 two stream "$lab/two" tcp 10.0.0.12 7002 2
check "both connections live" within 20 grows two echoed 50

apply "$lab/invalid.yaml"
equal "an invalid policy ends with exit code 1" 1 $?
for place in 3:21 4:12 4:43 5:6 5:29; do
	check "its error at $place is told" grep -q "invalid.yaml:$place: " "$lab/apply.out"
done
equal "the old policy is still in force" 1 "$(tapwall status --json | jq .policy_generation)"
before=$(count_of two echoed)
check "and enforced" within 20 grows two echoed "$((before + 50))"

check "a policy without one of the connections is applied" apply "$lab/one.yaml"
sent=$(count_of two sent)
# An echo that passed before the policy may wait in a queue for some time.
check "its client goes on sending" within 20 grows two sent "$((sent + 100))"
cut=$(count_of two echoed)
before=$(count_of one echoed)
check "the other connection goes on" within 20 grows one echoed "$((before + 200))"
equal "the one that is no longer allowed was cut at its next packet" "$cut" "$(count_of two echoed)"
cut_flow() {
	[ "$(tapwall flows --denied --json | jq .to.port)" = 7002 ]
}
check "flows --denied shows it, and no other" within 20 cut_flow
cut_entries() {
	[ "$(tapwall log --port 7002 --json | jq -r .rule | sort -u)" = default ]
}
check "as log --port does" within 20 cut_entries
check "what is left is whole" end "$one"
all_arrive "without a segment lost" none_lost one
check "the cut is in the log" within 20 \
	sh -c "'$TW_BUILD/tapwall' log --json --socket '$socket' | grep -q '\"rule\":\"default\".*7002'"

check "the same policy again changes nothing" sh -c \
	"'$TW_BUILD/tapwall' apply '$lab/one.yaml' --socket '$socket' | grep -q already"
equal "and keeps its number" 2 "$(tapwall status --json | jq .policy_generation)"

# ---- log entries keep their names ----

# The client whose connection was cut keeps trying, so new entries appear too.
entries() { # HOW MANY, the oldest
	tapwall log --all --json --socket "$socket" | head -n "$1" | jq -r '.from.workload, .out.rule // empty' |
		sort -u | tr '\n' ' '
}
number=$(tapwall log --all --json --socket "$socket" | wc -l)
before=$(entries "$number")
sed 's/w1/renamed/g; s/name: one/name: first/' "$lab/one.yaml" >"$lab/renamed.yaml"
check "a policy with other names is applied" apply "$lab/renamed.yaml"
equal "entries from before keep theirs" "$before" "$(entries "$number")"
check "of workloads and rules" eval 'echo "$before" | grep -q "one.*two.*w1"'
finish
