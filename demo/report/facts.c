/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/report/facts.h"

#include <errno.h>
#include <jansson.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "base/inet.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "demo/report/plan.h"
#include "fastpath/abi/names.h"

struct reading {
	const struct tw_lab_paths *paths;
	struct tw_lab_facts facts;
	FILE *index;	  /* index of the replayed frames */
	size_t explained; /* id of the next explanation */
};

static void copy_word(char *to, size_t max, const char *from)
{
	snprintf(to, max, "%s", from ? from : "");
}

static const char *word_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void decide(
	struct tw_lab_decision *decision, const char *verdict, const char *rule, const char *reason)
{
	copy_word(decision->verdict, sizeof(decision->verdict), verdict);
	copy_word(decision->rule, sizeof(decision->rule), rule);
	copy_word(decision->reason, sizeof(decision->reason), reason);
}

static struct tw_lab_fact *fact_of(struct reading *reading, unsigned long id)
{
	return id < reading->facts.n ? &reading->facts.at[id] : NULL;
}

static bool end_is(const json_t *end, const struct tw_addr *addr, unsigned int port)
{
	struct tw_addr told;

	if (tw_addr_parse(word_of(end, "address"), &told) < 0)
		return false;
	return memcmp(&told, addr, sizeof(told)) == 0 &&
	       json_integer_value(json_object_get(end, "port")) == (json_int_t)port;
}

/* True if a log entry or a flow is about the first frame of the path. For ping the source port is
 * not compared, so the addresses must suffice: two guests ping each other once per family. */
static bool is_about(const struct tw_lab_spec *spec, const json_t *object)
{
	const json_t *from = json_object_get(object, "from");
	const json_t *to = json_object_get(object, "to");
	const char *proto = word_of(object, "proto");
	struct tw_addr src;
	struct tw_addr dst;

	if (spec->kind == TW_LAB_TCP || spec->kind == TW_LAB_UDP)
		return strcmp(proto, spec->kind == TW_LAB_TCP ? "tcp" : "udp") == 0 &&
		       end_is(from, &spec->src, spec->sport) && end_is(to, &spec->dst, spec->dport);
	if (spec->kind != TW_LAB_ECHO || strncmp(proto, "icmp", 4) != 0)
		return false;
	return tw_addr_parse(word_of(from, "address"), &src) == 0 &&
	       tw_addr_parse(word_of(to, "address"), &dst) == 0 &&
	       memcmp(&src, &spec->src, sizeof(src)) == 0 &&
	       memcmp(&dst, &spec->dst, sizeof(dst)) == 0;
}

/* True if a log entry is about this hand-built frame. It is identified by its port, its kind and
 * the reason of its denial, because a frame with forged addresses is denied before a connection is
 * looked up. */
static bool is_about_frame(
	const struct tw_lab_path *path, const struct tw_lab_spec *spec, const json_t *object)
{
	json_int_t ethertype = tw_inet_is_v4(spec->src.b) ? ETH_P_IP : ETH_P_IPV6;

	if (spec->kind == TW_LAB_ARP)
		ethertype = ETH_P_ARP;
	return path->way != TW_LAB_ASK && path->way != TW_LAB_HONEST &&
	       strcmp(word_of(object, "workload"), path->from->workload) == 0 &&
	       strcmp(word_of(object, "direction"), "out") == 0 &&
	       json_integer_value(json_object_get(object, "ethertype")) == ethertype &&
	       strcmp(word_of(object, "reason"), path->reason) == 0;
}

static void each_about(struct reading *reading, const json_t *object,
	void (*take)(struct tw_lab_fact *fact, const json_t *object))
{
	for (size_t id = 0; id < reading->facts.n; id++) {
		const struct tw_lab_path *path = &reading->paths->at[id / TW_LAB_FAMILY__MAX];
		enum tw_lab_family family = (enum tw_lab_family)(id % TW_LAB_FAMILY__MAX);
		struct tw_lab_spec spec;

		if (!tw_lab_path_in(path, family))
			continue;
		tw_lab_path_spec(reading->paths, path, family, &spec);
		if (is_about(&spec, object) || is_about_frame(path, &spec, object))
			take(&reading->facts.at[id], object);
	}
}

/* The first refusal decides; retransmissions have the same result. */
static void take_log(struct tw_lab_fact *fact, const json_t *object)
{
	if (!fact->live.verdict[0] && strcmp(word_of(object, "event"), "deny") == 0)
		decide(&fact->live, word_of(object, "verdict"), word_of(object, "rule"),
			word_of(object, "reason"));
}

/* For an allowed connection, the in end decides if it is protected, otherwise the out end. */
static void take_flow(struct tw_lab_fact *fact, const json_t *object)
{
	const json_t *gate = json_object_get(object, "in");

	if (!json_is_object(gate))
		gate = json_object_get(object, "out");
	decide(&fact->live, word_of(gate, "verdict"), word_of(gate, "rule"), "policy");
}

