/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the store of policies: versions and wishes survive SIGKILL and a full disk, damage is
 * found, and a version that an agent wants is never dropped. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slowpath/policies/policies.h"

static const struct tw_policies_limits plenty = {1000, 256u << 20};

struct fixture {
	char folder[64];
	char path[96];
	struct tw_policies *policies;
};

static void set_up(struct fixture *f)
{
	*f = (struct fixture){0};
	snprintf(f->folder, sizeof(f->folder), "/tmp/tapwall-policies-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/policies.db", f->folder);
}

static void tear_down(struct fixture *f)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[128];

	tw_policies_free(f->policies);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
}

static int try_open(struct fixture *f, const struct tw_policies_limits *limits)
{
	struct tw_err err = {0};
	int code = tw_policies_open(f->path, limits, &f->policies, &err);

	assert_int_equal(err.code, code);
	return code;
}

static void open_again(struct fixture *f, const struct tw_policies_limits *limits)
{
	tw_policies_free(f->policies);
	f->policies = NULL;
	assert_int_equal(try_open(f, limits), 0);
}

static int add_text(struct fixture *f, const char *text, size_t len, uint64_t *ret_version)
{
	struct tw_policies_version facts = {.uid = 7, .author = "ann", .comment = "why"};
	struct tw_err err = {0};
	bool same = false;
	int code = tw_policies_add(f->policies, text, len, &facts, &same, &err);

	assert_int_equal(err.code, code);
	*ret_version = facts.version;
	return code;
}

static uint64_t add_number(struct fixture *f, unsigned int number)
{
	uint64_t version = 0;
	char text[32];

	snprintf(text, sizeof(text), "policy %u\n", number);
	assert_int_equal(add_text(f, text, strlen(text), &version), 0);
	return version;
}

static int wish_for(struct fixture *f, const char *agent, uint64_t wanted)
{
	struct tw_policies_wish wish = {.wanted = wanted, .delivered = true};
	struct tw_err err = {0};

	snprintf(wish.agent, sizeof(wish.agent), "%s", agent);
	return tw_policies_wish(f->policies, &wish, 1, &err);
}

static int count_version(void *arg, const struct tw_policies_version *version)
{
	uint64_t *seen = arg;

	assert_true(!seen[1] || version->version < seen[1]);
	seen[0]++;
	seen[1] = version->version;
	return 0;
}

static uint64_t count_versions(struct fixture *f)
{
	uint64_t seen[2] = {0};

	assert_int_equal(tw_policies_each(f->policies, 0, count_version, seen), 0);
	return seen[0];
}

static void test_versions(void **state)
{
	struct fixture f;
	struct tw_policies_version version;
	tw_auto_buf struct tw_buf text = {0};
	struct tw_err err = {0};
	uint64_t number = 0;

	set_up(&f);
	open_again(&f, &plenty);
	assert_int_equal(tw_policies_get(f.policies, 0, &version, NULL, &err), -ENOENT);
	assert_int_equal(add_number(&f, 1), 1);
	assert_int_equal(add_number(&f, 2), 2);
	/* The newest text again is no new version, an older one is. */
	assert_int_equal(add_number(&f, 2), 2);
	assert_int_equal(add_number(&f, 1), 3);
	open_again(&f, &plenty);
	assert_int_equal(count_versions(&f), 3);
	assert_int_equal(tw_policies_get(f.policies, 2, &version, &text, &err), 0);
	assert_string_equal(text.data, "policy 2\n");
	assert_string_equal(version.author, "ann");
	assert_string_equal(version.comment, "why");
	assert_int_equal(version.uid, 7);
	assert_int_equal(version.size, strlen("policy 2\n"));
	assert_true(version.time_us > 1700000000ull * 1000000);
	assert_int_equal(tw_policies_find(f.policies, version.sha256), 2);
	version.sha256[0] ^= 1;
	assert_int_equal(tw_policies_find(f.policies, version.sha256), 0);
	assert_int_equal(tw_policies_get(f.policies, 4, &version, NULL, &err), -ENOENT);
	/* The size of a version is limited. */
	tw_buf_reset(&text);
	tw_buf_extend(&text, TW_POLICIES_TEXT_MAX + 1);
	assert_int_equal(add_text(&f, text.data, text.len, &number), -EFBIG);
	assert_int_equal(count_versions(&f), 3);
	tear_down(&f);
}

