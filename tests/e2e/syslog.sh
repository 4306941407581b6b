#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# syslog.sh: a slow path sends denials, connections and its own log to a syslog server over TLS. A strict server of the
# tests reads them, and rsyslog if it is installed, or in $RSYSLOGD. Nothing is sent to a server without a valid
# certificate for its address; a server that restarts misses nothing.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

slow=$lab/slow
pki=$lab/pki
rsyslogd=${RSYSLOGD:-$(command -v rsyslogd || :)}
gtls=$(find /usr/lib -name lmnsd_gtls.so 2>/dev/null | head -n 1)
files="--state-dir $slow --cert $slow/slowd.pem --key $slow/slowd.pem --ca $slow/ca.pem"

figures() {
	on_host busybox wget -q -O - http://127.0.0.1:9434/metrics
}
figure() { # NAME LABELS NUMBER
	figures | grep -qxF "$1$2 $3"
}
counted() { # NAME
	figures | sed -n "s/^tapwall_slowd_export_$1{exporter=\"syslog\"} //p"
}
serve() { # CERTIFICATE [CA]
	: >"$lab/received"
	ip netns exec "$ns-host" "$TW_BUILD/tests/e2e/syslog_server" serve 6514 "$pki/$1" ${2:+"$pki/$2"} >"$lab/received" 2>"$lab/server.err" &
	server=$!
	children="$children $server"
	within 60 grep -qs '^ready' "$lab/received" || bail "the server starts" "$(cat "$lab/server.err")"
}
received() { # PATTERN
	grep -qE "$1" "$lab/received"
}
logged() { # PATTERN
	grep -qE "$1" "$lab/slowd.log"
}
deny_until() { # COMMAND…: a rejected datagram, and the command
	attempt 1 udp 10.0.0.12 7004 >"$lab/denied"
	"$@"
}
waits() {
	[ "$(counted queued)" -gt 0 ]
}
is_idle() {
	[ "$(counted queued)" = 0 ]
}

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7003, action: allow}
		  - {name: a-rule-that-rejects, from: any, to: any, service: udp/7004, action: reject}
		options: {timeouts: {time-wait: 1s, closed: 1s, last-ack: 1s, fin-wait: 1s}}
	END
} >"$lab/policy.yaml"
mkdir "$slow" "$lab/certs" "$pki"
"$TW_BUILD/tests/e2e/syslog_server" make "$pki" || bail "certificates are made"
# shellcheck disable=SC2086 # several words
"$TW_BUILD/tapwall-slowd" --init $files >"$lab/init.out" 2>&1 || bail "tapwall-slowd makes its CA" "$(cat "$lab/init.out")"
# shellcheck disable=SC2086 # several words
"$TW_BUILD/tapwall-slowd" --issue host-a $files >"$lab/certs/agent.pem" 2>"$lab/issue.err" || bail "it issues a certificate" "$(cat "$lab/issue.err")"
# shellcheck disable=SC2086 # several words
"$TW_BUILD/tapwall-slowd" $files --syslog 127.0.0.1:6514 >"$lab/refused" 2>&1
check "a server whose CA is not given is refused" grep -q 'add --syslog-ca PATH' "$lab/refused"

serve foreign.pem
# shellcheck disable=SC2086 # several words
ip netns exec "$ns-host" "$TW_BUILD/tapwall-slowd" $files --listen 127.0.0.1:7433 --socket "$slow/slowd.sock" \
	--metrics 127.0.0.1:9434 --syslog 127.0.0.1:6514 --syslog-ca "$pki/ca.pem" --syslog-cert "$pki/client.pem" \
	--syslog-what denials,connections,log 2>"$lab/slowd.log" &
slowd=$!
children="$children $slowd"
check "a certificate of another CA is refused" within 60 logged 'syslog server 127.0.0.1:6514: cannot connect: its certificate is refused: .*(issuer|not trusted)'
end "$server"
equal "nothing was sent to it" '' "$(grep -v '^ready\|^refused' "$lab/received")"
serve other.pem
check "a certificate for another name is refused" within 60 logged 'its certificate is refused: .*name'
end "$server"
equal "nothing was sent to it" '' "$(grep -v '^ready\|^refused' "$lab/received")"

serve server.pem ca.pem
start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/certs/agent.pem" \
	--slow-path-key "$lab/certs/agent.pem" --slow-path-ca "$slow/ca.pem"
check "tapwall-slowd's own log arrives, with a client's certificate" within 90 received \
	'^<134>1 [0-9T:.-]*Z [^ ]+ tapwall-slowd [0-9]+ log \[meta sequenceId="[0-9]+"\] agent host-a: connected from 127'
