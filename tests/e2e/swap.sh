#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# swap.sh: two policies alternate under traffic. Each refuses both of two ports, but at different
# ends: under A the out end refuses 7001 and the in end 7002, under B the reverse. A packet judged
# by A at one end and by B at the other would pass. Traffic that both allow loses nothing.
# shellcheck disable=SC2016,SC2119,SC2317 # awk has dollars; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

swaps=1000

make_host
make_guest 1
make_guest 2
policy() { # PORT REFUSED AT FROM, PORT REFUSED AT TO
	workloads 2
	cat <<-END
		rules:
		  - {name: echo, from: w1, to: w2, service: [udp/7003, tcp/7004], action: allow}
		  - {name: not-out, from: w1, to: w2, service: udp/$1, action: deny, at: from}
		  - {name: not-in, from: w1, to: w2, service: udp/$2, action: deny, at: to}
		  - {name: rest, from: w1, to: w2, service: "udp/7001-7002", action: allow}
	END
}
policy 7001 7002 >"$lab/a.yaml"
policy 7002 7001 >"$lab/b.yaml"
# The control: a policy that is the forbidden mixture.
{
	workloads 2
	echo 'default: allow'
} >"$lab/open.yaml"

denials() {
	tapwall ports --json | jq -s '[.[] | .denied.out, .denied.in] | add'
}

# The receiver has read everything that arrived, and again a moment later, so its counts are
# complete.
no_queue() {
	in_guest 2 awk '$2 ~ /:1B5[9A]$/ && $5 !~ /:0+$/ { exit 1 }' /proc/net/udp6 # ports 7001 and 7002
}
drained() {
	no_queue && counted=$(cat "$lab/arrived") && sleep 0.2 && no_queue && [ "$counted" = "$(cat "$lab/arrived")" ]
}

start_agent --policy "$lab/open.yaml"
begin g2 arrived count "$lab/arrived" 7001 7002
begin g2 echo-udp echo udp 7003
begin g2 echo-tcp echo tcp 7004
begin g1 spray spray 10.0.0.12 7001 7002
check "without a refusal the datagrams arrive" within 20 grows arrived 7002 1000
check "policy A refuses both ports" apply "$lab/a.yaml"
check "what is queued at the receiver is counted" within 20 drained
one=$(count_of arrived 7001)
two=$(count_of arrived 7002)

begin g1 udp stream "$lab/udp" udp 10.0.0.12 7003 1
udp=$child
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7004 1
tcp=$child
refused=0
for _ in $(seq $((swaps / 2))); do
	apply "$lab/b.yaml" || refused=$((refused + 1))
	apply "$lab/a.yaml" || refused=$((refused + 1))
done
equal "all of $swaps swaps took effect" 0 "$refused"
equal "each in its turn" $((swaps + 2)) "$(tapwall status --json | jq .policy_generation)"
equal "no packet to the one port was judged by a mixture" "$one" "$(count_of arrived 7001)"
equal "nor to the other" "$two" "$(count_of arrived 7002)"
all_arrive "every datagram that both allow came back" end "$udp"
check "every TCP message too" end "$tcp"
all_arrive "no segment was lost" none_lost tcp
check "the refused datagrams were there to be judged" test "$(denials)" -gt 10000
equal "one image a port is left, and those of the epoch before" true \
	"$(tapwall status --json | jq '.images <= 4')"
finish
