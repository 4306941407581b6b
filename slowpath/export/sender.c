/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/export/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/address.h"

#define NS_PER_S    1000000000u
#define NS_PER_MS   1000000
#define BATCH_MAX   16384u /* a TLS record */
#define ACK_MS	    200	   /* between two looks at what was acknowledged */
#define TOLD_NS	    60000000000u
#define HARD_STOP_S 2
#define STOP_MS	    10

struct item {
	struct item *next;
	uint64_t
		end; /* 1 + number of bytes written to the connection when it was sent; 0: it was not */
	size_t len;
	uint32_t n_records;
	bool counted; /* its records are in `facts.records` */
	unsigned char message[];
};

struct tw_sender {
	struct tw_sender_setup setup;
	int wake_fd, stop_fd;
	pthread_t thread;
	/* Only for the thread. */
	struct tw_outlet *outlet; /* NULL: not connected */
	uint64_t connection;
	uint64_t told_ns;   /* time when a refused datagram was last logged */
	uint32_t previous;  /* records of the last datagram */
	uint64_t unsent;    /* records of the batch that could not be sent */
	struct item *batch; /* first item of the batch */
	size_t batch_len;
	unsigned char bytes[BATCH_MAX];
	unsigned char message[TW_SENDER_MESSAGE_MAX];
	/* Shared, under the lock. */
	pthread_mutex_t lock;
	struct item *first, **end; /* all items, oldest first */
	struct item *next;	   /* first item that was not sent; NULL: all were */
	size_t bytes_queued;
	uint64_t losing; /* records lost in this series; 0: none is being lost */
	bool idle;	 /* the thread waits for wake_fd */
	bool stopping;
	struct tw_sender_facts facts;
};

/* ---- the queue ---- */

static void wake(int fd)
{
	const uint64_t one = 1;

	/* The eventfd is readable until it is read, so a full counter loses no wake-up. */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		tw_log(TW_LOG_ERR, "cannot wake a sender: %s", strerror(errno));
}

/* Appends an item, or counts its records as lost. Returns how many were lost in a series that this item ends. */
static uint64_t append(struct tw_sender *sender, struct item *item, uint32_t n, bool *ret_begins)
{
	uint64_t ended = 0;

	if (!item) {
		*ret_begins = !sender->losing;
		sender->losing += n;
		sender->facts.lost += n;
		return 0;
	}
	*sender->end = item;
	sender->end = &item->next;
	if (!sender->next)
		sender->next = item;
	sender->bytes_queued += sizeof(*item) + item->len;
	sender->facts.queued += n;
	/* A series ends only when half of the queue is free, so a nearly full queue is logged once. */
	if (sender->losing && sender->bytes_queued < sender->setup.queue_bytes / 2) {
		ended = sender->losing;
		sender->losing = 0;
	}
	return ended;
}

void tw_sender_give(struct tw_sender *sender, const void *message, size_t len, uint32_t n_records)
{
	struct item *item = NULL;
	bool begins = false, is_idle;
	uint64_t ended;

	if (len <= TW_SENDER_MESSAGE_MAX)
		item = tw_alloc(sizeof(*item) + len);
	if (item) {
		item->len = len;
		item->n_records = n_records;
		memcpy(item->message, message, len);
	}
	pthread_mutex_lock(&sender->lock);
	if (item && sender->bytes_queued + sizeof(*item) + len > sender->setup.queue_bytes) {
		free(item);
		item = NULL;
	}
	ended = append(sender, item, n_records, &begins);
	is_idle = sender->idle;
	sender->idle = false;
	pthread_mutex_unlock(&sender->lock);
	if (is_idle)
		wake(sender->wake_fd);
	/* Logs without the lock: the log may itself be sent by this sender. */
	if (begins)
		tw_log(TW_LOG_WARNING, "%s %s: its queue is full; records are being lost",
			sender->setup.what, sender->setup.where);
	if (ended)
		tw_log(TW_LOG_WARNING,
			"%s %s: %" PRIu64 " records were lost; its queue has room again",
			sender->setup.what, sender->setup.where, ended);
}

void tw_sender_lose(struct tw_sender *sender, uint64_t n_records)
{
	pthread_mutex_lock(&sender->lock);
	sender->facts.lost += n_records;
	pthread_mutex_unlock(&sender->lock);
}

