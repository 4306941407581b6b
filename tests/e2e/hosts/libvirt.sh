#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# libvirt.sh: libvirt's network "default": a bridge with the host's address, dnsmasq for DHCP and DNS, masquerading, and a
# port of the host that leads to a guest. Workloads are named by MAC; each tap has its guest's MAC with first byte fe.
#
#	[ a, DHCP ]── vnet0 ─[ virbr0 192.168.122.1, fd00:122::1 ]─ NAT ─ eth0 203.0.113.1 ──[ world 203.0.113.2 ]
#	[ b ]──────── vnet1 ──┘
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
		a tcp 203.0.113.2 80 connected
		b udp 203.0.113.2 123 connected
		world tcp 203.0.113.1 8022 connected
		host tcp 192.168.122.11 22 connected
		host tcp fd00:122::12 22 connected
		b tcp 192.168.122.11 8080 connected
		a ping 192.168.122.1 - connected
		b ping fd00:122::1 - connected
		b ping 203.0.113.2 - connected
		a tcp 192.168.122.1 22 refused
		b tcp fd00:122::1 22 refused
		a tcp 203.0.113.2 25 timeout
		world tcp 203.0.113.1 8080 timeout
		host tcp 192.168.122.11 8080 timeout
		a tcp 192.168.122.12 8080 timeout
	END
}

dns_answers() { # NAMESPACE
	ip netns exec "$ns-$1" busybox nslookup -type=a vm.test 192.168.122.1 | grep -q 192.168.122.77
}
has_dhcp() {
	ip -n "$ns-a" -o addr show dev eth0 | grep -q ' 192.168.122.11/'
}
get_dhcp() {
	ip -n "$ns-a" -4 addr flush dev eth0
	ip netns exec "$ns-a" busybox udhcpc -f -n -q -i eth0 -t 5 -T 1 -s "$lab/bound" >"$lab/udhcpc.out" 2>&1 && has_dhcp
}
knows_lease() {
	[ "$(lease_of vnet0)" = 192.168.122.11 ]
}

settles() { # MODE
	check "$1: a gets its address from dnsmasq" within 20 get_dhcp
	check "$1: which the policy knows" within 20 knows_lease
}
tries_more() { # MODE
	check "$1: dnsmasq answers a" within 20 dns_answers a
	check "$1: and b" within 20 dns_answers b
	check "$1: what the world may not is denied, with its reason" within 20 has_denied a in policy
	check "$1: what a may not, too" within 20 has_denied a out policy
	spoofs "$1" b b 192.168.122.11 192.168.122.1
	spoofs "$1" a a 192.168.122.99 203.0.113.2 192.168.122.1
}

make_host
make_router
make_bridge virbr0 mcast_snooping 0
host_address virbr0 192.168.122.1/24 fd00:122::1/64
for name in a b world; do make_namespace $name; done
join a vnet0 52:54:00:00:00:01
join b vnet1 52:54:00:00:00:02 192.168.122.12/24 fd00:122::12/64
join world eth0 52:54:00:00:09:09 203.0.113.2/24
for i in 0 1; do
	must ip -n "$ns-host" link set vnet$i address fe:54:00:00:00:0$((i + 1))
	must ip -n "$ns-host" link set vnet$i master virbr0
done
must ip -n "$ns-host" addr add 203.0.113.1/24 dev eth0
must ip -n "$ns-b" route add default via 192.168.122.1
must on_host nft -f - <<'END'
table ip libvirt_network {
	chain guest_nat {
		type nat hook postrouting priority 100
		ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 masquerade
	}
	chain published {
		type nat hook prerouting priority -100
		iifname "eth0" tcp dport { 8022, 8080 } dnat to 192.168.122.11
	}
}
END
cat >"$lab/bound" <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace "$ip/24" dev "$interface" && ip route replace default via "$router"
END
chmod +x "$lab/bound"
on_host dnsmasq --keep-in-foreground --conf-file=/dev/null --interface=virbr0 --bind-interfaces --except-interface=lo \
	--dhcp-range=192.168.122.100,192.168.122.110,255.255.255.0,120 --dhcp-host=52:54:00:00:00:01,192.168.122.11 \
	--no-resolv --no-hosts --address=/vm.test/192.168.122.77 --dhcp-leasefile="$lab/leases" --pid-file="$lab/dnsmasq.pid" \
	--user=root >"$lab/dnsmasq.log" 2>&1 &
children="$children $!"
within 20 get_dhcp || bail "dnsmasq gives a its address" "$(cat "$lab/dnsmasq.log" "$lab/udhcpc.out")"
serve a tcp 22 8022 8080
serve b tcp 22 8080
serve world tcp 80 25
serve world udp 123
serve host tcp 22
try_layout libvirt 'vnet*' 'vnet0 vnet1'
finish
