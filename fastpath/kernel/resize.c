/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/resize.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fastpath/kernel/kernel.h"

#define NEW	 "-new" /* pin names cannot contain a dot */
#define BUSY_MAX 1000	/* attempts at a locked bucket: each outlasts many lock periods */
/* The programs' clock is coarse, and a packet may be in flight for a while. */
#define MARGIN TW_TICKS_PER_SECOND

/* Result of a pass over the old table. */
struct tally {
	uint32_t live; /* records that have not ended */
	uint32_t lost; /* live records that found no room */
};

static bool is_pinned(const struct tw_kernel *kernel, enum tw_map map, const char *suffix)
{
	char path[PATH_MAX];

	return !tw_kernel_pin_path(kernel, map, suffix, path, sizeof(path)) && !access(path, F_OK);
}

static int open_pinned(const struct tw_kernel *kernel, enum tw_map map, uint32_t *ret_entries)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	tw_autofd int fd = -1;
	char path[PATH_MAX];
	int code = tw_kernel_pin_path(kernel, map, "", path, sizeof(path));

	if (code)
		return code;
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret_entries = info.max_entries;
	return TW_TAKE_FD(fd);
}

/* Reads the pinned settings. Negative if there are none, or none of this layout: adopting them will
 * then report that. */
static int read_pinned_config(const struct tw_kernel *kernel, struct tw_config *ret)
{
	const __u32 zero = 0;
	struct bpf_map_info info = {0};
	__u32 entries, len = sizeof(info);
	tw_autofd int fd = open_pinned(kernel, TW_MAP_config, &entries);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.value_size != sizeof(*ret))
		return -EEXIST;
	if (bpf_map_lookup_elem(fd, &zero, ret))
		return -errno;
	return ret->layout == TW_LAYOUT ? 0 : -EEXIST;
}

/* Removes the pins of a start that was killed before it pinned `conns`, the last one. Maps of
 * another version may have other names. */
static void drop_begun(const struct tw_kernel *kernel)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *maps;

	if (snprintf(path, sizeof(path), "%s/maps", kernel->bpffs) >= (int)sizeof(path))
		return;
	maps = opendir(path);
	while (maps && (entry = readdir(maps))) {
		size_t len = strlen(entry->d_name), suffix = sizeof(NEW) - 1;

		if (len > suffix && !strcmp(entry->d_name + len - suffix, NEW))
			unlinkat(dirfd(maps), entry->d_name, 0);
	}
	if (maps)
		closedir(maps);
}

int tw_resize_plan(struct tw_kernel *kernel, uint32_t max_conns, struct tw_err *err)
{
	struct tw_kernel_resize *resize = &kernel->resize;
	struct tw_config config = {0};
	uint32_t n_records;
	tw_autofd int fd = -1;

	kernel->facts.max_conns = max_conns ? max_conns : TW_CONNS_DEFAULT;
	if (kernel->facts.max_conns > TW_CONNS_MAX)
		return tw_err_set(err, -ERANGE, "connections", "ask for fewer",
			"%u are more than the %u that a table can hold", max_conns, TW_CONNS_MAX);
	if (!kernel->bpffs || read_pinned_config(kernel, &config) || !config.mark)
		return 0;
	fd = open_pinned(kernel, TW_MAP_conns, &n_records);
	if (fd < 0)
		return 0;
	/* The pins were already renamed, but the capacity was not yet written. */
	if (config.conn_next && n_records == tw_record_number(tw_conn_buckets(config.conn_next), 0))
		config.conn_max = config.conn_next;
	resize->resumed = is_pinned(kernel, TW_MAP_conns, NEW);
	resize->all_taken = resize->resumed && !is_pinned(kernel, TW_MAP_buckets, NEW);
	if (!resize->resumed)
		drop_begun(kernel);
	if (resize->resumed)
		kernel->facts.max_conns = config.conn_next;
	else if (!max_conns)
		kernel->facts.max_conns = config.conn_max;
	resize->under_way = resize->resumed || kernel->facts.max_conns != config.conn_max;
	if (resize->under_way)
		kernel->facts.resized_from = config.conn_max;
	return 0;
}

bool tw_resize_adopts(const struct tw_kernel *kernel, enum tw_map map, const char **ret_suffix)
{
	const struct tw_kernel_resize *resize = &kernel->resize;

	*ret_suffix = "";
	if (!resize->under_way ||
		(map != TW_MAP_conns && map != TW_MAP_buckets && map != TW_MAP_usage))
		return true;
	if (resize->resumed && is_pinned(kernel, map, NEW))
		*ret_suffix = NEW;
	return resize->resumed;
}

/* ---- records ---- */

static uint32_t tick_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >>
			  TW_TICK_SHIFT);
}

