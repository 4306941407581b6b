#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# state.sh: an agent starts with a state folder that is not what an agent left there, beside a kernel
# that enforces: files are lost, cut off or older, and taps were made anew while no agent ran. Each
# port is judged by the policy all the same, and `status` says what the kernel does.
# shellcheck disable=SC2016,SC2119,SC2317 # sh -c expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/state-lib.sh
. "$TW_SOURCE/tests/e2e/state-lib.sh"

start_agent --policy "$lab/policy.yaml"
equal "all ports are judged" "$right" "$(judged)"

# ---- ports.json and a tap that was made anew while no agent ran ----

damage() { # HOW FILE
	case $1 in
	lost) rm "$lab/state/$2" ;;
	emptied) truncate -s 0 "$lab/state/$2" ;;
	older) cp "$lab/older/$2" "$lab/state/$2" ;;
	esac
}

for how in lost older; do
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

# ---- a policy that is not the one in force, and rules that are not its own ----


cp -r "$lab/state" "$lab/older"
check "another policy is applied" apply "$lab/second.yaml"
stop_agent KILL
for how in emptied older; do
	cp -r "$lab/state" "$lab/good"
	damage $how policy.yaml
	start_agent
	equal "policy.yaml $how: what is in force stays" "$swapped" "$(judged)"
	check "… and status says that its text is not known" \
		sh -c 'echo "$1" | grep -q "policy.yaml in the state folder is"' - "$(degraded)"
	equal "… instead of naming another" none "$(source_of)"
	stop_agent KILL
	rm -r "$lab/state"
	mv "$lab/good" "$lab/state"
done
start_agent
check "with the right file all is well again" sound
equal "… and its policy is in force" second.yaml "$(source_of)"
stop_agent KILL
sed -i s/7001/7000/ "$lab/state/policy.yaml"
start_agent --policy "$lab/second.yaml"
equal "a policy file of the text in force is taken for it" 'second.yaml 2' \
	"$(source_of) $(tapwall status --json | jq .policy_generation)"
check "… and saved" cmp "$lab/second.yaml" "$lab/state/policy.yaml"
stop_agent KILL
# Still JSON, and plausible.
sed -i 's/"echo"/"other"/; s/\(\[[1-9]\),/\11,/; s/"id":1,/"id":9,/' "$lab/state"/*.json
start_agent
equal "other files changed: the policy is in force all the same" "$swapped" "$(judged)"
for file in rules.json images.json ports.json; do
	check "… and the log tells of $file" grep -q "$file is damaged" "$lab/agent.log"
done
equal "… and rules have their names" 'default echo' \
	"$(tapwall rules --json | jq -r .name | sort | tr '\n' ' ' | sed 's/ $//')"
rm -r "$lab/older"
check "the first policy is applied again" apply "$lab/policy.yaml"

# ---- two agents on the same maps ----

ip netns exec "$ns-host" "$tapwalld" --ports 'tap*' --socket "$lab/other.sock" \
	--bpffs "$lab/bpffs/tapwall" --state-dir "$lab/state-other" --policy "$lab/second.yaml" \
	2>"$lab/other.log"
equal "a second agent with another state folder is refused" 1 $?
check "… and told why" grep -q 'another agent uses these maps' "$lab/other.log"
on_host "$tapwalld" --release --socket "$lab/other.sock" --bpffs "$lab/bpffs/tapwall" \
	--state-dir "$lab/state-other" 2>"$lab/other.log"
equal "… and so is a release with it" 1 $?
equal "nothing has changed by that" "$right" "$(judged)"

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
finish
