#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# truth.sh: no guest loses its protection by a typing mistake. A policy under which a protected port
# would belong to no workload is refused by apply, by SIGHUP and at start, unless the user confirms
# it; unfiltered ports come first in the output, with their number.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	echo 'rules: [{name: web, from: any, to: w2, service: tcp/80, action: allow}]'
} >"$lab/good.yaml"
sed 's/port: tap2/port: tap20/' "$lab/good.yaml" >"$lab/mistyped.yaml"
sed '/^  w2:/d; /^rules:/d' "$lab/good.yaml" >"$lab/removed.yaml"
{
	cat "$lab/mistyped.yaml"
	echo 'options: {unclaimed: deny}'
} >"$lab/shut.yaml"
cp "$lab/good.yaml" "$lab/policy.yaml"

says() { # FILE PATTERN
	grep -q "$2" "$lab/$1"
}

first_line() { # FILE PATTERN
	head -n 1 "$lab/$1" | grep -q "$2"
}

generation() {
	tapwall status --json | jq .policy_generation
}

# Prints the part of the status about refused loads.
logged() { # PATTERN
	within 20 grep -q "$1" "$lab/agent.log"
}

start_agent --policy "$lab/policy.yaml"
check "the port is protected" port_is tap2 protected

for slip in mistyped removed; do
	tapwall apply --dry-run "$lab/$slip.yaml" >"$lab/dry.out" 2>&1
	equal "$slip: a dry run says no" 1 $?
	check "$slip: and first what would not be filtered, with its number" \
		first_line dry.out '^NOT FILTERED: 1 protected port would be open: tap2 (w2)$'
	apply "$lab/$slip.yaml"
	equal "$slip: apply refuses" 1 $?
	check "$slip: and says which port" says apply.out '1 protected port would be NOT FILTERED.*tap2 (w2)'
	check "$slip: and what to do" says apply.out 'allow-unprotect'
	equal "$slip: the old policy stays" 1 "$(generation)"
	check "$slip: and the port protected" port_is tap2 protected
	equal "$slip: a dry run tells programs, too" '[true,1,"tap2","w2"]' "$(
		tapwall apply --json --dry-run "$lab/$slip.yaml" |
			jq -c '[.refused, .ports_unprotected, .unprotected[0].port, .unprotected[0].workload]'
	)"
done
check "the log says it" logged 'refused.*1 protected port would be NOT FILTERED'

cp "$lab/mistyped.yaml" "$lab/policy.yaml"
kill -HUP "$agent"
check "a reload by SIGHUP is refused as well" logged 'policy.yaml refused.*NOT FILTERED'
equal "and the old policy stays" 1 "$(generation)"
stop_agent
start_agent --policy "$lab/policy.yaml"
check "an agent that starts with it keeps the port protected" port_is tap2 protected
equal "by the policy that was in force" 1 "$(generation)"
equal "which is enforced" timeout "$(attempt 1 tcp 10.0.0.12 81)"

check "where such ports are shut, no port is opened and nothing is refused" apply "$lab/shut.yaml"
check "the port is shut" port_is tap2 unclaimed
equal "nothing passes" timeout "$(attempt 1 tcp 10.0.0.12 80)"
check "and nothing is called unfiltered" sh -c "! grep -q 'NOT FILTERED' '$lab/apply.out'"
check "back" apply "$lab/good.yaml"

check "a change that says so is made" tapwall apply --allow-unprotect "$lab/removed.yaml"
tapwall apply --allow-unprotect "$lab/good.yaml" >"$lab/apply.out" 2>&1
tapwall apply --allow-unprotect "$lab/removed.yaml" >"$lab/apply.out" 2>&1
check "its first line counts what is open" \
	first_line apply.out '^NOT FILTERED: 1 protected port now open: tap2 (w2)$'
tapwall status >"$lab/status.out"
check "so does that of status" first_line status.out '^NOT FILTERED, 1 port without a workload: tap2$'
check "and its line of ports" says status.out 'ports  *1 NOT FILTERED, 1 protected'
tapwall ports >"$lab/ports.out"
check "and that of ports" first_line ports.out '^NOT FILTERED: 1 port$'
check "the log says it, too" logged 'tap2: NOT FILTERED'
apply "$lab/removed.yaml"
equal "a port that is open already is opened by no further change" 0 $?

