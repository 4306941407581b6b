#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# carry.sh: frames as real stacks and cards make them: VLAN tags that the kernel keeps outside the
# frame, super-frames of 64 KiB, checksums left to be completed; and connections that were there
# before the firewall.
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
make_guest 3
for i in 1 2; do
	in_guest $i ip link add link eth0 name eth0.100 type vlan id 100
	in_guest $i ip addr add "10.0.100.1$i/24" dev eth0.100
	in_guest $i ip link set eth0.100 up
done
{
	workloads 2 | sed 's/\(10.0.0\)\(.1[12]\),/\1\2, 10.0.100\2,/'
	cat <<-'END'
		  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [10.0.0.13]}
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7000, action: allow}
		  - {name: sink, from: any, to: any, service: tcp/7001, action: allow}
		options: {adopt: 4s}
	END
} >"$lab/policy.yaml"

begin g2 echo echo tcp 7000
begin g2 sink sink 7001
begin g3 echo3 echo tcp 7000
begin g1 old stream "$lab/old" tcp 10.0.0.12 7000 2
old=$child
check "a connection lives before the firewall does" within 5 grows old echoed 50
start_agent --policy "$lab/policy.yaml"
before=$(count_of old echoed)
check "it is taken up" within 5 grows old echoed "$((before + 100))"
equal "as established" established \
	"$(tapwall flows --json | jq -r 'select(.to.port == 7000).state')"

equal "a tagged connection passes" connected "$(attempt 1 tcp 10.0.100.12 7000)"
equal "one that is not allowed does not" timeout "$(attempt 1 tcp 10.0.100.12 7002)"
check "the log has its tag" \
	sh -c "'$TW_BUILD/tapwall' log --json --socket '$socket' | jq -e 'select(.vlan == 100)'"

check "a tagged super-frame stream passes" \
	in_guest 1 "$traffic" bulk 10.0.100.12 7001 64
check "an untagged one" in_guest 1 "$traffic" bulk 10.0.0.12 7001 256
check "one over IPv6" in_guest 1 "$traffic" bulk fd00::12 7001 256
packet_size() { # ADDRESS
	tapwall flows --json | jq -r --arg to "$1" \
		'select(.to.address == $to and .to.port == 7001) | .bytes.out / .packets.out | floor'
}
check "super-frames passed as such" test "$(packet_size 10.0.0.12)" -gt 3000
check "over IPv6 too" test "$(packet_size fd00::12)" -gt 3000

# After the window nobody is taken up any more: a connection whose record is gone is over.
check "the old connection goes on until its client ends it" end "$old"
equal "without a segment sent twice" 0 "$(count_of old retransmitted)"

# The window is of the first protection alone.
begin g1 mid stream "$lab/mid" tcp 10.0.0.13 7000 5
check "a connection lives" within 5 grows mid echoed 20
stop_agent
release
before=$(count_of mid echoed)
check "and goes on without the firewall" within 5 grows mid echoed "$((before + 20))"
sed -i 's/adopt: 4s/adopt: 0s/' "$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
before=$(count_of mid echoed)
sent=$(count_of mid sent)
check "its client goes on sending" within 5 grows mid sent "$((sent + 5))"
equal "without a window it is not taken up" "$before" "$(count_of mid echoed)"
check "and the log says why" \
	sh -c "'$TW_BUILD/tapwall' log --json --socket '$socket' | grep -q tcp-midstream"
finish
