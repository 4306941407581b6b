/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/versions.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "agent/state/sealed.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/digest.h"

#define RETRY_NS 5000000000u

_Static_assert(TW_VERSIONS_MAX == TW_STORE_VERSION_FILES, "a name for each text");
_Static_assert(sizeof(((struct tw_version *)0)->sha256) == TW_DIGEST_BYTES, "SHA-256");

struct text_name {
	char text[32];
};

static struct text_name text_name(uint64_t number)
{
	struct text_name name;

	snprintf(name.text, sizeof(name.text), TW_STORE_VERSION_FORMAT,
		(unsigned int)(number % TW_VERSIONS_MAX));
	return name;
}

static void version_done(struct tw_version *version)
{
	free(version->author);
	free(version->comment);
	free(version->source);
}

void tw_versions_done(struct tw_versions *versions)
{
	tw_vec_foreach (&versions->list, version)
		version_done(version);
	tw_vec_done(&versions->list);
}

static void drop_at(struct tw_versions *versions, size_t i)
{
	version_done(&versions->list.at[i]);
	versions->list.n--;
	memmove(&versions->list.at[i], &versions->list.at[i + 1],
		(versions->list.n - i) * sizeof(versions->list.at[0]));
}

/* ---- the file ---- */

static json_t *pack_version(const struct tw_version *v)
{
	char hex[2 * TW_DIGEST_BYTES + 1];

	for (size_t i = 0; i < TW_DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", v->sha256[i]);
	return json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:s, s:b}", "number",
		(json_int_t)v->number, "time", (json_int_t)v->time_s, "uid", (json_int_t)v->uid,
		"author", v->author, "comment", v->comment, "source", v->source, "mark",
		(json_int_t)v->mark, "size", (json_int_t)v->size, "sha256", hex, "kept",
		(int)v->kept);
}

static char *text_of(json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return tw_strdup(text ? text : "");
}

