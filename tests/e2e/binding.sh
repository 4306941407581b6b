#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# binding.sh: the binding of ports to workloads. Taps that libvirt has renumbered are found by their
# own MACs; a port whose name and MAC contradict each other is shut; no guest takes a workload's
# place by its source MAC.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2 3 4; do
	make_guest $i
done
set_mac() { # PORT MAC
	ip -n "$ns-host" link set "$1" down address "$2"
	ip -n "$ns-host" link set "$1" up
}
rename() { # PORT NAME
	ip -n "$ns-host" link set "$1" down
	ip -n "$ns-host" link set "$1" name "$2"
	ip -n "$ns-host" link set "$2" up
}
workload_of() { # PORT
	tapwall ports --json | jq -r --arg name "$1" 'select(.name == $name).workload'
}
belongs_to() { # PORT WORKLOAD
	[ "$(workload_of "$1")" = "$2" ]
}
# Without an answer to its ARP requests, a guest's client may fail before its timeout.
cannot_connect() { # N
	[ "$(attempt "$1" tcp 10.0.0.12 7000)" != connected ]
}
# A guest whose neighbour did not answer before may not send for a moment.
sends_as() { # N WORKLOAD
	attempt "$1" tcp 10.0.0.12 7000 >/dev/null
	belongs_to "tap$1" "$2"
}
set_guest_mac() { # N MAC
	in_guest "$1" ip link set eth0 down address "$2" && in_guest "$1" ip link set eth0 up
}
cannot_connect_as() { # N MAC
	set_guest_mac "$1" "$2" && cannot_connect "$1"
}
connects() { # N
	[ "$(attempt "$1" tcp 10.0.0.12 7000)" = connected ]
}
sends_from() { # N MAC
	set_guest_mac "$1" "$2" && within 20 connects "$1"
}
logged() { # PATTERN
	within 20 grep -q "$1" "$lab/agent.log"
}
policy() { # OPTIONS…
	workloads 2
	cat <<-END
		  away: {mac: "52:54:00:00:00:09", addresses: [10.0.0.19]}
		rules:
		  - {name: away, from: away, to: w2, service: tcp/7000, action: allow}
		options: {$*}
	END
}
for i in 1 2 3; do
	set_mac tap$i fe:54:00:00:00:0$i
done
for unclaimed in ignore deny; do
	policy unclaimed: $unclaimed >"$lab/$unclaimed.yaml"
	policy unclaimed: $unclaimed, bind: first-sender >"$lab/$unclaimed-first-sender.yaml"
done

start_agent --policy "$lab/ignore.yaml"
begin g2 echo2 echo tcp 7000
check "a port whose name and MAC agree is its workload's" belongs_to tap1 w1

# Guest 3 takes the identity of a workload that is not on this host.
in_guest 3 ip link set eth0 down address 52:54:00:00:00:09
in_guest 3 ip link set eth0 up
in_guest 3 ip addr flush dev eth0
in_guest 3 ip addr add 10.0.0.19/24 dev eth0
for policy in ignore deny ignore-first-sender deny-first-sender; do
	check "$policy is applied" apply "$lab/$policy.yaml"
	check "a guest whose tap is another's takes no workload's place" cannot_connect 3
	equal "its port stays unclaimed" unclaimed "$(state_of tap3)"
done
check "the log tells of it" logged 'tap3: sends from 52:54:00:00:00:09, the MAC of away'
equal "and so do the counters" true \
	"$(tapwall counters --json | jq 'select(.reason == "workload-mac") | .out > 0')"

