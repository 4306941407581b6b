# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# lib.sh: definitions shared by the tests of hosts' layouts. Sourced first.
#
# Each test builds the layout of a platform, tries every path without tapwall, then with the policy that docs/hosts.md
# shows for the platform, in both modes of forwarding, and compares the host before with the host after --release.
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
# Milliseconds between two segments of a stream. An emulated machine needs more, to have time for others.
pace=${TW_STREAM_MS:-5}

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
	addresses "$name" eth0 "$@"
}

addresses() { # NAMESPACE INTERFACE [ADDRESS/LENGTH…]
	name=$1
	at=$2
	shift 2
	for address in "$@"; do
		case $address in
		*:*) must ip -n "$ns-$name" addr add "$address" dev "$at" nodad ;;
		*) must ip -n "$ns-$name" addr add "$address" dev "$at" ;;
		esac
	done
}

# Makes the host a router that does not translate bridged frames: br_netfilter, if loaded, does so in a new namespace.
make_router() {
	must on_host sysctl -qw net.ipv4.ip_forward=1
	on_host sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 \
		net.bridge.bridge-nf-call-arptables=0 2>/dev/null
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

# True if the kernel has VLAN interfaces and VLAN-aware bridges.
has_vlans() {
	on_host ip link add name brvlan type bridge vlan_filtering 1 2>/dev/null || return
	[ "$(on_host cat /sys/class/net/brvlan/bridge/vlan_filtering)" = 1 ] &&
		on_host ip link add link brvlan name brvlan.1 type vlan id 1 2>/dev/null
	has=$?
	must ip -n "$ns-host" link del brvlan
	return $has
}

# Makes a VLAN interface of a namespace's interface, in another namespace or in the same one.
vlan_interface() { # NAMESPACE INTERFACE NAME VID TO-NAMESPACE
	must ip -n "$ns-$1" link add link "$2" name "vlan$4" type vlan id "$4"
	must ip -n "$ns-$1" link set "vlan$4" netns "$ns-$5" name "$3"
	ask_longer "$5" "$3"
	must ip -n "$ns-$5" link set "$3" up
}

# Limits what a port sends and receives, as Proxmox and libvirt do: any qdiscs are removed, then one is added for the guest's
# downloads, and a policer for its uploads. The rate is too high to matter here. On a slow machine, the agent may add its
# own qdisc between two commands, so the tests try again.
rate_limit() { # PORT
	no_rate_limit "$1"
	on_host tc qdisc add dev "$1" root handle 1: htb default 1 &&
		on_host tc class add dev "$1" parent 1: classid 1:1 htb rate 125000000bps burst 1000000b quantum 60000 && police "$1"
}
no_rate_limit() { # PORT
	on_host tc qdisc del dev "$1" root
	on_host tc qdisc del dev "$1" ingress
} 2>/dev/null
police() { # PORT
	on_host tc qdisc del dev "$1" ingress 2>/dev/null
	on_host tc qdisc add dev "$1" handle ffff: ingress &&
		on_host tc filter add dev "$1" parent ffff: protocol all prio 50 basic \
			police rate 125000000bps burst 1000000b mtu 64kb drop
}
# True if the policer sees frames of the port.
is_policed() { # PORT
	policed=$(policed_bytes "$1")
	within 20 eval "[ \"\$(policed_bytes $1)\" -gt $policed ]"
}
policed_bytes() { # PORT
	on_host tc -s filter show dev "$1" ingress | sed -n 's/.*Sent \([0-9]*\) bytes.*/\1/p' | head -n 1
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

# Prints the result of an attempt that should get no answer: timeout after a second without one.
try_in_vain() { # NAMESPACE PROTO HOST PORT
	result=$(ip netns exec "$ns-$1" timeout 1 "$traffic" connect "$2" "$3" "$4" | cut -d ' ' -f 1)
	echo "${result:-timeout}"
}

gets() { # EXPECTED NAMESPACE PROTO HOST [PORT]
	wanted=$1
	shift
	[ "$(try "$@")" = "$wanted" ]
}

# Tries the paths that the test's function paths() prints, `NAMESPACE PROTO HOST PORT EXPECTED` in each line, all at once,
# because a denied one takes a second. On a busy machine, an answer may take longer than an attempt waits: such a path is tried again.
try_paths() { # HOW [EXPECTED OF ALL]
	how=$1
	all=${2:-}
	paths >"$lab/paths"
	n=0
	tries_pids=
	while read -r from proto to port expected; do
		n=$((n + 1))
		way=try
		[ "${all:-$expected}" != timeout ] || way=try_in_vain
		$way "$from" "$proto" "$to" "$port" >"$lab/path.$n" 2>/dev/null </dev/null &
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

# A guest sends from an address that is not its own.
spoofs() { # HOW NAMESPACE WORKLOAD ADDRESS HOST [GATEWAY]
	must ip -n "$ns-$2" addr add "$4/32" dev eth0
	# shellcheck disable=SC2086 # words
	must ip -n "$ns-$2" route replace "$5/32" ${6:+via $6} dev eth0 src "$4"
	check "$1: $3 cannot send as $4" within 20 is_spoof "$2" "$3" "$5"
	must ip -n "$ns-$2" route del "$5/32" dev eth0
	must ip -n "$ns-$2" addr del "$4/32" dev eth0
}
is_spoof() { # NAMESPACE WORKLOAD HOST: sends a datagram; true if one is denied because of its source
	ip netns exec "$ns-$1" bash -c "echo spoofed >/dev/udp/$3/9"
	has_denied "$2" out spoofed-
}

# Prepares the guests for the first paths; a test may define it anew.
settles() { # MODE
	:
}

# The parts of a test that are the same for each layout. The test defines paths(), and tries_more(), which is called in
# each mode of forwarding. TW_MODES selects modes.
try_layout() { # HEADING PATTERNS "PORT…"
	policy_of "$1" >"$lab/policy.yaml"
	patterns=$2
	protected=$3
	check "the policy of the document is valid" "$TW_BUILD/tapwall" check "$lab/policy.yaml"
	before=$(host_state)
	try_paths "without tapwall" connected
	for mode in ${TW_MODES:-cut-through vswitch}; do
		start_agent --ports "$patterns" --policy "$lab/policy.yaml" --forwarding $mode
		# shellcheck disable=SC2086 # names
		check "$mode: all ports are protected" within 20 all_protected $protected
		check "$mode: status names no port that is not filtered" sh -c "! '$TW_BUILD/tapwall' status --socket '$socket' |
			grep -q '^NOT FILTERED'"
		check "$mode: so frames are forwarded" within 20 forwards $mode
		settles $mode
		try_paths $mode
		tries_more $mode
		stop_agent
	done
	try_paths "with the agent stopped"
	check "--release ends it" release
	equal "and leaves the host as it was" "$before" "$(host_state)"
	try_paths "released" connected
}

forwards() { # MODE
	tapwall status --json | jq -es --arg mode "$1" 'any(.[]; .forwarding == $mode)'
}

placed() { # PORT BRIDGE
	tapwall ports --json | jq -es --arg p "$1" --arg b "$2" 'any(.[]; .name == $p and .bridge == $b and .state == "protected")'
}

all_protected() { # PORT…
	for port in "$@"; do port_is "$port" protected || return; done
}

# Prints what tapwall may change at the host, sorted.
host_state() {
	{
		on_host nft -s list ruleset
		on_host tc qdisc show | sed 's/^qdisc \([^ ]*\).* dev \([^ ]*\).*/\1 \2/'
		for device in $(on_host ls /sys/class/net); do
			echo "$device: flags $(on_host cat "/sys/class/net/$device/flags")," \
				"group $(on_host cat "/sys/class/net/$device/netdev_group")"
			on_host tc filter show dev "$device" ingress
			on_host tc filter show dev "$device" egress
			on_host bpftool net show dev "$device" | grep "^$device"
		done
		bridge -n "$ns-host" fdb show | grep extern_learn
		find "$lab/bpffs/tapwall"
	} 2>/dev/null | sort
}

stream_goes_on() {
	within 40 grows stream echoed "$(($(count_of stream echoed) + 20))"
}