static uint64_t number_of(json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

/* Reads a row. Returns 0 or -ENOMEM. */
static int unpack_version(json_t *row, struct tw_version *ret)
{
	const char *hex = json_string_value(json_object_get(row, "sha256"));

	*ret = (struct tw_version){.number = number_of(row, "number"),
		.time_s = (int64_t)number_of(row, "time"),
		.uid = (uint32_t)number_of(row, "uid"),
		.mark = number_of(row, "mark"),
		.size = number_of(row, "size"),
		.kept = json_is_true(json_object_get(row, "kept")),
		.author = text_of(row, "author"),
		.comment = text_of(row, "comment"),
		.source = text_of(row, "source")};
	for (size_t i = 0; hex && i < TW_DIGEST_BYTES && hex[2 * i] && hex[2 * i + 1]; i++)
		sscanf(hex + 2 * i, "%2hhx", &ret->sha256[i]);
	return ret->author && ret->comment && ret->source ? 0 : -ENOMEM;
}

void tw_versions_load(struct tw_versions *versions, struct tw_store *store)
{
	json_t *root = tw_sealed_read_any(store, TW_STORE_VERSIONS), *row;
	size_t i;

	json_array_foreach (json_object_get(root, "policies"), i, row) {
		struct tw_version version;

		if (i >= TW_VERSIONS_MAX)
			break;
		if (unpack_version(row, &version) < 0 || tw_vec_push(&versions->list, version)) {
			version_done(&version);
			tw_log(TW_LOG_ERR, "%s: out of memory", TW_STORE_VERSIONS);
			break;
		}
	}
	json_decref(root);
}

static int write_list(struct tw_versions *versions, struct tw_store *store, struct tw_err *err)
{
	json_t *list = json_array();
	int ret;

	tw_vec_foreach (&versions->list, version)
		if (json_array_append_new(list, pack_version(version)) < 0) {
			json_decref(list);
			return tw_store_no_memory(store, err);
		}
	ret = tw_sealed_write(store, TW_STORE_VERSIONS, json_pack("{s:o}", "policies", list), err);
	if (!ret)
		versions->unsaved = false;
	return ret;
}

/* Links the text of the newest policy, if it is the one in force, and writes the list. */
static int save(struct tw_versions *versions, struct tw_store *store,
	const struct tw_inforce *inforce, bool linkable, struct tw_err *err)
{
	struct tw_version *last = &versions->list.at[versions->list.n - 1];
	int ret = 0;

	if (!last->kept && linkable && inforce && last->mark == inforce->mark) {
		ret = tw_store_link(store, TW_STORE_POLICY, text_name(last->number).text, err);
		last->kept = !ret;
	}
	return ret ? ret : write_list(versions, store, err);
}

/* ---- changes ---- */

/* Drops the oldest policies beyond the bounds, and their texts. */
static void trim(struct tw_versions *versions, struct tw_store *store)
{
	uint64_t bytes = 0;

	tw_vec_foreach (&versions->list, version)
		bytes += version->kept ? version->size : 0;
	while (versions->list.n > TW_VERSIONS_MAX ||
		(versions->list.n > 1 && bytes > TW_VERSIONS_BYTES)) {
		const struct tw_version *oldest = &versions->list.at[0];

		bytes -= oldest->kept ? oldest->size : 0;
		if (oldest->kept && oldest->number + TW_VERSIONS_MAX > tw_versions_last(versions))
			tw_store_delete(store, text_name(oldest->number).text, NULL);
		drop_at(versions, 0);
	}
}

static int make_version(
	const struct tw_inforce *inforce, const struct tw_authorship *by, struct tw_version *ret)
{
	*ret = (struct tw_version){.number = inforce->generation,
		.time_s = time(NULL),
		.uid = by->uid,
		.mark = inforce->mark,
		.size = inforce->text->len,
		.author = tw_strdup(by->author ? by->author : ""),
		.comment = tw_strdup(by->comment ? by->comment : ""),
		.source = tw_strdup(inforce->source)};
	return ret->author && ret->comment && ret->source &&
			       !tw_digest_make(
				       inforce->text->bytes, inforce->text->len, ret->sha256)
		       ? 0
		       : -ENOMEM;
}

int tw_versions_add(struct tw_versions *versions, struct tw_store *store,
	const struct tw_inforce *inforce, const struct tw_authorship *by, bool linkable,
	struct tw_err *err)
{
	const struct tw_version *same = tw_versions_find(versions, inforce->generation);
	struct tw_version version;

	if (same && same->mark == inforce->mark && same->number == tw_versions_last(versions))
		return 0;
	if (make_version(inforce, by, &version) < 0) {
		version_done(&version);
		return tw_store_no_memory(store, err);
	}
	/* If the list has this number or a greater one, that is from before the state was lost. */
	while (versions->list.n && tw_versions_last(versions) >= version.number)
		drop_at(versions, versions->list.n - 1);
	if (tw_vec_push(&versions->list, version)) {
		version_done(&version);
		return tw_store_no_memory(store, err);
	}
	versions->unsaved = true;
	trim(versions, store);
	return save(versions, store, inforce, linkable, err);
}

void tw_versions_doubt(struct tw_versions *versions)
{
	if (!versions->list.n)
		return;
	versions->list.at[versions->list.n - 1].kept = false;
	versions->unsaved = true;
}

void tw_versions_tick(struct tw_versions *versions, struct tw_store *store,
	const struct tw_inforce *inforce, bool linkable)
{
	struct tw_err err = {0};

	if (!versions->unsaved || !versions->list.n || tw_clock_ns() < versions->retry_ns)
		return;
	versions->retry_ns = tw_clock_ns() + RETRY_NS;
	if (save(versions, store, inforce, linkable, &err) < 0) {
		if (!versions->failed)
			tw_log(TW_LOG_ERR, "the list of earlier policies is not saved: %s",
				err.text);
		versions->failed = true;
		return;
	}
	if (versions->failed)
		tw_log(TW_LOG_INFO, "the list of earlier policies is saved now");
	versions->failed = false;
}

/* ---- reading ---- */

const struct tw_version *tw_versions_find(const struct tw_versions *versions, uint64_t number)
{
	tw_vec_foreach (&versions->list, version)
		if (version->number == number)
			return version;
	return NULL;
}

uint64_t tw_versions_last(const struct tw_versions *versions)
{
	return versions->list.n ? versions->list.at[versions->list.n - 1].number : 0;
}

int64_t tw_versions_now(struct tw_versions *versions)
{
	int64_t now = time(NULL);

	if (versions->list.n && versions->list.at[versions->list.n - 1].time_s > now)
		now = versions->list.at[versions->list.n - 1].time_s;
	if (now > versions->now_s)
		versions->now_s = now;
	return versions->now_s;
}

int tw_versions_read(const struct tw_versions *versions, struct tw_store *store, uint64_t number,
	char **ret, size_t *ret_len, struct tw_err *err)
{
	const struct tw_version *version = tw_versions_find(versions, number);
	tw_autofree char *text = NULL;
	char place[32];
	size_t len = 0;

	snprintf(place, sizeof(place), "policy %llu", (unsigned long long)number);
	if (!version)
		return tw_err_set(err, -ENOENT, place,
			"tapwall policy --history lists the earlier policies",
			"no such policy was in force here, or it is no longer kept");
	if (!version->kept || tw_store_read(store, text_name(number).text, &text, &len) < 0 ||
		len != version->size || tw_policy_text_mark(text, len) != version->mark)
		return tw_err_set(err, -ENODATA, place,
			"tapwall policy --history lists the earlier policies",
			"its text was not kept, or has changed since");
	*ret = TW_TAKE_PTR(text);
	*ret_len = len;
	return 0;
}
