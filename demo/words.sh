# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# words.sh: what the demo says, and what it asks of tapwall and of demo/report. Sourced.
PATH=$TW_BUILD:$TW_BUILD/demo:$PATH
policy=${DEMO_POLICY:-examples/three-tier.yaml}
paths=${DEMO_PATHS:-demo/three-tier.paths}
bold="" dim="" red="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') red=$(printf '\033[31m') plain=$(printf '\033[0m')
fi

report() {
	"$TW_BUILD/demo/report" "$policy" "$paths" "$@"
}

headline() {
	printf '%stapwall%s: three guests on one bridge, one policy, every path between them\n' "$bold" "$plain"
	[ -z "$DEMO_NOTE" ] || printf '%s\n' "$DEMO_NOTE"
	echo
}

# On a terminal a step shows what it waits for, until what came of it takes its place.
step_begins() {
	[ ! -t 1 ] || printf '  %s%-9s%s %s%s ...%s' "$bold" "$1" "$plain" "$dim" "$2" "$plain"
}

step() {
	[ ! -t 1 ] || printf '\r\033[K'
	printf '  %s%-9s%s %s\n' "$bold" "$1" "$plain" "$2"
}

heading() {
	printf '\n%s%s%s  %s%s%s\n' "$bold" "$1" "$plain" "$dim" "$2" "$plain"
}

die() {
	[ ! -t 1 ] || printf '\r\033[K'
	printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
	exit 1
}

# since NANOSECONDS: how long ago that was.
since() {
	ms=$((($(date +%s%N) - $1) / 1000000))
	printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

guests_are() {
	case $DEMO_MODE in
	vm) printf 'three virtual machines, Linux %s, %s' "$(in_guest web-1 uname -r </dev/null)" \
		"$([ "$LAB_ACCEL" = kvm ] && echo KVM || echo 'QEMU without KVM')" ;;
	*) printf 'three network namespaces' ;;
	esac
}

# foretell FOLDER: what tapwall says of the paths beforehand. Frames made by hand are replayed at the
# port they leave from, for they may lie about who sent them.
foretell() {
	report tuples | tapwall explain --policy "$policy" --batch >"$1/explained" ||
		die 'tapwall explain failed'
	: >"$1/index"
	: >"$1/replayed"
	foretell_one "$1"
	for name in $(report guests | cut -d' ' -f1); do
		foretell_one "$1" "$name" --at "$name"
	done
}

# foretell_one FOLDER [GUEST --at GUEST]
foretell_one() {
	folder=$1
	guest=${2:-}
	[ $# = 1 ] && shift || shift 2
	report capture "$folder/part.pcap" "$folder/part.index" $guest || die 'no capture can be written'
	[ -s "$folder/part.index" ] || return 0
	tapwall replay --policy "$policy" --pcap "$folder/part.pcap" --json "$@" >>"$folder/replayed" ||
		die 'tapwall replay failed'
	cat "$folder/part.index" >>"$folder/index"
}

closing() {
	echo
	if [ "$1" = 0 ]; then
		printf '%sAll as expected%s, %s from start to end.' "$bold" "$plain" "$(since "$DEMO_STARTED")"
	else
		printf '%sNot all is as expected%s, see above.' "$bold" "$plain"
	fi
	case $DEMO_MODE:${STAY:-} in
	replay:*) echo ;;
	*:) printf ' Nothing of it is left behind. STAY=1 keeps it up to look around.\n' ;;
	*) echo ;;
	esac
}
