/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/sealed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "policy/table.h"

/* A file begins with SEAL, followed by the checksum in hexadecimal, then the text that it
 * covers. */
#define SEAL	   "{\"version\":1,\"sum\":\""
#define SUM_DIGITS 16
#define SEAL_LEN   (sizeof(SEAL) - 1 + SUM_DIGITS)

void tw_sealed_add(struct tw_buf *out, const char *body, size_t len)
{
	char seal[SEAL_LEN + 3];

	snprintf(seal, sizeof(seal), "%s%016" PRIx64 "\",", SEAL, tw_table_hash(body, len, 0));
	tw_buf_adds(out, seal);
	tw_buf_add(out, body, len);
}

/* True if an agent of this version wrote the file, and it has not changed since. */
static bool is_sealed(const char *text, size_t len)
{
	tw_auto_buf struct tw_buf again = {0};
	const size_t body = SEAL_LEN + 2;

	if (len <= body)
		return false;
	tw_sealed_add(&again, text + body, len - body);
	return !again.failed && again.len == len && !memcmp(again.data, text, len);
}

char *tw_sealed_members(const struct tw_store *store, json_t *root)
{
	char *text = NULL;

	if (root && !json_object_set_new(root, "mark", json_integer(tw_store_mark(store))))
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text)
		memmove(text, text + 1, strlen(text));
	return text;
}

int tw_sealed_write(struct tw_store *store, const char *name, json_t *root, struct tw_err *err)
{
	tw_autofree char *members = tw_sealed_members(store, root);
	tw_auto_buf struct tw_buf text = {0};

	if (members)
		tw_sealed_add(&text, members, strlen(members));
	return members && !text.failed ? tw_store_write(store, name, text.data, text.len, err)
				       : tw_store_no_memory(store, err);
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
