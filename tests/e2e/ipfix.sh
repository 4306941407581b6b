#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# ipfix.sh: a slow path sends ended connections and denials to an IPFIX collector, by UDP and by TCP. A strict
# collector of the tests reads them, and nfcapd and nfacctd if they are installed, or in $NFCAPD, $NFDUMP and $NFACCTD. If a
# collector is away, records sent by UDP are lost and counted, and the templates are sent again when it returns. By
# TCP, no record is lost.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
nfcapd=${NFCAPD:-$(command -v nfcapd || :)}
nfdump=${NFDUMP:-$(command -v nfdump || :)}
nfacctd=${NFACCTD:-$(command -v nfacctd || :)}

files="--state-dir $slow --cert $slow/slowd.pem --key $slow/slowd.pem --ca $slow/ca.pem"
start_slowd() { # OPTIONS…
	# shellcheck disable=SC2086 # several words
	ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" $files --listen 127.0.0.1:7433 --socket "$slow/slowd.sock" \
		--metrics 127.0.0.1:9434 "$@" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 60 follows || bail "tapwall-slowd follows the agent" "$(cat "$lab/slowd.log")"
}
follows() {
	figure tapwall_slowd_agent_followed '{agent="host-a"}' 1
}
figures() {
	on_host busybox wget -q -O - http://127.0.0.1:9434/metrics
}
figure() { # NAME LABELS NUMBER
	figures | grep -qxF "$1$2 $3"
}
counted() { # NAME
	figures | sed -n "s/^tapwall_slowd_export_$1{exporter=\"ipfix\"} //p"
}
collect() { # udp|tcp
	: >"$lab/collected"
	ip netns exec "$ns-host" "$TW_BUILD/tests/e2e/collector" "$1" 4739 >"$lab/collected" &
	collector=$!
	children="$children $collector"
	within 60 grep -qs '^ready' "$lab/collected" || bail "the collector starts"
}
collected() { # PATTERN
	grep -qE "^record $1" "$lab/collected"
}
deny_until() { # COMMAND…: a rejected datagram, and the command
	attempt 1 udp 10.0.0.12 7004 >"$lab/denied"
	"$@"
}
connect_until() { # COMMAND…: a connection, and the command
	attempt 1 tcp 10.0.0.12 7003 >"$lab/connected"
	"$@"
}
has_lost() {
	[ "$(counted lost_total)" -gt 0 ]
}
make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7003, action: allow}
		  - {name: a-rule-that-rejects, from: any, to: any, service: udp/7004, action: reject}
		options: {timeouts: {time-wait: 1s, closed: 1s, last-ack: 1s, fin-wait: 1s}}
	END
} >"$lab/policy.yaml"
mkdir "$slow" "$lab/certs"
# shellcheck disable=SC2086 # several words
"$TW_BUILD/tapwall-slowd" --init $files >"$lab/init.out" 2>&1 || bail "tapwall-slowd makes its CA" "$(cat "$lab/init.out")"
# shellcheck disable=SC2086 # several words
"$TW_BUILD/tapwall-slowd" --issue host-a $files >"$lab/certs/agent.pem" 2>"$lab/issue.err" || bail "it issues a certificate" "$(cat "$lab/issue.err")"
collect udp
start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/certs/agent.pem" \
	--slow-path-key "$lab/certs/agent.pem" --slow-path-ca "$slow/ca.pem"
start_slowd --ipfix 127.0.0.1:4739
check "the ports are protected" within 60 port_is tap2 protected
begin g2 echo echo tcp 7003

equal "a rejected datagram" prohibited "$(attempt 1 udp 10.0.0.12 7004)"
check "it is exported with its rule" within 60 collected '258 8=10.0.0.11 12=10.0.0.12 .* 11=7004 4=17 32=0 233=3 89=129 2=1 1=[1-9][0-9]* 6=0 56=525400000001 80=525400000002 58=0 61=0 335=a-rule-that-rejects 82=tap1 82= 350=w1 350=w2$'
attempt 1 udp fd00::12 7005 >"$lab/denied6" &
check "a denied one over IPv6 is exported" within 60 collected '259 27=fd00::11 28=fd00::12 .* 11=7005 4=17 139=0 233=3 89=1[0-9]* 2=1 '
equal "a connection" connected "$(attempt 1 tcp 10.0.0.12 7003)"
check "both its directions are exported when it has ended" within 90 collected \
	'256 8=10.0.0.11 12=10.0.0.12 .* 11=7003 4=6 32=0 233=2 89=64 2=[1-9][0-9]* 1=[1-9][0-9]* -2=[1-9][0-9]* -1=[1-9][0-9]* 136=3 239=1 335=echo 335=echo 82=tap1 82=tap2 350=w1 350=w2$'
check "the agent's observation domain has its name" within 60 collected '270 149=[1-9][0-9]* 300=host-a$'
check "what was sent is counted" test "$(counted records_total)" -gt 2
equal "nothing was lost" 0 "$(counted lost_total)"
equal "nothing violates the standard" '' "$(grep '^bad' "$lab/collected")"

end "$collector"
check "without a collector, records are lost and counted" within 90 deny_until has_lost
check "and the log says so" within 60 grep -q 'IPFIX collector 127.0.0.1:4739: Connection refused; records are lost' "$lab/slowd.log"
collect udp
check "the collector that returns can read the next ones" within 90 deny_until collected '258 .* 11=7004 4=17 32=0 233=3 '
equal "none of it violates the standard" '' "$(grep '^bad' "$lab/collected")"
end "$collector"

