#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# proxmox.sh: the bridges of Proxmox VE: a VM behind a firewall bridge of its own, one on vmbr0, a container, the host's own
# address on vmbr0, and the network behind its NIC. Connections that were open before continue when tapwall starts, when
# firewall=1 is set and removed, and when vmbr0 is made anew.
#
#	[ VM 100 ]── tap100i0 ─[ fwbr100i0 ]─ fwln100i0 ══ fwpr100p0 ─┐
#	[ VM 101 ]── tap101i0 ─────────────────────────────────────[ vmbr0 10.0.0.1 ]─ nic0 ──[ lan 10.0.0.99 ]
#	[ CT 102 ]── veth102i0 ─────────────────────────────────────┘
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

paths() {
	cat <<-'END'
		lan tcp 10.0.0.11 80 connected
		vm101 tcp fd00::11 80 connected
		vm100 tcp 10.0.0.13 5432 connected
		vm100 udp 10.0.0.99 53 connected
		ct102 udp fd00::99 53 connected
		vm101 ping 10.0.0.11 - connected
		lan ping fd00::13 - connected
		vm100 ping 10.0.0.1 - connected
		host tcp 10.0.0.12 22 connected
		host tcp 10.0.0.11 22 connected
		lan tcp 10.0.0.1 8006 connected
		vm101 tcp 10.0.0.11 23 refused
		vm100 tcp 10.0.0.1 8006 refused
		vm101 tcp 10.0.0.13 5432 timeout
		lan tcp 10.0.0.13 5432 timeout
		lan tcp fd00::12 80 timeout
		vm100 tcp fd00::99 25 timeout
		vm101 udp 10.0.0.11 53 timeout
	END
}

fwbr() {
	make_bridge fwbr100i0
	must ip -n "$ns-host" link add fwln100i0 type veth peer name fwpr100p0
	must ip -n "$ns-host" link set fwln100i0 master fwbr100i0 up
	must ip -n "$ns-host" link set fwpr100p0 master vmbr0 up
	must ip -n "$ns-host" link set tap100i0 master fwbr100i0
}
no_fwbr() {
	must ip -n "$ns-host" link set tap100i0 master vmbr0
	must ip -n "$ns-host" link del fwln100i0
	must ip -n "$ns-host" link del fwbr100i0
}
# A bridge without an address of its own takes the lowest MAC of its ports, which change.
make_vmbr0() {
	must ip -n "$ns-host" link add vmbr0 address 52:54:00:00:08:01 type bridge mcast_snooping 0
	must ip -n "$ns-host" link set vmbr0 up
	host_address vmbr0 10.0.0.1/24
}
vmbr0_anew() {
	members=$(on_host ls /sys/class/net/vmbr0/brif)
	must ip -n "$ns-host" link del vmbr0
	make_vmbr0
	for member in $members; do must ip -n "$ns-host" link set "$member" master vmbr0; done
}

tries_more() { # MODE
	check "$1: a denied connection names the default" within 20 has_denied vm101 out policy
	check "$1: one from the network behind the NIC, too" within 20 has_denied ct102 in policy
	spoofs "$1" vm101 vm101 10.0.0.13 10.0.0.11
	check "$1: a connection from before tapwall continues" stream_goes_on
	no_fwbr
	check "$1: firewall=1 is removed" within 20 placed tap100i0 vmbr0
	check "$1: and the connection continues" stream_goes_on
	fwbr
	check "$1: firewall=1 is set" within 20 placed tap100i0 fwbr100i0
	check "$1: and the connection continues" stream_goes_on
	check "$1: a new one opens" within 20 gets connected vm101 tcp 10.0.0.11 80
	vmbr0_anew
	check "$1: vmbr0 is made anew" within 20 placed tap101i0 vmbr0
	check "$1: and the connection continues" stream_goes_on
}

make_host
make_vmbr0
for name in vm100 vm101 ct102 lan; do make_namespace $name; done
join vm100 tap100i0 52:54:00:00:00:01 10.0.0.11/24 fd00::11/64
join vm101 tap101i0 52:54:00:00:00:02 10.0.0.12/24 fd00::12/64
join ct102 veth102i0 52:54:00:00:00:03 10.0.0.13/24 fd00::13/64
join lan nic0 52:54:00:00:09:09 10.0.0.99/24 fd00::99/64
for port in tap101i0 veth102i0 nic0; do must ip -n "$ns-host" link set $port master vmbr0; done
fwbr
serve vm100 tcp 80 23 22
serve vm100 udp 53
serve vm101 tcp 80 22
serve ct102 tcp 5432
serve lan tcp 25
serve lan udp 53
serve host tcp 8006
begin vm101 stream stream "$lab/stream" tcp 10.0.0.11 80 "$pace"
try_layout "Proxmox VE" 'tap*,veth*' 'tap100i0 tap101i0 veth102i0'
check "the connection from before continues without tapwall" stream_goes_on
finish
