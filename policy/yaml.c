/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/yaml.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "policy/diag.h"

struct loader {
	struct tw_arena *arena;
	struct tw_diags *diags;
	struct tw_node *root;
	struct tw_node *stack[TW_YAML_DEPTH_MAX];
	struct tw_node *last[TW_YAML_DEPTH_MAX]; /* last member so far */
	struct tw_node *key[TW_YAML_DEPTH_MAX];	 /* key that has no value yet */
	size_t depth;
	size_t n_nodes;
	size_t n_documents;
	bool done;
	bool broken; /* the tree is incomplete and must not be used */
	int err;
};

static void complain(struct loader *l, yaml_mark_t at, const char *hint, const char *text)
{
	if (tw_diags_add(l->diags, TW_SEV_ERROR, (unsigned int)at.line + 1,
		    (unsigned int)at.column + 1, hint, "%s", text) < 0)
		l->err = -ENOMEM;
}

/* Reports an error after which the rest of the text cannot be read. */
static void give_up(struct loader *l, yaml_mark_t at, const char *hint, const char *text)
{
	complain(l, at, hint, text);
	l->done = l->broken = true;
}

static struct tw_node *new_node(struct loader *l, enum tw_node_kind kind, yaml_mark_t at)
{
	struct tw_node *node;

	if (++l->n_nodes > TW_YAML_NODES_MAX) {
		give_up(l, at, "split it, or use networks and groups",
			"the policy has too many values");
		return NULL;
	}
	node = tw_arena_alloc(l->arena, 1, sizeof(*node));
	if (!node) {
		l->err = -ENOMEM;
		return NULL;
	}
	node->kind = kind;
	node->line = (unsigned int)at.line + 1;
	node->column = (unsigned int)at.column + 1;
	return node;
}

/* Adds a complete scalar, or a collection that has just begun, to its parent. */
static void place(struct loader *l, struct tw_node *node, yaml_mark_t at)
{
	size_t top = l->depth - 1;
	struct tw_node *parent;

	if (!l->depth) {
		l->root = node;
		return;
	}
	parent = l->stack[top];
	if (parent->kind == TW_NODE_MAP && !l->key[top]) {
		if (node->kind == TW_NODE_SEQ || node->kind == TW_NODE_MAP)
			complain(l, at, NULL, "a key must be a plain string");
		l->key[top] = node;
		return;
	}
	node->key = l->key[top];
	l->key[top] = NULL;
	if (l->last[top])
		l->last[top]->next = node;
	else
		parent->first = node;
	l->last[top] = node;
	parent->n++;
}

static void check_extras(struct loader *l, const yaml_char_t *anchor, yaml_mark_t at)
{
	if (anchor)
		complain(l, at, "write the value out where it is used",
			"anchors are not part of the policy format");
}

static void begin(struct loader *l, const yaml_event_t *event, enum tw_node_kind kind)
{
	bool is_map = kind == TW_NODE_MAP;
	const yaml_char_t *tag = is_map ? event->data.mapping_start.tag
					: event->data.sequence_start.tag;
	struct tw_node *node;

	check_extras(l,
		is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
		event->start_mark);
	if (tag)
		complain(l, event->start_mark, "remove it; to subtract, quote the text: \"!name\"",
			"tags are not part of the policy format");
	if (l->depth == TW_YAML_DEPTH_MAX) {
		give_up(l, event->start_mark, "a policy needs no more than five levels",
			"nested too deeply");
		return;
	}
	node = new_node(l, kind, event->start_mark);
	if (!node)
		return;
	node->flow = is_map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
			    : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	place(l, node, event->start_mark);
	l->stack[l->depth] = node;
	l->last[l->depth] = l->key[l->depth] = NULL;
	l->depth++;
}

static void scalar(struct loader *l, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct tw_node *node = new_node(l, TW_NODE_SCALAR, event->start_mark);

	if (!node)
		return;
	check_extras(l, event->data.scalar.anchor, event->start_mark);
	if (event->data.scalar.tag) {
		complain(l, event->start_mark, "to subtract, quote the text: \"!name\"",
			"tags are not part of the policy format");
		node->kind = TW_NODE_BAD;
	} else if (memchr(text, '\0', len)) {
		complain(l, event->start_mark, NULL, "the text contains a NUL character");
		node->kind = TW_NODE_BAD;
	}
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = tw_arena_strndup(l->arena, text, len);
	if (!node->text)
		l->err = -ENOMEM;
	place(l, node, event->start_mark);
}

