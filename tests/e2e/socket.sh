#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# socket.sh: the agent's socket with malicious clients, the format of `--json`, and the messages to
# the service manager.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

hostile() {
	"$TW_BUILD/tests/e2e/hostile" "$socket" "$@"
}
memory() { # of the agent, KiB
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$agent/status"
}
has_keys() { # VERB KEY…
	verb=$1
	shift
	keys=$(printf '"%s",' "$@")
	tapwall "$verb" --json | jq -es "length > 0 and all(.[]; [has(${keys%,})] | all)"
}

is_refused() { # FILE
	tapwall apply "$1"
	[ $? = 1 ]
}
not() { # COMMAND…
	! "$@"
}
escape=$(printf '\033')
evil="$lab/evil${escape}[31m
forged: line"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7000, action: allow, log: true}
		  - {name: no, from: any, to: any, service: tcp/7001, action: reject}
	END
} >"$lab/policy.yaml"

cp "$lab/policy.yaml" "$lab/good.yaml"
export NOTIFY_SOCKET="$lab/notify" WATCHDOG_USEC=1000000
"$TW_BUILD/tests/e2e/traffic" notified "$lab/notify" >"$lab/notified" 2>&1 &
children="$children $!"
within 20 test -S "$lab/notify" || bail "a service manager listens"
start_agent --policy "$lab/policy.yaml" --viewer-socket "$lab/view.sock"
unset NOTIFY_SOCKET WATCHDOG_USEC
check "the service manager is told when all is ready" within 20 grep -qx READY=1 "$lab/notified"
check "and how it is" grep -q "^STATUS=2 ports, policy number 1" "$lab/notified"
kill -HUP "$agent"
check "the watchdog is fed" within 20 grep -qx WATCHDOG=1 "$lab/notified"
check "SIGHUP is told as reloading" within 20 grep -qx RELOADING=1 "$lab/notified"
check "with the time that notify-reload asks for" grep -q '^MONOTONIC_USEC=[0-9]*$' "$lab/notified"
sed -i 's/tcp\/7000, action: allow/tcp\/7002, action: allow/' "$lab/policy.yaml"
kill -HUP "$agent"
check "SIGHUP reads the policy again" within 20 sh -c \
	"'$TW_BUILD/tapwall' rules --json --socket '$socket' | grep -q tcp/7002"
echo 'version: 2' >"$lab/policy.yaml"
kill -HUP "$agent"
check "an invalid one is logged" within 20 grep -q 'refused' "$lab/agent.log"
equal "and refused" 2 "$(tapwall status --json | jq .policy_generation)"

begin g2 echo echo tcp 7002
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7002 5
attempt 1 tcp 10.0.0.12 7001 >/dev/null
check "traffic flows" within 20 grows stream echoed 10
check "status" has_keys status version pid uptime_s policy_generation connections connection_bytes \
	image_bytes image_bytes_per_rule latch attach
check "ports" has_keys ports name ifindex workload state mac addresses bridge packets bytes denied
check "flows" has_keys flows proto from to state packets bytes age_s idle_s out in network
check "rules" has_keys rules name action hits packets bytes last_hit_s
check "counters" has_keys counters reason out in
check "log" has_keys log time event verdict reason rule workload direction
check "version" has_keys version version kernel
equal "a flow's ends and gates" '"w1 7002 w2 allow echo allow echo"' "$(tapwall flows --json |
	jq -c 'select(.to.port == 7002) | "\(.from.workload) \(.to.port) \(.to.workload) \(.out.verdict) \(.out.rule) \(.in.verdict) \(.in.rule)"')"
equal "flows of one workload" "$(tapwall flows --json | grep -c '"workload":"w2"')" \
	"$(tapwall flows --json --workload w2 | wc -l)"
tapwall flows --json --workload nobody >"$lab/nobody" 2>&1
equal "of one that there is not: an error" 2 $?

