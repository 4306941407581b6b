#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# flood.sh: one guest floods as fast as it can while two others work. Their connections are not
# lost, new ones succeed, memory does not grow, and the counters identify the flooding guest. Prints
# the rate of exchanges during a flood, and that through the bridge alone. FLOOD_SECONDS=60 sets the
# duration of each flood, FLOOD_KINDS=syn selects kinds: run long floods one by one.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

flood=$TW_BUILD/tests/e2e/flood
seconds=${FLOOD_SECONDS:-2}

make_host
for i in 1 2 3; do
	make_guest $i
done
policy() { # LIMITS of guest 1
	workloads 3 | sed "/ w1:/s|}\$|, limits: {$1}}|"
	cat <<-END
		rules:
		  - {name: w1-out, from: w1, to: any, action: allow}
		  - {name: work, from: w3, to: w2, service: tcp/7000, action: allow}
	END
}

work() {
	ip netns exec "$ns-g3" "$flood" crr "$lab/crr" 10.0.0.12 7000 >"$lab/crr.out" 2>&1 &
	crr=$!
	children="$children $crr"
	within 20 grows crr exchanges 50 || bail "exchanges begin" "$(cat "$lab/crr.out")"
}
rss_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$agent/status"
}
out_of() { # PORT FIELD
	tapwall ports --json | jq -r --arg name "$1" "select(.name == \$name) | .$2.out"
}
# Floods, and prints the exchanges completed meanwhile.
during() { # KIND
	before=$(count_of crr exchanges)
	in_guest 1 "$flood" send eth0 "$1" "$seconds" >"$lab/sent"
	echo $(($(count_of crr exchanges) - before))
}
ratio() { # A B → A/B with two decimals
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b ? a / b : 0 }'
}

kinds=${FLOOD_KINDS:-syn udp icmp fragment arp}
begin g2 echo echo tcp 7000
echo=$child

# For comparison: the exchanges during a flood through the bridge alone.
work
for kind in $kinds; do
	during "$kind" >"$lab/bare-$kind"
	cp "$lab/sent" "$lab/bare-sent-$kind"
done
end "$crr" "$echo"

policy "packets: none" >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml"
begin g2 echo echo tcp 7000
begin g3 stream stream "$lab/stream" tcp 10.0.0.12 7000 20
stream=$child
check "a connection lives" within 20 grows stream echoed 20
work
in_guest 1 "$flood" send eth0 udp 1 >/dev/null # what the agent grows to once, it has
rss=$(rss_kb)

# One kind after the other, each on the state that the previous one left.
try() { # KIND HOW
	passed=$(out_of tap1 packets)
	echoed=$(count_of stream echoed)
	done=$(during "$1")
	sent=$(sed -n 's/^sent=//p' "$lab/sent")
	bare_sent=$(sed -n 's/^sent=//p' "$lab/bare-sent-$1")
	check "$1 flood$2: the others' connection goes on" within 20 grows stream echoed "$((echoed + 5))"
	check "$1 flood$2: new connections go on" [ "$done" -gt 0 ]
	check "$1 flood$2: counted at its port" [ "$(($(out_of tap1 packets) - passed))" -ge "$sent" ]
	echo "# $1 flood$2: sent $((sent / seconds))/s (bare $((bare_sent / seconds))/s), exchanges of others" \
		"$((done / seconds))/s (bare $(($(cat "$lab/bare-$1") / seconds))/s): ratio $(ratio "$done" "$(cat "$lab/bare-$1")")"
}
for kind in $kinds; do
	try "$kind" ""
done
policy "packets: 5000/s, new-connections: 500/s" >"$lab/limited.yaml"
check "limits are applied" apply "$lab/limited.yaml"
limited=$(tapwall counters --json | jq 'select(.reason == "rate-limit") | .out')
for kind in $kinds; do
	try "$kind" " within limits"
done
check "what is over the rate has that reason" [ \
	"$(tapwall counters --json | jq 'select(.reason == "rate-limit") | .out')" -gt "$((limited + 1000))" ]
check "its port is named" [ "$(out_of tap1 denied)" -gt 1000 ]
equal "and no other" 0 "$(out_of tap3 denied)"
equal "no exchange failed" 0 "$(count_of crr failed)"
end "$crr"
end "$stream"
equal "no byte of the others' connection was lost" 0 "$(count_of stream lost)"
check "a new connection works as ever" [ "$(attempt 3 tcp 10.0.0.12 7000)" = connected ]
grown=$(($(rss_kb) - rss))
check "the agent has not grown but for its journal ($grown KiB)" [ "$grown" -lt $((4096 + 7680)) ]
finish
