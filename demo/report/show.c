/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/report/show.h"

#include <stdio.h>
#include <string.h>

#include "cli/human.h"
#include "cli/sheet.h"

#define TEXT_MAX       160
#define COMPLAINTS_MAX 12 /* most descriptions; further ones usually have the same cause */

/* The results of a path in all its families, to be printed. */
struct row {
	char got[TEXT_MAX];
	enum tw_lab_expect outcome; /* TW_LAB_EXPECT__MAX: unknown, or the families differ */
	double ms;
	struct tw_lab_decision decision;
	bool as_expected;   /* the outcome is the expected one */
	bool as_explained;  /* rule and reason are the expected ones */
	unsigned int tries; /* number of families tried */
};

static const char *const outcome_texts[TW_LAB_EXPECT__MAX] = {
	[TW_LAB_ANSWERED] = "answered",
	[TW_LAB_REFUSED] = "refused",
	[TW_LAB_SILENT] = "silent",
	[TW_LAB_ARRIVES] = "arrived",
	[TW_LAB_LOST] = "lost",
};

static enum tw_lab_expect outcome_of_frame(const struct tw_lab_paths *paths,
	const struct tw_lab_path *path, const struct tw_lab_fact *fact)
{
	uint64_t others = (1ull << tw_policy_n_vnics(paths->policy)) - 1;
	uint64_t wanted;

	others &= ~(1ull << path->from->index);
	wanted = path->to ? 1ull << path->to->index : others;
	if ((fact->seen_by & wanted) == wanted)
		return TW_LAB_ARRIVES;
	return fact->seen_by & others ? TW_LAB_EXPECT__MAX : TW_LAB_LOST;
}

/* Returns the outcome on the wire that a replayed verdict implies. */
static enum tw_lab_expect outcome_of_verdict(const struct tw_lab_path *path, const char *verdict)
{
	if (strcmp(verdict, "allow") == 0)
		return path->way == TW_LAB_ASK ? TW_LAB_ANSWERED : TW_LAB_ARRIVES;
	if (strcmp(verdict, "reject") == 0)
		return TW_LAB_REFUSED;
	if (strcmp(verdict, "deny") == 0)
		return path->way == TW_LAB_ASK ? TW_LAB_SILENT : TW_LAB_LOST;
	return TW_LAB_EXPECT__MAX;
}

static enum tw_lab_expect outcome_of(const struct tw_lab_paths *paths,
	const struct tw_lab_path *path, const struct tw_lab_fact *fact, bool tried)
{
	if (!tried)
		return outcome_of_verdict(path, fact->replayed.verdict);
	if (path->way != TW_LAB_ASK)
		return outcome_of_frame(paths, path, fact);
	for (size_t i = 0; i < TW_LAB_EXPECT__MAX; i++) {
		if (strcmp(fact->answer, tw_lab_expect_name((enum tw_lab_expect)i)) == 0)
			return (enum tw_lab_expect)i;
	}
	return TW_LAB_EXPECT__MAX;
}

/* Returns the decision of a try: the observed one or, if there is none, that of explain or replay,
 * which run the same code. None is observed if an allowed frame opens no connection, or if a denial
 * exceeds its port's rate limit. */
static const struct tw_lab_decision *decision_of(const struct tw_lab_fact *fact, bool tried)
{
	if (tried && fact->live.verdict[0])
		return &fact->live;
	if (tried && fact->explained.verdict[0])
		return &fact->explained;
	return &fact->replayed;
}

static bool decided_by(const struct tw_lab_decision *decision, const struct tw_lab_path *path)
{
	return strcmp(decision->rule, path->rule ? path->rule : "") == 0 &&
	       strcmp(decision->reason, path->reason) == 0;
}

/* True if all sources that report this try name the expected rule and reason, and at least one
 * does. */
static bool agree(const struct tw_lab_fact *fact, const struct tw_lab_path *path)
{
	const struct tw_lab_decision *voices[] = {&fact->live, &fact->explained, &fact->replayed};
	bool heard = false;

	for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++) {
		if (!voices[i]->verdict[0])
			continue;
		heard = true;
		if (!decided_by(voices[i], path))
			return false;
	}
	return heard;
}

