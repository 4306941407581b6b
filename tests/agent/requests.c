/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Random requests of a hostile slow path: changes of quarantines, and records to install. Each gets one answer, and
 * nothing grows beyond its bounds. The requests are packed, changed in some bytes, and unpacked again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/agent/test.h"

#include "agent/answer/answer.h"
#include "agent/ports/host.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/quarantine.h"
#include "agent/state/store.h"
#include "base/clean.h"

#define CHANGES	 400 /* requests; each may write files */
#define INSTALLS 20000
#define ROWS	 40
#define ID	 7

#define POLICY                                                                                   \
	"version: 1\n"                                                                           \
	"workloads:\n"                                                                           \
	"  w1: {port: tap1, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11, \"fd00::11\"]}\n" \
	"  w2: {port: tap2, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.12, 10.1.0.0/16]}\n"  \
	"rules:\n"                                                                               \
	"  - {name: a, from: any, to: any, service: tcp/80, action: ask}\n"

struct fixture {
	char folder[64];
	struct tw_host host;
	struct tw_ports ports;
	struct tw_quarantines list;
	struct tw_enforcement enforcement;
	struct tw_telemetry *telemetry;
	struct tw_answer_ctx ctx;
	uint64_t random;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct tw_err err = {0};

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/tapwall-requests-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	tw_ports_init(&f->ports);
	f->host.ports = &f->ports;
	f->enforcement.host = &f->host;
	f->enforcement.quarantines = &f->list;
	assert_int_equal(tw_store_open(f->folder, &f->enforcement.store, &err), 0);
	f->ctx.host = &f->host;
	f->ctx.enforcement = &f->enforcement;
	f->random = 1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const kept[] = {TW_STORE_QUARANTINE, TW_STORE_PRESENT};
	struct fixture *f = *state;
	char path[128];

	tw_store_remove(f->enforcement.store);
	tw_store_free(f->enforcement.store);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, kept[i]);
		unlink(path);
	}
	rmdir(f->folder);
	tw_quarantines_done(&f->list);
	tw_ports_done(&f->ports);
	free(f);
	return 0;
}

/* xorshift64 */
static uint32_t below(struct fixture *f, uint32_t n)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (uint32_t)(f->random >> 32) % n;
}

#define PICK(f, list) (list)[below(f, sizeof(list) / sizeof((list)[0]))]

/* Packs the request, changes bytes of it half of the time, and answers it. Returns the number of answers: 1, or 0 if
 * it does not unpack any more. */
static unsigned int answer(struct fixture *f, const Tapwall__V1__Request *request)
{
	tw_auto_buf struct tw_buf in = {0}, out = {0};
	struct tw_responses *stream = NULL;
	Tapwall__V1__Request *changed;
	const uint8_t *body;
	size_t body_len;

	assert_int_equal(tw_link_pack(&in, &request->base), 0);
	for (uint32_t n = below(f, 2) ? below(f, 4) : 0; n; n--)
		in.data[4 + below(f, (uint32_t)in.len - 4)] ^= (char)(1 << below(f, 8));
	changed = tw_link_unpack_request((const uint8_t *)in.data + 4, in.len - 4);
	if (!changed || changed->body_case != request->body_case || changed->agent[0]) {
		if (changed)
			tapwall__v1__request__free_unpacked(changed, NULL);
		return 0;
	}
	assert_int_equal(tw_answer_start(&f->ctx, TW_ROLE_SLOW_PATH, changed, &out, &stream), 0);
	assert_null(stream);
	assert_int_equal(
		tw_link_frame((const uint8_t *)out.data, out.len, &body, &body_len), out.len);
	tapwall__v1__request__free_unpacked(changed, NULL);
	return 1;
}

static void check_list(const struct fixture *f)
{
	assert_true(f->list.list.n <= TW_QUARANTINES_MAX);
	tw_vec_foreach (&f->list.list, q) {
		assert_true(q->change && q->workload[0]);
		assert_true(tw_clean_check(q->workload, strlen(q->workload)));
		assert_true(tw_clean_check(q->reason, strlen(q->reason)));
		assert_true(tw_clean_check(q->who, strlen(q->who)));
		assert_ptr_equal(tw_quarantines_row(&f->list, q->workload, true), q);
	}
}

