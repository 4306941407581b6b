/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* exit.h: the exit codes of all programs. */
#pragma once

enum tw_exit {
	TW_EXIT_OK,	    /* done, allowed */
	TW_EXIT_NO,	    /* the answer is no: denied, differs, invalid, no room */
	TW_EXIT_USAGE,	    /* wrong usage */
	TW_EXIT_PERMISSION, /* not permitted, or the kernel lacks something */
	TW_EXIT_NO_AGENT,   /* agent not reachable */
	TW_EXIT_INTERNAL
};

/* The exit code that fits a negative errno. */
enum tw_exit tw_exit_code(int err);
