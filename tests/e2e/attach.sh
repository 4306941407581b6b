#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# attach.sh: other tools change the hooks of the programs. Bandwidth limits, set before or after the
# agent's start, work together with the programs. Programs that another tool removed are attached
# again and counted. An XDP program of another tool is reported. A port to which the programs cannot
# be attached is shut, and reported as shut. With tcx and without.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
make_guest 3
{
	workloads 3
	echo 'rules: [{name: echo, from: any, to: any, service: tcp/7000, action: allow}]'
} >"$lab/policy.yaml"
begin g2 echo echo tcp 7000
begin g1 other echo tcp 7001
begin host host echo tcp 7001
begin g1 counted count "$lab/counted" 7002
ip -n "$ns-host" addr add 10.0.0.1/24 dev br0

# Sets or changes a limit as Proxmox and libvirt do: they first remove any existing qdisc. On a slow
# machine the agent may attach its own between the two commands, so the attempt is repeated.
forget_limit() { # PORT
	on_host tc qdisc del dev "$1" ingress
	on_host tc qdisc del dev "$1" root
} 2>/dev/null

add_limit() { # PORT
	on_host tc qdisc add dev "$1" root handle 1: htb default 1 &&
		on_host tc class add dev "$1" parent 1: classid 1:1 htb rate 1gbit &&
		on_host tc qdisc add dev "$1" handle ffff: ingress &&
		on_host tc filter add dev "$1" parent ffff: prio 50 u32 match u32 0 0 flowid 1:1
}

limit() { # PORT
	forget_limit "$1"
	add_limit "$1"
}

number() { # PORT FIELD
	tapwall ports --json | jq -r --arg name "$1" --arg field "$2" 'select(.name == $name)[$field]'
}

# If the programs are attached to both qdiscs and the agent acts in between, one change counts as
# two losses.
lost_more() { # PORT THAN
	[ "$(number "$1" programs_lost)" -gt "$2" ]
}

is_proved() { # SECONDS: true if every port was checked within this time
	tapwall status --json | jq -es --argjson limit "$1" 'any(.[]; .proof_age_s >= 0 and .proof_age_s < $limit)'
}

has_trouble() { # PORT TEXT
	[ "$(number "$1" trouble)" = "$2" ]
}

is_degraded() { # PORT
	tapwall status | grep -q "^DEGRADED: BPF program [0-9]* at $1 runs before tapwall's"
}

is_not_degraded() {
	tapwall status >"$lab/status" && ! grep -q DEGRADED "$lab/status"
}

# The host itself is the other end, so only port 1 judges.
judged() { # WAY
	check "$1: what is allowed passes" within 20 becomes connected 1 tcp 10.0.0.12 7000
	# Each of them waits for three seconds.
	attempt 1 tcp 10.0.0.1 7001 >"$lab/from" &
	attempts=$!
	on_host "$traffic" connect tcp 10.0.0.11 7001 >"$lab/to" &
	attempts="$attempts $!"
	on_host "$traffic" connect udp 10.0.0.11 7002 >"$lab/udp.out" &
	# shellcheck disable=SC2086 # process ids
	wait $attempts $!
	equal "$1: what is denied does not, from port 1" timeout "$(cat "$lab/from")"
	equal "$1: nor to port 1" timeout "$(cut -d ' ' -f 1 "$lab/to")"
	equal "$1: nor a datagram" 0 "$(count_of counted 7002)"
}

unlink_programs() { # PORT
	for dir in in out; do
		on_host bpftool link detach pinned \
			"$lab/bpffs/tapwall/links/$(on_host cat "/sys/class/net/$1/ifindex")-$dir"
	done
}

for way in tcx clsact; do
	force=
	[ $way = tcx ] || force=--force-clsact
	add_limit tap1
	# shellcheck disable=SC2086 # no option, or one
	start_agent --policy "$lab/policy.yaml" $force
	equal "$way: attached" $way "$(tapwall status --json | jq -r .attach)"
	judged "$way, a limit that was there before"
	check "$way: the port is protected" port_is tap1 protected

	check "$way: the limit can be changed" within 20 limit tap1
	check "$way: the port is protected again" within 20 port_is tap1 protected
	judged "$way, a limit that changed"

	check "$way: a limit can be set where there was none" within 20 limit tap2
	check "$way: that port is protected again" within 20 port_is tap2 protected
	judged "$way, a limit that came later"

	lost=$(number tap1 programs_lost)
	if [ $way = tcx ]; then
		on_host tc qdisc del dev tap1 ingress
		judged "$way, without its ingress qdisc"
		equal "$way: the programs do not hang on qdiscs" "$lost" "$(number tap1 programs_lost)"
		unlink_programs tap1
	else
		forget_limit tap1
	fi
	check "$way: that the programs were removed is seen" within 20 lost_more tap1 "$lost"
	check "$way: and mended" within 20 port_is tap1 protected
	check "$way: and logged" within 20 grep -q 'tap1: another tool removed the programs' "$lab/agent.log"
	judged "$way, programs that were removed"
	check "$way: proofs are fresh" within 20 is_proved 10
	check "$way: status counts losses" \
		sh -c "[ $(tapwall status --json | jq .programs_lost) -gt $lost ]"

	must on_host "$TW_BUILD/tests/e2e/xdp" tap1
	check "$way: an XDP program, which sees frames first, is reported" within 20 grep -q \
		"tap1: BPF program [0-9]* runs before tapwall's" "$lab/agent.log"
	check "$way: by the port, too" within 20 has_trouble tap1 "another BPF program runs before tapwall's"
	check "$way: and by status" within 20 is_degraded tap1
	on_host ip link set dev tap1 xdpgeneric off
	check "$way: no longer when it is gone" within 20 is_not_degraded
	: >"$lab/agent.log"
	stop_agent
	check "$way: release" release
	forget_limit tap1
	forget_limit tap2
	equal "$way: no qdisc of ours is left" "" \
		"$(on_host tc qdisc show | grep -E 'dev tap[12] ' | grep -v noqueue)"
done

# A root qdisc that accepts no filters, and an ingress qdisc: an empty one makes room.
on_host tc qdisc add dev tap1 handle ffff: ingress
on_host tc qdisc add dev tap1 root handle 1: tbf rate 1gbit burst 100kb latency 50ms
start_agent --policy "$lab/policy.yaml" --force-clsact
equal "an empty ingress qdisc makes room for the programs" protected "$(state_of tap1)"
judged "the port"
stop_agent
check "release" release
on_host tc qdisc del dev tap1 root

# One with a filter of the host does not: nothing can judge frames to the guest.
on_host tc qdisc add dev tap1 handle ffff: ingress
on_host tc filter add dev tap1 parent ffff: prio 50 u32 match u32 0 0 flowid 1:1
on_host tc qdisc add dev tap1 root handle 1: tbf rate 1gbit burst 100kb latency 50ms
start_agent --policy "$lab/policy.yaml" --force-clsact
equal "a port without room for the programs is shut" shut "$(state_of tap1)"
equal "nothing gets there" timeout "$(attempt 2 tcp 10.0.0.11 7000)"
equal "nor from there" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
check "the port says why" sh -c "echo '$(number tap1 trouble)' | grep -q 'root qdisc (tbf)'"
check "so does the log" within 20 grep -q 'tap1: cannot be attached, stays shut' "$lab/agent.log"
on_host tc qdisc del dev tap1 root
check "with room it is protected" within 20 port_is tap1 protected
judged "a port that got room"
finish
