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
	${slow_exec:-} "$LAB_SRC/../appliance/tapwall-appliance" -d "$slow_folder" -i "$TW_BUILD/appliance" -s 256M \
		-w "${SLOW_SECONDS:-60}" -k "$slow_timing" "$@"
}

slow_start() {
	{
		slow_exec=exec
		appliance run
	} </dev/null >>"$LAB_RUN/slow.console" 2>&1 9>&- &
	slow_runner=$!
}

# Waits until tapwall-slowd listens. Fails at once if the VM ends.
slow_await() {
	appliance wait &
	slow_waiter=$!
	while kill -0 "$slow_waiter" 2>/dev/null; do
		kill -0 "$slow_runner" 2>/dev/null || { kill "$slow_waiter"; echo 'it has ended' >&2; return 1; }
		sleep 0.1
	done
	wait "$slow_waiter"
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

# Enrolls the host. The token exists only in this pipe.
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
	appliance exec "until tapwall status --socket agent:$slow_agent --json | grep -q '\"deciders\":1'; do sleep 0.2; done"
}

# slow_await_agent PID: waits until tapwall-slowd in the service VM has a connection from the agent, the
# process PID. The agent's own status would not do: it notices a dead slow path only after 15 s.
slow_await_agent() {
	n=0
	until appliance exec tapwall agents --json | grep -q '"connected":true'; do
		n=$((n + 1))
		kill -0 "$1" 2>/dev/null && [ $n -lt 300 ] || return
		sleep 0.2
	done
}

# True if the agent is connected to the service VM, or has not noticed yet that the VM is dead.
slow_connected() {
	"$TW_BUILD/tapwall" status --json | grep -q '"slow_path":{[^}]*"state":"connected"'
}
