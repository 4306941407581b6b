/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/sealed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "policy/table.h"

/* A file begins with SEAL, followed by the checksum in hexadecimal, then the text that it
 * covers. */
#define SEAL	   "{\"version\":1,\"sum\":\""
#define SUM_DIGITS 16
#define BODY_AT	   (sizeof(SEAL) - 1 + SUM_DIGITS + 2)

struct seal {
	char text[BODY_AT + 1];
};

static struct seal seal_of(const char *body, size_t len)
{
	struct seal seal;

	snprintf(seal.text, sizeof(seal.text), "%s%016" PRIx64 "\",", SEAL,
		tw_table_hash(body, len, 0));
	return seal;
}

void tw_sealed_add(struct tw_buf *out, const char *body, size_t len)
{
	tw_buf_adds(out, seal_of(body, len).text);
	tw_buf_add(out, body, len);
}

/* True if an agent of this version wrote the file, and it has not changed since. */
static bool is_sealed(const char *text, size_t len)
{
	return len > BODY_AT && !memcmp(seal_of(text + BODY_AT, len - BODY_AT).text, text, BODY_AT);
}

/* Adds the mark of the maps. Returns 0, or -1 if memory runs out or has run out before. */
static int add_mark(const struct tw_store *store, json_t *root)
{
	return root ? json_object_set_new(root, "mark", json_integer(tw_store_mark(store))) : -1;
}

char *tw_sealed_members(const struct tw_store *store, json_t *root)
{
	char *text = add_mark(store, root) ? NULL : json_dumps(root, JSON_COMPACT);

	json_decref(root);
	if (text)
		memmove(text, text + 1, strlen(text));
	return text;
}

static int add_dumped(const char *bytes, size_t len, void *arg)
{
	struct tw_buf *text = arg;

	tw_buf_add(text, bytes, len);
	return text->failed ? -1 : 0;
}

int tw_sealed_write(struct tw_store *store, const char *name, json_t *root, struct tw_err *err)
{
	tw_auto_buf struct tw_buf text = {0};
	/* The seal takes the place of the opening brace, too. A large file is in memory only once. */
	bool whole = tw_buf_extend(&text, BODY_AT - 1) && !add_mark(store, root) &&
		     !json_dump_callback(root, add_dumped, &text, JSON_COMPACT);

	json_decref(root);
	if (!whole)
		return tw_store_no_memory(store, err);
	memcpy(text.data, seal_of(text.data + BODY_AT, text.len - BODY_AT).text, BODY_AT);
	return tw_store_write(store, name, text.data, text.len, err);
}

json_t *tw_sealed_read_any(struct tw_store *store, const char *name)
{
	tw_autofree char *text = NULL;
	json_t *root = NULL;
	size_t len = 0;
	int ret = tw_store_read(store, name, &text, &len);

	if (!ret && is_sealed(text, len))
		root = json_loadb(text, len, 0, NULL);
	if (!root && ret != -ENOENT)
		tw_log(TW_LOG_ERR, "%s/%s is damaged or of another version; not used",
			tw_store_path(store), name);
	return root;
}

json_t *tw_sealed_read(struct tw_store *store, const char *name)
{
	json_t *root = tw_sealed_read_any(store, name);

	if (root && json_integer_value(json_object_get(root, "mark")) == tw_store_mark(store))
		return root;
	json_decref(root);
	return NULL;
}
