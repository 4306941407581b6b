#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# receivers.sh: `tapwalld --log-to` writes to real receivers: systemd-journald, and rsyslog by UDP and by a Unix socket
# (rsyslogd, or the program in $RSYSLOGD). Each has the denial with its facts, one entry for repeated broadcasts, and none
# of a rule with `log: false`. While a receiver is away, status says so; once it is back, it gets later entries.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

journald=$(find /lib/systemd /usr/lib/systemd -maxdepth 1 -name systemd-journald 2>/dev/null | head -n 1)
rsyslogd=${RSYSLOGD:-$(command -v rsyslogd || :)}

status_has() { # JQ FILTER
	tapwall status --json | jq -es "any(.[]; $1)"
}
broadcasts() { # COUNT: true if `tapwall log` has that many
	[ "$(tapwall log --json | jq -s 'map(select(.dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp")) | length')" -ge "$1" ]
}
# Denials of three kinds: rejected with a log, rejected without, and repeated broadcasts. Then one more.
deny() { # LAST PORT
	equal "a connection is rejected" refused "$(attempt 1 tcp 10.0.0.12 7002)"
	equal "one is rejected by a rule with log: false" refused "$(attempt 1 tcp 10.0.0.12 7009)"
	in_guest 1 ping -b -c 4 -i 0.2 -W 1 10.0.0.255 >"$lab/ping.out" 2>&1
	check "a guest sends a broadcast several times" within 20 broadcasts 3
	equal "another connection is rejected" refused "$(attempt 1 tcp 10.0.0.12 "$1")"
}

is_missed() { # TARGET
	attempt 1 tcp 10.0.0.12 7004 >/dev/null
	status_has ".degraded[0] // \"\" | contains(\"denials cannot be written to $1\")"
}

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: silent, from: any, to: any, service: tcp/7009, action: reject, log: false}
		  - {name: rest, from: any, to: any, service: tcp, action: reject}
	END
} >"$lab/policy.yaml"

# ---- systemd-journald ----

entries() { # JQ FILTER: number of entries of tapwall
	journalctl -D "$lab/journal/journal" -o json --no-pager 2>"$lab/journalctl.err" |
		jq -s "map(select(.SYSLOG_IDENTIFIER == \"tapwall\" and ($1))) | length"
}
has() { # JQ FILTER
	[ "$(entries "$1")" -gt 0 ]
}
start_journald() {
	# shellcheck disable=SC2086 # a command
	unshare -m -n $inside "$journald" >"$lab/journald.log" 2>&1 &
	server=$!
	children="$children $server"
	within 20 test -S "$lab/run/journal/socket"
}

if [ -n "$journald" ] && [ -s /etc/machine-id ] && [ -e /etc/systemd/journald.conf ]; then
	mkdir -p "$lab/run" "$lab/journal" /run/systemd /run/log
	printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nForwardToSyslog=no\n' >"$lab/journald.conf"
	# Mount namespaces of their own, in which the journal of this host is out of sight.
	cat >"$lab/inside" <<-END
		mount --bind "$lab/run" /run/systemd && mount --bind "$lab/journal" /run/log &&
			mount --bind "$lab/journald.conf" /etc/systemd/journald.conf && exec "\$@"
	END
	inside="sh $lab/inside"
	start_journald || bail "journald starts" "$(cat "$lab/journald.log")"
	start_agent --policy "$lab/policy.yaml" --log-to journald
	deny 7003
	check "journald has the last one" within 20 has '.MESSAGE | startswith("reject tcp 10.0.0.11 ") and contains(" to 10.0.0.12 7003 at ")'
	equal "the first as well, with its facts" 1 "$(entries '.PRIORITY == "5" and .TAPWALL_EVENT == "deny" and .TAPWALL_REASON == "policy" and
		(.MESSAGE | endswith(" at tap1 (w1), rule rest: policy")) and (.TAPWALL_ENTRY | fromjson | .to.port == 7002 and .rule == "rest" and .workload == "w1")')"
	equal "none is of the rule with log: false" 0 "$(entries '.TAPWALL_ENTRY // "{}" | fromjson | .to.port == 7009')"
	equal "one is of the broadcast" 1 "$(entries '.TAPWALL_ENTRY // "{}" | fromjson | .dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp"')"
	end "$server"
	rm -f "$lab/run/journal/socket"
	check "journald is away: status says so" within 30 is_missed journald
	start_journald || bail "journald starts again" "$(cat "$lab/journald.log")"
	check "it is back: the host is no longer degraded" within 30 status_has '.degraded == []'
	equal "a connection is rejected after that" refused "$(attempt 1 tcp 10.0.0.12 7005)"
	check "it has its entry" within 20 has '.TAPWALL_ENTRY // "{}" | fromjson | .to.port == 7005'
	say "$(journalctl -D "$lab/journal/journal" -o cat --no-pager SYSLOG_IDENTIFIER=tapwall 2>/dev/null | tail -n 3)"
	stop_agent
	end "$server"
	inside=
