# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# lib.sh: what the end-to-end tests share. Sourced first; $TW_BUILD names the build directory.
#
#	  guest 1          host namespace           guest 2
#	[ eth0 ]──veth──[ tap1 ]─[ br0 ]─[ tap2 ]──veth──[ eth0 ]      real TCP/IP stacks at both ends
#	                    ▲ tapwalld ▲
#
# Guest N has 10.0.0.1N and fd00::1N, MAC 52:54:00:00:00:0N, port tapN. Everything lives in
# namespaces and in one temporary directory, named by process id, and goes away with the test, also
# after a failure or a signal. A test prints TAP: `ok`/`not ok` lines by ok() and check().
set -u

[ "$(id -u)" = 0 ] || {
	echo "1..0 # SKIP not root: cannot make network namespaces"
	exit 0
}

tapwalld=$TW_BUILD/tapwalld
traffic=$TW_BUILD/tests/e2e/traffic
lab=$(mktemp -d /tmp/tw-e2e.XXXXXX)
ns=twe$$
socket=$lab/agent.sock
# The capabilities that packaging/tapwalld.service gives the agent.
rights=-all,+bpf,+perfmon,+net_admin,+chown
guests=
children=
agent=
# Command that starts the agent, with the agent's command as its arguments; empty: none.
inside=
n_checks=0
n_failed=0

# ---- life and death ----

# True if the process is a child of this shell, or has the test's directory among its arguments. The kernel gives the
# ids of ended processes to new ones, within minutes if kernel.pid_max is 32,768.
is_own() { # PID
	parent=
	while read -r key value; do
		[ "$key" != PPid: ] || parent=$value
	done 2>/dev/null <"/proc/$1/status" || return
	[ "$parent" = $$ ] || grep -qsF "$lab" "/proc/$1/cmdline"
}

leave() {
	code=$?
	trap - EXIT HUP INT TERM
	# An agent that a test no longer tracks still has its process id in its lock file.
	for pid in $children $agent $(cat "$lab"/state*/lock 2>/dev/null); do
		is_own "$pid" || continue
		kill -CONT "$pid" 2>/dev/null
		# A function that runs in the background is a shell, which has the command as its child.
		for child in $(pgrep -P "$pid"); do
			kill -9 "$child" 2>/dev/null
		done
		kill -9 "$pid" 2>/dev/null
	done
	for name in $guests host; do
		for pid in $(ip netns pids "$ns-$name" 2>/dev/null); do
			kill -9 "$pid" 2>/dev/null
		done
	done
	wait 2>/dev/null
	for name in $guests host; do
		ip netns del "$ns-$name" 2>/dev/null
	done
	umount "$lab/bpffs" "$lab/state" "$lab/disk" 2>/dev/null
	rm -rf "$lab"
	[ "$code" != 0 ] || [ "$n_failed" = 0 ] || code=1
	exit "$code"
}
trap leave EXIT
trap 'exit 129' HUP INT TERM

# ---- asserting ----

say() {
	sed 's/^/# /' <<-END
		$*
	END
}

ok() { # WHAT
	n_checks=$((n_checks + 1))
	echo "ok $n_checks - $1"
}

not_ok() { # WHAT [DETAILS]
	n_checks=$((n_checks + 1))
	n_failed=$((n_failed + 1))
	echo "not ok $n_checks - $1"
	[ -z "${2:-}" ] || say "$2"
	[ ! -s "$lab/agent.log" ] || tail -n 15 "$lab/agent.log" | sed 's/^/# agent: /'
}

# Ends the test, because its remaining checks would prove nothing.
bail() { # WHY
	not_ok "$@"
	finish
}

# Runs a command that prepares the checks. Its failure ends the test, and the reason names the command.
must() { # COMMAND…
	"$@" || bail "preparation: $*"
}

check() { # WHAT COMMAND…
	what=$1
	shift
	if "$@" >"$lab/check.out" 2>&1; then
		ok "$what"
	else
		not_ok "$what" "failed: $*
$(tail -n 20 "$lab/check.out")"
	fi
}

equal() { # WHAT EXPECTED GOT
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "expected: $2
got:      $3"
	fi
}

# A CPU's queue of received frames is shared by all namespaces: a flood in another test fills it.
backlogs() {
	awk '{ printf "%s ", $2 }' /proc/net/softnet_stat
}
backlogs_before=$(backlogs)

# A check that nothing is lost. If something was, but the kernel dropped frames of a full backlog meanwhile, it is skipped.
all_arrive() { # WHAT COMMAND…
	what=$1
	shift
	if "$@" >"$lab/check.out" 2>&1; then
		ok "$what"
	elif [ "$(backlogs)" != "$backlogs_before" ]; then
		ok "$what # SKIP the kernel dropped frames of a full backlog: $(backlogs)"
	else
		not_ok "$what" "failed: $*
$(tail -n 20 "$lab/check.out")"
	fi
}
none_lost() { # NAME: the stream of this name lost no segment
	[ "$(count_of "$1" lost)" = 0 ]
}