/* Copies the next item's message. False if there is none. */
static bool take_next(struct tw_sender *sender, struct item **ret)
{
	struct item *item;

	pthread_mutex_lock(&sender->lock);
	item = sender->next;
	if (item)
		sender->next = item->next;
	pthread_mutex_unlock(&sender->lock);
	if (item)
		memcpy(sender->message, item->message, item->len);
	*ret = item;
	return item != NULL;
}

/* Frees the items that the collector's TCP has acknowledged. */
static void free_acked(struct tw_sender *sender, uint64_t acked)
{
	pthread_mutex_lock(&sender->lock);
	for (struct item *item = sender->first;
		item && item != sender->next && item->end && item->end - 1 <= acked;
		item = sender->first) {
		sender->first = item->next;
		if (!sender->first)
			sender->end = &sender->first;
		sender->bytes_queued -= sizeof(*item) + item->len;
		sender->facts.queued -= item->n_records;
		free(item);
	}
	pthread_mutex_unlock(&sender->lock);
}

/* ---- sending ---- */

/* Sets `end` of the batch's items, and counts their records as sent. */
static void note_sent(struct tw_sender *sender)
{
	uint64_t end = tw_outlet_written(sender->outlet);

	pthread_mutex_lock(&sender->lock);
	for (struct item *item = sender->batch; item && item != sender->next; item = item->next) {
		item->end = end + 1;
		if (!item->counted)
			sender->facts.records += item->n_records;
		item->counted = true;
	}
	sender->facts.records -= sender->unsent;
	sender->unsent = 0;
	pthread_mutex_unlock(&sender->lock);
	sender->batch = NULL;
	sender->batch_len = 0;
}

/* Counts and logs lost datagrams. `connection` grows, because a collector that listens there later has no
 * templates. */
static void note_refused(struct tw_sender *sender, uint32_t n_records, int code)
{
	uint64_t now = tw_clock_ns();

	tw_sender_lose(sender, n_records);
	sender->connection++;
	if (sender->told_ns && now - sender->told_ns < TOLD_NS)
		return;
	tw_log(TW_LOG_WARNING, "%s %s: %s; records are lost", sender->setup.what,
		sender->setup.where, strerror(-code));
	sender->told_ns = now;
}

static int send_datagram(
	struct tw_sender *sender, const void *bytes, size_t len, uint32_t n_records)
{
	int code = tw_outlet_write(sender->outlet, bytes, len);

	/* A refusal that arrived since the last look belongs to an earlier datagram; this one was not sent. */
	if (code == -ECONNREFUSED) {
		note_refused(sender, sender->previous, code);
		sender->previous = 0;
		code = tw_outlet_write(sender->outlet, bytes, len);
	}
	if (code == -ECANCELED)
		return code;
	sender->previous = code < 0 ? 0 : n_records;
	if (code < 0) {
		sender->unsent += n_records;
		note_refused(sender, n_records, code);
	}
	return 0;
}

static int flush(struct tw_sender *sender)
{
	int code = sender->batch_len
			   ? tw_outlet_write(sender->outlet, sender->bytes, sender->batch_len)
			   : 0;

	if (!code)
		note_sent(sender);
	return code;
}

static int put_bytes(struct tw_sender *sender, const void *bytes, size_t len, uint32_t n_records)
{
	int code = 0;

	if (sender->setup.kind == TW_OUTLET_UDP)
		return send_datagram(sender, bytes, len, n_records);
	while (!code && len) {
		size_t n = BATCH_MAX - sender->batch_len;

		if (n > len)
			n = len;
		memcpy(sender->bytes + sender->batch_len, bytes, n);
		sender->batch_len += n;
		bytes = (const unsigned char *)bytes + n;
		len -= n;
		if (sender->batch_len < BATCH_MAX)
			continue;
		code = tw_outlet_write(sender->outlet, sender->bytes, BATCH_MAX);
		sender->batch_len = 0;
	}
	return code;
}

int tw_sender_put(struct tw_sender *sender, const void *bytes, size_t len)
{
	return put_bytes(sender, bytes, len, 0);
}

/* Sends everything that is queued. Returns 0 or a negative errno. */
static int send_queued(struct tw_sender *sender)
{
	const struct tw_sender_setup *setup = &sender->setup;
	struct item *item;
	size_t n_bytes = 0;
	int code = 0;

	while (!code && take_next(sender, &item)) {
		if (!sender->batch)
			sender->batch = item;
		if (setup->kind == TW_OUTLET_UDP) {
			int refused = tw_outlet_look(sender->outlet);

			if (refused < 0) {
				note_refused(sender, sender->previous, refused);
				sender->previous = 0;
			}
		}
		if (setup->prepare)
			code = setup->prepare(setup->arg, sender, sender->connection,
				sender->message, item->len, item->n_records);
		if (!code)
			code = put_bytes(sender, sender->message, item->len, item->n_records);
		n_bytes += item->len;
		if (!code && n_bytes >= BATCH_MAX) {
			code = flush(sender);
			free_acked(sender, tw_outlet_acked(sender->outlet));
			n_bytes = 0;
		}
	}
	return code ? code : flush(sender);
}

