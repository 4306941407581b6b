#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# compile.sh: while a large policy is read, the agent answers, protects a new port, shuts a port in quarantine and
# returns to the last confirmed policy; the policy then takes effect with all of that. Orders of other clients wait.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

n=$(scaled 40000 100000)

# Prints a policy with workloads that have no port here.
many() { # SERVICE
	workloads 4
	seq "$n" | awk '{ a = int($1 / 65536); b = int($1 / 256) % 256; c = $1 % 256
		printf "  vm%d: {port: vport%d, mac: \"52:54:01:%02x:%02x:%02x\", addresses: [10.%d.%d.%d], tags: [t%d]}\n",
			$1, $1, a, b, c, 64 + a, b, c, $1 % 50 }'
	echo 'groups: {some: {tags: t1}, others: {tags: "!t1"}}'
	echo "rules:"
	echo "  - {name: echo, from: any, to: any, service: tcp/$1, action: allow}"
	echo "  - {name: groups, from: some, to: others, service: tcp/80, action: allow}"
}
field() { # JQ FILTER
	tapwall status --json | jq -s "$1"
}
generation() {
	field '.[0].policy_generation'
}
is_source() { # FILE
	tapwall status --json | jq -es --arg file "$1" 'any(.[]; .policy_source | endswith($file))' >/dev/null
}
gives_back() { # FILE
	tapwall policy --show "$(generation)" | cmp - "$1"
}
# True if the agent never used more memory.
peaks_below() { # MiB
	peak=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$agent/status")
	[ "$((peak >> 10))" -lt "$1" ]
}
# Begins to apply a file, and returns when the agent has the order.
apply_begins() { # NAME OPTIONS…
	name=$1
	shift
	"$TW_BUILD/tapwall" apply "$lab/$name.yaml" --socket "$socket" "$@" >"$lab/$name.out" 2>&1 &
	applying=$!
	children="$children $applying"
	orders=$((${orders:-0} + 1))
	within 30 is_reading || bail "the agent does not begin with $name"
}
# True if the agent has begun to read every order that apply_begins sent.
is_reading() {
	[ "$(grep -c 'arge.*yaml: reading its' "$lab/agent.log")" -ge "$orders" ]
}
applied() { # CODE
	wait "$applying"
	[ $? = "$1" ]
}
# Counts answers of the agent, and the slowest, while a policy is applied.
watch_answers() {
	answers=0
	slowest=0
	while kill -0 "$applying" 2>/dev/null; do
		begun=$(date +%s%N)
		is_source small.yaml || break
		took=$((($(date +%s%N) - begun) / 1000000))
		[ "$took" -le "$slowest" ] || slowest=$took
		answers=$((answers + 1))
	done
}

# Prints a policy with many rules for the ports here, so that their images take time.
rules() { # SERVICE
	workloads 5
	echo "rules:"
	echo "  - {name: echo, from: any, to: any, service: tcp/$1, action: allow}"
	seq "$n" | awk '{ printf "  - {from: %d.%d.%d.%d, to: w%d, service: tcp/%d, action: allow}\n",
		11 + $1 % 100, $1 / 65536, $1 / 256 % 256, $1 % 256, 1 + $1 % 5, 1 + $1 * 7 % 60000 }'
}
# True if the order that is being carried out is at this step.
# shellcheck disable=SC2016 # jq's variable
is_at() { # STEP
	tapwall status --json | jq -es --arg step "$1" '.[0].orders[0].step == $step' >/dev/null
}
# Follows an order until it ends, and records its steps, one a line.
# The warning that the check finds is in the log behind the line of the policy that took effect.
was_checked_afterwards() {
	sed '1,/large-rules.yaml is in force/d' "$lab/agent.log" | grep -q 'large-rules.yaml:.*can never match'
}

make_host
make_guest 1
make_guest 2
begin g2 echo-one echo tcp 7001
begin g2 echo-two echo tcp 7002
{ workloads 4; echo 'rules: [{name: echo, from: any, to: any, service: tcp/7001, action: allow}]'; } >"$lab/small.yaml"
many 7001 >"$lab/large.yaml"
many 7002 >"$lab/larger.yaml"
rules 7001 >"$lab/large-rules.yaml"
start_agent
check "a small policy" apply "$lab/small.yaml"

# ---- answers ----
apply_begins large
tapwall status --json >"$lab/status"
# shellcheck disable=SC2016 # jq's variable
check "status has the order: what, who, since when" jq -es --arg file "$lab/large.yaml" \
	'.[0].orders[0] | .source == $file and .author == "root" and .age_s >= 0 and .bytes > 1000000' "$lab/status"
tapwall status >"$lab/status"
check "also as text" grep -q "applying .*/large.yaml, .*, ordered by root .* ago" "$lab/status"
watch_answers
say "$answers answers while the old policy was in force, the slowest after $slowest ms"
check "the agent answers while it reads a large policy" test "$answers" -ge 3
check "the policy takes effect" applied 0
check "as said" is_source large.yaml