static int on_answer(struct reading *reading, const char *line)
{
	unsigned long id;
	char answer[24];
	double ms;
	struct tw_lab_fact *fact;

	if (sscanf(line, "%lu %23s %lf", &id, answer, &ms) != 3)
		return -EINVAL;
	fact = fact_of(reading, id);
	if (!fact)
		return -EINVAL;
	copy_word(fact->answer, sizeof(fact->answer), answer);
	fact->ms = ms;
	return 0;
}

static int on_seen(struct reading *reading, const char *line)
{
	unsigned long id;
	char guest[64];
	const struct tw_vnic *vnic;
	struct tw_lab_fact *fact;

	if (sscanf(line, "%63s %lu", guest, &id) != 2)
		return -EINVAL;
	vnic = tw_policy_find_workload(reading->paths->policy, guest);
	fact = fact_of(reading, id);
	if (!vnic || !fact)
		return -EINVAL;
	fact->seen_by |= 1ull << (vnic->index % 64);
	return 0;
}

static int on_log(struct reading *reading, const char *line)
{
	json_t *object = json_loads(line, 0, NULL);

	if (!object)
		return -EINVAL;
	each_about(reading, object, take_log);
	json_decref(object);
	return 0;
}

static int on_flow(struct reading *reading, const char *line)
{
	json_t *object = json_loads(line, 0, NULL);

	if (!object)
		return -EINVAL;
	each_about(reading, object, take_flow);
	json_decref(object);
	return 0;
}

static int on_explained(struct reading *reading, const char *line)
{
	json_t *object = json_loads(line, 0, NULL);
	size_t *id = &reading->explained;
	const struct tw_lab_path *at = reading->paths->at;

	if (!object)
		return -EINVAL;
	while (*id < reading->facts.n &&
		!(tw_lab_plan_is_tuple(&at[*id / TW_LAB_FAMILY__MAX]) &&
			tw_lab_path_in(&at[*id / TW_LAB_FAMILY__MAX],
				(enum tw_lab_family)(*id % TW_LAB_FAMILY__MAX))))
		++*id;
	if (*id < reading->facts.n)
		decide(&reading->facts.at[(*id)++].explained, word_of(object, "verdict"),
			word_of(object, "rule"), word_of(object, "reason"));
	json_decref(object);
	return 0;
}

static int on_replayed(struct reading *reading, const char *line)
{
	json_t *object = json_loads(line, 0, NULL);
	struct tw_lab_fact *fact = NULL;
	unsigned long id;
	unsigned long n;

	if (!object)
		return -EINVAL;
	if (json_object_get(object, "n") && fscanf(reading->index, "%lu %lu", &n, &id) == 2)
		fact = fact_of(reading, id);
	if (fact && (!fact->replayed.verdict[0] ||
			    (strcmp(fact->replayed.verdict, "allow") == 0 &&
				    strcmp(word_of(object, "verdict"), "allow") != 0)))
		decide(&fact->replayed, word_of(object, "verdict"), word_of(object, "rule"),
			word_of(object, "reason"));
	json_decref(object);
	return 0;
}

static int each_line(struct reading *reading, const char *path,
	int (*on_line)(struct reading *reading, const char *line))
{
	tw_autofile FILE *file = path ? fopen(path, "re") : NULL;
	tw_autofree char *line = NULL;
	unsigned int number = 0;
	size_t max = 0;

	if (!path)
		return 0;
	if (!file) {
		fprintf(stderr, "report: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	while (getline(&line, &max, file) >= 0) {
		int error;

		number++;
		error = line[0] == '\n' ? 0 : on_line(reading, line);
		if (error) {
			fprintf(stderr, "report: %s:%u: cannot parse: %s", path, number, line);
			return error;
		}
	}
	return 0;
}

int tw_lab_facts_read(const struct tw_lab_paths *paths, const struct tw_lab_sources *sources,
	struct tw_lab_facts *ret)
{
	tw_autofile FILE *index = sources->index ? fopen(sources->index, "re") : NULL;
	struct reading reading = {.paths = paths, .index = index};
	int error = 0;

	reading.facts.n = paths->n * TW_LAB_FAMILY__MAX;
	reading.facts.at = tw_alloc_array(reading.facts.n, sizeof(*reading.facts.at));
	if (!reading.facts.at)
		return -ENOMEM;
	if (sources->replayed && !index)
		error = -ENOENT;
	if (!error)
		error = each_line(&reading, sources->answers, on_answer);
	if (!error)
		error = each_line(&reading, sources->seen, on_seen);
	if (!error)
		error = each_line(&reading, sources->log, on_log);
	if (!error)
		error = each_line(&reading, sources->flows, on_flow);
	if (!error)
		error = each_line(&reading, sources->explained, on_explained);
	if (!error)
		error = each_line(&reading, sources->replayed, on_replayed);
	if (error) {
		tw_lab_facts_done(&reading.facts);
		return error;
	}
	*ret = reading.facts;
	return 0;
}

void tw_lab_facts_done(struct tw_lab_facts *facts)
{
	free(facts->at);
	*facts = (struct tw_lab_facts){0};
}
