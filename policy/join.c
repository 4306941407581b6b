/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/join.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "policy/diag.h"
#include "policy/model.h"
#include "policy/reader.h"

struct joined {
	const struct tw_files *files;
	struct tw_arena *arena;
	struct tw_diags *diags;
	struct tw_node *root; /* NULL: no file has a key yet */
	struct tw_node *last; /* last member of the root */
	size_t n_nodes;
	bool broken; /* a file is not YAML, so that the content of the others means nothing */
};

/* A key whose values are joined. */
struct shared {
	const char *key;
	enum tw_node_kind kind;
	struct tw_node *node; /* of the first file that has it */
	struct tw_node *last; /* last member */
	size_t from;	      /* file that was joined last, from 1; 0: none */
	unsigned int line;    /* line of the key in that file */
};

static int add_error(
	struct joined *j, const struct tw_node *node, const char *hint, const char *text)
{
	return tw_diags_add(j->diags, TW_SEV_ERROR, node->line, node->column, hint, "%s", text);
}

static struct tw_node *last_of(struct tw_node *node)
{
	struct tw_node *last = node->first;

	while (last && last->next)
		last = last->next;
	return last;
}

static void add_member(struct joined *j, struct tw_node *member)
{
	member->next = NULL;
	if (j->last)
		j->last->next = member;
	else
		j->root->first = member;
	j->last = member;
	j->root->n++;
}

/* Adds a further file's part of a section. */
static int join_section(struct joined *j, struct shared *to, struct tw_node *member)
{
	char text[128];

	if (tw_node_is_empty(member) || member->kind == TW_NODE_BAD)
		return 0;
	if (member->kind != to->kind) {
		snprintf(text, sizeof(text), "%s must be a %s, not %s", to->key,
			to->kind == TW_NODE_SEQ ? "list" : "mapping", tw_node_kind(member));
		return add_error(j, member,
			to->kind == TW_NODE_SEQ ? "begin each rule with '- '"
						: "write name: value pairs",
			text);
	}
	if (tw_node_is_empty(to->node)) {
		struct tw_node *next = to->node->next;

		/* The first file has only the key. */
		*to->node = *member;
		to->node->next = next;
	} else if (to->node->kind == to->kind) {
		if (to->last)
			to->last->next = member->first;
		else
			to->node->first = member->first;
		to->node->n += member->n;
	}
	if (to->node->kind == to->kind && member->first)
		to->last = last_of(member);
	return 0;
}

static int add_twice(struct joined *j, const struct shared *to, const struct tw_node *member)
{
	char text[256];

	snprintf(text, sizeof(text), "the file has the key %s twice, first in %s", to->key,
		tw_files_line(j->files, to->line).text);
	return add_error(j, member->key, "keep one of them", text);
}

static int join_member(
	struct joined *j, struct shared *shared, size_t n, size_t number, struct tw_node *member)
{
	const char *key = member->key->kind == TW_NODE_SCALAR ? member->key->text : "";

	for (size_t i = 0; i < n; i++) {
		struct shared *to = &shared[i];

		if (strcmp(key, to->key) != 0)
			continue;
		if (to->from == number)
			return add_twice(j, to, member);
		to->from = number;
		to->line = member->key->line;
		if (!to->node) {
			to->node = member;
			to->last = last_of(member);
			break;
		}
		if (to->kind != TW_NODE_SCALAR)
			return join_section(j, to, member);
		if (member->kind == TW_NODE_SCALAR && !strcmp(member->text, "1"))
			return 0;
		return add_error(j, member, "write version: 1",
			"this version of the policy format is not supported");
	}
	add_member(j, member);
	return 0;
}

/* Adds a file's tree to the tree of all files. */
static int join_tree(
	struct joined *j, struct shared *shared, size_t n, size_t number, struct tw_node *tree)
{
	int err = 0;

	if (tree->kind != TW_NODE_MAP) {
		char text[128];

		if (tree->kind == TW_NODE_BAD || tw_node_is_empty(tree))
			return 0;
		snprintf(text, sizeof(text), "a policy must be a mapping, not %s",
			tw_node_kind(tree));
		return add_error(j, tree, "write it as key: value pairs", text);
	}
	if (!j->root) {
		j->root = tw_arena_alloc(j->arena, 1, sizeof(*j->root));
		if (!j->root)
			return -ENOMEM;
		*j->root = *tree;
		j->root->first = NULL;
		j->root->n = 0;
	}
	for (struct tw_node *member = tree->first, *next; member && !err; member = next) {
		next = member->next;
		err = join_member(j, shared, n, number, member);
	}
	return err;
}

/* Reads one file. `number` counts from 1. */
static int load_file(
	struct joined *j, struct shared *shared, size_t n_shared, size_t number, const char *text)
{
	const struct tw_text_file *file = &j->files->at[number - 1];
	struct tw_node *tree = NULL;
	size_t before = j->diags->n;
	int err = tw_yaml_load(text + file->at, file->len, j->arena, &tree, j->diags);

	for (size_t i = before; i < j->diags->n; i++)
		j->diags->at[i].line += file->line;
	j->broken |= err && !tree;
	if (err == -ENOMEM || !tree)
		return err == -ENOMEM ? err : 0;
	j->n_nodes += tw_yaml_move(tree, file->line);
	if (j->n_nodes > TW_YAML_NODES_MAX)
		return add_error(j, tree, "use networks and groups",
			       "the policy has too many values") < 0
			       ? -ENOMEM
			       : -EINVAL;
	return join_tree(j, shared, n_shared, number, tree);
}

static int load_files(struct joined *j, const char *text, struct tw_node **ret)
{
	struct shared shared[] = {
		{.key = "version", .kind = TW_NODE_SCALAR},
		{.key = "networks", .kind = TW_NODE_MAP},
		{.key = "services", .kind = TW_NODE_MAP},
		{.key = "workloads", .kind = TW_NODE_MAP},
		{.key = "groups", .kind = TW_NODE_MAP},
		{.key = "options", .kind = TW_NODE_MAP},
		{.key = "rules", .kind = TW_NODE_SEQ},
	};
	size_t errors_before = j->diags->n_errors;
	int err = 0;

	for (size_t i = 1; i <= j->files->n && !err; i++)
		if (j->diags->n_errors <= TW_DIAGS_ERRORS_MAX)
			err = load_file(j, shared, sizeof(shared) / sizeof(shared[0]), i, text);
	if (err)
		return err;
	*ret = j->broken ? NULL : j->root;
	return j->diags->n_errors > errors_before ? -EINVAL : 0;
}

int tw_join_load(const char *text, size_t len, struct tw_policy *policy, struct tw_arena *arena,
	struct tw_node **ret, struct tw_diags *diags)
{
	struct tw_files *files = &policy->text.files;
	struct joined joined = {.files = files, .arena = arena, .diags = diags};
	int err = len > TW_YAML_TEXT_MAX ? 0 : tw_files_find(text, len, &policy->arena, files);

	if (err == -E2BIG)
		return tw_diags_add(diags, TW_SEV_ERROR, 0, 0, "join some of them",
			       "the policy has more than %u files", TW_FOLDER_FILES_MAX) < 0
			       ? -ENOMEM
			       : -EINVAL;
	if (err)
		return err;
	return files->n ? load_files(&joined, text, ret)
			: tw_yaml_load(text, len, arena, ret, diags);
}
