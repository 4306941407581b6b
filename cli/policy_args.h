/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policy_args.h: the options, examples and description of `tapwall policy`.
 *
 * Callers:    commands.c, which includes it after SLOW() and JSON().
 */
#pragma once

static const char *const policy_actions[] = {
	[TW_POLICY_CURRENT] = "current",
	[TW_POLICY_PUSH] = "push",
	[TW_POLICY_LOG] = "log",
	[TW_POLICY_SHOW] = "show",
	[TW_POLICY_DIFF] = "diff",
	[TW_POLICY_STATUS] = "status",
	[TW_POLICY_CONFIRM] = "confirm",
	NULL,
};

static const struct tw_arg policy_args[] = {
	{.name = "ACTION",
		.type = TW_ARG_CHOICE,
		.choices = policy_actions,
		.offset = offsetof(struct tw_policy_options, action),
		.positional = true,
		.help = "At tapwall-slowd: push, log, show, diff, status or confirm; at the "
			"agent: current, the default"},
	{.name = "WHAT",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_policy_options, what),
		.positional = true,
		.help = "push: the policy, a file or a directory of files, - reads stdin; show and diff: the number of a version"},
	{.name = "VERSION",
		.type = TW_ARG_TEXT,
		.offset = offsetof(struct tw_policy_options, other),
		.positional = true,
		.help = "diff: the number of the version to compare with"},
	{.name = "agents",
		.type = TW_ARG_TEXT,
		.value = "A,B",
		.fallback = "all",
		.offset = offsetof(struct tw_policy_options, agents),
		.help = "push: want the policy at these agents; all is every agent, also "
			"agents that connect for the first time later"},
	{.name = "message",
		.type = TW_ARG_TEXT,
		.letter = 'm',
		.value = "COMMENT",
		.offset = offsetof(struct tw_policy_options, message),
		.help = "push: store this comment with the version"},
	{.name = "stored",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_policy_options, stored),
		.help = "push: push this stored version again instead of a file"},
	{.name = "confirm",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_policy_options, confirm),
		.help = "push: each agent returns to its previous policy unless tapwall policy "
			"confirm is called within TIME, such as 60s or 5m, at most 24h"},
	{.name = "allow-unprotect",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_policy_options, allow_unprotect),
		.help = "push: accept the policy even if protected ports then belong to no "
			"workload and are NOT FILTERED"},
	{.name = "history",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_policy_options, history),
		.help = "List the policies that were in force at this host"},
	{.name = "show",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_policy_options, show),
		.help = "Print the text of policy N of --history"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_policy_options, limit),
		.help = "log, --history: list only the newest N versions; 0 lists all"},
	JSON(struct tw_policy_options, "one object per version or agent"),
	SLOW(struct tw_policy_options),
	{.name = "socket",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_policy_options, agent),
		.value = "PATH",
		.fallback = TW_LINK_DEFAULT_SOCKET,
		.environment = "TAPWALL_SOCKET",
		.help = "Without an action: connect to the agent at this socket. agent:NAME asks "
			"tapwall-slowd for the agent of that name"},
};

static const struct tw_args_example policy_examples[] = {
	{"tapwall policy", "Show which policy is in force here, who applied it, and when"},
	{"tapwall policy --history", "List the policies that were in force here"},
	{"tapwall policy push policy.yaml -m 'ticket 4711: close telnet'",
		"Store a version, and put it in force at all agents"},
	{"tapwall policy status", "Show what is wanted at each agent, and what is in force"},
	{"tapwall policy push policy.yaml --confirm 5m && tapwall policy confirm",
		"Try a policy: without the second command all agents return to the old one"},
	{"tapwall policy diff 3 4", "Show what version 4 changed"},
	{"tapwall policy push --stored 3 --agents host-a", "Return one agent to version 3"},
};

#define POLICY_DESCRIPTION                                                                      \
	"Without an action, the command prints which policy is in force at this host, who "     \
	"applied it, and when. *--history* lists the policies that were in force: the agent "   \
	"keeps the newest 64 of them, at most 256 MiB, in its state directory, with author, "   \
	"time and the comment of *tapwall apply --comment*. *tapwall diff* compares them, and " \
	"*tapwall rollback* puts one in force again. Their numbers are the generations that "   \
	"*status* shows, not the versions of tapwall-slowd.\n\n"                                \
	"*tapwall-slowd*(8) stores each policy that is pushed as a version, with its author "   \
	"(the user that called *tapwall*), time, comment and SHA-256. It keeps the newest "     \
	"1,000 versions, at most 256 MiB, and versions that agents want.\n\n"                   \
	"*push* checks a policy; an invalid one is refused with the place of each error, and "  \
	"not stored. The command then prints what each agent said. An agent that is away "      \
	"gets the version when it connects. One that refuses says why; the others are not "     \
	"affected. The exit status is 1 if an agent refused.\n\n"                               \
	"*status* has a line for each agent: the version that is wanted there, the version "    \
	"in force, and the state. *DRIFT*: the wanted version was in force, and another "       \
	"policy is now, because it was applied at the host. Drift is shown and logged, and "    \
	"never overwritten: the change may have been made to end an outage. *push* "            \
	"replaces it.\n\n"                                                                      \
	"With *--confirm*, each agent returns by itself, even if *tapwall-slowd* is no longer " \
	"there; then, the version wanted before is wanted again. *confirm* confirms at all "    \
	"agents. An agent that could not be told in time, and has returned, gets the version "  \
	"again.\n\n"                                                                            \
	"*log* lists the versions, newest first. *show* prints the text of a version. *diff* "  \
	"prints the rules, workloads, groups, networks, services and options that differ.\n\n"  \
	"With *--json* each version has _version_, _time_, _author_, _uid_, _comment_, "        \
	"_source_, _sha256_, _size_, _text_ (only of *show*) and _stored_before_; each agent "  \
	"_agent_, _wanted_, _in_force_ (null: not a stored version), _state_, _connected_, "    \
	"_source_, _error_, _since_s_ and _confirm_left_s_; each difference _what_, _change_ and _name_."
