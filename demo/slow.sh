# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# slow.sh: the service VM of the demo and of its test. Sourced after lab.sh.
#
# In:         TW_BUILD  the build directory, with the image in appliance/
#             LAB_RUN   a directory for the data disk and the host's certificate
# Ends:       slow_start starts a child of the caller.
slow_folder=$LAB_RUN/slow
slow_link=$LAB_RUN/link
slow_address='[fe80::1%br-tapwall]:7433'
slow_agent=host-a

# Emulated guests are given the rate of the time stamp counter; see lab_vm.
slow_timing="mitigations=off nokaslr tsc=reliable tsc_early_khz=$("$TW_BUILD/demo/guest" -k)"

appliance() {
	"$LAB_SRC/../appliance/tapwall-appliance" -d "$slow_folder" -i "$TW_BUILD/appliance" -s 256M \
		-w "${SLOW_SECONDS:-60}" -k "$slow_timing" "$@"
}

slow_start() {
	appliance run </dev/null >>"$LAB_RUN/slow.console" 2>&1 9>&- &
	slow_runner=$!
}

slow_kill() {
	kill -KILL "$(cat "$slow_folder/vm.pid")"
	wait "$slow_runner"
}

# Prints the options of tapwalld for this slow path.
slow_options() {
	printf '%s\n' --slow-path "$slow_address" --slow-path-cert "$slow_link/agent.pem" \
		--slow-path-key "$slow_link/agent.pem" --slow-path-ca "$slow_link/ca.pem"
}

# The token exists only in this pipe.
slow_enroll() {
	appliance exec tapwall-slowd --token "$slow_agent" |
		"$TW_BUILD/tapwall" enroll "$slow_address" --cert "$slow_link/agent.pem" --ca "$slow_link/ca.pem"
}

# slow_push FILE COMMENT: stores a policy in the service VM, which puts it in force.
slow_push() {
	appliance exec -i "tapwall policy push - -m '$2'" <"$1"
}

# Starts a decider in the service VM that allows everything it is asked about.
slow_decide() {
	appliance exec "tapwall decide --socket agent:$slow_agent --exec true >/run/decide.log 2>&1 & true"
	n=0
	until "$TW_BUILD/tapwall" status --json | jq -e '.deciders == 1' >/dev/null; do
		n=$((n + 1))
		[ $n -lt 100 ] || return
		sleep 0.1
	done
}

# True if the agent is connected to the service VM.
slow_connected() {
	"$TW_BUILD/tapwall" status --json | jq -e '.slow_path.state == "connected"' >/dev/null
}
