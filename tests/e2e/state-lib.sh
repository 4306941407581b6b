# shellcheck shell=sh disable=SC2034,SC2154 # variables are set by lib.sh and used by those tests
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# state-lib.sh: definitions shared by the tests of the state directory: four guests that connect to
# each other, and checks of `status`. Sourced after lib.sh.

make_host
for i in 1 2 3 4; do
	make_guest $i
done
{
	workloads 4
	echo 'rules: [{name: echo, from: any, to: any, service: tcp/7000, action: allow}]'
} >"$lab/policy.yaml"
for i in 1 2 3 4; do
	begin g$i "echo$i" echo tcp 7000
	begin g$i "other$i" echo tcp 7001
done

sed s/7000/7001/ "$lab/policy.yaml" >"$lab/second.yaml"

replug() { # N
	ip -n "$ns-host" link del "tap$1"
	plug "$1" br0
}

# True if the kernel judges at all ports: allowed connections pass, others do not.
judged() {
	for i in 1 2 3 4; do
		in_guest $i ip neigh flush all
		for port in 7000 7001; do
			echo "$port $(attempt $i tcp 10.0.0.1$((i % 4 + 1)) $port)" &
		done
	done | sort | uniq -c | tr -s ' ' | tr '\n' ','
}
right=' 4 7000 connected, 4 7001 timeout,'
swapped=' 4 7000 timeout, 4 7001 connected,'

protected() {
	tapwall status --json | jq -c '[.ports_protected, .ports_shut]'
}

saved() { # IFINDEX: ports.json names it
	jq -es --argjson i "$1" 'any(.[].ports[]; .ifindex == $i)' "$lab/state/ports.json"
}

ifindex() {
	on_host cat "/sys/class/net/$1/ifindex"
}

# Prints a port's id in the kernel.
id_of() { # PORT
	number=$(ifindex "$1")
	bpftool -j map lookup pinned "$lab/bpffs/tapwall/maps/port_ids" key \
		$((number % 256)) $((number / 256)) 0 0 | jq -r '.value[0]' | xargs printf '%d\n'
}

degraded() {
	tapwall status --json | jq -r '.degraded[]'
}

source_of() {
	tapwall status --json | jq -r '.policy_source // "none" | sub(".*/"; "")'
}

sound() {
	tapwall status --json | jq -es 'any(.[]; .degraded == [])'
}
