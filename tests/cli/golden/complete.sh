#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# complete.sh WORD…: prints the completions of the last word.
tapwall() { command tapwall "$@" --socket agent.sock; }
# shellcheck disable=SC1091 # made by the build
. "$BUILD/cli/man/tapwall"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_tapwall
printf '%s\n' "${COMPREPLY[@]}"
