#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# dhcp6.sh: guests get their IPv6 addresses from a DHCPv6 server on the host: dnsmasq and ISC's
# client, with real frames. As dhcp.sh, without the expiry of leases: dnsmasq assigns none shorter
# than two minutes.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

for program in dnsmasq dhclient; do
	if ! command -v $program >/dev/null; then
		echo "1..0 # SKIP no $program"
		exit 0
	fi
done
# AppArmor profiles apply to a program's path, and do not allow the test's files: run copies.
cp "$(command -v dhclient)" "$lab/dhclient"

make_host
on_host sysctl -qw net.ipv6.conf.br0.disable_ipv6=0
ip -n "$ns-host" addr add fd00::1/64 dev br0 nodad
for i in 1 2 3; do
	make_guest $i
done
in_guest 1 ip addr flush dev eth0 scope global
in_guest 3 ip addr flush dev eth0 scope global

cat >"$lab/policy.yaml" <<'END'
version: 1
workloads:
  w1: {port: tap1, mac: "52:54:00:00:00:01", addresses: [dhcp], tags: [client]}
  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: ["fd00::12"]}
  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [dhcp]}
groups:
  clients: {tags: client}
rules:
  - {name: clients, from: clients, to: w2, service: tcp/7000, action: allow}
  - {name: to-clients, from: w2, to: w1, service: tcp/7001, action: allow}
END

cat >"$lab/script" <<'END'
#!/bin/sh
case $reason in
BOUND6 | RENEW6 | REBIND6) ip addr replace "$new_ip6_address/64" dev "$interface" nodad ;;
EXPIRE6 | RELEASE6 | STOP6 | DEPREF6) ip addr flush dev "$interface" scope global ;;
esac
END
chmod +x "$lab/script"
: >"$lab/dhclient.conf"

# Guest 1 is assigned an address of its own, and guest 3, by mistake, that of guest 2.
start_server() {
	ip netns exec "$ns-host" dnsmasq --no-daemon --conf-file=/dev/null --user=root --port=0 \
		--interface=br0 --pid-file --dhcp-leasefile="$lab/leases6" --dhcp-authoritative \
		--dhcp-range=fd00::50,fd00::59,64,2m --dhcp-host='52:54:00:00:00:01,[fd00::51]' \
		--dhcp-host='52:54:00:00:00:03,[fd00::12]' >"$lab/dnsmasq.out" 2>&1 &
	children="$children $!"
}
be_client() { # N OPTION: becomes the client of guest N
	exec ip netns exec "$ns-g$1" "$lab/dhclient" -6 "$2" -cf "$lab/dhclient.conf" \
		-sf "$lab/script" -lf "$lab/client$1" -pf "$lab/client$1.pid" eth0 \
		>>"$lab/client$1.out" 2>&1
}
start_client() { # N
	: >>"$lab/client$1"
	be_client "$1" -d &
	client=$!
	children="$children $client"
}
has_ended() { # PID
	! grep -q '^State:.*[^Z] (' "/proc/$1/status"
}
give_back() { # N: releases the lease, which also ends the running client
	(be_client "$1" -r)
}

start_agent --policy "$lab/policy.yaml"
begin g2 echo2 echo tcp 7000
start_server

# Before the guest has an address.
in_guest 1 ip addr add fd00::51/64 dev eth0 nodad
equal "an address that nobody gave is no address" timeout "$(attempt 1 tcp fd00::12 7000)"
in_guest 1 ip addr flush dev eth0 scope global

start_client 1
first_client=$client
check "the client gets an address through the firewall" within 20 has_address 1 fd00::51
check "which the policy has" within 20 lease_is tap1 fd00::51
equal "a rule for its group means it" connected "$(attempt 1 tcp fd00::12 7000)"
equal "and no more than that rule" timeout "$(attempt 1 tcp fd00::12 7002)"
begin g1 echo1 echo tcp 7001
equal "a rule towards it means it" connected "$(attempt 2 tcp fd00::51 7001)"
check "ports show how long it is for" eval \
	'tapwall ports | grep -q "dhcp fd00::51 ([0-9][0-9.ms]*)"'
check "explain --live knows it" tapwall explain --live --from w1 --to w2 --proto tcp --dport 7000

# The server assigns guest 3 the address that the policy gives guest 2.
start_client 3
check "an address of another's is given" within 20 has_address 3 fd00::12
equal "and is not taken into the policy" "" "$(lease_of tap3)"
in_guest 3 "$traffic" connect tcp fd00::51 7001 >/dev/null
check "nor does it pass" eval \
	'tapwall counters --json | jq -se "any(.reason == \"lease-unknown\" and .out > 0)" >/dev/null'
equal "its owner works" connected "$(attempt 2 tcp fd00::51 7001)"

# The agent dies: learned addresses stay.
begin g1 stream stream "$lab/stream" tcp fd00::12 7000 50
stream=$child
check "a connection lives" within 20 grows stream echoed 20
stop_agent KILL
echoed=$(count_of stream echoed)
check "without the agent it lives on" within 20 grows stream echoed "$((echoed + 20))"
start_agent --policy "$lab/policy.yaml"
check "the next agent adopts the lease" within 20 lease_is tap1 fd00::51
echoed=$(count_of stream echoed)
check "and the connection" within 20 grows stream echoed "$((echoed + 20))"
end "$stream"
all_arrive "nothing was lost" none_lost stream

# Released, and assigned again.
check "the client gives its lease back" give_back 1
check "and no client runs any more" within 20 has_ended "$first_client"
check "then it is over" within 20 lease_is tap1 ""
in_guest 1 ip addr replace fd00::51/64 dev eth0 nodad
equal "and its address no longer passes" timeout "$(attempt 1 tcp fd00::12 7000)"
in_guest 1 ip addr flush dev eth0 scope global
start_client 1
check "it can be had again" within 20 has_address 1 fd00::51
check "and works" within 20 becomes connected 1 tcp fd00::12 7000
finish
