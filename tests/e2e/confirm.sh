#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# confirm.sh: a policy that is applied with --confirm is replaced by the previous one unless it is confirmed in time,
# also if the agent is killed meanwhile.
# shellcheck disable=SC2016,SC2119,SC2317 # awk expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

source_is() { # FILE
	tapwall status --json | jq -es --arg file "$1" 'any(.[]; .policy_source | endswith($file))'
}
status_has() { # JQ FILTER
	tapwall status --json | jq -es "any(.[]; $1)"
}
fails() { # CODE TEXT COMMAND…: true if the command exits with CODE and prints TEXT
	code=$1
	text=$2
	shift 2
	"$@" >"$lab/fails.out" 2>&1
	got=$?
	cat "$lab/fails.out"
	[ "$got" = "$code" ] && grep -q "$text" "$lab/fails.out"
}
# Column 5 of /proc/net/tcp has the bytes that are not acknowledged yet.
all_acknowledged() {
	! in_guest 1 awk '$4 == "01" && $5 !~ /^00000000:/' /proc/net/tcp | grep -q .
}
policy() { # ACTION
	workloads 2
	echo 'rules:'
	echo "  - {name: echo, from: any, to: any, service: tcp/7001, action: $1}"
	echo '  - {name: rest, from: any, to: any, action: reject}'
}

make_host
make_guest 1
make_guest 2
policy allow >"$lab/old.yaml"
policy reject >"$lab/new.yaml"
{ policy reject; echo '# newer'; } >"$lab/newer.yaml"
begin g2 echo echo tcp 7001
start_agent
check "without a policy there is nothing to return to" fails 2 'no policy is in force to return to' \
	tapwall apply --confirm 60s "$lab/new.yaml"
check "the first policy" apply "$lab/old.yaml"
check "there is nothing to confirm" fails 2 'no policy waits' tapwall confirm
check "a time is checked" fails 2 "invalid time '5 m'" tapwall apply --confirm '5 m' "$lab/new.yaml"

check "a policy for six seconds" tapwall apply --confirm 6s "$lab/new.yaml"
equal "is in force" refused "$(attempt 1 tcp 10.0.0.12 7001)"
check "status says when the old one returns" status_has \
	'(.confirmation.previous | endswith("old.yaml")) and .confirmation.left_s <= 6'
check "the old one returns" within 20 source_is old.yaml
equal "at the ports" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "status and log say why" status_has \
	'(.confirmation.returned_from | endswith("new.yaml")) and .confirmation.why == "it was not confirmed in time"'
check "as text, too" sh -c "'$TW_BUILD/tapwall' status --socket '$socket' | grep -q '^RETURNED: .*new.yaml'"
check "a late confirmation fails" fails 2 'too late' tapwall confirm

check "a policy for ten minutes" tapwall apply --confirm 10m "$lab/new.yaml"
check "is confirmed" tapwall confirm
check "and stays" status_has '.confirmation == null and (.policy_source | endswith("new.yaml"))'
check "nothing is left on disk" test ! -e "$lab/state/confirm.json"

check "the old policy again" apply "$lab/old.yaml"
check "two policies, neither confirmed" tapwall apply --confirm 10m "$lab/new.yaml"
check "one after the other" tapwall apply --confirm 2s "$lab/newer.yaml"
check "return to the one before both" within 20 source_is old.yaml

# The policy new.yaml also refuses port 7001 in live connections.
check "a tripwire needs --confirm" fails 2 'needs --confirm' tapwall apply --tripwire 1 "$lab/new.yaml"
begin g1 stream1 stream "$lab/stream1" tcp 10.0.0.12 7001 120
streams=$child
begin g1 stream2 stream "$lab/stream2" tcp 10.0.0.12 7001 120
streams="$streams $child"
check "two connections are open" within 20 grows stream1 echoed 5
check "both of them" within 20 grows stream2 echoed 5
check "a policy that may cut two connections" tapwall apply --confirm 10m --tripwire 2 "$lab/new.yaml"
check "cuts both" within 20 status_has '.confirmation.cut == 2 and .confirmation.tripwire == 2'
for i in 1 2 3; do
	equal "an attempt to open one does not count" refused "$(attempt 1 tcp 10.0.0.12 7001)"
