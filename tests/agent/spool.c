/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the spool: it keeps rows until they are acknowledged, in memory and on disk, within its bounds. */
#include "tests/agent/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/observe/spool.h"
#include "base/clock.h"
#include "link/event_reader.h"

#define MIB	     (1u << 20)
#define WAIT_NS	     60000000000ull
#define ROWS_PER_MIB 15000 /* rows per MiB, about */

struct fixture {
	char dir[64];
	struct tw_dictionary names;
	struct tw_spool *spool;
	struct tw_event_reader rows;
	uint64_t reader;
	uint64_t added; /* value of the last row */
	/* State of the reader. */
	uint64_t began; /* journal in which the reader began */
	uint64_t journal;
	uint64_t next;	  /* position to continue from */
	uint64_t last;	  /* value of the last row read */
	uint64_t n;	  /* rows read */
	uint64_t lost;	  /* losses reported */
	uint64_t skipped; /* values missing between rows */
	uint64_t defined; /* names that batches defined */
};

static void begin(struct fixture *f, uint64_t bytes_max, bool disk)
{
	const struct tw_spool_options options = {
		.bytes_max = bytes_max, .dir = disk ? f->dir : NULL, .names = &f->names};

	assert_int_equal(tw_spool_new(&options, &f->spool), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/tapwall-spool-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tw_spool_free(f->spool);
	tw_spool_remove(f->dir);
	tw_event_reader_done(&f->rows);
	tw_dictionary_clear(&f->names);
	/* If the directory still exists, it has a file that the spool does not know. */
	assert_int_equal(access(f->dir, F_OK), -1);
	free(f);
	return 0;
}

/* Adds rows with consecutive values. */
static void add(struct fixture *f, size_t n)
{
	char name[32];

	while (n--) {
		struct tw_event_row row = {.kind = TW_EVENT_ROW_CLOSE,
			.verdict = TW_V_ALLOW,
			.has_ends = 1,
			.proto = IPPROTO_TCP,
			.time_ns = 1700000000000000000 + f->added * 1000003};

		snprintf(name, sizeof(name), "w%u", (unsigned int)(f->added % 300));
		row.workload = tw_dictionary_intern(&f->names, name);
		row.packets_out = ++f->added;
		row.from_port = (uint16_t)(f->added * 7);
		tw_spool_add(f->spool, &row);
	}
}

static void take_rows(struct fixture *f, uint64_t from)
{
	for (size_t i = 0; i < f->rows.n; i++) {
		const struct tw_event_row *row = &f->rows.rows[i];
		char name[32];

		f->lost += row->lost_before;
		if (row->number < from && f->rows.journal == f->began)
			continue;
		snprintf(name, sizeof(name), "w%u", (unsigned int)((row->packets_out - 1) % 300));
		assert_string_equal(tw_dictionary_text(&f->rows.dictionary, row->workload), name);
		assert_true(row->packets_out > f->last);
		f->skipped += row->packets_out - f->last - 1;
		f->last = row->packets_out;
		f->n++;
	}
	f->journal = f->rows.journal;
	f->next = f->rows.next;
}

/* Reads one batch, and rows from number `from` on. */
static int read_batch(struct fixture *f, uint64_t from)
{
	struct tw_spool_batch batch;
	Tapwall__V1__Response *response;
	int code = tw_spool_read(f->spool, f->reader, &batch);

	if (code != 1)
		return code;
	f->lost += batch.lost;
	response = tw_link_unpack_response(batch.data, batch.len);
	assert_non_null(response);
	assert_int_equal(response->body_case, TAPWALL__V1__RESPONSE__BODY_EVENTS);
	assert_int_equal(tw_event_reader_take(&f->rows, response->events), 0);
	assert_int_equal(batch.journal, f->rows.journal);
	assert_int_equal(batch.first, response->events->first);
	f->defined += response->events->n_names;
	tapwall__v1__response__free_unpacked(response, NULL);
	take_rows(f, from);
	return 1;
}

/* Waits until the disk has done something. */
static void wait_disk(struct fixture *f)
{
	struct pollfd fd = {.fd = tw_spool_fd(f->spool), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, WAIT_NS / 1000000), 1);
	tw_spool_turn(f->spool);
}

