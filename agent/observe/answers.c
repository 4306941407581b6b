/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/answers.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/state/slots.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "fastpath/kernel/ask.h"

#define STEP	  1024 /* entries read at once */
#define STEPS	  16   /* steps per call, unless it sweeps all */
#define QUOTA_MIN 1024
#define MAP_BYTES (TW_PORTS_MAX * sizeof(struct tw_asker))

static void charge(struct tw_answers *answers, uint32_t payer_id, int n)
{
	__atomic_add_fetch(
		&answers->askers[payer_id % TW_PORTS_MAX].entries, (uint32_t)n, __ATOMIC_RELAXED);
}

/* Removes an entry. Returns false if there is none. */
static bool take_out(
	struct tw_answers *answers, const struct tw_ask_key *key, struct tw_answer *ret_removed)
{
	if (bpf_map_lookup_and_delete_elem(answers->fd, key, ret_removed))
		return false;
	charge(answers, tw_answer_payer(ret_removed->word), -1);
	return true;
}

/* Makes an entry. Returns false if there is one, or if there is no room. */
static bool put_in(
	struct tw_answers *answers, const struct tw_ask_key *key, const struct tw_answer *answer)
{
	if (bpf_map_update_elem(answers->fd, key, answer, BPF_NOEXIST))
		return false;
	charge(answers, tw_answer_payer(answer->word), 1);
	return true;
}

/* ---- the sweep ---- */

bool tw_answers_expired(
	const struct tw_answer *answer, uint32_t now, uint64_t timeout_ns, uint32_t epoch)
{
	/* The question or the answer may be newer than `now`. */
	int64_t age = (int64_t)(int32_t)(now - tw_answer_tick(answer->word)) * (1 << TW_TICK_SHIFT);

	switch (tw_answer_verdict(answer->word)) {
	case TW_V_ASK:
		return age > (int64_t)(2 * timeout_ns + 1000000000u);
	case TW_V_ALLOW:
	case TW_V_DENY:
		return (int32_t)(now - answer->until) > 0 ||
		       (answer->epoch && answer->epoch != epoch);
	default:
		return true;
	}
}

/* True if an entry has expired, or its rule or port is gone. */
static bool is_over(const struct tw_answers *answers, const struct tw_ask_key *key,
	const struct tw_answer *answer, uint32_t now, uint64_t timeout_ns)
{
	const struct tw_telemetry *telemetry = answers->telemetry;

	return tw_slots_rule(telemetry->enforcement->slots, key->rule) < 0 ||
	       !tw_ports_by_id(telemetry->host->ports, key->port_id) ||
	       tw_answers_expired(answer, now, timeout_ns, telemetry->host->epoch);
}

/* Removes an entry that is over. It is put back if the fast path has just taken it over for a new question. */
static void remove_over(
	struct tw_answers *answers, const struct tw_ask_key *key, uint32_t now, uint64_t timeout_ns)
{
	struct tw_answer removed;

	if (take_out(answers, key, &removed) && !is_over(answers, key, &removed, now, timeout_ns))
		put_in(answers, key, &removed);
}

/* Reads the next entries. True if there are more. */
static bool read_step(struct tw_answers *answers, uint32_t *ret_n)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t next = 0;
	int failed;

	*ret_n = STEP;
	failed = bpf_map_lookup_batch(answers->fd, answers->sweeping ? &answers->token : NULL,
		&next, answers->keys, answers->values, ret_n, &opts);
	if (failed && errno != ENOENT)
		*ret_n = 0;
	answers->sweeping = !failed;
	answers->token = next;
	return !failed;
}

/* True if any port pays for an entry. If none does, the map need not be read: that would visit every bucket. */
static bool has_entries(const struct tw_answers *answers)
{
	for (uint32_t id = 0; id < TW_PORTS_MAX; id++)
		if (answers->askers[id].entries)
			return true;
	return false;
}

