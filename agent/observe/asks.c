/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/asks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/observe/answers.h"
#include "agent/observe/held.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/loop.h"
#include "fastpath/kernel/ask.h"
#include "policy/model.h"

#define TURN_MAX    256		/* questions read in one turn of the loop */
#define GRACE_NS    20000000ull /* the fast path's clock may lag by this much */
#define NUMBER_BITS 12
_Static_assert(TW_ASKS_OPEN_MAX == 1 << NUMBER_BITS, "a question's number names its place");

/* An open question. */
struct question {
	uint64_t id;
	uint64_t due_ns; /* time when it becomes overdue; monotonic */
	struct tw_asked asked;
	struct tw_decider *decider; /* the decider that has it; NULL: it is queued */
	struct question *newer;	    /* next one in the order of due_ns */
	struct question *older;
	struct question *behind; /* next one in its port's queue */
	/* State of the port that sent the frame, if another port asks. */
	enum tw_port_state sender_state;
	char sender[TW_NAME_MAX + 1]; /* its workload; empty: none */
	uint8_t data[];
};

/* The questions that one port pays for. */
struct queue {
	struct question *first; /* first of the questions that no decider has */
	struct question *last;
	struct queue *next; /* next queue in the ring of queues that are not empty */
	uint32_t n_open;
};

struct tw_asks {
	struct tw_telemetry *telemetry;
	struct tw_answers answers;
	struct ring_buffer *ring;
	struct tw_watch watch;
	struct tw_watch timer_watch;
	int timer_fd;
	bool armed;
	unsigned int turn;
	struct question *open[TW_ASKS_OPEN_MAX]; /* indexed by the low bits of the id */
	uint32_t next_place;
	struct question *oldest;
	struct question *newest;
	struct queue queues[TW_PORTS_MAX]; /* indexed by the id of the port that pays */
	struct queue *turn_of; /* tail of the ring of queues; NULL: no question is queued */
	struct tw_decider *deciders;
	struct tw_asks_counts counts;
};

/* ---- the queues ---- */

static void put_queued(struct tw_asks *asks, struct question *question)
{
	struct queue *queue = &asks->queues[question->asked.payer_id];

	question->decider = NULL;
	question->behind = NULL;
	if (queue->first) {
		queue->last->behind = question;
	} else {
		queue->first = question;
		queue->next = asks->turn_of ? asks->turn_of->next : queue;
		if (asks->turn_of)
			asks->turn_of->next = queue;
		asks->turn_of = queue;
	}
	queue->last = question;
}

/* Takes an empty queue out of the ring. `before` is the queue before it in the ring. */
static void leave_ring(struct tw_asks *asks, struct queue *before, struct queue *queue)
{
	before->next = queue->next;
	if (asks->turn_of == queue)
		asks->turn_of = before == queue ? NULL : before;
	queue->next = NULL;
}

/* Takes the first question from the queue of the port whose turn it is. NULL if no question is queued. */
static struct question *take_queued(struct tw_asks *asks)
{
	struct queue *before = asks->turn_of, *queue = before ? before->next : NULL;
	struct question *question = queue ? queue->first : NULL;

	if (!question)
		return NULL;
	queue->first = question->behind;
	if (queue->first)
		asks->turn_of = queue;
	else
		leave_ring(asks, before, queue);
	return question;
}

static void remove_queued(struct tw_asks *asks, struct question *question)
{
	struct queue *queue = &asks->queues[question->asked.payer_id], *before = queue;
	struct question **at = &queue->first, *last = NULL;

	while (*at && *at != question) {
		last = *at;
		at = &(*at)->behind;
	}
	if (!*at)
		return;
	*at = question->behind;
	if (queue->last == question)
		queue->last = last;
	if (queue->first)
		return;
	while (before->next != queue)
		before = before->next;
	leave_ring(asks, before, queue);
}

/* ---- open questions ---- */