# Guest 4, whose tap's MAC identifies no workload, has that identity until the real workload comes.
check "the first sender is bound where the policy says so" apply "$lab/deny-first-sender.yaml"
in_guest 4 ip link set eth0 down address 52:54:00:00:00:09
in_guest 4 ip link set eth0 up
in_guest 4 ip addr flush dev eth0
in_guest 4 ip addr add 10.0.0.19/24 dev eth0
check "and has the rights" within 20 sends_as 4 away
check "its port has one adoption window" tapwall adopt --stop
check "also if its guest then sends from another MAC" cannot_connect_as 4 52:54:00:00:00:04
check "and from the first one again" sends_from 4 52:54:00:00:00:09
equal "so it has none" '{"ports":0,"seconds":0}' "$(tapwall adopt --stop --json)"
set_mac tap3 fe:54:00:00:00:09
check "a tap with the workload's MAC takes its place" within 20 belongs_to tap3 away
check "the impostor has lost it" within 20 port_is tap4 unclaimed
check "a policy without the option takes it, too" apply "$lab/ignore.yaml"
set_mac tap3 fe:54:00:00:00:03
check "and the MAC of another one" within 20 port_is tap3 unclaimed
equal "neither is bound" unclaimed "$(state_of tap4)"

# Renumbered: taps 1 and 2 exchange their names, then guest 1's tap gets a new number, and an
# unknown VM its old one.
rename tap1 tap9
rename tap2 tap1
rename tap9 tap2
check "taps that changed their names keep their workloads" within 20 belongs_to tap2 w1
check "both of them" within 20 belongs_to tap1 w2
rename tap2 tap9
check "a new number is no new identity" within 20 belongs_to tap9 w1
rename tap1 tap8
rename tap3 tap1
check "the one does not get the other's by its name" within 20 port_is tap1 unclaimed
equal "the one that left it is still known" w1 "$(workload_of tap9)"

# Contradictions: such a port is shut, even with `unclaimed: ignore`.
ip -n "$ns-host" link del tap9
check "a name that is a workload's, and a MAC that is another VM's, is shut" within 20 port_is tap1 shut
check "and the log says why" logged 'tap1: is shut: the policy gives it to w1, but its MAC'
set_mac tap1 fe:54:00:00:00:01
check "until they agree" within 20 belongs_to tap1 w1
set_mac tap4 fe:54:00:00:00:01
check "a second port with that MAC is shut" within 20 port_is tap4 shut
equal "the first one is what it was" w1 "$(workload_of tap1)"
tapwall status >"$lab/status.out"
check "status says first what is shut, and why" \
	grep -q '^SHUT: tap4: its MAC fe:54:00:00:00:01 is that of w1' "$lab/status.out"
equal "in JSON, too" '"tap4 mac-twice"' "$(tapwall status --json | jq -c '.conflicts[0] | "\(.port) \(.conflict)"')"
equal "and so does ports" mac-twice "$(tapwall ports --json | jq -r 'select(.name == "tap4").conflict')"
equal "the workload without a port is listed" '["away"]' "$(tapwall status --json | jq -c .sought)"
equal "and which have one" '"away null null" "w1 tap1 tap-mac" "w2 tap8 tap-mac"' \
	"$(tapwall workloads --json | jq -rs 'sort_by(.name) | map("\(.name) \(.port) \(.found_by)" | tojson) | join(" ")')"
# A macvtap's hooks see a guest's frames in the opposite direction.
ip -n "$ns-host" link add mv-lower type veth peer name mv-peer
ip -n "$ns-host" link set mv-lower up
ip -n "$ns-host" link add link mv-lower name tap-mv address 52:54:00:00:00:09 type macvtap mode bridge
check "a macvtap with the MAC of a workload is shut" within 20 port_is tap-mv shut
equal "and says why" macvtap "$(tapwall ports --json | jq -r 'select(.name == "tap-mv").conflict')"
ip -n "$ns-host" link del mv-lower
make_guest 5
check "a port of no workload comes" within 20 port_is tap5 unclaimed
tapwall status >"$lab/status.out"
check "status says before all else that it is not filtered" \
	sh -c "head -n 1 '$lab/status.out' | grep -q '^NOT FILTERED.*: tap5$'"
check "deny is applied" apply "$lab/deny.yaml"
equal "then nothing is open" 0 "$(tapwall status --json | jq .ports_open)"
finish
