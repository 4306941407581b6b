/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* feed.c: sends events to a running tapwall-slowd as an agent does, and measures the cost of recording them.
 *
 *	tapwall-bench-feed HOST:PORT CERTIFICATE CA PID [RATE] [SECONDS]
 *
 * CERTIFICATE has the agent's key and certificate. PID is that of tapwall-slowd. Sends RATE rows a second (100,000)
 * for SECONDS (60): one in eight is a denial, of 1,000 workloads, 500 rules and 20,000 addresses outside. Then waits
 * until all are acknowledged as durable, and prints the CPU time of tapwall-slowd, with all its threads, and the
 * number of bytes that it wrote to the disk. Exits with 1 if a row was not acknowledged.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "fastpath/abi/types.h"
#include "link/address.h"
#include "link/event_writer.h"
#include "link/identity.h"
#include "link/peer.h"
#include "link/reply.h"

#define WORKLOADS 1000u
#define RULES	  500u
#define OUTSIDE	  20000u
#define SERVICES  64u
#define TICK_NS	  2000000
#define CHUNK	  (1u << 20) /* as TW_SPOOL_CHUNK */
#define WAIT_NS	  20000000000u
#define NS_PER_S  1000000000u

struct sender {
	struct tw_loop loop;
	struct tw_peer *peer;
	struct tw_watch tick;
	int tick_fd, pid;
	uint64_t rate, total;
	uint64_t began_ns, ended_ns; /* 0: not yet */
	uint64_t next;		     /* number of the next row */
	uint64_t acked;
	uint64_t journal;
	uint64_t random;
	uint32_t generation;
	size_t chunk_bytes; /* batches since the last change of `generation` */
	struct tw_dictionary names;
	struct tw_event_writer writer;
	uint32_t workload[WORKLOADS], port[WORKLOADS], rule[RULES];
	uint32_t policy, state;
	double cpu_s;
	uint64_t written;
};

/* The stream of events. */
struct events {
	struct tw_responses base;
	struct sender *sender;
};

static void fail(const char *what, int code)
{
	fprintf(stderr, "tapwall-bench-feed: %s: %s\n", what, strerror(-code));
	exit(1);
}

/* ---- measuring ---- */

/* Returns the CPU time of all threads of a process. */
static double cpu_seconds(int pid)
{
	unsigned long long user = 0, system = 0;
	char path[64], text[1024], *end;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			    &system) != 2)
		fail(path, -ENOENT);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t written_bytes(int pid)
{
	uint64_t bytes = 0;
	char path[64], line[128];
	FILE *io;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	io = fopen(path, "re");
	while (io && fgets(line, sizeof(line), io))
		if (sscanf(line, "write_bytes: %" SCNu64, &bytes) == 1)
			break;
	if (io)
		fclose(io);
	return bytes;
}

static void report(struct sender *s)
{
	double rows = (double)s->total, cpu = cpu_seconds(s->pid) - s->cpu_s;
	double seconds = (double)(s->ended_ns - s->began_ns) / NS_PER_S;
	double all = (double)(tw_clock_ns() - s->began_ns) / NS_PER_S;

	printf("%" PRIu64 " rows sent in %.1f s (%.0f/s), %" PRIu64
	       " acknowledged as durable after %.1f s\n",
		s->next - 1, seconds, rows / seconds, s->acked ? s->acked - 1 : 0, all);
	printf("tapwall-slowd: %.3f us CPU a row, %.1f %% of a core at 100,000 rows/s; %.1f bytes written a row\n",
		cpu * 1e6 / rows, cpu * 1e7 / rows,
		(double)(written_bytes(s->pid) - s->written) / rows);
}