check "and so does what was logged before the server started" within 60 received '\] syslog server 127.0.0.1:6514: cannot connect: its certificate is refused'
check "the ports are protected" within 60 port_is tap2 protected
check "the agent's events are followed" within 60 figure tapwall_slowd_agent_followed '{agent="host-a"}' 1
begin g2 echo echo tcp 7003
equal "a connection" connected "$(attempt 1 tcp 10.0.0.12 7003)"
equal "a rejected datagram" prohibited "$(attempt 1 udp 10.0.0.12 7004)"
check "it arrives with its facts" within 60 received \
	'^<133>1 [0-9T:.-]*Z [^ ]+ tapwall-slowd [0-9]+ reject \[meta sequenceId="[0-9]+"\]\[tapwall@32473 agent="host-a" verdict="reject" reason="policy" rule="a-rule-that-rejects" proto="udp" src="10.0.0.11" dst="10.0.0.12" srcPort="[0-9]+" dstPort="7004" srcWorkload="w1" dstWorkload="w2" direction="out" port="tap1" workload="w1" srcMac="52:54:00:00:00:01" dstMac="52:54:00:00:00:02" bytes="[0-9]+"\] reject udp 10.0.0.11 [0-9]+ to 10.0.0.12 7004$'
check "the connection arrives when it has ended" within 90 received \
	'^<134>1 .* close \[meta [^]]*\]\[tapwall@32473 agent="host-a" verdict="allow" .* rule="echo" proto="tcp" .* srcTap="tap1" dstTap="tap2" packetsOut="[1-9][0-9]*" packetsIn="[1-9][0-9]*" .*\] close tcp 10.0.0.11 [0-9]+ to 10.0.0.12 7003$'
equal "nothing violates the standard" '' "$(grep '^bad' "$lab/received")"
check "the server has everything" within 60 is_idle

sequences() {
	sed -n 's/.*\[meta sequenceId="\([0-9]*\)"\].*/\1/p' "$lab/received" | sort -nu
}
last=$(sequences | tail -n 1)
end "$server"
check "without a server, messages wait" within 60 deny_until waits
serve server.pem ca.pem
check "the server that returns gets them" within 90 received ' reject '
check "the server has everything" within 60 is_idle
check "none is missing" sh -c "sed -n 's/.*sequenceId=\"\([0-9]*\)\".*/\1/p' '$lab/received' | sort -nu |
	awk -v want=$((last + 1)) '\$1 > want { exit 1 } \$1 == want { want++; n++ } END { exit !n }'"
equal "nothing violates the standard" '' "$(grep '^bad' "$lab/received")"
equal "nothing was lost" 0 "$(counted lost_total)"
end "$server"

if [ -n "$rsyslogd" ] && [ -n "$gtls" ]; then
	cat >"$lab/rsyslog.conf" <<-END
		global(workDirectory="$lab" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="$pki/ca.pem"
		       defaultNetstreamDriverCertFile="$pki/server.pem" defaultNetstreamDriverKeyFile="$pki/server.pem")
		module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
		module(load="mmpstrucdata")
		input(type="imtcp" port="6514" address="127.0.0.1")
		action(type="mmpstrucdata")
		template(name="facts" type="string" string="%pri% %app-name% %msgid% %\$!rfc5424-sd!tapwall@32473!rule% %\$!rfc5424-sd!tapwall@32473!dstport% %msg%\n")
		action(type="omfile" file="$lab/rsyslog.out" template="facts")
	END
	ip netns exec "$ns-host" "$rsyslogd" -n -f "$lab/rsyslog.conf" -i "$lab/rsyslog.pid" >"$lab/rsyslog.log" 2>&1 &
	server=$!
	children="$children $server"
	has_denial() {
		grep -qE '^133 tapwall-slowd reject a-rule-that-rejects 7004  ?reject udp 10\.0\.0\.11 [0-9]+ to 10\.0\.0\.12 7004$' "$lab/rsyslog.out"
	}
	check "rsyslog has a denial, with its structured data" within 90 deny_until has_denial
	check "and the log" within 60 grep -qE '^13[0-9] tapwall-slowd log .*syslog server 127.0.0.1:6514: disconnected' "$lab/rsyslog.out"
	sed 's/^/# rsyslog: /' "$lab/rsyslog.out" | tail -n 3
	end "$server"
else
	say "rsyslog with gtls is not installed: checked without it"
fi
finish