static int read_wish(void *arg, const struct tw_policies_wish *wish)
{
	struct tw_policies_wish **at = arg;

	*(*at)++ = *wish;
	return 0;
}

static void test_wishes(void **state)
{
	struct tw_policies_wish wishes[3] = {
		{.agent = "a", .wanted = 3, .until_s = 5, .before = 1, .confirm_due = true},
		{.agent = "b", .wanted = 4, .delivered = true, .allow_unprotect = true},
		{.agent = "c", .wanted = 4}};
	struct tw_policies_wish got[3], *at = got;
	struct tw_err err = {0};
	struct fixture f;

	set_up(&f);
	open_again(&f, &plenty);
	assert_int_equal(tw_policies_wish(f.policies, wishes, 3, &err), 0);
	wishes[2].wanted = 0;
	assert_int_equal(tw_policies_wish(f.policies, wishes + 2, 1, &err), 0);
	open_again(&f, &plenty);
	assert_int_equal(tw_policies_each_wish(f.policies, read_wish, &at), 0);
	assert_int_equal(at - got, 2);
	assert_string_equal(got[0].agent, "a");
	assert_true(got[0].wanted == 3 && got[0].until_s == 5 && got[0].before == 1 &&
		    got[0].confirm_due && !got[0].delivered && !got[0].allow_unprotect);
	assert_true(got[1].wanted == 4 && got[1].delivered && got[1].allow_unprotect &&
		    !got[1].until_s && !got[1].before && !got[1].confirm_due);
	tear_down(&f);
}

static void test_limits(void **state)
{
	const struct tw_policies_limits few = {4, 1000}, small = {100, 40};
	struct tw_policies_version version;
	uint64_t number = 0;
	struct fixture f;

	set_up(&f);
	open_again(&f, &few);
	for (unsigned int i = 1; i <= 4; i++)
		add_number(&f, i);
	assert_int_equal(wish_for(&f, "a", 1), 0);
	/* The oldest version that no agent wants is dropped. */
	assert_int_equal(add_number(&f, 5), 5);
	assert_int_equal(count_versions(&f), 4);
	assert_int_equal(tw_policies_get(f.policies, 1, &version, NULL, NULL), 0);
	assert_int_equal(tw_policies_get(f.policies, 2, &version, NULL, NULL), -ENOENT);
	/* If all are wanted, a new one is refused, and nothing is lost. */
	assert_int_equal(wish_for(&f, "b", 3), 0);
	assert_int_equal(wish_for(&f, "c", 4), 0);
	assert_int_equal(wish_for(&f, "d", 5), 0);
	assert_int_equal(add_text(&f, "six", 3, &number), -ENOSPC);
	assert_int_equal(count_versions(&f), 4);
	/* A number is not used again, even that of the newest version. */
	assert_int_equal(wish_for(&f, "d", 0), 0);
	assert_true(add_number(&f, 7) > 5);
	open_again(&f, &small);
	assert_int_equal(wish_for(&f, "b", 0), 0);
	add_number(&f, 8);
	assert_true(count_versions(&f) <= 4);
	assert_int_equal(tw_policies_get(f.policies, 1, &version, NULL, NULL), 0);
	tear_down(&f);
}

/* Adds versions, and reports each number once it is stored, until it is killed. */
static void add_until_killed(struct fixture *f, int to)
{
	struct tw_err err = {0};

	if (tw_policies_open(f->path, &plenty, &f->policies, &err))
		_exit(1);
	for (unsigned int i = 0;; i++) {
		uint64_t version = add_number(f, i);

		if (wish_for(f, "a", version) || write(to, &version, sizeof(version)) < 0)
			_exit(1);
	}
}

