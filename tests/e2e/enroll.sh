#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# enroll.sh: a host enrolls at the slow path with a token, which is valid once. Any other request without a certificate
# is refused with an error. tapwalld connects with the files that `tapwall enroll` wrote.
# shellcheck disable=SC2119,SC2120,SC2317 # options are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
link=$lab/link
slowd=

# slowd runs without privileges, as a user that owns only its state directory.
start_slowd() {
	ip netns exec "$ns-host" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --listen 127.0.0.1:7433 --socket "$slow/slowd.sock" \
		--cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
slowd_alone() { # OPTION…
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TW_BUILD/tapwall-slowd" --state-dir "$slow" "$@"
}
# Root makes tokens, too; the service must be able to spend them.
token() { # NAME [OPTION…]
	name=$1
	shift
	"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --token "$name" "$@" >"$lab/token"
}
tokens() { # number of token files
	find "$slow/tokens" -type f | wc -l
}
enroll() { # OPTION…
	on_host "$TW_BUILD/tapwall" enroll 127.0.0.1:7433 --token "$lab/token" --cert "$link/agent.pem" \
		--ca "$link/ca.pem" "$@"
}
hostile() { # MANNER
	on_host "$TW_BUILD/tests/e2e/hostile_enroll" 7433 "$lab/token" "$1" 2>&1
}
refused() { # TEXT COMMAND…
	text=$1
	shift
	if "$@" >"$lab/refused.out" 2>&1; then return 1; fi
	grep -q "$text" "$lab/refused.out"
}
link_is() { # STATE
	tapwall status --json | jq -es --arg state "$1" 'any(.[]; .slow_path.state == $state)'
}
no_tokens() {
	[ "$(tokens)" = 0 ]
}

make_host
make_guest 1
chmod 755 "$lab"
mkdir "$slow" "$lab/certs"
chown 65534:65534 "$slow"
slowd_alone --init >"$lab/init" || bail "the slow path makes a CA"
start_slowd

check "a token is printed" token host-a
equal "its file belongs to the service" "65534 600" "$(stat -c '%u %a' "$slow"/tokens/*)"
equal "and does not contain the secret" 0 "$(grep -cF -e "$(cut -c 50-70 "$lab/token")" "$slow"/tokens/*)"
check "a name is checked" refused 'is not a valid name' \
	"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --token ../a
check "so is the time" refused 'is no time from' "$TW_BUILD/tapwall-slowd" --state-dir "$slow" --token a --ttl 8d
check "a token on the command line is refused" refused 'can be read by every user' \
	on_host "$TW_BUILD/tapwall" enroll 127.0.0.1:7433 --token "$(cat "$lab/token")" --cert "$link/agent.pem"
check "half a token, too" refused 'is no token' sh -c \
	"cut -c -60 '$lab/token' | ip netns exec $ns-host '$TW_BUILD/tapwall' enroll 127.0.0.1:7433 --cert '$link/agent.pem'"

hostile silent >"$lab/silent" &
silent=$!
hostile half >"$lab/half" &
half=$!
children="$children $silent $half"
equal "without a certificate nothing can be asked" "error 13: not allowed without a certificate" "$(hostile agents)"
equal "a wrong secret, and another attempt on the connection" \
	"error 13: is not valid: it was used, has expired, or is for another slow path
closed" "$(hostile guess)"
equal "a message of 1 MiB" closed "$(hostile large)"
check "… is logged" within 20 grep -q 'sent a message of more than 16 KiB' "$lab/slowd.log"
equal "a request that was changed" \
	"error 129: it is no valid request for a certificate with a P-256 or Ed25519 key" "$(hostile forged)"
equal "an RSA key" "error 129: it is no valid request for a certificate with a P-256 or Ed25519 key" "$(hostile rsa)"
equal "none of this spent the token" 1 "$(tokens)"
equal "a request for another name, for a CA and for a slow path gets the token's name only" \
	"name host-a, CA 0, usage 80, client" "$(hostile proud)"
equal "and spends the token" 0 "$(tokens)"
equal "then no connection without a certificate is accepted" closed "$(hostile agents)"
token host-a
equal "eight at the same time: one gets a certificate" "1 of 8" "$(hostile race)"

token host-a
"$TW_BUILD/tests/e2e/certificates" "$lab/certs" || bail "certificates are made"
serve() { # CERTIFICATE CA: plays the slow path for one connection
	: >"$lab/served"
	on_host "$TW_BUILD/tests/e2e/hostile_tls" serve 7434 "$1" "$2" hold >"$lab/served" 2>&1 &
	children="$children $!"
	within 20 sh -c "ip netns exec $ns-host ss -Hltn 'sport = :7434' | grep -q ."
}
meets() { # REASON
	refused "$1" on_host "$TW_BUILD/tapwall" enroll 127.0.0.1:7434 --token "$lab/token" --cert "$link/agent.pem" \
		--ca "$link/ca.pem"
}
serve "$lab/certs/slowd.pem" "$lab/certs/ca.pem"
check "a slow path of another CA" meets 'was not issued by the CA of the token'
check "… gets nothing" within 20 grep -q "peer's certificate is missing" "$lab/served"
slowd_alone --issue host-b >"$lab/certs/host-b.pem"
serve "$lab/certs/host-b.pem" "$slow/ca.pem"
check "an agent that plays the slow path" meets 'is for another purpose'
check "… gets nothing" within 20 grep -q "peer's certificate is missing" "$lab/served"
equal "nothing was written" "" "$(find "$link" -type f)"

enroll >"$lab/enrolled" || bail "a host enrolls"
check "a host enrolls, and learns what to do next" grep -q 'tapwalld with --slow-path 127.0.0.1:7433' "$lab/enrolled"
equal "its key is its own" "700 600" "$(stat -c %a "$link") $(stat -c %a "$link/agent.pem")"
equal "it has the CA" "$(cat "$slow/ca.pem")" "$(cat "$link/ca.pem")"
check "it does not enroll again by mistake" refused 'has a certificate already' enroll
check "a used token is refused" refused 'no token is valid' enroll --replace
workloads 1 >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$link/agent.pem" \
	--slow-path-key "$link/agent.pem" --slow-path-ca "$link/ca.pem"
check "the agent dials with it" within 20 link_is connected
check "under the token's name" sh -c "'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' --json | jq -se 'any(.name == \"host-a\" and .connected)'"

token host-c
"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --revoke host-c
check "a revoked name: its token is refused" refused 'was revoked after the token was made' enroll --replace
is_later() { # true if a token made now is newer than the revocation, which covers tokens of the same second
	[ "$(date +%s)" -gt "$(cut -d ' ' -f 2 "$slow/revoked")" ]
}
within 20 is_later || bail "time passes"
token host-c
check "a later one is not" enroll --replace --json
equal "… and says the name" '"host-c"' "$(jq .name "$lab/check.out")"
rm -f "$slow"/tokens/*
token host-d --ttl 1s
check "an expired token is deleted" within 20 no_tokens
check "and refused" refused 'no token is valid' enroll --replace
i=0
while [ $i -lt 64 ] && token host-e; do i=$((i + 1)); done
equal "there are at most 64 tokens" 64 "$(tokens)"
check "a 65th is not made" refused 'there are 64 valid tokens already' \
	"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --token host-e

wait "$silent" "$half"
equal "a host that says nothing" closed "$(cat "$lab/silent")"
equal "and one that says half" closed "$(cat "$lab/half")"
check "are given up after 10 s" within 20 sh -c "[ \"\$(grep -c 'it did not enroll within 10 s' '$lab/slowd.log')\" -ge 1 ]"
check "the agent was connected all the time" sh -c \
	"'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' --json | jq -se 'any(.name == \"host-a\" and .connected and .connects == 1)'"
check "the slow path lives" kill -0 "$slowd"
finish
