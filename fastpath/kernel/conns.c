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

static size_t buckets_len(uint32_t n_buckets)
{
	return pages(n_buckets * sizeof(struct tw_bucket));
}

static size_t records_len(uint32_t n_buckets)
{
	return pages((size_t)n_buckets * TW_BUCKET_SLOTS * sizeof(struct tw_conn));
}

int tw_conns_map(struct tw_conns *ret, int buckets_fd, int conns_fd, uint32_t n_buckets)
{
	const int access = PROT_READ | PROT_WRITE;
	void *buckets = mmap(NULL, buckets_len(n_buckets), access, MAP_SHARED, buckets_fd, 0),
	     *records;
	int code;

	if (buckets == MAP_FAILED)
		return -errno;
	records = mmap(NULL, records_len(n_buckets), access, MAP_SHARED, conns_fd, 0);
	if (records == MAP_FAILED) {
		code = -errno;
		munmap(buckets, buckets_len(n_buckets));
		return code;
	}
	*ret = (struct tw_conns){buckets, records, n_buckets};
	return 0;
}

int tw_conns_open(struct tw_conns *ret, const struct tw_kernel *kernel)
{
	return tw_conns_map(ret, kernel->map_fd[TW_MAP_buckets], kernel->map_fd[TW_MAP_conns],
		tw_conn_buckets(kernel->facts.max_conns));
}

void tw_conns_close(struct tw_conns *conns)
{
	if (conns->buckets) {
		munmap(conns->buckets, buckets_len(conns->n_buckets));
		munmap(conns->records, records_len(conns->n_buckets));
	}
	*conns = (struct tw_conns){0};
}

size_t tw_conns_read(const struct tw_conns *conns, uint32_t bucket,
	struct tw_key keys[TW_BUCKET_SLOTS], struct tw_conn records[TW_BUCKET_SLOTS])
{
	const struct tw_bucket *at = &conns->buckets[bucket];
	size_t n = 0;

	for (size_t slot = 0; slot < TW_BUCKET_SLOTS; slot++) {
		__u16 tag = tw_bucket_tag(at, (uint32_t)slot);

		if (!tag)
			continue;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		records[n] = conns->records[tw_record_number(bucket, (uint32_t)slot)];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (tw_bucket_tag(at, (uint32_t)slot) != tag)
			continue;
		memcpy(keys[n].d, records[n].key, sizeof(records[n].key));
		keys[n].w[TW_KEY_WORDS - 1] = records[n].key_end;
		keys[n].pad = 0;
		n++;
	}
	return n;
}

bool tw_conns_expire(struct tw_conns *conns, uint32_t bucket, uint32_t end,
	const struct tw_conn *read, uint32_t seen)
{
	uint32_t was = read->seen;
	bool done;

	for (uint32_t i = bucket * TW_BUCKET_SLOTS;
		i < end * TW_BUCKET_SLOTS && i < conns->n_buckets * TW_BUCKET_SLOTS; i++) {
		uint32_t at = i / TW_BUCKET_SLOTS, slot = i % TW_BUCKET_SLOTS;
		struct tw_conn *conn = &conns->records[tw_record_number(at, slot)];

		if (!tw_bucket_tag(&conns->buckets[at], slot) || conn->key_end != read->key_end ||
			memcmp(conn->key, read->key, sizeof(conn->key)) != 0)
			continue;
		/* The flag is set before the record expires, because the end may be reported at
		 * once. With the flag, a packet that is under way cannot revive the record. */
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
	for (uint32_t bucket = 0; bucket < conns->n_buckets; bucket++) {
		memset(conns->buckets[bucket].tags, 0, sizeof(conns->buckets[bucket].tags));
		memset(conns->buckets[bucket].retained, 0, sizeof(conns->buckets[bucket].retained));
		conns->buckets[bucket].overflowed = 0;
		conns->buckets[bucket].given_up = 0;
	}
}

int tw_kernel_sweep(struct tw_kernel *kernel, uint32_t n_buckets, uint32_t now)
{
	unsigned char frame[ETH_HLEN] = {0}; /* shortest frame for a test run */
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = sizeof(frame), .repeat = (int)n_buckets);

	__atomic_store_n(&kernel->config->agent_seen, now, __ATOMIC_RELAXED);
	return n_buckets && bpf_prog_test_run_opts(kernel->sweep_fd, &opts) ? -errno : 0;
}
