/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* observe_args.h: the options, examples and descriptions of `tapwall observe` and `propose`.
 *
 * Callers:    commands.c, which includes it after SOCKET(), FILTERS_OF() and JSON().
 */
#pragma once

static const char *const gather_sources[] = {
	[TW_GATHER_AUTO] = "auto",
	[TW_GATHER_JOURNAL] = "journal",
	[TW_GATHER_HISTORY] = "history",
	NULL,
};

#define GATHER(options)                                                                            \
	{.name = "since",                                                                          \
		.type = TW_ARG_TEXT,                                                               \
		.letter = 's',                                                                     \
		.value = "TIME",                                                                   \
		.offset = offsetof(options, gather.since),                                         \
		.help = "Leave out what was last seen before TIME: 2h (ago), 14:05, yesterday, "   \
			"\"2026-01-31 14:05\" or @UNIX-SECONDS"},                                  \
		{.name = "workload",                                                               \
			.type = TW_ARG_TEXT,                                                       \
			.complete = WORKLOADS,                                                     \
			.letter = 'w',                                                             \
			.value = "W",                                                              \
			.offset = offsetof(options, gather.workload),                              \
			.help = "Only from or to this workload"},                                  \
		{.name = "source",                                                                 \
			.type = TW_ARG_CHOICE,                                                     \
			.choices = gather_sources,                                                 \
			.fallback = "auto",                                                        \
			.offset = offsetof(options, gather.source),                                \
			.help = "journal: what the agent has in memory; history: what "            \
				"tapwall-slowd has of this agent; auto: the history if it can be " \
				"read here, otherwise the journal. Live connections are added"},   \
		{.name = "slow",                                                                   \
			.type = TW_ARG_FILE,                                                       \
			.value = "PATH",                                                           \
			.fallback = TW_LINK_SLOW_SOCKET,                                           \
			.environment = "TAPWALL_SLOW",                                             \
			.offset = offsetof(options, gather.slow),                                  \
			.help = "Read the history from tapwall-slowd at this socket"},             \
	{                                                                                          \
		.name = "socket", .type = TW_ARG_FILE, .offset = offsetof(options, gather.socket), \
		.value = "PATH", .fallback = TW_LINK_DEFAULT_SOCKET,                               \
		.environment = "TAPWALL_SOCKET",                                                   \
		.help = "Connect to the agent at this socket. agent:NAME asks tapwall-slowd for "  \
			"the agent of that name"                                                   \
	}

static const struct tw_arg observe_args[] = {
	FILTERS_OF(struct tw_observe_options, gather.filter),
	{.name = "allowed",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_observe_options, allowed),
		.help = "Also list what the policy allows"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.fallback = "50",
		.offset = offsetof(struct tw_observe_options, limit),
		.help = "Print at most N lines; 0 prints all"},
	JSON(struct tw_observe_options, "one object per line, then a summary"),
	GATHER(struct tw_observe_options),
};

static const struct tw_args_example observe_examples[] = {
	{"tapwall observe", "Show what would be denied"},
	{"tapwall observe --workload db-1 --allowed", "Show everything that the database does"},
	{"tapwall observe --since 1h --json", "Print the last hour as JSON"},
};

#define OBSERVE_DESCRIPTION                                                                            \
	"At ports with _mode: observe_, rules and default deny nothing. This command lists what they " \
	"would have denied: each pair of workloads, or of addresses that belong to none, with the "    \
	"service, the number of connections, when the first and the last was seen, the rule "          \
	"that would deny them, and an example. Frames that observed ports deny too, such as those "    \
	"with a spoofed address, and frames that enforced ports denied are listed as _deny_ or "       \
	"_reject_.\n\n"                                                                                \
	"The lines before the table show how long the data covers, how many events are missing, "      \
	"and which ports are not observed. The agent's journal holds the latest 32,768 events. "       \
	"*tapwall-slowd*(8) keeps more; of its history, the newest million rows are read. If a "       \
	"source tried more than 16 ports of a destination and none answered, they are one line, "      \
	"_many ports_.\n\n"                                                                            \
	"Below the table are the rights that frames of guests lacked (_vlans_, _macs_, _may_), and "   \
	"source addresses that a guest may not use. They are from the agent's journal. If a port has " \
	"many denials, the journal has only some of them.\n\n"                                         \
	"With *--json* each line has _verdict_, _from_ and _to_ with _workload_ and _address_, "       \
	"_service_, _many_ports_, _reason_, _rule_, _ends_ (the ends that would deny: out, in), "      \
	"_count_, _answered_ (how many of them were answered), _bytes_, _first_, _last_ and "          \
	"_example_. The last line is _summary_ with _source_, _since_, _until_, _policy_age_s_, "      \
	"_rows_, _lost_ (missing events), _unread_ (rows of the history that were not read), "         \
	"_beyond_ (connections left out of the sums), _observed_ (number of observed ports) and "      \
	"_not_observed_ (the other ports, with their state), and _rights_: for each _workload_ and "   \
	"_port_ the _vlans_, _macs_, _ethertypes_ and _addresses_ that it lacked, _dhcp_server_, "     \
	"_router_, _doubtful_ (the guest may be trying values, as there are many), _frames_ and "      \
	"_last_."

