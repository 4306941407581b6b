/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* top_args.h: the options and examples of `tapwall top`.
 *
 * Callers:    commands.c, which includes it after SOCKET() and JSON().
 */
#pragma once

/* `all`, then the views of top.h in their order. */
static const char *const top_views[] = {"all", "ports", "connections", "rules", "reasons", NULL};

static const struct tw_arg top_args[] = {
	{.name = "once",
		.type = TW_ARG_FLAG,
		.letter = '1',
		.offset = offsetof(struct tw_top_options, once),
		.help = "Print one interval as text and exit; the default if stdout is "
			"not a terminal"},
	{.name = "interval",
		.type = TW_ARG_U32,
		.letter = 'i',
		.value = "S",
		.fallback = "1",
		.min = 1,
		.max = 3600,
		.offset = offsetof(struct tw_top_options, interval),
		.help = "Refresh every S seconds"},
	{.name = "count",
		.type = TW_ARG_U32,
		.letter = 'c',
		.value = "N",
		.offset = offsetof(struct tw_top_options, count),
		.help = "Print N intervals as text and exit"},
	{.name = "view",
		.type = TW_ARG_CHOICE,
		.letter = 'v',
		.choices = top_views,
		.fallback = "all",
		.offset = offsetof(struct tw_top_options, view),
		.help = "Show this view; on a screen, show it first"},
	{.name = "sort",
		.type = TW_ARG_CHOICE,
		.choices = tw_top_sorts,
		.fallback = "bytes",
		.offset = offsetof(struct tw_top_options, sort),
		.help = "Sort by this rate"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.fallback = "20",
		.min = 1,
		.max = 1000,
		.offset = offsetof(struct tw_top_options, limit),
		.help = "Show at most N connections; as text, at most N rows of each view"},
	JSON(struct tw_top_options, "one object per interval"),
	SOCKET(struct tw_top_options),
};

static const struct tw_args_example top_examples[] = {
	{"tapwall top", "Show the busiest ports; press a key for connections or rules"},
	{"tapwall top --once --view connections --sort packets",
		"Print the busiest connections once, for a report"},
	{"tapwall top --json --interval 10 --count 6 | jq .opened_s",
		"Print new connections per second, for a minute"},
};
