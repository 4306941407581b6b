#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# sdk.sh: libtapwall as another project uses it: installed to a directory of its own, found by pkg-config, and
# its examples at work on an agent.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

# ---- the installed copy ----

installed=$lab/installed
mkdir "$lab/built"
check "it installs" meson install -C "$TW_BUILD" --no-rebuild --quiet --destdir "$installed" --tags runtime,devel,man
pc=$(find "$installed" -name tapwall.pc)
[ -s "$pc" ] || bail "pkg-config finds it"
# With a sysroot, pkg-config --libs prints paths below that directory.
PKG_CONFIG_LIBDIR=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$installed
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
library=$(find "$installed" -name libtapwall.so.1)
LD_LIBRARY_PATH=$(dirname "$library")
export LD_LIBRARY_PATH
warnings='-Wall -Wextra -Werror -pedantic'

exported() {
	nm -D --defined-only "$library" | sed -n 's/.* T \(.*\)@@TAPWALL_1$/\1/p' | sort
}
in_map() {
	sed -n 's/^\t\(tapwall_[a-z_]*\);$/\1/p' "$TW_SOURCE/sdk/tapwall.map"
}
in_header() {
	tr '\n' ' ' <"$TW_SOURCE/sdk/tapwall.h" | grep -o 'TAPWALL_PUBLIC [^(]*(' | grep -o 'tapwall_[a-z_]*($' | tr -d '('
}
equal "it exports the functions of its map" "$(in_map)" "$(exported)"
equal "and nothing else" TAPWALL_1 "$(nm -D --defined-only "$library" | sed 's/.* //' | grep -v '^tapwall_.*@@TAPWALL_1$')"
equal "which are those of the header" "$(in_map)" "$(in_header | sort)"
equal "the static library defines the same" "$(in_map)" \
	"$(nm --defined-only "$(dirname "$library")/libtapwall.a" | sed -n 's/.* [TDBRV] //p' | sort)"
equal "its name" libtapwall.so.1 "$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p')"
# The library must neither end the process nor print.
equal "it calls nothing that a library must not" "" "$(nm -D --undefined-only "$library" | sed 's/.* //; s/@.*//' |
	grep -E '^(_?exit|abort|_Exit|quick_exit|__assert.*|__.*_chk_fail|v?f?printf|__v?f?printf_chk|f?puts|f?putc|putchar|perror|fwrite|v?dprintf|write|v?syslog|std(out|err)|signal|sigaction|fork|pthread_create)$')"

equal "each function has a page of the manual" "$(in_map)" \
	"$(find "$installed" -path '*/man3/*' | sed -n 's|.*/\(tapwall_[a-z_]*\)\.3$|\1|p' | sort)"
check "and the library" [ -s "$(find "$installed" -name libtapwall.7)" ]

alone() { # COMPILER… : compiles a file that includes the header twice
	printf '#include <tapwall.h>\n#include <tapwall.h>\nint main(void) { return !tapwall_library_version(); }\n' >"$lab/alone"
	# shellcheck disable=SC2046,SC2086 # lists of options
	"$@" $warnings -Wconversion "$lab/alone" -x none $(pkg-config --cflags --libs tapwall) -o "$lab/built/alone" &&
		"$lab/built/alone"
}
check "the header is C11" alone cc -std=c11 -x c
check "and C++17" alone c++ -std=c++17 -x c++
wrapper() {
	sed 's/tapwall\.h>/tapwall.hpp>/' "$lab/alone" >"$lab/alone.cpp"
	# shellcheck disable=SC2046,SC2086 # lists of options
	c++ -std=c++17 $warnings -Wconversion "$lab/alone.cpp" $(pkg-config --cflags --libs tapwall) -o "$lab/built/alone"
}
check "the C++ header can be included twice" wrapper

example() { # NAME COMPILER…
	name=$1
	shift
	source=$(find "$TW_SOURCE/sdk/examples" -name "$name.c" -o -name "$name.cpp")
	# shellcheck disable=SC2046,SC2086 # lists of options
	"$@" $warnings -O1 "$source" $(pkg-config --cflags --libs tapwall) -o "$lab/built/$name"
}
check "connection-log builds" example connection-log cc -std=c11
check "office-hours builds" example office-hours cc -std=c11
check "allow-hour builds" example allow-hour c++ -std=c++17
# shellcheck disable=SC2046,SC2086 # lists of options
check "a program builds without the shared library" cc -std=c11 $warnings "$TW_SOURCE/tests/e2e/sdk-calls.c" \
	$(pkg-config --cflags tapwall) "$(dirname "$library")/libtapwall.a" -lprotobuf-c -o "$lab/built/static"
# shellcheck disable=SC2046,SC2086 # lists of options
check "and with it" cc -std=c11 $warnings "$TW_SOURCE/tests/e2e/sdk-calls.c" \
	$(pkg-config --cflags --libs tapwall) -o "$lab/built/calls"

# ---- an agent ----