/* Describes an outcome. A replay has only a verdict, because nothing was answered. */
static const char *outcome_text(enum tw_lab_expect outcome, const struct tw_lab_path *path,
	const struct tw_lab_fact *fact, bool tried)
{
	if (!tried)
		return fact->replayed.verdict[0] ? fact->replayed.verdict : "unknown";
	if (outcome < TW_LAB_EXPECT__MAX)
		return outcome_texts[outcome];
	if (path->way != TW_LAB_ASK)
		return "arrived at some guests";
	return fact->answer[0] ? fact->answer : "unknown";
}

static void row_fill(const struct tw_lab_paths *paths, const struct tw_lab_path *path,
	const struct tw_lab_facts *facts, bool tried, struct row *row)
{
	*row = (struct row){.as_expected = true, .as_explained = true};
	for (int f = 0; f < TW_LAB_FAMILY__MAX; f++) {
		enum tw_lab_family family = (enum tw_lab_family)f;
		const struct tw_lab_fact *fact = &facts->at[tw_lab_path_id(paths, path, family)];
		enum tw_lab_expect outcome;
		const struct tw_lab_decision *decision;

		if (!tw_lab_path_in(path, family))
			continue;
		outcome = outcome_of(paths, path, fact, tried);
		decision = decision_of(fact, tried);
		if (!row->tries) {
			row->outcome = outcome;
			row->decision = *decision;
			snprintf(
				row->got, TEXT_MAX, "%s", outcome_text(outcome, path, fact, tried));
		} else if (row->outcome != outcome) {
			size_t len = strlen(row->got);

			row->outcome = TW_LAB_EXPECT__MAX;
			snprintf(row->got + len, TEXT_MAX - len, ", %s over IPv6",
				outcome_text(outcome, path, fact, tried));
		}
		if (outcome != path->expect)
			row->as_expected = false;
		if (!agree(fact, path)) {
			row->as_explained = false;
			row->decision = *decision;
		}
		if (row->ms < fact->ms)
			row->ms = fact->ms;
		row->tries++;
	}
}

static enum tw_style style_of(enum tw_lab_expect outcome)
{
	switch (outcome) {
	case TW_LAB_ANSWERED:
	case TW_LAB_ARRIVES:
		return TW_STYLE_GOOD;
	case TW_LAB_REFUSED:
		return TW_STYLE_WARN;
	case TW_LAB_SILENT:
	case TW_LAB_LOST:
		return TW_STYLE_BAD;
	default:
		return TW_STYLE_STRONG;
	}
}

static bool same_group(const struct tw_lab_path *a, const struct tw_lab_path *b)
{
	return a->from == b->from && (a->way == TW_LAB_ASK) == (b->way == TW_LAB_ASK);
}

static void row_blank(struct tw_sheet *table)
{
	for (size_t i = 0; i < table->n_columns; i++)
		tw_sheet_cell(table, TW_STYLE_PLAIN, "%s", "");
}

static void row_print(struct tw_sheet *table, const struct tw_lab_path *path,
	const struct tw_lab_path *before, const struct row *row)
{
	bool good = row->as_expected && row->as_explained;
	bool same_pair = before && same_group(before, path) && before->to == path->to;
	bool timed = row->outcome == TW_LAB_ANSWERED || row->outcome == TW_LAB_REFUSED;
	char what[TEXT_MAX];

	tw_lab_path_describe(path, what, sizeof(what));
	tw_sheet_cell(table, good ? TW_STYLE_GOOD : TW_STYLE_BAD, "%s",
		tw_glyph(good ? TW_GLYPH_YES : TW_GLYPH_NO));
	if (same_pair)
		tw_sheet_cell(table, TW_STYLE_PLAIN, "%s", "");
	else
		tw_sheet_cell(table, TW_STYLE_STRONG, "%s %s %s", path->from->workload,
			tw_glyph(TW_GLYPH_ARROW), path->to ? path->to->workload : "all");
	tw_sheet_cell(table, TW_STYLE_PLAIN, "%s", what);
	tw_sheet_cell(table, TW_STYLE_DIM, "%s", tw_lab_expect_name(path->expect));
	tw_sheet_cell(table, style_of(row->outcome), "%s", row->got);
	if (timed && row->ms > 0)
		tw_sheet_cell(table, TW_STYLE_DIM, "%s", tw_human_ms(row->ms).text);
	else
		tw_sheet_cell(table, TW_STYLE_PLAIN, "%s", "");
	tw_sheet_cell(table, TW_STYLE_NAME, "%s",
		row->decision.rule[0] ? row->decision.rule : tw_glyph(TW_GLYPH_DOT));
	tw_sheet_cell(table, TW_STYLE_PLAIN, "%s",
		row->decision.reason[0] ? row->decision.reason : "unknown");
}