/* ---- the thread ---- */

/* Waits until there is something to do, for at most `ms`; -1: without a limit. True if the connection has
 * input. */
static bool wait_for_work(struct tw_sender *sender, int ms)
{
	/* The error of a datagram is read when the next one is sent. */
	bool has_input = sender->outlet && sender->setup.kind != TW_OUTLET_UDP;
	struct pollfd fds[] = {{.fd = sender->wake_fd, .events = POLLIN},
		{.fd = has_input ? tw_outlet_fd(sender->outlet) : -1,
			.events = POLLIN | POLLRDHUP}};
	uint64_t count;
	bool busy;

	pthread_mutex_lock(&sender->lock);
	busy = sender->stopping || (sender->outlet && sender->next);
	sender->idle = !busy && sender->outlet;
	pthread_mutex_unlock(&sender->lock);
	if (busy || poll(fds, 2, ms) <= 0)
		return false;
	if (fds[0].revents && read(sender->wake_fd, &count, sizeof(count)) < 0)
		return false;
	return fds[1].revents;
}

static bool is_stopping(struct tw_sender *sender, bool *ret_empty)
{
	bool stopping;

	pthread_mutex_lock(&sender->lock);
	stopping = sender->stopping;
	*ret_empty = !sender->first;
	pthread_mutex_unlock(&sender->lock);
	return stopping;
}

/* Sends until the connection ends or the sender is stopped. Returns why, as a negative errno. */
static int serve(struct tw_sender *sender)
{
	bool empty;
	int code = 0;

	while (!code) {
		code = send_queued(sender);
		if (!code)
			free_acked(sender, tw_outlet_acked(sender->outlet));
		if (!code && is_stopping(sender, &empty)) {
			struct pollfd stop = {.fd = sender->stop_fd, .events = POLLIN};

			/* What was sent is not acknowledged yet. */
			if (empty || poll(&stop, 1, STOP_MS) > 0)
				return -ECANCELED;
			code = tw_outlet_look(sender->outlet);
			continue;
		}
		if (!code && wait_for_work(sender, empty ? -1 : ACK_MS))
			code = tw_outlet_look(sender->outlet);
	}
	return code;
}

/* Closes the connection. Items that were not acknowledged will be sent again. */
static void rewind_queue(struct tw_sender *sender)
{
	free_acked(sender, tw_outlet_acked(sender->outlet));
	pthread_mutex_lock(&sender->lock);
	for (struct item *item = sender->first; item; item = item->next)
		item->end = 0;
	sender->next = sender->first;
	sender->facts.connected = false;
	pthread_mutex_unlock(&sender->lock);
	sender->batch = NULL;
	sender->batch_len = 0;
	tw_outlet_close(sender->outlet);
	sender->outlet = NULL;
}

/* Returns a random time from half of `ns` to all of it. */
static uint64_t jitter(uint64_t ns)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)tw_clock_ns();
	return ns / 2 + ns / 2 * random / UINT32_MAX;
}

/* Waits for a time. False if the sender is to stop. */
static bool pause_for(struct tw_sender *sender, uint64_t ns)
{
	uint64_t until = tw_clock_ns() + ns, now;
	bool empty;

	while (!is_stopping(sender, &empty) && (now = tw_clock_ns()) < until)
		wait_for_work(sender, (int)((until - now) / NS_PER_MS) + 1);
	return !is_stopping(sender, &empty);
}

/* Logs a failure unless it is the one logged before. */
static void tell_failure(struct tw_sender *sender, const struct tw_err *err, struct tw_err *told)
{
	if (strcmp(err->text, told->text) != 0)
		tw_log(TW_LOG_WARNING, "%s %s: cannot connect: %s; trying again",
			sender->setup.what, sender->setup.where, err->text);
	*told = *err;
}

