#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# group-packets.sh: packets to a multicast group are charged to their sender and not to the
# receivers: however many there are, the connection table keeps space for the other guests.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2 3 4 5 6; do make_guest $i; done
# Frames to any multicast group reach every port, as on a bridge without MLD or IGMP snooping.
ip -n "$ns-host" link set br0 type bridge mcast_snooping 0
ip -n "$ns-g1" route add 239.0.0.0/8 dev eth0
{
	workloads 6
	cat <<-'END'
		options: {limits: {broadcast: 100000/s}, timeouts: {udp-unreplied: 10m}}
		rules:
		  - {name: group, from: any, to: any, service: udp/7001, action: allow}
		  - {name: plain, from: any, to: any, service: tcp/7000, action: allow}
	END
} >"$lab/policy.yaml"

# Prints everything that a port is charged for.
charges() { # PORT
	tapwall ports --json | jq --arg name "$1" \
		'select(.name == $name).connections | .half_open + .established + .untracked'
}
received() { # PORT
	tapwall ports --json | jq --arg name "$1" 'select(.name == $name).packets.in'
}
gets() { # PORT PACKETS
	[ "$(received "$1")" -gt "$2" ]
}

start_agent --policy "$lab/policy.yaml" --max-connections 4096
check "all guests are protected" within 20 port_is tap6 protected
before=$(received tap6)
begin g1 spray spray 239.1.2.3 7001
spray=$child
check "each of them receives what one sends to a group" within 30 gets tap6 $((before + 4000))
for i in 2 3 4 5 6; do
	equal "guest $i is charged for nothing" 0 "$(charges "tap$i")"
done
check "the one that sends it is" test "$(charges tap1)" -gt 0
equal "no record is of another's" 0 "$(tapwall flows --json | jq -s '[.[] | select(.from.address != "10.0.0.11")] | length')"
check "a record is one connection, however many receive it" test "$(tapwall flows --json | jq -s 'length')" -le "$(charges tap1)"
begin g3 echo echo tcp 7000
failures=0
for i in $(seq 20); do becomes connected 2 tcp 10.0.0.13 7000 || failures=$((failures + 1)); done
equal "meanwhile two others open connections, all of them" 0 $failures
end "$spray"
finish
