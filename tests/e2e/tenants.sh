#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tenants.sh: two tenants with the same addresses, each on a bridge of its own, under one policy. Guests 1 and 2 are
# red's, 3 and 4 are blue's; a port of one network on the bridge of the other is shut.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

# Gives guest N the address of guest M.
readdress() { # N M
	must ip -n "$ns-g$1" addr flush dev eth0
	must ip -n "$ns-g$1" addr add "10.0.0.1$2/24" dev eth0
}
make_host
make_bridge br1
make_guest 1
make_guest 2
make_guest 3 br1
make_guest 4 br1
readdress 3 1
readdress 4 2
cat >"$lab/policy.yaml" <<'END'
version: 1
workloads:
  red-1: {network: red, port: tap1, mac: "52:54:00:00:00:01", addresses: [10.0.0.11]}
  red-2: {network: red, port: tap2, mac: "52:54:00:00:00:02", addresses: [10.0.0.12]}
  blue-1: {network: blue, port: tap3, mac: "52:54:00:00:00:03", addresses: [10.0.0.11]}
  blue-2: {network: blue, port: tap4, mac: "52:54:00:00:00:04", addresses: [10.0.0.12]}
rules:
  - {name: red-echo, from: red-1, to: red-2, service: tcp/7000, action: allow}
  - {name: blue-echo, from: blue-1, to: blue-2, service: tcp/7001, action: allow}
  - {name: blue-by-address, from: 10.0.0.11, to: 10.0.0.12, service: tcp/7002, action: allow, network: blue}
  - {name: rest, action: reject}
END

start_agent --policy "$lab/policy.yaml"
for guest in 2 4; do
	for port in 7000 7001 7002; do
		begin "g$guest" "echo$guest-$port" echo tcp "$port"
	done
done
check "red's ports are protected" within 20 port_is tap2 protected
check "and blue's" within 20 port_is tap4 protected
check "red's rule lets red in" within 20 becomes connected 1 tcp 10.0.0.12 7000
check "blue's rule lets blue in" within 20 becomes connected 3 tcp 10.0.0.12 7001
check "and so does a rule about addresses" becomes connected 3 tcp 10.0.0.12 7002
equal "red's rule does not let blue in" refused "$(attempt 3 tcp 10.0.0.12 7000)"
equal "nor blue's red" refused "$(attempt 1 tcp 10.0.0.12 7001)"
# Opens a connection. True if all flows of the bridge are between these workloads.
names_are() { # BRIDGE GUEST PORT NAMES
	becomes connected "$2" tcp 10.0.0.12 "$3" && tapwall flows --json >"$lab/flows" && [ "$(
		jq -rs --arg network "$1" '[.[] | select(.network == $network) | .from.workload + " " + .to.workload] | unique[]' \
			"$lab/flows"
	)" = "$4" ]
}
check "flows of red's bridge name red's workloads" within 20 names_are br0 1 7000 "red-1 red-2"
check "and flows of blue's name blue's" within 20 names_are br1 3 7001 "blue-1 blue-2"
equal "explain asks which network is meant" 2 "$(
	tapwall explain --from 10.0.0.11 --to 10.0.0.12 --proto tcp --dport 7000 --live >/dev/null 2>&1
	echo $?
)"
check "and finds the address in the network of the other end" \
	tapwall explain --from red-1 --to 10.0.0.12 --proto tcp --dport 7000 --live
check "so that red's answer is not blue's" \
	sh -c '! "$@"' - "$TW_BUILD/tapwall" explain --socket "$socket" --from blue-1 --to 10.0.0.12 --proto tcp --dport 7000 --live

conflict_of() { # PORT
	tapwall ports --json | jq -r --arg name "$1" 'select(.name == $name).conflict'
}
conflict_is() {
	[ "$(conflict_of "$1")" = "$2" ]
}
# Tap 1 is older than blue's ports, and yet it is the newcomer on their bridge, also for the next agent.
must ip -n "$ns-host" link set tap1 master br1
check "a port of red on blue's bridge is shut" within 20 port_is tap1 shut
check "and says why" within 20 conflict_is tap1 network-of-another
check "blue goes on" within 20 becomes connected 3 tcp 10.0.0.12 7001
stop_agent
start_agent --policy "$lab/policy.yaml"
check "the next agent protects blue's ports" within 20 port_is tap4 protected
check "and shuts the same one" within 20 port_is tap1 shut
must ip -n "$ns-host" link set tap1 master br0
check "back on its bridge it is protected again" within 20 port_is tap1 protected
check "and reaches its neighbour" within 20 becomes connected 1 tcp 10.0.0.12 7000
finish
