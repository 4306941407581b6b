# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# lib.sh: what the tests with virtual machines share. Sourced. They speak TAP (testanything.org).
#
# A test re-runs itself inside demo/cell, so that no namespace, tap, pin, mount or process outlives
# it, and has there a /run of its own with LAB_RUN in it.
set -u
TW_SOURCE=${TW_SOURCE:?set TW_SOURCE to the checkout}
TW_BUILD=${TW_BUILD:?set TW_BUILD to the build folder}
LAB_SRC=$TW_SOURCE/demo
export TW_SOURCE TW_BUILD LAB_SRC
. "$LAB_SRC/lab.sh"
PATH=$TW_BUILD:$TW_BUILD/demo:$PATH
# Guests are emulated, beside other tests.
export LAB_BOOT_SECONDS=240 LAB_SECONDS=120
n_ok=0
n_failed=0

# The whole test cannot run here.
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

ok() {
	n_ok=$((n_ok + 1))
	echo "ok $((n_ok + n_failed)) - $*"
}

not_ok() {
	n_failed=$((n_failed + 1))
	echo "not ok $((n_ok + n_failed)) - $*"
}

# check TEXT COMMAND…: passes if the command does; what it printed is shown if not.
check() {
	what=$1
	shift
	if "$@" >"$LAB_RUN/check.out" 2>&1; then
		ok "$what"
	else
		not_ok "$what"
		sed 's/^/# /' "$LAB_RUN/check.out"
	fi
}

# within SECONDS COMMAND…: tries until it succeeds; fails when the time is over.
within() {
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# The usual amount of something random, or, with SCALE=full, a large one.
scaled() { # USUAL FULL
	[ "${SCALE:-}" = full ] && echo "$2" || echo "$1"
}

finish() {
	echo "1..$((n_ok + n_failed))"
	exit "$((n_failed > 0))"
}

# bail REASON: the test cannot go on.
bail() {
	echo "Bail out! $*"
	exit 1
}

# Outside: checks what is needed, then starts this script again inside.
enter() {
	if [ "${LAB_INSIDE:-}" = 1 ]; then
		LAB_RUN=/run/lab
		mkdir -p "$LAB_RUN"
		return
	fi
	[ "$(id -u)" = 0 ] || skip_all 'not root'
	lab_ready || skip_all "$LAB_WHY"
	"$TW_BUILD/demo/cell" true || skip_all 'no right to make namespaces'
	export LAB_IMAGE LAB_ACCEL LAB_INSIDE=1
	exec "$TW_BUILD/demo/cell" "$0"
}