else
	say "systemd-journald is not installed: checked without it"
fi

# ---- rsyslog ----

received() { # PATTERN
	grep -qE "$1" "$lab/rsyslog.out"
}
start_rsyslog() {
	ip netns exec "$ns-host" "$rsyslogd" -n -f "$lab/rsyslog.conf" -i "$lab/rsyslog.pid" >"$lab/rsyslog.log" 2>&1 &
	server=$!
	children="$children $server"
	within 30 test -S "$lab/syslog.sock" && within 30 test -s "$lab/rsyslog.pid"
}
from_rsyslog() { # TARGET
	: >"$lab/rsyslog.out"
	start_rsyslog || bail "rsyslog starts" "$(cat "$lab/rsyslog.log")"
	start_agent --policy "$lab/policy.yaml" --log-to "$1"
	deny 7003
	check "rsyslog has the last one, by $1" within 30 received \
		'^133 tapwalld reject policy rest w1 tap1 7003  ?reject tcp 10\.0\.0\.11 [0-9]+ to 10\.0\.0\.12 7003$'
	check "and the first" received '^133 tapwalld reject policy rest w1 tap1 7002 '
	equal "none is of the rule with log: false" 0 "$(grep -c ' 7009$' "$lab/rsyslog.out")"
	equal "one is of the broadcast" 1 "$(grep -c 'deny icmp 10.0.0.11 to 10.0.0.255' "$lab/rsyslog.out")"
	sed 's/^/# rsyslog: /' "$lab/rsyslog.out" | tail -n 3
	end "$server"
	rm -f "$lab/syslog.sock"
	check "without a server, status says so" within 60 is_missed "$1"
	start_rsyslog || bail "rsyslog starts again" "$(cat "$lab/rsyslog.log")"
	check "it is back: the host is no longer degraded" within 60 status_has '.degraded == []'
	equal "a connection is rejected after that" refused "$(attempt 1 tcp 10.0.0.12 7005)"
	check "it arrives" within 30 received ' 7005  ?reject tcp'
	stop_agent
	end "$server"
	rm -f "$lab/syslog.sock"
}
if [ -n "$rsyslogd" ]; then
	cat >"$lab/rsyslog.conf" <<-END
		global(workDirectory="$lab")
		module(load="imuxsock" SysSock.Use="off")
		module(load="imudp")
		module(load="mmpstrucdata")
		input(type="imuxsock" socket="$lab/syslog.sock" useSpecialParser="off" parseHostname="on")
		input(type="imudp" port="514" address="127.0.0.1")
		action(type="mmpstrucdata")
		template(name="facts" type="string" string="%pri% %app-name% %msgid% %\$!rfc5424-sd!tapwall@32473!reason% %\$!rfc5424-sd!tapwall@32473!rule% %\$!rfc5424-sd!tapwall@32473!workload% %\$!rfc5424-sd!tapwall@32473!port% %\$!rfc5424-sd!tapwall@32473!dstport% %msg%\n")
		if \$app-name == "tapwalld" then action(type="omfile" file="$lab/rsyslog.out" template="facts")
	END
	from_rsyslog syslog:127.0.0.1:514
	from_rsyslog "syslog:$lab/syslog.sock"
else
	say "rsyslog is not installed: checked without it"
fi
finish
