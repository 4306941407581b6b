/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* history_args.h: the options, examples and description of `tapwall history`.
 *
 * Callers:    commands.c, which includes it after SLOW() and JSON().
 */
#pragma once

static const char *const history_whats[] = {
	[TW_HISTORY_WHAT_CONNECTIONS] = "connections",
	[TW_HISTORY_WHAT_TALKERS] = "talkers",
	[TW_HISTORY_WHAT_DESTINATIONS] = "destinations",
	[TW_HISTORY_WHAT_SERVICES] = "services",
	[TW_HISTORY_WHAT_RULES] = "rules",
	[TW_HISTORY_WHAT_WHO] = "who",
	[TW_HISTORY_WHAT_STATUS] = "status",
	NULL,
};

/* `any`, then verdicts in the order of history.c. */
static const char *const history_verdicts[] = {
	"any", "allow", "deny", "reject", "would-deny", NULL};

static const char *const history_orders[] = {"bytes", "connections", "denials", NULL};

static const struct tw_arg history_args[] = {
	{.name = "WHAT",
		.type = TW_ARG_CHOICE,
		.choices = history_whats,
		.fallback = "connections",
		.offset = offsetof(struct tw_history_options, what),
		.positional = true,
		.help = "connections lists them and denials, newest first; talkers, destinations, "
			"services and rules add up; who lists the talkers to X; status "
			"shows the history itself"},
	{.name = "X",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_history_options, subject),
		.positional = true,
		.help = "After who: a workload, address or CIDR"},
	{.name = "since",
		.type = TW_ARG_TEXT,
		.letter = 's',
		.value = "TIME",
		.offset = offsetof(struct tw_history_options, since),
		.help = "Leave out what was reported before: 2h (ago), 14:05, yesterday, "
			"\"2026-01-31 14:05\" or @UNIX-SECONDS"},
	{.name = "until",
		.type = TW_ARG_TEXT,
		.letter = 'u',
		.value = "TIME",
		.offset = offsetof(struct tw_history_options, until),
		.help = "Leave out what was reported at that time or later"},
	{.name = "workload",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.letter = 'w',
		.value = "W",
		.offset = offsetof(struct tw_history_options, workload),
		.help = "Only from or to this workload"},
	{.name = "address",
		.type = TW_ARG_TEXT,
		.letter = 'a',
		.value = "CIDR",
		.offset = offsetof(struct tw_history_options, address),
		.help = "Only from or to this address or CIDR"},
	{.name = "from",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.value = "X",
		.offset = offsetof(struct tw_history_options, from),
		.help = "Only from this workload, address or CIDR"},
	{.name = "to",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.value = "X",
		.offset = offsetof(struct tw_history_options, to),
		.help = "Only to this workload, address or CIDR"},
	{.name = "port",
		.type = TW_ARG_U32,
		.letter = 'p',
		.value = "N",
		.max = 65535,
		.offset = offsetof(struct tw_history_options, port),
		.help = "Only to this port of TCP, UDP or SCTP"},
	{.name = "proto",
		.type = TW_ARG_TEXT,
		.complete = "tcp udp icmp icmp6",
		.value = "P",
		.offset = offsetof(struct tw_history_options, proto),
		.help = "Only this protocol: tcp, udp, icmp, icmp6 or a number"},
	{.name = "rule",
		.type = TW_ARG_TEXT,
		.letter = 'r',
		.value = "R",
		.offset = offsetof(struct tw_history_options, rule),
		.help = "Only what this rule decided at either end"},
	{.name = "verdict",
		.type = TW_ARG_CHOICE,
		.letter = 'v',
		.choices = history_verdicts,
		.fallback = "any",
		.offset = offsetof(struct tw_history_options, verdict),
		.help = "Only this verdict"},
	{.name = "reason",
		.type = TW_ARG_TEXT,
		.value = "R",
		.offset = offsetof(struct tw_history_options, reason),
		.help = "Only this reason; tapwall counters --all lists them"},
	{.name = "agent",
		.type = TW_ARG_TEXT,
		.value = "A",
		.offset = offsetof(struct tw_history_options, agent),
		.help = "Only what this agent reported"},
	{.name = "unused-since",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_history_options, unused_since),
		.help = "With rules: list only rules that have decided nothing since then"},
	{.name = "sort",
		.type = TW_ARG_CHOICE,
		.choices = history_orders,
		.fallback = "bytes",
		.offset = offsetof(struct tw_history_options, order),
		.help = "Sort sums by this, largest first"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.fallback = "50",
		.offset = offsetof(struct tw_history_options, limit),
		.help = "Print at most N lines; 0 prints all"},
	{.name = "page",
		.type = TW_ARG_TEXT,
		.value = "PAGE",
		.offset = offsetof(struct tw_history_options, page),
		.help = "Continue where an earlier answer ended, as its last line says"},
	{.name = "oldest",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_history_options, oldest_first),
		.help = "List the oldest first"},
	{.name = "live",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_history_options, live),
		.help = "Also list connections that had not ended when they were last reported"},
	{.name = "count",
		.type = TW_ARG_FLAG,
		.letter = 'c',
		.offset = offsetof(struct tw_history_options, count),
		.help = "Also count everything that matches"},
	JSON(struct tw_history_options, "one object per line, then a summary"),
	SLOW(struct tw_history_options),
};

static const struct tw_args_example history_examples[] = {
	{"tapwall history --since 1h --verdict deny", "Show what was denied in the last hour"},
	{"tapwall history who db-1 --since 7d", "Show who talked to the database this week"},
	{"tapwall history talkers --since yesterday --until today",
		"Show yesterday's sources, most bytes first"},
	{"tapwall history rules --unused-since 90d", "Find rules that may be superfluous"},
};

#define HISTORY_DESCRIPTION                                                                          \
	"*tapwall-slowd*(8) answers. It records the connections that end and the "                   \
	"frames that are denied at all agents that are connected to it. A "                          \
	"connection is recorded when it ends; a long one also every few minutes, "                   \
	"which *--live* lists. A connection between two hosts is recorded by the agent of each.\n\n" \
	"All conditions must hold. Without a condition but a time, sums come from "                  \
	"stored sums by minute, and the time is rounded outward to minutes. Sums "                   \
	"keep the largest 500 sources, destinations, services and rules of each "                    \
	"minute apart; the rest is under _others_.\n\n"                                              \
	"*rules* shows when each rule last decided something and how often it ever "                 \
	"did, unless a condition asks for sums. *--unused-since* lists rules that "                  \
	"have decided nothing since then, including rules of the policies in force "                 \
	"at the connected agents that never did.\n\n"                                                \
	"With *--json* each connection or denial has _time_, _event_ (close, "                       \
	"deny or live), _verdict_, _reason_, _rule_, _proto_, _from_ and _to_ with "                 \
	"_address_, _port_ and _workload_; the _verdict_ and _rule_ at the _out_ and "               \
	"the _in_ end, null for an end that did not decide; _ports_, _packets_ and "                 \
	"_bytes_ by _out_ and _in_; _direction_ of a denied frame; _state_, "                        \
	"_duration_s_, _idle_s_ (from the last packet to the report) and _agent_; "                  \
	"ICMP also has _type_ and _code_. Sums have _address_ and _workload_, "                      \
	"_service_ or _rule_, and _connections_, _denials_, _packets_ and _bytes_. "                 \
	"The last line is _summary_ with _rows_, the number of lines before it, "                    \
	"_next_, the value of *--page* to continue, null at the end, and _matched_ "                 \
	"if *--count* is given."