/* ---- rows ---- */

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t random_next(struct sender *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t random_below(struct sender *s, uint32_t n)
{
	return (uint32_t)((random_next(s) >> 32) * n >> 32);
}

/* Returns a number below n. Low numbers are more frequent: half are in the first eighth. */
static uint32_t random_rare(struct sender *s, uint32_t n)
{
	uint64_t a = random_next(s) >> 43; /* 21 bits */

	return (uint32_t)(((a * a >> 21) * a >> 21) * n >> 21);
}

static void set_address(uint8_t address[16], uint32_t v4)
{
	address[10] = address[11] = 0xff;
	for (int i = 0; i < 4; i++)
		address[12 + i] = (uint8_t)(v4 >> (24 - 8 * i));
}

static void set_end(struct sender *s, bool inside, uint8_t address[16], uint32_t *workload,
	uint32_t *port, uint32_t *rule, uint8_t *verdict)
{
	uint32_t n = random_rare(s, WORKLOADS);

	if (!inside) {
		set_address(address, 0xc6120000 + random_rare(s, OUTSIDE) * 7);
		return;
	}
	set_address(address, 0x0a000000 + n);
	*workload = s->workload[n];
	*port = s->port[n];
	*rule = s->rule[random_rare(s, RULES)];
	*verdict = TW_V_ALLOW;
}

static void make_row(struct sender *s, struct tw_event_row *row)
{
	uint32_t inside = random_below(s, 3);
	bool denied = !random_below(s, 8);

	*row = (struct tw_event_row){.number = s->next,
		.time_ns = tw_clock_unix_ns(tw_clock_ns()),
		.kind = denied ? TW_EVENT_ROW_DENY : TW_EVENT_ROW_CLOSE,
		.verdict = denied ? TW_V_DENY : TW_V_ALLOW,
		.direction = inside == 2 ? TW_DIR_OUT : TW_DIR_IN,
		.reason = s->policy,
		.has_ends = 1,
		.proto = random_below(s, 5) ? IPPROTO_TCP : IPPROTO_UDP,
		.from_port = (uint16_t)(32768 + random_below(s, 28000)),
		.to_port = (uint16_t)(random_below(s, 100) ? 1 + random_rare(s, SERVICES) * 97
							   : random_below(s, 65536)),
		.ethertype = 0x0800};
	set_end(s, inside != 1, row->from, &row->from_workload, &row->out_port, &row->out_rule,
		&row->out_verdict);
	set_end(s, inside != 2, row->to, &row->to_workload, &row->in_port, &row->in_rule,
		&row->in_verdict);
	row->rule = inside == 2 ? row->out_rule : row->in_rule;
	row->port = inside == 2 ? row->out_port : row->in_port;
	row->workload = inside == 2 ? row->from_workload : row->to_workload;
	if (denied) {
		row->len = 74;
		row->out_port = row->in_port = 0;
		*(inside == 2 ? &row->out_verdict : &row->in_verdict) = TW_V_DENY;
		return;
	}
	row->state = s->state;
	row->packets_out = 1 + random_below(s, 100);
	row->packets_in = 1 + random_below(s, 100);
	row->bytes_out = row->packets_out * (60 + random_below(s, 200));
	row->bytes_in = row->packets_in * (60 + random_below(s, 1400));
	row->age_ns = random_next(s) >> (64 - 36);
	row->last_ns = row->time_ns;
	row->first_ns = row->time_ns - row->age_ns;
}

/* ---- the agent's answers ---- */

static int send_batch(struct events *events, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	struct sender *s = events->sender;
	int code = tw_event_writer_take(&s->writer, &s->names, s->next, &batch);

	batch.journal = s->journal;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	if (!code)
		code = tw_reply_send(out, events->base.id, &response, false);
	/* As in an agent's spool, each chunk defines all names that it uses. */
	s->chunk_bytes += tapwall__v1__event_batch__get_packed_size(&batch);
	if (s->chunk_bytes >= CHUNK) {
		tw_event_writer_begin(&s->writer, ++s->generation);
		s->chunk_bytes = 0;
	}
	return code;
}

/* Sends the rows that are due by the clock, a batch at a time. A batch is full or 10 ms old. */
static int events_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct events *events = (struct events *)base;
	struct sender *s = events->sender;
	uint64_t due = (uint64_t)((double)(tw_clock_ns() - s->began_ns) / NS_PER_S *
				  (double)s->rate);
	struct tw_event_row row;
	int code;

	if (due > s->total)
		due = s->total;
	if (s->next > due || (due - s->next + 1 < TW_EVENT_WRITER_ROWS && due < s->total))
		return TW_RESPONSES_WAIT;
	for (int i = 0; i < TW_EVENT_WRITER_ROWS && s->next <= due; i++) {
		make_row(s, &row);
		if (!tw_event_writer_add(&s->writer, &row))
			break;
		s->next++;
	}
	if (s->next > s->total)
		s->ended_ns = tw_clock_ns();
	code = send_batch(events, out);
	return code < 0 ? code : TW_RESPONSES_MORE;
}

static void events_done(struct tw_responses *base)
{
	free(base);
}

static int start_events(
	struct sender *s, const Tapwall__V1__Request *request, struct tw_responses **ret)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	if (s->began_ns)
		fail("the stream", -EALREADY);
	events->base = (struct tw_responses){
		.next = events_next, .done = events_done, .id = request->id};
	events->sender = s;
	s->cpu_s = cpu_seconds(s->pid);
	s->written = written_bytes(s->pid);
	s->began_ns = tw_clock_ns();
	*ret = &events->base;
	return 0;
}