static void open_at(struct fixture *f, uint64_t journal, uint64_t from)
{
	f->reader = tw_spool_open(f->spool, journal, from);
	f->began = journal;
	f->n = f->lost = f->skipped = 0;
	tw_event_reader_done(&f->rows);
}

/* Reads until the last row that was added. */
static void read_all(struct fixture *f, uint64_t from)
{
	uint64_t until = tw_clock_ns() + WAIT_NS;

	while (f->last < f->added) {
		int code = read_batch(f, from);

		assert_true(code >= 0);
		assert_true(tw_clock_ns() < until);
		if (!code)
			wait_disk(f);
	}
	assert_int_equal(read_batch(f, from), 0);
}

static uint64_t kept(const struct fixture *f)
{
	struct tw_spool_state state;

	tw_spool_describe(f->spool, &state);
	return state.rows;
}

static struct tw_spool_state state_of(const struct fixture *f)
{
	struct tw_spool_state state;

	tw_spool_describe(f->spool, &state);
	return state;
}

/* The spool forgets acknowledged rows, and no others. */
static void test_acks(void **state)
{
	struct fixture *f = *state;

	begin(f, 8 * MIB, false);
	add(f, 1000);
	assert_int_equal(kept(f), 1000);
	open_at(f, 0, 0);
	read_all(f, 0);
	assert_int_equal(f->n, 1000);
	assert_int_equal(f->lost + f->skipped, 0);
	assert_int_equal(f->next, 1001);
	assert_int_equal(kept(f), 1000);

	assert_int_equal(tw_spool_ack(f->spool, f->journal, 401), 0);
	assert_int_equal(kept(f), 600);
	/* Rows that were not sent, and rows of another agent, cannot be acknowledged. */
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 1002), -EINVAL);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, UINT64_MAX), -EINVAL);
	assert_int_equal(tw_spool_ack(f->spool, f->journal + 2, 1), -EINVAL);
	add(f, 50);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 1051), -EINVAL);
	assert_int_equal(kept(f), 650);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 1001), 0);
	assert_int_equal(kept(f), 50);
	read_all(f, 0);
	assert_int_equal(f->n, 1050);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 1051), 0);
	assert_int_equal(kept(f), 0);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 1051), 0);
	assert_int_equal(f->lost + f->skipped, 0);
}

/* A reader that continues gets each row once, whatever it acknowledged. */
static void test_continues(void **state)
{
	struct fixture *f = *state;

	begin(f, 8 * MIB, false);
	add(f, 20000);
	open_at(f, 0, 0);
	read_all(f, 0);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 9001), 0);
	tw_spool_close(f->spool, f->reader);
	add(f, 100);
	/* The reader had stored more rows than it acknowledged. */
	f->last = 12345;
	open_at(f, f->journal, 12346);
	read_all(f, 12346);
	assert_int_equal(f->n, 20100 - 12345);
	assert_int_equal(f->lost + f->skipped, 0);
	/* A position that does not exist yet. */
	open_at(f, f->journal, UINT64_MAX);
	add(f, 1);
	read_all(f, f->next);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->lost + f->skipped, 0);
}

/* A chunk defines each of its 300 names once. A reader that begins in the middle of a chunk, or after all rows were
 * acknowledged, knows all names, too. */
static void test_names(void **state)
{
	struct fixture *f = *state;

	begin(f, 64 * MIB, false);
	open_at(f, 0, 0);
	add(f, 4 * ROWS_PER_MIB);
	read_all(f, 0);
	assert_int_equal(f->defined % 300, 0);
	assert_in_range(f->defined / 300, 2, 8);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, f->next), 0);
	add(f, 500);
	open_at(f, f->journal, f->next);
	read_all(f, f->next);
	assert_int_equal(f->n, 500);
	f->last -= 50;
	open_at(f, f->journal, f->next - 50);
	read_all(f, f->next - 50);
	assert_int_equal(f->n, 50);
	assert_int_equal(f->lost + f->skipped, 0);
}

/* After the dictionary was rebuilt, the same ids mean other names. */
static void test_rebuilt(void **state)
{
	struct fixture *f = *state;

	begin(f, 8 * MIB, false);
	open_at(f, 0, 0);
	add(f, 450);
	read_all(f, 0);
	add(f, 20);
	tw_spool_seal(f->spool);
	tw_dictionary_clear(&f->names);
	tw_dictionary_intern(&f->names, "another");
	add(f, 450);
	read_all(f, 0);
	assert_int_equal(f->n, 920);
}

