#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# offload.sh: the frames that leave are those that were judged, whatever offloads a guest requests
# for them. SCALE=full extends the random part, with another seed in each run; SEED repeats a run.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
offload=$TW_BUILD/tests/e2e/offload
seed=${SEED:-$(scaled 1 "$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')")}

make_host
for port in tap1 tap2 up0; do
	if ! on_host ip tuntap add dev $port mode tap vnet_hdr; then
		echo "1..0 # SKIP cannot make taps"
		exit 0
	fi
	ip -n "$ns-host" link set $port master br0 up
done
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: in, from: w1, to: w2, service: [udp/53, tcp/80], action: allow}
		  - {name: out, from: w1, to: [203.0.113.9, "2001:db8::9"], service: [udp/53, tcp/80], action: allow, at: from}
		options:
		  limits: {broadcast: none}
	END
} >"$lab/policy.yaml"
# Frames that the bridge floods would also reach other ports.
for port in tap2 up0; do
	ip -n "$ns-host" link set $port type bridge_slave flood off
done
protected() {
	port_is tap1 protected && port_is tap2 protected
}
start() { # OPTIONS…
	start_agent --policy "$lab/policy.yaml" "$@"
	within 20 protected || bail "ports are protected" "$(tapwall ports)"
	on_host bridge fdb replace 52:54:00:00:00:02 dev tap2 master static
	on_host bridge fdb replace 52:54:00:00:00:fe dev up0 master static
}
start

check "known frames: $seed" on_host "$offload" known
for forwarding in cut-through vswitch; do
	[ "$forwarding" = cut-through ] || {
		stop_agent
		start --forwarding "$forwarding"
	}
	check "random frames, $forwarding, seed $seed" \
		on_host "$offload" random "$(scaled 8 120)" "$seed"
	say "$(tail -n 1 "$lab/check.out")"
done
finish
