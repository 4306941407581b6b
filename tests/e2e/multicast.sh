#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# multicast.sh: groups on a bridge with multicast snooping. Guests join and leave without a rule (IGMP, MLD), and the
# bridge learns it. A stream that a rule names passes whole at 3000 frames a second, while what no rule names stays within
# the default of limits.broadcast. A guest cannot become the querier of the bridge.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

group=$TW_BUILD/tests/e2e/group
RATE=3000
MS=2000

make_host
# Memberships end soon, so that only the guests' answers to queries keep them.
must ip -n "$ns-host" link set br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_igmp_version 3 mcast_mld_version 2 \
	mcast_query_interval 100 mcast_query_response_interval 50 mcast_startup_query_interval 50 \
	mcast_membership_interval 300 mcast_last_member_interval 10
# The bridge queries MLD from its own address.
must on_host sysctl -qw net.ipv6.conf.br0.disable_ipv6=0
for i in 1 2 3; do make_guest $i; done
for i in 1 2 3; do must ip -n "$ns-g$i" -6 route replace multicast ff00::/8 dev eth0 table local; done
{
	workloads 3
	cat <<-'END'
		networks:
		  channels: [239.0.0.0/8, "ff05::/16"]
		rules:
		  - {name: video, from: w1, to: channels, service: udp/5000, action: allow}
		  - {name: rest, from: w1, to: any, service: udp/5001, action: allow}
	END
} >"$lab/policy.yaml"

join() { # N GROUP PORT: the member's pid is in $child
	name=join-$1-$3-$(echo "$2" | tr : _)
	rm -f "$lab/$name" "$lab/$name.out"
	ip netns exec "$ns-g$1" "$group" join "$lab/$name" eth0 "$2" "$3" >"$lab/$name.out" 2>&1 &
	child=$!
	children="$children $child"
	within 20 grep -q ready "$lab/$name.out" || bail "guest $1 joins $2" "$(cat "$lab/$name.out")"
}
send() { # GROUP PORT: prints the number sent
	in_guest 1 "$group" send eth0 "$1" "$2" $RATE $MS
}
received() { # N GROUP PORT
	count_of "join-$1-$3-$(echo "$2" | tr : _)" received
}
has_received() { # N GROUP PORT COUNT
	[ "$(received "$1" "$2" "$3")" -ge "$4" ]
}
in_mdb() { # PORT GROUP
	bridge -n "$ns-host" mdb show | grep -q "port $1 grp $2 "
}
not_in_mdb() {
	! in_mdb "$@"
}
# True if the membership was not only there at first: its timer was set anew by the answer to a query.
stays_in_mdb() { # PORT GROUP
	sleep 5
	in_mdb "$@"
}
denied() { # REASON
	tapwall counters --json | jq -s --arg reason "$1" '[.[] | select(.reason == $reason).out] | add // 0'
}
arrived() { # PORT
	tapwall ports --json | jq --arg name "$1" 'select(.name == $name).packets.in'
}
# True once the bridge no longer floods groups: it begins to snoop some time after its first query.
snoops() { # GROUP WITHOUT MEMBERS
	before=$(arrived tap3)
	in_guest 1 "$group" send eth0 "$1" 5000 200 200 >/dev/null
	[ $(($(arrived tap3) - before)) -lt 20 ]
}
passes() { # N GROUP: several frames are enough
	in_guest 1 "$group" send eth0 "$2" 5000 20 200 >/dev/null
	[ "$(received "$1" "$2" 5000)" -gt 0 ]
}

start_agent --policy "$lab/policy.yaml"
for i in 1 2 3; do check "guest $i is protected" within 20 port_is "tap$i" protected; done
for to in 239.1.1.1 ff05::1:7; do
	join 2 "$to" 5000
	member=$child
	check "$to: the bridge learns that guest 2 is a member" within 20 in_mdb tap2 "$to"
	check "$to: the group reaches it" within 30 passes 2 "$to"
	check "$to: what has no member reaches no guest" within 30 snoops "${to%?}9"
	check "$to: it stays a member, as its answers to queries pass" stays_in_mdb tap2 "$to"
	before=$(received 2 "$to" 5000)
	limited=$(denied rate-limit)
	quiet=$(arrived tap3)
	sent=$(send "$to" 5000)
	check "$to: most of the stream was sent" test "$sent" -gt $((RATE * MS / 2000))
	check "$to: the stream that a rule names arrives whole, $sent frames" \
		within 30 has_received 2 "$to" 5000 $((before + sent))
	equal "$to: none was beyond a limit" "$limited" "$(denied rate-limit)"
	others=$(($(arrived tap3) - quiet))
	check "$to: guest 3, which is no member, got none of it ($others other frames)" test $others -lt 200
	end "$member"
	check "$to: guest 2 leaves, and the bridge learns it" within 20 not_in_mdb tap2 "$to"
done

# A stream that only `to: any` allows stays within the default.
join 2 239.1.1.2 5001
member=$child
check "the bridge learns of the other group" within 20 in_mdb tap2 239.1.1.2
sent=$(send 239.1.1.2 5001)
check "of $sent frames that no rule names, the default denies some" test "$(denied rate-limit)" -gt "$limited"
got=$(received 2 239.1.1.2 5001)
check "and $got pass, at most 1000 a second and one burst" test "$got" -le $((1000 * MS / 1000 + 600))
check "but not none" test "$got" -ge $((RATE * MS / 6000))
end "$member"

# The operator's own limit holds for all frames.
sed 's/^networks:/options: {limits: {broadcast: 500\/s}}\n&/' "$lab/policy.yaml" >"$lab/limit.yaml"
check "a policy with its own limit is applied" apply "$lab/limit.yaml"
join 2 239.1.1.1 5000
check "the group reaches the member again" within 30 passes 2 239.1.1.1
before=$(received 2 239.1.1.1 5000)
sent=$(send 239.1.1.1 5000)
got=$(($(received 2 239.1.1.1 5000) - before))
check "of $sent named frames $got pass, at most 500 a second" test "$got" -le $((500 * MS / 1000 + 300))

# A guest with a lower address than the bridge's queries as a bridge would, to become the querier.
make_querier() {
	must ip -n "$ns-g3" link add br9 type bridge mcast_querier 1 mcast_query_use_ifaddr 1 mcast_startup_query_interval 50
	must ip -n "$ns-g3" link set br9 address 52:54:00:00:00:03
	must ip -n "$ns-g3" addr flush dev eth0
	must ip -n "$ns-g3" link set eth0 master br9
	must ip -n "$ns-g3" addr add 10.0.0.13/24 dev br9
	must ip -n "$ns-g3" link set br9 up
}
queries_denied() {
	[ "$(denied multicast-query)" -gt 0 ]
}
make_querier
check "a guest's queries are denied" within 20 queries_denied
equal "and the bridge sees no router at its port" "" "$(bridge -n "$ns-host" -d mdb show | grep 'router.*tap3')"
sed 's|addresses: \[10.0.0.13, "fd00::13"\]|&, may: [router]|' "$lab/policy.yaml" >"$lab/router.yaml"
check "a policy that lets it be a router is applied" apply "$lab/router.yaml"
# A bridge falls silent once it has heard another querier, so it is made anew until its first query was in time.
becomes_router() {
	ip -n "$ns-g3" link del br9
	make_querier
	for _ in 1 2 3 4 5; do
		sleep 0.2
		! bridge -n "$ns-host" -d mdb show | grep -q 'router.*tap3' || return 0
	done
	return 1
}
check "then the bridge sees a router there" within 20 becomes_router
finish