make_host
make_guest 1
make_guest 2
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: web, from: w1, to: w2, service: tcp/7000, action: allow}
		  - {name: ask, from: w1, to: w2, service: tcp/7001-7009, action: ask, at: from}
		  - {name: asked, from: w1, to: w2, service: tcp/7001-7009, action: allow, at: to}
		options: {ask: {timeout: 20s}, timeouts: {fin-wait: 1s, close-wait: 1s, last-ack: 1s, time-wait: 1s, closed: 1s}}
	END
} >"$lab/policy.yaml"
start_agent --policy "$lab/policy.yaml" --viewer-socket "$lab/viewer.sock"
begin g2 tcp7000 echo tcp 7000
begin g2 tcp7001 echo tcp 7001
begin g2 tcp7004 echo tcp 7004
begin g2 tcp7005 echo tcp 7005

says() { # FILE TEXT: a line of the file matches
	grep -Eq "$2" "$lab/$1"
}

# Begins an attempt whose end the test does not wait for.
tries() { # N PROTO HOST PORT
	ip netns exec "$ns-g$1" "$traffic" connect "$2" "$3" "$4" >/dev/null 2>&1 &
	children="$children $!"
}

equal "without an agent the library says what to do" \
	"connection-log: $lab/none.sock: cannot reach the agent: No such file or directory; start tapwalld, or name the socket of a running one" \
	"$("$lab/built/connection-log" "$lab/none.sock" 2>&1)"

# ---- the connection logger ----

: >"$lab/log"
"$lab/built/connection-log" "$socket" >"$lab/log" 2>&1 &
logger=$!
children="$children $logger"
check "a connection passes" becomes connected 1 tcp 10.0.0.12 7000
tries 2 tcp 10.0.0.11 7005
check "the logger prints a denied one" within 20 says log \
	'Z deny tcp w2=10.0.0.12:[0-9]+ w1=10.0.0.11:7005 rule default reason policy$'

# ---- calls ----

TAPWALL_SOCKET=$socket "$lab/built/calls" >"$lab/calls" 2>&1
equal "calls of the library" "$(cat <<-'END'
	status: 3 rules, 2 workloads, 2 protected, default deny, generation 1
	versions: equal
	port: tap1 w1 protected 52:54:00:00:00:01 br0, 2 addresses
	port: tap2 w2 protected 52:54:00:00:00:02 br0, 2 addresses
	rules of a list of ports: Invalid argument the rows of this list are of another type; use the function of the list's type
	rule: web allow 6
	rule: ask ask 7
	rule: asked allow 8
	rule: default deny 0
	workload: w1 tap1 10.0.0.11
	workload: w2 tap2 10.0.0.12
	counter: policy, not zero
	flows of nobody: No such file or directory nobody: there is no such workload; tapwall workloads lists the policy's workloads
	events: some, then the end
	descriptor: yes
	no event at once: EAGAIN
	nor later: EAGAIN
	policy: a text, generation 1
	the same: in force, unchanged, +0 -0 rules
	an invalid one: Invalid argument sdk-calls: the policy is invalid
	an invalid one: error at 2:18
	one of two files: Invalid argument sdk-calls: the policy is invalid
	one of two files: error at 4:18, which is 20-b.yaml:1
	an empty one: Operation canceled sdk-calls: 2 protected ports would be NOT FILTERED, because no workload has them: tap1 (w1), tap2 (w2); correct the workload's port or mac; if the port is to be open, apply it with --allow-unprotect
	an empty one: warning at 0:0
	an empty one: tried, +0 -3 rules
	an unknown flag: Invalid argument flags: the program uses flags that this library does not know; use a newer library
	one with a rule more: in force, +1 -0 rules
	the first again: in force, +0 -1 rules
	options of a later library, unused: 0
	used: Argument list too long options: the program uses options that this library does not know; use a newer library
	an answer that is none: Invalid argument verdict: this verdict is no answer; allow or deny
	an answer to no question: 1 refused
	a record: 1
	again: 1
	to nobody: No such file or directory to: nobody is no address, and no workload with an address of its own; tapwall workloads lists workloads
	too narrow: Invalid argument until_policy: the record is invalid; leave out from_port
	icmp with a port: Invalid argument to_port: the record is invalid; tcp and udp have ports, icmp and icmp6 a type
	until the policy changes: 1
	another policy: in force, +1 -0 rules
	the first policy: in force, +0 -1 rules
	a filter that matches all: Invalid argument remove: the request matches every connection; name an end, or set all
	removed: 1 answers
	and then: 0
	END
)" "$(cat "$lab/calls")"

# ---- a decider ----

