#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# state.sh: an agent starts with a state folder that is not what an agent left there, beside a kernel
# that enforces: files are lost, cut off or older, and taps were made anew while no agent ran. Each
# port is judged by the policy all the same, and `status` says what the kernel does.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
for i in 1 2 3 4; do
	make_guest $i
done
{
	workloads 4
	echo 'rules: [{name: echo, from: any, to: any, service: tcp/7000, action: allow}]'
} >"$lab/policy.yaml"
for i in 1 2 3 4; do
	begin g$i "echo$i" echo tcp 7000
	begin g$i "other$i" echo tcp 7001
done

replug() { # N
	ip -n "$ns-host" link del "tap$1"
	plug "$1" br0
}

# What the kernel does at all ports: what is allowed passes, what is not does not.
judged() {
	for i in 1 2 3 4; do
		in_guest $i ip neigh flush all
		for port in 7000 7001; do
			echo "$port $(attempt $i tcp 10.0.0.1$((i % 4 + 1)) $port)" &
		done
	done | sort | uniq -c | tr -s ' ' | tr '\n' ','
}
right=' 4 7000 connected, 4 7001 timeout,'

protected() {
	tapwall status --json | jq -c '[.ports_protected, .ports_shut]'
}

saved() { # IFINDEX: ports.json names it
	jq -e --argjson i "$1" '.ports[] | select(.ifindex == $i)' "$lab/state/ports.json"
}

ifindex() {
	on_host cat "/sys/class/net/$1/ifindex"
}

# The id that the kernel knows a port by.
id_of() { # PORT
	number=$(ifindex "$1")
	bpftool -j map lookup pinned "$lab/bpffs/tapwall/maps/port_ids" key \
		$((number % 256)) $((number / 256)) 0 0 | jq -r '.value[0]' | xargs printf '%d\n'
}

start_agent --policy "$lab/policy.yaml"
equal "all ports are judged" "$right" "$(judged)"

# ---- ports.json and a tap that was made anew while no agent ran ----

damage() { # HOW FILE
	case $1 in
	lost) rm "$lab/state/$2" ;;
	cut) truncate -s 40 "$lab/state/$2" ;;
	emptied) truncate -s 0 "$lab/state/$2" ;;
	older) cp "$lab/older/$2" "$lab/state/$2" ;;
	esac
}

for how in lost cut emptied older; do
	check "ports.json is written" within 5 saved "$(ifindex tap4)"
	cp -r "$lab/state" "$lab/older"
	if [ $how = older ]; then
		replug 4
		check "… and for the new tap" within 5 saved "$(ifindex tap4)"
	fi
	stop_agent KILL
	damage $how ports.json
	rm -r "$lab/older"
	replug 4
	start_agent
	equal "ports.json $how, tap4 anew: all ports are protected" '[4,0]' "$(protected)"
	equal "… and judged" "$right" "$(judged)"
done
equal "no id is given twice" 4 "$(for i in 1 2 3 4; do id_of tap$i; done | sort -u | wc -l)"

# ---- a disk that was full for a moment ----

stop_agent
mkdir "$lab/small"
mount -t tmpfs -o size=128k none "$lab/small"
cp -a "$lab/state/." "$lab/small"
mount --move "$lab/small" "$lab/state"
start_agent
dd if=/dev/zero of="$lab/state/junk" bs=512 2>/dev/null
replug 4
check "the log tells that ports.json cannot be written" within 5 \
	grep -q 'cannot write ports.json' "$lab/agent.log"
equal "a port that comes while the disk is full is judged" "$right" "$(judged)"
rm "$lab/state/junk"
check "once there is room, ports.json is written" within 5 saved "$(ifindex tap4)"

# ---- an entry that is not the one that the agent wrote ----

port_slots=$lab/bpffs/tapwall/maps/port_slots
id=$(id_of tap3)
lose_entry() { # both epochs
	for key in $((2 * id)) $((2 * id + 1)); do
		bpftool map update pinned "$port_slots" key \
			$((key % 256)) $((key / 256)) 0 0 value 0 0 0 0
	done
}
lose_entry
equal "status tells of a port that the kernel shuts" shut "$(state_of tap3)"
check "its entry is written again" within 10 port_is tap3 protected
check "… and the log says so" grep -q 'tap3: the kernel has no entry for it; written again' \
	"$lab/agent.log"
equal "all ports are judged again" "$right" "$(judged)"
stop_agent
umount "$lab/state"
finish
