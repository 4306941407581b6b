#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# observe.sh: `mode: observe` stops nothing that worked before, and reports what would be denied. When the workloads are
# enforced later, connections that policy does not allow are cut, and the others go on. Observing is tested with
# cut-through and through the bridge.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

prints() { # TEXT COMMAND…
	text=$1
	shift
	"$@" >"$lab/prints.out" 2>&1
	cat "$lab/prints.out"
	grep -q "$text" "$lab/prints.out"
}
logged() { # VERDICT PORT: number of notable entries; a connection met midway may seem to come from its server
	tapwall log --json | jq -s --arg verdict "$1" --argjson port "$2" \
		'map(select(.verdict == $verdict and (.to.port == $port or .from.port == $port))) | length'
}
denials() { # number of entries about denied frames; flooded frames that are not for a port have no entry
	tapwall log --all --json | jq -s 'map(select(.event == "deny")) | length'
}
is_logged() { # VERDICT PORT
	[ "$(logged "$1" "$2")" -gt 0 ]
}
gate_of() { # PORT: the verdict at the in end of the connections to it
	tapwall flows --json | jq -rs --argjson port "$1" 'map(select(.to.port == $port).in.verdict) | unique | join(" ")'
}
gate_is() { # PORT VERDICT
	[ "$(gate_of "$1")" = "$2" ]
}
go_on() { # FILE…: each stream gets more answers
	for file in "$@"; do
		within 20 grows "$file" echoed "$(($(count_of "$file" echoed) + 5))" || return
	done
}
go_past() { # true if streams go on, and no frame passes the bridge
	got=$(bridged)
	go_on wanted tcp && [ "$(bridged)" = "$got" ]
}
# A stream whose frames are denied sends on, but gets no answer: its next messages stay unanswered.
is_cut() { # FILE
	got=$(count_of "$1" echoed)
	sent=$(count_of "$1" sent)
	within 20 grows "$1" sent "$((sent + 20))" && [ "$(count_of "$1" echoed)" = "$got" ]
}
policy() { # MODE
	workloads 3
	cat <<-END
		rules:
		  - {name: wanted, from: w1, to: w2, service: tcp/7000, action: allow}
		  - {name: telnet, from: any, to: any, service: tcp/7003, action: reject}
		options: {mode: $1, adopt: 0s}
	END
}

make_host
for n in 1 2 3; do
	make_guest "$n"
done
policy observe >"$lab/observe.yaml"
policy enforce >"$lab/enforce.yaml"
begin g2 echo-wanted echo tcp 7000
begin g2 echo-tcp echo tcp 7001
begin g2 echo-udp echo udp 7002
begin g2 echo-rejected echo tcp 7003
begin g1 wanted stream "$lab/wanted" tcp 10.0.0.12 7000 20
begin g1 tcp stream "$lab/tcp" tcp 10.0.0.12 7001 20
begin g1 udp stream "$lab/udp" udp 10.0.0.12 7002 20
begin g3 slow stream "$lab/slow" tcp 10.0.0.12 7001 3000
check "four connections are open before the agent starts" go_on wanted tcp udp
check "one of them is quiet" within 20 grows slow echoed 0
before=$(count_of slow echoed)

watch_bridge
# The bridge's table only counts frames, so cut-through may bypass it.
start_agent --policy "$lab/observe.yaml" --forwarding "cut-through!" --uplinks no-uplink
check "they go on when the agent starts" go_on wanted tcp udp
equal "a new connection that a rule rejects opens" connected "$(attempt 3 tcp 10.0.0.12 7003)"
check "the quiet connection goes on, too" within 20 grows slow echoed "$before"
equal "nothing was denied" 0 "$(denials)"
check "status says first that nothing is enforced" sh -c \
	"'$TW_BUILD/tapwall' status --socket '$socket' | head -n 1 | grep '^OBSERVED: not enforced, .* at 3 ports: tap1, tap2, tap3'"
check "ports does, too" prints '^OBSERVED: not enforced' tapwall ports
check "a port is observed" port_is tap1 observed
check "the log has what would be denied" within 20 is_logged would-deny 7001
check "for datagrams" within 20 is_logged would-deny 7002
check "and for the rule that rejects" within 20 is_logged would-deny 7003
check "with an entry for each end of a connection, not for each packet" test "$(logged would-deny 7001)" -le 4
equal "what is wanted has none" 0 "$(logged would-deny 7000)"
check "the text of the log says would-deny, too" prints ' would-deny .*tcp .*default' tapwall log
check "connections show it" gate_is 7001 would-deny
check "one that is allowed does not" gate_is 7000 allow
check "the frames are counted" prints '^ *observed ' tapwall counters
check "top says that nothing is enforced" prints '^OBSERVED: 3 ports not enforced' tapwall top --view ports
check "observe sums up the connections, with the rule" sh -c \
	"'$TW_BUILD/tapwall' observe --socket '$socket' --source journal --json --port 7001 | jq -es '
		any(.[]; .verdict == \"would-deny\" and .from.workload == \"w1\" and .to.workload == \"w2\" and
			.service == \"tcp/7001\" and .rule == \"default\" and .count >= 1 and .ends == [\"out\", \"in\"]) and
		any(.[]; .summary | .observed == 3 and .not_observed == [] and .source == \"journal\" and .since != null)'"
check "what is wanted is not in it" sh -c \
	"'$TW_BUILD/tapwall' observe --socket '$socket' --source journal --json --port 7000 | jq -es 'all(.[]; .summary)'"
check "but among what is allowed" sh -c \
	"'$TW_BUILD/tapwall' observe --socket '$socket' --source journal --allowed --json --port 7000 | jq -es '
		any(.[]; .verdict == \"allow\" and .rule == \"wanted\")'"
check "the rule counts a hit" sh -c \
	"'$TW_BUILD/tapwall' rules --socket '$socket' --json | jq -es 'any(.[]; .name == \"telnet\" and .hits == 1)'"
check "explain says would-deny" prints 'would-deny .* observed, the default' \
	tapwall explain --live --from w3 --to w2 --proto tcp --dport 7001

check "observed connections are cut through, past the bridge" within 20 go_past
stop_agent
start_agent --policy "$lab/observe.yaml" --forwarding vswitch
check "they go on through the bridge" go_on wanted tcp udp
equal "and nothing is denied there" 0 "$(denials)"

check "apply says what enforcing does" prints '! mode: observe -> enforce' tapwall apply "$lab/enforce.yaml" --dry-run
check "it is enforced" apply "$lab/enforce.yaml"
check "what is wanted goes on" go_on wanted
check "a connection that is not allowed is cut" is_cut tcp
check "datagrams, too" is_cut udp
check "the log says deny now" within 20 is_logged deny 7001
check "a port is protected" port_is tap1 protected
check "status no longer says that it is observed" sh -c \
	"! '$TW_BUILD/tapwall' status --socket '$socket' | grep OBSERVED"
equal "a new connection is refused" refused "$(attempt 3 tcp 10.0.0.12 7003)"

check "apply says what observing does" prints '! mode: enforce -> observe' tapwall apply "$lab/observe.yaml"
check "all go on when they are observed again" go_on wanted tcp udp
sed 's/w1: {/w1: {mode: enforce, /' "$lab/observe.yaml" >"$lab/one.yaml"
check "one workload is enforced" apply "$lab/one.yaml"
check "what it may not send is cut" is_cut tcp
check "observe names the port that is not observed" prints '^not observed: tap1 (protected)$' tapwall observe --source journal
check "what another workload sends is not cut" becomes connected 3 tcp 10.0.0.12 7003
finish
