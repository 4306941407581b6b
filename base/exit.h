/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* exit.h: the exit codes of all programs. */
#pragma once

enum tw_exit {
	TW_EXIT_OK,	    /* success, or allowed */
	TW_EXIT_NO,	    /* the answer is no: denied, differs, invalid, table too small */
	TW_EXIT_USAGE,	    /* wrong usage */
	TW_EXIT_PERMISSION, /* permission denied, or the kernel lacks a feature */
	TW_EXIT_NO_AGENT,   /* the agent cannot be reached */
	TW_EXIT_INTERNAL
};

/* Returns the exit code for a negative errno. */
enum tw_exit tw_exit_code(int err);
