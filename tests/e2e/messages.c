/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* messages SOCKET SEED SECONDS POLICY: sends a real agent random requests: well-formed and
 * malformed, with nearly valid texts and policies, many at once, closing the connection at any
 * point of the answer. Each answer must be a valid message of link.proto; from time to time a
 * well-behaved client must be served. Prints "N conversations", or the fault with the number of its
 * conversation, which the same seed repeats.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "link/link.h"

#define TABLE_N(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))
#define ANSWERS_MAX    4
#define WAIT_MS	       20000 /* timeout for the answer to a valid request */
#define LINGER_MS      20    /* timeout for the answer to a request that may be malformed */
#define READ_MAX       (1 << 20)
#define REQUESTS_MAX   6
#define HONEST_EVERY   50
#define TEXT_MAX       6000 /* some texts are longer than a request may have */

struct talk {
	const char *path;
	uint64_t number;
	char *policy;
	size_t policy_len;
	char text[3][TEXT_MAX];
	struct tw_buf changed; /* the valid policy with some changes */
};

static uint32_t draw(uint32_t below)
{
	return (uint32_t)((uint64_t)random() * below >> 31);
}

static bool one_in(uint32_t n)
{
	return draw(n) == 0;
}

static void fail(const struct talk *talk, const char *what)
{
	printf("conversation %llu: %s\n", (unsigned long long)talk->number, what);
	exit(1);
}

/* ---- requests ---- */

static char *draw_text(struct talk *talk, size_t slot)
{
	static const char *const known[] = {"", "w1", "w2", "tap1", "tap2", "any", "default", "a",
		"\033[31m", "a\nb", "\xff\xfe", "\xc2\x9b", "%s%n", "../../etc/passwd"};
	char *text = talk->text[slot];
	size_t len;

	if (!one_in(3)) {
		strcpy(text, known[draw(sizeof(known) / sizeof(known[0]))]);
		return text;
	}
	len = draw(one_in(4) ? TEXT_MAX : 200);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(1 + draw(255));
	text[len] = '\0';
	return text;
}

static uint32_t draw_number(void)
{
	static const uint32_t edges[] = {0, 1, 2, 63, 64, 65, 249, 250, 65535, 65536, INT32_MAX,
		(uint32_t)INT32_MAX + 1, UINT32_MAX};

	return one_in(4) ? (uint32_t)random() : edges[draw(sizeof(edges) / sizeof(edges[0]))];
}

/* Draws the valid policy, truncated, with bytes changed, or with pieces removed or repeated. */
static void draw_policy(struct talk *talk, ProtobufCBinaryData *ret)
{
	struct tw_buf *out = &talk->changed;
	uint32_t n_changes = draw(4);

	tw_buf_reset(out);
	tw_buf_add(out, talk->policy,
		one_in(8) ? draw((uint32_t)talk->policy_len + 1) : talk->policy_len);
	for (uint32_t i = 0; i < n_changes && out->len; i++) {
		size_t at = draw((uint32_t)out->len), len = draw((uint32_t)(out->len - at) + 1);

		if (one_in(3))
			out->data[at] = (char)random();
		else if (one_in(2))
			out->len -= len,
				memmove(out->data + at, out->data + at + len, out->len - at);
		else if (len < 200)
			tw_buf_add(out, talk->policy + draw((uint32_t)talk->policy_len), 1);
	}
	*ret = (ProtobufCBinaryData){out->len, (uint8_t *)out->data};
	if (one_in(16))
		*ret = (ProtobufCBinaryData){0};
}

