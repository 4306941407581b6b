/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decide_args.h: the options, examples and description of `tapwall decide`.
 *
 * Callers:    commands.c, which includes it after SOCKET() and JSON().
 */
#pragma once

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
		.choices = tw_decide_scopes,
		.fallback = "connection",
		.offset = offsetof(struct tw_decide_options, scope),
		.help = "With --exec: scope of its answers"},
	{.name = "ttl",
		.type = TW_ARG_U32,
		.value = "SECONDS",
		.max = 20 * 86400,
		.offset = offsetof(struct tw_decide_options, ttl),
		.help = "With --exec: time to live of its answers; 0 means the default of the scope"},
	{.name = "window",
		.type = TW_ARG_U32,
		.value = "N",
		.fallback = "16",
		.min = 1,
		.max = 64,
		.offset = offsetof(struct tw_decide_options, window),
		.help = "Take at most N questions at once"},
	{.name = "connect",
		.type = TW_ARG_TEXT,
		.value = "ADDRESS",
		.offset = offsetof(struct tw_decide_options, connect),
		.help = "Reach tapwall-slowd at HOST:PORT, [ADDRESS]:PORT for IPv6 or "
			"vsock:CID:PORT by TLS, instead of its socket. "
			"--socket agent:NAME names the agent"},
	{.name = "cert",
		.type = TW_ARG_FILE,
		.value = "PATH",
		.fallback = TW_DECIDE_CERT,
		.offset = offsetof(struct tw_decide_options, cert),
		.help = "With --connect: file with a decider's key and certificate"},
	{.name = "ca",
		.type = TW_ARG_FILE,
		.value = "PATH",
		.fallback = TW_ENROLL_CA,
		.offset = offsetof(struct tw_decide_options, ca),
		.help = "With --connect: certificate of the slow path's CA"},
	JSON(struct tw_decide_options, "one object per question"),
	SOCKET(struct tw_decide_options),
};

static const struct tw_args_example decide_examples[] = {
	{"tapwall decide", "Show each question, and type answers such as 4711 allow pair 1h"},
	{"tapwall decide --connect slow.example:7433 --socket agent:host-a",
		"Decide for the agent host-a from another machine"},
	{"tapwall decide --exec 'grep -qx \"$TAPWALL_TO\" /etc/allowed'",
		"Allow connections to the addresses in a file"},
};

#define DECIDE_DESCRIPTION                                                          \
	"A connection that meets a rule with _action: ask_ waits for an answer. "   \
	"Each question is printed as a line that begins with its number, or with "  \
	"*--json* as an object. Answers are read from stdin, one per line:\n\n"     \
	"\t_ID_ *allow*|*deny* [*connection*|*pair*|*policy*] [_TTL_]\n\n"          \
	"An answer for *connection*, the default, applies to these addresses and "  \
	"ports; for *pair*, to these addresses and this service with any source "   \
	"port; for *policy*, as for *pair*, but only until the policy changes. "    \
	"New connections may begin within _TTL_, such as 30s, 10m, 2h or 5d; the "  \
	"default is 10s for *connection* and 1h for the others. A connection that " \
	"has begun continues after that, and stays allowed by later policies as "   \
	"long as the same rule decides it.\n\n"                                     \
	"With *--exec*, a command decides. TAPWALL_RULE, TAPWALL_PROTO, "           \
	"TAPWALL_FROM, TAPWALL_FROM_PORT, TAPWALL_FROM_WORKLOAD, TAPWALL_TO, "      \
	"TAPWALL_TO_PORT, TAPWALL_TO_WORKLOAD, TAPWALL_ICMP_TYPE, "                 \
	"TAPWALL_WORKLOAD, TAPWALL_DIRECTION and TAPWALL_ID in its environment "    \
	"describe the connection. The command is killed when the question "         \
	"expires.\n\n"                                                              \
	"With *--connect*, tapwall-slowd on another machine is reached by TLS. "    \
	"*tapwall-slowd*(8) *--issue* _NAME_ *--role* _decider_ prints a key and "  \
	"certificate for *--cert*.\n\n"                                             \
	"If no answer comes in time, _options: {ask: {on-timeout}}_ of the policy " \
	"decides. Several deciders share the questions. The command runs until "    \
	"stdin ends. If the agent goes away, its questions end, and the command "   \
	"waits for it to return."
