/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/conns.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fastpath/kernel/kernel.h"

static size_t pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static size_t rows_len(uint32_t n_rows)
{
	return pages(n_rows * sizeof(struct tw_row));
}

static size_t records_len(uint32_t n_rows)
{
	return pages((size_t)n_rows * TW_ROW_SLOTS * sizeof(struct tw_conn));
}

int tw_conns_map(struct tw_conns *ret, int rows_fd, int conns_fd, uint32_t n_rows)
{
	const int access = PROT_READ | PROT_WRITE;
	void *rows = mmap(NULL, rows_len(n_rows), access, MAP_SHARED, rows_fd, 0), *records;
	int code;

	if (rows == MAP_FAILED)
		return -errno;
	records = mmap(NULL, records_len(n_rows), access, MAP_SHARED, conns_fd, 0);
	if (records == MAP_FAILED) {
		code = -errno;
		munmap(rows, rows_len(n_rows));
		return code;
	}
	*ret = (struct tw_conns){rows, records, n_rows};
	return 0;
}

int tw_conns_open(struct tw_conns *ret, const struct tw_kernel *kernel)
{
	return tw_conns_map(ret, kernel->map_fd[TW_MAP_rows], kernel->map_fd[TW_MAP_conns],
		tw_conn_rows(kernel->facts.max_conns));
}

void tw_conns_close(struct tw_conns *conns)
{
	if (conns->rows) {
		munmap(conns->rows, rows_len(conns->n_rows));
		munmap(conns->records, records_len(conns->n_rows));
	}
	*conns = (struct tw_conns){0};
}

size_t tw_conns_read(const struct tw_conns *conns, uint32_t row, struct tw_key keys[TW_ROW_SLOTS],
	struct tw_conn records[TW_ROW_SLOTS])
{
	const struct tw_row *at = &conns->rows[row];
	size_t n = 0;

	for (size_t slot = 0; slot < TW_ROW_SLOTS; slot++) {
		__u16 tag = tw_row_tag(at, (uint32_t)slot);

		if (!tag)
			continue;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		records[n] = conns->records[tw_record_number(row, (uint32_t)slot)];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (tw_row_tag(at, (uint32_t)slot) != tag)
			continue;
		memcpy(keys[n].d, records[n].key, sizeof(records[n].key));
		keys[n].w[TW_KEY_WORDS - 1] = records[n].key_end;
		keys[n].pad = 0;
		n++;
	}
	return n;
}

bool tw_conns_expire(struct tw_conns *conns, uint32_t row, uint32_t end, const struct tw_conn *read,
	uint32_t seen)
{
	uint32_t was = read->seen;
	bool done;

	for (uint32_t i = row * TW_ROW_SLOTS;
		i < end * TW_ROW_SLOTS && i < conns->n_rows * TW_ROW_SLOTS; i++) {
		uint32_t at = i / TW_ROW_SLOTS, slot = i % TW_ROW_SLOTS;
		struct tw_conn *conn = &conns->records[tw_record_number(at, slot)];

		if (!tw_row_tag(&conns->rows[at], slot) || conn->key_end != read->key_end ||
			memcmp(conn->key, read->key, sizeof(conn->key)) != 0)
			continue;
		/* Before it expires, since it is told of as soon as it has. */
		__atomic_fetch_or(&conn->progress.flags, TW_CONN_F_GONE, __ATOMIC_RELEASE);
		done = __atomic_compare_exchange_n(
			&conn->seen, &was, seen, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
		if (!done)
			__atomic_fetch_and(
				&conn->progress.flags, (__u8)~TW_CONN_F_GONE, __ATOMIC_RELAXED);
		return done;
	}
	return false;
}

void tw_conns_clear(struct tw_conns *conns)
{
	for (uint32_t row = 0; row < conns->n_rows; row++) {
		memset(conns->rows[row].tags, 0, sizeof(conns->rows[row].tags));
		conns->rows[row].spilled = 0;
	}
}

int tw_kernel_sweep(struct tw_kernel *kernel, uint32_t n_rows, uint32_t now)
{
	unsigned char frame[ETH_HLEN] = {0}; /* the least that a test run takes */
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = sizeof(frame), .repeat = (int)n_rows);

	__atomic_store_n(&kernel->config->agent_seen, now, __ATOMIC_RELAXED);
	return n_rows && bpf_prog_test_run_opts(kernel->sweep_fd, &opts) ? -errno : 0;
}
