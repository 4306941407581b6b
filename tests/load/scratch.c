/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* scratch: checks that the programs that the agent runs (sweep, take over) do not write to the
 * packets' scratch.
 *
 * Why:        before Linux 6.10, BPF_PROG_TEST_RUN does not keep packets off its CPU. A packet that
 *             interrupts the sweep uses a different scratch. If both used the same one, the sweep
 *             could end the connection in a bucket that the packet had stored there.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/kernel/kernel.h"
#include "fastpath/kernel/load.h"

#define SKIPPED 77
#define CONNS	16 /* one bucket */
#define PATTERN 0x5a
#define NOW	1000000 /* tick */

struct bench {
	struct tw_kernel *kernel;
	int scratch_fd;
	size_t scratches_len; /* bytes of all CPUs' scratches */
	unsigned char *scratches;
	unsigned int n_failed;
};

static void expect(struct bench *b, const char *what, long expected, long got)
{
	if (expected == got)
		return;
	printf("%s: %ld, not %ld\n", what, got, expected);
	b->n_failed++;
}

/* Takes a record over, as the loader does. Returns an enum tw_taken, or negative. */
static int take(const struct bench *b, uint32_t number, uint8_t state, uint32_t quiet)
{
	struct tw_conn conn = {.key_end = 6};
	unsigned char frame[TW_TAKE_AT + sizeof(conn)] = {0};
	DECLARE_LIBBPF_OPTS(
		bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	conn.key[0] = number;
	conn.progress.state = state;
	conn.ports = tw_ports_with(0, TW_DIR_OUT, 1);
	conn.seen = conn.created = NOW - quiet;
	memcpy(frame + TW_TAKE_AT, &conn, sizeof(conn));
	return bpf_prog_test_run_opts(b->kernel->take_fd, &opts) ? -errno : (int)opts.retval;
}

static void settings(struct bench *b)
{
	struct tw_config config;

	expect(b, "settings are read", 0, tw_kernel_get_config(b->kernel, &config));
	for (size_t i = 0; i < TW_S__MAX; i++)
		config.timeout[i] = 100 * TW_TICKS_PER_SECOND;
	config.now_ns = (__u64)NOW << TW_TICK_SHIFT;
	expect(b, "settings are written", 0, tw_kernel_set_config(b->kernel, &config));
}

/* True if the packets' scratch of every CPU still has the pattern. */
static bool untouched(struct bench *b)
{
	const __u32 packets = 0;

	if (bpf_map_lookup_elem(b->scratch_fd, &packets, b->scratches))
		return false;
	for (size_t i = 0; i < b->scratches_len; i++)
		if (b->scratches[i] != PATTERN)
			return false;
	return true;
}

static void try(struct bench *b)
{
	const __u32 packets = 0;
	uint32_t number, n_slots = tw_conn_slots(CONNS);

	settings(b);
	memset(b->scratches, PATTERN, b->scratches_len);
	expect(b, "scratches are written", 0,
		bpf_map_update_elem(b->scratch_fd, &packets, b->scratches, BPF_ANY));
	for (number = 1; number <= n_slots; number++)
		expect(b, "there is space", TW_TAKEN_NEW,
			take(b, number, TW_S_TIME_WAIT, 10 * TW_TICKS_PER_SECOND));
	expect(b, "after a record was taken, untouched", 1, untouched(b));
	expect(b, "an ended record is replaced", TW_TAKEN_NEW,
		take(b, number, TW_S_ESTABLISHED, 0));
	expect(b, "after a record was replaced, untouched", 1, untouched(b));
	expect(b, "the record is found", TW_TAKEN_MET, take(b, number, TW_S_ESTABLISHED, 0));
	for (number++; number <= 2 * n_slots; number++)
		take(b, number, TW_S_ESTABLISHED, 0);
	expect(b, "no record can be replaced", TW_TAKEN_FULL, take(b, number, TW_S_ESTABLISHED, 0));
	expect(b, "the sweep runs", 0, tw_kernel_sweep(b->kernel, 4, NOW));
	expect(b, "after all records were replaced, untouched", 1, untouched(b));
}

int main(void)
{
	const struct tw_kernel_options options = {.max_conns = CONNS, .test = true};
	tw_auto(tw_kernel) struct tw_kernel *kernel = NULL;
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	struct tw_err err = {0};
	struct bench b = {0};
	int failed = tw_kernel_open(&options, &kernel, &err);

	if (failed) {
		printf("the programs cannot be loaded: %s\n", err.text);
		return failed == -EPERM || failed == -ENOSYS ? SKIPPED : 1;
	}
	b.kernel = kernel;
	b.scratch_fd = bpf_object__find_map_fd_by_name(kernel->object, "tw_scratch");
	if (b.scratch_fd < 0 || bpf_obj_get_info_by_fd(b.scratch_fd, &info, &len))
		return 1;
	b.scratches_len = (info.value_size + 7u) / 8 * 8 * (size_t)libbpf_num_possible_cpus();
	b.scratches = malloc(b.scratches_len);
	if (!b.scratches)
		return 1;
	try(&b);
	free(b.scratches);
	return b.n_failed != 0;
}
