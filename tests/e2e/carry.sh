#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# carry.sh: frames of real network stacks and NICs: VLAN tags that the kernel keeps outside the
# frame, super-frames of 64 KiB, checksums to be completed; and connections older than the firewall.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
make_guest 3
make_guest 4
# Guest 4 sends frames made by the test, with another identity.
{
	workloads 3 | sed 's/}$/, vlans: [100]}/'
	cat <<-'END'
		  w4: {port: tap4, mac: "52:54:00:00:00:63", addresses: [10.0.0.99], vlans: [100]}
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7000, action: allow}
		  - {name: sink, from: any, to: any, service: tcp/7001, action: allow}
		  - {name: tagged, from: w4, to: any, service: udp/7005, action: allow, log: true}
		options: {adopt: 4s}
	END
} >"$lab/policy.yaml"

begin g2 echo echo tcp 7000
begin g1 old stream "$lab/old" tcp 10.0.0.12 7000 2
old=$child
check "a connection lives before the firewall does" within 20 grows old echoed 50
start_agent --policy "$lab/policy.yaml"
before=$(count_of old echoed)
check "it is taken up" within 20 grows old echoed "$((before + 100))"
equal "as established" established \
	"$(tapwall flows --json | jq -r 'select(.to.port == 7000).state')"

begin g2 tagged sniff "$lab/tagged" eth0 7005
begin g2 denied sniff "$lab/denied" eth0 7006
begin g4 flood-tagged flood eth0 7005 100
floods=$child
begin g4 flood-denied flood eth0 7006 100
floods="$floods $child"
check "tagged frames that are allowed pass" within 20 grows tagged seen 100
equal "those that are not do not" 0 "$(count_of denied seen)"
logged_tag() {
	[ "$(tapwall log --json | jq -s '[.[] | select(.rule == "tagged")][0].vlan')" = 100 ]
}
check "the log has the tag" within 20 logged_tag
# shellcheck disable=SC2086 # a list
end $floods

begin g2 sink sink 7001
begin g3 echo3 echo tcp 7000
check "a stream of super-frames passes" in_guest 1 "$traffic" bulk 10.0.0.12 7001 256
check "one over IPv6" in_guest 1 "$traffic" bulk fd00::12 7001 256
packet_size() { # ADDRESS
	tapwall flows --json | jq -r --arg to "$1" \
		'select(.to.address == $to and .to.port == 7001) | .bytes.out / .packets.out | floor'
}
check "super-frames passed as such" test "$(packet_size 10.0.0.12)" -gt 3000
check "over IPv6 too" test "$(packet_size fd00::12)" -gt 3000

# After the adoption window no connection is adopted: one without a record is denied.
check "the old connection goes on until its client ends it" end "$old"
all_arrive "without a segment lost" none_lost old

# Only the first protection of a port opens the window.
begin g1 mid stream "$lab/mid" tcp 10.0.0.13 7000 5
check "a connection lives" within 20 grows mid echoed 20
stop_agent
release
before=$(count_of mid echoed)
check "and goes on without the firewall" within 20 grows mid echoed "$((before + 20))"
sed -i 's/adopt: 4s/adopt: 0s/' "$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
sent=$(count_of mid sent)
check "its client goes on sending" within 20 grows mid sent "$((sent + 20))"
before=$(count_of mid echoed)
check "and on" within 20 grows mid sent "$((sent + 50))"
equal "without a window it is not taken up" "$before" "$(count_of mid echoed)"
log_has() {
	tapwall log --json | jq -es "any(.[]; $1)" >/dev/null
}
check "and the log says why" within 20 log_has '.reason == "tcp-midstream"'
check "with what the segment says of itself" log_has '.reason == "tcp-midstream" and
	(.tcp.flags | contains("A")) and .tcp.seq != 0 and .tcp.ack != 0 and .tcp.window != 0'
finish
