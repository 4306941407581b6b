#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# nat.sh: a host that routes, translates and marks for its guests: hairpin DNAT, masquerading, saved
# and restored connection marks, routing by mark; for guests on a bridge and a routed one. In every
# hook, the host sees no marks other than its own.
#
#	guest 1 ─ tap1 ─[ br0 10.0.0.1 ]─ tap2 ─ guest 2
#	guest 3 ─ tap3 10.3.0.1          up9 203.0.113.1 ─ world
#	                                 up8 192.0.2.1   ─ elsewhere
#
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_outside() { # NAMESPACE PORT HOST GUEST
	guests="$guests $1"
	ip netns add "$ns-$1"
	ip -n "$ns-host" link add "$2" type veth peer name eth0 netns "$ns-$1"
	ip -n "$ns-host" addr add "$3/24" dev "$2"
	ip -n "$ns-host" link set "$2" up
	ask_longer "$1" eth0
	ip -n "$ns-$1" link set lo up
	ip -n "$ns-$1" addr add "$4/24" dev eth0
	ip -n "$ns-$1" link set eth0 up
	ip -n "$ns-$1" route add default via "$3"
}

make_host
on_host sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
# Bridged frames must not be translated: if br_netfilter is loaded, it is on in a new namespace.
on_host sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 \
	net.bridge.bridge-nf-call-arptables=0 2>/dev/null
ip -n "$ns-host" addr add 10.0.0.1/24 dev br0
for i in 1 2; do
	make_guest $i
	ip -n "$ns-g$i" route add default via 10.0.0.1
done
make_outside g3 tap3 10.3.0.1 10.3.0.2
ip -n "$ns-g3" link set eth0 address 52:54:00:00:00:03
make_outside world up9 203.0.113.1 203.0.113.2
make_outside elsewhere up8 192.0.2.1 192.0.2.2
ip -n "$ns-elsewhere" addr add 203.0.113.7/32 dev lo

# Guests reach guest 2 at the host's port 8022, through the host and with the host's address as
# source. Connection marks, in bits 0x00ff, are saved as by kube-proxy and others; TCP to port 7003
# is routed by its mark. No other packet may have a mark in any hook that guests' frames pass.
on_host nft -f - <<'END'
table ip nat {
	chain prerouting {
		type nat hook prerouting priority -100
		ip daddr 10.0.0.1 tcp dport 8022 dnat to 10.0.0.12:7000
		ip daddr 203.0.113.1 tcp dport 8022 dnat to 10.0.0.12:7000
	}
	chain postrouting {
		type nat hook postrouting priority 100
		ip saddr 10.0.0.0/24 ip daddr 10.0.0.0/24 masquerade
		oifname { up8, up9 } masquerade
	}
}
table ip marks {
	chain prerouting {
		type filter hook prerouting priority mangle
		ct mark != 0 meta mark set ct mark
		tcp dport 7003 meta mark set 0x35
	}
	chain output {
		type route hook output priority mangle
		ct mark != 0 meta mark set ct mark
	}
	chain postrouting {
		type filter hook postrouting priority mangle
		meta mark != 0 ct mark set meta mark
	}
}
table inet watch {
	counter strange { }
	chain raw {
		type filter hook prerouting priority raw
		meta mark != 0 counter name strange
	}
	chain last {
		type filter hook postrouting priority 300
		meta mark & 0xffffff00 != 0 counter name strange
	}
}
table netdev watch {
	counter strange { }
	chain into2 {
		type filter hook egress device tap2 priority 0
		meta mark & 0xffffff00 != 0 counter name strange
	}
	chain into1 {
		type filter hook egress device tap1 priority 0
		meta mark & 0xffffff00 != 0 counter name strange
	}
}
END
for i in br0 tap3; do
	ip -n "$ns-host" rule add fwmark 0x35/0xff iif $i lookup 100
done
ip -n "$ns-host" route add default via 192.0.2.2 table 100

strange() { # prints the number of packets with a mark that the host does not set
	for table in "inet watch" "netdev watch"; do
		# shellcheck disable=SC2086 # a family and a name
		on_host nft -j list counters table $table
	done | jq -s '[.[].nftables[] | .counter? | .packets // empty] | add'
}
watch_vswitch() {
	on_host nft -f - <<-'END'
		table bridge watch {
			counter strange { }
			chain forward {
				type filter hook forward priority 0
				meta mark & 0xffffff00 != 0 counter name strange
			}
		}
	END
}

