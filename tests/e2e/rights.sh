#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# rights.sh: `vlans` and `shared` on a plain bridge. Tags pass only as listed, a restarted agent keeps the rights, and a
# shared address is reached at the guest that announced it last. What a guest sends without the right to do so is listed by
# observe and propose, and by apply and diff before the policy denies it.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

policy() { # VLAN
	cat <<-END
		version: 1
		workloads:
		  w1: {port: tap1, mac: "52:54:00:00:00:01", addresses: [10.0.0.11], shared: [10.0.0.100]}
		  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: [10.0.0.12], shared: [10.0.0.100], vlans: [100]}
		  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [10.0.0.13]}
		  w4: {port: tap4, mac: "52:54:00:00:00:63", addresses: [10.0.0.99], vlans: [$1]}
		rules:
		  - {name: tagged, from: w4, to: any, service: udp/7005, action: allow}
		  - {name: shared, from: w3, to: w1, service: tcp/7001, action: allow}
	END
}
count() { # DIRECTION: frames that are denied for their tag
	tapwall counters --all --json | jq -s --arg dir "$1" 'map(select(.reason == "vlan-tag") | .[$dir]) | add // 0'
}
are_denied() { # DIRECTION
	[ "$(count "$1")" -gt 0 ]
}
flows_have_vlan() { # VLAN
	tapwall flows --json | jq -es --argjson vlan "$1" 'any(.[]; .to.port == 7005 and .vlan == $vlan)' &&
		tapwall flows | grep -q "^udp vlan $1 "
}
go_on() {
	within 20 grows tagged seen "$(($(count_of tagged seen) + 20))"
}
# Setting the MAC sends a gratuitous ARP for each address (arp_notify).
announce() { # N
	in_guest "$1" ip link set eth0 address "52:54:00:00:00:0$1"
}
logged() { # TEXT
	grep -q "shared address 10.0.0.100: $1" "$lab/agent.log"
}
is_at() { # N: the shared address is reached there
	in_guest 3 ip neigh show 10.0.0.100 dev eth0 | grep "52:54:00:00:00:0$1"
}
is_spoofed() {
	tapwall counters --all --json | jq -es 'any(.[]; .reason == "spoofed-arp" and .out > 0)'
}
both_claim() {
	announce 1 && announce 2 && announce 1 && within 2 logged '.* both claim it'
}

prints() { # PATTERN COMMAND…
	pattern=$1
	shift
	"$@" >"$lab/prints.out" 2>&1
	cat "$lab/prints.out"
	grep -q "$pattern" "$lab/prints.out"
}
observe_lists() { # VLAN: it is a right that w4's frames lack
	tapwall observe --source journal --json | jq -es --argjson vlan "$1" \
		'.[-1].summary.rights == [.[-1].summary.rights[] | select(.workload == "w4" and .port == "tap4" and .vlans == [$vlan] and .frames > 0)] and
			(.[-1].summary.rights | length) == 1'
}
status_splits() {
	tapwall status | grep '^SPLIT BRAIN: w[12] and w[12] both claim the shared address 10.0.0.100, last .* ago' &&
		tapwall status --json | jq -es 'any(.[].split_brains[]; .address == "10.0.0.100" and
			([.holder, .rival] | sort) == ["w1", "w2"])'
}
port_splits() { # PORT RIVAL
	tapwall ports --json | jq -es --arg port "$1" --arg text "split brain: $2 claims the shared address 10.0.0.100, too" \
		'any(.[]; .name == $port and .trouble == $text)'
}
none_splits() {
	! tapwall status | grep 'SPLIT BRAIN' && ! tapwall ports | grep 'split brain'
}

make_host
for n in 1 2 3 4; do
	make_guest "$n"
	must in_guest "$n" sysctl -qw net.ipv4.conf.eth0.arp_notify=1
done
for n in 1 2; do
	begin "g$n" "echo$n" echo tcp 7001
done
policy 100 >"$lab/with.yaml"
policy 101 >"$lab/without.yaml"
start_agent --policy "$lab/with.yaml"
for n in 1 2 3 4; do
	must within 20 port_is "tap$n" protected
done

begin g2 tagged sniff "$lab/tagged" eth0 7005
begin g4 flood flood eth0 7005 100
flood=$child
check "tagged frames pass between guests that list the tag" go_on
check "flows show their VLAN" within 20 flows_have_vlan 100
check "but reach none that does not" within 20 are_denied in
stop_agent
check "they pass without an agent" go_on
start_agent --policy "$lab/with.yaml"
check "and with the next one" go_on
equal "none is denied where it is sent" 0 "$(count out)"
check "diff names the connections that lose their VLAN" prints \
	'^  ! would be denied unless granted: w4: vlans: \[100\]; [1-9][0-9]* live connection' tapwall diff "$lab/without.yaml"