/* Beyond the bound, the oldest rows are dropped, and the reader learns how many. */
static void test_overflow(void **state)
{
	struct fixture *f = *state;
	struct tw_spool_state spool;

	begin(f, 4 * MIB, false);
	open_at(f, 0, 0);
	add(f, 400);
	assert_int_equal(read_batch(f, 0), 1);
	add(f, 8 * ROWS_PER_MIB);
	tw_spool_lose(f->spool, 9);
	add(f, 1);
	spool = state_of(f);
	assert_in_range(spool.memory, 2 * MIB, 4 * MIB);
	assert_true(spool.dropped > 2 * ROWS_PER_MIB);
	assert_int_equal(spool.dropped + spool.rows, f->added);
	read_all(f, 0);
	assert_true(f->skipped > 0);
	assert_int_equal(f->lost, f->skipped + 9);

	/* A reader that had only some of the dropped rows. */
	tw_spool_close(f->spool, f->reader);
	f->last = 100;
	open_at(f, f->journal, 101);
	read_all(f, 101);
	assert_int_equal(f->lost, f->skipped + 9);
	assert_int_equal(f->n + f->skipped + 100, f->added);
}

/* Rows that do not fit in memory go to disk, and come back in order. */
static void test_disk(void **state)
{
	struct fixture *f = *state;
	uint64_t until = tw_clock_ns() + WAIT_NS;
	struct tw_spool_state spool;
	const struct dirent *entry;
	unsigned int n = 0;
	struct stat info;
	DIR *dir;

	begin(f, 8 * MIB, true);
	for (int i = 0; i < 12; i++) {
		add(f, ROWS_PER_MIB);
		for (spool = state_of(f); spool.memory > 5 * MIB; spool = state_of(f)) {
			assert_true(tw_clock_ns() < until);
			wait_disk(f);
		}
	}
	assert_string_equal(spool.trouble, "");
	assert_int_equal(spool.dropped, 0);
	assert_true(spool.disk > 0);
	dir = opendir(f->dir);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			assert_int_equal(
				fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW), 0);
			assert_int_equal(info.st_mode & 07777, 0600);
			n++;
		}
	closedir(dir);
	assert_true(n > 2);
	open_at(f, 0, 0);
	read_all(f, 0);
	assert_int_equal(f->n, f->added);
	assert_int_equal(f->lost + f->skipped, 0);
	assert_int_equal(tw_spool_ack(f->spool, f->journal, f->next), 0);
	spool = state_of(f);
	assert_int_equal(spool.rows, 0);
	assert_int_equal(spool.disk, 0);
}

/* The next agent takes over the rows that the previous one kept. */
static void test_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t journal;

	begin(f, 8 * MIB, true);
	add(f, 3000);
	open_at(f, 0, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_batch(f, 0), 1);
	journal = f->journal;
	assert_int_equal(tw_spool_ack(f->spool, journal, 401), 0);
	tw_spool_free(f->spool);
	begin(f, 8 * MIB, true);
	assert_true(kept(f) >= 2600);
	add(f, 500);
	/* The reader acknowledges rows that the other agent sent. */
	open_at(f, journal, f->next);
	assert_int_equal(tw_spool_ack(f->spool, journal, f->next), 0);
	assert_int_equal(tw_spool_ack(f->spool, journal, f->next + 1), -EINVAL);
	read_all(f, f->next);
	assert_int_equal(f->n, 3500 - 1200);
	assert_int_equal(f->lost + f->skipped, 0);
	assert_int_not_equal(f->journal, journal);
	assert_int_equal(f->next, 501);
	/* The new journal follows the old one, so its rows are acknowledged, too. */
	assert_int_equal(tw_spool_ack(f->spool, f->journal, 501), 0);
	assert_int_equal(kept(f), 0);
}

/* Damages the file with the lowest or highest name. */
static void damage_file(const struct fixture *f, bool newest, int how)
{
	char name[256] = "", path[400];
	const struct dirent *entry;
	DIR *dir = opendir(f->dir);
	struct stat info;
	int fd;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
			(!name[0] || (strcmp(entry->d_name, name) > 0) == newest))
			snprintf(name, sizeof(name), "%s", entry->d_name);
	closedir(dir);
	assert_true(name[0]);
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &info), 0);
	switch (how) {
	case 0: /* a byte in the middle */
		assert_int_equal(pwrite(fd, "\x5a\xa5\x5a", 3, info.st_size / 2), 3);
		break;
	case 1: /* cut off */
		assert_int_equal(ftruncate(fd, info.st_size / 3), 0);
		break;
	case 2: /* empty */
		assert_int_equal(ftruncate(fd, 0), 0);
		break;
	default: /* not the spool's */
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, "hello", 5, 0), 5);
	}
	close(fd);
}

