/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/present.h"

#include "agent/state/sealed.h"

/* Returns the list of files, which may be empty. The caller drops the reference. */
static json_t *read_files(struct tw_store *store)
{
	json_t *root = tw_sealed_read_any(store, TW_STORE_PRESENT);
	json_t *files = json_object_get(root, "files");

	files = json_is_object(files) ? json_incref(files) : json_object();
	json_decref(root);
	return files;
}

int tw_present_note(struct tw_store *store, const char *name, uint64_t number, struct tw_err *err)
{
	json_t *files = read_files(store);
	const json_t *old = json_object_get(files, name);
	int failed = 0;

	if (files && (old ? (uint64_t)json_integer_value(old) : 0) == number) {
		json_decref(files);
		return 0;
	}
	if (number)
		failed = json_object_set_new(files, name, json_integer((json_int_t)number));
	else
		json_object_del(files, name);
	if (!files || failed) {
		json_decref(files);
		return tw_store_no_memory(store, err);
	}
	if (!json_object_size(files)) {
		json_decref(files);
		return tw_store_delete(store, TW_STORE_PRESENT, err);
	}
	return tw_sealed_write(store, TW_STORE_PRESENT, json_pack("{s:o}", "files", files), err);
}

uint64_t tw_present_number(struct tw_store *store, const char *name)
{
	json_t *root = tw_sealed_read_any(store, TW_STORE_PRESENT);
	json_int_t number = json_integer_value(
		json_object_get(json_object_get(root, "files"), name));
	bool damaged = !root && tw_store_has(store, TW_STORE_PRESENT);

	json_decref(root);
	return damaged ? 1 : number > 0 ? (uint64_t)number : 0;
}
