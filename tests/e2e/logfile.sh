#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# logfile.sh: --log-to writes denials to a file, which is rotated; repeated broadcasts are one line; if it
# cannot be written, status says so.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

policy() {
	workloads 2
	echo 'rules:'
	echo '  - {name: echo, from: any, to: any, service: tcp/7001, action: allow}'
	echo '  - {name: no, from: w1, to: w2, service: tcp/7002, action: reject}'
}
lines() { # JQ FILTER: number of lines of the file
	jq -s "map(select($1)) | length" "$lab/log/log.json"
}
has() { # JQ FILTER
	[ -s "$lab/log/log.json" ] && jq -es "any(.[]; $1)" "$lab/log/log.json"
}
status_has() { # JQ FILTER
	tapwall status --json | jq -es "any(.[]; $1)"
}

make_host
make_guest 1
make_guest 2
policy >"$lab/policy.yaml"
mkdir "$lab/log"
head -c 1048576 /dev/zero >"$lab/log/log.json"
echo old >"$lab/log/log.json.1"
start_agent --policy "$lab/policy.yaml" --log-to "$lab/log/log.json" --log-size 1
equal "a connection is rejected" refused "$(attempt 1 tcp 10.0.0.12 7002)"
check "a line says so" within 20 has '.reason == "policy" and .rule == "no" and .to.port == 7002 and .workload == "w1"'
equal "the full file was renamed" 1048576 "$(stat -c %s "$lab/log/log.json.1")"
equal "and the one before it" old "$(cat "$lab/log/log.json.2")"

# A guest's broadcast is denied at its own port.
broadcasts() { # true if `tapwall log` has several
	tapwall log --json | jq -es 'map(select(.dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp")) | length >= 3'
}
in_guest 1 ping -b -c 4 -i 0.2 -W 1 10.0.0.255 >"$lab/ping.out" 2>&1
check "a guest sends a broadcast several times" within 20 broadcasts
check "it is in the file" within 20 has '.dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp"'
equal "after a moment" refused "$(attempt 1 tcp 10.0.0.12 7002)"
rejected() {
	[ "$(lines '.rule == "no"')" = 2 ]
}
check "the next denial is, too" within 20 rejected
equal "but once" 1 "$(lines '.dst_mac == "ff:ff:ff:ff:ff:ff" and .proto == "icmp"')"

# Another program moves the file.
mv "$lab/log/log.json" "$lab/log/moved"
equal "another connection is rejected" refused "$(attempt 1 tcp 10.0.0.12 7002)"
check "it is in a new file" within 20 has '.rule == "no"'

stop_agent
rm -r "$lab/log"
mkdir "$lab/log"
start_agent --log-to "$lab/log/gone/log.json"
check "a directory that does not exist: status says so" within 20 status_has \
	'.degraded[0] | contains("denials cannot be written to") and contains("No such file")'
equal "a connection is rejected meanwhile" refused "$(attempt 1 tcp 10.0.0.12 7002)"
mkdir "$lab/log/gone"
check "then it exists: the host is no longer degraded" within 20 status_has '.degraded == []'
stop_agent
must cd "$lab"
ip netns exec "$ns-host" "$tapwalld" --ports 'tap*' --log-to relative --socket "$socket" --bpffs "$lab/bpffs/tapwall" \
	--state-dir "$lab/state" >"$lab/bad.out" 2>&1
equal "a relative path is refused" 1 $?
check "and not made" test ! -e relative
check "with its reason" grep -q "write an absolute path, or journald" "$lab/bad.out"
finish
