#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# faults.sh: in each round the agent is killed or stopped while policies are applied, its disk is
# full, its state directory is damaged, netlink messages are lost, or taps are recreated, also with the
# same number. After each round the real verdicts at every port are those of one policy, and
# `status` names that policy. In the environment, ROUNDS is the number of rounds and FIRST the
# number of the first one, which determines the details of its fault, so that several instances can
# share the work.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

rounds=${ROUNDS:-$(scaled 10 1000)}
first=${FIRST:-1}
shots=8
kinds="kill stop full corrupt-policy corrupt-rules corrupt-ports corrupt-images lost same-index new-index
	full-alive corrupt-alive same-alive"

make_host
for i in 1 2 3; do
	make_guest $i
done
# Each policy allows one of two ports, and refuses the other: from guests 1 and 2 at the near end,
# from guest 3 at the far end.
policy() { # ALLOWED, REFUSED
	workloads 3
	cat <<-END
		rules:
		  - {name: out-$2, from: [w1, w2], to: any, service: udp/$2, action: deny, at: from}
		  - {name: in-$2, from: w3, to: any, service: udp/$2, action: deny, at: to}
		  - {name: allowed, from: any, to: any, service: udp/$1, action: allow}
	END
}
policy 7001 7002 >"$lab/a.yaml"
policy 7002 7001 >"$lab/b.yaml"
mount -t tmpfs -o size=256k none "$lab/state" || bail "a small disk is mounted"
next_of() { # N
	echo $(($1 % 3 + 1))
}

# Receivers exit after 900 seconds: those older than 600 are restarted before a round uses them.
receivers=
begun=0
receive() {
	# shellcheck disable=SC2086 # a list
	[ -z "$receivers" ] || end $receivers
	receivers=
	for i in 1 2 3; do
		rm -f "$lab/count$i"
		begin g$i "count$i" count "$lab/count$i" 7001 7002
		receivers="$receivers $child"
		within 20 test -s "$lab/count$i"
	done
	begun=$(date +%s)
}

# Prints the number of arrivals at the two ports of each guest.
sample() {
	awk -F '[= ]' '{ printf "%s%s", $2, FNR == 2 ? "\n" : " " }' "$lab/count1" "$lab/count2" "$lab/count3"
}

# Prints for each guest how many more datagrams than in $before arrived at the two ports.
arrived() {
	printf '%s\n%s\n' "$before" "$(sample)" | awk '
		NR <= 3 { one[NR] = $1; two[NR] = $2; next }
		{ print $1 - one[NR - 3], $2 - two[NR - 3] }'
}

# Shots go to the two ports alternately: when all for one port have arrived, those for the other
# would have too.
all_arrived() {
	arrived | awk -v n=$shots '$1 < n && $2 < n { missing = 1 } END { exit missing }'
}

# Prints the policy that judges at all ports: a, b, or a mixture such as "a a x11".
judges() {
	before=$(sample)
	for i in 1 2 3; do
		in_guest "$i" "$TW_BUILD/tests/e2e/shots" "10.0.0.1$(next_of "$i")" $shots 7001 7002
	done
	within 2 all_arrived
	arrived | awk '
		{ r = ($1 > 0) ($2 > 0); printf "%s ", r == "10" ? "a" : r == "01" ? "b" : "x" r }'
}

# Prints the policy's source; if that was lost with rules.json, the policy whose text is in force.
told() {
	source=$(tapwall status --json | jq -r '(.policy_source // "none") | sub(".*/"; "") | sub(".yaml"; "")')
	[ "$source" != policy ] || for file in a b; do
		cmp -s "$lab/$file.yaml" "$lab/state/policy.yaml" && source=$file
	done
	echo "$source"
}

# The text of the policy in force may be unknown; status then names none.
agree() {
	[ $(($(date +%s) - begun)) -lt 600 ] || receive
	real=$(judges)
	name=$(told)
	case "$real" in
	"a a a " | "b b b ") ;;
	*) return 1 ;;
	esac
	[ "$name" = "${real%% *}" ] && return
	[ "$name" = none ] &&
		tapwall status --json | jq -es 'any(.[]; .degraded | length > 0)' >"$lab/degraded.out"
}

all_protected() {
	[ "$(tapwall status --json | jq -c '[.ports_protected, .ports_shut, .ports_unfiltered]')" = '[3,0,0]' ]
}

index_of() { # N
	on_host cat "/sys/class/net/tap$1/ifindex"
}

