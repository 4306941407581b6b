/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table FOLDER: checks the consistency of the connection table whose maps are pinned in FOLDER. No
 * program may write to the table meanwhile.
 *
 * Prints `records=N`, `states=…` (the number in each state, by enum tw_state) and a line for each
 * fault: a locked bucket; a tag that does not match its key; a record that its key's probe sequence
 * does not reach; a duplicate key; a wrong count of records that overflowed past a bucket; a port
 * whose charges differ from its records. Exit 1 if there is a fault.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fastpath/abi/types.h"

#define WALK_ROWS 16
#define KINDS	  4 /* enum tw_charge */

static const char *folder;
static unsigned int n_faults;

#define FAULT(...)                           \
	do {                                 \
		if (n_faults++ < 20)         \
			printf(__VA_ARGS__); \
	} while (0)

static const void *map_of(const char *name, size_t size, uint32_t *ret_entries)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char path[512];
	void *at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len)) {
		perror(path);
		exit(2);
	}
	*ret_entries = info.max_entries;
	at = mmap(NULL, (info.max_entries * size + page - 1) / page * page, PROT_READ, MAP_SHARED,
		fd, 0);
	if (at == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	close(fd);
	return at;
}

/* The table's hash, an independent copy of the one in fastpath/path/conntrack/conns.h. */
static uint32_t hash_of(const struct tw_config *config, const struct tw_conn *conn)
{
	uint32_t words[TW_KEY_WORDS], hash;
	uint64_t sum = config->hash_key[TW_KEY_WORDS];

	memcpy(words, conn->key, sizeof(conn->key));
	words[TW_KEY_WORDS - 1] = conn->key_end;
	for (size_t i = 0; i < TW_KEY_WORDS; i++)
		sum += config->hash_key[i] * words[i];
	hash = (uint32_t)(sum >> 32);
	hash = (hash ^ hash >> 16) * 0x85ebca6b;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35;
	return hash ^ hash >> 16;
}

static int by_key(const void *a, const void *b)
{
	const struct tw_conn *x = *(const struct tw_conn *const *)a;
	const struct tw_conn *y = *(const struct tw_conn *const *)b;

	return memcmp(x, y, offsetof(struct tw_conn, progress));
}

static enum tw_charge charge_of(uint8_t state)
{
	switch (state) {
	case TW_S_SYN_SENT:
	case TW_S_SYN_RECV:
	case TW_S_UDP_UNREPLIED:
	case TW_S_ICMP:
	case TW_S_OTHER_UNREPLIED:
		return TW_CHARGE_HALF_OPEN;
	case TW_S_TIME_WAIT:
	case TW_S_CLOSED:
		return TW_CHARGE_OVER;
	default:
		return TW_CHARGE_ESTABLISHED;
	}
}

/* Follows the probe sequence of a record's key to the record's bucket. */
static void follow(const struct tw_config *config, const struct tw_conn *conn, uint32_t bucket,
	uint32_t slot, uint16_t tag, uint32_t n_buckets, uint32_t *overflowed)
{
	uint32_t hash = hash_of(config, conn), at = (uint32_t)((uint64_t)hash * n_buckets >> 32), i;
	uint16_t is = (uint16_t)hash;
	uint32_t step;

	is = (uint16_t)(is + !is);
	step = 1 + (uint32_t)((uint64_t)is * (n_buckets - 1) >> 16);
	if (is != tag)
		FAULT("bucket %u slot %u: tag %x, its key's is %x\n", bucket, slot, tag, is);
	for (i = 0; i < WALK_ROWS && at != bucket; i++) {
		overflowed[at]++;
		at = (at + step) % n_buckets;
	}
	if (at != bucket)
		FAULT("bucket %u slot %u: not in its key's probe sequence\n", bucket, slot);
}

static void check_charges(uint32_t (*met)[KINDS])
{
	uint32_t n;
	const struct tw_usage *usage = map_of("usage", sizeof(*usage), &n);

	for (uint32_t id = 0; id < n; id++) {
		const int charged[KINDS] = {0, tw_usage_net(usage[id].half_open),
			tw_usage_net(usage[id].established), tw_usage_net(usage[id].over)};

		for (size_t kind = 1; kind < KINDS; kind++)
			if (charged[kind] != (int)met[id][kind])
				FAULT("port %u, kind %zu: charged %d, but has %u records\n", id,
					kind, charged[kind], met[id][kind]);
	}
}

int main(int argc, char **argv)
{
	static uint32_t met[TW_PORTS_MAX][KINDS], states[16];
	uint32_t n_buckets, n, *overflowed, n_records = 0;
	const struct tw_config *config;
	const struct tw_conn *records, **known;
	const struct tw_bucket *buckets;

	if (argc != 2)
		return 2;
	folder = argv[1];
	config = map_of("config", sizeof(*config), &n);
	buckets = map_of("buckets", sizeof(*buckets), &n_buckets);
	records = map_of("conns", sizeof(*records), &n);
	overflowed = calloc(n_buckets, sizeof(*overflowed));
	known = calloc(n, sizeof(*known));
	if (!overflowed || !known)
		return 2;
	for (n = 0; n < n_buckets * TW_BUCKET_SLOTS; n++) {
		uint32_t bucket = n / TW_BUCKET_SLOTS, slot = n % TW_BUCKET_SLOTS;
		uint16_t tag = tw_bucket_tag(&buckets[bucket], slot);

		if (!slot && buckets[bucket].lock)
			FAULT("bucket %u is locked\n", bucket);
		if (!tag)
			continue;
		follow(config, &records[n], bucket, slot, tag, n_buckets, overflowed);
		known[n_records++] = &records[n];
		states[records[n].progress.state & 15]++;
		met[tw_ports_payer(records[n].ports)][charge_of(records[n].progress.state)]++;
	}
	for (uint32_t bucket = 0; bucket < n_buckets; bucket++)
		if (buckets[bucket].overflowed != overflowed[bucket])
			FAULT("bucket %u: %u records overflowed past it, but %u are counted\n",
				bucket, overflowed[bucket], buckets[bucket].overflowed);
	qsort(known, n_records, sizeof(*known), by_key);
	for (uint32_t i = 1; i < n_records; i++)
		if (!by_key(&known[i - 1], &known[i]))
			FAULT("duplicate key: records %td and %td\n", known[i - 1] - records,
				known[i] - records);
	check_charges(met);
	printf("records=%u\nfaults=%u\nstates=", n_records, n_faults);
	for (size_t i = 0; i < TW_S__MAX; i++)
		printf("%s%u", i ? "," : "", states[i]);
	putchar('\n');
	return n_faults != 0;
}
