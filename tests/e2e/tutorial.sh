#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tutorial.sh: docs/tutorial.md, followed word by word on a host of ten guests with services: files are written as the
# document has them, its commands are run, and their output is compared. In the document, `…` stands for any text, and a
# line of only `…` for any lines. A comment `test: NAME` in the document runs a function of this file.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; functions are called by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

tutorial=$TW_SOURCE/docs/tutorial.md
hosts='web-1:101:11 web-2:102:12 app-1:103:21 app-2:104:22 db-1:105:31 db-2:106:32 mail-1:107:25 dns-1:108:53
	log-1:109:51 mon-1:110:90'

plug_in() { # NAMESPACE PORT MAC ADDRESS…
	name=$1
	port=$2
	mac=$3
	shift 3
	guests="$guests $name"
	must ip netns add "$ns-$name"
	must ip -n "$ns-host" link add "$port" type veth peer name eth0 netns "$ns-$name"
	must ip netns exec "$ns-$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ask_longer "$name" eth0
	{
		echo "link set lo up"
		echo "link set eth0 address $mac"
		for address in "$@"; do echo "addr add $address/24 dev eth0"; done
		echo "link set eth0 up"
	} >"$lab/batch"
	must ip -n "$ns-$name" -batch "$lab/batch"
	must ip -n "$ns-host" link set "$port" master br0 up
}
serve() { # NAMESPACE COMMAND…
	where=$1
	shift
	ip netns exec "$ns-$where" "$@" >/dev/null 2>&1 &
	children="$children $!"
}
listens() { # NAMESPACE PROTO PORT
	ip netns exec "$ns-$1" ss -Hln"$2" "sport = :$3" | grep -q .
}
in_parallel() { # FILE…: scripts named by their guest
	pids=
	for script in "$@"; do
		ip netns exec "$ns-${script##*/}" sh -x "$script" >"$script.out" 2>&1 || { echo "$script" >>"$lab/work.out"; tail -n 5 "$script.out" >>"$lab/work.out"; false; } &
		pids="$pids $!"
	done
	failed=0
	for pid in $pids; do
		wait "$pid" || failed=1
	done
	return "$failed"
}

# ---- what the guests do ----