static Tapwall__V1__Answer *draw_answer(struct talk *talk, Tapwall__V1__Answer *answer)
{
	static const double times[] = {0, 1, -1, 1e-9, 86400, 1e18, -1e300, INFINITY, NAN};
	static const char *const verdicts[] = {"allow", "deny", "reject", ""};
	static const char *const scopes[] = {"connection", "pair", "policy", "all", ""};

	tapwall__v1__answer__init(answer);
	answer->id = one_in(2) ? draw(8) : (uint64_t)random() << draw(32);
	answer->verdict = one_in(8) ? draw_text(talk, 0)
				    : (char *)(uintptr_t)verdicts[draw(TABLE_N(verdicts))];
	answer->scope = one_in(8) ? draw_text(talk, 1)
				  : (char *)(uintptr_t)scopes[draw(TABLE_N(scopes))];
	answer->ttl_s = times[draw(TABLE_N(times))];
	return answer;
}

/* The answers are valid until the next call. */
static void draw_answers(struct talk *talk, Tapwall__V1__AnswerRequest *request)
{
	static Tapwall__V1__Answer answers[ANSWERS_MAX], *list[ANSWERS_MAX];

	request->answers = list;
	request->n_answers = draw(ANSWERS_MAX + 1);
	for (size_t i = 0; i < request->n_answers; i++)
		list[i] = draw_answer(talk, &answers[i]);
}

/* A body for each kind of request. */
struct bodies {
	Tapwall__V1__VersionRequest version;
	Tapwall__V1__StatusRequest status;
	Tapwall__V1__ApplyRequest apply;
	Tapwall__V1__PolicyRequest policy;
	Tapwall__V1__PortsRequest ports;
	Tapwall__V1__WorkloadsRequest workloads;
	Tapwall__V1__FlowsRequest flows;
	Tapwall__V1__RulesRequest rules;
	Tapwall__V1__CountersRequest counters;
	Tapwall__V1__LogRequest log;
	Tapwall__V1__EventsRequest events;
	Tapwall__V1__EventsAckRequest ack;
	Tapwall__V1__CaptureRequest capture;
	Tapwall__V1__TopRequest top;
	Tapwall__V1__HelloRequest hello;
	Tapwall__V1__DecideRequest decide;
	Tapwall__V1__AnswerRequest answer;
	Tapwall__V1__EnrollRequest enroll;
	Tapwall__V1__RenewRequest renew;
};

static void draw_bodies(struct talk *talk, struct bodies *b)
{
	draw_policy(talk, &b->apply.text);
	b->apply.source = draw_text(talk, 0);
	/* Rarely a real apply, since each one changes the policy in the kernel. */
	b->apply.dry_run = !one_in(8);
	b->flows.workload = draw_text(talk, 1);
	b->flows.limit = draw_number();
	b->log.follow = one_in(2);
	b->log.all = one_in(2);
	b->log.workload = b->flows.workload;
	b->log.limit = b->flows.limit;
	b->events.follow = b->log.follow;
	b->events.all = b->log.all;
	b->events.workload = b->flows.workload;
	b->events.limit = b->flows.limit;
	b->events.from = draw_number();
	b->events.kinds = draw_number();
	b->ack.next = draw_number();
	b->capture.workload = draw_text(talk, 2);
	b->capture.dropped = one_in(2);
	b->capture.snap_len = draw_number();
	b->capture.buffer_mib = one_in(4) ? draw_number() : 1;
	b->top.interval_ms = draw_number();
	b->top.limit = draw_number();
	b->hello.version = b->flows.workload;
	b->decide.window = draw_number();
	b->decide.data = one_in(2);
	draw_answers(talk, &b->answer);
	b->enroll.secret = b->enroll.request = b->renew.request = b->apply.text;
}