static void test_crash(void **state)
{
	struct fixture f;
	uint64_t last = 0;

	set_up(&f);
	for (int round = 0; round < 5; round++) {
		struct tw_policies_wish wish = {0}, *at = &wish;
		uint64_t number, n;
		int ends[2], status;
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child)
			add_until_killed(&f, ends[1]);
		close(ends[1]);
		for (int i = 0; i < 10 + round * 7; i++)
			assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
		assert_int_equal(kill(child, SIGKILL), 0);
		while (read(ends[0], &number, sizeof(number)) == sizeof(number))
			last = number;
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		open_again(&f, &plenty);
		n = count_versions(&f);
		assert_true(n == last || n == last + 1);
		assert_int_equal(tw_policies_each_wish(f.policies, read_wish, &at), 0);
		assert_true(wish.wanted == last || wish.wanted == last + 1);
		for (number = 1; number <= n; number++) {
			struct tw_policies_version version;

			assert_int_equal(
				tw_policies_get(f.policies, number, &version, NULL, NULL), 0);
		}
		tw_policies_free(f.policies);
		f.policies = NULL;
	}
	tear_down(&f);
}

static void test_full(void **state)
{
	struct rlimit limit, old;
	uint64_t number = 0, n;
	char text[20000];
	struct fixture f;
	int code = 0;

	set_up(&f);
	open_again(&f, &plenty);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){200000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned int i = 0; i < 50 && !code; i++) {
		memset(text, 'a' + (char)(i % 26), sizeof(text));
		code = add_text(&f, text, sizeof(text) - i, &number);
	}
	assert_true(code < 0);
	n = count_versions(&f);
	assert_true(n > 0);
	assert_true(add_text(&f, text, sizeof(text) - 60, &number) < 0);
	assert_int_equal(count_versions(&f), n);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	/* The store works again once there is space, and after it is opened again. */
	assert_int_equal(add_text(&f, text, sizeof(text) - 61, &number), 0);
	open_again(&f, &plenty);
	assert_int_equal(count_versions(&f), n + 1);
	tear_down(&f);
}

/* Overwrites bytes of the file. */
static void damage(const struct fixture *f, off_t at, size_t len)
{
	char bytes[4096];
	int fd = open(f->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

static void test_damage(void **state)
{
	struct tw_policies_version version;
	struct tw_err err = {0};
	uint64_t number = 0;
	char text[30000];
	struct stat info;
	struct fixture f;

	set_up(&f);
	open_again(&f, &plenty);
	memset(text, 'x', sizeof(text));
	assert_int_equal(add_text(&f, text, sizeof(text), &number), 0);
	assert_int_equal(add_number(&f, 1), 2);
	tw_policies_free(f.policies);
	f.policies = NULL;
	assert_int_equal(stat(f.path, &info), 0);
	/* Bytes of a text: only that version is lost. */
	damage(&f, info.st_size - 1000, 100);
	open_again(&f, &plenty);
	assert_int_equal(tw_policies_get(f.policies, 1, &version, NULL, &err), -EBADMSG);
	assert_int_equal(tw_policies_get(f.policies, 2, &version, NULL, &err), 0);
	tw_policies_free(f.policies);
	f.policies = NULL;
	/* A page of the tables. */
	damage(&f, 4096, 4096);
	assert_int_equal(try_open(&f, &plenty), -EBADMSG);
	damage(&f, 0, 4096);
	assert_int_equal(try_open(&f, &plenty), -EBADMSG);
	tear_down(&f);
}

static void test_others(void **state)
{
	struct tw_policies *first;
	struct fixture f;
	sqlite3 *db;

	set_up(&f);
	open_again(&f, &plenty);
	add_number(&f, 1);
	first = f.policies;
	f.policies = NULL;
	assert_int_equal(try_open(&f, &plenty), -EBUSY);
	tw_policies_free(first);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(try_open(&f, &plenty), -EPROTO);
	assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "PRAGMA application_id = 9", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(try_open(&f, &plenty), -EPROTO);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
