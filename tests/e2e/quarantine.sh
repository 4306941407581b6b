#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# quarantine.sh: while a workload is in quarantine, nothing passes at its port in either direction, not even frames of
# connections that are cut through. The quarantine ends when it is lifted or its time is over. A policy or a restart
# does not end it.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

fails() { # CODE TEXT COMMAND…: true if the command exits with CODE and prints TEXT
	code=$1
	text=$2
	shift 2
	"$@" >"$lab/fails.out" 2>&1
	got=$?
	cat "$lab/fails.out"
	[ "$got" = "$code" ] && grep -q "$text" "$lab/fails.out"
}
prints() { # TEXT COMMAND…
	fails 0 "$@"
}
counted() { # REASON: frames in both directions
	tapwall counters --json | jq -s --arg reason "$1" 'map(select(.reason == $reason) | .out + .in) | add // 0'
}
counts_past() { # REASON COUNT
	[ "$(counted "$1")" -gt "$2" ]
}
frames() { # frames that the host passed to guest 1 and to guest 2
	in_guest 1 cat /sys/class/net/eth0/statistics/rx_packets
	in_guest 2 cat /sys/class/net/eth0/statistics/rx_packets
}
frames_of() { # N
	in_guest "$1" cat /sys/class/net/eth0/statistics/rx_packets
}

make_host
make_guest 1
make_guest 2
{ workloads 2; echo 'rules:'; echo '  - {name: all, from: any, to: any, action: allow}'; } >"$lab/policy.yaml"
{ workloads 2; echo 'rules:'; echo '  - {name: every, from: any, to: any, action: allow}'; } >"$lab/other.yaml"
{ workloads 2 | grep -v ' w1:'; echo 'rules:'; echo '  - {name: all, from: any, to: any, action: allow}'; } >"$lab/without.yaml"
start_agent --policy "$lab/policy.yaml" --viewer-socket "$lab/view.sock"
begin g2 echo-udp echo udp 7003
begin g2 echo-tcp echo tcp 7004
begin g1 udp stream "$lab/udp" udp 10.0.0.12 7003 2
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7004 2
check "traffic flows" within 20 grows udp echoed 50
check "on TCP, too" within 20 grows tcp echoed 50

check "an unknown workload is named" fails 2 'there is no such workload' tapwall quarantine w9 --reason x
check "a reason must be given" fails 2 'reason is missing' tapwall quarantine w1
check "viewers shut nothing" fails 3 "viewers' socket" "$TW_BUILD/tapwall" quarantine w1 --reason x --socket "$lab/view.sock"
check "no workload is in quarantine" prints 'no workload is in quarantine' tapwall quarantine
check "one is" prints 'w1 is in quarantine until it is lifted' tapwall quarantine w1 --reason 'ticket 7: malware'
check "its guest goes on sending" within 20 counts_past quarantined 100
got=$(frames)
check "and on" within 20 counts_past quarantined 200
equal "but no frame passes, in either direction" "$got" "$(frames)"
equal "no connection opens from it" timeout "$(attempt 1 tcp 10.0.0.12 7004)"
in_guest 2 ip neigh flush all
got=$(frames_of 1)
equal "nor to it" timeout "$(attempt 2 tcp 10.0.0.11 7004)"
equal "not even ARP passes" "$got" "$(frames_of 1)"
check "ports shows it" prints 'tap1 *w1 *quarantined' tapwall ports
check "status, too" prints '^QUARANTINED: w1, by root until it is lifted: ticket 7: malware' tapwall status
check "the log has the reason" within 20 prints 'quarantined' tapwall log
check "explain says why" fails 1 'in quarantine by root until it is lifted: ticket 7: malware' \
	tapwall explain --live --from w1 --to w2 --proto tcp --dport 7004
check "so does the list" prints 'w1 .*root .*ticket 7: malware' tapwall quarantine

got=$(frames)
check "another policy" apply "$lab/other.yaml"
check "does not free it" port_is tap1 quarantined
check "nor one without the workload" tapwall apply --allow-unprotect "$lab/without.yaml"
check "whose port stays" port_is tap1 quarantined
check "the policy comes back" apply "$lab/policy.yaml"
stop_agent KILL
start_agent --policy "$lab/policy.yaml" --viewer-socket "$lab/view.sock"
check "the agent was killed, and the port is still shut" port_is tap1 quarantined
equal "nothing came through" "$got" "$(frames)"
before=$(count_of udp echoed)

check "it is lifted" prints 'no longer in quarantine' tapwall quarantine w1 --lift
check "and talks again" within 20 becomes connected 1 tcp 10.0.0.12 7004
check "on its old connection, too" within 20 grows udp echoed $((before + 20))
check "it is in quarantine for six seconds" tapwall quarantine w1 --reason 'a test' --for 6s
check "its port says so" port_is tap1 quarantined
check "then it is not" within 20 port_is tap1 protected
check "and talks" within 20 becomes connected 1 tcp 10.0.0.12 7004

check "it is in quarantine again" tapwall quarantine w1 --reason 'a test'
stop_agent KILL
echo '{}' >"$lab/state/quarantine.json"
start_agent --policy "$lab/policy.yaml" --viewer-socket "$lab/view.sock"
check "the list was damaged: status says so" prints 'quarantine.json .* is damaged: ports that are in quarantine stay so' \
	tapwall status
check "the port stays shut" port_is tap1 quarantined
check "and the list shows it" prints '^tap1 .*unknown .*the list of quarantines was lost' tapwall quarantine
check "it is repeated" tapwall quarantine w1 --reason 'a test'
check "then the host is no longer degraded" sh -c \
	"'$TW_BUILD/tapwall' status --socket '$socket' --json | jq -es 'any(.[]; .degraded == [])'"
check "and the port is shut" port_is tap1 quarantined
stop_agent KILL
rm "$lab/state/quarantine.json"
start_agent --policy "$lab/policy.yaml" --viewer-socket "$lab/view.sock"
check "the list was deleted: status says so" prints 'quarantine.json .* is missing' tapwall status
check "the port stays shut" port_is tap1 quarantined
check "it is lifted by the name of the port" tapwall quarantine tap1 --lift
check "and the port is protected again" within 20 port_is tap1 protected
check "it is in quarantine again" tapwall quarantine w1 --reason 'a test'
rm "$lab/state/quarantine.json"
check "the list was deleted while the agent runs: it is written again" within 20 test -s "$lab/state/quarantine.json"
finish
