#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# reboot.sh: the host reboots, or is released and filtered again, and guests with addresses from
# DHCP continue without a new request. A reboot, for the agent, is a state directory without anything
# in the kernel. No guest gets back an address that it no longer has, or that another guest has now.
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

policy() { # ADDRESSES OF W2
	cat <<-END
		version: 1
		workloads:
		  w1: {port: tap1, mac: "52:54:00:00:00:01", addresses: [dhcp]}
		  w2: {port: tap2, mac: "52:54:00:00:00:02", addresses: [$1]}
		  w3: {port: tap3, mac: "52:54:00:00:00:03", addresses: [dhcp]}
		rules:
		  - {name: echo, from: any, to: w2, service: tcp/7000, action: allow}
	END
}
policy 10.0.0.12 >"$lab/policy.yaml"
policy '10.0.0.12, 10.0.0.53' >"$lab/taken.yaml"

cat >"$lab/udhcpd.conf" <<END
start 10.0.0.50
end 10.0.0.59
interface br0
lease_file $lab/udhcpd.leases
pidfile $lab/udhcpd.pid
static_lease 52:54:00:00:00:01 10.0.0.51
static_lease 52:54:00:00:00:03 10.0.0.53
opt subnet 255.255.255.0
opt lease 600
END
: >"$lab/udhcpd.leases"
cat >"$lab/script" <<'END'
#!/bin/sh
case $1 in
bound | renew) ip addr replace "$ip/24" dev "$interface" ;;
esac
END
chmod +x "$lab/script"
ip netns exec "$ns-host" "$busybox" udhcpd -f "$lab/udhcpd.conf" >"$lab/udhcpd.out" 2>&1 &
children="$children $!"

ask() { # N: starts a DHCP client that does not release its lease when it ends
	: >"$lab/udhcpc$1.out" # before the client starts, so that no check reads what the last one said
	ip netns exec "$ns-g$1" "$busybox" udhcpc -f -i eth0 -t 20 -T 1 -A 1 -s "$lab/script" \
		>"$lab/udhcpc$1.out" 2>&1 &
	client=$!
	children="$children $client"
}

has_lease() { # N ADDRESS
	has_address "$1" "$2" && lease_is "tap$1" "$2"
}

kept() { # ADDRESS
	jq -es --arg address "$1" 'any(.[].leases[]; .address == $address)' "$lab/state/leases.json"
}

# Prints the number of leases in the map that come from the file, not from a server.
restored() {
	bpftool -j map dump pinned "$lab/bpffs/tapwall/maps/leases" |
		jq '[.[].formatted.value.at[][] | select(.until_ns > 0) | .restored] | add'
}

# Simulates a boot: only the state directory remains for the next agent.
reboot() {
	[ -z "$agent" ] || stop_agent
	cp -a "$lab/state" "$lab/disk"
	check "what the kernel had is gone" release
	rm -rf "$lab/state"
	mv "$lab/disk" "$lab/state"
}

start_agent --policy "$lab/policy.yaml"
begin g2 echo echo tcp 7000
for i in 1 3; do
	ask $i
	check "guest $i is given an address" within 30 has_lease $i 10.0.0.5$i
	end "$client"
	check "… which is written" within 20 kept 10.0.0.5$i
done

reboot
# A resumed VM: its tap has a new number, and the guest has noticed nothing.
ip -n "$ns-host" link del tap3
plug 3 br0
in_guest 3 ip addr flush dev eth0
in_guest 3 ip addr add 10.0.0.53/24 dev eth0
start_agent --policy "$lab/policy.yaml"
for i in 1 3; do
	check "after a boot the policy has guest $i's address" within 20 lease_is tap$i 10.0.0.5$i
	check "… and it is not cut off" within 20 becomes connected $i tcp 10.0.0.12 7000
done

stop_agent
check "a release" release
check "… leaves the leases" kept 10.0.0.51
equal "… and nothing else" leases.json "$(ls "$lab/state")"
start_agent --policy "$lab/policy.yaml"
check "… which count when the host is filtered again" within 20 becomes connected 1 tcp 10.0.0.12 7000

# Released while no agent ran: the file still has the lease, the kernel's map does not.
equal "what a server has not said yet is marked so" 2 "$(restored)"
ask 1
check "guest 1 renews" within 30 grep -q obtained "$lab/udhcpc1.out"
equal "… and what it says takes the mark away" 1 "$(restored)"
stop_agent KILL
kill -USR2 "$client"
check "guest 1 gives its address back" within 20 grep -qi 'released' "$lab/udhcpc1.out"
kill -KILL "$client"
check "… of which the file knows nothing" kept 10.0.0.51
start_agent --policy "$lab/policy.yaml"
equal "… and the agent does" "" "$(lease_of tap1)"
in_guest 1 ip addr replace 10.0.0.51/24 dev eth0
equal "… so that it does not pass" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
ask 1
check "it is given again" within 30 has_lease 1 10.0.0.51
end "$client"
check "… and written" within 20 kept 10.0.0.51

reboot
start_agent --policy "$lab/taken.yaml"
equal "an address that is another's by the policy now is not put back" "" "$(lease_of tap3)"
equal "… and does not pass" timeout "$(attempt 3 tcp 10.0.0.12 7000)"
check "… while others are" lease_is tap1 10.0.0.51
check "the policy is as before" apply "$lab/policy.yaml"

for how in damaged missing; do
	ask 1
	check "$how: guest 1 has its address" within 30 has_lease 1 10.0.0.51
	end "$client"
	check "$how: … and it is written" within 20 kept 10.0.0.51
	reboot
	case $how in
	damaged) sed -i 's/10\.0\.0\.51/10.0.0.53/' "$lab/state/leases.json" ;;
	missing) rm "$lab/state/leases.json" ;;
	esac
	start_agent --policy "$lab/policy.yaml"
	equal "$how: nothing is believed" "" "$(lease_of tap1)"
	equal "$how: … and nothing passes" timeout "$(attempt 1 tcp 10.0.0.12 7000)"
done
check "the log says that the file is damaged" within 20 grep -q 'leases.json is damaged' "$lab/agent.log"
finish