/* Takes one record over. Returns an enum tw_taken, or negative errno. */
static int take(const struct tw_kernel *kernel, const struct tw_conn *conn)
{
	unsigned char frame[TW_TAKE_AT + sizeof(*conn)] = {0};
	DECLARE_LIBBPF_OPTS(
		bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	memcpy(frame + TW_TAKE_AT, conn, sizeof(*conn));
	for (int i = 0; i < BUSY_MAX; i++) {
		if (bpf_prog_test_run_opts(kernel->take_fd, &opts))
			return -errno;
		if (opts.retval != TW_TAKEN_BUSY)
			return (int)opts.retval;
	}
	return -EBUSY;
}

/* Takes over the old table; after the first time, only what has changed since the last. */
static int take_over(struct tw_kernel *kernel, struct tally *tally)
{
	struct tw_kernel_resize *resize = &kernel->resize;
	struct tw_conn records[TW_BUCKET_SLOTS];
	struct tw_key keys[TW_BUCKET_SLOTS];
	uint32_t began = tick_now() - MARGIN;

	for (uint32_t bucket = 0; bucket < resize->from.n_buckets; bucket++) {
		size_t n = tw_conns_read(&resize->from, bucket, keys, records);

		for (size_t i = 0; i < n; i++) {
			int taken;

			if (resize->copied && (int32_t)(resize->since - records[i].seen) > 0)
				continue;
			taken = take(kernel, &records[i]);
			if (taken < 0)
				return taken;
			tally->live += taken != TW_TAKEN_ENDED;
			tally->lost += taken == TW_TAKEN_FULL;
			kernel->facts.taken_over += taken == TW_TAKEN_NEW;
		}
	}
	resize->copied = true;
	resize->since = began;
	return 0;
}

/* Fills `err` with the cause why records could not be taken over. Returns `code`. */
static int fail_take_over(const struct tw_kernel *kernel, int code, struct tw_err *err)
{
	return tw_err_set(err, code, "connections", NULL,
		"cannot be taken over from the table for %u: %s", kernel->facts.resized_from,
		strerror(-code));
}

/* Copies the counts of refused connections; ports' charges come with the records. */
static int take_counts(struct tw_kernel *kernel)
{
	uint32_t entries;
	tw_autofd int fd = open_pinned(kernel, TW_MAP_usage, &entries);

	if (fd < 0)
		return fd;
	for (__u32 id = 0; id < entries; id++) {
		struct tw_usage usage;

		if (bpf_map_lookup_elem(fd, &id, &usage))
			return -errno;
		if (!usage.overflowed && !usage.refused)
			continue;
		usage.half_open = usage.established = usage.over = 0;
		if (bpf_map_update_elem(kernel->map_fd[TW_MAP_usage], &id, &usage, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* ---- stages ---- */

/* Pins the new maps, `conns` last: its pin shows that all others exist. */
static int pin(struct tw_kernel *kernel, struct tw_err *err)
{
	static const enum tw_map maps[] = {TW_MAP_usage, TW_MAP_buckets, TW_MAP_conns};
	char path[PATH_MAX];

	tw_kernel_store_setting(
		kernel, offsetof(struct tw_config, conn_next), kernel->facts.max_conns);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		int code = tw_kernel_pin_path(kernel, maps[i], NEW, path, sizeof(path));

		if (code)
			return code;
		unlink(path); /* left by a start that ended in between */
		if (bpf_obj_pin(kernel->map_fd[maps[i]], path))
			return tw_err_set(
				err, -errno, path, NULL, "cannot pin: %s", strerror(errno));
	}
	return 0;
}

static int map_old(struct tw_kernel *kernel)
{
	uint32_t n_buckets, n_records;
	tw_autofd int buckets = open_pinned(kernel, TW_MAP_buckets, &n_buckets);
	tw_autofd int records = open_pinned(kernel, TW_MAP_conns, &n_records);

	if (buckets < 0 || records < 0)
		return buckets < 0 ? buckets : records;
	return tw_conns_map(&kernel->resize.from, buckets, records, n_buckets);
}

int tw_resize_begin(struct tw_kernel *kernel, struct tw_err *err)
{
	struct tw_kernel_resize *resize = &kernel->resize;
	struct tally tally = {0};
	int code;

	if (!resize->under_way)
		return 0;
	code = resize->all_taken ? 0 : map_old(kernel);
	if (!code && !resize->resumed)
		code = take_counts(kernel);
	if (!code)
		code = take_over(kernel, &tally);
	if (code)
		return fail_take_over(kernel, code, err);
	/* No program uses the new table yet, unless an earlier start began the change: then there
	 * is no way back. */
	if (!resize->resumed && (tally.lost || tally.live > kernel->facts.max_conns))
		return tw_err_set(err, -ENOSPC, "connections",
			"start with a larger --max-connections, or with the previous one",
			"%u are live in a table for %u; they do not fit one for %u", tally.live,
			kernel->facts.resized_from, kernel->facts.max_conns);
	kernel->facts.not_taken_over = tally.lost;
	return resize->resumed ? 0 : pin(kernel, err);
}

void tw_resize_attach(struct tw_kernel *kernel)
{
	struct tally tally = {0};

	if (!kernel->resize.under_way || kernel->resize.attaching)
		return;
	kernel->resize.attaching = true;
	take_over(kernel, &tally); /* failures here are retried when settling */
}

static int rename_new(struct tw_kernel *kernel, enum tw_map map, struct tw_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	int code = tw_kernel_pin_path(kernel, map, NEW, from, sizeof(from));

	if (!code)
		code = tw_kernel_pin_path(kernel, map, "", to, sizeof(to));
	if (!code && rename(from, to) && errno != ENOENT)
		code = tw_err_set(
			err, -errno, from, NULL, "cannot be renamed: %s", strerror(errno));
	return code;
}

int tw_kernel_settle(struct tw_kernel *kernel, struct tw_err *err)
{
	struct tally tally = {0};
	int code;

	if (!kernel->resize.under_way)
		return 0;
	code = tw_kernel_wait(kernel); /* for packets still in an old program */
	if (!code)
		code = take_over(kernel, &tally);
	if (code)
		return fail_take_over(kernel, code, err);
	kernel->facts.not_taken_over += tally.lost;
	code = rename_new(kernel, TW_MAP_usage, err);
	/* From here on, nothing of the old table remains to be taken over. */
	if (!code)
		code = rename_new(kernel, TW_MAP_buckets, err);
	if (!code)
		code = rename_new(kernel, TW_MAP_conns, err);
	if (code)
		return code;
	tw_kernel_store_size(kernel);
	tw_resize_done(kernel);
	return 0;
}

void tw_resize_done(struct tw_kernel *kernel)
{
	tw_conns_close(&kernel->resize.from);
	kernel->resize.under_way = false;
}