"$TW_BUILD/tapwall" log --follow --json --socket "$socket" >"$lab/followed" &
follower=$!
children="$children $follower"
attempt 1 tcp 10.0.0.12 7001 >/dev/null
check "a follower of the log sees what happens" within 20 grep -q '"rule":"no"' "$lab/followed"

view() { # VERB…
	"$TW_BUILD/tapwall" "$@" --socket "unix:$lab/view.sock"
}
view_refused() { # VERB…
	view "$@" >"$lab/view.out" 2>&1
	[ $? = 3 ] && grep -q "use the agent's main socket" "$lab/view.out"
}
says_no_group() { # GROUP
	getent group "$1" >/dev/null || grep -q "only root may connect, as there is no group $1\$" "$lab/agent.log"
}
check "the log says if there is no group for it" says_no_group tapwall-view
equal "the viewers' socket is its owner's and its group's" 660 "$(stat -c %a "$lab/view.sock")"
check "it answers what shows something" sh -c "'$TW_BUILD/tapwall' rules --socket '$lab/view.sock' | grep -q echo"
check "also status" sh -c "'$TW_BUILD/tapwall' status --json --socket '$lab/view.sock' | jq -es 'any(.[]; .policy_generation == 2)'"
check "it takes no policy" view_refused apply "$lab/good.yaml"
check "and captures nothing" view_refused capture w1 -w "$lab/view.pcap"
equal "the policy is the same" 2 "$(tapwall status --json | jq .policy_generation)"

equal "a policy of no bytes at all" answered "$(hostile empty)"
: >"$lab/empty.yaml"
check "or an empty file" is_refused "$lab/empty.yaml"
equal "a policy's name of 4096 letters" taken "$(hostile name 4096)"
equal "one that is longer" refused "$(hostile name 4097)"
equal "much longer" refused "$(hostile name 15000000)"
printf 'version: 2\n' >"$evil"
check "a policy with a name that forges lines" is_refused "$evil"
equal "has one line in the log" 1 "$(grep -c 'policy .*evil.*forged.* refused' "$lab/agent.log")"
check "and begins none" not grep -q '^forged' "$lab/agent.log"
cp "$lab/good.yaml" "$evil"
check "another one" apply "$evil"
check "is told of without escapes" not grep -q "$escape" "$lab/apply.out" "$lab/agent.log"
tapwall status >"$lab/status.out"
check "also by status" not grep -q "$escape\|^forged" "$lab/status.out"
check "and in JSON" not sh -c "'$TW_BUILD/tapwall' status --json --socket '$socket' | grep -q '$escape'"

before=$(memory)
hostile half >"$lab/half" &
half=$!
equal "an oversized frame" closed "$(hostile huge)"
equal "frames of garbage" "closed 200" "$(hostile garbage)"
equal "a frame that is dear to unpack" closed "$(hostile unpack)"
"$TW_BUILD/tests/e2e/hostile" "$socket" crowd 200 >"$lab/crowd" &
crowd=$!
children="$children $crowd"
within 60 grep -q held "$lab/crowd"
check "of a crowd no more stay than there is room for" \
	test "$(sed 's/held //' "$lab/crowd")" -le 32
check "while a crowd stays, others are served" within 20 answers
end "$crowd"
"$TW_BUILD/tests/e2e/hostile" "$socket" halves 12 >"$lab/halves" &
halves=$!
children="$children $halves"
check "requests are begun that are longer than there is room for" within 20 grep -q begun "$lab/halves"
check "… and others are served" within 20 answers
check "… with policies, too" apply "$lab/good.yaml"
end "$halves"
check "others are served again" within 20 answers
equal "a client that asks much and reads nothing" answered "$(hostile deaf 2000)"
check "others are served meanwhile" within 20 answers
wait $half
equal "a frame that never becomes whole" closed "$(cat "$lab/half")"
check "the agent's memory is what it was, give or take 16 MiB" \
	test "$(memory)" -lt $((before + 16384))
check "and it lives" kill -0 "$agent"
finish
