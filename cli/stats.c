/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/stats.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/human.h"
#include "cli/sheet.h"
#include "link/json.h"
#include "policy/table.h"

static const char *const engines[TW_ENGINE__MAX] = {"none", "cells", "vectors"};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compile(struct tw_compiler *compiler, const struct tw_layout *layout,
	struct tw_stats_image *ret, struct tw_diags *diags)
{
	tw_auto(tw_image) struct tw_image *image = NULL;
	double start = now_ms();
	int err = tw_layout_compile(compiler, layout, &image, diags);

	if (err)
		return err;
	ret->compile_ms = now_ms() - start;
	ret->bytes = image->n_words * sizeof(*image->words);
	memcpy(ret->n_entries, image->n_entries, sizeof(ret->n_entries));
	ret->n_views = image->n_views;
	ret->views = TW_TAKE_PTR(image->views);
	return 0;
}

static bool same_key(const void *owner, uint32_t value, const void *key)
{
	return !memcmp(&((const struct tw_stats *)owner)->images.at[value].key, key,
		sizeof(struct tw_image_key));
}

static int add(struct tw_stats *stats, struct tw_index *index, struct tw_compiler *compiler,
	const struct tw_vnic *vnic, struct tw_diags *diags)
{
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	struct tw_stats_image image = {0};
	uint32_t known;
	int err = tw_layout_new(compiler, vnic, &layout);

	if (err)
		return err;
	image.key = *tw_layout_key(layout);
	known = tw_index_find(index, image.key.word[0], same_key, stats, &image.key);
	if (known == TW_INDEX_NONE) {
		known = (uint32_t)stats->images.n;
		err = compile(compiler, layout, &image, diags);
		if (!err)
			err = tw_vec_push(&stats->images, image);
		if (err) {
			free(image.views);
			return err;
		}
		err = tw_index_add(index, image.key.word[0], known);
	}
	return err ? err : tw_vec_push(&stats->images.at[known].workloads, vnic->workload);
}

int tw_stats_make(struct tw_stats *stats, const struct tw_policy *policy, struct tw_diags *diags)
{
	tw_auto(tw_compiler) struct tw_compiler *compiler = NULL;
	struct tw_index index = {0};
	int err = tw_compiler_new(policy, NULL, &compiler);

	if (!err)
		stats->n_members = tw_compiler_members(compiler)->all.n;
	for (size_t i = 0; i < tw_policy_n_vnics(policy) && !err; i++)
		err = add(stats, &index, compiler, tw_policy_vnic(policy, i), diags);
	tw_index_done(&index);
	return err;
}

void tw_stats_done(struct tw_stats *stats)
{
	tw_vec_foreach (&stats->images, image) {
		tw_vec_done(&image->workloads);
		free(image->views);
	}
	tw_vec_done(&stats->images);
}

static const char *family_of(const struct tw_image_facts *view)
{
	return view->family == 1 ? "IPv4" : "IPv6";
}

static void add_view(struct tw_sheet *sheet, const struct tw_image_facts *view)
{
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", view->dir == TW_DIR_OUT ? "out" : "in");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", family_of(view));
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", engines[view->engine]);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(view->n_entries).text);
	for (int dim = 0; dim < TW_DIM__MAX; dim++) {
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(view->classes[dim]).text);
		if (dim == TW_DIM_REMOTE)
			tw_sheet_cell(
				sheet, TW_STYLE_PLAIN, "%s", tw_human_count(view->groups).text);
	}
	if (view->services)
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(view->services).text);
	else
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", "");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(view->bytes).text);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", view->why ? view->why : "");
}

static int print_image(const struct tw_stats_image *image)
{
	static const struct tw_column columns[] = {
		{.title = "DIR"},
		{.title = "FAMILY"},
		{.title = "ENGINE"},
		{.title = "ENTRIES", .right = true},
		{.title = "REMOTE", .right = true},
		{.title = "GROUPS", .right = true},
		{.title = "LOCAL", .right = true},
		{.title = "KEY", .right = true},
		{.title = "SPORT", .right = true},
		{.title = "SERVICE", .right = true},
		{.title = "BYTES", .right = true},
		{.title = "BECAUSE", .spare = 1},
	};
	tw_auto_sheet struct tw_sheet sheet = {.columns = columns,
		.n_columns = sizeof(columns) / sizeof(columns[0]),
		.indent = "  "};

	printf("%s%s%s", tw_style_on(TW_STYLE_NAME), image->workloads.at[0], tw_style_off());
	if (image->workloads.n > 1)
		printf(" and %s more ports", tw_human_count(image->workloads.n - 1).text);
	printf(": %s in one image, compiled in %s\n", tw_human_bytes(image->bytes).text,
		tw_human_ms(image->compile_ms).text);
	for (size_t i = 0; i < image->n_views; i++)
		add_view(&sheet, &image->views[i]);
	return tw_sheet_show(&sheet, "  no rule applies: the default decides");
}

int tw_stats_print(const struct tw_stats *stats)
{
	int code = 0;

	if (stats->n_members)
		printf("%s addresses of group members, in a table apart from the images\n",
			tw_human_count(stats->n_members).text);
	for (size_t i = 0; i < stats->images.n && !code; i++)
		code = print_image(&stats->images.at[i]);
	return code;
}

static json_t *json_view(const struct tw_image_facts *view)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o}",
		"direction", view->dir == TW_DIR_OUT ? "out" : "in", "family", family_of(view),
		"engine", engines[view->engine], "because", view->why, "entries",
		tw_json_u64(view->n_entries), "classes", "remote",
		tw_json_u64(view->classes[TW_DIM_REMOTE]), "local",
		tw_json_u64(view->classes[TW_DIM_LOCAL]), "key",
		tw_json_u64(view->classes[TW_DIM_PROTO]), "source_port",
		tw_json_u64(view->classes[TW_DIM_SPORT]), "service", tw_json_u64(view->services),
		"groups", tw_json_u64(view->groups), "rows", tw_json_u64(view->rows), "bytes",
		tw_json_u64(view->bytes));
}

json_t *tw_stats_json(const struct tw_stats *stats)
{
	json_t *list = json_array();

	tw_vec_foreach (&stats->images, image) {
		json_t *workloads = json_array(), *views = json_array();

		tw_vec_foreach (&image->workloads, name)
			json_array_append_new(workloads, tw_json_text(*name));
		for (size_t i = 0; i < image->n_views; i++)
			json_array_append_new(views, json_view(&image->views[i]));
		json_array_append_new(list,
			json_pack("{s:o, s:o, s:f, s:{s:o, s:o}, s:o}", "workloads", workloads,
				"bytes", tw_json_u64(image->bytes), "compile_ms", image->compile_ms,
				"entries", "out", tw_json_u64(image->n_entries[TW_DIR_OUT]), "in",
				tw_json_u64(image->n_entries[TW_DIR_IN]), "views", views));
	}
	return list;
}