# Starts a third-party collector after datagrams were refused at its port. So tapwall-slowd sends the templates again at
# once, and does not wait until they are due.
start_collector() { # COMMAND…
	before=$(counted lost_total)
	within 60 deny_until lost_more || bail "datagrams are refused while there is no collector"
	ip netns exec "$ns-host" unshare --pid --fork --kill-child "$@" >"$lab/collector.log" 2>&1 &
	collector=$!
	children="$children $collector"
	within 60 listening || bail "$1 starts" "$(cat "$lab/collector.log")"
	before=$(counted records_total)
	equal "a connection" connected "$(attempt 1 tcp 10.0.0.12 7003)"
	equal "a refusal" prohibited "$(attempt 1 udp 10.0.0.12 7004)"
	check "both are exported" within 90 sent_more
	check "the collector has read them" within 60 has_read
}
lost_more() {
	[ "$(counted lost_total)" -gt "$before" ]
}
sent_more() {
	[ "$(counted records_total)" -gt $((before + 1)) ]
}
listening() {
	on_host grep -q ":1283 " /proc/net/udp # port 4739
}
has_read() {
	on_host grep -q ":1283 [^ ]* [^ ]* [^ ]*:00000000 " /proc/net/udp
}
stop_collector() { # [SIGNAL]: ends the collector's processes, which are all below unshare
	[ -z "${1:-}" ] || { pkill "-$1" -P "$collector" && within 60 gone "$collector"; }
	kill -KILL "$collector" 2>/dev/null
	wait "$collector" 2>/dev/null
}
gone() { # PID
	[ ! -e "/proc/$1" ] || grep -q '^State:.*zombie' "/proc/$1/status"
}
if [ -n "$nfcapd" ] && [ -n "$nfdump" ]; then
	mkdir "$lab/nf"
	start_collector "$nfcapd" -b 127.0.0.1 -p 4739 -w "$lab/nf"
	stop_collector TERM
	"$nfdump" -q -R "$lab/nf" -o 'fmt:%sa %da %pr %dp %pkt %opkt %ismc %end' -N >"$lab/nfdump" 2>&1
	sed 's/^/# nfdump: /' "$lab/nfdump"
	check "nfcapd has the denial" grep -Eq '^ *10\.0\.0\.11 +10\.0\.0\.12 +(UDP|17) +7004 +1 +0 +52:54:00:00:00:01' "$lab/nfdump"
	check "and both directions of the connection" grep -Eq '^ *10\.0\.0\.11 +10\.0\.0\.12 +(TCP|6) +7003 +[2-9] +[2-9] ' "$lab/nfdump"
	equal "it finds no fault" "Sequence Errors: 0, Bad Packets: 0" "$(grep -o 'Sequence Errors: .*' "$lab/collector.log")"
else
	say "nfcapd and nfdump are not installed: checked without them"
fi
accounted() { # JQ FILTER
	jq -es "any(.[]; $1)" "$lab/nfacctd.json"
}
if [ -n "$nfacctd" ]; then
	cat >"$lab/primitives" <<-'END'
		name=firewall_event field_type=233 len=1 semantics=u_int
		name=selector field_type=335 len=64 semantics=str
		name=interface field_type=82 len=16 semantics=str
	END
	cat >"$lab/nfacctd.conf" <<-END
		daemonize: false
		nfacctd_ip: 127.0.0.1
		nfacctd_port: 4739
		plugins: print
		aggregate: src_host, dst_host, src_port, dst_port, proto, firewall_event, selector, interface
		aggregate_primitives: $lab/primitives
		print_output: json
		print_output_file: $lab/nfacctd.json
		print_output_file_append: true
		print_refresh_time: 1
	END
	start_collector "$nfacctd" -f "$lab/nfacctd.conf"
	# nfacctd loses what arrives before its plugin has started, so more is sent until it has some.
	check "nfacctd has a denial, with its event and rule" within 60 deny_until accounted \
		'.port_dst == 7004 and .ip_src == "10.0.0.11" and .firewall_event == "3" and .selector == "a-rule-that-rejects" and .packets == 1'
	check "and a connection" within 60 connect_until accounted \
		'.port_dst == 7003 and .ip_src == "10.0.0.11" and .firewall_event == "2" and .selector == "echo" and .packets > 1'
	sed 's/^/# nfacctd: /' "$lab/nfacctd.json"
	stop_collector
else
	say "nfacctd is not installed: checked without it"
fi

kill -TERM "$slowd"
wait "$slowd"
start_slowd --ipfix 127.0.0.1:4739 --ipfix-tcp
waits() {
	[ "$(counted queued)" -gt 0 ]
}
check "TCP: without a collector, records wait" within 60 deny_until waits
collect tcp
check "a collector that starts gets them" within 60 collected '258 .* 11=7004 4=17 32=0 233=3 '
end "$collector"
collect tcp
check "a connection that was broken is made again" within 60 deny_until collected '258 .* 11=7004 4=17 32=0 233=3 '
check "with templates" within 60 collected '270 149=[1-9][0-9]* 300=host-a$'
equal "none of it violates the standard" '' "$(grep '^bad' "$lab/collected")"
equal "nothing was lost" 0 "$(counted lost_total)"
finish
