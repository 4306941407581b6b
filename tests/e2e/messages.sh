#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# messages.sh: a real agent under random requests, well-formed and malformed. TW_SECONDS is the
# duration for each of three seeds, TW_SEED the first seed.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

memory() { # of the agent, KiB
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$agent/status"
}
policy() {
	workloads 2
	cat <<-'END'
		  away: {mac: "52:54:00:00:00:09", addresses: [10.0.0.19, 10.9.0.0/16], tags: [a, b]}
		  free: {mac: "52:54:00:00:00:08", addresses: any}
		networks: {office: [10.20.0.0/16, "2001:db8::/48"]}
		services: {web: [tcp/80, tcp/443], ping: [icmp/8, icmp6/128]}
		groups: {g: {tags: "a & !b | b"}, h: {workloads: ["w*"], networks: [office]}}
		rules:
		  - {name: web, from: any, to: g, service: web, action: allow, log: true}
		  - {name: echo, from: [w1, "!h"], to: w2, service: tcp/7000, action: allow, at: to}
		  - {from: office, to: "!10.0.0.0/8", service: [ping, udp/1-9], action: reject}
		default: deny
		options: {unclaimed: deny, adopt: 5s, limits: {packets: 1000/s}, timeouts: {icmp: 5s}}
	END
}

make_host
make_guest 1
make_guest 2
make_guest 3
policy >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
before=$(memory)
for seed in 1 2 3; do
	seed=$((seed + ${TW_SEED:-0}))
	said=$("$TW_BUILD/tests/e2e/messages" "$socket" $seed "${TW_SECONDS:-$(scaled 4 60)}" "$lab/policy.yaml" 2>&1)
	check "seed $seed: $said" test "${said% conversations}" != "$said"
done
check "the agent is the one that was started" kill -0 "$agent"
check "its memory is what it was, give or take 64 MiB" test "$(memory)" -lt $((before + 65536))
check "a good policy is applied" apply "$lab/policy.yaml"
check "its ports are protected" within 20 port_is tap1 protected
check "the log holds no control characters" sh -c \
	"! LC_ALL=C tr -d '\n' <'$lab/agent.log' | LC_ALL=C grep -q '[[:cntrl:]]'"
finish
