/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decide_args.h: the options, examples and description of `tapwall decide`.
 *
 * Callers:    commands.c, which includes it after SOCKET() and JSON().
 */
#pragma once

static const char *const decide_scopes[] = {"connection", "pair", "policy", NULL};

static const struct tw_arg decide_args[] = {
	{.name = "exec",
		.type = TW_ARG_TEXT,
		.letter = 'x',
		.value = "COMMAND",
		.offset = offsetof(struct tw_decide_options, exec),
		.help = "Run COMMAND by sh for each question, and allow the connection if "
			"it exits with 0; read no answers from stdin"},
	{.name = "scope",
		.type = TW_ARG_CHOICE,
		.choices = decide_scopes,
		.fallback = "connection",
		.offset = offsetof(struct tw_decide_options, scope),
		.help = "With --exec: what its answers are about"},
	{.name = "ttl",
		.type = TW_ARG_U32,
		.value = "SECONDS",
		.max = 20 * 86400,
		.offset = offsetof(struct tw_decide_options, ttl),
		.help = "With --exec: how long its answers count; 0 means the default of the scope"},
	{.name = "window",
		.type = TW_ARG_U32,
		.value = "N",
		.fallback = "16",
		.min = 1,
		.max = 64,
		.offset = offsetof(struct tw_decide_options, window),
		.help = "Take at most N questions at once"},
	JSON(struct tw_decide_options, "one object per question"),
	SOCKET(struct tw_decide_options),
};

static const struct tw_args_example decide_examples[] = {
	{"tapwall decide", "Show each question, and type answers such as 4711 allow pair 1h"},
	{"tapwall decide --exec 'grep -qx \"$TAPWALL_TO\" /etc/allowed'",
		"Allow connections to the addresses in a file"},
};

#define DECIDE_DESCRIPTION                                                          \
	"A connection that meets a rule with _action: ask_ waits for an answer. "   \
	"Each question is printed as a line, which begins with its number, or "     \
	"with *--json* as an object. Answers are read from stdin, one a line:\n\n"  \
	"\t_ID_ *allow*|*deny* [*connection*|*pair*|*policy*] [_TTL_]\n\n"          \
	"*connection*, the default, is about these addresses and ports; *pair* "    \
	"about these addresses and this service, whatever the source port; "        \
	"*policy* is as *pair*, until the policy changes. _TTL_ says for how long " \
	"the answer lets new connections begin: 30s, 10m, 2h, 5d; 10s for "         \
	"*connection* and 1h for the others if not given. A connection that has "   \
	"begun lives on after it, and over changes of the policy while the same "   \
	"rule decides it.\n\n"                                                      \
	"With *--exec*, a command decides. It is told of the connection by "        \
	"TAPWALL_RULE, TAPWALL_PROTO, TAPWALL_FROM, TAPWALL_FROM_PORT, "            \
	"TAPWALL_FROM_WORKLOAD, TAPWALL_TO, TAPWALL_TO_PORT, TAPWALL_TO_WORKLOAD, " \
	"TAPWALL_ICMP_TYPE, TAPWALL_WORKLOAD, TAPWALL_DIRECTION and TAPWALL_ID in " \
	"its environment, and is killed when the question's time is over.\n\n"      \
	"A question that nobody answers in time is decided by "                     \
	"_options: {ask: {on-timeout}}_ of the policy. Several deciders share the " \
	"questions. It runs until stdin ends."
