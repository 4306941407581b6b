#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# capture.sh: captures frames at a workload's port with verdict and reason: allowed, refused,
# forged, cut through at both ends. A capture ends with its client.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
notes=$TW_BUILD/tests/cli/notes

make_host
make_guest 1
make_guest 2
make_guest 3
{
	workloads 2
	echo '  w9: {port: tap9, mac: "52:54:00:00:00:09", addresses: [10.0.0.19]}'
	cat <<-'END'
		rules:
		  - {name: echo, from: w1, to: w2, service: tcp/7000-7001, action: allow}
		  - {name: telnet, from: any, to: any, service: tcp/23, action: reject}
	END
} >"$lab/policy.yaml"

# Starts a capture; its pid is in $child.
capture() { # NAME WORKLOAD OPTIONS…
	name=$1
	shift
	"$TW_BUILD/tapwall" capture "$@" --socket "$socket" >"$lab/$name.out" 2>"$lab/$name.err" &
	child=$!
	children="$children $child"
}
# Starts a capture into a file, and waits until the agent has started it.
record() { # NAME WORKLOAD OPTIONS…
	capture "$@" -w "$lab/$1.pcapng"
	within 20 test -s "$lab/$1.pcapng" || bail "a capture begins" "$(cat "$lab/$1.err")"
}
stop() { # PID: as Ctrl-C does
	kill -INT "$1"
	wait "$1"
	code=$?
	children=$(echo "$children" | tr ' ' '\n' | grep -vx "$1")
	return "$code"
}
noted() { # NAME PATTERN
	"$notes" "$lab/$1.pcapng" | grep -q -- "$2"
}
capturing() { # prints the number of ports at which the kernel captures
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/captures" | jq length
}
flag() { # prints 1 if the programs look for captures, else 0
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/config" | jq '.[0].formatted.value.capturing'
}
captured_at() { # N ports
	[ "$(capturing)" = "$1" ]
}
nothing_captured() {
	[ "$(capturing) $(flag)" = "0 0" ]
}

start_agent --policy "$lab/policy.yaml"
check "ports are protected" within 20 port_is tap2 protected
equal "at first nobody captures" "0 0" "$(capturing) $(flag)"

record w1 w1
one=$child
record w2 w2
two=$child
record w1d w1 --dropped
refused=$child
capture text w1
text=$child
check "there are two ports captured" within 20 captured_at 2
equal "and the programs look" 1 "$(flag)"
begin g2 echo echo tcp 7000
begin g2 sink sink 7001
equal "what is allowed connects" connected "$(attempt 1 tcp 10.0.0.12 7000)"
equal "what is rejected is told so" refused "$(attempt 1 tcp 10.0.0.12 23)"
equal "what is denied is not" timeout "$(attempt 1 tcp 10.0.0.12 99)"
in_guest 1 ip addr add 10.0.0.77/24 dev eth0
in_guest 1 ip route change 10.0.0.0/24 dev eth0 src 10.0.0.77
equal "nor is what is forged" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
in_guest 1 ip route change 10.0.0.0/24 dev eth0 src 10.0.0.11
equal "and the log names what was forged" "10.0.0.77 w2 7000" "$(tapwall log --json |
	jq -r 'select(.reason == "spoofed-address") | .from.address + " " + .to.workload + " \(.to.port)"' | uniq)"

by='verdict=allow reason=policy rule=echo'
check "the first frame is noted where it leaves" within 20 noted w1 "^tap1 out .*>7000 $by direction=out"
check "and where it arrives, though it was cut through" within 20 noted w2 "^tap2 in .*>7000 $by direction=in .*workload=w2$"
check "so is its answer" within 20 noted w1 "^tap1 in .* 7000>.* reason=established .*workload=w1$"
check "the reject, with its rule" within 20 noted w1 "^tap1 out .*>23 verdict=reject reason=policy rule=telnet"
check "the reset that the firewall wrote" within 20 noted w1 "^tap1 in .* 23>.* reason=own-reply"
check "the denial" within 20 noted w1 "^tap1 out .*>99 verdict=deny reason=policy rule=default direction=out stage=classify"
check "the forged address" within 20 noted w1 "^tap1 out .*>7000 verdict=deny reason=spoofed-address direction=out stage=guard"
check "address resolution" within 20 noted w1 "reason=neighbour"
check "each frame once: the first one's time is its only" test "$("$notes" "$lab/w2.pcapng" | grep -c ">7000 $by")" = 1
check "with --dropped the refused" within 20 noted w1d ">99 verdict=deny"
check "and nothing else" test "$("$notes" "$lab/w1d.pcapng" | grep -vc 'verdict=\(deny\|reject\)')" = 0
check "as text, a line for each" within 20 grep -q 'deny *w1 out *tcp 10.0.0.11:.*10.0.0.12:99 S *74  rule default' "$lab/text.out"