static void arm(struct tw_asks *asks)
{
	uint64_t due = asks->oldest ? asks->oldest->due_ns : 0;
	const struct itimerspec when = {
		.it_value = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)}};

	asks->armed = due && !timerfd_settime(asks->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Inserts a question by its due time: a new policy may have shortened the timeout. */
static void link_open(struct tw_asks *asks, struct question *question)
{
	struct question *older = asks->newest;

	while (older && older->due_ns > question->due_ns)
		older = older->older;
	question->older = older;
	question->newer = older ? older->newer : asks->oldest;
	if (question->newer)
		question->newer->older = question;
	else
		asks->newest = question;
	if (older)
		older->newer = question;
	else
		asks->oldest = question;
}

static void question_free(struct tw_asks *asks, struct question *question)
{
	if (question->decider)
		question->decider->n_open--;
	else
		remove_queued(asks, question);
	if (question->older)
		question->older->newer = question->newer;
	else
		asks->oldest = question->newer;
	if (question->newer)
		question->newer->older = question->older;
	else
		asks->newest = question->older;
	asks->open[question->id % TW_ASKS_OPEN_MAX] = NULL;
	asks->queues[question->asked.payer_id].n_open--;
	asks->counts.open--;
	free(question);
}

/* Returns an id that cannot be guessed and whose low bits are a free index of open[]. Returns 0 if none is free. */
static uint64_t make_id(struct tw_asks *asks)
{
	uint64_t id = 0;

	for (uint32_t tried = 0; tried < TW_ASKS_OPEN_MAX; tried++) {
		uint32_t place = asks->next_place++ % TW_ASKS_OPEN_MAX;

		if (asks->open[place])
			continue;
		if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
			return 0;
		/* A number in JSON is exact up to 53 bits. */
		return (id << NUMBER_BITS | place) & ((1ull << 53) - 1);
	}
	return 0;
}

static const char *workload_of(const struct tw_agent_port *port)
{
	return port && port->vnic ? port->vnic->workload : "";
}

/* True if the frame of a question was sent by a port other than the asking one. Then *ret is the sender's
 * port, or NULL if it is gone. */
static bool find_sender(
	const struct tw_asks *asks, const struct tw_asked *asked, const struct tw_agent_port **ret)
{
	const struct tw_agent_port *port = tw_ports_find(
		asks->telemetry->host->ports, asked->origin);

	*ret = port && port->id == asked->payer_id ? port : NULL;
	return asked->payer_id != asked->key.port_id;
}

/* True if the guest that sent the frame of a question may still send it: its port exists, has the state and the
 * workload that it had, and is not in quarantine, and its MAC has not been seen behind another port. The port
 * that asks judges the frame again itself, but does not judge the sender's port. */
static bool may_go_on(const struct tw_asks *asks, const struct question *question)
{
	const struct tw_agent_port *sender;

	if (!find_sender(asks, &question->asked, &sender))
		return true;
	return sender && sender->state == question->sender_state && !sender->quarantined &&
	       !sender->moved && !strcmp(workload_of(sender), question->sender);
}

static int question_new(struct tw_asks *asks, const struct tw_asked *asked, const uint8_t *data)
{
	struct queue *queue = &asks->queues[asked->payer_id];
	const struct tw_agent_port *sender;
	struct question *question;
	uint64_t id;

	if (queue->n_open >= TW_ASKS_PORT_MAX)
		return -ENOSPC;
	id = make_id(asks);
	question = id ? tw_alloc(sizeof(*question) + asked->cap_len) : NULL;
	if (!question)
		return -ENOMEM;
	question->id = id;
	question->asked = *asked;
	if (find_sender(asks, asked, &sender) && sender) {
		question->sender_state = sender->state;
		snprintf(question->sender, sizeof(question->sender), "%s", workload_of(sender));
	}
	memcpy(question->data, data, asked->cap_len);
	question->due_ns = asked->time_ns + tw_answers_timeout_ns(&asks->answers) + GRACE_NS;
	asks->open[id % TW_ASKS_OPEN_MAX] = question;
	queue->n_open++;
	asks->counts.open++;
	link_open(asks, question);
	put_queued(asks, question);
	if (!asks->armed || asks->oldest == question)
		arm(asks);
	return 0;
}

/* Sends the held frame again. The fast path then finds the answer, or finds that none came in time. */
static void send_held(struct tw_asks *asks, const struct question *question)
{
	const struct tw_asked *asked = &question->asked;
	uint8_t bytes[TW_HELD_MAX];
	const struct tw_kernel_frame frame = {.data = bytes,
		.len = asked->cap_len ? tw_held_finish(asked, question->data, bytes) : 0,
		.ifindex = asked->ifindex,
		.dir = (enum tw_dir)asked->dir,
		.origin = asked->origin,
		.mark = asked->mark};

	/* If the port is gone, the frame is lost. */
	if (frame.len && may_go_on(asks, question))
		tw_kernel_reinject(asks->telemetry->host->kernel, &frame);
}

/* ---- deciders ---- */

/* Gives a question to the next decider that has room. Deciders take turns. */
static bool give(struct tw_asks *asks, struct question *question)
{
	struct tw_decider **at = &asks->deciders, *decider;

	for (; (decider = *at); at = &decider->next) {
		struct tw_decider **end = at;

		if (decider->n_open >= decider->window)
			continue;
		question->decider = decider;
		decider->n_open++;
		if (!decider->take(decider, question->id, &question->asked, question->data)) {
			decider->n_open--;
			question->decider = NULL;
			continue;
		}
		*at = decider->next;
		while (*end)
			end = &(*end)->next;
		*end = decider;
		decider->next = NULL;
		return true;
	}
	return false;
}

/* Gives queued questions to deciders until none has room. The question that was not taken goes to the end of its
 * port's queue. The ages of the questions there differ by no more than the timeout. */
static void give_all(struct tw_asks *asks)
{
	struct question *question;

	while (asks->deciders && (question = take_queued(asks))) {
		if (!give(asks, question)) {
			put_queued(asks, question);
			return;
		}
		asks->telemetry->told = true;
	}
}

void tw_asks_join(struct tw_asks *asks, struct tw_decider *decider)
{
	decider->next = asks->deciders;
	decider->n_open = 0;
	asks->deciders = decider;
	asks->counts.deciders++;
	tw_answers_lease(&asks->answers, true);
	give_all(asks);
}

void tw_asks_leave(struct tw_asks *asks, struct tw_decider *decider)
{
	struct tw_decider **at = &asks->deciders;

	while (*at != decider)
		at = &(*at)->next;
	*at = decider->next;
	asks->counts.deciders--;
	if (!asks->deciders)
		tw_answers_lease(&asks->answers, false);
	for (struct question *question = asks->oldest; question; question = question->newer)
		if (question->decider == decider)
			put_queued(asks, question);
	give_all(asks);
}

/* ---- answers ---- */

/* Ends the other open questions that an answer for a pair covers. */
static void answer_pair(
	struct tw_asks *asks, const struct tw_ask_key *pair, struct question *question)
{
	while (question) {
		struct question *newer = question->newer;

		if (tw_answers_covers(pair, &question->asked.key)) {
			if (tw_answers_is_open(&asks->answers, &question->asked))
				send_held(asks, question);
			tw_answers_void(&asks->answers, &question->asked);
			question_free(asks, question);
			asks->counts.answered++;
		}
		question = newer;
	}
}

/* Answers an open question. */
static int answer_open(
	struct tw_asks *asks, struct question *question, const struct tw_answer_given *given)
{
	struct tw_ask_key pair = question->asked.key;
	int ret = tw_answers_write(&asks->answers, &question->asked, given);

	if (ret < 0)
		return ret;
	send_held(asks, question);
	if (given->scope != TW_ASK_CONNECTION)
		tw_answers_void(&asks->answers, &question->asked);
	question_free(asks, question);
	asks->counts.answered++;
	if (given->scope != TW_ASK_CONNECTION)
		answer_pair(asks, &pair, asks->oldest);
	give_all(asks);
	return 0;
}

int tw_asks_answer(struct tw_asks *asks, uint64_t id, const struct tw_answer_given *given)
{
	struct question *question = asks->open[id % TW_ASKS_OPEN_MAX];
	int ret;

	if (!question || question->id != id || !question->decider) {
		asks->counts.refused++;
		return -ENOENT;
	}
	ret = answer_open(asks, question, given);
	if (ret == -ENOENT || ret == -EINVAL)
		asks->counts.refused++;
	return ret;
}

int tw_asks_install(struct tw_asks *asks, const struct tw_ask_key *key, uint32_t payer_id,
	const struct tw_answer_given *given)
{
	bool pair = given->scope != TW_ASK_CONNECTION;

	for (struct question *question = asks->oldest; question; question = question->newer)
		if (pair ? tw_answers_covers(key, &question->asked.key)
			 : !memcmp(key, &question->asked.key, sizeof(*key))) {
			int ret = answer_open(asks, question, given);

			/* -ENOENT: the fast path has ended the question in the meantime. */
			if (ret != -ENOENT)
				return ret;
		}
	return tw_answers_install(&asks->answers, key, payer_id, given);
}

uint64_t tw_asks_remove(
	struct tw_asks *asks, bool (*matches)(void *arg, const struct tw_ask_key *key), void *arg)
{
	return tw_answers_remove(&asks->answers, matches, arg);
}

/* ---- events of the loop ---- */

static bool is_late(const struct tw_asks *asks, const struct tw_asked *asked)
{
	return (int64_t)(tw_clock_ns() - asked->time_ns) >
	       (int64_t)(tw_answers_timeout_ns(&asks->answers) + GRACE_NS);
}

static int on_question(void *arg, void *record, size_t len)
{
	struct tw_asks *asks = arg;
	const struct tw_asked *asked = record;

	if (len < sizeof(*asked) || asked->cap_len > len - sizeof(*asked) ||
		asked->cap_len > TW_ASK_FRAME_MAX || asked->payer_id >= TW_PORTS_MAX)
		return 0;
	asks->counts.asked++;
	/* A question that an earlier agent left unread may have ended or be too late. */
	if (is_late(asks, asked) || !tw_answers_open(&asks->answers, asked) ||
		question_new(asks, asked, (const uint8_t *)(asked + 1)) < 0)
		asks->counts.dropped++;
	/* An error stops reading for this turn; the record itself is consumed. */
	return ++asks->turn < TURN_MAX ? 0 : -EAGAIN;
}

static void on_ring(void *arg, uint32_t events)
{
	struct tw_asks *asks = arg;

	asks->turn = 0;
	ring_buffer__consume(asks->ring);
	give_all(asks);
}

static void on_timer(void *arg, uint32_t events)
{
	struct tw_asks *asks = arg;
	uint64_t count, now = tw_clock_ns();
	unsigned int n = 0;

	if (read(asks->timer_fd, &count, sizeof(count)) != sizeof(count))
		return;
	while (asks->oldest && asks->oldest->due_ns <= now && n++ < TURN_MAX) {
		struct question *question = asks->oldest;

		asks->counts.overdue++;
		/* A retransmission by the guest may have ended it already. */
		if (tw_answers_is_open(&asks->answers, &question->asked))
			send_held(asks, question);
		question_free(asks, question);
	}
	arm(asks);
	give_all(asks);
}

void tw_asks_tick(struct tw_asks *asks)
{
	if (asks->deciders)
		tw_answers_lease(&asks->answers, true);
	tw_answers_sweep(&asks->answers, false);
	tw_answers_share(&asks->answers);
}

void tw_asks_settle(struct tw_asks *asks)
{
	tw_answers_sweep(&asks->answers, true);
}

void tw_asks_count(const struct tw_asks *asks, struct tw_asks_counts *ret)
{
	*ret = asks->counts;
}

/* ---- beginning and end ---- */

static int open_descriptors(struct tw_asks *asks)
{
	struct tw_telemetry *telemetry = asks->telemetry;
	int ret;

	asks->ring = ring_buffer__new(
		tw_kernel_map_fd(telemetry->host->kernel, TW_MAP_asks), on_question, asks, NULL);
	if (!asks->ring)
		return -errno;
	asks->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (asks->timer_fd < 0)
		return -errno;
	ret = tw_loop_add(
		telemetry->loop, &asks->timer_watch, asks->timer_fd, EPOLLIN, on_timer, asks);
	if (!ret)
		ret = tw_loop_add(telemetry->loop, &asks->watch, ring_buffer__epoll_fd(asks->ring),
			EPOLLIN, on_ring, asks);
	return ret;
}

int tw_asks_new(struct tw_telemetry *telemetry, struct tw_asks **ret, struct tw_err *err)
{
	struct tw_asks *asks = tw_alloc(sizeof(*asks));
	int result;

	if (!asks)
		return tw_err_set(err, -ENOMEM, "asks", NULL, "out of memory");
	asks->telemetry = telemetry;
	asks->timer_fd = asks->watch.fd = asks->timer_watch.fd = -1;
	tw_kernel_ask_rate(telemetry->host->kernel, telemetry->host->options->ask_rate);
	result = tw_answers_init(&asks->answers, telemetry);
	if (!result)
		result = open_descriptors(asks);
	if (result < 0) {
		tw_asks_free(asks);
		return tw_err_set(err, result, "asks", NULL, "cannot read the questions: %s",
			strerror(-result));
	}
	*ret = asks;
	return 0;
}

void tw_asks_free(struct tw_asks *asks)
{
	if (!asks)
		return;
	while (asks->oldest)
		question_free(asks, asks->oldest);
	tw_loop_remove(asks->telemetry->loop, &asks->watch);
	tw_loop_remove(asks->telemetry->loop, &asks->timer_watch);
	ring_buffer__free(asks->ring);
	if (asks->timer_fd >= 0)
		close(asks->timer_fd);
	tw_answers_done(&asks->answers);
	free(asks);
}
