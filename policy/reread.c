/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reread.c: reads a policy from a text that is similar to another policy's text.
 *
 * Why:        an edit of one rule of thousands, or one more tag of a guest, should not cost reading
 *             the whole text again.
 * How:        texts are compared from both ends. The difference is widened to whole items of
 *             `rules` or `workloads`. These are read as a small text of their own, and everything
 *             else is taken over.
 * Exact:      if a part is not certain to mean the same in both texts, the whole text is read
 *             (tests/policy/unit/reread.c). YAML's rules for blocks give that certainty:
 *             1. If both texts are equal up to a place where each begins an item of a block in the
 *                same column, a reader is in the same state there.
 *             2. If the lines of the new items are a complete text by themselves, and the next line
 *                begins an item in the same column, or a section at the left margin, the rest is
 *                read as before.
 *             This code never reports errors, because their texts refer to the whole policy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/grants.h"
#include "policy/limits.h"
#include "policy/model.h"
#include "policy/read.h"
#include "policy/text.h"
#include "policy/yaml.h"

#define TEXT_MAX  ((size_t)4 * 1024 * 1024) /* longer texts could reach the limits of yaml.h */
#define ITEMS_MAX 64			    /* limit of items to read again */
#define COMPARED  4096			    /* bytes compared at a time */

/* Limit of memory, given the bytes that a full reading took. Beyond it, everything is read again. */
#define BYTES_MAX(bytes) (2 * (bytes) + ((size_t)4 << 20))

/* The whole text must be read. Returned by functions of this file, never by tw_policy_reread(). */
#define READ_ALL (-EAGAIN)

struct text {
	const char *at;
	size_t len;
};

struct change {
	const struct tw_policy *old;
	struct tw_policy *policy;
	struct text was;
	struct text is;
	size_t from; /* bytes of the old text that differ; none if text was only added */
	size_t to;
	struct tw_arena scratch;
	struct tw_diags fresh;

	/* The items to read again: the lines of `was` from `cut_from` to `cut_to`. */
	size_t first;
	size_t last; /* index of the last item to read again, plus 1 */
	size_t cut_from;
	size_t cut_to;
	unsigned int line;     /* line at cut_from */
	unsigned int end_line; /* line at cut_to */
	size_t column;	       /* column in which items begin, from 0 */
	long more_lines;       /* number of additional lines in the new text */
};

static size_t common_start(struct text a, struct text b)
{
	size_t max = a.len < b.len ? a.len : b.len, n = 0;

	while (max - n >= COMPARED && !memcmp(a.at + n, b.at + n, COMPARED))
		n += COMPARED;
	while (n < max && a.at[n] == b.at[n])
		n++;
	return n;
}

static size_t common_end(struct text a, struct text b, size_t max)
{
	size_t n = 0;

	while (max - n >= COMPARED &&
		!memcmp(a.at + a.len - n - COMPARED, b.at + b.len - n - COMPARED, COMPARED))
		n += COMPARED;
	while (n < max && a.at[a.len - n - 1] == b.at[b.len - n - 1])
		n++;
	return n;
}

static unsigned int count_lines(const char *at, size_t len)
{
	const char *end = at + len;
	unsigned int n = 0;

	for (; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		n++;
	return n;
}

/* Returns the offset of a line, given another line that begins at or before `at`. */
static size_t offset_of(const struct text *text, size_t at, unsigned int line, unsigned int wanted)
{
	while (at && (line > wanted || text->at[at - 1] != '\n'))
		line -= text->at[--at] == '\n';
	if (line > wanted)
		return 0;
	for (; line < wanted && at < text->len; at++)
		line += text->at[at] == '\n';
	return at;
}

/* ---- the cut ---- */

/* A list of items, each on its own lines. */
struct section {
	const char *key;
	size_t n;
	unsigned int (*line_of)(const struct tw_policy *p, size_t i);
	/* True if a line, from its first character on, begins an item. */
	bool (*begins)(const char *at, size_t len);
};

static unsigned int line_of_rule(const struct tw_policy *p, size_t i)
{
	return p->rules.at[i].info.line;
}

static unsigned int line_of_workload(const struct tw_policy *p, size_t i)
{
	return p->workloads.at[i].line;
}

static bool begins_rule(const char *at, size_t len)
{
	return len > 1 && at[0] == '-' && at[1] == ' ';
}

/* True for a key without quotes: no other kind of line begins with these characters. */
static bool begins_workload(const char *at, size_t len)
{
	return len && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
			      (*at >= '0' && *at <= '9') || *at == '_');
}

