#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# restart.sh: kill -9 of the agent under traffic: no packet is lost, established connections
# continue, new ones are judged, and the next agent shows all of them with their counters.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
# Guest 3 has more addresses than fit a port's entry.
make_guest 3
{
	workloads 2
	cat <<-'END'
		  w3: {port: tap3, addresses: [10.0.0.13, 10.0.1.1, 10.0.1.2, 10.0.1.3, 10.0.1.4, 10.9.0.0/16]}
		rules:
		  - {name: tcp, from: w1, to: w2, service: tcp/7000, action: allow}
		  - {name: udp, from: w1, to: w2, service: udp/7001, action: allow}
		  - {name: six, from: w1, to: w2, service: tcp/7002, action: allow}
	END
} >"$lab/policy.yaml"

start_agent --policy "$lab/policy.yaml"
begin g2 echo-tcp echo tcp 7000
begin g2 echo-udp echo udp 7001
begin g2 echo-six echo tcp 7002
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7000 2
tcp=$child
begin g1 udp stream "$lab/udp" udp 10.0.0.12 7001 2
udp=$child
begin g1 six stream "$lab/six" tcp fd00::12 7002 2
six=$child
check "traffic flows" within 20 grows tcp echoed 50

flow_packets() { # PORT
	tapwall flows --json |
		jq -r --argjson port "$1" 'select(.to.port == $port) | .packets.out'
}

epoch() {
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/config" | jq -c '.[0].value[:4]'
}

epoch=$(epoch)
say "epoch $epoch"
: >"$lab/followed"
: >"$lab/followed.err"
"$TW_BUILD/tapwall" log --follow --json --socket "$socket" >"$lab/followed" 2>"$lab/followed.err" &
follower=$!
children="$children $follower"
followed() { # PORT
	jq -es --argjson port "$1" 'any(.[]; .event == "deny" and .to.port == $port)' "$lab/followed"
}
equal "a denial, to be followed" timeout "$(attempt 1 tcp 10.0.0.12 7003)"
check "log --follow shows it" within 20 followed 7003
before=$(flow_packets 7000)
hits=$(tapwall rules --json | jq -c '[., inputs] | map({(.name): .hits}) | add | del(.default)')
stop_agent KILL
check "connections go on without an agent" within 20 grows tcp echoed "$(($(count_of tcp echoed) + 100))"
equal "a new connection that the policy allows opens without an agent" connected \
	"$(attempt 1 tcp 10.0.0.12 7000)"
equal "one that it does not is denied without an agent" timeout "$(attempt 1 tcp 10.0.0.12 7001)"

start_agent --policy "$lab/policy.yaml"
check "log --follow is connected to the next agent, and says so" within 20 \
	eval 'grep -q "agent is gone" "$lab/followed.err" && grep -q "connected again" "$lab/followed.err"'
equal "a denial afterwards" timeout "$(attempt 1 tcp 10.0.0.12 7004)"
check "log --follow shows it, too" within 20 followed 7004
check "and nothing twice" jq -es 'any(.[]; true) and length == (unique | length)' "$lab/followed"
kill "$follower"
check "the next agent adopts" within 20 grep -q 'adopted what was in force' "$lab/agent.log"
check "flows still shows the connection, with its packets" \
	test "$(flow_packets 7000 | sort -n | tail -n 1)" -gt "$before"
equal "rules keep their hits, and only new connections add to them" \
	"$(echo "$hits" | jq -c '.tcp += 1')" \
	"$(tapwall rules --json | jq -c '[., inputs] | map({(.name): .hits}) | add | del(.default)')"
equal "no gate was decided anew: the epoch is what it was" "$epoch" "$(epoch)"
equal "the policy keeps its number" 1 "$(tapwall status --json | jq .policy_generation)"

stop_agent
of_another_version
start_agent
equal "without --policy the saved one stays in force" "$lab/policy.yaml" \
	"$(tapwall status --json | jq -r .policy_source)"
check "and traffic still flows" within 20 grows tcp echoed "$(($(count_of tcp echoed) + 100))"

# The rows of images.json exchange their slots, as if they described earlier images in these slots.
stop_agent
# Without jq, which rounds the keys.
number='-\{0,1\}[0-9][0-9]*'
grep -o "\[$number,$number,$number,$number,$number\]" "$lab/state/images.json" | tr -d '[]' >"$lab/rows"
cut -d , -f 4,5 "$lab/rows" | tac >"$lab/keys"
cut -d , -f 1-3 "$lab/rows" | paste -d , - "$lab/keys" | sed 's/.*/[&]/' | paste -s -d , - >"$lab/list"
echo "{\"images\":[$(cat "$lab/list")],\"mark\":$(jq .mark "$lab/state/images.json")}" >"$lab/images"
cp "$lab/images" "$lab/state/images.json"
check "more than one image is told of" test "$(jq '.images | length' "$lab/images")" -gt 1
start_agent
check "the port is protected" within 20 port_is tap1 protected
equal "rows that speak of other images are not believed" connected "$(attempt 1 tcp 10.0.0.12 7000)"
equal "nor is what the policy denies let through" timeout "$(attempt 1 tcp 10.0.0.12 7001)"

all_arrive "every TCP message came back" end "$tcp"
all_arrive "no TCP segment was lost" none_lost tcp
all_arrive "every datagram came back" end "$udp"
all_arrive "every message over IPv6 came back" end "$six"
all_arrive "no IPv6 segment was lost" none_lost six
denied_for() { # REASON…
	tapwall counters --json | jq -s --arg reasons "$*" \
		'[.[] | select(.reason | IN($reasons | split(" ")[])) | .out + .in] | add // 0'
}
equal "no frame met a port without an image, or no connection where there was one" 0 \
	"$(denied_for no-image tcp-midstream tcp-expired tcp-closed tcp-reset no-connection tcp-state bad-image)"
finish
