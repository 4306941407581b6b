#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# top.sh: `tapwall top` shows rates of real traffic for ports, connections, rules and reasons, as
# JSON and on the screen.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: w1, to: w2, service: tcp/7000, action: allow}
		  - {name: telnet, from: any, to: any, service: tcp/23, action: reject}
	END
} >"$lab/policy.yaml"

start_agent --policy "$lab/policy.yaml"
check "ports are protected" within 20 port_is tap2 protected
begin g2 echo echo tcp 7000
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 10
begin g1 idle stream "$lab/idle" tcp 10.0.0.12 7000 100000
check "a stream runs" within 20 grows stream echoed 50

tapwall top --json --count 3 >"$lab/json" &
pid=$!
while kill -0 "$pid" 2>/dev/null; do
	attempt 1 tcp 10.0.0.12 23 >/dev/null
done
wait "$pid"
equal "three intervals" "0 3" "$? $(jq -s length "$lab/json")"
seen() { # WHAT: in some interval
	jq -se "map(select($1)) | length > 0" "$lab/json"
}
check "the sending port is busy outwards" seen \
	'.ports[] | select(.name == "tap1" and .workload == "w1") | .packets_s.out > 20 and .bytes_s.out > 1000'
check "and the other inwards, though frames are cut through" seen \
	'.ports[] | select(.name == "tap2") | .packets_s.in > 20'
check "the stream is the busiest connection" seen \
	'.connections[0] | .to.port == 7000 and .packets_s.out > 20 and .in.rule == "echo"'
check "what is idle is not told" seen '.connections | length == 1'
check "though it is counted" seen '.n_connections >= 2'
check "the rule has its rate" seen '.rules[] | select(.name == "telnet") | .hits_s > 0'
check "and its port its denials" seen '.ports[] | select(.name == "tap1") | .denied_s.out > 0'
check "and so has the reason" seen '.reasons[] | select(.reason == "established") | .packets_s.out > 20'
check "intervals are a second long" seen '.seconds > 0.7 and .seconds < 3'

check "text has it all" sh -c "'$TW_BUILD/tapwall' top --once --socket '$socket' |
	grep -q '^tap1 *w1 *protected'"
check "the screen too" sh -c "'$TW_BUILD/tests/cli/on_screen' 24x80 '@20x70;/10.0.0.12:7000/' '$TW_BUILD/tapwall' top \
	--interval 3 --view connections --socket '$socket' | grep -q '^|tcp *w1 10.0.0.11:.* w2 10.0.0.12:7000'"

# New connections are counted at both ends.
tapwall top --json --count 2 >"$lab/json" &
pid=$!
while kill -0 "$pid" 2>/dev/null; do
	attempt 1 tcp 10.0.0.12 7000 >/dev/null
done
wait "$pid"
check "new connections are seen" seen '.opened_s > 0.5'
check "out of one port" seen '.ports[] | select(.name == "tap1") | .opened_s.out > 0.5 and .opened_s.in == 0'
check "and in to the other" seen '.ports[] | select(.name == "tap2") | .opened_s.in > 0.5 and .opened_s.out == 0'
stop_agent
release
finish