done
check "and stays" status_has '.confirmation.cut == 2 and (.policy_source | endswith("new.yaml"))'
check "the old policy again" apply "$lab/old.yaml"
begin g1 stream3 stream "$lab/stream3" tcp 10.0.0.12 7001 120
streams="$streams $child"
check "another connection is open" within 20 grows stream3 echoed 5
check "a policy that may cut none" tapwall apply --confirm 10m --tripwire 0 "$lab/new.yaml"
check "returns by itself" within 20 source_is old.yaml
check "and says why" status_has \
	'.confirmation.why | test("connections? that passed before w(as|ere) denied, such as tcp from 10.0.0.11 port [0-9]+ to 10.0.0.12 port 7001")'
check "also in the list of policies" sh -c \
	"'$TW_BUILD/tapwall' policy --history --socket '$socket' | grep -q 'that passed before'"

# The end of a quarantine begins a new epoch of the same policy, as learned addresses do. Connections that an earlier
# policy has cut are still in the table.
for stream in $streams; do
	end "$stream"
done
begin g1 stream4 stream "$lab/stream4" tcp 10.0.0.12 7001 120
check "one more connection is open" within 20 grows stream4 echoed 5
freeze "$child"
must within 20 all_acknowledged
check "its server is blocked" tapwall block w2
check "a policy that may cut none" tapwall apply --confirm 10m --tripwire 0 "$lab/new.yaml"
check "the server is unblocked" tapwall unblock w2
kill -CONT "$child"
check "the tripwire counts what is cut after that" within 20 source_is old.yaml
check "and not what an earlier policy had cut" status_has \
	'.confirmation.why | startswith("1 connection that passed before was denied")'

check "an invalid policy" fails 1 'bad.yaml' sh -c \
	"echo 'rules: 1' >'$lab/bad.yaml'; '$TW_BUILD/tapwall' apply --confirm 1s '$lab/bad.yaml' --socket '$socket'"
check "leaves nothing to confirm" status_has '.confirmation.previous == null'

check "another apply confirms" tapwall apply --confirm 10m "$lab/new.yaml"
check "a policy is applied for good" apply "$lab/newer.yaml"
check "need not be confirmed" status_has '.confirmation == null'

check "the agent is killed" apply "$lab/old.yaml"
check "while a policy waits" tapwall apply --confirm 10m "$lab/new.yaml"
stop_agent KILL
equal "the new policy stays until it starts again" refused "$(attempt 1 tcp 10.0.0.12 7001)"
start_agent
check "then the old one is in force" within 20 source_is old.yaml
equal "again" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "and status says so" status_has '.confirmation.why | contains("started again")'
stop_agent TERM
start_agent
check "the next start changes nothing" source_is old.yaml
check "and returns to nothing" status_has '.confirmation == null'

check "a policy waits" tapwall apply --confirm 10m "$lab/new.yaml"
stop_agent KILL
rm "$lab/state/confirm.json"
start_agent
check "confirm.json was deleted: status says so" status_has '.degraded[0] | contains("confirm.json")'
check "a policy is applied for good" apply "$lab/old.yaml"
check "then the host is no longer degraded" status_has '.degraded == []'
release_state() { # as a reboot does: what the kernel had is gone, the state directory is not
	stop_agent TERM
	cp -a "$lab/state" "$lab/kept"
	release
	rm -rf "$lab/state"
	mv "$lab/kept" "$lab/state"
}
start_with_file() {
	release_state
	rm "$lab/state/$1"
	start_agent --policy "$lab/new.yaml"
}
for file in policy.yaml rules.json; do
	start_with_file $file
	check "after a reboot without $file, another policy is in force: status says so" \
		status_has ".degraded[0] | contains(\"$file\")"
	check "a policy is applied for good" apply "$lab/old.yaml"
	check "then the host is no longer degraded" status_has '.degraded == []'
done
release_state
rm "$lab/state/policy.yaml"
start_agent
check "without any policy, status says so, too" status_has '.degraded[0] | contains("policy.yaml")'
finish