replug() { # N [INDEX]
	ip -n "$ns-host" link del "tap$1"
	if [ -n "${2:-}" ]; then
		ip -n "$ns-host" link add name "tap$1" index "$2" type veth peer name eth0 netns "$ns-g$1"
		ask_longer "g$1" eth0
		ip -n "$ns-g$1" link set eth0 address "52:54:00:00:00:0$1"
		ip -n "$ns-g$1" addr add "10.0.0.1$1/24" dev eth0
		ip -n "$ns-host" link set "tap$1" master br0 up
		ip -n "$ns-g$1" link set eth0 up
	else
		plug "$1" br0
	fi
}

applies() {
	for file in a b a b a b; do
		apply "$lab/$file.yaml"
	done
}

# ports.json lists the existing taps.
saved() {
	jq -es --argjson now "[$(index_of 1),$(index_of 2),$(index_of 3)]" \
		'any(.[]; [.ports[].ifindex] | sort == ($now | sort))' "$lab/state/ports.json"
}

corrupt() { # FILE, by the round
	file=$lab/state/$1
	[ -s "$file" ] || return
	size=$(stat -c %s "$file")
	case $((round % 3)) in
	0) truncate -s $((size * (round % 7) / 7)) "$file" ;;
	1) printf 'x' | dd of="$file" bs=1 seek=$((round * 37 % size)) conv=notrunc 2>/dev/null ;;
	2) rm "$file" ;;
	esac
}

seq 4000 | awk '{ printf "link set dev lo alias %0200d\n", $1 }' >"$lab/aliases"

# Prints the netlink messages that the kernel dropped at sockets of the host's namespace.
dropped() {
	on_host awk '{ n += $9 } END { print n + 0 }' /proc/net/netlink
}

lose_messages() {
	was=$(dropped)
	for _ in $(seq 20); do
		ip -n "$ns-host" -force -batch "$lab/aliases" 2>/dev/null
		[ "$(dropped)" -gt "$was" ] && return
	done
	not_ok "round $round: messages are lost"
}

fault() { # KIND
	case $1 in
	kill | stop)
		applies 2>/dev/null &
		applying=$!
		sleep "0.$(printf %02d $((round * 7 % 40)))"
		if [ "$1" = kill ]; then stop_agent KILL; else stop_agent; fi
		kill "$applying" 2>/dev/null
		wait "$applying" 2>/dev/null
		;;
	full | full-alive)
		dd if=/dev/zero of="$lab/state/junk" bs=512 2>/dev/null
		apply "$lab/b.yaml"
		[ "$1" = full-alive ] || stop_agent KILL
		replug 2
		;;
	corrupt-alive)
		for file in policy.yaml rules.json ports.json images.json; do
			corrupt $file
		done
		apply "$lab/b.yaml"
		apply "$lab/a.yaml"
		;;
	corrupt-*)
		within 20 saved
		stop_agent KILL
		case $1 in
		*-policy) corrupt policy.yaml ;;
		*) corrupt "${1#corrupt-}.json" ;;
		esac
		;;
	lost)
		freeze "$agent"
		replug 3
		lose_messages
		replug 1
		kill -CONT "$agent"
		;;
	same-index)
		stop_agent KILL
		replug 1 "$(index_of 1)"
		;;
	same-alive)
		freeze "$agent"
		replug 1 "$(index_of 1)"
		kill -CONT "$agent"
		;;
	new-index)
		freeze "$agent"
		replug 1
		stop_agent KILL
		;;
	esac
	[ -n "$agent" ] || start_agent
}

start_agent --policy "$lab/a.yaml"
check "at first" within 20 agree
bad=0
done_rounds=0
for round in $(seq "$first" $((first + rounds - 1))); do
	# shellcheck disable=SC2086 # a list
	set -- $kinds
	shift $(((round - 1) % $#))
	fault "$1"
	if ! within 20 all_protected || ! within 5 agree; then
		bad=$((bad + 1))
		not_ok "round $round, $1: one policy at all ports, and status names it" \
			"judged: $real, status: $name, $(tapwall status --json | jq -c '[.ports_protected, .ports_shut, .ports_unfiltered, .degraded]')"
	fi
	rm -f "$lab/state/junk"
	# The next fault starts from a known text.
	[ "$(told)" != none ] || apply "$lab/a.yaml"
	done_rounds=$((done_rounds + 1))
	[ $((done_rounds % 25)) != 0 ] || say "rounds: $done_rounds, bad: $bad"
done
equal "after each of $done_rounds faults every port was judged by one policy, which status named" 0 "$bad"
stop_agent
umount "$lab/state"
finish