# The services that a script of a guest uses. Each fails unless it is answered.
# shellcheck disable=SC2016 # the variables are those of the script
uses='set -e
call() { "$traffic" connect tcp "$1" "$2"; }
resolve() { busybox nslookup -type=a dns-1.example 10.0.0.53; }
report() { "$traffic" connect udp 10.0.0.51 514; }
try() { "$traffic" connect tcp "$1" "$2" || :; }
'
begin_services() {
	mkdir "$lab/www"
	echo hello >"$lab/www/index.html"
	for guest in web-1 web-2; do serve "$guest" busybox httpd -f -p 80 -h "$lab/www"; done
	for guest in app-1 app-2; do serve "$guest" busybox httpd -f -p 8080 -h "$lab/www"; done
	serve db-1 "$traffic" echo tcp 5432
	serve db-2 "$traffic" echo tcp 5432
	serve mail-1 "$traffic" echo tcp 25
	serve log-1 "$traffic" echo udp 514
	serve dns-1 dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
		--address=/dns-1.example/10.0.0.53
	for at in web-1:t:80 web-2:t:80 app-1:t:8080 app-2:t:8080 db-1:t:5432 db-2:t:5432 mail-1:t:25 log-1:u:514 \
		dns-1:u:53; do
		within 20 listens "${at%%:*}" "$(echo "$at" | cut -d: -f2)" "${at##*:}" || bail "a service of $at starts"
	done
}
script() { # GUEST LINES
	[ -s "$lab/do/$1" ] || { printf '%s\n' "traffic=$traffic" "$uses"; } >"$lab/do/$1"
	echo "$2" >>"$lab/do/$1"
}
work() {
	rm -rf "$lab/do"
	mkdir "$lab/do"
	users=$(seq -s ' ' -f '10.0.0.%g' 201 220)
	for n in 1 2; do
		me=10.0.0.1$n
		script users "\"$TW_BUILD/tests/e2e/visit\" 10.0.0.1$n 80 $users"
		for app in 10.0.0.21 10.0.0.22; do
			script "web-$n" "\"$TW_BUILD/tests/e2e/visit\" $app 8080 $me $me $me"
		done
		script "app-$n" 'for i in 1 2 3 4; do call 10.0.0.31 5432; done; call 10.0.0.25 25'
	done
	script db-1 'call 10.0.0.32 5432'
	script mon-1 'for n in 11 12 21 22 31 32 25 53 51; do ping -q -c 1 -W 5 10.0.0.$n; done'
	for guest in web-1 web-2 app-1 app-2 db-1 db-2 mail-1 mon-1; do script "$guest" 'resolve; report'; done
	script dns-1 report
	script log-1 resolve
	in_parallel "$lab"/do/* || bail "the guests do their work" "$(tail -n 20 "$lab/work.out")"
}
misbehave() {
	rm -rf "$lab/do"
	mkdir "$lab/do"
	# shellcheck disable=SC2016 # the variable is that of the script
	script mail-1 'for port in $(seq 1 20); do try 10.0.0.32 $port; done'
	in_parallel "$lab/do/mail-1"
}
intrude() { # what the draft does not allow
	ip netns exec "$ns-web-1" "$traffic" connect tcp 10.0.0.31 5432 >"$lab/intruder" 2>&1 &
	children="$children $!"
	intruder=$!
	within 20 sh -c "'$TW_BUILD/tapwall' log --socket '$socket' --json --port 5432 | jq -es 'any(.[]; .verdict == \"deny\")'" ||
		bail "the log has what was denied"
}

# ---- the document ----

matches() { # WANT GOT
	# shellcheck disable=SC2016 # the variables are those of jq
	jq -n --rawfile want "$1" --rawfile got "$2" '$got | test("\\A" + ($want
		| gsub("(?<c>[\\[\\](){}.*+?^$|\\\\])"; "\\" + .c)
		| gsub("(?<a>\\A|\n)…\n"; .a + "(?:[^\n]*\n)*?")
		| gsub("…"; "[^\n]*")) + "\\z")' | grep -qx true
}
follow() { # FILE: a command after `# `, then its output
	command=$(sed -n '1s/^# //p' "$1")
	sed 1d "$1" >"$lab/want"
	(cd "$lab/tutorial" && on_host env PATH="$lab/bin:$PATH" TAPWALL_SOCKET="$socket" TAPWALL_SLOW="$lab/none.sock" \
		sh -c "$command") >"$lab/got" 2>&1
	if matches "$lab/want" "$lab/got"; then
		ok "$command"
	else
		not_ok "$command" "the document has
$(cat "$lab/want")
got
$(cat "$lab/got")"
	fi
}
# Makes a file of each command, each text and each `test:` of the document, in order.
split() {
	awk -v out="$lab/steps" '
		function step(kind) { close(file); file = sprintf("%s/%03d-%s", out, ++n, kind); printf "" >file }
		/^<!-- test: / { step("run"); print $3 >file; next }
		/^<!-- file: / { step("file"); print $3 >file; next }
		/^```/ { inside = !inside; console = inside && $0 ~ /console/; next }
		!inside { next }
		console && /^# / { step("command") }
		{ print >file }' "$tutorial"
}

make_host
for host in $hosts; do
	id=$(echo "$host" | cut -d: -f2)
	plug_in "${host%%:*}" "tap${id}i0" "bc:24:11:00:01:${id#1}" "10.0.0.${host##*:}"
done
# The users are behind the uplink.
# shellcheck disable=SC2046 # a list of words
plug_in users eno1 bc:24:11:00:02:01 $(seq -f '10.0.0.%g' 201 220)
mkdir "$lab/bin" "$lab/tutorial" "$lab/steps"
ln -s "$TW_BUILD/tapwall" "$lab/bin/tapwall"
begin_services
start_agent
split
for step in "$lab"/steps/*; do
	case $step in
	*-run) "$(cat "$step")" ;;
	*-file) sed 1d "$step" >"$lab/tutorial/$(head -n 1 "$step")" ;;
	*-command) follow "$step" ;;
	esac
done
wait "$intruder"
equal "a connection that was not seen is denied" timeout "$(cut -d ' ' -f 1 "$lab/intruder")"
finish