static int start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Hello hello = TAPWALL__V1__HELLO__INIT;
	Tapwall__V1__EventsAcked acked = TAPWALL__V1__EVENTS_ACKED__INIT;
	struct sender *s = context;

	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_EVENTS:
		return start_events(s, request, ret);
	case TAPWALL__V1__REQUEST__BODY_EVENTS_ACK:
		s->acked = request->events_ack->next;
		response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS_ACKED;
		response.events_acked = &acked;
		return tw_reply_send(out, request->id, &response, true);
	default:
		response.body_case = TAPWALL__V1__RESPONSE__BODY_HELLO;
		response.hello = &hello;
		return tw_reply_send(out, request->id, &response, true);
	}
}

static int opened(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	return 0;
}

static void closed(void *arg, struct tw_peer *peer, const struct tw_err *err)
{
	tw_err_print(stderr, "tapwall-bench-feed", err);
	exit(1);
}

static void on_tick(void *arg, uint32_t events)
{
	struct sender *s = arg;
	uint64_t count;

	if (read(s->tick_fd, &count, sizeof(count)) != sizeof(count))
		return;
	tw_peer_pump(s->peer);
	if (s->acked > s->total || (s->ended_ns && tw_clock_ns() - s->ended_ns > WAIT_NS))
		tw_loop_stop(&s->loop);
}

/* ---- life ---- */

static void make_names(struct sender *s)
{
	char text[32];

	for (unsigned int i = 0; i < WORKLOADS; i++) {
		snprintf(text, sizeof(text), "workload-%u", i);
		s->workload[i] = tw_dictionary_intern(&s->names, text);
		snprintf(text, sizeof(text), "tap%ui0", i);
		s->port[i] = tw_dictionary_intern(&s->names, text);
	}
	for (unsigned int i = 0; i < RULES; i++) {
		snprintf(text, sizeof(text), "rule-%u", i);
		s->rule[i] = tw_dictionary_intern(&s->names, text);
	}
	s->policy = tw_dictionary_intern(&s->names, "policy");
	s->state = tw_dictionary_intern(&s->names, "time-wait");
}

static void dial(struct sender *s, const char *where, const char *cert, const char *ca)
{
	const struct tw_identity_files files = {.cert = cert, .key = cert, .ca = ca};
	const struct tw_peer_options options = {.loop = &s->loop,
		.role = TW_ROLE_SLOW_PATH,
		.start = start,
		.context = s,
		.opened = opened,
		.closed = closed,
		.arg = s};
	struct tw_identity *identity = NULL;
	struct tw_dial_options to = {0};
	struct tw_stream *stream;
	struct tw_err err = {0};
	char address[300];
	int code;

	if (tw_identity_load(&files, TW_IDENTITY_AGENT, &identity, &err) < 0) {
		tw_err_print(stderr, "tapwall-bench-feed", &err);
		exit(1);
	}
	if (tw_address_with_scheme(where, address, sizeof(address)) < 0)
		fail(where, -ENAMETOOLONG);
	to.address = address;
	to.identity = identity;
	code = tw_stream_dial(&to, &stream);
	if (!code)
		code = tw_peer_new(&options, stream, &s->peer);
	tw_identity_free(identity);
	if (code < 0)
		fail(where, code);
}

int main(int argc, char **argv)
{
	const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
	struct sender *s = calloc(1, sizeof(*s));
	int code;

	if (argc < 5 || !s) {
		fprintf(stderr,
			"usage: tapwall-bench-feed HOST:PORT CERTIFICATE CA PID [RATE] [SECONDS]\n");
		return 2;
	}
	s->pid = atoi(argv[4]);
	s->rate = argc > 5 ? strtoull(argv[5], NULL, 10) : 100000;
	s->total = s->rate * (argc > 6 ? strtoull(argv[6], NULL, 10) : 60);
	s->next = s->random = 1;
	s->journal = tw_clock_unix_ns(tw_clock_ns());
	make_names(s);
	code = tw_loop_init(&s->loop, NULL, NULL);
	s->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->tick_fd < 0 || timerfd_settime(s->tick_fd, 0, &every, NULL) < 0)
		code = -errno;
	if (!code)
		code = tw_loop_add(&s->loop, &s->tick, s->tick_fd, EPOLLIN, on_tick, s);
	if (code < 0)
		fail("start", code);
	dial(s, argv[1], argv[2], argv[3]);
	code = tw_loop_run(&s->loop);
	if (code < 0)
		fail("loop", code);
	report(s);
	return s->acked > s->total ? 0 : 1;
}