/* Draws a request, which is valid until the next call. */
static void draw_request(struct talk *talk, struct tw_buf *out)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct bodies b = {
		.version = TAPWALL__V1__VERSION_REQUEST__INIT,
		.status = TAPWALL__V1__STATUS_REQUEST__INIT,
		.apply = TAPWALL__V1__APPLY_REQUEST__INIT,
		.policy = TAPWALL__V1__POLICY_REQUEST__INIT,
		.ports = TAPWALL__V1__PORTS_REQUEST__INIT,
		.workloads = TAPWALL__V1__WORKLOADS_REQUEST__INIT,
		.flows = TAPWALL__V1__FLOWS_REQUEST__INIT,
		.rules = TAPWALL__V1__RULES_REQUEST__INIT,
		.counters = TAPWALL__V1__COUNTERS_REQUEST__INIT,
		.log = TAPWALL__V1__LOG_REQUEST__INIT,
		.events = TAPWALL__V1__EVENTS_REQUEST__INIT,
		.ack = TAPWALL__V1__EVENTS_ACK_REQUEST__INIT,
		.capture = TAPWALL__V1__CAPTURE_REQUEST__INIT,
		.top = TAPWALL__V1__TOP_REQUEST__INIT,
		.hello = TAPWALL__V1__HELLO_REQUEST__INIT,
		.decide = TAPWALL__V1__DECIDE_REQUEST__INIT,
		.answer = TAPWALL__V1__ANSWER_REQUEST__INIT,
		.enroll = TAPWALL__V1__ENROLL_REQUEST__INIT,
		.renew = TAPWALL__V1__RENEW_REQUEST__INIT,
	};
	const struct {
		unsigned int number;
		void *body;
	} kinds[] = {
		{TAPWALL__V1__REQUEST__BODY__NOT_SET, NULL},
		{TAPWALL__V1__REQUEST__BODY_VERSION, &b.version},
		{TAPWALL__V1__REQUEST__BODY_STATUS, &b.status},
		{TAPWALL__V1__REQUEST__BODY_APPLY, &b.apply},
		{TAPWALL__V1__REQUEST__BODY_POLICY, &b.policy},
		{TAPWALL__V1__REQUEST__BODY_PORTS, &b.ports},
		{TAPWALL__V1__REQUEST__BODY_WORKLOADS, &b.workloads},
		{TAPWALL__V1__REQUEST__BODY_FLOWS, &b.flows},
		{TAPWALL__V1__REQUEST__BODY_RULES, &b.rules},
		{TAPWALL__V1__REQUEST__BODY_COUNTERS, &b.counters},
		{TAPWALL__V1__REQUEST__BODY_LOG, &b.log},
		{TAPWALL__V1__REQUEST__BODY_EVENTS, &b.events},
		{TAPWALL__V1__REQUEST__BODY_EVENTS_ACK, &b.ack},
		{TAPWALL__V1__REQUEST__BODY_CAPTURE, &b.capture},
		{TAPWALL__V1__REQUEST__BODY_TOP, &b.top},
		{TAPWALL__V1__REQUEST__BODY_HELLO, &b.hello},
		{TAPWALL__V1__REQUEST__BODY_DECIDE, &b.decide},
		{TAPWALL__V1__REQUEST__BODY_ANSWER, &b.answer},
		{TAPWALL__V1__REQUEST__BODY_ENROLL, &b.enroll},
		{TAPWALL__V1__REQUEST__BODY_RENEW, &b.renew},
	};
	uint32_t kind = draw(sizeof(kinds) / sizeof(kinds[0]));

	draw_bodies(talk, &b);
	request.id = (uint64_t)random() << draw(32);
	request.body_case = kinds[kind].number;
	request.version = kinds[kind].body;
	if (tw_link_pack(out, &request.base) < 0)
		fail(talk, "a request cannot be packed");
}

/* Changes some bytes after the length; the length mostly stays right. */
static void spoil(struct tw_buf *out, size_t from)
{
	uint32_t n = 1 + draw(4);

	if (out->len - from <= 4)
		return;
	for (uint32_t i = 0; i < n; i++)
		out->data[from + 4 + draw((uint32_t)(out->len - from - 4))] = (char)random();
	if (one_in(16))
		out->data[from + draw(4)] = (char)random();
}

/* ---- conversations ---- */

static int connect_to(const struct talk *talk)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", talk->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail(talk, "the agent cannot be reached");
	return fd;
}

