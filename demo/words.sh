# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=sh
# words.sh: output of the demo, and its calls of tapwall and demo/report. Sourced, not run.
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

# step_begins NAME TEXT: shows what a step waits for. On a terminal, its result replaces the line.
step_begins() {
	if [ -t 1 ]; then
		printf '  %s%-9s%s %s%s ...%s' "$bold" "$1" "$plain" "$dim" "$2" "$plain"
	else
		printf '  %-9s %s ...\n' "$1" "$2"
	fi
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

# since NANOSECONDS: prints the time that has passed since then.
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

# foretell FOLDER: gets tapwall's verdicts on the paths beforehand. Hand-built frames are replayed
# at the port that they leave from, because their addresses may be forged.
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
		printf '%sSome results are not as expected%s, see above.' "$bold" "$plain"
	fi
	case $DEMO_MODE:${STAY:-} in
	replay:*) echo ;;
	*:) printf ' Nothing is left behind. STAY=1 keeps the demo running.\n' ;;
	*) echo ;;
	esac
}
