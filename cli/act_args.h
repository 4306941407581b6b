/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* act_args.h: the options, examples and descriptions of `tapwall block`, `unblock` and `kill`.
 *
 * Callers:    commands.c, which includes it after SOCKET(), JSON(), FILTERS() and WORKLOADS.
 */
#pragma once

static const struct tw_arg block_args[] = {
	{.name = "WORKLOAD",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_block_options, workload),
		.positional = true,
		.help = "Workload to block; without it, list the blocked workloads"},
	{.name = "for",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_block_options, time),
		.help = "Unblock the workload after TIME, such as 30m, 2h or 7d"},
	{.name = "why",
		.type = TW_ARG_TEXT,
		.value = "TEXT",
		.fallback = "blocked by an operator",
		.offset = offsetof(struct tw_block_options, why),
		.help = "Reason; status, ports and explain show it"},
	JSON(struct tw_block_options, "one object per workload"),
	SOCKET(struct tw_block_options),
};

static const struct tw_arg unblock_args[] = {
	{.name = "WORKLOAD",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_block_options, workload),
		.positional = true,
		.required = true,
		.help = "Workload to unblock"},
	JSON(struct tw_block_options, "no object on success"),
	SOCKET(struct tw_block_options),
};

static const struct tw_args_example block_examples[] = {
	{"tapwall block web-1 --for 1h --why 'ticket 4712'",
		"Let nothing pass at its ports for an hour"},
	{"tapwall block", "List the blocked workloads"},
};

#define BLOCK_DESCRIPTION                                                                    \
	"A blocked workload is in quarantine: see *tapwall-quarantine*(1), which can also "  \
	"do this at all hosts of *tapwall-slowd*(8). *tapwall unblock* ends it, however it " \
	"began.\n\n"                                                                         \
	"With *--json* the objects are those of *quarantine*."

#define UNBLOCK_DESCRIPTION \
	"Does the same as *tapwall quarantine WORKLOAD --lift*: see *tapwall-quarantine*(1)."

static const struct tw_arg kill_args[] = {
	{.name = "workload",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.letter = 'w',
		.value = "W",
		.offset = offsetof(struct tw_kill_options, workload),
		.help = "Only from or to this workload"},
	{.name = "from",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.value = "X",
		.offset = offsetof(struct tw_kill_options, from),
		.help = "Only connections that this workload or address opened"},
	{.name = "to",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.value = "Y",
		.offset = offsetof(struct tw_kill_options, to),
		.help = "Only connections that were opened to this workload or address"},
	FILTERS(struct tw_kill_options),
	{.name = "all",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_kill_options, all),
		.help = "End all connections of this host"},
	JSON(struct tw_kill_options, "one object"),
	SOCKET(struct tw_kill_options),
};

static const struct tw_args_example kill_examples[] = {
	{"tapwall kill --rule ssh-in --address 198.51.100.0/24",
		"End the connections that these addresses opened and this rule allowed"},
	{"tapwall kill -w db-1 --port 5432", "End the connections of the database"},
};

#define KILL_DESCRIPTION                                                                         \
	"Removes the records of the connections that match all options, and the answers of "     \
	"deciders about them. The next segment of such a TCP connection is denied with the "     \
	"reason _tcp-expired_ or _tcp-midstream_; the ends are not told. If the policy allows "  \
	"it, they can open a new connection; in other protocols, the next packet opens one. "    \
	"To prevent that, change the policy first, or use *tapwall block*.\n\n"                  \
	"While a port has an adoption window (*tapwall-adopt*(1)), is observed, or has "         \
	"_tcp: liberal_, the next "                                                              \
	"segment of an ended TCP connection opens a record again, if the policy allows it. The " \
	"command says how many connections that may be.\n\n"                                     \
	"The exit status is 1 if no connection matched.\n\n"                                     \
	"With *--json* the object has _connections_, the number that were ended, _missed_ (not " \
	"ended, because packets came at that moment), _answers_ (answers of deciders that were " \
	"removed) and _adopting_ (TCP connections that may continue)."
