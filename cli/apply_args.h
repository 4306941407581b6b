/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apply_args.h: the options, examples and descriptions of `tapwall apply`, `reload` and `confirm`.
 *
 * Callers:    commands.c, which includes it after SOCKET() and JSON().
 */
#pragma once

static const struct tw_arg apply_args[] = {
	{.name = "FILE",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_apply_options, file),
		.positional = true,
		.required = true,
		.help = "Policy to read, a file or a directory of files; - reads stdin"},
	{.name = "dry-run",
		.type = TW_ARG_FLAG,
		.letter = 'n',
		.offset = offsetof(struct tw_apply_options, dry_run),
		.help = "Print what would change, also verdicts and live connections (see "
			"diff); change nothing"},
	{.name = "allow-unprotect",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_apply_options, allow_unprotect),
		.help = "Accept the policy even if protected ports then belong to no "
			"workload and are NOT FILTERED"},
	{.name = "confirm",
		.type = TW_ARG_TEXT,
		.value = "TIME",
		.offset = offsetof(struct tw_apply_options, confirm),
		.help = "Return to the policy in force now unless tapwall confirm is called "
			"within TIME, such as 60s or 5m, at most 24h"},
	{.name = "tripwire",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_apply_options, tripwire),
		.help = "With --confirm, return to the old policy at once if the new one denies more than "
			"N connections that passed before"},
	{.name = "comment",
		.type = TW_ARG_TEXT,
		.letter = 'm',
		.value = "TEXT",
		.offset = offsetof(struct tw_apply_options, comment),
		.help = "Keep this comment with the policy; tapwall policy --history shows it"},
	JSON(struct tw_apply_options, "one object"),
	SOCKET(struct tw_apply_options),
};

static const struct tw_arg reload_args[] = {
	{.name = "allow-unprotect",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_reload_options, allow_unprotect),
		.help = "Accept the policy even if protected ports then belong to no "
			"workload and are NOT FILTERED"},
	JSON(struct tw_reload_options, "one object"),
	SOCKET(struct tw_reload_options),
};

static const struct tw_arg confirm_args[] = {
	JSON(struct tw_confirm_options, "one object"),
	SOCKET(struct tw_confirm_options),
};

static const struct tw_args_example apply_examples[] = {
	{"tapwall apply --dry-run policy.yaml", "Show what would change"},
	{"tapwall apply --confirm 60s policy.yaml && tapwall confirm",
		"Try the policy: without the second command the old one returns"},
	{"tapwall apply --confirm 10m --tripwire 5 policy.yaml",
		"The old policy returns by itself when the sixth connection is cut"},
	{"tapwall apply policy.yaml", "Put the policy in force, for live connections too"},
};

#define APPLY_DESCRIPTION                                                               \
	"The agent checks the policy, compiles it for every port and puts it in "       \
	"force at all of them at once. Live connections are judged again at "           \
	"their next packet. If the policy has errors, all of them are printed "         \
	"and the old policy stays in force.\n\n"                                        \
	"One policy is read at a time, and others wait for their turn. If eight are "   \
	"being read or waiting, the next one is refused. A policy that was sent takes " \
	"effect even if the command is interrupted.\n\n"                                \
	"A protected port belongs to no workload of the new policy if, for "            \
	"example, its _port_ or _mac_ is mistyped or its workload is gone. "            \
	"Under *unclaimed: ignore* such a port would be open. The policy is "           \
	"then refused with exit status 1, unless *--allow-unprotect* is given. "        \
	"Ports that become NOT FILTERED are listed first. Lines with *!* name "         \
	"other changes that weaken protection, such as another default.\n\n"            \
	"With *--confirm*, the agent returns to the policy that is in force now "       \
	"unless *tapwall confirm* is called in time. It returns by itself, also if "    \
	"this host can no longer be reached. An agent that starts again before the "    \
	"confirmation returns at once. *status* shows the time that is left, and a "    \
	"policy that was not confirmed. Another apply counts as a confirmation; one "   \
	"with *--confirm* starts the time again and returns to the policy that was "    \
	"last confirmed.\n\n"                                                           \
	"With *--tripwire*, the agent also counts the connections that passed before "  \
	"and that the new policy denies, and returns at once when there are more than " \
	"_N_. Attempts to open new connections do not count. *status* shows the "       \
	"number, and after a return its reason.\n\n"                                    \
	"With *--json* the object has _ports_unprotected_, a number; "                  \
	"_unprotected_ with each _port_ and the _workload_ it had; _open_, all "        \
	"ports that are not filtered because no workload has them; _dangers_; "         \
	"_refused_, of a dry run; _generation_; _dry_run_; _unchanged_; "               \
	"_compile_ms_; _publish_ms_; under _rules_ and _workloads_ the names "          \
	"that were _added_, _removed_ and _changed_; and _ports_changed_."

#define CONFIRM_DESCRIPTION                                                                  \
	"If the time of *tapwall apply --confirm* is over, the previous policy is in force " \
	"again, and the command fails.\n\n"                                                  \
	"With *--json* the object has _source_ and _generation_ of the confirmed policy."
