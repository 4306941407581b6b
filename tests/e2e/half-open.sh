#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# half-open.sh: a port over its half-open quota admits only answers. During floods of SYNs
# (answered, unanswered, or sent by guests) every genuine connection is established: from outside
# the host, from another guest, from the guest itself, cut through or over the vSwitch. Prints the
# floods' rates.
#
#	[ guest 1 ]──[ tap1 ]─[ br0 ]─[ up0 ]──[ eth0 ] beyond: 10.0.0.99, and a route to all other addresses
#	[ guest 2 ]──[ tap2 ]───┘
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

flood=$TW_BUILD/tests/e2e/flood

make_host
make_guest 1
make_guest 2
guests="$guests beyond"
ip netns add "$ns-beyond"
ip -n "$ns-beyond" link set lo up
ip -n "$ns-host" link add up0 type veth peer name eth0 address 52:54:00:00:09:09 netns "$ns-beyond"
ask_longer beyond eth0
ip -n "$ns-beyond" addr add 10.0.0.99/24 dev eth0
ip -n "$ns-beyond" link set eth0 up
ip -n "$ns-host" link set up0 master br0 up
ip -n "$ns-g2" route add default via 10.0.0.99
ip -n "$ns-g2" neigh add 10.0.0.99 lladdr 52:54:00:00:09:09 dev eth0
in_guest 2 sysctl -qw net.ipv4.tcp_syncookies=1
in_guest 2 nft -f - <<-'END'
	table inet unheard {
		counter strays { }
		chain input {
			type filter hook input priority 0
			tcp dport 7009 drop
			udp dport 161 counter name strays
		}
	}
END
{
	workloads 2 | sed '/ w[12]:/s|}$|, limits: {half-open: 64}}|'
	cat <<-'END'
		rules:
		  - {name: web, from: any, to: w2, service: [tcp/7000, tcp/7009], action: allow}
		  - {name: w1-out, from: w1, to: w2, service: tcp, action: allow}
		  - {name: w2-out, from: w2, to: any, action: allow, at: from, log: true}
		options: {adopt: 0s}
	END
} >"$lab/policy.yaml"
begin g2 echo2 echo tcp 7000
begin beyond echo9 echo tcp 7001

try() { # WHO HOST PORT → "20 of 20"
	ip netns exec "$ns-$1" "$flood" try 20 "$2" "$3"
}
overflowed() { # PORT
	tapwall ports --json | jq --arg name "$1" 'select(.name == $name).connections.passed_over_quota'
}
# Starts a flood, which continues until it is stopped.
send() { # WHERE KIND RATE
	ip netns exec "$ns-$1" "$flood" send eth0 "$2" 0 "$3" >"$lab/sent" &
	sender=$!
	children="$children $sender"
}
# Floods from a namespace, and opens genuine connections meanwhile.
beside() { # HOW WHERE KIND RATE PORT
	before=$(overflowed "$5")
	send "$2" "$3" "$4"
	within 60 over_by "$5" "$before" 5000 || not_ok "$1: the flood is over the quota"
	equal "$1: from beyond" "20 of 20" "$(try beyond 10.0.0.12 7000)"
	equal "$1: from another guest" "20 of 20" "$(try g1 10.0.0.12 7000)"
	equal "$1: the guest's own" "20 of 20" "$(try g2 10.0.0.99 7001)"
	check "$1: it went on meanwhile" kill -0 "$sender"
	end "$sender"
	sent=$(sed -n 's/^sent=//p' "$lab/sent")
	ms=$(sed -n 's/^ms=//p' "$lab/sent")
	echo "# $1: $((sent * 1000 / ms)) SYNs a second, $(($(overflowed "$5") - before)) beyond the quota"
}
over_by() { # PORT FROM N
	[ "$(($(overflowed "$1") - $2))" -ge "$3" ]
}
strays() {
	in_guest 2 nft -j list counter inet unheard strays | jq '.nftables[] | .counter? | .packets // empty'
}

out_of_policy() {
	tapwall ports --json | jq 'select(.name == "tap2").denied.in'
}

denied_more() { # THAN N
	[ "$(($(out_of_policy) - $1))" -gt "$2" ]
}

logged() { # entries of connections without a record
	[ "$(tapwall log --json | jq 'select(.state == "untracked" and .rule == "w2-out") | .to.port' | wc -l)" -gt 10 ]
}
counted() {
	[ "$(tapwall ports --json | jq 'select(.name == "tap2").connections.untracked')" -gt 1000 ] &&
		tapwall flows --limit 1 | grep -q 'half open beyond'
}

for forwarding in cut-through vswitch; do
	start_agent --policy "$lab/policy.yaml" --forwarding "$forwarding"
	within 20 port_is tap2 protected || bail "port protected"
	equal "$forwarding: without a flood" "20 of 20" "$(try beyond 10.0.0.12 7000)"
	beside "$forwarding, 10,000 that the guest answers" beyond inwards 10000 tap2
	beside "$forwarding, 100,000 that the guest answers" beyond inwards 100000 tap2
	beside "$forwarding, 100,000 that nothing answers" beyond unheard 100000 tap2
	denied=$(out_of_policy)
	send beyond stray 40000
	check "$forwarding: datagrams that nothing asked for come as far as the port" within 60 denied_more "$denied" 10000
	end "$sender"
	equal "$forwarding: and no further" 0 "$(strays)"
	beside "$forwarding, 10,000 of the guest's own" g2 outwards 10000 tap2
	# Counted connections expire; log entries stay.
	check "$forwarding: what has no record is counted" within 20 counted
	check "$forwarding: and logged" within 20 logged
	beside "$forwarding, 10,000 of another guest" g1 syn 10000 tap1
	stop_agent
	release
done
finish