/* Removes complete responses from the front; false if one is invalid. */
static bool take_responses(struct tw_buf *in, bool *ret_last)
{
	size_t at = 0;
	const uint8_t *body;
	size_t body_len;
	long len;

	while (at < in->len && (len = tw_link_frame((uint8_t *)in->data + at, in->len - at, &body,
					&body_len)) != 0) {
		Tapwall__V1__Response *response = len > 0 ? tw_link_unpack_response(body, body_len)
							  : NULL;

		if (!response)
			return false;
		*ret_last |= response->last;
		tapwall__v1__response__free_unpacked(response, NULL);
		at += (size_t)len;
	}
	in->len -= at;
	if (at)
		memmove(in->data, in->data + at, in->len);
	return true;
}

/* Reads until the last response, the end of the connection, the timeout, or `max` bytes. */
static bool listen_for(const struct talk *talk, int fd, int wait_ms, size_t max)
{
	tw_auto_buf struct tw_buf in = {0};
	bool last = false;
	size_t total = 0;

	while (!last && total < max) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		char data[65536];
		ssize_t n = poll(&wait, 1, wait_ms) == 1 ? recv(fd, data, sizeof(data), 0) : -1;

		if (n <= 0)
			break;
		total += (size_t)n;
		tw_buf_add(&in, data, (size_t)n);
		if (!take_responses(&in, &last))
			fail(talk, "the agent's answer is not a response");
	}
	return last;
}

static void converse(struct talk *talk)
{
	tw_auto_buf struct tw_buf out = {0};
	int fd = connect_to(talk);
	uint32_t n = 1 + draw(REQUESTS_MAX);
	size_t len;

	for (uint32_t i = 0; i < n; i++) {
		size_t from = out.len;

		draw_request(talk, &out);
		if (one_in(3))
			spoil(&out, from);
	}
	len = one_in(4) ? draw((uint32_t)out.len + 1) : out.len;
	/* The agent may have closed the connection meanwhile. */
	(void)!send(fd, out.data, len, MSG_NOSIGNAL);
	if (one_in(4))
		shutdown(fd, SHUT_WR);
	if (!one_in(4))
		listen_for(talk, fd, LINGER_MS, one_in(2) ? READ_MAX : 1);
	close(fd);
}

static void ask_honestly(const struct talk *talk)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__StatusRequest status = TAPWALL__V1__STATUS_REQUEST__INIT;
	tw_auto_buf struct tw_buf out = {0};
	int fd = connect_to(talk);

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &status;
	if (tw_link_pack(&out, &request.base) < 0 ||
		send(fd, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len ||
		!listen_for(talk, fd, WAIT_MS, READ_MAX))
		fail(talk, "a valid request was not answered");
	close(fd);
}

static void read_policy(struct talk *talk, const char *path)
{
	tw_autofile FILE *file = fopen(path, "r");
	size_t max = 65536;

	talk->policy = tw_alloc(max);
	if (!file || !talk->policy)
		fail(talk, "the policy cannot be read");
	talk->policy_len = fread(talk->policy, 1, max, file);
	if (!talk->policy_len)
		fail(talk, "the policy is empty");
}

int main(int argc, char **argv)
{
	struct talk talk = {0};
	time_t end;

	if (argc != 5) {
		fprintf(stderr,
			"messages: invalid arguments; see the comment at the top of messages.c\n");
		return 2;
	}
	talk.path = argv[1];
	srandom((unsigned int)atoi(argv[2]));
	end = time(NULL) + atoi(argv[3]);
	read_policy(&talk, argv[4]);
	while (time(NULL) < end) {
		converse(&talk);
		if (++talk.number % HONEST_EVERY == 0)
			ask_honestly(&talk);
	}
	ask_honestly(&talk);
	printf("%llu conversations\n", (unsigned long long)talk.number);
	tw_buf_done(&talk.changed);
	free(talk.policy);
	return 0;
}
