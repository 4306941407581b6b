#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# release.sh: a clean exit leaves enforcement in place; --release removes everything, with tcx and
# with clsact, and refuses while an agent runs. Both set the kernel's rcu_expedited while they work, and restore it.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	echo 'rules: [{name: echo, from: any, to: any, service: tcp/7000, action: allow}]'
} >"$lab/policy.yaml"
begin g2 echo echo tcp 7000
begin g2 other echo tcp 7001

left_in_kernel() {
	for i in 1 2; do
		on_host tc filter show dev tap$i ingress
		on_host tc filter show dev tap$i egress
		on_host bpftool net show dev tap$i | grep tap
		on_host ip -o link show dev tap$i | grep -o ' group [^ ]*' | grep -v default
	done
	on_host nft list ruleset
	find "$lab/bpffs/tapwall" -mindepth 1 2>/dev/null
}

# A file stands in for the kernel's setting, which other agents of this machine change, too.
setting=$lab/rcu_expedited
inside="sh $lab/inside"
cat >"$lab/inside" <<-END
	mount --bind "$setting" /sys/kernel/rcu_expedited && exec "\$@"
END

set_setting() { # VALUE
	echo "$1" >"$setting"
	must touch -d @1 "$setting"
}

# Prints the value, and `written` if it was written since set_setting.
read_setting() {
	printf '%s ' "$(cat "$setting")"
	[ "$(stat -c %Y "$setting")" = 1 ] || echo written
}

for way in tcx clsact; do
	# An earlier agent died while it attached programs.
	set_setting 1
	must mkdir -p "$lab/state"
	printf '%s0' "$(cat /proc/sys/kernel/random/boot_id)" >"$lab/state/rcu_expedited"
	if [ $way = clsact ]; then
		start_agent --policy "$lab/policy.yaml" --force-clsact
	else
		start_agent --policy "$lab/policy.yaml"
	fi
	equal "$way: attached" $way "$(tapwall status --json | jq -r .attach)"
	equal "$way: what is allowed passes" connected "$(attempt 1 tcp 10.0.0.12 7000)"
	equal "$way: what is not does not" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
	equal "$way: the setting that a dead agent had changed is restored" "0 written" "$(read_setting)"
	check "$way: its note is gone" test ! -e "$lab/state/rcu_expedited"
	set_setting 0
	release
	equal "$way: no release under a running agent" 1 $?
	check "$way: it names the agent" within 20 grep -q "an agent is running here (process $agent)" "$lab/agent.log"
	stop_agent
	equal "$way: SIGTERM ends the agent cleanly" 0 $?
	check "$way: its socket is gone" test ! -e "$socket"
	equal "$way: enforcement stays" timeout "$(attempt 1 tcp 10.0.0.12 7001)"
	equal "$way: and lets pass" connected "$(attempt 1 tcp 10.0.0.12 7000)"
	check "$way: release" release
	equal "$way: it set the setting and restored it" "0 written" "$(read_setting)"
	equal "$way: nothing is left in the kernel" "" "$(left_in_kernel)"
	check "$way: nor on disk" test ! -e "$lab/state"
	equal "$way: everything passes" connected "$(attempt 1 tcp 10.0.0.12 7001)"
done
check "release where there is nothing" release
finish
