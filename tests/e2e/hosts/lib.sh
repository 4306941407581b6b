# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# lib.sh: definitions shared by the tests of hosts' layouts. Sourced first.
#
# Each test builds the layout of a platform, tries every path without tapwall, then with the policy that docs/hosts.md
# shows for the platform, in both modes of forwarding, and compares the host before with the host after --release.
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

# Prints the policy that docs/hosts.md shows under a heading.
policy_of() { # HEADING
	awk -v heading="## $1" '
		/^## / { here = $0 == heading }
		/^```$/ { inside = 0 }
		here && inside { print }
		/^```yaml$/ { inside = 1 }' "$TW_SOURCE/docs/hosts.md"
}

make_namespace() { # NAME
	guests="$guests $1"
	must ip netns add "$ns-$1"
	must ip -n "$ns-$1" link set lo up
}

# Connects eth0 of a namespace, with a MAC, to a new port of the host.
join() { # NAMESPACE PORT MAC [ADDRESS/LENGTH…]
	name=$1
	must ip -n "$ns-host" link add "$2" type veth peer name eth0 address "$3" netns "$ns-$name"
	must ip netns exec "$ns-$name" sysctl -qw net.ipv6.conf.eth0.dad_transmits=0 \
		net.ipv6.conf.eth0.router_solicitations=0
	ask_longer "$name" eth0
	must ip -n "$ns-host" link set "$2" up
	must ip -n "$ns-$name" link set eth0 up
	shift 3
	for address in "$@"; do
		case $address in
		*:*) must ip -n "$ns-$name" addr add "$address" dev eth0 nodad ;;
		*) must ip -n "$ns-$name" addr add "$address" dev eth0 ;;
		esac
	done
}

# Gives the host an address at an interface; IPv6 is off elsewhere on the host.
host_address() { # INTERFACE ADDRESS/LENGTH…
	at=$1
	shift
	for address in "$@"; do
		case $address in
		*:*)
			must on_host sysctl -qw "net.ipv6.conf.$at.disable_ipv6=0" "net.ipv6.conf.$at.dad_transmits=0"
			must ip -n "$ns-host" addr add "$address" dev "$at" nodad
			;;
		*) must ip -n "$ns-host" addr add "$address" dev "$at" ;;
		esac
	done
}

serve() { # NAMESPACE PROTO PORT…
	where=$1
	proto=$2
	shift 2
	for port in "$@"; do begin "$where" "echo-$where-$proto-$port" echo "$proto" "$port"; done
}

# Prints the result of one attempt: connected, refused, timeout, …
try() { # NAMESPACE PROTO HOST [PORT]
	if [ "$2" = ping ]; then
		ip netns exec "$ns-$1" ping -nq -c 1 -W 2 "$3" >/dev/null && echo connected || echo timeout
	else
		ip netns exec "$ns-$1" "$traffic" connect "$2" "$3" "$4" | cut -d ' ' -f 1
	fi
}

gets() { # EXPECTED NAMESPACE PROTO HOST [PORT]
	wanted=$1
	shift
	[ "$(try "$@")" = "$wanted" ]
}

# Tries the paths that the test's function paths() prints, `NAMESPACE PROTO HOST PORT EXPECTED` in each line, all at once,
# because a denied one takes three seconds. On a busy machine, an answer may take longer than an attempt waits: such a path is tried again.
try_paths() { # HOW [EXPECTED OF ALL]
	how=$1
	all=${2:-}
	paths >"$lab/paths"
	n=0
	tries_pids=
	while read -r from proto to port expected; do
		n=$((n + 1))
		try "$from" "$proto" "$to" "$port" >"$lab/path.$n" 2>/dev/null </dev/null &
		tries_pids="$tries_pids $!"
	done <"$lab/paths"
	# shellcheck disable=SC2086 # process ids
	wait $tries_pids
	n=0
	while read -r from proto to port expected <&3; do
		n=$((n + 1))
		expected=${all:-$expected}
		what="$how: $from → $to $proto/$port is $expected"
		if [ "$(cat "$lab/path.$n")" = "$expected" ] || [ "$expected" = timeout ]; then
			equal "$what" "$expected" "$(cat "$lab/path.$n")"
		else
			check "$what" within 20 gets "$expected" "$from" "$proto" "$to" "$port"
		fi
	done 3<"$lab/paths"
}

has_denied() { # WORKLOAD DIRECTION REASON-PREFIX
	tapwall log --all --json | jq -es --arg w "$1" --arg d "$2" --arg r "$3" \
		'any(.[]; .workload == $w and .direction == $d and .verdict != "allow" and (.reason | startswith($r)))'
}

# A guest sends from an address that is not its own, and gets no answer.
spoofs() { # HOW NAMESPACE WORKLOAD ADDRESS HOST PORT
	must ip -n "$ns-$2" addr add "$4/32" dev eth0
	must ip -n "$ns-$2" route replace "$5/32" dev eth0 src "$4"
	equal "$1: $3 gets nowhere as $4" timeout "$(try "$2" tcp "$5" "$6")"
	check "$1: because the address is not its own" within 20 has_denied "$3" out spoofed-
	must ip -n "$ns-$2" route del "$5/32" dev eth0
	must ip -n "$ns-$2" addr del "$4/32" dev eth0
}

all_protected() { # PORT…
	for port in "$@"; do port_is "$port" protected || return; done
}

# Prints what tapwall may change at the host.
host_state() {
	on_host nft -s list ruleset
	on_host ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*\( master [^ ]*\).*\( group [^ ]*\).*/\1\2\3/'
	on_host tc qdisc show
	for device in $(on_host ls /sys/class/net); do
		on_host tc filter show dev "$device" ingress
		on_host tc filter show dev "$device" egress
		on_host bpftool net show dev "$device" | grep -E 'tcx|clsact|xdp'
		on_host cat "/sys/class/net/$device/flags"
	done
	bridge -n "$ns-host" fdb show | grep extern_learn
	find "$lab/bpffs" -mindepth 1
} 2>/dev/null

stream_goes_on() {
	within 40 grows stream echoed "$(($(count_of stream echoed) + 20))"
}