static void alias(struct loader *l, const yaml_event_t *event)
{
	struct tw_node *node = new_node(l, TW_NODE_BAD, event->start_mark);

	if (!node)
		return;
	node->text = "";
	complain(l, event->start_mark, "to begin a text with *, quote it",
		"aliases are not part of the policy format");
	place(l, node, event->start_mark);
}

static void take(struct loader *l, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (l->n_documents++)
			give_up(l, event->start_mark, "put everything into one document",
				"a second document begins here");
		break;
	case YAML_MAPPING_START_EVENT:
		begin(l, event, TW_NODE_MAP);
		break;
	case YAML_SEQUENCE_START_EVENT:
		begin(l, event, TW_NODE_SEQ);
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		l->depth--;
		break;
	case YAML_SCALAR_EVENT:
		scalar(l, event);
		break;
	case YAML_ALIAS_EVENT:
		alias(l, event);
		break;
	case YAML_STREAM_END_EVENT:
		l->done = true;
		break;
	default:
		break;
	}
}

/* Returns the place of a byte, for errors that libyaml finds before it counts lines. */
static yaml_mark_t mark_at(const char *text, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset; i++) {
		mark.index += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else {
			/* UTF-8 continuation bytes take no column. */
			mark.column += ((unsigned char)text[i] & 0xc0) != 0x80;
		}
	}
	return mark;
}

/* If the text ends early, libyaml reports the line after its end. Returns a place within the
 * text. */
static yaml_mark_t within_text(yaml_mark_t at, yaml_mark_t end)
{
	return at.line > end.line && at.index >= end.index ? end : at;
}

/* True if the line is indented with a tab, the most common mistake in YAML. */
static bool has_tab_indent(const char *text, size_t len, size_t line)
{
	size_t i = 0;

	for (; i < len && line; i++)
		line -= text[i] == '\n';
	while (i < len && text[i] == ' ')
		i++;
	return i < len && text[i] == '\t';
}

static void parser_problem(
	struct loader *l, const yaml_parser_t *parser, const char *text, size_t len)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";
	const char *hint = "check quotes, brackets and indentation here and above";
	char why[192];

	if (parser->error == YAML_MEMORY_ERROR) {
		l->err = -ENOMEM;
	} else if (parser->error == YAML_READER_ERROR) {
		size_t offset = parser->problem_offset < len ? parser->problem_offset : len;

		snprintf(why, sizeof(why), "not text: %s", problem);
		give_up(l, mark_at(text, offset), "a policy is UTF-8 text", why);
	} else {
		yaml_mark_t at = within_text(parser->problem_mark, mark_at(text, len));

		if (has_tab_indent(text, len, at.line))
			hint = "indent with spaces, not with tabs";
		snprintf(why, sizeof(why), "not YAML: %s%s%s", problem, parser->context ? " " : "",
			parser->context ? parser->context : "");
		give_up(l, at, hint, why);
	}
	l->done = true;
}

int tw_yaml_load(const char *text, size_t len, struct tw_arena *arena, struct tw_node **ret,
	struct tw_diags *diags)
{
	struct loader l = {.arena = arena, .diags = diags};
	size_t errors_before = diags->n_errors;
	yaml_parser_t parser;
	yaml_event_t event;
	yaml_mark_t end;

	if (len > TW_YAML_TEXT_MAX)
		return tw_diags_add(diags, TW_SEV_ERROR, 0, 0, "at most 64 MiB are allowed",
			       "the policy text is too long") < 0
			       ? -ENOMEM
			       : -EINVAL;
	/* An empty text may be NULL, which libyaml does not accept. */
	if (!len)
		text = "";
	/* Some editors write a byte order mark before UTF-8; libyaml skips it only if it detects
	 * the encoding. */
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	end = mark_at(text, len);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!l.done && !l.err && diags->n_errors <= TW_DIAGS_ERRORS_MAX) {
		if (!yaml_parser_parse(&parser, &event)) {
			parser_problem(&l, &parser, text, len);
			break;
		}
		event.start_mark = within_text(event.start_mark, end);
		take(&l, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (l.err)
		return l.err;
	*ret = l.broken ? NULL : l.root;
	return diags->n_errors > errors_before ? -EINVAL : 0;
}

size_t tw_yaml_move(struct tw_node *node, unsigned int by)
{
	size_t n = 1;

	node->line += by;
	if (node->key)
		n += tw_yaml_move(node->key, by);
	for (struct tw_node *member = node->first; member; member = member->next)
		n += tw_yaml_move(member, by);
	return n;
}
