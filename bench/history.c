/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* history.c: measures the CPU time and disk writes of the history, and the time of its answers.
 *
 *	tapwall-bench-history PLACE [ROWS] [SECONDS] [LOGIN]
 *
 * Writes ROWS rows (6 million) that span SECONDS (60), and prints CPU time and bytes for each row. A commit has
 * 20,000 rows: 0.2 s at 100,000 rows a second. Then asks each question many times, about random times and
 * names, and prints the median, the 99th percentile and the longest time. If PLACE has rows, they stay, and only
 * questions are measured. ROWS and SECONDS must then be the values that they were made with. PLACE is a file or a
 * ClickHouse server (place.h), and LOGIN the file with a name and a password for it. The CPU time of a server is not
 * included.
 *
 * The rows have 1,000 workloads, 500 rules, 20,000 addresses outside, 64 services and sometimes an arbitrary port.
 * A few of each are frequent and most are rare. One row in eight is a denial.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "slowpath/store/place.h"

#define COMMIT_ROWS 20000u
#define WORKLOADS   1000u
#define RULES	    500u
#define OUTSIDE	    20000u
#define SERVICES    64u
#define START_US    (1767225600ull * 1000000) /* 2026-01-01 */

static uint64_t random_state = 1;

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t random_next(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next() >> 32) * n >> 32);
}

/* Returns a number below n. Low ones are frequent: half of all are in the first eighth. */
static uint32_t random_rare(uint32_t n)
{
	uint64_t a = random_next() >> 43; /* 21 bits */

	return (uint32_t)(((a * a >> 21) * a >> 21) * n >> 21);
}

/* Returns a number of random magnitude, up to 2^bits. */
static uint64_t random_size(unsigned int bits)
{
	return random_next() >> (64 - 1 - random_below(bits));
}

struct names {
	uint32_t workload[WORKLOADS], tap[WORKLOADS], rule[RULES], host;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "tapwall-bench-history: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void make_names(struct tw_store_writer *writer, struct names *names)
{
	char text[32];
	int err = writer->ops->name(writer, TW_HISTORY_HOSTNAME, "host-1", &names->host);

	for (unsigned int i = 0; i < WORKLOADS && !err; i++) {
		snprintf(text, sizeof(text), "workload-%u", i);
		err = writer->ops->name(writer, TW_HISTORY_WORKLOAD, text, &names->workload[i]);
		snprintf(text, sizeof(text), "tap%ui0", i);
		if (!err)
			err = writer->ops->name(writer, TW_HISTORY_TAP, text, &names->tap[i]);
	}
	for (unsigned int i = 0; i < RULES && !err; i++) {
		snprintf(text, sizeof(text), "rule-%u", i);
		err = writer->ops->name(writer, TW_HISTORY_RULE, text, &names->rule[i]);
	}
	if (err)
		fail("names", err);
}

static struct tw_addr address_of(uint32_t v4)
{
	struct tw_addr addr = {.b = {[10] = 0xff, [11] = 0xff}};