static void *run(void *arg)
{
	struct tw_sender *sender = arg;
	const struct tw_sender_setup *setup = &sender->setup;
	const struct tw_outlet_setup outlet = {.kind = setup->kind,
		.where = setup->where,
		.ca = setup->ca,
		.cert = setup->cert,
		.key = setup->key,
		.stop_fd = sender->stop_fd};
	struct tw_err err = {0}, told = {0};
	uint64_t pause_ns = TW_SENDER_PAUSE_NS, since_ns;
	int code;

	do {
		code = tw_outlet_open(&outlet, &sender->outlet, &err);
		if (code == -ECANCELED)
			break;
		if (code < 0) {
			tell_failure(sender, &err, &told);
		} else {
			told = (struct tw_err){0};
			since_ns = tw_clock_ns();
			sender->connection++;
			pthread_mutex_lock(&sender->lock);
			sender->facts.connects++;
			sender->facts.connected = true;
			pthread_mutex_unlock(&sender->lock);
			tw_log(TW_LOG_INFO, "%s %s: sending", setup->what, setup->where);
			code = serve(sender);
			rewind_queue(sender);
			if (code != -ECANCELED)
				tw_log(TW_LOG_WARNING, "%s %s: disconnected: %s", setup->what,
					setup->where, strerror(-code));
			if (tw_clock_ns() - since_ns > TW_SENDER_PAUSE_MAX)
				pause_ns = TW_SENDER_PAUSE_NS;
		}
		if (code == -ECANCELED || !pause_for(sender, jitter(pause_ns)))
			break;
		if (pause_ns < TW_SENDER_PAUSE_MAX / 2)
			pause_ns *= 2;
	} while (true);
	return NULL;
}

/* ---- life ---- */

int tw_sender_new(const struct tw_sender_setup *setup, const char *option, struct tw_sender **ret,
	struct tw_err *err)
{
	struct tw_sender *sender;
	const struct tw_outlet_setup outlet = {.kind = setup->kind,
		.where = setup->where,
		.ca = setup->ca,
		.cert = setup->cert,
		.key = setup->key};
	int code;

	if (!tw_address_is_valid(setup->where))
		return tw_err_set(err, -EINVAL, option,
			"write HOST:PORT, or [ADDRESS]:PORT for IPv6", "%s is no address",
			setup->where);
	code = tw_outlet_check(&outlet, err);
	if (code < 0)
		return code;
	sender = tw_alloc(sizeof(*sender));
	if (!sender)
		return tw_err_set(err, -ENOMEM, option, NULL, "out of memory");
	sender->setup = *setup;
	if (!sender->setup.queue_bytes)
		sender->setup.queue_bytes = TW_SENDER_QUEUE_BYTES;
	sender->end = &sender->first;
	pthread_mutex_init(&sender->lock, NULL);
	sender->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sender->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = sender->wake_fd < 0 || sender->stop_fd < 0
		       ? -errno
		       : -pthread_create(&sender->thread, NULL, run, sender);
	if (!code) {
		*ret = sender;
		return 0;
	}
	if (sender->wake_fd >= 0)
		close(sender->wake_fd);
	if (sender->stop_fd >= 0)
		close(sender->stop_fd);
	pthread_mutex_destroy(&sender->lock);
	free(sender);
	return tw_err_set(err, code, option, NULL, "cannot start a thread: %s", strerror(-code));
}

/* Waits for the end of the thread. False if it did not end in time. */
static bool join(struct tw_sender *sender, uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	return pthread_clockjoin_np(sender->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}

void tw_sender_free(struct tw_sender *sender)
{
	if (!sender)
		return;
	pthread_mutex_lock(&sender->lock);
	sender->stopping = true;
	pthread_mutex_unlock(&sender->lock);
	wake(sender->wake_fd);
	if (!join(sender, TW_SENDER_STOP_NS)) {
		wake(sender->stop_fd);
		/* Only a look-up of the collector's name ignores stop_fd. The program then exits during it. */
		if (!join(sender, HARD_STOP_S * (uint64_t)NS_PER_S))
			return;
	}
	if (sender->facts.queued)
		tw_log(TW_LOG_WARNING, "%s %s: %" PRIu64 " records were not sent",
			sender->setup.what, sender->setup.where, sender->facts.queued);
	while (sender->first) {
		struct item *item = sender->first;

		sender->first = item->next;
		free(item);
	}
	close(sender->wake_fd);
	close(sender->stop_fd);
	pthread_mutex_destroy(&sender->lock);
	free(sender);
}

void tw_sender_get_facts(struct tw_sender *sender, struct tw_sender_facts *ret)
{
	pthread_mutex_lock(&sender->lock);
	*ret = sender->facts;
	pthread_mutex_unlock(&sender->lock);
}