/* The rows of a damaged file are lost and counted; all others arrive. */
static void test_damage(void **state)
{
	struct fixture *f = *state;

	for (int how = 0; how < 4; how++) {
		f->added = f->last = 0;
		begin(f, 16 * MIB, true);
		add(f, 4 * ROWS_PER_MIB);
		tw_spool_free(f->spool);
		damage_file(f, how & 1, how);
		begin(f, 16 * MIB, true);
		assert_int_equal(kept(f), f->added);
		add(f, 1); /* a row of the new agent, behind the damaged ones */
		open_at(f, 0, 0);
		read_all(f, 0);
		assert_true(f->skipped > 0);
		assert_int_equal(f->n + f->skipped, f->added);
		assert_int_equal(state_of(f).dropped, f->skipped);
		assert_int_equal(tw_spool_ack(f->spool, f->journal, f->next), 0);
		assert_int_equal(kept(f), 0);
		tw_spool_free(f->spool);
		f->spool = NULL;
	}
}

/* Files that are not the spool's stay, and an unfinished one does not count. */
static void test_foreign_files(void **state)
{
	static const char *const names[] = {"unfinished", "readme",
		"0000000000000001-0000000000000001-0000000000000001-00000001", "1-1-1-1-1"};
	struct fixture *f = *state;
	char path[200];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	begin(f, 8 * MIB, true);
	assert_int_equal(kept(f), 0);
	tw_spool_free(f->spool);
	f->spool = NULL;
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		assert_int_equal(unlink(path), i ? 0 : -1);
	}
}

/* Without a directory the spool has memory, and says why it has no more. */
static void test_no_disk(void **state)
{
	struct fixture *f = *state;
	char dir[64];

	memcpy(dir, f->dir, sizeof(dir));
	snprintf(f->dir, sizeof(f->dir), "/dev/null/spool");
	begin(f, 4 * MIB, true);
	memcpy(f->dir, dir, sizeof(dir));
	assert_non_null(strstr(state_of(f).trouble, "Not a directory"));
	add(f, 8 * ROWS_PER_MIB);
	assert_in_range(state_of(f).memory, MIB, 4 * MIB);
	open_at(f, 0, 0);
	read_all(f, 0);
	assert_int_equal(state_of(f).dropped, f->skipped);
}

/* A reader that begins again and again, and acknowledges nothing, neither costs memory nor stops the next one. */
static void test_hostile(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	begin(f, 16 * MIB, true);
	add(f, 12 * ROWS_PER_MIB);
	tw_spool_free(f->spool);
	begin(f, 16 * MIB, true);
	first = tw_spool_open(f->spool, 0, 0);
	for (uint64_t i = 0; i < 60; i++) {
		open_at(f, i & 1 ? f->journal : 0, i * ROWS_PER_MIB / 5);
		f->last = 0;
		while (!read_batch(f, 0))
			wait_disk(f);
		assert_true(state_of(f).memory < 4 * MIB);
	}
	f->reader = first;
	assert_int_equal(read_batch(f, 0), -ECANCELED);
	tw_spool_close(f->spool, first); /* does not end the current reader */
	assert_true(tw_spool_is_read(f->spool));
	f->last = 0;
	open_at(f, 0, 0);
	read_all(f, 0);
	assert_int_equal(f->n, f->added);
	assert_int_equal(f->lost + f->skipped, 0);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_acks),
		WITH_FIXTURE(test_continues),
		WITH_FIXTURE(test_names),
		WITH_FIXTURE(test_rebuilt),
		WITH_FIXTURE(test_overflow),
		WITH_FIXTURE(test_disk),
		WITH_FIXTURE(test_restart),
		WITH_FIXTURE(test_damage),
		WITH_FIXTURE(test_foreign_files),
		WITH_FIXTURE(test_no_disk),
		WITH_FIXTURE(test_hostile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
