#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# ovs.sh: ports of Open vSwitch's userspace datapath. It reads their frames before any BPF program does, so what a
# guest sends is not filtered, and `status` says so first. What the guest receives is filtered. tests/vm/attach has
# the kernel datapath.
#
#	[ guest 1, 2 ]──[ tap1, tap2 ]─┐
#	[ lan ]──────────────[ up0 ]───┴─ vmbr0, datapath_type=netdev
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/hosts/lib.sh
. "$TW_SOURCE/tests/e2e/hosts/lib.sh"

schema=/usr/share/openvswitch/vswitch.ovsschema
for tool in ovsdb-tool ovsdb-server ovs-vswitchd ovs-vsctl; do
	command -v $tool >/dev/null || {
		echo "1..0 # SKIP no $tool"
		exit 0
	}
done
[ -c /dev/net/tun ] && [ -f $schema ] || {
	echo "1..0 # SKIP no /dev/net/tun, or no $schema"
	exit 0
}
export OVS_RUNDIR="$lab" OVS_LOGDIR="$lab" OVS_DBDIR="$lab"

vsctl() {
	ovs-vsctl --db="unix:$lab/db.sock" --timeout=20 "$@"
}
start_ovs() {
	must ovsdb-tool create "$lab/conf.db" $schema
	on_host ovsdb-server --remote="punix:$lab/db.sock" --unixctl="$lab/db.ctl" --pidfile="$lab/db.pid" \
		"$lab/conf.db" >"$lab/ovsdb.log" 2>&1 &
	children="$children $!"
	within 20 test -S "$lab/db.sock" || bail "ovsdb-server starts" "$(cat "$lab/ovsdb.log")"
	# Frames whose checksum is not finished pass, as they do in the kernel.
	must vsctl --no-wait -- init -- set Open_vSwitch . other_config:userspace-tso-enable=true
	on_host ovs-vswitchd "unix:$lab/db.sock" --unixctl="$lab/vs.ctl" --pidfile="$lab/vs.pid" >"$lab/vs.log" 2>&1 &
	children="$children $!"
	must vsctl add-br vmbr0 -- set bridge vmbr0 datapath_type=netdev
}
paths() {
	cat <<-'END'
		g1 tcp 10.0.0.12 7000 connected
		g2 tcp 10.0.0.11 7000 connected
		lan tcp 10.0.0.11 7000 connected
		g1 tcp 10.0.0.99 7000 connected
		g1 tcp 10.0.0.12 7001 timeout
		lan tcp 10.0.0.11 7001 timeout
	END
}
# True if status names exactly these ports before anything else.
says_unfiltered() { # PORTS
	tapwall status | head -n 1 | grep -qx "NOT FILTERED, .* where frames pass unjudged: $1" &&
		tapwall ports --json | jq -es --arg ports "$1" \
			'[.[] | select(.state == "unfiltered" and (.trouble | contains("Open vSwitch")))] |
				map(.name) | join(", ") == $ports' &&
		tapwall ports | grep -q "^NOT FILTERED: ${1%%,*}: Open vSwitch's userspace datapath"
}
sees() { # DATAGRAMS: true if the station outside has received more from guest 1
	[ "$(count_of outside 7002)" -gt "$1" ]
}
sends_denied() {
	in_guest 1 bash -c 'echo denied >/dev/udp/10.0.0.99/7002'
	sees "$1"
}

make_host
start_ovs
make_namespace g1
make_namespace g2
make_namespace lan
join g1 tap1 52:54:00:00:00:01 10.0.0.11/24
join g2 tap2 52:54:00:00:00:02 10.0.0.12/24
join lan up0 52:54:00:00:09:09 10.0.0.99/24
for port in tap1 tap2 up0; do must vsctl add-port vmbr0 $port; done
for name in g1 g2 lan; do serve $name tcp 7000 7001; done
begin lan outside count "$lab/outside" 7002
policy_of "Open vSwitch" >"$lab/policy.yaml"
before=$(host_state)
try_paths "without tapwall" connected

start_agent --policy "$lab/policy.yaml"
check "status says first that what the guests send is not filtered" within 20 says_unfiltered "tap1, tap2"
check "the log says so of each" within 20 grep -q 'tap2: NOT FILTERED: Open vSwitch' "$lab/agent.log"
check "and of none that it is protected" sh -c "! grep -q 'tap[12]: protects' '$lab/agent.log'"
check "programs are told, too" eval "tapwall status --json | jq -es 'any(.[]; .ports_unfiltered == 2 and .ports_protected == 0)'"
try_paths "with tapwall"
check "what is for a guest is judged, with its reason" within 20 has_denied w1 in policy
check "what a guest sends is judged, too" within 20 sends_denied 0
check "and counted as denied, though it is out already" within 20 has_denied w1 out policy

must vsctl del-port vmbr0 tap2
check "a port that has left Open vSwitch is protected" within 20 port_is tap2 protected
check "and status names the others" within 20 says_unfiltered tap1
must vsctl add-port vmbr0 tap2
check "until it is back" within 20 says_unfiltered "tap1, tap2"
stop_agent
check "--release ends it" release
equal "and leaves the host as it was" "$before" "$(host_state)"
try_paths "released" connected
finish
