#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# state.sh: an agent starts on a host that enforces a policy, with a damaged state directory: files are
# lost, truncated or old, and taps were recreated while no agent ran. Each port is judged by the
# policy nevertheless, and `status` shows what the kernel does.
# shellcheck disable=SC2016,SC2119,SC2317 # sh -c expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/state-lib.sh
. "$TW_SOURCE/tests/e2e/state-lib.sh"

start_agent --policy "$lab/policy.yaml"
equal "all ports are judged" "$right" "$(judged)"

# ---- ports.json, and a tap that was recreated while no agent ran ----

damage() { # HOW FILE
	case $1 in
	lost) rm "$lab/state/$2" ;;
	emptied) truncate -s 0 "$lab/state/$2" ;;
	older) cp "$lab/older/$2" "$lab/state/$2" ;;
	esac
}

for how in lost older; do
	check "ports.json is written" within 20 saved "$(ifindex tap4)"
	cp -r "$lab/state" "$lab/older"
	if [ $how = older ]; then
		replug 4
		check "… and for the new tap" within 20 saved "$(ifindex tap4)"
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

# ---- a policy file other than the one in force, and rules of another policy ----


cp -r "$lab/state" "$lab/older"
check "another policy is applied" apply "$lab/second.yaml"
stop_agent KILL
for how in emptied older; do
	cp -r "$lab/state" "$lab/good"
	damage $how policy.yaml
	start_agent
	equal "policy.yaml $how: what is in force stays" "$swapped" "$(judged)"
	check "… and status says that its text is not known" \
		sh -c 'echo "$1" | grep -q "policy.yaml in the state directory is"' - "$(degraded)"
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
# Changed, but still plausible JSON.
sed -i 's/"echo"/"other"/; s/\(\[[1-9]\),/\11,/; s/"id":1,/"id":9,/' "$lab/state"/*.json
start_agent
equal "other files changed: the policy is in force all the same" "$swapped" "$(judged)"
for file in rules.json images.json ports.json; do
	check "… and the log names $file" within 20 grep -q "$file is damaged" "$lab/agent.log"
done
equal "… and rules have their names" 'default echo' \
	"$(tapwall rules --json | jq -r .name | sort | tr '\n' ' ' | sed 's/ $//')"
rm -r "$lab/older"
equal "a policy of which only the text is left has its number, and is not said to be from elsewhere" \
	"$lab/state/policy.yaml 2" "$(tapwall status --json | jq -r '"\(.policy_source) \(.policy_generation)"')"
check "the first policy is applied again" apply "$lab/policy.yaml"

# ---- files deleted or changed while the agent runs, or missing at its start ----

written() { # FILE INODE: true if the file exists, with an inode other than this
	[ -s "$lab/state/$1" ] && [ "$(stat -c %i "$lab/state/$1")" != "$2" ]
}

all_files='policy.yaml rules.json ports.json images.json'
check "all files are there" within 20 sh -c 'cd "$1" && ls $2' - "$lab/state" "$all_files"
check "… and sound" within 20 sound
for file in $all_files; do
	: >"$lab/agent.log"
	inode=$(stat -c %i "$lab/state/$file")
	# Keeps the inode in use, so that no new file gets its number.
	ln "$lab/state/$file" "$lab/state/keep-$file"
	rm "$lab/state/$file"
	check "$file, deleted under the agent, is written again" within 20 written $file "$inode"
	check "… and the log tells of it" within 20 grep -q "$file was deleted or changed" "$lab/agent.log"
	check "… and of its end" within 20 sound
	rm "$lab/state/keep-$file"
done
echo '# older' >>"$lab/state/policy.yaml"
check "a policy.yaml that was changed is written again" within 20 cmp "$lab/policy.yaml" "$lab/state/policy.yaml"
# The agent answers once all its files are in place. A file that is still staged would be renamed at the next start.
check "… and of its end" within 20 sound
stop_agent KILL
rm "$lab/state"/*.json
: >"$lab/agent.log"
start_agent
for file in rules.json ports.json images.json; do
	check "$file is missing at a start: the log says so" within 20 grep -q "$file is missing" "$lab/agent.log"
	check "… and is there again" within 20 test -s "$lab/state/$file"
done
equal "… and all ports are judged" "$right" "$(judged)"
check "the first policy is applied again" apply "$lab/policy.yaml"

# ---- two agents on the same maps ----

ip netns exec "$ns-host" "$tapwalld" --ports 'tap*' --socket "$lab/other.sock" \
	--bpffs "$lab/bpffs/tapwall" --state-dir "$lab/state-other" --policy "$lab/second.yaml" \
	2>"$lab/other.log"
equal "a second agent with another state directory is refused" 1 $?
check "… and told why" grep -q 'another agent uses these maps' "$lab/other.log"
on_host "$tapwalld" --release --socket "$lab/other.sock" --bpffs "$lab/bpffs/tapwall" \
	--state-dir "$lab/state-other" 2>"$lab/other.log"
equal "… and so is a release with it" 1 $?
equal "nothing has changed by that" "$right" "$(judged)"

# ---- a port entry other than the one that the agent wrote ----

port_slots=$lab/bpffs/tapwall/maps/port_slots
id=$(id_of tap3)
lose_entry() { # both epochs
	for key in $((2 * id)) $((2 * id + 1)); do
		bpftool map update pinned "$port_slots" key \
			$((key % 256)) $((key / 256)) 0 0 value 0 0 0 0
	done
}
# The agent checks the entries every few seconds, and may restore one before the test looks.
loss_is_told() {
	lose_entry
	port_is tap3 shut
}
check "status tells of a port that the kernel shuts" within 20 loss_is_told
check "its entry is written again" within 20 port_is tap3 protected
check "… and the log says so" within 20 grep -q 'tap3: the kernel has no entry for it; writing it again' \
	"$lab/agent.log"
equal "all ports are judged again" "$right" "$(judged)"
finish
