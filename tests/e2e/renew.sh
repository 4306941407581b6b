#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# renew.sh: agent and slow path renew their certificates in the last third of their validity, without a restart and
# with the link up. They report a renewal that fails, and the end of the CA's certificate, in time.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

certs=$lab/certs
link=$lab/link
slowd=

start_slowd() {
	ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" --state-dir "$certs" --listen 127.0.0.1:7433 \
		--socket "$lab/slowd.sock" --cert "$lab/own.pem" --key "$lab/own.pem" --ca "$certs/ca.pem" \
		2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$lab/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
start() {
	start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$link/agent.pem" \
		--slow-path-key "$link/agent.pem" --slow-path-ca "$certs/ca.pem"
}
slow_path() { # JQ FILTER: of status
	tapwall status --json | jq -es "any(.[].slow_path; $1)"
}
agents() { # JQ FILTER
	"$TW_BUILD/tapwall" agents --slow "$lab/slowd.sock" --json | jq -se "$1"
}
differs() { # FILE FILE
	! cmp -s "$1" "$2"
}
ask() { # as host-b
	on_host "$TW_BUILD/tests/e2e/hostile_tls" dial 7433 "$certs/host-b.pem" "$certs/ca.pem" ask
}

make_host
make_guest 1
mkdir "$certs" "$link"
workloads 1 >"$lab/policy.yaml"
"$TW_BUILD/tests/e2e/certificates" "$certs" || bail "certificates are made"

cp "$certs/due-slowd.pem" "$lab/own.pem"
start_slowd
check "the slow path renews its own certificate" within 20 differs "$certs/due-slowd.pem" "$lab/own.pem"
check "and uses it at once" within 20 grep -q 'own.pem: read, valid for \(39\|40\) days' "$lab/slowd.log"
check "it says when its CA ends, in the log" within 20 grep -q "the CA's certificate ends in \(39\|40\) days" "$lab/slowd.log"
check "and to who lists the agents" sh -c \
	"'$TW_BUILD/tapwall' agents --slow '$lab/slowd.sock' | grep -q \"The CA's certificate expires in \(39\|40\)d\""

cp "$certs/due.pem" "$link/agent.pem"
chmod 500 "$link" # the agent may not write there: it has no CAP_DAC_OVERRIDE
start
check "an agent whose certificate cannot be replaced says so" within 20 slow_path '.renewal_failed | contains("cannot write")'
check "in the log, too" within 20 grep -q 'agent.pem: cannot renew it: cannot write it: Permission denied' "$lab/agent.log"
check "it is connected with the old one" slow_path '.state == "connected" and .certificate_left_s < 86401'
stop_agent TERM
chmod 700 "$link"
start
check "it renews its certificate" within 20 slow_path '.certificate_left_s > 38 * 86400 and .renewal_failed == null'
check "for not longer than the CA is valid" slow_path '.certificate_left_s <= 40 * 86400'
check "the slow path knows" agents 'any(.name == "host-a" and .connected and .certificate_left_s > 38 * 86400)'
equal "the file is the owner's only" 600 "$(stat -c %a "$link/agent.pem")"
equal "and complete" 2 "$(grep -c BEGIN "$link/agent.pem")"
key() { # FILE
	sed -n '/BEGIN PRIVATE KEY/,/END PRIVATE KEY/p' "$1"
}
check "with a new key" test "$(key "$certs/due.pem")" != "$(key "$link/agent.pem")"
check "the link was not cut" agents 'any(.name == "host-a" and .connects == 2)'
kill "$slowd"
wait "$slowd" 2>/dev/null
start_slowd
check "the new one is accepted" within 60 slow_path '.state == "connected" and .attempts == 0'

cp "$certs/slowd.pem" "$lab/own.pem"
check "a certificate that was replaced is read" within 20 grep -q 'own.pem: read, valid for \(29\|30\) days' "$lab/slowd.log"
echo garbage >"$lab/own.pem"
check "one that cannot be used is not" within 20 grep -q 'the certificate read before stays in use' "$lab/slowd.log"
equal "agents still connect" "1: error 13: not allowed to an agent
2: error 13: not allowed to an agent" "$(ask)"

# A certificate that expires while its agent is connected. On a slow machine it may expire before.
brief() {
	"$TW_BUILD/tapwall-slowd" --state-dir "$certs" --issue host-b --lifetime 5s >"$certs/host-b.pem" || return 1
	: >"$lab/held"
	on_host "$TW_BUILD/tests/e2e/hostile_tls" dial 7433 "$certs/host-b.pem" "$certs/ca.pem" hold >"$lab/held" 2>&1
	grep -q 'agent host-b: gone: its certificate expired' "$lab/slowd.log"
}
check "a certificate expires: its connection ends" within 60 brief
check "the agent's own is connected all the time" agents 'any(.name == "host-a" and .connected and .connects == 1)'
finish
