#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# clickhouse.sh: a history in ClickHouse gives the same answers as one in a file, and has each connection once. If the
# server is away, nothing else stops. Needs Debian's clickhouse-server and clickhouse-client: make deps-clickhouse.
# shellcheck disable=SC2119,SC2317 # options of lib.sh are optional; checks call functions by name
# shellcheck source=tests/e2e/lib.sh
. "$TW_SOURCE/tests/e2e/lib.sh"

for program in clickhouse-server clickhouse-client; do
	[ -x "/usr/sbin/$program" ] || [ -x "/usr/bin/$program" ] || {
		echo "1..0 # SKIP $program is not installed: make deps-clickhouse"
		exit 0
	}
done

slow=$lab/slow
server=
slowd=

# Writes a configuration for the server: loopback only, 1 GB of memory, all files in the lab.
configure_server() {
	mkdir -p "$lab/click/data" "$lab/click/tmp"
	cat >"$lab/click/config.xml" <<-END
		<yandex>
		<logger><level>warning</level><console>1</console></logger>
		<http_port>8123</http_port><tcp_port>9000</tcp_port><listen_host>127.0.0.1</listen_host>
		<path>$lab/click/data/</path><tmp_path>$lab/click/tmp/</tmp_path>
		<users_config>$lab/click/users.xml</users_config>
		<default_profile>default</default_profile><default_database>default</default_database>
		<mark_cache_size>67108864</mark_cache_size>
		</yandex>
	END
	cat >"$lab/click/users.xml" <<-'END'
		<yandex>
		<profiles><default><max_memory_usage>1000000000</max_memory_usage><max_threads>2</max_threads></default></profiles>
		<users><tapwall><password>it's "secret"</password><networks><ip>127.0.0.1</ip></networks>
		<profile>default</profile><quota>default</quota></tapwall></users>
		<quotas><default></default></quotas>
		</yandex>
	END
	printf 'tapwall\nit'\''s "secret"\n' >"$lab/login"
	chown 65534:65534 "$lab/login"
	chmod 600 "$lab/login"
}
start_server() {
	ip netns exec "$ns-host" clickhouse-server --config-file="$lab/click/config.xml" >"$lab/click/log" 2>&1 &
	server=$!
	children="$children $server"
	within 60 on_host busybox wget -q -O - http://127.0.0.1:8123/ping ||
		bail "clickhouse-server starts" "$(tail -n 20 "$lab/click/log")"
}
client() { # QUERY: by the server's own client
	on_host clickhouse-client --host 127.0.0.1 --user tapwall --password "it's \"secret\"" --database tapwall --query "$1"
}
start_slowd() { # OPTION…
	ip netns exec "$ns-host" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$TW_BUILD/tapwall-slowd" --state-dir "$slow" --history clickhouse://127.0.0.1:8123/tapwall \
		--history-login "$lab/login" --listen 127.0.0.1:7433 --socket "$slow/slowd.sock" \
		--cert "$slow/slowd.pem" --key "$slow/slowd.pem" --ca "$slow/ca.pem" 2>>"$lab/slowd.log" &
	slowd=$!
	children="$children $slowd"
	within 20 "$TW_BUILD/tapwall" agents --slow "$slow/slowd.sock" || bail "tapwall-slowd starts" "$(cat "$lab/slowd.log")"
}
history() { # OPTION…
	"$TW_BUILD/tapwall" history "$@" --slow "$slow/slowd.sock"
}
has() { # N JQ FILTER: that number of rows
	[ "$(history --limit 0 --json | jq -c "select(.summary | not) | select($2)" | wc -l)" = "$1" ]
}
status_has() { # JQ FILTER
	history status --json | jq -se "$1"
}
twice() {
	history --limit 0 --json | jq -c 'select(.event) | [.time, .event, .from, .to]' | sort | uniq -d
}
followed() {
	status_has '.[0].followed'
}
connects() { # PORT: connects, and closes
	attempt 1 tcp 10.0.0.12 "$1"
}

make_host
make_guest 1
make_guest 2
configure_server
chmod 755 "$lab"
mkdir "$slow"
chown 65534:65534 "$slow"
slowd_alone() { # OPTION…
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TW_BUILD/tapwall-slowd" --state-dir "$slow" "$@"
}
{
	workloads 2
	cat <<-'END'
		rules:
		  - {name: echo, from: any, to: any, service: tcp/7004, action: allow}
		  - {name: idle, from: any, to: any, service: tcp/7009, action: allow}
		options: {timeouts: {time-wait: 1s, closed: 1s, last-ack: 1s, fin-wait: 1s}}
	END
} >"$lab/policy.yaml"
slowd_alone --init >"$lab/init.out" || bail "the slow path makes a CA" "$(cat "$lab/init.out")"
slowd_alone --issue host-a >"$lab/host-a.pem" || bail "a certificate is issued"
cp "$slow/ca.pem" "$lab"
begin g2 echo4 echo tcp 7004

