/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/seen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SETTLE_MIN 4096u /* number of entries below which settling is not worth its time */

void tw_seen_done(struct tw_seen *seen)
{
	tw_vec_foreach (&seen->texts, text)
		free(*text);
	tw_vec_done(&seen->texts);
	tw_vec_done(&seen->entries);
	tw_names_done(&seen->names);
}

const char *tw_seen_name(const struct tw_seen *seen, uint32_t name)
{
	return name ? seen->names.all.at[name - 1].text : "";
}

int tw_seen_intern(struct tw_seen *seen, const char *text, uint32_t *ret)
{
	const struct tw_name *known = *text ? tw_names_find(&seen->names, text) : NULL;
	char *copy;

	*ret = 0;
	if (!*text)
		return 0;
	if (!known) {
		copy = tw_strdup(text);
		if (!copy || tw_vec_push(&seen->texts, copy) < 0) {
			free(copy);
			return -ENOMEM;
		}
		if (tw_names_add(&seen->names, (struct tw_name){.text = copy}) < 0)
			return -ENOMEM;
		*ret = (uint32_t)seen->names.all.n;
		return 0;
	}
	*ret = (uint32_t)(known - seen->names.all.at) + 1;
	return 0;
}

/* ---- order ---- */

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Orders by addresses and protocol, then by everything that keeps entries apart but the port. */
static int compare_kind(const struct tw_seen_entry *x, const struct tw_seen_entry *y)
{
	int by = memcmp(x->addr, y->addr, sizeof(x->addr));

	if (!by)
		by = order(x->proto, y->proto);
	if (!by)
		by = memcmp(x->workload, y->workload, sizeof(x->workload));
	if (!by)
		by = order(x->verdict, y->verdict);
	if (!by)
		by = order(x->reason, y->reason);
	if (!by)
		by = order(x->rule, y->rule);
	return by ? by : order(x->ends, y->ends);
}

static int compare_entries(const void *a, const void *b)
{
	const struct tw_seen_entry *x = a, *y = b;
	int by = compare_kind(x, y);

	if (!by)
		by = order(x->scan, y->scan);
	return by ? by : order(x->detail, y->detail);
}

/* ---- settling ---- */

static void merge(struct tw_seen_entry *into, const struct tw_seen_entry *more)
{
	into->n += more->n;
	into->n_worked += more->n_worked;
	into->bytes += more->bytes;
	if (more->first < into->first)
		into->first = more->first;
	if (more->last > into->last || (more->last >= into->last && more->sport > into->sport)) {
		into->last = more->last;
		into->sport = more->sport;
	}
}

static void merge_equal(struct tw_seen *seen)
{
	struct tw_seen_entry *at = seen->entries.at;
	size_t n = 0;

	for (size_t i = 0; i < seen->entries.n; i++)
		if (n && !compare_entries(&at[n - 1], &at[i]))
			merge(&at[n - 1], &at[i]);
		else
			at[n++] = at[i];
	seen->entries.n = n;
}

/* True if an entry is one of the ports of a scan. */
static bool is_vain(const struct tw_seen_entry *entry)
{
	return !entry->n_worked && !entry->scan &&
	       (entry->proto == IPPROTO_TCP || entry->proto == IPPROTO_UDP);
}

/* Moves the entries `from` to `to`, which differ only in the port, to `n`. If many of the ports were
 * tried in vain, these become one entry, the last. Returns the new end of the entries. */
static size_t fold_ports(struct tw_seen_entry *at, size_t from, size_t to, size_t n)
{
	struct tw_seen_entry scan = at[to - 1];
	size_t n_vain = 0;

	for (size_t i = from; i < to; i++)
		n_vain += is_vain(&at[i]);
	if (!scan.scan && n_vain <= TW_SEEN_PORTS_MAX) {
		memmove(&at[n], &at[from], (to - from) * sizeof(*at));
		return n + (to - from);
	}
	if (!scan.scan) {
		scan.scan = true;
		scan.detail = scan.sport = 0;
		scan.n = scan.n_worked = scan.bytes = 0;
		scan.last = 0;
	}
	for (size_t i = from; i < to; i++) {
		if (is_vain(&at[i]))
			merge(&scan, &at[i]);
		else if (!at[i].scan)
			at[n++] = at[i];
	}
	at[n++] = scan;
	return n;
}

void tw_seen_settle(struct tw_seen *seen)
{
	struct tw_seen_entry *at = seen->entries.at;
	size_t n = 0;

	if (seen->entries.n)
		qsort(at, seen->entries.n, sizeof(*at), compare_entries);
	merge_equal(seen);
	for (size_t from = 0, to; from < seen->entries.n; from = to) {
		for (to = from + 1; to < seen->entries.n && !compare_kind(&at[from], &at[to]);)
			to++;
		n = fold_ports(at, from, to, n);
	}
	seen->entries.n = n;
	seen->settled = n;
}

/* ---- adding ---- */

int tw_seen_add(struct tw_seen *seen, const struct tw_seen_conn *conn)
{
	struct tw_seen_entry entry = {.sport = conn->sport,
		.detail = conn->detail,
		.proto = conn->proto,
		.verdict = (uint8_t)conn->verdict,
		.ends = conn->ends,
		.n = 1,
		.n_worked = conn->worked,
		.bytes = conn->bytes,
		.first = conn->first,
		.last = conn->last};

	memcpy(entry.addr, conn->addr, sizeof(entry.addr));
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		if (tw_seen_intern(seen, conn->workload[dir], &entry.workload[dir]) < 0)
			return -ENOMEM;
	if (tw_seen_intern(seen, conn->reason, &entry.reason) < 0 ||
		tw_seen_intern(seen, conn->rule, &entry.rule) < 0)
		return -ENOMEM;
	/* Settling when the table has doubled costs a constant time for each connection. */
	if (seen->entries.n >= SETTLE_MIN && seen->entries.n >= 2 * seen->settled)
		tw_seen_settle(seen);
	if (seen->entries.n >= TW_SEEN_MAX)
		tw_seen_settle(seen);
	if (seen->entries.n >= TW_SEEN_MAX) {
		seen->n_beyond++;
		return 0;
	}
	return tw_vec_push(&seen->entries, entry);
}

bool tw_seen_is_answered(
	uint8_t proto, const char *state, uint64_t packets_out, uint64_t packets_in)
{
	if (proto != IPPROTO_TCP)
		return packets_in > 0;
	/* A refused SYN ends with the one RST that answers it. */
	if (!strcmp(state, "closed"))
		return packets_in > 1;
	return strcmp(state, "syn-sent") != 0 && strcmp(state, "syn-recv") != 0 &&
	       packets_in + packets_out > 1;
}