check "Ctrl-C ends a capture well" stop "$one"
check "and says how many frames it has" grep -qx "tapwall: w1: $("$notes" "$lab/w1.pcapng" | wc -l) frames captured in $lab/w1.pcapng" "$lab/w1.err"
check "the port is captured still, for others" captured_at 2
kill -9 "$two"
check "a capture ends with its client" within 20 captured_at 1
check "whose file is whole" "$notes" "$lab/w2.pcapng"
check "text ends well too" stop "$text"
check "the last one" stop "$refused"
check "and nobody captures" within 20 nothing_captured

# A frame count, truncated frames, JSON, a pipe. Permanent neighbour entries keep ARP requests, which a stack may send at
# any time, out of the counted frames.
ip -n "$ns-g1" neigh replace 10.0.0.12 lladdr 52:54:00:00:00:02 dev eth0
ip -n "$ns-g2" neigh replace 10.0.0.11 lladdr 52:54:00:00:00:01 dev eth0
tapwall capture w1 --count 2 --json >"$lab/json" 2>/dev/null &
pid=$!
within 20 captured_at 1
attempt 1 tcp 10.0.0.12 7000 >/dev/null
wait "$pid"
equal "a count ends it" 2 "$(jq -s length "$lab/json")"
equal "JSON says what the comment says" '"echo","out","allow","tcp",7000' \
	"$(jq -sr 'map(select(.rule == "echo"))[0] | [.rule, .direction, .verdict, .proto, .to.port] | @csv' "$lab/json")"
tapwall capture tap2 --snaplen 60 -w - --seconds 4 >"$lab/pipe.pcapng" 2>"$lab/pipe.err" &
pid=$!
within 20 captured_at 1
in_guest 1 "$traffic" bulk 10.0.0.12 7001 4 >/dev/null
wait "$pid"
equal "seconds end it" 0 "$?"
check "a port's name will do, and frames are cut" test "$("$notes" "$lab/pipe.pcapng" | grep -c '^tap2 in 60/')" -gt 10
check "super-frames too, with their own length" noted pipe '^tap2 in 60/[0-9]\{5\} '

# A client that does not read: frames that do not fit the buffer are counted, and nothing waits for
# the client.
capture slow w2 -w -
slow=$child
within 20 captured_at 1
freeze "$slow"
in_guest 1 "$traffic" bulk 10.0.0.12 7001 64 >/dev/null
check "others are served meanwhile" answers
kill -CONT "$slow"
ln -s slow.out "$lab/slow.pcapng"
# The next frame that fits comes with the number of frames that did not fit.
goes_on() {
	attempt 1 tcp 10.0.0.12 7000 >/dev/null
	noted slow ' lost=[1-9]'
}
check "then it is noted what is missing, and where" within 20 goes_on
stop "$slow"
check "and told at the end" grep -q '[0-9] were not captured: the buffer was full' "$lab/slow.err"
check "of a file that is whole" "$notes" "$lab/slow.pcapng"

# Ports come and go.
record late w9
late=$child
check "a workload without a port is waited for" grep -q 'w9: no port on this host yet' "$lab/late.err"
make_guest 9
check "its port is captured when it comes" within 20 captured_at 1
in_guest 9 "$traffic" connect udp 10.0.0.12 9 >/dev/null 2>&1
check "with its frames" within 20 noted late '^tap9 out .*workload=w9'
ip -n "$ns-host" link del tap9
check "and no longer when it goes" within 20 nothing_captured
check "while the capture goes on" kill -0 "$late"

# A shut port, and the state left by a killed agent.
record three tap3
three=$child
check "a port of no workload is captured by its name" within 20 captured_at 1
in_guest 3 "$traffic" connect udp 10.0.0.12 9 >/dev/null 2>&1
check "with the reason for what passes it" within 20 noted three 'verdict=allow reason=unclaimed'
stop_agent KILL
equal "an agent that is killed leaves its captures" 1 "$(flag)"
check "whose clients are told" within 20 grep -q 'the agent is gone' "$lab/three.err"
check "one that is ended meanwhile ends well" stop "$three"
check "and says what is missing" grep -q 'captured in .*; frames are missing: the agent was gone 1 time' "$lab/three.err"
check "its file is whole" noted three 'verdict=allow reason=unclaimed'
stop "$late"
start_agent --policy "$lab/policy.yaml"
equal "the next one clears them" "0 0" "$(capturing) $(flag)"
check "nobody of this name: no" sh -c "! '$TW_BUILD/tapwall' capture nobody --socket '$socket'"
stop_agent
release
finish
