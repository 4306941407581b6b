/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* quarantine_args.h: the options, examples and description of `tapwall quarantine`.
 *
 * Callers:    commands.c, which includes it after SOCKET(), JSON() and WORKLOADS.
 */
#pragma once

static const struct tw_arg quarantine_args[] = {
	{.name = "WORKLOAD",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_quarantine_options, workload),
		.positional = true,
		.help = "Workload to shut; without it, list the workloads in quarantine"},
	{.name = "reason",
		.type = TW_ARG_TEXT,
		.letter = 'r',
		.value = "TEXT",
		.offset = offsetof(struct tw_quarantine_options, reason),
		.help = "Why; status, ports and explain show it"},
	{.name = "for",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_quarantine_options, time),
		.help = "Lift the quarantine after TIME, such as 30m, 2h or 7d; without it, it stays "
			"until it is lifted"},
	{.name = "everywhere",
		.type = TW_ARG_FLAG,
		.letter = 'e',
		.offset = offsetof(struct tw_quarantine_options, everywhere),
		.help = "At all agents of tapwall-slowd, including those that connect later"},
	{.name = "lift",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_quarantine_options, lift),
		.help = "Lift the quarantine now"},
	{.name = "ended",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_quarantine_options, ended),
		.help = "With --everywhere, list also those that have ended, and who ended them"},
	JSON(struct tw_quarantine_options, "one object per workload, or per agent"),
	SOCKET(struct tw_quarantine_options),
	{.name = "slow",
		.type = TW_ARG_FILE,
		.value = "PATH",
		.fallback = TW_LINK_SLOW_SOCKET,
		.environment = "TAPWALL_SLOW",
		.offset = offsetof(struct tw_quarantine_options, slow),
		.help = "With --everywhere, connect to tapwall-slowd at this socket"},
};

static const struct tw_args_example quarantine_examples[] = {
	{"tapwall quarantine web-1 --reason 'ticket 4712: malware' --for 2h",
		"Let nothing pass at the ports of web-1 for two hours"},
	{"tapwall quarantine", "List the workloads in quarantine"},
	{"tapwall quarantine web-1 --lift", "End the quarantine"},
	{"tapwall quarantine web-1 --everywhere --reason 'ticket 4712: malware'",
		"Let nothing pass at the ports of web-1, whatever host it is on"},
	{"tapwall quarantine --everywhere --ended", "List who quarantined what, and who ended it"},
};

#define QUARANTINE_DESCRIPTION                                                                       \
	"At once, nothing passes at the ports of the workload in either direction: neither "         \
	"packets of established connections nor ARP, neighbour discovery or DHCP. Each frame "       \
	"is counted and logged with the reason _quarantined_. A quarantine stays through "           \
	"policies, restarts of the agent and reboots. If a policy no longer has the "                \
	"workload, its ports stay shut while their interfaces exist.\n\n"                            \
	"When the quarantine ends, connections whose records have not expired are judged by "        \
	"the policy in force. A guest whose DHCP lease expired meanwhile must get a new one.\n\n"    \
	"With *--everywhere*, *tapwall-slowd*(8) stores the quarantine and sends it to all "         \
	"agents, including those without the workload: a guest that is migrated is shut at "         \
	"its new host. An agent that is away gets it when it connects, and keeps it while the "      \
	"slow path is away. The command prints the answer of each agent, and exits with 1 if "       \
	"one refused. A port is shut as long as it is in the list of its host or of the slow path. " \
	"*--lift* *--everywhere* ends what was begun with *--everywhere*, and nothing that was "     \
	"begun at a host. *--lift* at a host ends both there: the slow path does not begin it "      \
	"again, and shows at which agents it was lifted. A new quarantine with *--everywhere* "      \
	"holds there, too.\n\n"                                                                      \
	"With *--json* each object has _workload_, _reason_, _who_, _since_, _until_ (Unix "         \
	"time; null: until it is lifted), _change_ (number of the slow path's change; null: "        \
	"made at this host), _ended_ (Unix time; null: in force; at a host: ended there only) "      \
	"and _ended_by_ (null: its time was over). Those of the slow path have _waiting_ "           \
	"(agents that have not accepted it), _waiting_all_ (their number), _lifted_at_ "             \
	"and _only_at_ (an agent that has it although the slow path's list lacks it). "              \
	"The answer of an agent has _agent_, _state_ (_accepted_, _refused_, _waiting_, _away_), "   \
	"_error_ and _ports_ (number of ports that it shut)."
