#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# proxmox-vlan.sh: a VLAN-aware vmbr0 of Proxmox VE, whose NIC carries VLANs 2-4094: a VM in VLAN 10, one in VLAN 10 behind
# a firewall bridge, a trunk guest with an untagged network and VLANs 10 and 20, a container in VLAN 20, the host's own
# address in VLAN 10, and the networks behind the NIC. Rate limits of NICs are set before tapwall starts and while it runs.
#
#	[ VM 200 ]── tap200i0 ──────────────────────────── 10 ─┐
#	[ VM 201 ]── tap201i0 ─[ fwbr201i0 ]─ fwln ══ fwpr ─ 10 ─┤                            ┌ 10 ─[ lan10 .254 ]
#	[ VM 202 ]── tap202i0 ───────────── 1 untagged, 10, 20 ─[ vmbr0, vmbr0.10 ]─ nic0 ══ switch
#	[ CT 203 ]── veth203i0 ─────────────────────────── 20 ─┘                              └ 20 ─[ lan20 .254 ]
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

paths() {
	cat <<-'END'
		lan10 tcp 10.0.10.11 80 connected
		vm201 tcp fd00:10::11 80 connected
		vm200 tcp 10.0.10.13 5432 connected
		vm202 tcp 10.0.20.14 5432 connected
		vm202 tcp 10.0.10.11 80 connected
		ct203 udp 10.0.20.254 53 connected
		vm202 udp fd00:20::fe 53 connected
		vm201 ping 10.0.10.1 - connected
		lan20 ping 10.0.20.13 - connected
		host ping 10.0.1.13 - connected
		host tcp 10.0.10.12 22 connected
		host tcp 10.0.1.13 22 connected
		lan10 tcp 10.0.10.1 8006 connected
		vm200 tcp 10.0.10.1 8006 refused
		vm202 tcp 10.0.10.11 23 refused
		vm200 tcp 10.0.10.13 23 refused
		lan10 tcp 10.0.10.12 80 timeout
		lan20 tcp 10.0.20.13 22 timeout
		ct203 tcp 10.0.20.13 5432 timeout
		vm201 udp 10.0.10.254 53 timeout
	END
}

# Gives a port of vmbr0 its VLANs, as Proxmox does: one untagged, others tagged.
vlans_of() { # PORT UNTAGGED [TAGGED…]
	at=$1
	must bridge -n "$ns-host" vlan del dev "$at" vid 1
	must bridge -n "$ns-host" vlan add dev "$at" vid "$2" pvid untagged
	shift 2
	for vid in "$@"; do must bridge -n "$ns-host" vlan add dev "$at" vid "$vid"; done
}
vlan_port() { # PORT: puts it into vmbr0
	must ip -n "$ns-host" link set "$1" master vmbr0
	case $1 in
	tap200i0 | tap201i0 | fwpr201p0) vlans_of "$1" 10 ;;
	tap202i0 | fwpr202p0) vlans_of "$1" 1 10 20 ;;
	veth203i0) vlans_of "$1" 20 ;;
	nic0) must bridge -n "$ns-host" vlan add dev nic0 vid 2-4094 ;;
	esac
}
fwbr() { # VMID
	make_bridge "fwbr$1i0"
	must ip -n "$ns-host" link add "fwln$1i0" type veth peer name "fwpr$1p0"
	must ip -n "$ns-host" link set "fwln$1i0" master "fwbr$1i0" up
	must ip -n "$ns-host" link set "fwpr$1p0" up
	vlan_port "fwpr$1p0"
	must ip -n "$ns-host" link set "tap$1i0" master "fwbr$1i0"
}
no_fwbr() { # VMID
	vlan_port "tap$1i0"
	must ip -n "$ns-host" link del "fwln$1i0"
	must ip -n "$ns-host" link del "fwbr$1i0"
}
make_vmbr0() {
	must ip -n "$ns-host" link add vmbr0 address 52:54:00:00:08:01 type bridge vlan_filtering 1 mcast_snooping 0
	must ip -n "$ns-host" link set vmbr0 up
	host_address vmbr0 10.0.1.1/24
	must bridge -n "$ns-host" vlan add dev vmbr0 vid 10 self
	must ip -n "$ns-host" link add link vmbr0 name vmbr0.10 type vlan id 10
	must ip -n "$ns-host" link set vmbr0.10 up
	must ip -n "$ns-host" addr add 10.0.10.1/24 dev vmbr0.10
}
vmbr0_anew() {
	members=$(on_host ls /sys/class/net/vmbr0/brif)
	must ip -n "$ns-host" link del vmbr0.10
	must ip -n "$ns-host" link del vmbr0
	make_vmbr0
	for member in $members; do vlan_port "$member"; done
}
# A VLAN interface of a guest with a trunk.
tagged() { # NAMESPACE VID ADDRESS/LENGTH…
	where=$1
	vid=$2
	shift 2
	vlan_interface "$where" eth0 "v$vid" "$vid" "$where"
	addresses "$where" "v$vid" "$@"
}
# True if frames of a guest with a VLAN tag are denied because of it.
sends_tag() { # NAMESPACE VID MAC
	ip netns exec "$ns-$1" timeout 1 "$traffic" flood eth0 7 "$2" "$3"
	within 20 has_denied "$1" out vlan-tag
}
tagged_goes_on() {
	within 40 grows tagged echoed "$(($(count_of tagged echoed) + 20))"
}