/* Returns the last item that begins in or before this line. */
static size_t item_at(const struct change *c, const struct section *s, unsigned int line)
{
	size_t low = 0, high = s->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (s->line_of(c->old, middle) <= line)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Returns the line of the next section, or 0 at the end of the text. */
static unsigned int next_section(const struct change *c, unsigned int line)
{
	const struct tw_policy_text *text = &c->old->text;

	for (size_t i = 0; i < text->n_sections; i++)
		if (text->sections[i] > line)
			return text->sections[i];
	return 0;
}

static bool begins_at(const struct change *c, const struct section *s, size_t at)
{
	const struct text *was = &c->was;

	for (size_t i = 0; i < c->column; i++)
		if (at + i >= was->len || was->at[at + i] != ' ')
			return false;
	at += c->column;
	return at < was->len && s->begins(was->at + at, was->len - at);
}

/* True if the change begins before the first character of a line. */
static bool is_before_letters(const struct change *c)
{
	size_t at = c->from;

	while (at && c->was.at[at - 1] == ' ')
		at--;
	return !at || c->was.at[at - 1] == '\n';
}

/* Finds the items of the change. Returns READ_ALL if the change reaches beyond items. */
static int find_cut(struct change *c, const struct section *s)
{
	unsigned int from = 1 + count_lines(c->was.at, c->from), to, behind;
	size_t at = c->from;

	if (!s->n || from < s->line_of(c->old, 0))
		return READ_ALL;
	behind = next_section(c, s->line_of(c->old, 0));
	to = from + (c->to > c->from ? count_lines(c->was.at + at, c->to - 1 - at) : 0);
	/* Only lines after the last item were added. */
	if (c->from == c->to && from == behind && at && c->was.at[at - 1] == '\n')
		to = --from;
	if (behind && to >= behind)
		return READ_ALL;
	c->first = item_at(c, s, from);
	/* Lines inserted before an item may belong to the item above. */
	if (c->first && s->line_of(c->old, c->first) == from && is_before_letters(c))
		c->first--;
	c->last = item_at(c, s, to) + 1;
	if (c->last - c->first > ITEMS_MAX)
		return READ_ALL;
	c->line = s->line_of(c->old, c->first);
	c->end_line = c->last < s->n ? s->line_of(c->old, c->last) : behind;
	c->cut_from = offset_of(&c->was, at, 1 + count_lines(c->was.at, at), c->line);
	c->cut_to = c->end_line ? offset_of(&c->was, c->cut_from, c->line, c->end_line)
				: c->was.len;
	if (!c->end_line)
		c->end_line = UINT32_MAX;
	c->column = 0;
	while (c->cut_from + c->column < c->was.len && c->was.at[c->cut_from + c->column] == ' ')
		c->column++;
	if (!begins_at(c, s, c->cut_from) || (c->last < s->n && !begins_at(c, s, c->cut_to)))
		return READ_ALL;
	return 0;
}

/* Returns the lines that replace the cut ones in the new text. */
static struct text new_lines(const struct change *c)
{
	return (struct text){
		c->is.at + c->cut_from, c->is.len - (c->was.len - c->cut_to) - c->cut_from};
}

/* True if items begin only in their column, and everything else is indented deeper. */
static bool is_shaped(const struct change *c, const struct section *s, struct text lines)
{
	for (size_t at = 0; at < lines.len;) {
		const char *line = lines.at + at, *end = memchr(line, '\n', lines.len - at);
		size_t len = end ? (size_t)(end - line) : lines.len - at, blanks = 0;

		while (blanks < len && line[blanks] == ' ')
			blanks++;
		if (!end && c->cut_to < c->was.len)
			return false;
		if (!at || (blanks < len && line[blanks] != '#' && blanks <= c->column))
			if (blanks != c->column || !s->begins(line + blanks, len - blanks))
				return false;
		at += len + 1;
	}
	return tw_text_has_plain_lines(lines.at, lines.len);
}

/* Reads the new lines as a separate section. The result is the node of the items, with their
 * places in the new text. */
static int load(struct change *c, const struct section *s, enum tw_node_kind kind,
	struct text lines, struct tw_node **ret)
{
	size_t key_len = strlen(s->key);
	char *text = tw_arena_alloc(&c->scratch, key_len + 2 + lines.len, 1);
	struct tw_node *root = NULL;
	int err;

	if (!text)
		return -ENOMEM;
	memcpy(text, s->key, key_len);
	text[key_len] = ':';
	text[key_len + 1] = '\n';
	memcpy(text + key_len + 2, lines.at, lines.len);
	err = tw_yaml_load(text, key_len + 2 + lines.len, &c->scratch, &root, &c->fresh);
	if (err)
		return err == -ENOMEM ? err : READ_ALL;
	if (!root || root->kind != TW_NODE_MAP || root->n != 1 || root->first->kind != kind ||
		root->first->flow || root->first->column != c->column + 1)
		return READ_ALL;
	*ret = root->first;
	/* The items begin in line 2 of the text that was read here. */
	tw_yaml_move(*ret, c->line - 2);
	return 0;
}

static void move(const struct change *c, unsigned int *line)
{
	if (*line >= c->end_line)
		*line = (unsigned int)((long)*line + c->more_lines);
}

static void move_all(struct change *c)
{
	struct tw_policy *p = c->policy;

	if (!c->more_lines)
		return;
	tw_vec_foreach (&p->nics, nic)
		move(c, &nic->line);
	tw_vec_foreach (&p->workloads, workload)
		move(c, &workload->line);
	tw_vec_foreach (&p->groups, group)
		move(c, &group->line);
	for (size_t i = 0; i < p->text.n_sections; i++)
		move(c, &p->text.sections[i]);
}

/* Cuts out the difference and loads its replacement; NULL if there is none. */
static int load_items(
	struct change *c, const struct section *s, enum tw_node_kind kind, struct tw_node **ret)
{
	int err = find_cut(c, s);
	struct text lines;

	if (err)
		return err;
	lines = new_lines(c);
	if (!is_shaped(c, s, lines))
		return READ_ALL;
	c->more_lines = (long)count_lines(lines.at, lines.len) -
			(long)count_lines(c->was.at + c->cut_from, c->cut_to - c->cut_from);
	move_all(c);
	*ret = NULL;
	return lines.len ? load(c, s, kind, lines, ret) : 0;
}

/* ---- warnings ---- */

/* Merges the warnings of the parts taken over and of the items read again. */
static int merge_said(struct change *c)
{
	struct tw_policy_text *text = &c->policy->text;
	size_t n = 0;
	int err = 0;

	tw_vec_foreach (&text->said, said) {
		if (said->line >= c->line && said->line < c->end_line)
			continue;
		move(c, &said->line);
		text->said.at[n++] = *said;
	}
	text->said.n = n;
	for (size_t i = 0; i < c->fresh.n && !err; i++)
		err = tw_policy_said(c->policy, &c->fresh.at[i]);
	return err || text->said.n < TW_DIAGS_WARNINGS_MAX ? err : READ_ALL;
}

/* ---- a reader for the new items ---- */

static struct tw_reader begin_reader(struct change *c, struct tw_policy *policy)
{
	return (struct tw_reader){.policy = policy,
		.diags = &c->fresh,
		.scratch = &c->scratch,
		.claims = {.seed = policy->seed},
		.n_addresses = c->old->text.n_addresses,
		.n_parts = c->old->text.n_parts};
}

static int end_reader(struct change *c, struct tw_reader *r)
{
	c->policy->text.n_addresses = r->n_addresses;
	c->policy->text.n_parts = r->n_parts;
	tw_reader_done(r);
	if (r->nomem)
		return -ENOMEM;
	return c->fresh.n_errors ? READ_ALL : 0;
}

/* ---- rules ---- */

static int add_rule_name(struct tw_policy *p, const struct tw_rule *rule, size_t number)
{
	return tw_names_add(&p->rule_names, (struct tw_name){.text = rule->info.name,
						    .line = rule->info.line,
						    .index = (uint32_t)number});
}

/* Takes over the rules before and after the new ones, with their names. */
static int take_rules(struct change *c, size_t n_new, struct tw_rule *rules)
{
	const struct tw_policy *old = c->old;
	size_t n_old = tw_policy_n_rules(old), behind = c->first + n_new;
	int err = 0;

	for (size_t i = 0; i < c->first && !err; i++) {
		rules[i] = old->rules.at[i];
		err = add_rule_name(c->policy, &rules[i], i);
	}
	for (size_t i = c->last; i <= n_old && !err; i++) {
		struct tw_rule *rule = &rules[behind + i - c->last];

		*rule = old->rules.at[i];
		move(c, &rule->info.line);
		if (i < n_old)
			err = add_rule_name(c->policy, rule, behind + i - c->last);
	}
	return err;
}

/* True if rules keep their names. A rule without a name is named by its number. */
static bool keep_their_names(const struct change *c, size_t n_new)
{
	bool same = n_new == c->last - c->first;

	for (size_t i = c->last; i < tw_policy_n_rules(c->old) && !same; i++)
		if (!c->old->rules.at[i].named)
			return false;
	return true;
}

static int read_rules(struct change *c, const struct tw_node *list)
{
	size_t n_old = tw_policy_n_rules(c->old), n_new = list ? list->n : 0;
	size_t n = n_old - (c->last - c->first) + n_new;
	struct tw_policy *p = c->policy;
	tw_autofree struct tw_rule *rules = NULL;
	struct tw_reader r;
	int err;

	if (!n || n > TW_POLICY_RULES_MAX || n_new > ITEMS_MAX || !keep_their_names(c, n_new))
		return READ_ALL;
	rules = tw_alloc_array(n + 1, sizeof(*rules));
	err = rules ? take_rules(c, n_new, rules) : -ENOMEM;
	if (err)
		return err;
	r = begin_reader(c, p);
	if (list)
		tw_read_rules(&r, list, c->first);
	err = end_reader(c, &r);
	if (err)
		return err;
	if (p->rules.n != n_new)
		return READ_ALL;
	if (n_new)
		memcpy(&rules[c->first], p->rules.at, n_new * sizeof(*rules));
	tw_vec_done(&p->rules);
	p->rules.at = TW_TAKE_PTR(rules);
	p->rules.n = p->rules.max = n + 1;
	return tw_policy_resolve_again(p, c->old, NULL, &c->fresh);
}

static int change_rules(struct change *c)
{
	const struct section rules = {
		"rules", tw_policy_n_rules(c->old), line_of_rule, begins_rule};
	struct tw_node *list;
	int err = c->old->text.block_rules ? load_items(c, &rules, TW_NODE_SEQ, &list) : READ_ALL;

	return err ? err : read_rules(c, list);
}

/* ---- tags of workloads ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_limits(const struct tw_limits *a, const struct tw_limits *b)
{
	return a->said == b->said && !memcmp(a->at, b->at, sizeof(a->at));
}

static bool same_nic(const struct tw_nic *a, const struct tw_nic *b)
{
	if (!same_text(a->pub.port, b->pub.port) || a->pub.has_mac != b->pub.has_mac ||
		memcmp(a->pub.mac, b->pub.mac, sizeof(a->pub.mac)) != 0 ||
		!same_text(a->pub.network, b->pub.network) || a->pub.any != b->pub.any ||
		a->pub.slaac != b->pub.slaac || a->pub.n_formed_in != b->pub.n_formed_in ||
		a->pub.dhcp != b->pub.dhcp || !tw_grants_equal(a->pub.grants, b->pub.grants) ||
		a->n_written != b->n_written || a->n_shared != b->n_shared ||
		!same_limits(&a->limits, &b->limits))
		return false;
	for (size_t i = 0; i < a->pub.n_formed_in; i++)
		if (memcmp(&a->pub.formed_in[i].addr, &b->pub.formed_in[i].addr,
			    sizeof(a->pub.formed_in[i].addr)) != 0)
			return false;
	for (size_t i = 0; i < a->n_shared; i++)
		if (memcmp(&a->shared[i].addr, &b->shared[i].addr, sizeof(a->shared[i].addr)) != 0)
			return false;
	for (size_t i = 0; i < a->n_written; i++)
		if ((a->places && memcmp(&a->places[i], &b->places[i], sizeof(*a->places)) != 0) ||
			a->written[i].len != b->written[i].len ||
			memcmp(&a->written[i].addr, &b->written[i].addr,
				sizeof(a->written[i].addr)) != 0)
			return false;
	return true;
}

/* True if only tags differ. `news` holds the new workload. */
static bool same_but_tags(const struct change *c, const struct tw_workload *old,
	const struct tw_policy *news, const struct tw_workload *now)
{
	if (!same_text(old->name, now->name) || old->n_nics != now->n_nics ||
		old->mode != now->mode || old->tcp != now->tcp ||
		!same_limits(&old->limits, &now->limits))
		return false;
	for (size_t i = 0; i < old->n_nics; i++)
		if (!same_nic(&c->old->nics.at[old->first_nic + i],
			    &news->nics.at[now->first_nic + i]))
			return false;
	return true;
}

static bool expr_speaks_of(const struct tw_tag_expr *expr, uint32_t tag)
{
	if (expr->op == TW_TAG_IS)
		return expr->tag == tag;
	return expr_speaks_of(expr->left, tag) || (expr->right && expr_speaks_of(expr->right, tag));
}

static bool some_group_speaks_of(const struct tw_policy *p, uint32_t tag)
{
	for (size_t i = 0; i < p->groups.n; i++)
		if (p->groups.at[i].tags && expr_speaks_of(p->groups.at[i].tags, tag))
			return true;
	return false;
}

static bool some_workload_has(const struct tw_policy *p, uint32_t tag)
{
	for (size_t w = 0; w < p->workloads.n; w++)
		for (size_t i = 0; i < p->workloads.at[w].n_tags; i++)
			if (p->workloads.at[w].tags[i] == tag)
				return true;
	return false;
}

/* True if no tag that a group names gets its first workload or loses its last one. A full
 * reading would warn of that. */
static bool tags_stay_known(
	const struct change *c, const struct tw_workload *old, const struct tw_workload *now)
{
	for (size_t i = 0; i < now->n_tags; i++)
		if (!some_workload_has(c->old, now->tags[i]) &&
			some_group_speaks_of(c->policy, now->tags[i]))
			return false;
	for (size_t i = 0; i < old->n_tags; i++)
		if (!some_workload_has(c->policy, old->tags[i]) &&
			some_group_speaks_of(c->policy, old->tags[i]))
			return false;
	return true;
}

/* Finds the policy's number of a tag that was read into another policy. */
static int find_tag(struct tw_policy *p, const char *text, uint32_t *ret)
{
	const struct tw_name *known = tw_names_find(&p->tag_names, text);
	struct tw_name name = {.index = (uint32_t)p->tag_names.all.n};

	*ret = known ? known->index : name.index;
	if (known)
		return 0;
	name.text = tw_arena_strndup(&p->arena, text, strlen(text));
	return name.text ? tw_names_add(&p->tag_names, name) : -ENOMEM;
}

static int take_tags(struct change *c, struct tw_workload *workload, const struct tw_policy *news,
	const struct tw_workload *now)
{
	uint32_t *tags = tw_arena_alloc(&c->policy->arena, now->n_tags, sizeof(*tags));
	int err = tags ? 0 : -ENOMEM;

	for (size_t i = 0; i < now->n_tags && !err; i++)
		err = find_tag(c->policy, news->tag_names.all.at[now->tags[i]].text, &tags[i]);
	workload->tags = tags;
	workload->n_tags = err ? 0 : now->n_tags;
	workload->line = now->line;
	for (size_t i = 0; i < workload->n_nics; i++)
		c->policy->nics.at[workload->first_nic + i].line =
			news->nics.at[now->first_nic + i].line;
	return err;
}

/* Takes over the workloads that were read into `news`. */
static int take_workloads(struct change *c, const struct tw_policy *news)
{
	struct tw_policy *p = c->policy;
	tw_autofree bool *changed = tw_alloc_array(p->workloads.n, sizeof(*changed));
	int err = changed ? 0 : -ENOMEM;

	if (news->workloads.n != c->last - c->first)
		return READ_ALL;
	for (size_t i = c->first; i < c->last && !err; i++) {
		const struct tw_workload *now = &news->workloads.at[i - c->first];

		if (!same_but_tags(c, &c->old->workloads.at[i], news, now))
			return READ_ALL;
		changed[i] = true;
		err = take_tags(c, &p->workloads.at[i], news, now);
	}
	for (size_t i = c->first; i < c->last && !err; i++)
		if (!tags_stay_known(c, &c->old->workloads.at[i], &p->workloads.at[i]))
			return READ_ALL;
	return err ? err : tw_policy_resolve_again(p, c->old, changed, &c->fresh);
}

static int read_workloads(struct change *c, const struct tw_node *map)
{
	tw_auto(tw_policy) struct tw_policy *news = NULL;
	struct tw_reader r;
	int err = tw_policy_new(c->old->seed, &news);

	if (err)
		return err;
	r = begin_reader(c, news);
	tw_read_workloads(&r, map);
	err = end_reader(c, &r);
	if (!err)
		err = tw_policy_copy_rules(c->policy, c->old);
	for (size_t i = 0; i < c->policy->rules.n && !err; i++)
		move(c, &c->policy->rules.at[i].info.line);
	return err ? err : take_workloads(c, news);
}

static int change_workloads(struct change *c)
{
	const struct section workloads = {
		"workloads", c->old->workloads.n, line_of_workload, begins_workload};
	struct tw_node *map = NULL;
	int err = c->old->text.block_workloads && !c->old->text.n_strange_tags
			  ? load_items(c, &workloads, TW_NODE_MAP, &map)
			  : READ_ALL;

	if (!err && !map)
		err = READ_ALL;
	return err ? err : read_workloads(c, map);
}

/* ---- the whole ---- */

static int make(struct change *c)
{
	size_t n_end;
	int err;

	c->from = common_start(c->was, c->is);
	if (c->from == c->was.len && c->from == c->is.len)
		return tw_policy_copy_rules(c->policy, c->old);
	n_end = common_end(
		c->was, c->is, (c->was.len < c->is.len ? c->was.len : c->is.len) - c->from);
	c->to = c->was.len - n_end;
	err = change_rules(c);
	if (err == READ_ALL && !c->policy->rules.n) {
		tw_diags_done(&c->fresh);
		err = change_workloads(c);
	}
	if (err)
		return err == -EINVAL ? READ_ALL : err;
	return merge_said(c);
}

static int tell_said(const struct tw_policy *p, struct tw_diags *diags)
{
	int err = 0;

	tw_vec_foreach (&p->text.said, said)
		if (!err)
			err = tw_diags_add(diags, TW_SEV_WARNING, said->line, said->column,
				said->hint, "%s", said->text);
	tw_diags_sort(diags);
	return err;
}

static bool is_possible(const struct tw_policy *old, size_t len)
{
	size_t bytes = tw_arena_bytes(&old->arena) + tw_arena_bytes(&old->sets.arena);

	return !old->views && old->text.plain && len <= TEXT_MAX &&
	       bytes <= BYTES_MAX(old->text.bytes);
}

int tw_policy_reread(const struct tw_policy *old, const char *old_text, size_t old_len,
	const char *text, size_t len, struct tw_policy **ret, struct tw_diags *diags)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct change c = {.old = old, .was = {old_text, old_len}, .is = {text, len}};
	int err = is_possible(old, len) ? tw_policy_copy(old, false, &policy) : READ_ALL;

	if (!err) {
		c.policy = policy;
		err = make(&c);
	}
	tw_arena_done(&c.scratch);
	tw_diags_done(&c.fresh);
	if (err == READ_ALL)
		return tw_policy_read_unchecked(text, len, NULL, 0, ret, diags);
	if (!err)
		err = tell_said(policy, diags);
	if (!err)
		*ret = TW_TAKE_PTR(policy);
	return err;
}
