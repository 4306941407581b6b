#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# vrrp.sh: two guests run keepalived for a virtual address of IPv4 and one of IPv6, with their own MACs and with VRRP's
# virtual MACs. One dies; the addresses are then reached at the other, from a guest and from a host beyond an uplink. If
# the guests do not hear each other, the split brain is told until it is over. Prints how long a failover takes.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

command -v keepalived >/dev/null || {
	echo "1..0 # SKIP keepalived is not installed; make deps-vrrp does that"
	exit 0
}
four=10.0.0.100
six=fd00::100

# Prints keepalived's configuration. VRRP sends an announcement every 0.3 s, so another guest takes over after about a
# second.
keepalived_conf() { # N PRIORITY MAC
	vmac=
	[ "$3" = own ] || vmac=use_vmac
	cat <<-END
		global_defs {
			router_id g$1
			vrrp_version 3
			vrrp_garp_master_refresh 1
			vrrp_garp_master_refresh_repeat 1
		}
		vrrp_instance four {
			state BACKUP
			interface eth0
			virtual_router_id 51
			priority $2
			advert_int 0.3
			$vmac
			virtual_ipaddress { $four/24 }
		}
		vrrp_instance six {
			state BACKUP
			interface eth0
			virtual_router_id 51
			priority $2
			advert_int 0.3
			$vmac
			virtual_ipaddress { fe80::100/64
				$six/64 }
		}
	END
}
begin_keepalived() { # N PRIORITY MAC
	keepalived_conf "$1" "$2" "$3" >"$lab/keepalived$1.conf"
	ip netns exec "$ns-g$1" keepalived --dont-fork --log-console --use-file "$lab/keepalived$1.conf" \
		--pid "$lab/keepalived$1.pid" --vrrp_pid "$lab/vrrp$1.pid" --checkers_pid "$lab/checkers$1.pid" --vrrp \
		>>"$lab/keepalived$1.log" 2>&1 &
	children="$children $!"
}
# The guest dies: its tap vanishes first, so that no part of keepalived that still runs can tell the others.
kill_guest() { # N
	ip -n "$ns-host" link del "tap$1"
	for pid in $(ip netns pids "$ns-g$1"); do
		kill -9 "$pid"
	done
}
is_master() { # N
	ip -n "$ns-g$1" addr | grep -q "inet $four/" && ip -n "$ns-g$1" addr | grep -q "inet6 $six/"
}
no_keepalived() {
	for pid in $(ip netns pids "$ns-g1") $(ip netns pids "$ns-g2"); do
		! grep -qs '^keepalived' "/proc/$pid/comm" || return 1
	done
	is_backup 1 && is_backup 2
}
is_backup() { # N
	! ip -n "$ns-g$1" addr | grep -q "inet6* $four/\|inet6* $six/"
}
policy() { # RULES
	cat <<-END
		version: 1
		workloads:
		  w1: {port: tap1, mac: "52:54:00:00:00:01", addresses: [10.0.0.11, "fd00::11"], shared: [$four, "$six", "fe80::100"],
		    macs: ["00:00:5e:00:01:33", "00:00:5e:00:02:33"]}
		  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: [10.0.0.12, "fd00::12"], shared: [$four, "$six", "fe80::100"],
		    macs: ["00:00:5e:00:01:33", "00:00:5e:00:02:33"]}
		  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [10.0.0.13, "fd00::13"]}
		rules:
		  - {name: service, from: any, to: [$four, "$six"], service: udp/7001, action: allow}
		$1
	END
}
vrrp_rule='  - {name: vrrp, from: any, to: [224.0.0.18, "ff02::12"], service: proto/112, action: allow}'
logged() { # TEXT
	grep -q "shared address $1" "$lab/agent.log"
}
# Prints, in ms, the times from the guest's death to the announcement of its successor, and from that to the next packet
# of each sender that reaches the successor. Fails until all of them have. With VRRP's MAC, packets may reach it before.
delays() { # BEGUN
	jq -ers --argjson begun "$1" --arg four "$four" --arg six "$six" '
		def first(f): map(select(.time > $begun and f) | .time) | min;
		def ms(from; to): (to - from) * 1000 * 10 | round / 10;
		first(.direction == "out" and .ethertype == 2054 and .dst_mac == "ff:ff:ff:ff:ff:ff") as $garp |
		first(.direction == "out" and .proto == "icmp6" and .type == 136 and .from.address == $six) as $na |
		def reached(vip; sender; from): first(.direction == "in" and .proto == "udp" and .to.address == vip and
			.from.address == sender and .verdict == "allow" and .dst_mac != "52:54:00:00:00:01" and .time > from);
		[ms($begun; $garp), ms($garp; reached($four; "10.0.0.13"; $garp)), ms($garp; reached($four; "10.0.0.5"; $garp)),
		 ms($begun; $na), ms($na; reached($six; "fd00::13"; $na)), ms($na; reached($six; "fd00::5"; $na))] | @tsv' "$lab/capture.out"
}
in_time() {
	awk '{ exit !($2 < 1000 && $3 < 1000 && $5 < 1000 && $6 < 1000) }' "$lab/times"
}
both_split() {
	tapwall status --json | jq -es --arg four "$four" --arg six "$six" \
		'.[0].split_brains | map(.address) | index($four) and index($six)'
}
none_splits() {
	tapwall status --json | jq -es '.[0].split_brains == []'
}

