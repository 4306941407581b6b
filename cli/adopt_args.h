/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* adopt_args.h: the options, examples and description of `tapwall adopt`.
 *
 * Callers:    commands.c, which includes it after SOCKET(), JSON() and WORKLOADS.
 */
#pragma once

static const struct tw_arg adopt_args[] = {
	{.name = "WORKLOAD",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_adopt_options, workload),
		.positional = true,
		.help = "Act on the ports of this workload; without it, on all ports. --for then "
			"includes ports that become protected meanwhile"},
	{.name = "for",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_adopt_options, time),
		.help = "Length of the window, such as 60s, 10m or 2h, at most 24h"},
	{.name = "stop",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_adopt_options, stop),
		.help = "Close the windows that are open, also those that the policy opened"},
	JSON(struct tw_adopt_options, "one object"),
	SOCKET(struct tw_adopt_options),
};

static const struct tw_args_example adopt_examples[] = {
	{"tapwall adopt db-1 --for 2h", "Let the idle connections of db-1's clients continue"},
	{"tapwall adopt --for 10m", "Before the ports of running guests are moved to new bridges"},
	{"tapwall adopt --stop",
		"Close the windows, because all connections that matter have continued"},
};

#define ADOPT_DESCRIPTION                                                                     \
	"A TCP connection that began before its port was protected, or on another host, has " \
	"no record, so its segments are denied with the reason _tcp-midstream_. Within an "   \
	"adoption window such a segment opens a record if the policy allows the connection. " \
	"The end with the lower port is taken for the server.\n\n"                            \
	"Each port that becomes protected gets a window by itself, as long as "               \
	"_options.adopt_ of the policy says; see *docs/policy.md*. This command opens one "   \
	"at any time. A window that ends later stays as it is. A policy with a shorter "      \
	"_adopt_ shortens the windows that a policy opened, but not those of this command; "  \
	"*--stop* closes both. A window grants nothing that the "                             \
	"policy denies, but while it is open, a guest can send segments that belong to no "   \
	"connection to where it may connect, or from where it may be connected to.\n\n"       \
	"With *--json* the object has _ports_, the number of ports, and _seconds_; with "     \
	"*--stop* _ports_ counts those that had a window, and _seconds_ is 0."
