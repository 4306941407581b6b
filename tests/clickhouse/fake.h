/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fake.h: a server that answers the statements of slowpath/clickhouse/ as ClickHouse does, and can fail as asked.
 *
 * It knows tables only as far as the writer needs them: what was inserted, in which order. A thread serves all
 * connections. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define FAKE_LOG 512

/* Faults, each for the next statement that has the text `at`. */
enum fault {
	FAULT_NONE,
	FAULT_LOSE,   /* carries the statement out, and closes the connection without an answer */
	FAULT_REFUSE, /* answers with an error, and does nothing */
	FAULT_DENY,   /* answers with status 401 */
	FAULT_HANG,   /* never answers */
	FAULT_LIE,    /* answers a query with bytes that make no sense */
};

struct fake_statement {
	char text[1024];
	uint64_t batch; /* number of the batch that is inserted, committed or void */
	uint32_t rows;
};

struct fake {
	char place[64];
	int listener;
	pthread_t thread;
	atomic_bool stopping;
	pthread_mutex_t lock;
	/* The fields below are protected by the lock. */
	enum fault fault;
	const char *at;
	bool closes;	    /* closes each connection after its answer, without saying so */
	uint32_t migration; /* newest in history_migrations; 0: none */
	uint64_t epoch, who;
	bool released; /* the newest owner has released the tables */
	uint64_t released_epoch;
	struct tw_buf commit; /* last row of history_commits, without its time */
	uint64_t committed;
	uint64_t voids[64];
	unsigned int n_voids;
	struct fake_statement log[FAKE_LOG];
	unsigned int n_log;
	char headers[4096]; /* headers of the last request */
};

void fake_start(struct fake *fake);
void fake_stop(struct fake *fake);
void fake_fail(struct fake *fake, enum fault fault, const char *at);
/* Returns the number of statements that have the text. Counts from the statement with index `from` on. */
unsigned int fake_count(struct fake *fake, unsigned int from, const char *text);
/* Returns the number of rows in all batches that are not void, committed or not. */
uint64_t fake_rows(struct fake *fake);
