/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read_tags.c: tag expressions.
 *
 *	or  = and { "|" and }      and = not { "&" not }      not = "!" not | "(" or ")" | tag
 */
#include <stdio.h>
#include <string.h>

#include "policy/diag.h"
#include "policy/read.h"
#include "policy/text.h"

struct tag_parser {
	struct tw_reader *reader;
	const struct tw_node *node; /* node of the expression */
	const char *at;
	size_t n_nodes;
	size_t depth;
	bool failed;
};

static struct tw_tag_expr *parse_or(struct tag_parser *t);

static void fail(struct tag_parser *t, const char *hint, const char *wanted)
{
	size_t offset = (size_t)(t->at - t->node->text);

	if (t->failed)
		return;
	t->failed = true;
	if (*t->at)
		tw_reader_error(t->reader, t->node, hint,
			"tag expression: %s at character %zu, before '%s'", wanted, offset + 1,
			tw_diag_show(t->at).text);
	else
		tw_reader_error(t->reader, t->node, hint, "tag expression: %s at its end", wanted);
}

static void skip_blanks(struct tag_parser *t)
{
	while (*t->at == ' ' || *t->at == '\t' || *t->at == '\n')
		t->at++;
}

static struct tw_tag_expr *new_expr(struct tag_parser *t, enum tw_tag_op op)
{
	struct tw_tag_expr *expr;

	if (++t->n_nodes > TW_TAG_NODES_MAX) {
		fail(t, "split it into several groups", "too long");
		return NULL;
	}
	expr = tw_arena_alloc(&t->reader->policy->arena, 1, sizeof(*expr));
	if (!expr)
		t->reader->nomem = t->failed = true;
	else
		expr->op = op;
	return expr;
}

static struct tw_tag_expr *join(struct tag_parser *t, enum tw_tag_op op,
	const struct tw_tag_expr *left, const struct tw_tag_expr *right)
{
	struct tw_tag_expr *expr = left && right ? new_expr(t, op) : NULL;

	if (expr) {
		expr->left = left;
		expr->right = right;
	}
	return expr;
}

/* Returns the number of a tag. A tag that no workload has is a warning and not an error, because
 * workloads come and go. */
static uint32_t tag_number(struct tag_parser *t, const char *text)
{
	struct tw_reader *r = t->reader;
	const struct tw_name *known = tw_names_find(&r->policy->tag_names, text);
	struct tw_name name = {.line = t->node->line};
	struct tw_guess guess = {0};
	char hint[192];

	if (known)
		return known->index;
	tw_guess_names(r, &guess, text, &r->policy->tag_names);
	tw_reader_warn(r, t->node,
		tw_guess_hint(&guess, hint, sizeof(hint), "workloads added later will be included"),
		"no workload has the tag %s", tw_diag_show(text).text);
	r->policy->text.n_strange_tags++;
	name.index = (uint32_t)r->policy->tag_names.all.n;
	name.text = tw_reader_keep(r, text, strlen(text) + 1, 1);
	if (!name.text || tw_reader_failed(r, tw_names_add(&r->policy->tag_names, name)))
		t->failed = true;
	return name.index;
}

static struct tw_tag_expr *parse_tag(struct tag_parser *t)
{
	char text[TW_NAME_MAX + 1];
	struct tw_tag_expr *expr;
	size_t len = 0;

	while (tw_text_is_tag_char(t->at[len]))
		len++;
	if (len > TW_NAME_MAX) {
		fail(t, NULL, "a tag is too long");
		return NULL;
	}
	memcpy(text, t->at, len);
	text[len] = '\0';
	if (!tw_text_is_tag(text)) {
		fail(t, "join tags with & and |, negate with !, group with ( )",
			"a tag is missing");
		return NULL;
	}
	t->at += len;
	expr = new_expr(t, TW_TAG_IS);
	if (expr)
		expr->tag = tag_number(t, text);
	return expr;
}

static struct tw_tag_expr *parse_not(struct tag_parser *t)
{
	struct tw_tag_expr *expr = NULL;
	struct tw_tag_expr *inner;

	skip_blanks(t);
	if (*t->at != '!' && *t->at != '(')
		return parse_tag(t);
	if (++t->depth > TW_TAG_DEPTH_MAX) {
		fail(t, "split it into several groups", "nested too deeply");
		return NULL;
	}
	if (*t->at++ == '!') {
		inner = parse_not(t);
		expr = join(t, TW_TAG_NOT, inner, inner);
	} else {
		expr = parse_or(t);
		if (expr && *t->at == ')')
			t->at++;
		else if (expr)
			fail(t, NULL, "a closing bracket is missing");
	}
	t->depth--;
	return expr;
}

static struct tw_tag_expr *parse_chain(struct tag_parser *t, char sign, enum tw_tag_op op,
	struct tw_tag_expr *(*next)(struct tag_parser *t))
{
	struct tw_tag_expr *expr = next(t);

	for (skip_blanks(t); expr && *t->at == sign; skip_blanks(t)) {
		t->at++;
		expr = join(t, op, expr, next(t));
	}
	return expr;
}

static struct tw_tag_expr *parse_and(struct tag_parser *t)
{
	return parse_chain(t, '&', TW_TAG_AND, parse_not);
}

static struct tw_tag_expr *parse_or(struct tag_parser *t)
{
	return parse_chain(t, '|', TW_TAG_OR, parse_and);
}

const struct tw_tag_expr *tw_read_tags(struct tw_reader *r, const struct tw_node *node)
{
	struct tag_parser t = {.reader = r, .node = node};
	const struct tw_tag_expr *expr;

	t.at = tw_reader_text(r, node, "a group's tags");
	if (!t.at)
		return NULL;
	expr = parse_or(&t);
	if (expr && !t.failed && *t.at)
		fail(&t, "join tags with & or |", "& or | is missing");
	return t.failed ? NULL : expr;
}