# ---- what arrives meanwhile ----
check "the small policy again" apply "$lab/small.yaml"
apply_begins larger
must ip -n "$ns-host" link add tap4 type veth peer name far4
must ip -n "$ns-host" link set tap4 master br0 up
check "a quarantine is in force at once" tapwall block w1 --why 'while it reads'
check "the port is shut" port_is tap1 quarantined
check "a port that arrives meanwhile is protected" within 10 port_is tap4 protected
check "by the policy in force" is_source small.yaml
check "the large policy takes effect" applied 0
check "with the quarantine" port_is tap1 quarantined
check "with the new port" port_is tap4 protected
check "the quarantine ends" tapwall unblock w1
equal "the guest is judged by the new policy" connected "$(attempt 1 tcp 10.0.0.12 7002)"
equal "and not by the old one" timeout "$(attempt 1 tcp 10.0.0.12 7001)"

# ---- images ----
check "the small policy again" apply "$lab/small.yaml"
apply_begins large-rules
check "the agent answers while it makes images" within 60 is_at preparing
check "the old policy is still in force" is_source small.yaml
must ip -n "$ns-host" link add tap5 type veth peer name far5
must ip -n "$ns-host" link set tap5 master br0 up
check "a port that arrives while images are made is protected" within 10 port_is tap5 protected
check "the policy with many rules takes effect" applied 0
check "with the port that arrived meanwhile" port_is tap5 protected
must ip -n "$ns-host" link del tap5
check "the port is removed" within 10 port_is tap5 ""
check "it was checked after it had taken effect" was_checked_afterwards
equal "no order is left" '[]' "$(field '.[0].orders' | tr -d ' \n')"
say "the longest pause of this agent: $(field '.[0].longest_pause_s') s"

# ---- several orders ----
apply_begins large
first=$applying
check "an order that comes meanwhile waits, and takes effect after the first" apply "$lab/small.yaml"
applying=$first
check "which took effect" applied 0
check "the later one stays" is_source small.yaml

before=$(generation)
apply_begins large
for i in $(seq 12); do
	"$TW_BUILD/tapwall" apply "$lab/small.yaml" -n --socket "$socket" >"$lab/more.$i" 2>&1 &
	more="${more:-} $!"
	children="$children $!"
done
check "the first is not disturbed by many others" applied 0
# Each of them is either refused, or has its answer: what small.yaml would change in the policy then in force.
i=0
refused=0
served=0
for pid in $more; do
	i=$((i + 1))
	if wait "$pid"; then
		! grep -q 'small.yaml would be put in force' "$lab/more.$i" || served=$((served + 1))
	else
		! grep -q 'other policies are being read; try again' "$lab/more.$i" || refused=$((refused + 1))
	fi
done
say "$refused of 12 were refused, $served have their answers"
check "orders beyond a number are refused" test "$refused" -ge 1
check "some wait" test "$served" -ge 1
equal "and each of the others has its answer" 12 $((refused + served))
equal "one policy took effect" $((before + 1)) "$(generation)"

# ---- a client that leaves ----
check "the small policy" apply "$lab/small.yaml"
apply_begins larger
kill -9 "$applying"
check "the order of a client that leaves goes on" within 30 is_source larger.yaml

# ---- the return to the last confirmed policy ----
check "the small policy once more" apply "$lab/small.yaml"
check "one to be confirmed" tapwall apply --confirm 1s "$lab/large.yaml"
check "the last confirmed one returns while nothing else is read" within 30 is_source small.yaml

# ---- SIGHUP and the end of the agent ----
apply_begins larger
begun=$(date +%s%N)
stop_agent
say "the agent ended in $((($(date +%s%N) - begun) / 1000000)) ms"
wait "$applying"
start_agent
check "an order that had not taken effect when the agent ended never does" is_source small.yaml

# ---- a long text ----
{ cat "$lab/small.yaml"; yes "# $(printf '%998s' comment)"; } | head -c 67108863 >"$lab/long.yaml"
echo >>"$lab/long.yaml"
check "a text of 64 MiB takes effect" apply "$lab/long.yaml"
check "it is given back as it was" gives_back "$lab/long.yaml"
check "another is put to the proof" tapwall apply --confirm 1s "$lab/small.yaml"
check "the long one returns" within 30 is_source long.yaml
check "the agent's memory is bounded" peaks_below 400
say "its peak: $((peak >> 10)) MiB"
stop_agent
start_agent
check "it is in force after a restart" is_source long.yaml
check "and is still the same" gives_back "$lab/long.yaml"
check "its memory is bounded then, too" peaks_below 400
say "its peak: $((peak >> 10)) MiB"
equal "what was in force stays" connected "$(attempt 1 tcp 10.0.0.12 7001)"
stop_agent
cp "$lab/large.yaml" "$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
check "the file of --policy is in force at the start" is_source policy.yaml
{ cat "$lab/large.yaml"; echo '# changed'; } >"$lab/policy.yaml"
kill -HUP "$agent"
check "after SIGHUP, the agent answers while it reads the file" is_source policy.yaml
cp "$lab/larger.yaml" "$lab/policy.yaml"
kill -HUP "$agent"
check "the second SIGHUP waits, and reads the newest file" within 60 eval '[ "$(field ".[0].file_state")" = "\"same\"" ]'
equal "which is in force" connected "$(attempt 1 tcp 10.0.0.12 7002)"
finish
