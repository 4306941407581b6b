/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the state directory: the files that the agent writes, and how it reads them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/test.h"

#include "agent/state/policy_file.h"
#include "agent/state/saved.h"
#include "agent/state/slots.h"
#include "agent/state/staged.h"
#include "agent/state/store.h"
#include "base/alloc.h"

struct store_place {
	char path[64];
	struct tw_store *store;
};

static int open_store(void **state)
{
	static struct store_place place;
	struct tw_err err;

	snprintf(place.path, sizeof(place.path), "/tmp/tw-agent-unit.XXXXXX");
	if (!mkdtemp(place.path))
		return -1;
	strcat(place.path, "/state/deep");
	if (tw_store_open(place.path, &place.store, &err) < 0)
		return -1;
	tw_store_set_mark(place.store, 42);
	*state = &place;
	return 0;
}

static int close_store(void **state)
{
	struct store_place *place = *state;
	struct stat info;

	tw_store_remove(place->store);
	tw_store_free(place->store);
	if (!stat(place->path, &info))
		return -1; /* no file of the test may be left */
	for (int i = 0; i < 2; i++) {
		*strrchr(place->path, '/') = '\0';
		rmdir(place->path);
	}
	return 0;
}

static void test_store_lock(void **state)
{
	const struct store_place *place = *state;
	struct tw_store *second = NULL;
	struct tw_err err;

	assert_int_equal(tw_store_open(place->path, &second, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err.text, "an agent is running here (process "));
	assert_int_equal(tw_store_open("/proc/nowhere", &second, &err), -ENOENT);
}

static void test_store_rules(void **state)
{
	const struct store_place *place = *state;
	struct tw_inforce *inforce = inforce_of("version: 1\nrules: [" RULE("a") "]\n");
	struct tw_saved_rules saved = {0};
	struct tw_saved_given given;
	struct tw_slots slots;

	tw_slots_init(&slots, NULL);
	assert_int_equal(tw_staged_load_rules(place->store, &slots, &saved), -ENOENT);
	assert_int_equal(tw_slots_assign(&slots, inforce->policy, inforce->slots), 0);
	inforce->generation = 12;
	inforce->file_mark = 77;
	tw_staged_load_given(place->store, &given);
	assert_int_equal(given.mark, 0);
	assert_int_equal(tw_staged_write(place->store, &slots, inforce, 1, NULL), 0);
	assert_int_equal(tw_store_keep(place->store, NULL), 0);
	tw_slots_done(&slots);

	tw_slots_init(&slots, NULL);
	tw_store_set_mark(place->store, 43); /* the mark of another boot's maps */
	assert_int_equal(tw_staged_load_rules(place->store, &slots, &saved), -ENOENT);
	/* The policy's source does not depend on the maps. */
	tw_staged_load_given(place->store, &given);
	assert_int_equal(given.mark, tw_policy_text_mark(inforce->text->bytes, inforce->text->len));
	assert_int_equal(given.file_mark, 77);
	assert_string_equal(given.source, "test");
	tw_store_set_mark(place->store, 42);
	assert_int_equal(tw_staged_load_rules(place->store, &slots, &saved), 0);
	assert_int_equal(saved.generation, 12);
	assert_int_equal(saved.since_ns, inforce->since_ns);
	assert_string_equal(saved.source, "test");
	assert_string_equal(tw_slots_name(&slots, inforce->slots[0]), "a");
	assert_string_equal(tw_slots_name(&slots, inforce->slots[1]), "default");
	free(saved.source);
	tw_slots_done(&slots);
	tw_inforce_free(inforce);
	/* A policy text that does not belong to these rules has an unknown source. */
	assert_int_equal(tw_store_write(place->store, TW_STORE_POLICY, "x", 1, NULL), 0);
	tw_staged_load_given(place->store, &given);
	assert_int_equal(given.file_mark, 0);
	assert_non_null(strstr(given.source, "/state/deep/" TW_STORE_POLICY));
}

/* Replaces a file of the directory. */
static void put_file(
	const struct store_place *place, const char *name, const char *text, size_t len)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int load_ports(struct tw_store *store)
{
	struct tw_saved_port *saved = NULL;
	static struct tw_ports ports;
	size_t n;
	int ret;

	tw_ports_init(&ports);
	ret = tw_saved_read_ports(store, &ports, &saved, &n);
	free(saved);
	tw_ports_done(&ports);
	return ret;
}