make_host
for n in 1 2 3; do
	make_guest "$n"
done
guests="$guests beyond"
must ip netns add "$ns-beyond"
must ip -n "$ns-host" link add up0 type veth peer name eth0 address 52:54:00:00:09:09 netns "$ns-beyond"
must ip netns exec "$ns-beyond" sysctl -qw net.ipv6.conf.eth0.dad_transmits=0
ask_longer beyond eth0
must ip -n "$ns-beyond" addr add 10.0.0.5/24 dev eth0
must ip -n "$ns-beyond" addr add fd00::5/64 dev eth0 nodad
must ip -n "$ns-beyond" link set eth0 up
must ip -n "$ns-host" link set up0 master br0 up
policy "$vrrp_rule" >"$lab/policy.yaml"
policy '' >"$lab/deaf.yaml"
start_agent --policy "$lab/policy.yaml"
for n in 1 2 3; do
	must within 20 port_is "tap$n" protected
done
for sender in g3 beyond; do
	begin "$sender" "to-four-$sender" stream "$lab/four-$sender" udp "$four" 7001 4
	begin "$sender" "to-six-$sender" stream "$lab/six-$sender" udp "$six" 7001 4
done

macs=own
ip -n "$ns-g1" link add probe link eth0 type macvlan mode private 2>/dev/null && macs="own virtual"
ip -n "$ns-g1" link del probe 2>/dev/null
[ "$macs" != own ] || say "no macvlan in this kernel: without VRRP's virtual MACs"

for mac in $macs; do
	begin_keepalived 1 200 "$mac"
	check "$mac MAC: the guest of the higher priority has both addresses" within 20 is_master 1
	begin_keepalived 2 100 "$mac"
	check "$mac MAC: the other one hears it" within 20 grep -q 'four.*Entering BACKUP' "$lab/keepalived2.log"
	sleep 2
	check "$mac MAC: and takes none" is_backup 2
	check "$mac MAC: the log says who has them" within 20 eval 'logged "$four: " && logged "$six: "'

	"$TW_BUILD/tapwall" capture w2 --json --snaplen 128 --buffer 16 --socket "$socket" >"$lab/capture.out" 2>"$lab/capture.err" &
	capture=$!
	children="$children $capture"
	within 20 test -s "$lab/capture.out" || bail "a capture begins" "$(cat "$lab/capture.err")"
	died=$(date +%s.%N)
	kill_guest 1
	check "$mac MAC: one dies, and the other one takes the addresses" within 30 is_master 2
	sleep 1.5
	end "$capture"
	if ! delays "$died" >"$lab/times"; then
		bail "$mac MAC: all senders reach it" "$(cat "$lab/times")"
	fi
	read -r garp four_3 four_5 na six_3 six_5 <"$lab/times"
	say "$mac MAC, IPv4: announced $garp ms after the death; then reached from a guest in $four_3 ms, from outside in $four_5 ms"
	say "$mac MAC, IPv6: announced $na ms after the death; then reached from a guest in $six_3 ms, from outside in $six_5 ms"
	check "$mac MAC: less than a second after its announcement" in_time

	plug 1 br0
	must within 20 port_is tap1 protected
	: >"$lab/agent.log"
	begin_keepalived 1 200 "$mac"
	check "$mac MAC: the first guest returns, and takes the addresses" within 30 eval 'is_master 1 && is_backup 2'
	check "$mac MAC: the log says that they moved" within 20 eval 'logged "$four: moved from w2 to w1" && logged "$six: moved from w2 to w1"'

	check "$mac MAC: a policy without VRRP's rule" apply "$lab/deaf.yaml"
	check "$mac MAC: then both guests have the addresses" within 20 eval 'is_master 1 && is_master 2'
	check "$mac MAC: the log says that both claim them" within 20 eval 'logged "$four: .* both claim it" && logged "$six: .* both claim it"'
	check "$mac MAC: status, too" within 20 both_split
	check "$mac MAC: the rule again" apply "$lab/policy.yaml"
	check "$mac MAC: then one yields" within 20 eval 'is_master 1 && is_backup 2'
	[ "${SCALE:-}" != full ] || check "$mac MAC: and a minute later it is over" within 100 none_splits
	for n in 1 2; do
		kill "$(cat "$lab/keepalived$n.pid")"
	done
	within 20 no_keepalived || bail "$mac MAC: keepalived ends"
	rm -f "$lab"/keepalived?.log
done
finish