{
	workloads 2
	cat <<-'END'
		  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [10.3.0.2]}
		rules:
		  - {name: closed, from: any, to: any, service: tcp/7999, action: reject}
		  - {name: hairpin, from: w1, to: 10.0.0.1, service: tcp/8022, action: allow}
		  - {name: inside, from: 10.0.0.1, to: w2, service: tcp/7000, action: allow}
		  - {name: published, from: 203.0.113.0/24, to: w2, service: tcp/7000, action: allow}
		  - {name: between, from: [w1, w3], to: [w2, w3], service: tcp/7001, action: allow}
		  - {name: out, from: [w1, w3], to: 203.0.113.0/24, service: [tcp/7002, tcp/7003], action: allow}
		  - {name: host, from: w1, to: 10.0.0.1, service: tcp/7004, action: allow}
	END
} >"$lab/policy.yaml"

serve() { # NAMESPACE PORT
	begin "$1" "echo-$1-$2" echo tcp "$2"
	servers="$servers $child"
}

try_all() { # HOW
	servers=
	serve g2 7000
	serve g2 7001
	serve g3 7001
	serve world 7002
	serve elsewhere 7003
	serve host 7004
	check "$1: guest 1 gets to guest 2 by the host's port" becomes connected 1 tcp 10.0.0.1 8022
	rm -f "$lab/hairpin" "$lab/published" "$lab/out"
	begin g1 hairpin stream "$lab/hairpin" tcp 10.0.0.1 8022 10
	hairpin=$child
	check "$1: and goes on so" within 20 grows hairpin echoed 50
	check "$1: until it ends, without a segment lost" end "$hairpin"
	begin world published stream "$lab/published" tcp 203.0.113.1 8022 10
	published=$child
	check "$1: so does the world by the host's other address" within 20 grows published echoed 50
	check "$1: until it ends" end "$published"
	begin g1 out stream "$lab/out" tcp 203.0.113.2 7002 10
	out=$child
	check "$1: guest 1 gets out, masqueraded" within 20 grows out echoed 50
	check "$1: until it ends" end "$out"
	check "$1: so does guest 3, which is on no bridge" becomes connected 3 tcp 203.0.113.2 7002
	check "$1: the host's mark leads elsewhere" becomes connected 1 tcp 203.0.113.7 7003
	check "$1: for guest 3, too" becomes connected 3 tcp 203.0.113.7 7003
	check "$1: guest 1 gets to guest 2 straight" becomes connected 1 tcp 10.0.0.12 7001
	check "$1: and to guest 3, by the host" becomes connected 1 tcp 10.3.0.2 7001
	check "$1: guest 3 gets to guest 2, by the host" becomes connected 3 tcp 10.0.0.12 7001
	check "$1: guest 1 gets to the host" becomes connected 1 tcp 10.0.0.1 7004
	check "$1: a refusal gets to the host" becomes refused host tcp 10.0.0.12 7999
	check "$1: and to guest 1" becomes refused 1 tcp 10.0.0.12 7999
	check "$1: from the port to guest 3, whatever else" becomes refused 3 tcp 10.0.0.12 7999
	equal "$1: and the host has seen no mark but its own" 0 "$(strange)"
	# shellcheck disable=SC2086 # several
	end $servers
}
attempt() { # as in lib.sh; also from the host
	case $1 in
	host) on_host "$traffic" connect "$2" "$3" "$4" ;;
	*) in_guest "$1" "$traffic" connect "$2" "$3" "$4" ;;
	esac | cut -d ' ' -f 1
}

start_agent --policy "$lab/policy.yaml"
within 20 port_is tap3 protected
try_all cut-through
stop_agent
release
watch_vswitch
start_agent --policy "$lab/policy.yaml" --forwarding vswitch
within 20 port_is tap3 protected
try_all vswitch
equal "vswitch: nor in the bridge" 0 \
	"$(on_host nft -j list counters table bridge watch | jq '[.nftables[] | .counter? | .packets // empty] | add')"
stop_agent
release
finish