void tw_answers_sweep(struct tw_answers *answers, bool all)
{
	uint32_t now = tw_ticks_now(), n = 0, steps = 0;
	uint64_t timeout_ns;
	bool more;

	if (!has_entries(answers))
		return;
	timeout_ns = tw_answers_timeout_ns(answers);
	if (all)
		answers->sweeping = false;
	do {
		more = read_step(answers, &n);
		for (uint32_t i = 0; i < n; i++)
			if (is_over(answers, &answers->keys[i], &answers->values[i], now,
				    timeout_ns))
				remove_over(answers, &answers->keys[i], now, timeout_ns);
	} while (more && (all || ++steps < STEPS));
}

/* Counts the entries of an earlier agent, for each port that pays for them. */
static void count_entries(struct tw_answers *answers)
{
	uint32_t n = 0;
	bool more;

	for (uint32_t id = 0; id < TW_PORTS_MAX; id++)
		answers->askers[id].entries = 0;
	do {
		more = read_step(answers, &n);
		for (uint32_t i = 0; i < n; i++)
			charge(answers, tw_answer_payer(answers->values[i].word), 1);
	} while (more);
}

/* ---- answers ---- */

uint64_t tw_answers_timeout_ns(const struct tw_answers *answers)
{
	struct tw_config config;

	if (tw_kernel_get_config(answers->telemetry->host->kernel, &config) < 0)
		return 1000000000u;
	return (uint64_t)config.ask_timeout << TW_TICK_SHIFT;
}

void tw_answers_lease(struct tw_answers *answers, bool held)
{
	tw_kernel_ask_until(answers->telemetry->host->kernel,
		held ? (tw_ticks_now() + TW_ASK_LEASE_TICKS) | 1 : 0);
}

uint32_t tw_answers_quota(uint32_t total, uint32_t n_ports)
{
	uint32_t share = TW_ANSWERS_MAX / 2 / (n_ports ? n_ports : 1);

	if (total <= TW_ANSWERS_MAX / 2 || share > TW_ANSWERS_PORT)
		return TW_ANSWERS_PORT;
	return share > QUOTA_MIN ? share : QUOTA_MIN;
}

void tw_answers_share(struct tw_answers *answers)
{
	uint32_t total = 0, n_ports = 0, quota;

	for (uint32_t id = 0; id < TW_PORTS_MAX; id++) {
		uint32_t entries = answers->askers[id].entries;

		total += entries;
		n_ports += entries > 0;
	}
	quota = tw_answers_quota(total, n_ports);
	if (quota != answers->quota)
		tw_kernel_ask_quota(answers->telemetry->host->kernel, quota);
	answers->quota = quota;
}

bool tw_answers_covers(const struct tw_ask_key *pair, const struct tw_ask_key *key)
{
	struct tw_ask_key other = *key;

	other.sport = pair->sport;
	return !memcmp(&other, pair, sizeof(other));
}

/* Writes an answer, for any source port unless its scope is the connection. */
static int write_entry(struct tw_answers *answers, const struct tw_ask_key *about,
	uint32_t payer_id, enum tw_ask_scope scope, const struct tw_answer *answer)
{
	struct tw_ask_key key = *about;

	if (scope != TW_ASK_CONNECTION) {
		key.sport = 0;
		key.scope = TW_ASK_PAIR;
	}
	if (!bpf_map_update_elem(answers->fd, &key, answer, BPF_EXIST))
		return 0;
	if (answers->askers[payer_id].entries >= TW_ANSWERS_PORT)
		return -ENOSPC;
	return put_in(answers, &key, answer) ? 0 : -errno;
}

bool tw_answers_is_open(const struct tw_answers *answers, const struct tw_asked *asked)
{
	struct tw_answer entry;

	return !bpf_map_lookup_elem(answers->fd, &asked->key, &entry) &&
	       entry.word == tw_answer_word(TW_V_ASK, asked->payer_id, asked->since);
}

bool tw_answers_open(struct tw_answers *answers, const struct tw_asked *asked)
{
	const struct tw_answer entry = {
		.word = tw_answer_word(TW_V_ASK, asked->payer_id, asked->since)};

	return tw_answers_is_open(answers, asked) ||
	       (!is_over(answers, &asked->key, &entry, tw_ticks_now(),
			tw_answers_timeout_ns(answers)) &&
		       put_in(answers, &asked->key, &entry));
}

