#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# fragments.sh: datagrams that real stacks fragment and reassemble, and fragments made by the test
# in every order, cut through and over the bridge.
# shellcheck disable=SC2016,SC2119,SC2317 # awk has dollars; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
traffic=$TW_BUILD/tests/e2e/pieces # what begin() runs

make_host
make_guest 1
make_guest 2
make_guest 3
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: w1, to: w2, service: udp/7000, action: allow}
		  - {name: ping, from: w1, to: w2, service: [icmp/8, icmp6/128], action: allow}
		  - {name: pieces, from: any, to: w2, service: udp/7001, action: allow}
		  - {name: none, from: any, to: w2, service: udp/7002, action: deny}
	END
} >"$lab/policy.yaml"

n_runs=0
pieces() { # FROM TO PORT SIZE ORDER N
	case $1 in *3) from=3 ;; *) from=1 ;; esac
	n_runs=$((n_runs + 1))
	PIECES_RUN=$n_runs in_guest $from "$traffic" send eth0 52:54:00:00:00:02 "$@"
}
# Each server has a log of its own: an older log would report it ready too early.
n_listeners=0
listen() { # FILE PORT
	n_listeners=$((n_listeners + 1))
	begin g2 "count$n_listeners" count "$lab/$1" "$2"
	counter=$child
}
arrive() { # FILE N
	within 20 arrived "$1" "$2" || {
		cat "$lab/$1"
		false
	}
}
arrived() { # FILE N: true if N good datagrams arrived, and no bad one
	[ "$(count_of "$1" good)" = "$2" ] && [ "$(count_of "$1" bad)" = 0 ]
}
failures() { # of reassembly, in guest 2
	in_guest 2 awk '/^Ip6ReasmFails|^Ip6ReasmOverlaps/ { n += $2 } END { print n + 0 }' /proc/net/snmp6
}

# Runs all checks with the agent's present options.
all_ways() { # WHERE
	for size in 1600 3000 9000 60000; do
		check "$1: the kernel's own fragments of $size bytes" in_guest 1 "$traffic" ask 10.0.0.12 7000 $size
		check "$1: over IPv6" in_guest 1 "$traffic" ask fd00::12 7000 $size
	done
	check "$1: a long echo request" in_guest 1 "$traffic" ping 10.0.0.12 8000
	check "$1: over IPv6" in_guest 1 "$traffic" ping fd00::12 8000
	for way in forward reverse middle first-last shuffle twice; do
		listen good 7001
		pieces 10.0.0.11 10.0.0.12 7001 8000 $way 20
		check "$1: by hand, $way" arrive good 20
		pieces fd00::11 fd00::12 7001 8000 $way 20
		check "$1: over IPv6" arrive good 40
		end "$counter"
	done
	# Guest 3 is behind a port of no workload: only guest 2's end judges.
	for way in forward reverse shuffle; do
		listen in 7001
		pieces 10.0.0.13 10.0.0.12 7001 8000 $way 20
		check "$1: from outside, $way" arrive in 20
		pieces fd00::13 fd00::12 7001 8000 $way 20
		check "$1: over IPv6" arrive in 40
		end "$counter"
	done
	listen over 7001
	pieces 10.0.0.11 10.0.0.12 7001 3000 overlap 10
	pieces fd00::11 fd00::12 7001 3000 overlap 10
	pieces 10.0.0.11 10.0.0.12 7001 3000 forward 1
	check "$1: of those that overlap none" arrive over 1
	end "$counter"
	listen none 7002
	for way in forward reverse; do
		pieces 10.0.0.13 10.0.0.12 7002 8000 $way 5
		pieces 10.0.0.11 10.0.0.12 7002 8000 $way 5
		pieces fd00::11 fd00::12 7002 8000 $way 5
	done
	check "$1: the kernel's own go on" in_guest 1 "$traffic" ask 10.0.0.12 7000 9000
	equal "$1: of those that are denied none" "0 0" "$(count_of none good) $(count_of none bad)"
	end "$counter"
}

start_agent --policy "$lab/policy.yaml"
within 20 port_is tap2 protected || bail "the port is protected"
begin g2 echo echo 7000
all_ways "cut through"
stop_agent
start_agent --policy "$lab/policy.yaml" --forwarding vswitch
all_ways "bridged"
equal "guest 2 never met what it could not put together" 0 "$(failures)"
finish