static const struct tw_arg propose_args[] = {
	{.name = "fresh",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_propose_options, fresh),
		.help = "Leave out the allow rules of the policy in force, and draft rules for what "
			"they allowed"},
	{.name = "observe",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_propose_options, observe),
		.help = "Draft a policy with mode: observe; without it, with mode: enforce"},
	{.name = "rights",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_propose_options, rights),
		.help = "Grant workloads the rights that their frames lacked (vlans, macs, may); without "
			"it, they are only listed. Comments of workloads are left out"},
	{.name = "min",
		.type = TW_ARG_U32,
		.value = "N",
		.min = 1,
		.fallback = "1",
		.offset = offsetof(struct tw_propose_options, min),
		.help = "Switch off rules for pairs with fewer than N connections"},
	FILTERS_OF(struct tw_propose_options, gather.filter),
	GATHER(struct tw_propose_options),
};

static const struct tw_args_example propose_examples[] = {
	{"tapwall propose > draft.yaml", "Draft a policy that allows what was seen"},
	{"tapwall check draft.yaml", "Check it, after reading it"},
	{"tapwall apply --confirm 5m draft.yaml",
		"Put it in force, for 5 minutes unless confirmed"},
};

#define PROPOSE_DESCRIPTION                                                                             \
	"Prints a policy that allows the connections that were seen, and nothing else. Networks, "      \
	"services, workloads, groups and rules of the policy in force are kept. Rules are added for "   \
	"connections that the default of the policy in force decides. The draft's default is "          \
	"_deny_. Read it before it is "                                                                 \
	"applied: a guest can open connections in order to have them allowed. Each added rule has a "   \
	"comment with the number of connections and of pairs, the time of the last one, and the "       \
	"pair with the fewest.\n\n"                                                                     \
	"Pairs that use the same service become one rule if every source talked to every "              \
	"destination. If a tag has exactly the members of a rule's end, the group of that tag is "      \
	"used; otherwise the members are listed, or put into a group of their own. Rules name "         \
	"workloads, so they allow all addresses of a workload. More than 16 addresses that belong "     \
	"to no workload become prefixes or any address but the workloads'; the comment says that "      \
	"this is wider than what was seen.\n\n"                                                         \
	"Rules with _enabled: false_ decide nothing until they are switched on. These are about "       \
	"attempts at many ports, which may be a port scan; connections that were never answered "       \
	"(TCP and ping); ports that seem to be assigned dynamically; and pairs with fewer than "        \
	"*--min* connections. Connections that a rule with _deny_ or _reject_ would deny, and what "    \
	"observed ports deny too, are not proposed. Answers need no rule.\n\n"                          \
	"A guest that sends VLAN tags, from further MACs, or as a DHCP server or router needs rights "  \
	"(see tapwall-policy(5)). The draft begins with a list of the rights that frames lacked. They " \
	"are granted only with *--rights*, because any guest can send such frames. Delete the rights "  \
	"that a guest should not have. If a guest used many values, it may be trying them, and "        \
	"none of them is granted.\n\n"                                                                  \
	"Messages about the draft are printed to stderr. *tapwall-observe*(1) describes what is "       \
	"read. A workload with _mode: observe_ of its own stays observed."