# A port whose name and MAC belong to different workloads is kept shut; opening it is a change too.
{
	cat "$lab/removed.yaml"
	echo 'default: allow'
} >"$lab/default.yaml"
tapwall apply --dry-run "$lab/default.yaml" >"$lab/dry.out" 2>&1
check "another default is marked" says dry.out '^  ! default: deny -> allow'
check "and told to programs" sh -c \
	"'$TW_BUILD/tapwall' apply -n --json --socket '$socket' '$lab/default.yaml' | jq -es 'any(.[]; .dangers | length == 1)'"
check "from shut to open" apply "$lab/shut.yaml"
tapwall apply --dry-run "$lab/removed.yaml" >"$lab/dry.out" 2>&1
check "that ports of no workload open is marked" says dry.out '^  ! unclaimed: deny -> ignore'
check "and they are counted" first_line dry.out '^NOT FILTERED: 1 port without a workload in total: tap2$'

# ---- explain --live shows what the ports do, not the policy's decision alone ----
explain() { # OPTIONS…
	tapwall explain --live --from 10.0.0.200 --to w2 --proto tcp "$@" >"$lab/explain.out" 2>&1
}

check "the policy of the beginning" apply "$lab/good.yaml"
explain --dport 80
equal "what is judged is allowed" 0 $?
check "with how long ago the port was looked at" says explain.out 'at port tap2, protected, proved .* ago'
explain --dport 81
equal "or denied" 1 $?
check "a slip leaves the port open" tapwall apply --allow-unprotect "$lab/mistyped.yaml"
explain --dport 81
equal "what passes an open port is not said to be denied" 0 $?
check "but that nothing judges it" says explain.out 'not judged on this host'
check "and what the policy alone would say" says explain.out 'the policy alone would deny'
equal "in a batch, too" '{"verdict":"unprotected","rule":null,"reason":null,"out":null,"in":null}' "$(
	echo '{"from":"10.0.0.200","to":"10.0.0.12","proto":"tcp","dport":81}' |
		tapwall explain --live --batch
)"
check "back once more" apply "$lab/good.yaml"
ip -n "$ns-host" link set tap2 address fe:54:00:00:00:77
check "a port whose MAC says that it is another's is shut" within 20 port_is tap2 shut
explain --dport 80
equal "explain does not say that a shut port lets anything pass" 1 $?
check "but that it is shut" says explain.out 'deny: the port is shut, into w2'
check "and why" says explain.out 'nothing passes here: .*MAC'
equal "so it is for programs" '["deny","shut","allow"]' "$(
	tapwall explain --live --json --from 10.0.0.200 --to w2 --proto tcp --dport 80 |
		jq -c '[.verdict, .in.judged, .in.by_policy.verdict]'
)"
equal "which is what happens" timeout "$(attempt 1 tcp 10.0.0.12 80)"

# ---- empty logs and lists ----
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: hushed, from: any, to: w1, service: tcp/82, action: deny, log: false, at: to}
		  - {name: told, from: any, to: w1, service: tcp/83, action: deny, at: to}
		  - {name: out, from: w2, to: any, action: allow, at: from}
	END
} >"$lab/quiet.yaml"
ip -n "$ns-host" link set tap2 address 02:00:00:00:00:02
check "the port is found by its name again" within 20 port_is tap2 protected
check "a policy with a rule that is not logged" apply "$lab/quiet.yaml"
stop_agent
start_agent
tapwall log >"$lab/log.out"
check "a log that begins with the agent does not say that nothing was denied before" \
	says log.out '^nothing was denied or logged since .*; older events are not kept$'
logs() { # RULE [OPTIONS]
	rule=$1
	shift
	tapwall log --json "$@" | grep -q "\"rule\":\"$rule\",\"workload\""
}
equal "what a rule denies is denied" timeout "$(attempt 2 tcp 10.0.0.11 82)"
equal "by another rule, too" timeout "$(attempt 2 tcp 10.0.0.11 83)"
check "a denial is logged" within 20 logs told
check "so is one of a rule that says log: false, for log --all" logs hushed --all
check "but not else" eval '! logs hushed'
for verb in 'flows --workload' 'flows --json --workload' 'log --workload' capture; do
	# shellcheck disable=SC2086 # the option is a word of its own
	timeout 60 "$TW_BUILD/tapwall" $verb nosuch --socket "$socket" >"$lab/nosuch.out" 2>&1
	equal "$verb: a workload that there is not is an error" 2 $?
	check "$verb: which names it" says nosuch.out 'nosuch: there is no such workload'
done
check "one that there is, is none" tapwall flows --workload w1
finish