start_slowd
start_agent --policy "$lab/policy.yaml" --slow-path 127.0.0.1:7433 --slow-path-cert "$lab/host-a.pem" \
	--slow-path-key "$lab/host-a.pem" --slow-path-ca "$lab/ca.pem"
equal "the server is not there yet: a connection" connected "$(connects 7004)"
check "status says so" within 20 status_has '.[-1].failing | contains("cannot be reached")'
check "the agent is connected" within 20 sh -c "'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' --json | jq -es 'any(.[]; .connected)'"
equal "a question is answered by an error" "tapwall: http://127.0.0.1:8123/: the server cannot be reached: Couldn't connect to server" \
	"$(history 2>&1)"
start_server
check "the server starts: the connection is recorded" within 40 has 1 '.event == "close"'
equal "with its fields" '["allow","echo","tcp","10.0.0.11","w1","10.0.0.12",7004,"w2","host-a"]' \
	"$(history --json | jq -c 'select(.event) | [.verdict, .rule, .proto, .from.address, .from.workload, .to.address, .to.port, .to.workload, .agent]')"
equal "the server's own client reads the row" "close	allow	echo	10.0.0.11	w1	10.0.0.12	7004	w2	host-a" \
	"$(client 'SELECT event, verdict, rule, from_ip, from_workload, to_ip, to_port, to_workload, agent FROM history')"
equal "the tables have their version" 3 "$(client 'SELECT max(number) FROM history_migrations')"

check "a file and the server give the same answers" \
	on_host "$TW_BUILD/tests/clickhouse/clickhouse_same" clickhouse://127.0.0.1:8123/same "$lab/login"

# A ClickHouse of npm's package chdb stands for newer servers; $TW_CHDB names the directory with the package.
if [ -d "${TW_CHDB:-/nonexistent}/chdb" ] && command -v node >/dev/null; then
	mkdir "$lab/chdb"
	NODE_PATH=$TW_CHDB ip netns exec "$ns-host" node "$TW_SOURCE/tests/clickhouse/chdb.mjs" "$lab/chdb" 8124 \
		>"$lab/chdb/log" 2>&1 &
	children="$children $!"
	check "chdb starts" within 20 on_host busybox wget -q -O - --post-data='SELECT 1' http://127.0.0.1:8124/
	check "a newer server gives the same answers" \
		on_host "$TW_BUILD/tests/clickhouse/clickhouse_same" clickhouse://127.0.0.1:8124/same
else
	say "no package chdb in \$TW_CHDB: the schema of newer servers is not checked"
fi

kill -KILL "$slowd"
wait "$slowd" 2>/dev/null
equal "the slow path is dead: a connection" connected "$(connects 7004)"
start_slowd
check "is recorded when it comes back" within 40 has 2 '.event == "close"'
equal "none is recorded twice" "" "$(twice)"

kill -KILL "$server"
wait "$server" 2>/dev/null
equal "the server is dead: a connection" connected "$(connects 7004)"
check "status says so" within 40 status_has '.[-1].failing | contains("cannot be reached")'
check "the log too" within 5 grep -q "the history cannot be written: the server cannot be reached: .*; agents keep their events until it can" "$lab/slowd.log"
check "the agent is connected" sh -c "'$TW_BUILD/tapwall' agents --slow '$slow/slowd.sock' --json | jq -es 'any(.[]; .connected)'"
start_server
check "the server comes back: the connection is recorded" within 40 has 3 '.event == "close"'
equal "none is recorded twice" "" "$(twice)"
equal "nor for the server's own client" "3" \
	"$(client "SELECT count() FROM history WHERE event = 'close' AND batch NOT IN (SELECT batch FROM history_voids)")"

kill -TERM "$slowd"
wait "$slowd"
equal "a slow path that stops releases the tables" 1 \
	"$(client 'SELECT released FROM history_owners ORDER BY epoch DESC, released DESC LIMIT 1')"
client 'INSERT INTO history_migrations VALUES (99, now())'
start_slowd
check "tables of a newer version are refused" within 20 status_has \
	'.[-1].failing == "the tables have version 99; this tapwall-slowd knows those up to 3; start a newer tapwall-slowd, or use another database"'
kill -TERM "$slowd"
wait "$slowd"
finish
