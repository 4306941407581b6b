#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# versions.sh: the agent keeps the policies that were in force, with author, time and comment. They can be listed,
# compared and put in force again, also after a restart. A full disk delays no apply, and loses only what does not fit.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

policy() { # ACTION [LINE]
	workloads 2
	echo 'rules:'
	echo "  - {name: echo, from: any, to: any, service: tcp/7001, action: $1}"
	[ $# = 1 ] || echo "  - $2"
}
list() { # JQ FILTER FOR EACH
	tapwall policy --history --json | jq -r "$1" | tr '\n' ' '
}
prints() { # TEXT COMMAND…
	text=$1
	shift
	"$@" >"$lab/prints.out" 2>&1
	grep -qF -- "$text" "$lab/prints.out" || {
		cat "$lab/prints.out"
		false
	}
}
source_is() { # FILE
	tapwall status --json | jq -es --arg file "$1" 'any(.[]; .policy_source | endswith($file))'
}

make_host
make_guest 1
make_guest 2
begin g2 echo echo tcp 7001
policy allow >"$lab/one.yaml"
policy reject >"$lab/two.yaml"
policy reject '{name: web, from: any, to: w2, service: tcp/80, action: allow}' >"$lab/three.yaml"
policy allow '{name: web, from: any, to: w2, service: tcp/80, action: allow}' >"$lab/more.yaml"
mkdir "$lab/small"
must mount -t tmpfs -o size=256k none "$lab/small"
must mount --move "$lab/small" "$lab/state"
start_agent
check "without a policy there is none to show" prints "no policy is in force at this host" tapwall policy
check "the first policy" tapwall apply "$lab/one.yaml" --comment 'ticket 1'
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7001 60
stream=$child
check "a connection is open" within 20 grows stream echoed 3
check "a dry run names the live connection that would be cut" prints 'port 7001 (w2), by echo' \
	tapwall apply -n "$lab/two.yaml"
check "and their number" grep -q '1 of [0-9]* live connections would be cut' "$lab/prints.out"
check "and a verdict that changes, with an example" grep -qF \
	'w1 -> w2 tcp/7001: allow (echo) -> reject (echo), such as from 10.0.0.11 to 10.0.0.12' "$lab/prints.out"
check "a file that only adds a rule cuts none" prints '  0 of ' \
	tapwall diff "$lab/more.yaml"
check "and changes the verdict about its service" grep -qF \
	'w1 -> w2 tcp/80: deny (default) -> allow (web)' "$lab/prints.out"
kill "$stream"
check "the second one" prints '- {name: echo, from: any, to: any, service: tcp/7001, action: allow}' \
	tapwall apply -m 'ticket 2' "$lab/two.yaml"
check "is shown with its author" prints 'by root' tapwall policy
check "and its comment" prints 'ticket 2' tapwall policy
equal "and is in force" refused "$(attempt 1 tcp 10.0.0.12 7001)"
equal "both are listed" '2 ticket 2 true 1 ticket 1 false ' "$(list '"\(.version) \(.comment) \(.in_force)"')"
tapwall policy --show 1 >"$lab/shown.yaml"
check "the text of the first one is printed" cmp "$lab/one.yaml" "$lab/shown.yaml"
check "a file is compared with the policy in force" prints '+ rule web' tapwall diff "$lab/three.yaml"
check "and two policies with each other" prints '+ {name: echo, from: any, to: any, service: tcp/7001, action: reject}' \
	tapwall diff 1 2
tapwall diff "$lab/two.yaml" >"$lab/same.out"
equal "a policy that means the same is no difference" '0 the policies mean the same' "$? $(cat "$lab/same.out")"
stop_agent KILL
start_agent
check "after a restart the first one returns" tapwall rollback
equal "and is in force" connected "$(attempt 1 tcp 10.0.0.12 7001)"
equal "under a new number" '3 rollback to policy 1 root ' "$(tapwall policy --history --json -n 1 | jq -r '"\(.version) \(.comment) \(.author)"' | tr '\n' ' ')"
tapwall rollback 9 >"$lab/nine.out" 2>&1
equal "an unknown number is refused" 2 $?
check "with its reason" grep -q 'policy 9: no such policy was in force here' "$lab/nine.out"
check "a rollback that is not confirmed" tapwall rollback 2 --confirm 1s
check "returns" within 20 source_is one.yaml
check "and the list says why" prints 'it was not confirmed in time' tapwall policy --history

# ---- a full disk ----

stop_agent
start_agent

dd if=/dev/zero of="$lab/state/junk" bs=4k 2>"$lab/dd.out"
before=$(list .version)
tapwall apply "$lab/three.yaml" >"$lab/full.out" 2>&1
check "a policy that cannot be saved is refused, as ever" grep -q 'No space left' "$lab/full.out"
equal "and not listed" "$before" "$(list .version)"
rm "$lab/state/junk"
check "once there is room it is accepted" apply "$lab/three.yaml"
check "and listed" prints 'three.yaml' tapwall policy --history
stop_agent KILL
# The list is lost while no agent runs.
echo '{}' >"$lab/state/policies.json"
start_agent
check "a damaged list does not keep the policy from its force" source_is three.yaml
check "and is said" within 20 grep -q 'policies.json' "$lab/agent.log"
equal "the policy in force is listed" true "$(list .in_force | tr -d ' ')"
finish
