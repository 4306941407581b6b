# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# inside.sh: definitions shared by the parts of tests that run in a guest. Sourced.
set -u
n=0
failed=0
# The capabilities that packaging/tapwalld.service gives the agent.
rights=-all,+bpf,+perfmon,+net_admin,+chown

# The shell would run its built-in tools, which do not support namespaces and BPF.
ip() {
	/bin/ip "$@"
}

tc() {
	/bin/tc "$@"
}

# check TEXT COMMAND…: passes if the command succeeds; otherwise prints its output. If `shown` is set, a check that passes
# prints so many characters of the output's last line.
check() {
	what=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/check.out 2>&1; then
		last=$([ -z "${shown:-}" ] || tail -n 1 /tmp/check.out | cut -c "1-$shown")
		echo "ok $n - $what${last:+: $last}"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' /tmp/check.out
		failed=1
	fi
}

# within SECONDS COMMAND…: repeats the command until it succeeds, or fails after SECONDS.
within() {
	left=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
}

bail() {
	echo "Bail out! $*"
	sed 's/^/# /' /tmp/tapwalld.log
	exit 1
}

# Prints how programs are attached on this kernel: by tcx from Linux 6.6, by clsact before.
hooks() {
	uname -r | awk -F . '{ print ($1 > 6 || $1 == 6 && $2 >= 6) ? "tcx" : "clsact" }'
}

# attached_by tcx|clsact
attached_by() {
	tapwall status --json | grep "\"attach\":\"$1\""
}

# is answered|refused|silent NAMESPACE PROTOCOL ADDRESS PORT: checks the result of `probe try`. An answer may be late on
# a busy machine; only silence has to be waited out.
is() {
	patience=8000
	[ "$1" = silent ] && patience=2000
	said=$(ip netns exec "$2" probe try -w $patience "0,$3,$4,$5,0" | cut -d' ' -f2-)
	echo "$3 $4 $5: $said"
	[ "${said%% *}" = "$1" ]
}

# is_protected PORT: true if the agent says so.
is_protected() {
	tapwall ports --json | grep "\"name\":\"$1\"" | grep '"state":"protected"'
}
