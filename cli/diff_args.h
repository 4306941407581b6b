/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* diff_args.h: the options, examples and descriptions of `tapwall diff` and `tapwall rollback`.
 *
 * Callers:    commands.c, which includes it after SOCKET() and JSON().
 */
#pragma once

static const struct tw_arg diff_args[] = {
	{.name = "POLICY",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_diff_options, what),
		.positional = true,
		.required = true,
		.help = "A file, a directory of files, - for stdin, or the number of a policy that "
			"was in force"},
	{.name = "OTHER",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_diff_options, other),
		.positional = true,
		.help = "Compare POLICY with OTHER; without OTHER, compare the policy in force with POLICY"},
	JSON(struct tw_diff_options, "one object per change"),
	SOCKET(struct tw_diff_options),
};

static const struct tw_args_example diff_examples[] = {
	{"tapwall diff policy.yaml", "What would this file change?"},
	{"tapwall diff 7 8", "What did policy 8 change?"},
};

#define DIFF_DESCRIPTION                                                                                           \
	"Rules, workloads, groups, networks, services and options are compared by what they "                      \
	"mean, not by their text. A rule that changed is printed before (*-*) and after (*+*). "                   \
	"*tapwall policy --history* lists the numbers of policies that were in force.\n\n"                         \
	"If the policy in force is compared, live connections that the other one would cut are listed. Then come " \
	"verdicts that change, with an example of each: connections between workloads and "                        \
	"networks of the rules that differ are judged by both policies. That is no proof: "                        \
	"the output says how many were compared, and others may change, too.\n\n"                                  \
	"The exit status is 0 if the policies mean the same, and 1 if they differ.\n\n"                            \
	"With *--json* each object has _what_, _change_ and _name_."

static const struct tw_arg rollback_args[] = {
	{.name = "NUMBER",
		.type = TW_ARG_TEXT,
		.offset = offsetof(struct tw_rollback_options, number),
		.positional = true,
		.help = "Policy to put in force again; without it, the policy before the current one"},
	{.name = "dry-run",
		.type = TW_ARG_FLAG,
		.letter = 'n',
		.offset = offsetof(struct tw_rollback_options, dry_run),
		.help = "Print what would change; change nothing"},
	{.name = "comment",
		.type = TW_ARG_TEXT,
		.value = "TEXT",
		.offset = offsetof(struct tw_rollback_options, comment),
		.help = "Keep this comment with the policy"},
	{.name = "allow-unprotect",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_rollback_options, allow_unprotect),
		.help = "Accept the policy even if protected ports then belong to no "
			"workload and are NOT FILTERED"},
	{.name = "confirm",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_rollback_options, confirm),
		.help = "As in tapwall apply"},
	JSON(struct tw_rollback_options, "one object, as apply prints"),
	SOCKET(struct tw_rollback_options),
};

static const struct tw_args_example rollback_examples[] = {
	{"tapwall rollback", "Return to the policy before this one"},
	{"tapwall rollback 7 --comment 'ticket 4711'", "Return to policy 7"},
};

#define ROLLBACK_DESCRIPTION                                                                \
	"Puts an earlier policy of this host in force again, under a new number. The "      \
	"agent keeps the newest 64 policies, at most 256 MiB. Output and exit "             \
	"status are those of *apply*. The file of *tapwalld --policy* stays as it is, and " \
	"*status* then says that it differs."
