#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# crash.sh: the agent is killed repeatedly while it publishes policies, each time a little later. At
# any point, traffic that all policies allow loses nothing, traffic that each policy refuses at one
# end never passes, and the next agent continues from there.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

# Twelve policies are published within about 0.3 s: a later kill disturbs nothing.
rounds=$(scaled 12 200)

make_host
make_guest 1
make_guest 2
make_guest 3
# As in swap.sh: a mixture of the two policies would let one of the ports through. Guest 3 has more
# addresses than fit a port's entry, and different ones under each policy.
policy() { # PORT REFUSED AT FROM, PORT REFUSED AT TO, LAST BYTE
	workloads 2
	cat <<-END
		  w3: {port: tap3, addresses: [10.0.0.13, 10.9.0.$3/32, 10.9.1.0/24, 10.9.2.0/24, 10.9.3.0/24]}
		rules:
		  - {name: echo, from: any, to: any, service: [udp/7003, tcp/7004], action: allow}
		  - {name: out-$1, from: w1, to: w2, service: udp/$1, action: deny, at: from}
		  - {name: in-$2, from: w1, to: w2, service: udp/$2, action: deny, at: to}
		  - {name: rest, from: w1, to: w2, service: "udp/7001-7002", action: allow}
	END
}
policy 7001 7002 1 >"$lab/a.yaml"
policy 7002 7001 2 >"$lab/b.yaml"

start_agent --policy "$lab/a.yaml"
begin g2 arrived count "$lab/arrived" 7001 7002
begin g2 echo-udp echo udp 7003
begin g2 echo-tcp echo tcp 7004
begin g1 spray spray 10.0.0.12 7001 7002
begin g1 udp stream "$lab/udp" udp 10.0.0.12 7003 2
udp=$child
begin g3 tcp stream "$lab/tcp" tcp 10.0.0.12 7004 2
tcp=$child
check "traffic flows" within 20 grows tcp echoed 50

came_back=0
for round in $(seq "$rounds"); do
	{
		for _ in 1 2 3 4 5 6; do
			apply "$lab/b.yaml"
			apply "$lab/a.yaml"
		done
	} 2>/dev/null &
	applying=$!
	sleep "0.$(printf %03d $((round * 30 % 390)))"
	stop_agent KILL
	kill "$applying" 2>/dev/null
	wait "$applying" 2>/dev/null
	[ $((round % 3)) != 0 ] || of_another_version
	start_agent
	[ "$(tapwall status --json | jq '.ports_protected')" = 3 ] && came_back=$((came_back + 1))
done
equal "the next agent always found its ports protected" "$rounds" "$came_back"
check "a policy is applied after all" apply "$lab/b.yaml"
equal "no packet to a refused port passed" "0 0" "$(count_of arrived 7001) $(count_of arrived 7002)"
all_arrive "every datagram came back" end "$udp"
all_arrive "every TCP message came back" end "$tcp"
all_arrive "no segment was lost" none_lost tcp
equal "no port was ever shut, no image wrong" 0 "$(tapwall counters --json |
	jq -s '[.[] | select(.reason == "no-image" or .reason == "bad-image") | .out + .in] | add // 0')"
finish