check "so does apply --dry-run" prints \
	'^  ! would be denied unless granted: w4: vlans: \[100\]; [1-9][0-9]* live connection' tapwall apply --dry-run "$lab/without.yaml"
check "the sender's vlans change" apply "$lab/without.yaml"
check "then they are denied" within 20 are_denied out
check "the sender's vlans change back" apply "$lab/with.yaml"
check "and they pass again" go_on
{
	cat "$lab/without.yaml"
	echo 'options: {mode: observe}'
} >"$lab/observed.yaml"
check "the workloads are observed, without the sender's VLAN" apply "$lab/observed.yaml"
check "then tagged frames pass" go_on
check "observe lists the VLAN, and no other right" within 20 observe_lists 100
check "as text, too" prints '^  w4 (tap4): vlans: \[100\]; [0-9]* frames*$' tapwall observe --source journal
check "propose lists it" prints '^# propose:   w4 (tap4): vlans: \[100\]; [0-9]* frames*$' tapwall propose
check "but does not grant it" prints '^  w4: .* vlans: \[101\]}' tapwall propose
check "propose --rights does" prints '^  w4: .* vlans: \[100-101\]}' tapwall propose --rights
tapwall propose --rights >"$lab/draft.yaml" 2>"$lab/draft.err"
check "that draft can be applied" prints 'would be put in force' tapwall apply --dry-run "$lab/draft.yaml"
check "enforced with it, nothing is lost" sh -c "! grep 'unless granted' '$lab/prints.out'"
check "without it, apply --dry-run says what would be denied" prints \
	'^  ! would be denied unless granted: w4 (tap4): vlans: \[100\]; [0-9]* frames*$' tapwall apply --dry-run "$lab/without.yaml"
check "and apply says what is denied from now on" prints \
	'^  ! denied from now on unless granted: w4 (tap4): vlans: \[100\]; [0-9]* frames*$' tapwall apply "$lab/without.yaml"
end "$flood"

# A host beyond an uplink, in the same VLAN, with the address of the guest that tags its frames.
guests="$guests beyond"
must ip netns add "$ns-beyond"
must ip -n "$ns-host" link add up0 type veth peer name eth0 address 52:54:00:00:09:09 netns "$ns-beyond"
must ip -n "$ns-beyond" link set eth0 up
must ip -n "$ns-host" link set up0 master br0 up
are_foreign() { # N: over N frames were denied
	[ "$(tapwall counters --all --json | jq -s 'map(select(.reason == "foreign-source") | .in) | add // 0')" -gt "$1" ]
}
check "the sender's vlans are as before" apply "$lab/with.yaml"
begin beyond forged flood eth0 7005 100 52:54:00:00:09:09
check "from beyond, a guest's address is foreign in a VLAN that it tags" within 20 are_foreign 0
seen=$(count_of tagged seen)
check "also later" within 20 are_foreign 50
equal "and no guest receives it" "$seen" "$(count_of tagged seen)"
end "$child"

must ip -n "$ns-g1" addr add 10.0.0.100/32 dev eth0
announce 1
equal "a shared address is reached at the first guest" connected "$(attempt 3 tcp 10.0.0.100 7001)"
check "its neighbours know where it is" is_at 1
check "the log says who has it" within 20 logged 'w1 has it'
must ip -n "$ns-g1" addr del 10.0.0.100/32 dev eth0
must ip -n "$ns-g2" addr add 10.0.0.100/32 dev eth0
announce 2
check "announced by the second guest, it is there at once" within 20 is_at 2
equal "and reached there" connected "$(attempt 3 tcp 10.0.0.100 7001)"
check "the log says that it moved" within 20 logged 'moved from w1 to w2'
must ip -n "$ns-g1" addr add 10.0.0.100/32 dev eth0
check "the log says that both claim it" within 20 both_claim
check "status says so" within 20 status_splits
check "and each of the ports, that the other one claims it" within 20 eval 'port_splits tap1 w2 && port_splits tap2 w1'
stop_agent
start_agent --policy "$lab/without.yaml"
check "so does the next agent" within 20 status_splits
check "a minute after the last such claim, it is over" within 90 none_splits
must ip -n "$ns-g3" addr add 10.0.0.100/32 dev eth0
announce 3
check "a guest that is no member is denied" within 20 is_spoofed
finish
