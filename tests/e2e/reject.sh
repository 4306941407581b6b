#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# reject.sh: a refusal reaches a real stack immediately, as a reset or an unreachable message, over
# IPv4 and IPv6, from the sender's own end and from the far end.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2 3; do
	make_guest $i
done
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: out, from: w1, to: any, service: [tcp/7001, udp/7001], action: reject}
		  - {name: in, from: any, to: w2, service: [tcp/7002, udp/7002], action: reject, at: to}
		  - {name: rest, from: any, to: any, action: allow}
	END
} >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
for port in 7001 7002 7003; do
	begin g2 tcp$port echo tcp $port
done
begin g2 udp7003 echo udp 7003

# An answer within this many milliseconds was the firewall's refusal: an unanswered SYN is repeated
# only after a second.
at_once=950

refused() { # WHAT N PROTO HOST PORT EXPECTED
	answer=$(in_guest "$2" "$traffic" connect "$3" "$4" "$5")
	equal "$1 is $6" "$6" "${answer% *}"
	check "$1: at once" test "${answer#* }" -lt $at_once
}

for host in 10.0.0.12 fd00::12; do
	equal "$host: TCP that is allowed" connected "$(attempt 1 tcp $host 7003)"
	equal "$host: UDP that is allowed" connected "$(attempt 1 udp $host 7003)"
	refused "$host: TCP at the sender's end" 1 tcp $host 7001 refused
	refused "$host: TCP at the far end" 1 tcp $host 7002 refused
	refused "$host: TCP at the far end, from a port of nobody" 3 tcp $host 7002 refused
	refused "$host: UDP at the sender's end" 1 udp $host 7001 prohibited
	refused "$host: UDP at the far end" 1 udp $host 7002 prohibited
done
# The agent reads events every 50 ms.
logged() { # N
	[ "$(tapwall log --json | jq -s '[.[] | select(.verdict == "reject")] | length')" -ge "$1" ]
}
check "the refusals are in the log" within 20 logged 10
finish
