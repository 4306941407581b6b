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
	{.name = "lift",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_quarantine_options, lift),
		.help = "Lift the quarantine now"},
	JSON(struct tw_quarantine_options, "one object per workload"),
	SOCKET(struct tw_quarantine_options),
};

static const struct tw_args_example quarantine_examples[] = {
	{"tapwall quarantine web-1 --reason 'ticket 4712: malware' --for 2h",
		"Let nothing pass at the ports of web-1 for two hours"},
	{"tapwall quarantine", "List the workloads in quarantine"},
	{"tapwall quarantine web-1 --lift", "End the quarantine"},
};

#define QUARANTINE_DESCRIPTION                                                                    \
	"At once, nothing passes at the ports of the workload in either direction: neither "      \
	"packets of established connections nor ARP, neighbour discovery or DHCP. Each frame "    \
	"is counted and logged with the reason _quarantined_. A quarantine stays through "        \
	"policies, restarts of the agent and reboots. If a policy no longer has the "             \
	"workload, its ports stay shut while their interfaces exist. On another host, "           \
	"quarantine the workload there, too.\n\n"                                                 \
	"When the quarantine ends, connections whose records have not expired are judged by "     \
	"the policy in force. A guest whose DHCP lease expired meanwhile must get a new one.\n\n" \
	"With *--json* each object has _workload_, _reason_, _who_, _since_ and _until_ (Unix "   \
	"time; null: until it is lifted)."