tries_more() { # MODE
	check "$1: a denied connection names the default" within 20 has_denied vm201 out policy
	check "$1: one from the network behind the NIC, too" within 20 has_denied vm202 in policy
	spoofs "$1" vm200 vm200 10.0.10.13 10.0.10.12
	check "$1: an untagged guest sends no tags" sends_tag vm200 20 52:54:00:00:00:01
	check "$1: a trunk guest sends no others than its own" sends_tag vm202 30 52:54:00:00:00:03
	check "$1: what a guest with a limit sends is limited as before" is_policed tap200i0
	check "$1: a limit is set" within 30 rate_limit tap201i0
	check "$1: and applies" within 20 is_policed tap201i0
	check "$1: the port is protected" within 20 placed tap201i0 fwbr201i0
	check "$1: a connection from before tapwall continues" stream_goes_on
	check "$1: a denied service stays denied" gets timeout lan10 tcp 10.0.10.12 80
	no_rate_limit tap201i0
	check "$1: the limit is removed, and the connection continues" stream_goes_on
	no_fwbr 201
	check "$1: firewall=1 is removed" within 20 placed tap201i0 vmbr0
	check "$1: and the connection continues" stream_goes_on
	fwbr 201
	check "$1: firewall=1 is set" within 20 placed tap201i0 fwbr201i0
	check "$1: and the connection continues" stream_goes_on
	check "$1: a tagged connection continues" tagged_goes_on
	fwbr 202
	check "$1: firewall=1 is set for a trunk guest" within 20 placed tap202i0 fwbr202i0
	check "$1: and its tagged connection continues" tagged_goes_on
	check "$1: and a new one opens" within 20 gets connected vm202 tcp 10.0.20.14 5432
	no_fwbr 202
	check "$1: firewall=1 of the trunk guest is removed" within 20 placed tap202i0 vmbr0
	check "$1: and its tagged connection continues" tagged_goes_on
	vmbr0_anew
	check "$1: vmbr0 is made anew" within 20 placed tap200i0 vmbr0
	check "$1: and the connection continues" stream_goes_on
	check "$1: and the tagged one" tagged_goes_on
}

make_host
has_vlans || {
	echo '1..0 # SKIP the kernel has no VLAN-aware bridges or no VLAN interfaces; tests/vm/hosts has'
	exit 0
}
make_vmbr0
for name in vm200 vm201 vm202 ct203 switch lan10 lan20; do make_namespace $name; done
join vm200 tap200i0 52:54:00:00:00:01 10.0.10.11/24 fd00:10::11/64
join vm201 tap201i0 52:54:00:00:00:02 10.0.10.12/24 fd00:10::12/64
join vm202 tap202i0 52:54:00:00:00:03 10.0.1.13/24
tagged vm202 10 10.0.10.13/24
tagged vm202 20 10.0.20.13/24 fd00:20::13/64
join ct203 veth203i0 52:54:00:00:00:04 10.0.20.14/24 fd00:20::14/64
join switch nic0 52:54:00:00:09:09
for vid in 10 20; do
	vlan_interface switch eth0 eth0 $vid lan$vid
	addresses lan$vid eth0 10.0.$vid.254/24 fd00:$vid::fe/64
done
for port in tap200i0 tap202i0 veth203i0 nic0; do vlan_port $port; done
fwbr 201
must rate_limit tap200i0
serve vm200 tcp 80 23
serve vm201 tcp 80 22
serve vm202 tcp 5432 23 22
serve ct203 tcp 5432
serve lan10 udp 53
serve lan20 udp 53
serve host tcp 8006
begin vm201 stream stream "$lab/stream" tcp 10.0.10.11 80 "$pace"
begin vm202 tagged stream "$lab/tagged" tcp 10.0.20.14 5432 "$pace"
try_layout "VLAN-aware bridges of Proxmox VE" 'tap*,veth*' 'tap200i0 tap201i0 tap202i0 veth203i0'
check "the connections from before continue without tapwall" eval 'stream_goes_on && tagged_goes_on'
finish