static void random_changes(void **state)
{
	char *names[] = {"w1", "w2", "", "\x1b[31m", "\xff", "w3\n", NULL};
	static const uint64_t changes[] = {0, 1, 2, 1000, INT64_MAX, UINT64_MAX};
	static const double times[] = {0, 1, -1, 1e10, 1e18, 1e300};
	char long_name[200] = ""; /* longer than a name may be */
	struct fixture *f = *state;
	unsigned int answered = 0;

	memset(long_name, 'a', sizeof(long_name) - 1);
	names[6] = long_name;
	for (unsigned int i = 0; i < CHANGES; i++) {
		Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
		Tapwall__V1__QuarantineChangesRequest body =
			TAPWALL__V1__QUARANTINE_CHANGES_REQUEST__INIT;
		Tapwall__V1__QuarantineChange rows[ROWS], *list[ROWS];
		Tapwall__V1__Quarantine quarantines[ROWS];
		bool odd = below(f, 2);

		body.n_changes = below(f, ROWS);
		body.changes = list;
		body.list = below(f, 2);
		for (size_t k = 0; k < body.n_changes; k++) {
			Tapwall__V1__Quarantine *q = &quarantines[k];

			tapwall__v1__quarantine_change__init(&rows[k]);
			tapwall__v1__quarantine__init(q);
			list[k] = &rows[k];
			rows[k].quarantine = odd && !below(f, ROWS) ? NULL : q;
			rows[k].lift = below(f, 3) == 0;
			q->workload = odd ? PICK(f, names) : names[below(f, 2)];
			q->reason = odd ? PICK(f, names) : names[0];
			q->who = odd ? PICK(f, names) : names[0];
			q->change = odd ? PICK(f, changes) : 1 + below(f, 2000);
			q->since = odd ? PICK(f, times) : 1;
			q->until = odd ? PICK(f, times) : 0;
		}
		request.id = ID;
		request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINE_CHANGES;
		request.quarantine_changes = &body;
		answered += answer(f, &request);
		check_list(f);
	}
	assert_true(answered > CHANGES / 4);
}

static void too_many_changes_are_refused(void **state)
{
	struct fixture *f = *state;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__QuarantineChangesRequest body = TAPWALL__V1__QUARANTINE_CHANGES_REQUEST__INIT;
	Tapwall__V1__QuarantineChange row = TAPWALL__V1__QUARANTINE_CHANGE__INIT, *list[257];
	Tapwall__V1__Quarantine q = TAPWALL__V1__QUARANTINE__INIT;
	tw_auto_buf struct tw_buf out = {0};
	struct tw_responses *stream = NULL;

	q.workload = (char[]){"w1"};
	q.change = 1;
	row.quarantine = &q;
	for (size_t i = 0; i < 257; i++)
		list[i] = &row;
	body.changes = list;
	body.n_changes = 257;
	request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINE_CHANGES;
	request.quarantine_changes = &body;
	assert_int_equal(tw_answer_start(&f->ctx, TW_ROLE_SLOW_PATH, &request, &out, &stream), 0);
	assert_int_equal(f->list.list.n, 0);
	body.n_changes = 256;
	assert_int_equal(tw_answer_start(&f->ctx, TW_ROLE_SLOW_PATH, &request, &out, &stream), 0);
	assert_int_equal(f->list.list.n, 1);
}

static void only_the_slow_path_sends_changes(void **state)
{
	static const enum tw_role roles[] = {TW_ROLE_VIEWER, TW_ROLE_DECIDER, TW_ROLE_OPERATOR};
	Tapwall__V1__QuarantineChangesRequest body = TAPWALL__V1__QUARANTINE_CHANGES_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINE_CHANGES;
	request.quarantine_changes = &body;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		assert_false(tw_role_may(roles[i], &request));
	assert_true(tw_role_may(TW_ROLE_SLOW_PATH, &request));
}

static void random_installs(void **state)
{
	static char *const ends[] = {"10.0.0.11", "10.0.0.12", "fd00::11", "w1", "w2", "w9", "",
		"::", "10.1.2.3", "1.2.3.4.5", "\x1b[31m"};
	static char *const protos[] = {
		"tcp", "udp", "icmp", "icmp6", "0", "255", "256", "-1", "6x", ""};
	static char *const verdicts[] = {"allow", "deny", "ask", ""};
	static const uint32_t ports[] = {0, 80, 65535, 65536, UINT32_MAX};
	static const double times[] = {0, 1, -1, 0.1, 1e300, 3600};
	struct fixture *f = *state;
	unsigned int answered = 0;

	f->enforcement.inforce = inforce_of(POLICY);
	for (unsigned int i = 0; i < INSTALLS; i++) {
		Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
		Tapwall__V1__InstallRequest body = TAPWALL__V1__INSTALL_REQUEST__INIT;
		Tapwall__V1__Record records[4], *list[66];

		body.records = list;
		body.n_records = below(f, 100) ? below(f, 4) : 66;
		for (size_t k = 0; k < 4; k++) {
			tapwall__v1__record__init(&records[k]);
			records[k].proto = PICK(f, protos);
			records[k].from = PICK(f, ends);
			records[k].to = PICK(f, ends);
			records[k].from_port = PICK(f, ports);
			records[k].to_port = PICK(f, ports);
			records[k].icmp_type = PICK(f, ports);
			records[k].verdict = PICK(f, verdicts);
			records[k].ttl_s = PICK(f, times);
			records[k].until_policy = below(f, 2);
		}
		for (size_t k = 0; k < body.n_records; k++)
			list[k] = &records[k % 4];
		request.id = ID;
		request.body_case = TAPWALL__V1__REQUEST__BODY_INSTALL;
		request.install = &body;
		answered += answer(f, &request);
	}
	assert_true(answered > INSTALLS / 4);
	tw_inforce_free(f->enforcement.inforce);
	f->enforcement.inforce = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_changes_are_refused, setup, teardown),
		cmocka_unit_test(only_the_slow_path_sends_changes),
		cmocka_unit_test_setup_teardown(random_installs, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
