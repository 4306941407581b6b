#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# metrics.sh: the agent and its slow path serve figures for Prometheus: over TCP to their own host, over a
# Unix socket, and not at all without the option. promtool checks the text if it is installed, or is in
# $PROMTOOL.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
promtool=${PROMTOOL:-$(command -v promtool || :)}

figures() { # PORT
	on_host busybox wget -q -O - "http://127.0.0.1:$1/metrics"
}
# Prints one figure of the agent, by its name and labels as they are served.
figure() { # FIGURE
	figures 9433 >"$lab/figures" && awk -v want="$1" '
		index($0, want " ") == 1 { print $NF; found = 1 }
		END { exit !found }' "$lab/figures"
}
is_above() { # FIGURE NUMBER
	[ "$(figure "$1")" -gt "$2" ]
}
is_figure() { # FIGURE NUMBER
	[ "$(figure "$1")" = "$2" ]
}
# Prints lines that are neither HELP or TYPE comments nor NAME{LABELS} NUMBER.
strange() { # FILE
	grep -v '^# \(HELP\|TYPE\) ' "$1" | grep -Ev '^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9]+$'
}
# True if each family has one HELP, and each line belongs to the family before it.
families() { # FILE
	awk '$2 == "HELP" && help[$3]++ { exit 1 }
		$2 == "TYPE" { name = $3; type = $4 }
		$2 == "TYPE" && (type == "counter") != (name ~ /_total$/) { exit 1 }
		/^#/ { next }
		{ sub(/[{ ].*/, "") }
		$0 != name { exit 1 }' "$1"
}
readable() { # FILE
	test -s "$1" && families "$1" && ! strange "$1"
}
not() { # COMMAND…
	! "$@"
}

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: udp/7003, action: allow}
	END
} >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
check "without the option nothing listens" not figures 9433
stop_agent
start_agent --policy "$lab/policy.yaml" --metrics 127.0.0.1:9433
check "the ports are protected" within 20 is_figure 'tapwall_ports{state="protected"}' 2
begin g2 echo echo udp 7003
equal "a packet passes" connected "$(attempt 1 udp 10.0.0.12 7003)"
equal "a packet does not" timeout "$(attempt 1 udp 10.0.0.12 7004)"
check "the one is counted" is_above 'tapwall_port_packets_total{port="tap1",workload="w1",direction="out",verdict="allow"}' 0
check "the other is counted" is_above 'tapwall_port_packets_total{port="tap1",workload="w1",direction="out",verdict="deny"}' 0
# Guests may send at any time, so the figure is between two readings of the counter.
counted() {
	tapwall counters --json | jq -s '[.[] | select(.reason == "policy") | .out][0]'
}
before=$(counted)
served=$(figure 'tapwall_packets_total{direction="out",reason="policy"}')
check "reasons have the numbers of tapwall counters" test "$before" -gt 0 -a "$before" -le "$served" -a "$served" -le "$(counted)"
equal "the policy is described" "1 1 2" "$(figure tapwall_policy_in_force) $(figure tapwall_policy_rules) $(figure tapwall_policy_workloads)"
check "the text has Prometheus's format" readable "$lab/figures"
equal "no series has an address" 0 "$(grep -c '10\.0\.0\.' "$lab/figures")"

mkdir "$slow" "$lab/certs"
"$TW_BUILD/tapwall-slowd" --init --state-dir "$slow" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" >"$lab/init.out" 2>&1 ||
	bail "tapwall-slowd makes its CA" "$(cat "$lab/init.out")"
"$TW_BUILD/tapwall-slowd" --issue host-a --state-dir "$slow" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" >"$lab/certs/agent.pem" 2>"$lab/issue.err" ||
	bail "tapwall-slowd issues a certificate" "$(cat "$lab/issue.err")"
ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen 127.0.0.1:7433 \
	--socket "$slow/slowd.sock" --cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" \
	--metrics 127.0.0.1:9434 2>"$lab/slowd.log" &
children="$children $!"
stop_agent
start_agent --policy "$lab/policy.yaml" --metrics 127.0.0.1:9433 --slow-path 127.0.0.1:7433 \
	--slow-path-cert "$lab/certs/agent.pem" --slow-path-key "$lab/certs/agent.pem" --slow-path-ca "$slow/ca.pem"
check "the agent says that its slow path is there" within 20 is_figure tapwall_slow_path_connected 1
knows() {
	figures 9434 >"$lab/slow-figures" && grep -qx 'tapwall_slowd_agent_connected{agent="host-a"} 1' "$lab/slow-figures"
}
has_events() {
	figures 9434 >"$lab/slow-figures" && grep -q '^tapwall_slowd_agent_events_total{agent="host-a"} [1-9]' "$lab/slow-figures"
}
check "the slow path counts it" within 20 knows
equal "a denial" timeout "$(attempt 1 udp 10.0.0.12 7004)"
check "is counted there as an event" within 20 has_events
check "its text has Prometheus's format" readable "$lab/slow-figures"
if [ -n "$promtool" ]; then
	for text in figures slow-figures; do
		check "promtool accepts the $text" sh -c "'$promtool' check metrics <'$lab/$text'"
		equal "promtool finds nothing to improve in the $text" '' "$("$promtool" check metrics <"$lab/$text" 2>&1)"
	done
else
	say "promtool is not installed: checked without it"
fi

stop_agent
start_agent --policy "$lab/policy.yaml" --metrics "$lab/metrics.sock"
equal "a Unix socket is closed to others" 660 "$(stat -c %a "$lab/metrics.sock")"
stop_agent
ip netns exec "$ns-host" "$tapwalld" --ports 'tap*' --socket "$socket" --bpffs "$lab/bpffs/tapwall" \
	--state-dir "$lab/state" --metrics nonsense >"$lab/nonsense" 2>&1
equal "an address that is none is refused" 1 "$(grep -c -e '--metrics' "$lab/nonsense")"
finish
