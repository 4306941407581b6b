#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# loads.sh: loading the policy file at start, reload and restart, and the load's status. A first
# start without a valid policy cuts off no running guest; a failed reload has its exit code; a
# restart keeps an applied policy, unless the file has changed since. A directory is read like a file.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

policy=$lab/policy.yaml

write() { # PORT [FILE]
	{
		workloads 3
		echo "rules: [{name: p$1, from: any, to: any, service: tcp/$1, action: allow}]"
	} >"${2:-$policy}"
}

field() { # NAME
	tapwall status --json | jq -c ".$1"
}

field_is() { # NAME VALUE
	[ "$(field "$1")" = "$2" ]
}

says() { # PATTERN
	tapwall status | grep -q "$1"
}

make_host
make_guest 1
make_guest 2
begin g2 echo-one echo tcp 7001
begin g2 echo-two echo tcp 7002
begin g2 echo-three echo tcp 7003
equal "guests talk before there is an agent" connected "$(attempt 1 tcp 10.0.0.12 7001)"

# ---- the first start, with an invalid policy file ----
echo 'version: 1
rules: [{name: a, from: nobody, to: any, action: allow}]' >"$policy"
start_agent --policy "$policy"
equal "a first start with an invalid policy leaves running guests as they were" connected \
	"$(attempt 1 tcp 10.0.0.12 7001)"
check "and says so first" sh -c "'$TW_BUILD/tapwall' status --socket '$socket' | head -n 1 |
	grep -q '^NOT FILTERED, 2 ports where frames pass unjudged: tap1, tap2\$'"
check "with what was refused, and why" says '^REFUSED: .*policy.yaml, .* ago: line 2, column 25'
check "and to programs" sh -c "'$TW_BUILD/tapwall' status --json --socket '$socket' |
	jq -es 'any(.[]; .refused.source == \"$policy\" and .ports_unfiltered == 2)'"
check "the log says it of each" within 20 grep -q 'tap1: NOT FILTERED: stays as it was' "$lab/agent.log"
make_guest 3
check "a new guest is shut" within 20 port_is tap3 shut
# The guest's stack may also give up by itself, depending on its first neighbour request.
check "it reaches no other" eval '! becomes connected 3 tcp 10.0.0.12 7001'
stop_agent
start_agent --policy "$policy"
equal "another start leaves them again" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "and the new one shut" port_is tap3 shut
check "it still reaches no other" eval '! becomes connected 3 tcp 10.0.0.12 7001'
tapwall reload >"$lab/reload.out" 2>&1
equal "a reload of that file fails" 1 $?
check "with its error at its place" grep -q ':2:25: ' "$lab/reload.out"

write 7001
check "a reload of a valid one succeeds" tapwall reload
check "all ports are protected" port_is tap1 protected
check "the new one, too" port_is tap3 protected
equal "what the policy allows passes" connected "$(attempt 3 tcp 10.0.0.12 7001)"
equal "the rest does not" timeout "$(attempt 1 tcp 10.0.0.12 7002)"
equal "nothing is refused any more" null "$(field refused)"
equal "the file is what is in force" '"same"' "$(field file_state)"

# ---- a reload that fails ----
echo 'version: 2' >"$policy"
equal "a file that changed differs from what is in force" '"differs"' "$(field file_state)"
check "which people are told" says "file .*policy.yaml DIFFERS from the policy in force"
tapwall reload >"$lab/reload.out" 2>&1
equal "a reload of a broken one fails" 1 $?
equal "the old policy stays" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "status tells the refusal" says '^REFUSED: .*policy.yaml, .* ago: line 1'
rm "$policy"
tapwall reload >"$lab/reload.out" 2>&1
equal "a reload without a file fails" 2 $?
equal "which status tells, too" '"unreadable"' "$(field file_state)"
before=$(grep -c 'cannot read it' "$lab/agent.log")
kill -HUP "$agent"
check "SIGHUP is refused as well" within 20 \
	sh -c "[ \$(grep -c 'cannot read it' '$lab/agent.log') -gt $before ]"
stop_agent
start_agent --policy "$policy"
equal "a start without the file keeps what was in force" connected "$(attempt 1 tcp 10.0.0.12 7001)"
check "and tells" says '^REFUSED: .*policy.yaml'

# ---- apply, restart, reload ----
write 7001
check "the file is back" tapwall reload
write 7002 "$lab/other.yaml"
check "another policy is applied" apply "$lab/other.yaml"
equal "the file differs from it" '"differs"' "$(field file_state)"
stop_agent
start_agent --policy "$policy"
equal "a restart does not forget what was applied" "\"$lab/other.yaml\"" "$(field policy_source)"
equal "it is in force" connected "$(attempt 1 tcp 10.0.0.12 7002)"
equal "the file is not" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
check "status still tells" says "file .*policy.yaml DIFFERS"
stop_agent
write 7003
start_agent --policy "$policy"
equal "a file that was changed since is what counts" "\"$policy\"" "$(field policy_source)"
equal "it is in force now" connected "$(attempt 1 tcp 10.0.0.12 7003)"
equal "and the same" '"same"' "$(field file_state)"
check "what is said of the rest of traffic is told" says 'default: deny; ports without a workload are NOT FILTERED (unclaimed: ignore)'

