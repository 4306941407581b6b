# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# lib.sh: definitions shared by the tests with virtual machines. Sourced. The tests print TAP
# (testanything.org).
#
# A test restarts itself inside demo/cell, so that no namespace, tap, pin, mount or process outlives
# it. There it has a private /run that contains LAB_RUN.
set -u
TW_SOURCE=${TW_SOURCE:?set TW_SOURCE to the checkout}
TW_BUILD=${TW_BUILD:?set TW_BUILD to the build directory}
LAB_SRC=$TW_SOURCE/demo
export TW_SOURCE TW_BUILD LAB_SRC
. "$LAB_SRC/lab.sh"
PATH=$TW_BUILD:$TW_BUILD/demo:$PATH
# Guests are emulated, in parallel with other tests.
export LAB_BOOT_SECONDS=240 LAB_SECONDS=120
n_ok=0
n_failed=0

# Skips the whole test, which cannot run on this host.
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

# check TEXT COMMAND…: passes if the command succeeds; otherwise prints its output.
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

# within SECONDS COMMAND…: repeats the command until it succeeds, or fails after SECONDS.
within() {
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# Prints the usual amount of random work, or, with SCALE=full, the large one.
scaled() { # USUAL FULL
	[ "${SCALE:-}" = full ] && echo "$2" || echo "$1"
}

finish() {
	echo "1..$((n_ok + n_failed))"
	exit "$((n_failed > 0))"
}

# bail REASON: ends a test that cannot continue.
bail() {
	echo "Bail out! $*"
	exit 1
}

# Outside the cell: checks the requirements, then starts this script again inside. LAB_SCALE=full marks a test that only
# SCALE=full runs.
enter() {
	if [ "${LAB_INSIDE:-}" = 1 ]; then
		LAB_RUN=/run/lab
		mkdir -p "$LAB_RUN"
		return
	fi
	[ "${LAB_SCALE:-usual}" = usual ] || [ "${SCALE:-}" = full ] || skip_all 'SCALE=full runs it'
	[ "$(id -u)" = 0 ] || skip_all 'not root'
	lab_ready || skip_all "$LAB_WHY"
	"$TW_BUILD/demo/cell" true || skip_all 'no right to make namespaces'
	export LAB_IMAGE LAB_ACCEL LAB_INSIDE=1
	exec "$TW_BUILD/demo/cell" "$0"
}
