#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# router.sh: a router in a VM, such as OPNsense or VyOS, which serves the guests of a bridge: addresses by DHCP, router
# advertisements, and masquerading at its second NIC. tests/vm/vlan has guests with VLAN tags.
#
#	[ v, DHCP ]─ tap0 ─[ brlan ]─ tap2 ─[ gateway ]─ tap1 ─[ brwan ]─ up0 ──[ isp 203.0.113.1 ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

for tool in dnsmasq busybox; do
	command -v $tool >/dev/null || {
		echo "1..0 # SKIP no $tool"
		exit 0
	}
done

paths() {
	cat <<-'END'
		v tcp 203.0.113.1 80 connected
		gateway tcp 203.0.113.1 80 connected
		gateway tcp 192.168.50.50 22 connected
		v ping 192.168.50.1 - connected
		v tcp 203.0.113.1 25 timeout
		isp tcp 203.0.113.10 22 timeout
	END
}

get_dhcp() {
	ip -n "$ns-v" -4 addr flush dev eth0
	ip netns exec "$ns-v" busybox udhcpc -f -n -q -i eth0 -t 5 -T 1 -s "$lab/bound" >"$lab/udhcpc.out" 2>&1 &&
		ip -n "$ns-v" -o addr show dev eth0 | grep -q ' 192.168.50.50/'
}
knows_lease() {
	[ "$(lease_of tap0)" = 192.168.50.50 ]
}
has_router() {
	ip -n "$ns-v" -6 route show default | grep -q 'proto ra'
}
# The guest solicits an advertisement whenever its link comes up.
solicit() {
	must ip -n "$ns-v" link set eth0 down
	must ip -n "$ns-v" link set eth0 up
}
sends_tag() { # MODE: v sends frames with a VLAN tag
	begin v "tagged-$1" flood eth0 7 20 52:54:00:00:00:01
	within 20 has_denied v out vlan-tag
	denied=$?
	end "$child"
	return $denied
}

settles() { # MODE
	solicit
	check "$1: the router's advertisement arrives" within 40 has_router
	check "$1: v gets its address from the router" within 20 get_dhcp
	check "$1: which the policy knows" within 20 knows_lease
}
tries_more() { # MODE
	check "$1: a VLAN tag that is not granted is denied" sends_tag "$1"
	check "$1: what the policy denies has its reason" within 20 has_denied v out policy
	spoofs "$1" v v 192.168.50.77 203.0.113.1 192.168.50.1
}

make_host
make_bridge brlan mcast_snooping 0
make_bridge brwan mcast_snooping 0
for name in v gateway isp; do make_namespace $name; done
join gateway tap1 52:54:00:00:00:02 203.0.113.10/24
must ip -n "$ns-gateway" link set eth0 down
must ip -n "$ns-gateway" link set eth0 name wan
must ip -n "$ns-gateway" link set wan up
join gateway tap2 52:54:00:00:00:03 192.168.50.1/24 2001:db8:50::1/64
join v tap0 52:54:00:00:00:01
join isp up0 52:54:00:00:09:09 203.0.113.1/24
for port in tap0 tap2; do must ip -n "$ns-host" link set $port master brlan; done
for port in tap1 up0; do must ip -n "$ns-host" link set $port master brwan; done
must ip netns exec "$ns-v" sysctl -qw net.ipv6.conf.eth0.router_solicitations=5 net.ipv6.conf.eth0.router_solicitation_delay=0 \
	net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.autoconf=0
must ip netns exec "$ns-gateway" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
must ip netns exec "$ns-gateway" nft -f - <<'END'
table ip nat {
	chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
END
cat >"$lab/bound" <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace "$ip/24" dev "$interface" && ip route replace default via "$router"
END
chmod +x "$lab/bound"
ip netns exec "$ns-gateway" dnsmasq --keep-in-foreground --conf-file=/dev/null --interface=eth0 --bind-interfaces \
	--except-interface=lo --port=0 --dhcp-range=192.168.50.50,192.168.50.60,255.255.255.0,120 \
	--dhcp-host=52:54:00:00:00:01,192.168.50.50 --dhcp-range=2001:db8:50::,ra-only --enable-ra --user=root \
	--dhcp-leasefile="$lab/leases" --pid-file="$lab/dnsmasq.pid" >"$lab/dnsmasq.log" 2>&1 &
children="$children $!"
within 20 get_dhcp || bail "the router gives v its address" "$(cat "$lab/dnsmasq.log" "$lab/udhcpc.out")"
serve v tcp 22
serve gateway tcp 22
serve isp tcp 80 25
try_layout "Routers and trunks in a VM" 'tap*' 'tap0 tap1 tap2'
finish
