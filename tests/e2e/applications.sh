#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# applications.sh: the fast path names the applications of connections, with and without cut-through, also if the policy
# changes before the name is known. Names outlive the agent. Without the option, there are none.
# shellcheck disable=SC2016,SC2119,SC2317 # another shell expands; options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

make_host
make_guest 1
make_guest 2
policy() { # TRUE OR FALSE, COMMENT
	workloads 2
	cat <<-END
		rules:
		  - {name: all, from: w1, to: w2, service: [tcp/7000-7009, udp/7010], action: allow, comment: "$2"}
		options: {inspection: {applications: $1}}
	END
}
policy true first >"$lab/named.yaml"
policy true second >"$lab/again.yaml"
sed -i 's/udp.7010/udp\/7010-7011/' "$lab/again.yaml"
policy false none >"$lab/off.yaml"

# A client that sends the lines of a FIFO, without their line feeds, as it gets them.
talk() { # NAME PORT
	mkfifo "$lab/$1"
	ip netns exec "$ns-g1" bash -c 'exec 3<>"/dev/tcp/10.0.0.12/$1"; while IFS= read -r line; do printf "$line" >&3; done <"$2"' \
		talk "$2" "$lab/$1" 2>"$lab/$1.err" &
	children="$children $!"
}
app() { # PORT
	tapwall flows --json | jq -r --argjson port "$1" 'select(.to.port == $port) | .application // "none"'
}
is_app() { # PORT NAME
	[ "$(app "$1")" = "$2" ]
}

begin g2 echo echo tcp 7000
begin g2 echo-split echo tcp 7001
begin g2 echo-off echo tcp 7002
begin g2 echo-cut echo tcp 7003
begin g2 echo-udp echo udp 7010
start_agent --policy "$lab/named.yaml" --forwarding vswitch

talk web 7000
exec 4>"$lab/web"
equal "a connection without a payload has no name" none "$(within 20 is_app 7000 none && app 7000)"
printf '%s\n' 'GET / HTTP/1.1\r\n\r\n' >&4
check "the first line of HTTP gives it" within 20 is_app 7000 http

talk split 7001
exec 5>"$lab/split"
printf '%s\n' 'SSH-' >&5
check "four bytes arrive" within 20 eval 'tapwall flows --json | jq -es "any(.[]; .to.port == 7001 and .packets.out >= 4)"'
equal "four bytes of a banner give no name" none "$(app 7001)"
check "the policy changes" apply "$lab/again.yaml"
printf '%s\n' '2.0-x\r\n' >&5
check "the rest of the banner gives it" within 20 is_app 7001 ssh
equal "the other connection keeps its name" http "$(app 7000)"

# A question to a DNS server; the answer is the same datagram.
ip netns exec "$ns-g1" bash -c \
	'printf "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1" >/dev/udp/10.0.0.12/7010'
check "one datagram is enough for DNS" within 20 is_app 7010 dns
check "flows has a column for it" eval 'tapwall flows | grep -q "tcp.*7000  *http  *established"'

stop_agent
start_agent --forwarding cut-through
equal "the next agent knows the names" "http ssh" "$(app 7000) $(app 7001)"
talk cut 7003
exec 6>"$lab/cut"
printf '%s\n' 'GET / HTTP/1.1\r\n\r\n' >&6
check "frames that pass by the bridge are looked at, too" within 20 is_app 7003 http

check "the option is taken back" apply "$lab/off.yaml"
talk off 7002
exec 7>"$lab/off"
printf '%s\n' 'GET / HTTP/1.1\r\n\r\n' >&7
check "the request arrives" within 20 eval 'tapwall flows --json | jq -es "any(.[]; .to.port == 7002 and .packets.in >= 2)"'
equal "a new connection has no name" none "$(app 7002)"
equal "those of earlier ones stay" "http ssh http" "$(app 7000) $(app 7001) $(app 7003)"
denials() {
	tapwall ports --json | jq -s '[.[] | .denied.out, .denied.in] | add'
}
equal "nothing was denied" 0 "$(denials)"
finish
