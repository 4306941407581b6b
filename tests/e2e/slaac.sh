#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# slaac.sh: guests form their addresses by SLAAC, with Linux's own stack and a router on the host. Rules
# about a guest apply to these addresses. No guest forms one that another guest, the host or the policy has.
# shellcheck disable=SC2016,SC2119,SC2317 # eval expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

prefix=2001:db8:1:

make_host
for i in 1 2 3; do
	make_guest $i
	must ip -n "$ns-g$i" link set eth0 down
	must in_guest $i sysctl -qw net.ipv6.conf.eth0.dad_transmits=1 net.ipv6.conf.eth0.accept_ra=1 \
		net.ipv6.conf.eth0.autoconf=1 net.ipv6.conf.eth0.use_tempaddr=2 \
		net.ipv6.conf.eth0.router_solicitation_delay=0 net.ipv6.neigh.eth0.retrans_time_ms=300
done
must on_host sysctl -qw net.ipv6.conf.br0.accept_dad=0 net.ipv6.conf.br0.disable_ipv6=0
must ip -n "$ns-host" addr add "$prefix:1/64" dev br0 nodad

cat >"$lab/policy.yaml" <<'END'
version: 1
workloads:
  w1: {port: tap1, mac: "52:54:00:00:00:01", addresses: [slaac], tags: [client]}
  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: [slaac]}
  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: ["2001:db8:1::33"]}
networks: {gate: ["2001:db8:1::77"]}
groups: {clients: {tags: client}}
rules:
  - {name: clients, from: clients, to: w2, service: tcp/7000, action: allow}
options: {adopt: 0s}
END

has_link_local() { # NAMESPACE DEVICE
	ip -n "$ns-$1" -6 -o addr show dev "$2" scope link | grep -qv tentative
}
# True if the policy in force has at least this many addresses for a port.
has_learned() { # PORT N
	[ "$(lease_of "$1" | wc -l)" -ge "$2" ]
}
# The kernel sends no advertisement before the bridge's address is ready, so it is repeated.
has_formed() { # PORT N
	on_host "$TW_BUILD/tests/e2e/advertise" br0 "$prefix:" 600 && has_learned "$1" "$2"
}
# Prints what became of an address at a guest: ready, tentative, dadfailed, or nothing.
fate_of() { # N ADDRESS
	in_guest "$1" ip -6 -o addr show dev eth0 | grep -F " $2/" |
		sed 's/.*dadfailed.*/dadfailed/; s/.*tentative.*/tentative/; s/.*valid_lft.*/ready/'
}
has_fate() { # N ADDRESS FATE
	[ "$(fate_of "$1" "$2")" = "$3" ]
}
has_temporary() {
	in_guest 1 ip -6 -o addr show dev eth0 scope global temporary -tentative | grep -q inet6
}
is_temporary() { # ADDRESS
	in_guest 1 ip -6 -o addr show dev eth0 temporary | grep -qF " $1/"
}

start_agent --policy "$lab/policy.yaml"
check "the guests are protected" within 20 port_is tap3 protected
for i in 1 2 3; do
	must ip -n "$ns-g$i" link set eth0 up
done
must ip -n "$ns-g3" addr add "$prefix:33/64" dev eth0 nodad
must within 20 has_link_local host br0
check "a guest forms a stable and a temporary address" within 20 has_formed tap1 2
check "so does the other one" within 20 has_formed tap2 2
begin g2 echo2 echo tcp 7000
target=$prefix:5054:ff:fe00:2
check "a rule for its group means it" within 20 becomes connected 1 tcp "$target" 7000
# Its DAD ends after the policy has included the address.
must within 20 has_temporary
source=$(in_guest 1 ip -6 route get "$target" | sed -n 's/.* src \([^ ]*\).*/\1/p')
check "from its temporary address" is_temporary "$source"
check "ports show it" eval 'tapwall ports --json | jq -es --arg a "$source" \
	"any(.[]; .name == \"tap1\" and (.addresses | index(\"slaac\")) and any(.leases[]; .address == \$a and .known))"'

# Guest 2 tries the addresses of guest 1, of the host, and of guest 3, which is in the policy.
must ip -n "$ns-g2" addr add "$source/64" dev eth0
must ip -n "$ns-g2" addr add "$prefix:1/64" dev eth0
must ip -n "$ns-g2" addr add "$prefix:33/64" dev eth0
check "the host defends its address" within 20 has_fate 2 "$prefix:1" dadfailed
check "DAD for the others ends" within 20 eval '! has_fate 2 "$source" tentative && ! has_fate 2 "$prefix:33" tentative'
equal "none of them is guest 2's" "" "$(lease_of tap2 | grep -xF -e "$source" -e "$prefix:1" -e "$prefix:33")"
# Linux takes a packet that comes from one of its own addresses for forged.
must ip -n "$ns-g2" addr del "$source/64" dev eth0
equal "guest 1 has its own" "$source" "$(lease_of tap1 | grep -xF "$source")"
equal "and works" connected "$(attempt 1 tcp "$target" 7000)"

# The agent refuses an address that the policy names. Its owner's DAD must not fail whenever the guest likes.
does_dad() {
	ip -n "$ns-g2" addr del "$prefix:77/64" dev eth0
	ip -n "$ns-g2" addr add "$prefix:77/64" dev eth0
}
is_refused() {
	does_dad && tapwall log --json | jq -es 'any(.[]; .reason == "spoofed-nd" and .to.address == "ff02::1:ff00:77")'
}
must ip -n "$ns-g2" addr add "$prefix:77/64" dev eth0
check "DAD for an address that the policy names ends" within 20 eval '! has_fate 2 "$prefix:77" tentative'
check "a later one is denied" within 20 is_refused
must ip -n "$ns-g2" addr del "$prefix:77/64" dev eth0

# The addresses survive the agent.
stop_agent KILL
equal "without an agent it works" connected "$(attempt 1 tcp "$target" 7000)"
start_agent --policy "$lab/policy.yaml"
check "the next agent adopts the addresses" within 20 has_learned tap1 2
equal "and they work" connected "$(attempt 1 tcp "$target" 7000)"
finish
