/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/changes.h"

#include <stdio.h>

#include "cli/report.h"
#include "cli/style.h"
#include "link/json.h"

static const char *const whats[] = {
	[TW_CHANGED_NETWORK] = "network",
	[TW_CHANGED_SERVICE] = "service",
	[TW_CHANGED_WORKLOAD] = "workload",
	[TW_CHANGED_GROUP] = "group",
	[TW_CHANGED_RULE] = "rule",
	[TW_CHANGED_OPTION] = "option",
};

struct changes {
	const struct tw_policy *old, *now;
	const struct tw_changes_view *view;
	size_t n;
	size_t kinds[TW_CHANGED_OPTION + 1][TW_CHANGE_CHANGED + 1];
	int code;
};

/* Prints the text of a rule in one of the policies. */
static void print_rule(
	const struct tw_policy *policy, char sign, enum tw_style style, const char *name)
{
	tw_auto_buf struct tw_buf text = {0};
	long index = policy ? tw_policy_rule_index(policy, name) : -1;

	if (index < 0)
		return;
	tw_policy_print_rule(policy, (size_t)index, &text);
	if (!text.failed && text.len)
		printf("      %s%c %s%s\n", tw_style_on(style), sign, text.data, tw_style_off());
}

static void on_change(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	static const struct {
		char sign;
		enum tw_style style;
		const char *word;
	} words[] = {
		[TW_CHANGE_ADDED] = {'+', TW_STYLE_GOOD, "added"},
		[TW_CHANGE_REMOVED] = {'-', TW_STYLE_BAD, "removed"},
		[TW_CHANGE_CHANGED] = {'~', TW_STYLE_WARN, "changed"},
	};
	struct changes *changes = arg;

	changes->n++;
	changes->kinds[what][change]++;
	if (changes->view->json) {
		if (!changes->code)
			changes->code = tw_report_json(
				json_pack("{s:s, s:s, s:o}", "what", whats[what], "change",
					words[change].word, "name", tw_json_text(name)));
		return;
	}
	if (changes->view->limit && changes->n > changes->view->limit)
		return;
	printf("  %s%c %s %s%s\n", tw_style_on(words[change].style), words[change].sign,
		whats[what], name, tw_style_off());
	if (what != TW_CHANGED_RULE)
		return;
	if (change != TW_CHANGE_ADDED)
		print_rule(changes->old, '-', TW_STYLE_BAD, name);
	if (change != TW_CHANGE_REMOVED)
		print_rule(changes->now, '+', TW_STYLE_GOOD, name);
}

/* Prints how many changes of each kind there are, in place of those that were not printed. */
static void print_summary(const struct changes *changes)
{
	static const char signs[] = {
		[TW_CHANGE_ADDED] = '+', [TW_CHANGE_REMOVED] = '-', [TW_CHANGE_CHANGED] = '~'};
	const char *before = "";

	printf("  %s and %zu more; in total ", tw_glyph(TW_GLYPH_DOT),
		changes->n - changes->view->limit);
	for (size_t what = 0; what <= TW_CHANGED_OPTION; what++) {
		const size_t *n = changes->kinds[what];

		if (!n[0] && !n[1] && !n[2])
			continue;
		printf("%s%ss", before, whats[what]);
		before = ", ";
		for (size_t i = 0; i <= TW_CHANGE_CHANGED; i++)
			if (n[i])
				printf(" %c%zu", signs[i], n[i]);
	}
	putchar('\n');
}

int tw_changes_print(const struct tw_policy *old, const struct tw_policy *now,
	const struct tw_changes_view *view, size_t *ret_n)
{
	struct changes changes = {.old = old, .now = now, .view = view};

	if (tw_policy_diff(old, now, on_change, &changes) < 0)
		return tw_report_memory();
	if (!view->json && view->limit && changes.n > view->limit)
		print_summary(&changes);
	*ret_n = changes.n;
	return changes.code;
}