# ---- a directory in place of the file ----
must mv "$policy" "$lab/10-base.yaml"
must mkdir "$policy"
must mv "$lab/10-base.yaml" "$policy"
equal "a directory with that file alone differs" '"differs"' "$(field file_state)"
check "it is read like the file" tapwall reload
equal "it is in force, and the same" '"same"' "$(field file_state)"
echo 'rules: [{from: any, to: any, service: tcp/7001, action: allow}]' >"$policy/20-more.yaml"
equal "a file that is added makes it differ" '"differs"' "$(field file_state)"
check "and is read with the others" tapwall reload
equal "its rule is in force" connected "$(attempt 1 tcp 10.0.0.12 7001)"
equal "the others as well" connected "$(attempt 1 tcp 10.0.0.12 7003)"
check "a rule has its place" sh -c "'$TW_BUILD/tapwall' rules --json --socket '$socket' |
	jq -es 'any(.[]; .name == \"rule-2\" and .file == \"20-more.yaml\" and .line == 1)'"
echo 'rules: [{from: nobody, to: any, action: allow}]' >"$policy/30-broken.yaml"
tapwall reload >"$lab/reload.out" 2>&1
equal "a reload with a broken file fails" 1 $?
check "with the error at its place" grep -q "$policy/30-broken.yaml:1:16: " "$lab/reload.out"
check "in the log, too" within 20 grep -q "$policy/30-broken.yaml:1:16: " "$lab/agent.log"
check "and in the status" says '^REFUSED: .*: 30-broken.yaml, line 1, column 16: '
apply "$policy"
equal "an apply fails alike" 1 $?
check "at the place" grep -q "$policy/30-broken.yaml:1:16: " "$lab/apply.out"
equal "the policy in force stays" connected "$(attempt 1 tcp 10.0.0.12 7001)"
must rm "$policy/30-broken.yaml"
must ln -s nowhere "$policy/30-missing.yaml"
tapwall reload >"$lab/reload.out" 2>&1
equal "a reload with an unreadable file fails" 2 $?
check "which names it" grep -q "$policy/30-missing.yaml: cannot read it" "$lab/reload.out"
check "status names it as well" says '^REFUSED: .*30-missing.yaml: cannot read it'
must rm "$policy/30-missing.yaml"
must tapwall policy --show "$(field policy_generation)" >"$lab/shown.yaml"
check "the text that is in force names its files" grep -qx '# tapwall file: 20-more.yaml' "$lab/shown.yaml"
check "and is read like them" sh -c \
	"'$TW_BUILD/tapwall' apply '$lab/shown.yaml' --socket '$socket' | grep -q already"
stop_agent
start_agent --policy "$policy"
equal "a restart finds the directory unchanged" '"same"' "$(field file_state)"
equal "and keeps its policy" connected "$(attempt 1 tcp 10.0.0.12 7001)"
stop_agent
start_agent
tapwall reload >"$lab/reload.out" 2>&1
equal "without --policy there is nothing to reload" 1 $?
check "as the error says" grep -q 'started without --policy' "$lab/reload.out"

# ---- the file, or the directory ----
stop_agent
file=$lab/etc.yaml
write 7002 "$file"
must mv "$policy" "$lab/aside"
start_agent --policy "$file:$policy"
equal "of two paths, the file that exists is read" "\"$file\" \"same\"" "$(field policy_source) $(field file_state)"
equal "it is in force" connected "$(attempt 1 tcp 10.0.0.12 7002)"
must mv "$lab/aside" "$policy"
equal "if both exist, status says that neither can be read" '"unreadable"' "$(field file_state)"
tapwall reload >"$lab/reload.out" 2>&1
equal "a reload fails" 1 $?
check "and names both" grep -q "$policy: a policy exists here and in $file; keep one" "$lab/reload.out"
check "status names both" says "^REFUSED: .*a policy exists here and in $file"
equal "the policy in force stays" connected "$(attempt 1 tcp 10.0.0.12 7002)"
must rm "$file"
check "with the directory alone, a reload succeeds" tapwall reload
equal "it is what is in force" "\"$policy\" \"same\"" "$(field policy_source) $(field file_state)"
equal "its rules judge" connected "$(attempt 1 tcp 10.0.0.12 7001)"
equal "those of the file do not" timeout "$(attempt 1 tcp 10.0.0.12 7002)"
stop_agent
start_agent --policy "$file:$policy"
equal "a restart finds it unchanged" "\"$policy\" \"same\"" "$(field policy_source) $(field file_state)"

# ---- messages to the service manager ----
check "the unit's reload is that of the command" grep -q '^ExecReload=.*tapwall reload' \
	"$TW_SOURCE/packaging/tapwalld.service.in"
finish
