/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture_args.h: the options and examples of `tapwall capture`.
 *
 * Callers:    commands.c, which includes it after SOCKET() and JSON().
 */
#pragma once

static const struct tw_arg capture_args[] = {
	{.name = "WORKLOAD",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_capture_options, workload),
		.positional = true,
		.required = true,
		.help = "Workload whose ports are captured, or the name of one port"},
	{.name = "write",
		.type = TW_ARG_FILE,
		.letter = 'w',
		.value = "FILE",
		.offset = offsetof(struct tw_capture_options, write),
		.help = "Write whole frames to FILE as pcapng, - to stdout; without it, "
			"print one line of text per frame"},
	{.name = "dropped",
		.type = TW_ARG_FLAG,
		.letter = 'd',
		.offset = offsetof(struct tw_capture_options, dropped),
		.help = "Capture only frames that are denied or rejected"},
	{.name = "count",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_capture_options, count),
		.help = "Exit after N frames; 0 means never"},
	{.name = "seconds",
		.type = TW_ARG_U32,
		.value = "N",
		.offset = offsetof(struct tw_capture_options, seconds),
		.help = "Exit after N seconds; 0 means never"},
	{.name = "snaplen",
		.type = TW_ARG_U32,
		.letter = 's',
		.value = "N",
		.max = TW_CAPTURE_SNAP_MAX,
		.offset = offsetof(struct tw_capture_options, snap_len),
		.help = "Capture at most N bytes of each frame; 0 means all"},
	{.name = "buffer",
		.type = TW_ARG_U32,
		.letter = 'B',
		.value = "MIB",
		.fallback = "4",
		.min = 1,
		.max = 64,
		.offset = offsetof(struct tw_capture_options, buffer),
		.help = "Size of each port's buffer in MiB"},
	JSON(struct tw_capture_options, "one object per frame, without its payload"),
	SOCKET(struct tw_capture_options),
};

static const struct tw_args_example capture_examples[] = {
	{"tapwall capture web-1 --dropped", "Show which of web-1's frames are denied, and why"},
	{"tapwall capture web-1 -w web-1.pcapng",
		"Save frames for later, with verdict, reason and rule as comments"},
	{"tapwall capture db-1 -w - | tcpdump -nr -",
		"Pipe frames into a program that reads captures"},
};