printf 'w1 w2 tcp 7001 0-24\nw1 w2 tcp 7003 0-0\n' >"$lab/allowed"
: >"$lab/decided"
"$lab/built/office-hours" "$lab/allowed" "$socket" >"$lab/decided" 2>&1 &
decider=$!
children="$children $decider"
decides() {
	[ "$(tapwall status --json | jq .deciders)" = 1 ]
}
no_decider() {
	[ "$(tapwall status --json | jq .deciders)" = 0 ]
}
check "a decider subscribes" within 20 decides
equal "it allows what its file allows" connected "$(attempt 1 tcp 10.0.0.12 7001)"
tries 1 tcp 10.0.0.12 7003
check "and nothing outside its hours" within 20 says decided '^w1 tcp w2:7003 deny$'
equal "it was asked about both" "w1 tcp w2:7001 allow,w1 tcp w2:7003 deny" \
	"$(sort -u "$lab/decided" | paste -sd ,)"
end "$decider"
"$lab/built/office-hours" "$lab/allowed" "$lab/viewer.sock" >"$lab/viewer" 2>&1
equal "a viewer may not decide" \
	"office-hours: request: not allowed on the viewers' socket; use the agent's main socket" "$(cat "$lab/viewer")"

# ---- the program of the documentation ----

sed -n '/^```python$/,/^```$/p' "$TW_SOURCE/docs/sdk.md" | sed '/^```/d' >"$lab/decider.py"
: >"$lab/python"
TAPWALL_SOCKET=$socket python3 "$lab/decider.py" w1 >"$lab/python" 2>&1 &
decider=$!
children="$children $decider"
check "the decider in Python subscribes" within 20 decides
equal "it allows" connected "$(attempt 1 tcp 10.0.0.12 7005)"
equal "what it says" "w1 tcp 10.0.0.12 7005 allow" "$(cat "$lab/python")"
end "$decider"

# ---- records ----

hour() { # FROM TO PROTO PORT [end]
	TAPWALL_SOCKET=${hour_socket:-$socket} "$lab/built/allow-hour" "$@" 2>&1
}
live() { # PORT
	tapwall flows --json | jq -s --argjson port "$1" 'map(select(.to.port == $port)) | length'
}
none_live() {
	hour w1 w2 tcp 7004 end
	[ "$(live 7004)" = 0 ]
}
opened() {
	tapwall log --json --all | jq -se 'any(.[]; .event == "open" and .to.port == 7004 and .reason == "ask-allowed")'
}
check "no decider is left" within 20 no_decider
equal "a record for each family" "allowed for an hour: 2 answers in force" "$(hour w1 w2 tcp 7004)"
check "the agent logs it" within 20 grep -q 'record: allow 10.0.0.11 to 10.0.0.12 port 7004 for 3600 s, by rule ask' "$lab/agent.log"
begin g1 stream stream "$lab/stream" tcp 10.0.0.12 7004 50
check "it opens a connection without a question" within 20 grows stream echoed 0
check "the log says why" within 20 opened
equal "flows names the rule" "allow ask" "$(tapwall flows --json |
	jq -r 'select(.to.port == 7004) | .out.verdict + " " + .out.rule' | head -n 1)"
equal "what the policy allows needs no record" \
	"allow-hour: record: the policy allows the connection; no record is needed" "$(hour w1 w2 tcp 7000)"
equal "what it denies gets none" \
	"allow-hour: default: the policy denies the connection, and a record allows only what a rule asks about; change the rule to action: ask" \
	"$(hour w2 w1 tcp 7004)"
equal "nor does a host of others" \
	"allow-hour: record: no port of this host judges the connection; ask the agent of the host" \
	"$(hour 10.9.9.1 10.9.9.2 tcp 7004)"
equal "a viewer installs none" \
	"allow-hour: request: not allowed on the viewers' socket; use the agent's main socket" \
	"$(hour_socket=$lab/viewer.sock hour w1 w2 tcp 7004)"
equal "the record is taken back" "took back 2 answers" "$(hour w1 w2 tcp 7004 end | sed 's/.*, //')"
check "and its connection ends" within 20 none_live
check "the logger says that it was removed" within 40 says log 'close .* w2=10.0.0.12:7004 .* rule ask.* reason removed$'
denied() {
	tapwall log --json | jq -se 'any(.[]; .event == "deny" and .to.port == 7004 and .reason == "ask-unavailable")'
}
tries 1 tcp 10.0.0.12 7004
check "the next one is denied" within 20 denied

# ---- a restart ----

check "the logger prints the connection that ended" within 40 says log \
	'Z close tcp w1=10.0.0.11:[0-9]+ w2=10.0.0.12:7000 packets [1-9][0-9]*/[1-9][0-9]* bytes [1-9][0-9]*/[1-9][0-9]* [0-9.]+s rule web reason established$'
stop_agent
start_agent
tries 2 udp 10.0.0.11 7002
check "after a restart of the agent, it goes on" within 40 says log \
	'Z deny udp w2=10.0.0.12:[0-9]+ w1=10.0.0.11:7002 rule default reason policy$'
equal "and repeats nothing" 1 "$(grep -c 'w2=10.0.0.12:7000' "$lab/log")"
end "$logger"
finish