/* A file in which any bit or the length has changed is refused. */
static void test_store_sealed(void **state)
{
	const struct store_place *place = *state;
	tw_autofree char *text = NULL;
	static struct tw_ports ports;
	size_t len;

	tw_ports_init(&ports);
	add_port(&ports, 30, "tap30");
	assert_int_equal(tw_saved_write_ports(place->store, &ports, NULL), 0);
	tw_ports_done(&ports);
	assert_int_equal(tw_store_read(place->store, TW_STORE_PORTS, &text, &len), 0);
	assert_int_equal(load_ports(place->store), 0);
	for (size_t i = 0; i < 8 * len; i++) {
		text[i / 8] ^= (char)(1 << i % 8);
		put_file(place, TW_STORE_PORTS, text, len);
		assert_int_equal(load_ports(place->store), -ENOENT);
		text[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t i = 0; i < len; i++) {
		put_file(place, TW_STORE_PORTS, text, i);
		assert_int_equal(load_ports(place->store), -ENOENT);
	}
	put_file(place, TW_STORE_PORTS, text, len);
	assert_int_equal(load_ports(place->store), 0);
}

/* A file that another program deletes or changes is reported once; a file that the agent writes is
 * not. */
static void test_store_changed(void **state)
{
	const struct store_place *place = *state;
	static const char *const names[] = {TW_STORE_POLICY, TW_STORE_PORTS};
	tw_autofree char *text = NULL;
	char path[160];
	size_t len;

	assert_null(tw_store_find_changed(place->store));
	for (int i = 0; i < 2; i++)
		assert_int_equal(tw_store_write(place->store, names[i], "text", 4, NULL), 0);
	assert_null(tw_store_find_changed(place->store));
	put_file(place, TW_STORE_PORTS, "another", 7);
	snprintf(path, sizeof(path), "%s/%s", place->path, TW_STORE_POLICY);
	assert_int_equal(unlink(path), 0);
	assert_string_equal(tw_store_find_changed(place->store), TW_STORE_POLICY);
	assert_string_equal(tw_store_find_changed(place->store), TW_STORE_PORTS);
	assert_null(tw_store_find_changed(place->store));
	/* Reading the file accepts its present state. */
	assert_int_equal(tw_store_read(place->store, TW_STORE_PORTS, &text, &len), 0);
	assert_null(tw_store_find_changed(place->store));
	assert_int_equal(tw_store_delete(place->store, TW_STORE_PORTS, NULL), 0);
	assert_null(tw_store_find_changed(place->store));
	assert_false(tw_store_has(place->store, TW_STORE_PORTS));
}

/* True if an agent would start with this text. */
static bool has_policy(struct tw_store *store, const struct tw_inforce *inforce)
{
	tw_autofree char *text = NULL;
	size_t len;

	return !tw_store_read(store, TW_STORE_POLICY, &text, &len) && len == inforce->text->len &&
	       !memcmp(text, inforce->text->bytes, len);
}

static bool has_rule(struct tw_store *store, const char *name)
{
	struct tw_saved_rules saved = {0};
	struct tw_slots slots;
	bool found = false;

	tw_slots_init(&slots, NULL);
	if (!tw_staged_load_rules(store, &slots, &saved))
		for (uint32_t i = 0; i < slots.n; i++)
			found |= tw_slots_name(&slots, i) &&
				 !strcmp(tw_slots_name(&slots, i), name);
	free(saved.source);
	tw_slots_done(&slots);
	return found;
}

/* While a policy is prepared, a walk of the connections frees none of its slots; if it does not take effect, the next
 * one does. */
static void test_slots_pledged(void **state)
{
	struct tw_inforce *draft = inforce_of("version: 1\nrules: [" RULE("a") "," RULE("c") "]\n");
	struct tw_inforce *old = inforce_of("version: 1\nrules: [" RULE("a") "," RULE("b") "]\n");
	struct tw_slots slots;

	tw_slots_init(&slots, NULL);
	assert_int_equal(tw_slots_assign(&slots, old->policy, old->slots), 0);
	tw_slots_retire(&slots, &old->slots[1], 1); /* b alone is in force */
	assert_int_equal(tw_slots_assign(&slots, draft->policy, draft->slots), 0);
	assert_int_equal(draft->slots[0], old->slots[0]);
	for (int i = 0; i < 2; i++) {
		tw_slots_begin_walk(&slots);
		tw_slots_end_walk(&slots);
	}
	assert_string_equal(tw_slots_name(&slots, draft->slots[0]), "a");
	assert_string_equal(tw_slots_name(&slots, draft->slots[1]), "c");
	assert_int_equal(tw_slots_rule(&slots, draft->slots[1]), -1);
	tw_slots_release(&slots);
	tw_slots_begin_walk(&slots);
	tw_slots_end_walk(&slots);
	assert_null(tw_slots_name(&slots, draft->slots[0]));
	assert_null(tw_slots_name(&slots, draft->slots[1]));
	assert_string_equal(tw_slots_name(&slots, old->slots[1]), "b");

	/* An assignment that comes after the end fails. */
	tw_slots_done(&slots);
	assert_int_equal(tw_slots_assign(&slots, draft->policy, draft->slots), -ECANCELED);
	tw_inforce_free(old);
	tw_inforce_free(draft);
}

/* After an agent dies while it publishes a policy, the text on disk is that of the policy in the
 * kernel. */
static void test_store_staged(void **state)
{
	const struct store_place *place = *state;
	struct tw_store *store = place->store;
	struct tw_inforce *old = inforce_of("version: 1\nrules: [" RULE("old") "]\n");
	struct tw_inforce *now = inforce_of("version: 1\nrules: [" RULE("now") "]\n");
	char from[160], to[160];
	struct tw_slots slots;

	tw_slots_init(&slots, NULL);
	assert_int_equal(tw_slots_assign(&slots, old->policy, old->slots), 0);
	assert_int_equal(tw_staged_write(store, &slots, old, 6, NULL), 0);
	assert_int_equal(tw_store_keep(store, NULL), 0);
	assert_int_equal(tw_slots_assign(&slots, now->policy, now->slots), 0);

	assert_int_equal(tw_staged_write(store, &slots, now, 7, NULL), 0);
	assert_true(has_policy(store, old));
	tw_staged_recover(store, 6, 0); /* died before the flip */
	assert_true(has_policy(store, old) && !has_rule(store, "now"));
	tw_staged_recover(store, 7, 0); /* the staged files are gone */
	assert_true(has_policy(store, old) && !has_rule(store, "now"));

	assert_int_equal(tw_staged_write(store, &slots, now, 7, NULL), 0);
	tw_staged_recover(store, 7, 0);
	assert_true(has_policy(store, now) && has_rule(store, "now"));

	/* Died after the first of the two files. */
	assert_int_equal(tw_staged_write(store, &slots, old, 8, NULL), 0);
	snprintf(from, sizeof(from), "%s/%s.new", place->path, TW_STORE_POLICY);
	snprintf(to, sizeof(to), "%s/%s", place->path, TW_STORE_POLICY);
	assert_int_equal(rename(from, to), 0);
	tw_staged_recover(store, 8, 0);
	assert_true(has_policy(store, old) && has_rule(store, "old"));

	/* Died before the files were kept, and after ports that changed had flipped the epoch again. */
	assert_int_equal(tw_staged_write(store, &slots, now, 9, NULL), 0);
	tw_staged_recover(store, 10, now->mark);
	assert_true(has_policy(store, now) && has_rule(store, "now"));
	/* Died before the flip, after which the mark would be another one. */
	assert_int_equal(tw_staged_write(store, &slots, old, 9, NULL), 0);
	tw_staged_recover(store, 9, now->mark);
	assert_true(has_policy(store, now));
	assert_int_equal(tw_staged_write(store, &slots, old, 9, NULL), 0);
	assert_int_equal(tw_store_keep(store, NULL), 0);

	/* Died before the text of the policy was written. */
	assert_int_equal(tw_staged_write(store, &slots, now, 9, NULL), 0);
	assert_int_equal(truncate(from, 5), 0);
	tw_staged_recover(store, 9, 0);
	assert_true(has_policy(store, old));
	assert_int_not_equal(access(from, F_OK), 0);
	tw_slots_done(&slots);
	tw_inforce_free(old);
	tw_inforce_free(now);
}

static void test_store_ports(void **state)
{
	const struct store_place *place = *state;
	static struct tw_ports ports;
	struct tw_saved_port *saved = NULL;
	struct tw_agent_port *port;
	uint16_t network, next_id, next_network;
	size_t n = 0;

	tw_ports_init(&ports);
	port = add_port(&ports, 17, "tap17");
	learn(port, 9);
	add_port(&ports, 18, "odd\xff\xfename"); /* not UTF-8: not saved, and not an error */
	network = tw_ports_network(&ports, 5, "br0");
	next_id = ports.next_id;
	next_network = ports.next_network;
	assert_int_equal(tw_saved_write_ports(place->store, &ports, NULL), 0);
	tw_ports_done(&ports);

	tw_ports_init(&ports);
	assert_int_equal(tw_saved_read_ports(place->store, &ports, &saved, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(saved[0].ifindex, 17);
	assert_string_equal(saved[0].name, "tap17");
	assert_true(saved[0].learned);
	assert_int_equal(saved[0].learned_mac[5], 9);
	assert_int_equal(tw_ports_network(&ports, 5, "br0"), network);
	assert_int_equal(ports.next_id, next_id);
	assert_int_equal(ports.next_network, next_network);
	free(saved);
	tw_ports_done(&ports);
}

static void test_store_images(void **state)
{
	const struct store_place *place = *state;
	static struct tw_image_slot slots[TW_IMAGES_MAX];
	struct tw_images images = {.slots = slots};

	slots[3] = (struct tw_image_slot){
		.used = true, .bytes = 640, .n_entries = 5, .key = {{UINT64_MAX, 1}}};
	slots[4] = (struct tw_image_slot){.saved = true};
	assert_int_equal(tw_saved_write_images(place->store, &images, NULL), 0);
	assert_true(slots[3].saved);
	assert_false(slots[4].saved); /* a slot that the file no longer lists may be reused */
	memset(slots, 0, sizeof(slots));
	tw_saved_read_images(place->store, &images);
	assert_true(slots[3].saved);
	assert_false(slots[3].used);
	assert_int_equal(slots[3].bytes, 640);
	assert_int_equal(slots[3].n_entries, 5);
	assert_true(slots[3].key.word[0] == UINT64_MAX && slots[3].key.word[1] == 1);
}

/* The kernel's entry identifies an image; a row about an older image is ignored. */
static void test_adopt_images(void **state)
{
	static struct tw_image_slot slots[TW_IMAGES_MAX];
	static const struct tw_image_key older = {{7, 1}}, newer = {{7, 2}};
	struct tw_images images = {.slots = slots};

	memset(slots, 0, sizeof(slots));
	slots[3] = (struct tw_image_slot){
		.saved = true, .bytes = 640, .n_entries = 5, .key = older};
	slots[4] = slots[3];
	assert_int_equal(tw_images_adopt(&images, 3, &newer), 0);
	assert_int_equal(tw_images_find(&images, &older), 0);
	assert_int_equal(tw_images_find(&images, &newer), 3);
	assert_int_equal(slots[3].bytes + slots[3].n_entries, 0);
	assert_int_equal(tw_images_adopt(&images, 4, &older), 0);
	assert_int_equal(tw_images_find(&images, &older), 4);
	assert_int_equal(slots[4].bytes, 640);
	assert_int_equal(tw_images_adopt(&images, TW_IMAGES_MAX, &older), -ENOENT);
}

/* Only root writes the state directory, but disks fail: the contents are never trusted. */
static void test_store_damaged(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "null", "{\"mark\": 42}",
		"{\"mark\": 42, \"rules\": [1, [], [0], [\"a\", \"b\"], [-1, \"x\"], [9e9, \"y\"]]}",
		"{\"mark\": 42, \"rules\": {\"a\": 1}, \"source\": 7}",
		"{\"mark\": 42, \"ports\": [7, {}, {\"ifindex\": -3, \"id\": 99999, \"name\": 5}]}",
		"{\"mark\": 42, \"networks\": [{\"ifindex\": 1, \"number\": 70000}, 3]}",
		"{\"mark\": 42, \"images\": [[0], [8192, 1, 1, 1, 1], [-5], {}, \"x\"]}"};
	const struct store_place *place = *state;
	static struct tw_image_slot image_slots[TW_IMAGES_MAX];
	struct tw_images images = {.slots = image_slots};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		static struct tw_ports ports;
		struct tw_saved_rules rules = {0};
		struct tw_saved_port *saved = NULL;
		struct tw_slots slots;
		size_t n = 0, len = strlen(texts[i]);

		assert_int_equal(
			tw_store_write(place->store, TW_STORE_RULES, texts[i], len, NULL), 0);
		assert_int_equal(
			tw_store_write(place->store, TW_STORE_PORTS, texts[i], len, NULL), 0);
		assert_int_equal(
			tw_store_write(place->store, TW_STORE_IMAGES, texts[i], len, NULL), 0);
		tw_slots_init(&slots, NULL);
		tw_ports_init(&ports);
		tw_staged_load_rules(place->store, &slots, &rules);
		tw_saved_read_ports(place->store, &ports, &saved, &n);
		tw_saved_read_images(place->store, &images);
		assert_int_equal(slots.n_used, 0);
		assert_int_equal(ports.networks.n, 0);
		for (size_t j = 0; j < n; j++)
			assert_true(saved[j].id < TW_PORTS_MAX);
		free(saved);
		free(rules.source);
		tw_slots_done(&slots);
		tw_ports_done(&ports);
	}
}

static void test_store_files(void **state)
{
	const struct store_place *place = *state;
	tw_autofree char *text = NULL;
	char path[128];
	struct stat info;
	size_t len = 0;

	assert_int_equal(tw_store_read(place->store, TW_STORE_POLICY, &text, &len), -ENOENT);
	assert_int_equal(tw_store_write(place->store, TW_STORE_POLICY, "one", 3, NULL), 0);
	assert_int_equal(tw_store_write(place->store, TW_STORE_POLICY, "seven", 5, NULL), 0);
	assert_int_equal(tw_store_read(place->store, TW_STORE_POLICY, &text, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "seven");
	snprintf(path, sizeof(path), "%s/%s", place->path, TW_STORE_POLICY);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(
		info.st_mode & 077, 0); /* a policy shows an attacker which ports are open */
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

/* Of several paths of --policy, exactly one may exist. */
static void test_policy_paths(void **state)
{
	char dir[] = "/tmp/tw-agent-unit.XXXXXX";
	struct tw_policy_file *file = calloc(1, sizeof(*file));
	char one[64], two[64], paths[130];
	const char *found = NULL;
	struct tw_err err = {0};

	(void)state;
	assert_non_null(file);
	assert_non_null(mkdtemp(dir));
	snprintf(one, sizeof(one), "%s/policy.yaml", dir);
	snprintf(two, sizeof(two), "%s/policy.d", dir);
	snprintf(paths, sizeof(paths), "%s:%s", one, two);
	assert_int_equal(tw_policy_file_find(file, one, &found, &err), 0);
	assert_ptr_equal(found, one);
	assert_int_equal(tw_policy_file_find(file, "a:b", &found, &err), 0);
	assert_string_equal(found, "a:b");
	assert_int_equal(tw_policy_file_find(file, paths, &found, &err), -ENOENT);
	assert_ptr_equal(found, paths);
	assert_string_equal(err.text, "there is no policy");
	assert_int_equal(tw_policy_file_mark(file, paths), 0);
	assert_int_equal(mkdir(two, 0700), 0);
	assert_int_equal(tw_policy_file_find(file, paths, &found, &err), 0);
	assert_string_equal(found, two);
	/* A link that leads nowhere counts as a policy. */
	assert_int_equal(symlink("nowhere", one), 0);
	assert_int_equal(tw_policy_file_find(file, paths, &found, &err), -EEXIST);
	assert_string_equal(err.place, two);
	assert_non_null(strstr(err.text, one));
	assert_int_equal(rmdir(two), 0);
	assert_int_equal(tw_policy_file_find(file, paths, &found, &err), 0);
	assert_string_equal(found, one);
	assert_int_equal(unlink(one), 0);
	free(file);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_store_lock),
		WITH_STORE(test_store_rules),
		WITH_STORE(test_store_sealed),
		WITH_STORE(test_store_changed),
		cmocka_unit_test(test_slots_pledged),
		WITH_STORE(test_store_staged),
		WITH_STORE(test_store_ports),
		WITH_STORE(test_store_images),
		cmocka_unit_test(test_adopt_images),
		cmocka_unit_test(test_policy_paths),
		WITH_STORE(test_store_damaged),
		WITH_STORE(test_store_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
