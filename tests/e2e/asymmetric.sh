#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# asymmetric.sh: two router guests on an asymmetric path: what guest 1 sends to guest 2 goes through router a, and the
# answers come back through router b.
#
#	           ┌─ tapal ─[ router a ]─ tapaw ─┐
#	[ 1 ]─ tap1 ─[ br0 ]                  [ br1 ]─ tap2 ─[ 2 ]
#	           └─ tapbl ─[ router b ]─ tapbw ─┘
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_bridge br1
make_guest 1
make_guest 2 br1
in_guest 1 ip addr flush dev eth0
in_guest 2 ip addr flush dev eth0
must ip -n "$ns-g1" addr add 10.8.0.5/16 dev eth0
must ip -n "$ns-g2" addr add 192.0.2.80/24 dev eth0

make_router() { # NAME N
	guests="$guests r$1"
	must ip netns add "$ns-r$1"
	must ip -n "$ns-r$1" link set lo up
	must ip netns exec "$ns-r$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.all.disable_ipv6=1
	for leg in l:br0:10.8.0.$2/16:a w:br1:192.0.2.$2/24:b; do
		IFS=: read -r side bridge address digit <<-END
			$leg
		END
		must ip -n "$ns-host" link add "tap$1$side" type veth peer name "eth$side" address \
			"52:54:00:00:0$2:0$digit" netns "$ns-r$1"
		must ip -n "$ns-host" link set "tap$1$side" master "$bridge" up
		must ip -n "$ns-r$1" addr add "$address" dev "eth$side"
		must ip -n "$ns-r$1" link set "eth$side" up
	done
}
make_router a 1
make_router b 2
must ip -n "$ns-g1" route add 192.0.2.0/24 via 10.8.0.1
must ip -n "$ns-g2" route add 10.8.0.0/16 via 192.0.2.2

router() { # NAME N TCP
	cat <<-END
		  r$1:
		    tcp: $3
		    ports:
		      - {port: tap$1l, mac: "52:54:00:00:0$2:0a", addresses: [10.8.0.$2, 192.0.2.0/24]}
		      - {port: tap$1w, mac: "52:54:00:00:0$2:0b", addresses: [192.0.2.$2, 10.8.0.0/16]}
	END
}
make_policy() { # TCP AT ROUTER a, AT ROUTER b
	cat <<-END
		version: 1
		workloads:
		  one: {port: tap1, mac: "52:54:00:00:00:01", addresses: [10.8.0.5]}
		  two: {port: tap2, mac: "52:54:00:00:00:02", addresses: [192.0.2.80]}
	END
	router a 1 "$1"
	router b 2 "$2"
	cat <<-END
		rules:
		  - {name: echo, from: one, to: two, service: "tcp/7000,7002", action: allow}
		options: {adopt: 0s}
	END
}
make_policy strict strict >"$lab/strict.yaml"
make_policy liberal strict >"$lab/half.yaml"
make_policy liberal liberal >"$lab/liberal.yaml"

count() { # REASON
	tapwall counters --all --json | jq -s "map(select(.reason == \"$1\") | .out + .in) | add"
}
has_more() { # REASON THAN
	[ "$(count "$1")" -gt "$2" ]
}
goes_on() {
	within 40 grows stream echoed "$(($(count_of stream echoed) + 20))"
}
lost() { # number of segments denied because no record has their connection
	echo $(($(count tcp-midstream) + $(count tcp-expired)))
}
has_lost() { # MORE THAN
	[ "$(lost)" -gt "$1" ]
}
stands_still() {
	before=$(count_of stream echoed)
	within 20 has_lost "$(lost)" && [ "$(count_of stream echoed)" = "$before" ]
}
starred() {
	tapwall flows --port 7000 | grep -q 'established\*\|syn-sent\*'
}

begin g2 echo echo tcp 7000

# ---- strict routers ----

start_agent --policy "$lab/strict.yaml"
equal "strict routers: no connection" timeout "$(attempt 1 tcp 192.0.2.80 7000)"
check "because router b did not see the SYN" has_more no-connection 0
equal "nothing is liberal" 0 "$(count tcp-liberal)"

# ---- liberal routers ----

check "a policy with liberal routers" apply "$lab/liberal.yaml"
check "ports says so" sh -c "'$TW_BUILD/tapwall' ports --socket '$socket' | grep -q '^LIBERAL: .* at 4 ports'"
equal "for each port" "liberal liberal liberal liberal strict strict" \
	"$(tapwall ports --json | jq -r .tcp | sort | tr '\n' ' ' | sed 's/ $//')"
begin g1 stream stream "$lab/stream" tcp 192.0.2.80 7000 120
stream=$child
check "a connection goes on" goes_on
check "router a picked it up" has_more tcp-liberal 0
check "flows marks it" starred
# Leaves out the records of the first attempt, whose SYN-ACKs are still repeated.
states() { # ADOPTED
	tapwall flows --json --port 7000 | jq -r "select(.adopted == $1 and .packets.out + .packets.in > 20) | .state" |
		sort | tr '\n' ' '
}
equal "the ends' own records are strict, and see both directions" "established established " "$(states false)"
equal "each router has a half-open record at each port" "syn-recv syn-recv syn-sent syn-sent " "$(states true)"
equal "a port without a service is refused by its host" refused "$(attempt 1 tcp 192.0.2.80 7002)"
equal "what the rules do not allow does not pass" timeout "$(attempt 1 tcp 192.0.2.80 7001)"
equal "from the other end, either" timeout "$(attempt 2 tcp 10.8.0.5 7000)"

# ---- a change of the policy ----

check "the routers become strict" apply "$lab/strict.yaml"
check "the connection goes on" goes_on
equal "a new one does not" timeout "$(attempt 1 tcp 192.0.2.80 7000)"
check "an operator ends all connections" tapwall kill --all
check "the old one stands still" stands_still
check "one router becomes liberal, which is not enough" apply "$lab/half.yaml"
equal "for a new connection" timeout "$(attempt 1 tcp 192.0.2.80 7000)"
check "both become liberal" apply "$lab/liberal.yaml"
equal "a new connection" connected "$(attempt 1 tcp 192.0.2.80 7000)"
check "the old one has no record at its strict ends" stands_still
check "adoption windows at one end" tapwall adopt one --for 60s
check "and at the other" tapwall adopt two --for 60s
check "let it go on" goes_on
end "$stream"

# ---- what apply says ----

warns() { # TEXT FILE: a dry run lists this danger, and no other
	tapwall apply -n "$2" --json >"$lab/warns.out"
	cat "$lab/warns.out"
	jq -es --arg text "$1" '.[-1].dangers | length == 1 and (.[0] | contains($text))' "$lab/warns.out"
}
sed 's/adopt: 0s/&, tcp: liberal/' "$lab/strict.yaml" >"$lab/all.yaml"
sed '/^  ra:/,/^  rb:/{/tcp: strict/d}' "$lab/all.yaml" >"$lab/more.yaml"
check "strict routers once more" apply "$lab/strict.yaml"
check "options.tcp becomes liberal: it is a danger" warns 'tcp: strict -> liberal: ' "$lab/all.yaml"
check "that policy is applied" apply "$lab/all.yaml"
check "a workload then loses its strict: it is a danger" warns 'workload ra: tcp: liberal: ' "$lab/more.yaml"
finish