# Says where packets may have been lost: what the streams counted, what the agent denied, and what the
# kernel dropped elsewhere.
account() {
	for file in "$lab"/*; do
		! grep -qs '^sent=' "$file" || say "${file##*/}: $(tr -s '\n ' ' ' <"$file")"
	done
	[ -z "$agent" ] || say "denied: $(tapwall counters --json |
		jq -r 'select(.out + .in > 0) | "\(.reason) \(.out + .in)"' | tr '\n' ' ')"
	for guest in $guests; do
		say "$guest: $(ip netns exec "$ns-$guest" nstat -as 2>/dev/null |
			awk '/Drop|Err|Retrans|Prune|Timeouts|DSACK|Spurious/ { printf "%s %s ", $1, $2 }')"
	done
	say "backlogs dropped: $(backlogs), before: $backlogs_before"
}

finish() {
	echo "1..$n_checks"
	[ "$n_failed" = 0 ] || account
	[ "$n_failed" = 0 ]
	exit
}

# Waits for a condition up to a number of seconds; false without a message if it does not hold by
# then. After the first second it looks less often, because many tests wait at the same time.
within() { # SECONDS COMMAND…
	tries=$(($1 * 20))
	frequent=$((tries - 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		if [ "$tries" -gt "$frequent" ]; then
			tries=$((tries - 1))
			between=0.05
		else
			tries=$((tries - 4))
			between=0.2
		fi
		[ "$tries" -gt 0 ] || return 1
		sleep $between
	done
}

# Prints the usual amount of random work, or, with SCALE=full, the large one.
scaled() { # USUAL FULL
	[ "${SCALE:-}" = full ] && echo "$2" || echo "$1"
}

# ---- the lab ----

on_host() {
	ip netns exec "$ns-host" "$@"
}

in_guest() { # N COMMAND…
	name=$ns-g$1
	shift
	ip netns exec "$name" "$@"
}

make_host() {
	must mkdir "$lab/bpffs" "$lab/state"
	if ! mount -t bpf none "$lab/bpffs"; then
		echo "1..0 # SKIP cannot mount a BPF file system"
		exit 0
	fi
	must ip netns add "$ns-host"
	must on_host sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	must ip -n "$ns-host" link set lo up
	make_bridge br0
}

make_bridge() { # NAME [OPTIONS]
	bridge=$1
	shift
	must ip -n "$ns-host" link add "$bridge" type bridge "$@"
	must ip -n "$ns-host" link set "$bridge" up
}

make_guest() { # N [BRIDGE]
	guests="$guests g$1"
	must ip netns add "$ns-g$1"
	must ip -n "$ns-g$1" link set lo up
	plug "$1" "${2:-br0}"
}

# Neighbour requests continue for longer than `attempt` waits: by default an unanswered one becomes
# an error after the same three seconds as the timeout, and either could come first.
ask_longer() { # NAMESPACE DEVICE
	must ip netns exec "$ns-$1" sysctl -qw "net.ipv4.neigh.$2.mcast_solicit=10" "net.ipv6.neigh.$2.mcast_solicit=10"
}

# Connects a guest to its bridge.
plug() { # N BRIDGE
	must ip -n "$ns-host" link add "tap$1" type veth peer name eth0 netns "$ns-g$1"
	must in_guest "$1" sysctl -qw net.ipv6.conf.eth0.dad_transmits=0 \
		net.ipv6.conf.eth0.router_solicitations=0
	ask_longer "g$1" eth0
	must ip -n "$ns-g$1" link set eth0 address "52:54:00:00:00:0$1"
	must ip -n "$ns-g$1" addr add "10.0.0.1$1/24" dev eth0
	must ip -n "$ns-g$1" addr add "fd00::1$1/64" dev eth0 nodad
	must ip -n "$ns-host" link set "tap$1" master "$2" up
	must ip -n "$ns-g$1" link set eth0 up
}

# Counts the TCP packets that bridges of the host forward between ports; `bridged` prints their number.
watch_bridge() {
	must on_host nft -f - <<-'END'
		table bridge watch {
			counter bridged { }
			chain forward {
				type filter hook forward priority 0
				ip protocol tcp counter name bridged
			}
		}
	END
}

bridged() {
	on_host nft -j list counter bridge watch bridged | jq '.nftables[] | .counter? | .packets // empty'
}

# Prints the start of a policy with the workloads of guests 1 to N.
workloads() { # N
	echo 'version: 1'
	echo 'workloads:'
	for i in $(seq "$1"); do
		echo "  w$i: {port: tap$i, mac: \"52:54:00:00:00:0$i\", addresses: [10.0.0.1$i, \"fd00::1$i\"]}"
	done
}

# ---- the agent ----

tapwall() {
	verb=$1
	shift
	"$TW_BUILD/tapwall" "$verb" "$@" --socket "$socket"
}

answers() {
	[ -S "$socket" ] && tapwall status --json
}

# An emulated machine needs more time, TW_START_SECONDS, because the verifier takes minutes on a busy one.
start_agent() { # OPTIONS…
	# shellcheck disable=SC2086 # a command
	ip netns exec "$ns-host" $inside setpriv --bounding-set "$rights" "$tapwalld" --ports 'tap*' \
		--socket "$socket" --bpffs "$lab/bpffs/tapwall" --state-dir "$lab/state" "$@" \
		2>>"$lab/agent.log" &
	agent=$!
	within "${TW_START_SECONDS:-60}" answers && return
	if grep -q 'kernel lacks\|not permitted' "$lab/agent.log"; then
		echo "1..0 # SKIP $(tail -n 1 "$lab/agent.log")"
		exit 0
	fi
	bail "the agent answers" "$(cat "$lab/agent.log")"
}

# Stops the agent by SIGTERM, or another signal.
stop_agent() { # [SIGNAL]
	kill "-${1:-TERM}" "$agent"
	wait "$agent" 2>/dev/null
	code=$?
	agent=
	return "$code"
}

# True if no thread of the process runs.
is_stopped() { # PID
	grep -q '^State:.*stopped' "/proc/$1/status" && ! grep -h '^State:' "/proc/$1"/task/*/status | grep -qv stopped
}

# Stops a process by SIGSTOP, and waits until it has stopped: in a system call it continues to the call's end.
freeze() { # PID
	kill -STOP "$1"
	within 20 is_stopped "$1"
}

# Makes the attached programs look like another version's, so that the next agent replaces them with
# its own.
of_another_version() {
	rm "$lab"/bpffs/tapwall/progs/*
}

release() {
	# shellcheck disable=SC2086 # a command
	on_host $inside "$tapwalld" --release --socket "$socket" --bpffs "$lab/bpffs/tapwall" \
		--state-dir "$lab/state" 2>>"$lab/agent.log"
}

apply() { # FILE
	tapwall apply "$1" >"$lab/apply.out" 2>&1
}

state_of() { # PORT
	tapwall ports --json | jq -r --arg name "$1" 'select(.name == $name).state'
}

port_is() { # PORT STATE
	[ "$(state_of "$1")" = "$2" ]
}

# ---- traffic ----

# Runs a traffic program in the background; its pid is in $child.
begin() { # NAMESPACE LOG COMMAND…
	where=$1
	log=$2
	shift 2
	# Remove the output of an earlier program of this name.
	rm -f "$lab/$log.out"
	ip netns exec "$ns-$where" "$traffic" "$@" >"$lab/$log.out" 2>"$lab/$log.err" &
	child=$!
	children="$children $child"
	case $1 in
	tap) within 20 test -s "$lab/$log" ;;
	*) within 20 grep -q ready "$lab/$log.out" ;;
	esac || bail "traffic $1 starts" "$(cat "$lab/$log.err")"
}

end() { # PID…: ends the processes, and returns the exit code of the last one
	for pid in "$@"; do
		! is_own "$pid" || kill -TERM "$pid" 2>/dev/null
		wait "$pid"
		code=$?
		children=$(echo "$children" | tr ' ' '\n' | grep -vx "$pid")
	done
	return "$code"
}

# Prints a count of a traffic program.
count_of() { # FILE NAME
	sed -n "s/^$2=\([0-9]*\) *\$/\1/p" "$lab/$1"
}

grows() { # FILE NAME FROM
	[ "$(count_of "$1" "$2")" -gt "$3" ]
}

attempt() { # N PROTO HOST PORT → connected, refused, reset, prohibited, timeout
	in_guest "$1" "$traffic" connect "$2" "$3" "$4" | cut -d ' ' -f 1
}

becomes() { # WHAT N PROTO HOST PORT
	[ "$(attempt "$2" "$3" "$4" "$5")" = "$1" ]
}

has_address() { # N ADDRESS
	in_guest "$1" ip -o addr show dev eth0 | grep -Eq " inet6? $2/"
}

# True if the policy in force has this address for the port from DHCP.
lease_of() { # PORT
	tapwall ports --json | jq -r --arg name "$1" \
		'select(.name == $name) | .leases[] | select(.known) | .address'
}

lease_is() { # PORT ADDRESS
	[ "$(lease_of "$1")" = "$2" ]
}
