/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/unit/test.h"

#include "tests/clickhouse/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "slowpath/clickhouse/encode.h"

#define REQUEST_MAX (64u << 20)
#define FDS	    16 /* the listener and connections */

/* ---- HTTP ---- */

struct request {
	struct tw_buf bytes;
	char query[2048];
	const char *body;
	size_t len;
};

/* Waits for bytes or the end of the test. */
static bool wait_for(struct fake *fake, int fd)
{
	while (!atomic_load(&fake->stopping)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 50) > 0)
			return true;
	}
	return false;
}

static void unescape(const char *from, size_t len, char *to, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < max - 1; i++) {
		unsigned int byte;

		if (from[i] == '%' && i + 2 < len && sscanf(from + i + 1, "%2x", &byte) == 1) {
			to[n++] = (char)byte;
			i += 2;
		} else {
			to[n++] = from[i];
		}
	}
	to[n] = '\0';
}

/* Reads a request. False if the connection ended. */
static bool read_request(struct fake *fake, int fd, struct request *ret)
{
	const char *end = NULL, *length, *query;
	size_t want = 0;

	tw_buf_reset(&ret->bytes);
	while (!end || ret->bytes.len < want) {
		char bytes[65536];
		ssize_t n = wait_for(fake, fd) ? read(fd, bytes, sizeof(bytes)) : 0;

		if (n <= 0 || ret->bytes.len > REQUEST_MAX)
			return false;
		tw_buf_add(&ret->bytes, bytes, (size_t)n);
		end = strstr(ret->bytes.data, "\r\n\r\n");
		length = end ? strcasestr(ret->bytes.data, "\r\ncontent-length:") : NULL;
		if (length && length < end)
			want = (size_t)(end + 4 - ret->bytes.data) + strtoul(length + 17, NULL, 10);
	}
	ret->body = end + 4;
	ret->len = want - (size_t)(ret->body - ret->bytes.data);
	query = strstr(ret->bytes.data, "&query=");
	if (query && query < strstr(ret->bytes.data, "\r\n"))
		unescape(query + 7, strcspn(query + 7, " &\r"), ret->query, sizeof(ret->query));
	else
		snprintf(ret->query, sizeof(ret->query), "%.*s", (int)ret->len, ret->body);
	return true;
}

