#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# dhcp.sh: guests get their addresses from a DHCP server on the host: busybox's client and server,
# with real frames. A rule about such a guest applies to its address from the assignment until its
# lease ends. The death of an agent loses nothing.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

busybox=$(command -v busybox) || busybox=
for applet in udhcpc udhcpd; do
	if ! $busybox --list 2>/dev/null | grep -qx "$applet"; then
		echo "1..0 # SKIP no busybox with $applet"
		exit 0
	fi
done

make_host
for i in 1 2 3; do
	make_guest $i
done
ip -n "$ns-host" addr add 10.0.0.1/24 dev br0
in_guest 1 ip addr flush dev eth0
in_guest 3 ip addr flush dev eth0

cat >"$lab/policy.yaml" <<'END'
version: 1
workloads:
  w1: {port: tap1, mac: "52:54:00:00:00:01", addresses: [dhcp], tags: [client]}
  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: [10.0.0.12]}
  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [dhcp]}
groups:
  clients: {tags: client}
rules:
  - {name: clients, from: clients, to: w2, service: tcp/7000, action: allow}
  - {name: to-clients, from: w2, to: w1, service: tcp/7001, action: allow}
END

# Busybox's client accepts no lease shorter than 16 s. The server assigns guest 1 an address of its
# own, and guest 3, by mistake, that of guest 2.
cat >"$lab/udhcpd.conf" <<END
start 10.0.0.50
end 10.0.0.59
interface br0
max_leases 10
lease_file $lab/udhcpd.leases
pidfile $lab/udhcpd.pid
min_lease 16
static_lease 52:54:00:00:00:01 10.0.0.51
static_lease 52:54:00:00:00:03 10.0.0.12
opt subnet 255.255.255.0
opt lease 16
END
: >"$lab/udhcpd.leases"

cat >"$lab/script" <<'END'
#!/bin/sh
case $1 in
deconfig) ip addr flush dev "$interface" ;;
bound | renew) ip addr replace "$ip/24" dev "$interface" ;;
esac
END
chmod +x "$lab/script"

start_server() {
	ip netns exec "$ns-host" "$busybox" udhcpd -f "$lab/udhcpd.conf" >"$lab/udhcpd.out" 2>&1 &
	server=$!
	children="$children $server"
	# The server does not report when it is ready: only an answer to a client shows it.
}
start_client() { # N
	ip netns exec "$ns-g$1" "$busybox" udhcpc -f -i eth0 -t 20 -T 1 -A 1 -s "$lab/script" \
		>"$lab/udhcpc$1.out" 2>&1 &
	client=$!
	children="$children $client"
}
renewed() { # TIMES
	[ "$(grep -c obtained "$lab/udhcpc1.out")" -gt "$1" ]
}

start_agent --policy "$lab/policy.yaml"
begin g2 echo2 echo tcp 7000
start_server

# Before the guest has an address.
in_guest 1 ip addr add 10.0.0.51/24 dev eth0
equal "an address that nobody gave is no address" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
in_guest 1 ip addr flush dev eth0

start_client 1
first_client=$client
check "the client gets an address through the firewall" within 20 has_address 1 10.0.0.51
check "which the policy has" within 20 lease_is tap1 10.0.0.51
equal "a rule for its group means it" connected "$(attempt 1 tcp 10.0.0.12 7000)"
equal "and no more than that rule" timeout "$(attempt 1 tcp 10.0.0.12 7002)"
begin g1 echo1 echo tcp 7001
equal "a rule towards it means it" connected "$(attempt 2 tcp 10.0.0.51 7001)"
check "ports show how long it is for" eval \
	'tapwall ports | grep -q "dhcp 10.0.0.51 ([0-9.]*s)"'
check "explain --live knows it" tapwall explain --live --from w1 --to w2 --proto tcp --dport 7000
check "flows name it" eval \
	'tapwall flows --json | jq -se "any(.from.workload == \"w1\")" >/dev/null'

# The server assigns guest 3 the address that the policy gives guest 2.
start_client 3
check "an address of another's is given" within 20 has_address 3 10.0.0.12
equal "and is not taken into the policy" "" "$(lease_of tap3)"
in_guest 3 "$traffic" connect tcp 10.0.0.51 7001 >/dev/null
check "nor does it pass" eval \
	'tapwall counters --json | jq -se "any(.reason == \"lease-unknown\" and .out > 0)" >/dev/null'
equal "its owner works" connected "$(attempt 2 tcp 10.0.0.51 7001)"
end "$client"

# The agent dies: learned addresses stay, and are renewed.
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7000 50
stream=$child
check "a connection lives" within 20 grows stream echoed 20
stop_agent KILL
obtained=$(grep -c obtained "$lab/udhcpc1.out")
kill -USR1 "$first_client"
check "without the agent the client renews its lease" within 20 renewed "$obtained"
echoed=$(count_of stream echoed)
check "and the connection lives on" within 20 grows stream echoed "$((echoed + 20))"
start_agent --policy "$lab/policy.yaml"
check "the next agent adopts the lease" within 20 lease_is tap1 10.0.0.51
echoed=$(count_of stream echoed)
check "and the connection" within 20 grows stream echoed "$((echoed + 20))"
check "apply keeps it" apply "$lab/policy.yaml"
echoed=$(count_of stream echoed)
check "which the connection does not notice" within 20 grows stream echoed "$((echoed + 20))"
end "$stream"
all_arrive "nothing was lost" none_lost stream

# Released.
kill -USR2 "$first_client"
check "a lease that is given back is over" within 20 lease_is tap1 ""
check "and the client has no address" within 20 eval '! has_address 1 10.0.0.51'
in_guest 1 ip addr replace 10.0.0.51/24 dev eth0
equal "and its address no longer passes" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
in_guest 1 ip addr flush dev eth0
kill -USR1 "$first_client"
check "it can be had again" within 20 has_address 1 10.0.0.51
check "and works" within 20 becomes connected 1 tcp 10.0.0.12 7000

# Not renewed: the client stops without a release.
kill -KILL "$first_client"
check "a lease that nobody renews runs out" within 60 lease_is tap1 ""
equal "then its address does not pass" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
finish
