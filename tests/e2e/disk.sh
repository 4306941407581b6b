#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# disk.sh: the state directory's disk is full or read-only while an agent runs, and when one starts.
# The policy stays in force, a new tap is judged, `status` shows what cannot be written, and the
# agent writes it as soon as there is space.
# shellcheck disable=SC2016,SC2119,SC2317 # sh -c expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/state-lib.sh
. "$TW_SOURCE/tests/e2e/state-lib.sh"

mkdir "$lab/small"
mount -t tmpfs -o size=128k none "$lab/small" || bail "a small disk is mounted"
mount --move "$lab/small" "$lab/state" || bail "it is moved to the state directory"
start_agent --policy "$lab/policy.yaml"
dd if=/dev/zero of="$lab/state/junk" bs=512 2>/dev/null
replug 4
check "the log says that ports.json cannot be written" within 20 \
	grep -q 'cannot write ports.json' "$lab/agent.log"
equal "a port that comes while the disk is full is judged" "$right" "$(judged)"
stop_agent KILL
replug 4
start_agent
equal "an agent that starts with a full disk adopts" 'policy.yaml [4,0]' "$(source_of) $(protected)"
equal "… and judges by the policy, at the new tap too" "$right" "$(judged)"
check "… and says that it is degraded" sh -c 'echo "$1" | grep -q "cannot write"' - "$(degraded)"
stop_agent KILL
start_agent --policy "$lab/second.yaml"
equal "a new policy waits for room" "policy.yaml $right" "$(source_of) $(judged)"
rm "$lab/state/junk"
check "once there is room, ports.json is written" within 20 saved "$(ifindex tap4)"
check "… and the new policy is in force" within 20 sh -c \
	'"$1" status --json --socket "$2" | jq -es "any(.[]; .degraded == [] and (.policy_source | endswith(\"second.yaml\")))"' \
	- "$TW_BUILD/tapwall" "$socket"
equal "… and judges" "$swapped" "$(judged)"
check "the first policy is applied again" apply "$lab/policy.yaml"
stop_agent KILL
mount -o remount,ro "$lab/state"
replug 4
start_agent
equal "an agent that starts with a read-only disk adopts" 'policy.yaml [4,0]' "$(source_of) $(protected)"
equal "… and judges by the policy" "$right" "$(judged)"
# `ip netns exec` gave the agent a mount namespace of its own.
mount -o remount,rw "$lab/state"
nsenter -t "$agent" -m mount -o remount,rw "$lab/state"
check "once the disk can be written, nothing is degraded" within 20 sound
rm -r "$lab/state"/*
stop_agent KILL
start_agent --policy "$lab/policy.yaml"
equal "a directory that was emptied is filled again" "$right" "$(judged)"
stop_agent
umount "$lab/state"
finish