	addr.w[3] = __builtin_bswap32(v4);
	return addr;
}

static void set_end(struct tw_history_row *row, const struct names *names, int end, bool inside)
{
	if (inside) {
		uint32_t n = random_rare(WORKLOADS);

		row->addr[end] = address_of(0x0a000000 + n);
		row->workload[end] = names->workload[n];
		row->tap[end] = names->tap[n];
		row->rule[end] = names->rule[random_rare(RULES)];
		row->gate_verdict[end] = TW_V_ALLOW;
	} else {
		row->addr[end] = address_of(0xc6120000 + random_rare(OUTSIDE) * 7);
	}
}

static void make_row(struct tw_history_row *row, const struct names *names, uint64_t time_us)
{
	uint32_t inside = random_below(3);

	*row = (struct tw_history_row){.time_us = time_us,
		.host = names->host,
		.proto = random_below(5) ? 6 : 17,
		.verdict = TW_V_ALLOW,
		.reason = TW_R_POLICY};
	set_end(row, names, 0, inside != 1);
	set_end(row, names, 1, inside != 2);
	row->port[0] = (uint16_t)(32768 + random_below(28000));
	row->port[1] = (uint16_t)(random_below(100) ? 1 + random_rare(SERVICES) * 97
						    : random_below(65536));
	if (random_below(8)) {
		row->kind = TW_HISTORY_CLOSE;
		row->state = row->proto == 6 ? TW_S_TIME_WAIT : TW_S_UDP_REPLIED;
		row->duration_ms = random_size(16);
		for (int way = 0; way < TW_WAY__MAX; way++) {
			row->packets[way] = 1 + random_size(7);
			row->bytes[way] = row->packets[way] * (60 + random_below(way ? 1400 : 200));
		}
	} else {
		row->kind = TW_HISTORY_DENY;
		row->verdict = TW_V_DENY;
		row->gate_verdict[inside == 2 ? 0 : 1] = TW_V_DENY;
		row->packets[0] = 1;
		row->bytes[0] = 74;
	}
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Returns the bytes that this process caused to be written to the disk (proc(5)). */
static uint64_t written_bytes(void)
{
	uint64_t bytes = 0;
	char line[128];
	FILE *io = fopen("/proc/self/io", "re");

	while (io && fgets(line, sizeof(line), io))
		if (sscanf(line, "write_bytes: %" SCNu64, &bytes) == 1)
			break;
	if (io)
		fclose(io);
	return bytes;
}

static uint64_t write_rows(struct tw_store_writer *writer, struct tw_store_reader *reader,
	uint64_t n, uint64_t step_us)
{
	struct tw_history_row *rows = calloc(COMMIT_ROWS, sizeof(*rows));
	struct tw_history_extent extent;
	struct tw_history_state state;
	struct names names;
	struct tw_err err = {0};
	double cpu = 0, made = 0, longest = 0;
	uint64_t before = written_bytes(), start = tw_clock_ns(), seq = 0, time_us = START_US;
	int code;

	if (!rows)
		fail("rows", -ENOMEM);
	make_names(writer, &names);
	for (uint64_t done = 0; done < n; done += COMMIT_ROWS) {
		double at = cpu_seconds();
		uint64_t wall;

		for (unsigned int i = 0; i < COMMIT_ROWS; i++)
			make_row(
				&rows[i], &names, time_us += random_below((uint32_t)(2 * step_us)));
		made += cpu_seconds() - at;
		at = cpu_seconds();
		wall = tw_clock_ns();
		code = writer->ops->append(writer, rows, COMMIT_ROWS);
		if (!code)
			code = writer->ops->commit(writer);
		if (code)
			fail("commit", code);
		cpu += cpu_seconds() - at;
		if ((double)(tw_clock_ns() - wall) / 1e6 > longest)
			longest = (double)(tw_clock_ns() - wall) / 1e6;
	}
	writer->ops->get_progress(writer, &state);
	seq = state.seq;
	code = reader->ops->get_extent(reader, &extent, &err);
	if (code)
		fail("extent", code);
	printf("rows %" PRIu64
	       ", CPU %.3f us a row, kept %.1f bytes a row, written %.1f bytes a row\n",
		seq, cpu * 1e6 / (double)seq, (double)extent.bytes / (double)seq,
		(double)(written_bytes() - before) / (double)seq);
	printf("share of a core at 100,000 rows/s: %.1f %%; whole run %.0f s, of which %.0f s made rows; longest commit %.0f ms\n",
		cpu * 1e7 / (double)seq, (double)(tw_clock_ns() - start) / 1e9, made, longest);
	free(rows);
	return time_us;
}

/* ---- queries ---- */

struct span {
	uint64_t from_us, to_us;
};

struct question {
	const char *name;
	void (*set)(struct tw_history_query *query, const struct span *span, char *text);
	unsigned int times;
	int dimension; /* enum tw_history_dimension; -1: rows */
};

static void set_newest(struct tw_history_query *q, const struct span *span, char *text)
{
	q->limit = 200;
}

static void set_hour(struct tw_history_query *q, const struct span *span, char *text)
{
	q->filter.since_us = span->from_us + random_next() % (span->to_us - span->from_us);
	q->filter.until_us = q->filter.since_us + 3600000000u;
	q->limit = 200;
	q->count = true;
}

static void set_hour_workload(struct tw_history_query *q, const struct span *span, char *text)
{
	set_hour(q, span, text);
	sprintf(text, "workload-%u", random_below(WORKLOADS));
	q->filter.either.workload = text;
}

static void set_hour_denied(struct tw_history_query *q, const struct span *span, char *text)
{
	set_hour(q, span, text);
	q->filter.verdict = TW_V_DENY;
	q->filter.has_port = true;
	q->filter.port = 98;
}

static void set_workload(struct tw_history_query *q, const struct span *span, char *text)
{
	sprintf(text, "workload-%u", random_below(WORKLOADS));
	q->filter.either.workload = text;
	q->limit = 200;
	q->count = true;
}

static void set_rule(struct tw_history_query *q, const struct span *span, char *text)
{
	sprintf(text, "rule-%u", random_below(RULES));
	q->filter.rule = text;
	q->limit = 200;
	q->count = true;
}

static void set_address(struct tw_history_query *q, const struct span *span, char *text)
{
	q->filter.either.has_prefix = true;
	q->filter.either.prefix = address_of(0xc6120000 + random_below(OUTSIDE) * 7);
	q->filter.either.prefix_len = 128;
	q->limit = 200;
	q->count = true;
}

static void set_any(struct tw_history_query *q, const struct span *span, char *text)
{
	q->filter.since_us = span->from_us + random_next() % (span->to_us - span->from_us);
	q->filter.until_us = q->filter.since_us +
			     random_next() % (span->to_us - q->filter.since_us + 1);
	q->limit = 20;
}

static void set_all(struct tw_history_query *q, const struct span *span, char *text)
{
	q->limit = 20;
}

static const struct question questions[] = {
	{"newest 200", set_newest, 300, -1},
	{"any hour: newest 200, count", set_hour, 300, -1},
	{"any hour, a workload: newest 200, count", set_hour_workload, 300, -1},
	{"any hour, denied to a port: newest 200, count", set_hour_denied, 300, -1},
	{"top sources, whole history", set_all, 100, TW_HISTORY_BY_SOURCE},
	{"top sources, any span", set_any, 300, TW_HISTORY_BY_SOURCE},
	{"top destinations, any span", set_any, 300, TW_HISTORY_BY_DESTINATION},
	{"top services, any span", set_any, 300, TW_HISTORY_BY_SERVICE},
	{"top rules, any span", set_any, 300, TW_HISTORY_BY_RULE},
	{"whole history, a workload: newest 200, count", set_workload, 40, -1},
	{"whole history, a rule: newest 200, count", set_rule, 40, -1},
	{"whole history, an address: newest 200, count", set_address, 40, -1},
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void ask(
	struct tw_store_reader *reader, const struct question *question, const struct span *span)
{
	double *ms = calloc(question->times, sizeof(*ms)), cpu = cpu_seconds();
	uint64_t rows = 0, matched = 0, blocks = 0;

	if (!ms)
		fail(question->name, -ENOMEM);
	for (unsigned int i = 0; i < question->times; i++) {
		struct tw_history_query q = {0};
		struct tw_history_result result;
		struct tw_err why = {0};
		char text[32];
		uint64_t start = tw_clock_ns();
		int err;

		question->set(&q, span, text);
		err = question->dimension < 0
			      ? reader->ops->select(reader, &q, &result, &why)
			      : reader->ops->top(reader, &q.filter,
					(enum tw_history_dimension)question->dimension,
					TW_HISTORY_ORDER_BYTES, q.limit, &result, &why);
		ms[i] = (double)(tw_clock_ns() - start) / 1e6;
		if (err)
			fail(question->name, err);
		if (result.n_damage || result.damaged_rollups)
			fail(question->name, -EBADMSG);
		rows += result.n + result.n_totals;
		matched += result.matched;
		blocks += result.blocks_read;
		tw_history_result_done(&result);
	}
	cpu = (cpu_seconds() - cpu) * 1e3 / question->times;
	qsort(ms, question->times, sizeof(*ms), compare_doubles);
	printf("%-46s p50 %7.2f ms  p99 %7.2f ms  max %7.2f ms  CPU %6.2f ms  (%" PRIu64
	       " rows, %" PRIu64 " matched, %" PRIu64 " blocks)\n",
		question->name, ms[question->times / 2], ms[question->times * 99 / 100],
		ms[question->times - 1], cpu, rows / question->times, matched / question->times,
		blocks / question->times);
	free(ms);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 6000000;
	uint64_t seconds = argc > 3 ? strtoull(argv[3], NULL, 10) : 60;
	struct span span = {.from_us = START_US, .to_us = START_US + seconds * 1000000};
	const struct tw_store_access access = {.login = argc > 4 ? argv[4] : NULL};
	const struct tw_history_limits limits = {0};
	struct tw_history_extent extent;
	struct tw_store_writer *writer = NULL;
	struct tw_store_reader *reader = NULL;
	struct tw_err err = {0};

	if (argc < 2 || n < COMMIT_ROWS || !seconds) {
		fprintf(stderr, "usage: tapwall-bench-history PLACE [ROWS] [SECONDS] [LOGIN]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (tw_place_open_writer(argv[1], &access, &limits, &writer, &err) ||
		tw_place_open_reader(argv[1], &access, &reader, &err)) {
		tw_err_print(stderr, "tapwall-bench-history", &err);
		return 1;
	}
	if (writer->ops->ready(writer))
		fail(argv[1], -EIO);
	if (reader->ops->get_extent(reader, &extent, &err))
		fail(argv[1], err.code);
	if (!extent.rows)
		span.to_us = write_rows(writer, reader, n, seconds * 1000000 / n);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		ask(reader, &questions[i], &span);
	tw_store_reader_free(reader);
	tw_store_writer_free(writer);
	return 0;
}
