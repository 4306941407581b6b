#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# keep.sh: a restarted agent keeps the attached programs only if it would load identical ones: not
# if one is missing or belongs to another agent, or if their data or maps differ.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: tcp, from: w1, to: w2, service: tcp/7000, action: allow}
	END
} >"$lab/policy.yaml"
pins=$lab/bpffs/tapwall

program() { # NAME → its id
	bpftool -j prog show pinned "$pins/progs/$1" | jq .id
}

all_programs() {
	for pin in "$pins"/progs/*; do
		program "${pin##*/}"
	done | paste -s -d ' '
}

says_kept() {
	tail -n 20 "$lab/agent.log" | grep 'adopted what was in force' | tail -n 1 | grep 'programs too'
}

# The pinned programs protect the ports, and judge.
judges() {
	within 20 port_is tap1 protected && within 20 port_is tap2 protected &&
		[ "$(attempt 1 tcp 10.0.0.12 7000)" = connected ] && [ "$(attempt 2 tcp 10.0.0.11 7000)" = timeout ]
}

# Restarts the agent after a change.
returns() { # WHAT kept|new [OPTIONS OF THE AGENT…]
	case=$1 fate=$2
	shift 2
	before=$(program tw_full_in)
	start_agent "$@"
	if [ "$fate" = kept ]; then
		equal "$case: the programs are kept" "$before" "$(program tw_full_in)"
		check "$case: the log says so" says_kept
	else
		check "$case: programs are loaded anew" test "$before" != "$(program tw_full_in)"
		check "$case: the log does not speak of them" eval '! says_kept'
	fi
	check "$case: they judge" judges
	stop_agent
}

begin g2 echo echo tcp 7000
begin g1 echo-1 echo tcp 7000
start_agent --policy "$lab/policy.yaml"
check "the first agent's programs judge" judges
stop_agent
all=$(all_programs)
returns 'the same agent' kept
equal "not one program is another" "$all" "$(all_programs)"

# As if an agent had died while pinning: the programs are new, but the pinned data are those of others.
bpftool map pin pinned "$pins/maps/rodata" "$pins/older"
rm "$pins/progs/tw_sweep"
returns 'a program without a pin' new
rm "$pins/maps/rodata"
mv "$pins/older" "$pins/maps/rodata"
returns 'data of other programs' new

# Another agent's program is identical except for the maps that it uses.
on_host "$tapwalld" --ports 'none*' --socket "$lab/other.sock" --bpffs "$lab/bpffs/other" \
	--state-dir "$lab/state-other" 2>"$lab/other.log" &
other=$!
children="$children $other"
check "another agent starts" within 30 "$TW_BUILD/tapwall" status --socket "$lab/other.sock"
rm "$pins/progs/tw_from_vm"
bpftool prog pin pinned "$lab/bpffs/other/progs/tw_from_vm" "$pins/progs/tw_from_vm"
end "$other" || :
returns "another agent's program" new

mv "$pins/progs/tw_take" "$pins/aside"
mv "$pins/progs/tw_sweep" "$pins/progs/tw_take"
mv "$pins/aside" "$pins/progs/tw_sweep"
returns 'programs that changed places' new
returns 'another number of connections' new --max-connections 16384
returns 'the same number of connections' kept --max-connections 16384
finish