static void put_voice(const char *name, const struct tw_lab_decision *said)
{
	if (said->verdict[0])
		printf("; %s: %s %s %s", name, said->verdict, said->rule, said->reason);
}

/* Prints, for each wrong try, what happened and what each source reports. Returns the number of
 * lines printed. */
static unsigned int complain(const struct tw_lab_paths *paths, const struct tw_lab_path *path,
	const struct tw_lab_facts *facts, bool tried)
{
	unsigned int n = 0;
	char what[TEXT_MAX];

	tw_lab_path_describe(path, what, sizeof(what));
	for (int f = 0; f < TW_LAB_FAMILY__MAX; f++) {
		enum tw_lab_family family = (enum tw_lab_family)f;
		const struct tw_lab_fact *fact = &facts->at[tw_lab_path_id(paths, path, family)];
		enum tw_lab_expect outcome;

		if (!tw_lab_path_in(path, family))
			continue;
		outcome = outcome_of(paths, path, fact, tried);
		if (outcome == path->expect && agree(fact, path))
			continue;
		printf("  %s %s %s, %s, IPv%d: %s, expected %s by %s (%s)", path->from->workload,
			tw_glyph(TW_GLYPH_ARROW), path->to ? path->to->workload : "all", what,
			family == TW_LAB_V4 ? 4 : 6, outcome_text(outcome, path, fact, tried),
			tw_lab_expect_name(path->expect), path->rule ? path->rule : "no rule",
			path->reason);
		put_voice("log", &fact->live);
		put_voice("explain", &fact->explained);
		put_voice("replay", &fact->replayed);
		putchar('\n');
		n++;
	}
	return n;
}

static const char legend[] =
	"answered: an echo; refused: a reset or an ICMP error; silent: no answer";

int tw_lab_show(const struct tw_lab_paths *paths, const struct tw_lab_facts *facts, bool tried)
{
	static const struct tw_column columns[] = {{.title = ""}, {.title = "PATH"}, {.title = ""},
		{.title = "EXPECTED"}, {.title = "GOT"}, {.title = "", .right = true},
		{.title = "DECIDING RULE"}, {.title = "REASON"}};
	tw_auto_sheet struct tw_sheet table = {
		.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	const struct tw_lab_path *end = paths->at + paths->n;
	unsigned int tries = 0;
	unsigned int told = 0;
	size_t wrong = 0;
	struct row row;

	for (const struct tw_lab_path *path = paths->at; path < end; path++) {
		row_fill(paths, path, facts, tried, &row);
		if (path > paths->at && !same_group(path - 1, path))
			row_blank(&table);
		row_print(&table, path, path > paths->at ? path - 1 : NULL, &row);
		tries += row.tries;
		wrong += !row.as_expected || !row.as_explained;
	}
	if (tw_sheet_print(&table, stdout) < 0)
		return 1;
	printf("\n%s%zu of %zu paths as expected%s, %u %s over IPv4 and IPv6\n",
		tw_style_on(wrong ? TW_STYLE_BAD : TW_STYLE_GOOD), paths->n - wrong, paths->n,
		tw_style_off(), tries, tried ? "tries" : "exchanges");
	if (tried)
		printf("%s%s%s\n", tw_style_on(TW_STYLE_DIM), legend, tw_style_off());
	for (const struct tw_lab_path *path = paths->at; path < end && told < COMPLAINTS_MAX;
		path++)
		told += complain(paths, path, facts, tried);
	return wrong ? 1 : 0;
}