static void send_answer(int fd, int status, const void *body, size_t len)
{
	tw_auto_buf struct tw_buf out = {0};

	tw_buf_addf(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: keep-alive\r\n\r\n",
		status, len);
	tw_buf_add(&out, body, len);
	for (size_t at = 0; at < out.len;) {
		ssize_t n = send(fd, out.data + at, out.len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

/* ---- tables ---- */

static void take_commit(struct fake *fake, struct tw_wire wire, struct fake_statement *log)
{
	log->batch = tw_wire_number(&wire, 8);
	tw_wire_number(&wire, 4);
	if (log->batch < fake->committed)
		return;
	fake->committed = log->batch;
	tw_buf_reset(&fake->commit);
	tw_wire_add_number(&fake->commit, log->batch, 8);
	tw_buf_add(&fake->commit, wire.at, (size_t)(wire.end - wire.at));
}

static void take_rows(struct tw_wire wire, struct fake_statement *log)
{
	struct tw_history_names names = {.next = 1};
	struct tw_history_row row;

	while (!tw_wire_is_at_end(&wire)) {
		tw_wire_number(&wire, 4);
		log->batch = tw_wire_number(&wire, 8);
		assert_int_equal(tw_wire_number(&wire, 4), log->rows);
		assert_int_equal(tw_encode_read(&wire, &names, &row), 0);
		log->rows++;
	}
	assert_false(wire.bad);
	tw_history_names_done(&names);
}

/* Returns true if a commit's batch is void. */
static bool is_void(const struct fake *fake, uint64_t batch)
{
	for (unsigned int i = 0; i < fake->n_voids; i++)
		if (fake->voids[i] == batch)
			return true;
	return false;
}

static void insert(struct fake *fake, const struct request *r, struct fake_statement *log)
{
	const struct tw_wire wire = {
		.at = (const uint8_t *)r->body, .end = (const uint8_t *)r->body + r->len};
	uint64_t a = 0, b = 0;
	unsigned int c = 0;

	if (strstr(r->query, "INTO history_owners")) {
		assert_int_equal(sscanf(strstr(r->query, "VALUES"),
					 "VALUES (%" SCNu64 ", %" SCNu64 ", %u", &a, &b, &c),
			3);
		if (a >= fake->epoch) {
			fake->epoch = a;
			fake->who = b;
			fake->released = c;
			fake->released_epoch = c ? a : fake->released_epoch;
		}
	} else if (strstr(r->query, "INTO history_voids")) {
		assert_int_equal(sscanf(strstr(r->query, "VALUES"), "VALUES (%" SCNu64, &a), 1);
		log->batch = a;
		assert_in_range(fake->n_voids, 0, 63);
		fake->voids[fake->n_voids++] = a;
	} else if (strstr(r->query, "INTO history_commits")) {
		take_commit(fake, wire, log);
	} else if (strstr(r->query, "INTO history (")) {
		take_rows(wire, log);
	} else if (strstr(r->query, "INTO history_migrations")) {
		assert_int_equal(sscanf(strstr(r->query, "VALUES"), "VALUES (%u", &c), 1);
		fake->migration = c;
	}
}

static void select_rows(struct fake *fake, const char *query, struct tw_buf *out)
{
	if (strstr(query, "version()")) {
		tw_buf_adds(out, "18.16.1\n");
	} else if (strstr(query, "system.databases")) {
		tw_buf_adds(out, "1\n");
	} else if (strstr(query, "FROM history_migrations")) {
		if (fake->migration > 1)
			tw_wire_add_number(out, 1, 4);
		if (fake->migration)
			tw_wire_add_number(out, fake->migration, 4);
	} else if (strstr(query, "max(epoch)")) {
		tw_wire_add_number(out, fake->epoch, 8);
	} else if (strstr(query, "SELECT epoch, who")) {
		tw_wire_add_number(out, fake->epoch, 8);
		tw_wire_add_number(out, fake->who, 8);
	} else if (strstr(query, "FROM history_commits")) {
		/* Only the newest commit is kept: if it is void, there is no earlier one to return. */
		if (fake->commit.len && !is_void(fake, fake->committed))
			tw_buf_add(out, fake->commit.data, fake->commit.len);
	} else if (strstr(query, "max(batch)")) {
		uint64_t last = 0, epoch = 0;

		assert_int_equal(sscanf(strstr(query, "epoch ="), "epoch = %" SCNu64, &epoch), 1);
		for (unsigned int i = 0; i < fake->n_voids; i++)
			last = fake->voids[i] > last ? fake->voids[i] : last;
		tw_wire_add_number(out, last, 8);
		tw_wire_add_number(out, epoch == fake->released_epoch, 8);
	}
}

static struct fake_statement *note(struct fake *fake, const struct request *r)
{
	struct fake_statement *log = &fake->log[fake->n_log % FAKE_LOG];

	*log = (struct fake_statement){0};
	snprintf(log->text, sizeof(log->text), "%.1023s", r->query);
	snprintf(fake->headers, sizeof(fake->headers), "%.*s", (int)(r->body - r->bytes.data),
		r->bytes.data);
	fake->n_log++;
	return log;
}

/* Answers a request. False if the connection is to be closed. */
static bool answer(struct fake *fake, int fd, const struct request *r)
{
	static const char refusal[] =
		"Code: 252, e.displayText() = DB::Exception: Too many\x1b[31m parts, e.what() = DB::Exception\n";
	tw_auto_buf struct tw_buf out = {0};
	enum fault fault = FAULT_NONE;
	struct fake_statement *log;
	bool closes;

	pthread_mutex_lock(&fake->lock);
	if (fake->fault && strstr(r->query, fake->at)) {
		fault = fake->fault;
		fake->fault = FAULT_NONE;
	}
	log = note(fake, r);
	if (fault == FAULT_NONE || fault == FAULT_LOSE) {
		if (!strncmp(r->query, "INSERT", 6))
			insert(fake, r, log);
		else
			select_rows(fake, r->query, &out);
	}
	closes = fake->closes;
	pthread_mutex_unlock(&fake->lock);
	if (fault == FAULT_LIE)
		tw_buf_adds(&out, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01nonsense");
	if (fault == FAULT_LOSE)
		return false;
	if (fault == FAULT_HANG) {
		while (!atomic_load(&fake->stopping) &&
			recv(fd, &closes, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
			usleep(10000);
		return false;
	}
	if (fault == FAULT_REFUSE || fault == FAULT_DENY)
		send_answer(fd, fault == FAULT_DENY ? 401 : 500, refusal, sizeof(refusal) - 1);
	else
		send_answer(fd, 200, out.data, out.len);
	return !closes;
}

static void *serve(void *arg)
{
	struct pollfd fds[FDS] = {0};
	struct request request = {0};
	struct fake *fake = arg;

	for (int i = 1; i < FDS; i++)
		fds[i].fd = -1;
	fds[0] = (struct pollfd){.fd = fake->listener, .events = POLLIN};
	while (!atomic_load(&fake->stopping)) {
		if (poll(fds, FDS, 50) <= 0)
			continue;
		for (int i = 1; i < FDS; i++) {
			if (fds[i].fd < 0 && fds[0].revents) {
				fds[i].fd = accept(fake->listener, NULL, NULL);
				fds[i].events = POLLIN;
				fds[0].revents = 0;
			} else if (fds[i].fd >= 0 && fds[i].revents &&
				   !(read_request(fake, fds[i].fd, &request) &&
					   answer(fake, fds[i].fd, &request))) {
				close(fds[i].fd);
				fds[i].fd = -1;
			}
		}
	}
	for (int i = 1; i < FDS; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	tw_buf_done(&request.bytes);
	return NULL;
}

/* ---- for tests ---- */

void fake_start(struct fake *fake)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	*fake = (struct fake){0};
	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fake->listener >= 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fake->listener, 16), 0);
	assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&at, &len), 0);
	snprintf(fake->place, sizeof(fake->place), "clickhouse://127.0.0.1:%u/test",
		ntohs(at.sin_port));
	pthread_mutex_init(&fake->lock, NULL);
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

void fake_stop(struct fake *fake)
{
	atomic_store(&fake->stopping, true);
	pthread_join(fake->thread, NULL);
	pthread_mutex_destroy(&fake->lock);
	close(fake->listener);
	tw_buf_done(&fake->commit);
}

void fake_fail(struct fake *fake, enum fault fault, const char *at)
{
	pthread_mutex_lock(&fake->lock);
	fake->fault = fault;
	fake->at = at;
	pthread_mutex_unlock(&fake->lock);
}

unsigned int fake_count(struct fake *fake, unsigned int from, const char *text)
{
	unsigned int n = 0;

	pthread_mutex_lock(&fake->lock);
	assert_in_range(fake->n_log, 0, FAKE_LOG);
	for (unsigned int i = from; i < fake->n_log; i++)
		n += strstr(fake->log[i].text, text) != NULL;
	pthread_mutex_unlock(&fake->lock);
	return n;
}

uint64_t fake_rows(struct fake *fake)
{
	uint64_t rows = 0;

	pthread_mutex_lock(&fake->lock);
	for (unsigned int i = 0; i < fake->n_log; i++)
		if (!is_void(fake, fake->log[i].batch))
			rows += fake->log[i].rows;
	pthread_mutex_unlock(&fake->lock);
	return rows;
}