/* Makes the entry of an answer. Returns 0 or -EINVAL. */
static int make_entry(const struct tw_answers *answers, uint32_t payer_id,
	const struct tw_answer_given *given, struct tw_answer *ret)
{
	bool pair = given->scope != TW_ASK_CONNECTION;
	uint32_t ttl = pair ? TW_ANSWERS_TTL_PAIR : TW_ANSWERS_TTL_CONNECTION, now = tw_ticks_now();

	if ((given->verdict != TW_V_ALLOW && given->verdict != TW_V_DENY) ||
		given->scope >= TW_ASK__MAX)
		return -EINVAL;
	if (given->ttl_s)
		ttl = given->ttl_s < TW_ANSWERS_TTL_MAX ? given->ttl_s : TW_ANSWERS_TTL_MAX;
	*ret = (struct tw_answer){.word = tw_answer_word(given->verdict, payer_id, now),
		.until = now + ttl * TW_TICKS_PER_SECOND};
	if (given->scope == TW_ASK_POLICY)
		ret->epoch = answers->telemetry->host->epoch;
	return 0;
}

int tw_answers_write(struct tw_answers *answers, const struct tw_asked *asked,
	const struct tw_answer_given *given)
{
	struct tw_answer entry;
	int ret = make_entry(answers, asked->payer_id, given, &entry);

	if (!ret && !tw_answers_is_open(answers, asked))
		ret = -ENOENT;
	if (ret)
		return ret;
	if (given->scope != TW_ASK_CONNECTION)
		return write_entry(answers, &asked->key, asked->payer_id, given->scope, &entry);
	return bpf_map_update_elem(answers->fd, &asked->key, &entry, BPF_EXIST) ? -errno : 0;
}

int tw_answers_install(struct tw_answers *answers, const struct tw_ask_key *key, uint32_t payer_id,
	const struct tw_answer_given *given)
{
	struct tw_answer entry;
	int ret = make_entry(answers, payer_id, given, &entry);

	return ret ? ret : write_entry(answers, key, payer_id, given->scope, &entry);
}

uint64_t tw_answers_remove(struct tw_answers *answers,
	bool (*matches)(void *arg, const struct tw_ask_key *key), void *arg)
{
	uint64_t removed = 0;
	uint32_t n = 0;
	bool more;

	if (!has_entries(answers))
		return 0;
	answers->sweeping = false;
	do {
		more = read_step(answers, &n);
		for (uint32_t i = 0; i < n; i++) {
			const struct tw_ask_key *key = &answers->keys[i];
			enum tw_verdict verdict = tw_answer_verdict(answers->values[i].word);
			struct tw_answer old;

			if ((verdict == TW_V_ALLOW || verdict == TW_V_DENY) && matches(arg, key) &&
				take_out(answers, key, &old))
				removed++;
		}
	} while (more);
	return removed;
}

void tw_answers_void(struct tw_answers *answers, const struct tw_asked *asked)
{
	struct tw_answer removed;

	if (tw_answers_is_open(answers, asked))
		take_out(answers, &asked->key, &removed);
}

/* ---- beginning and end ---- */

int tw_answers_init(struct tw_answers *answers, struct tw_telemetry *telemetry)
{
	void *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		tw_kernel_map_fd(telemetry->host->kernel, TW_MAP_askers), 0);

	answers->telemetry = telemetry;
	answers->fd = tw_kernel_map_fd(telemetry->host->kernel, TW_MAP_answers);
	if (map == MAP_FAILED)
		return -errno;
	answers->askers = map;
	answers->keys = tw_alloc_array(STEP, sizeof(*answers->keys));
	answers->values = tw_alloc_array(STEP, sizeof(*answers->values));
	if (!answers->keys || !answers->values)
		return -ENOMEM;
	tw_answers_lease(answers, false);
	count_entries(answers);
	tw_answers_share(answers);
	return 0;
}

void tw_answers_done(struct tw_answers *answers)
{
	if (answers->askers)
		munmap(answers->askers, MAP_BYTES);
	free(answers->keys);
	free(answers->values);
}
