/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cells.c: the cell engine: a decision for each pair of remote class and service class.
 *
 * How:        keys and source ports are cut into classes. A service is the product of a key set
 *             and a source port set; pairs of classes that lie in the same services form one
 *             service class. The row of a remote class holds, for each service class, the lowest
 *             entry of its remote sets.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/engine.h"
#include "policy/rows.h"

#define PAIRS_MAX   ((size_t)4 * 1024 * 1024) /* limit of pairs of key class and source port class */
#define COVER_MAX   ((size_t)256 * 1024 * 1024) /* limit of the total of services over all pairs */
#define BASE_WRITES 64 /* a remote set that writes more words goes into the base of rows */

/* Concatenated lists of numbers: list i is at[first[i] … first[i + 1]). */
struct lists {
	TW_VEC(uint32_t) first;
	TW_VEC(uint32_t) at;
};

static void lists_done(struct lists *lists)
{
	tw_vec_done(&lists->first);
	tw_vec_done(&lists->at);
}

/* A pair of destination service and source ports that some entry matches. */
struct service {
	uint32_t keys; /* set numbers */
	uint32_t sports;
};

struct cells {
	const struct tw_engine_input *in;
	struct tw_dimension remote;
	struct tw_dimension proto;
	struct tw_dimension sport;
	TW_VEC(struct service) services; /* distinct services */
	TW_VEC(uint32_t) service_of;	 /* service of each entry */
	uint32_t *pair_class; /* [key class * n source port classes + source port class] */
	size_t n_pairs;
	size_t n_classes;	 /* number of service classes */
	struct lists classes_of; /* service classes of a service */
	struct lists entries_of; /* entries of a remote set, ascending */
	struct tw_rows rows;
	uint32_t *row_of; /* row of each remote class, then of each group */
	bool *is_base;
	size_t n_remotes;	 /* number of remote classes; the classes after them are groups */
	TW_VEC(uint16_t) groups; /* group numbers, ascending */
	uint32_t *rank_of;	 /* rank of each entry; NULL: cells hold decisions */
	size_t n_ranks;		 /* the last rank is the fallback's */
};

static void cells_done(struct cells *c)
{
	tw_dimension_done(&c->remote);
	tw_dimension_done(&c->proto);
	tw_dimension_done(&c->sport);
	tw_vec_done(&c->services);
	tw_vec_done(&c->service_of);
	lists_done(&c->classes_of);
	lists_done(&c->entries_of);
	tw_rows_done(&c->rows);
	free(c->pair_class);
	free(c->row_of);
	free(c->is_base);
	free(c->rank_of);
	tw_vec_done(&c->groups);
}

static bool same_service(const void *owner, uint32_t value, const void *key)
{
	return !memcmp(
		&((const struct cells *)owner)->services.at[value], key, sizeof(struct service));
}

static int number_services(struct cells *c)
{
	struct tw_index index = {0};
	int err = 0;

	for (size_t i = 0; i < c->in->entries->n && !err; i++) {
		struct service service = {c->proto.of_entry.at[i], c->sport.of_entry.at[i]};
		uint64_t hash = tw_table_hash(&service, sizeof(service), 0);
		uint32_t number = tw_index_find(&index, hash, same_service, c, &service);

		if (number == TW_INDEX_NONE) {
			number = (uint32_t)c->services.n;
			err = tw_vec_push(&c->services, service);
			if (!err)
				err = tw_index_add(&index, hash, number);
		}
		if (!err)
			err = tw_vec_push(&c->service_of, number);
	}
	tw_index_done(&index);
	return err;
}

/* Converts the sets of each class to the classes of each set. */
static int invert(const struct tw_partition *partition, size_t n_sets, struct lists *ret)
{
	tw_autofree uint32_t *next = tw_alloc_array(n_sets + 1, sizeof(*next));
	int err = next ? 0 : -ENOMEM;
	uint32_t sum = 0;

	for (size_t i = 0; i < partition->members.n && !err; i++)
		next[partition->members.at[i]]++;
	for (size_t i = 0; i <= n_sets && !err; i++) {
		uint32_t n = next[i];

		next[i] = sum;
		err = tw_vec_push(&ret->first, sum);
		sum += n;
	}
	if (!err)
		err = tw_vec_reserve_((void **)&ret->at.at, &ret->at.max, sum, sizeof(*ret->at.at));
	if (err)
		return err;
	ret->at.n = sum;
	for (size_t class = 0; class < partition->n_classes; class ++)
		for (uint32_t m = partition->first.at[class]; m < partition->first.at[class + 1];
			m++)
			ret->at.at[next[partition->members.at[m]]++] = (uint32_t) class;
	return 0;
}

/* A pair of a key class and a source port class, identified by its services. */
struct pair {
	uint64_t hash[2];
};

static bool same_pair(const void *owner, uint32_t value, const void *key)
{
	return !memcmp(&((const struct pair *)owner)[value], key, sizeof(struct pair));
}

/* Adds up, for each pair, the hashes of its services. */
static int sum_up_pairs(
	struct cells *c, const struct lists *keys, const struct lists *sports, struct pair *pairs)
{
	size_t n_sports = c->sport.partition.n_classes, work = 0;

	for (uint32_t s = 0; s < c->services.n; s++) {
		const struct service *service = &c->services.at[s];
		uint32_t k0 = keys->first.at[service->keys], k1 = keys->first.at[service->keys + 1];
		uint32_t p0 = sports->first.at[service->sports];
		uint32_t p1 = sports->first.at[service->sports + 1];
		uint64_t hash[2] = {
			tw_table_hash(&s, sizeof(s), 1), tw_table_hash(&s, sizeof(s), 2)};

		work += (size_t)(k1 - k0) * (p1 - p0);
		if (work > COVER_MAX)
			return -E2BIG;
		for (uint32_t k = k0; k < k1; k++)
			for (uint32_t p = p0; p < p1; p++) {
				struct pair *pair =
					&pairs[keys->at.at[k] * n_sports + sports->at.at[p]];

				pair->hash[0] += hash[0];
				pair->hash[1] += hash[1];
			}
	}
	return 0;
}

/* Numbers the distinct pairs: the service classes. */
static int number_pairs(struct cells *c, const struct pair *pairs)
{
	tw_autofree struct pair *known = tw_alloc_array(c->n_pairs, sizeof(*known));
	struct tw_index index = {0};
	int err = known ? 0 : -ENOMEM;

	for (size_t i = 0; i < c->n_pairs && !err; i++) {
		uint32_t class = tw_index_find(
			&index, pairs[i].hash[0], same_pair, known, &pairs[i]);

		if (class == TW_INDEX_NONE) {
			class = (uint32_t)c->n_classes++;
			known[class] = pairs[i];
			err = tw_index_add(&index, pairs[i].hash[0], class);
		}
		c->pair_class[i] = class;
	}
	tw_index_done(&index);
	return err;
}

/* Lists the service classes of each service. */
static int list_classes(struct cells *c, const struct lists *keys, const struct lists *sports)
{
	tw_autofree uint32_t *seen = tw_alloc_array(c->n_classes, sizeof(*seen));
	size_t n_sports = c->sport.partition.n_classes;
	int err = seen ? tw_vec_push(&c->classes_of.first, 0) : -ENOMEM;

	for (uint32_t s = 0; s < c->services.n && !err; s++) {
		const struct service *service = &c->services.at[s];

		for (uint32_t k = keys->first.at[service->keys];
			k < keys->first.at[service->keys + 1] && !err; k++)
			for (uint32_t p = sports->first.at[service->sports];
				p < sports->first.at[service->sports + 1] && !err; p++) {
				uint32_t class =
					c->pair_class[keys->at.at[k] * n_sports + sports->at.at[p]];

				if (seen[class] == s + 1)
					continue;
				seen[class] = s + 1;
				err = tw_vec_push(&c->classes_of.at, class);
			}
		if (!err)
			err = tw_vec_push(&c->classes_of.first, (uint32_t)c->classes_of.at.n);
	}
	return err;
}

static int make_services(struct cells *c)
{
	struct lists keys = {0}, sports = {0};
	tw_autofree struct pair *pairs = NULL;
	int err = number_services(c);

	c->n_pairs = c->proto.partition.n_classes * c->sport.partition.n_classes;
	if (!err && c->n_pairs > PAIRS_MAX)
		return -E2BIG;
	pairs = tw_alloc_array(c->n_pairs, sizeof(*pairs));
	c->pair_class = tw_alloc_array(c->n_pairs, sizeof(*c->pair_class));
	if (!pairs || !c->pair_class)
		err = -ENOMEM;
	if (!err)
		err = invert(&c->proto.partition, c->proto.sets.n, &keys);
	if (!err)
		err = invert(&c->sport.partition, c->sport.sets.n, &sports);
	if (!err)
		err = sum_up_pairs(c, &keys, &sports, pairs);
	if (!err)
		err = number_pairs(c, pairs);
	if (!err)
		err = list_classes(c, &keys, &sports);
	lists_done(&keys);
	lists_done(&sports);
	return err;
}

static bool same_entry(const void *owner, uint32_t value, const void *key)
{
	const struct cells *c = owner;
	uint32_t i = *(const uint32_t *)key;

	return c->remote.of_entry.at[value] == c->remote.of_entry.at[i] &&
	       c->service_of.at[value] == c->service_of.at[i];
}

/* Lists the entries of each remote set, except those that an equal earlier one shadows. */
static int list_entries(struct cells *c)
{
	size_t n = c->in->entries->n, n_sets = c->remote.sets.n;
	tw_autofree uint32_t *next = tw_alloc_array(n_sets + 2, sizeof(*next));
	tw_autofree bool *keep = tw_alloc_array(n, sizeof(*keep));
	struct tw_index index = {0};
	int err = next && keep ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++) {
		uint32_t both[2] = {c->remote.of_entry.at[i], c->service_of.at[i]};
		uint64_t hash = tw_table_hash(both, sizeof(both), 0);

		keep[i] = tw_index_find(&index, hash, same_entry, c, &i) == TW_INDEX_NONE;
		if (!keep[i])
			continue;
		next[both[0] + 2]++;
		err = tw_index_add(&index, hash, i);
	}
	tw_index_done(&index);
	for (size_t i = 0; i <= n_sets && !err; i++) {
		next[i + 1] += next[i];
		err = tw_vec_push(&c->entries_of.first, next[i + 1]);
	}
	if (!err)
		err = tw_vec_reserve_((void **)&c->entries_of.at.at, &c->entries_of.at.max, n,
			sizeof(*c->entries_of.at.at));
	for (uint32_t i = 0; i < n && !err; i++)
		if (keep[i])
			c->entries_of.at.at[next[c->remote.of_entry.at[i] + 1]++] = i;
	return err;
}

static void write_member(struct tw_rows *rows, uint32_t member, bool touch)
{
	const struct cells *c = rows->arg;

	for (uint32_t e = c->entries_of.first.at[member]; e < c->entries_of.first.at[member + 1];
		e++) {
		uint32_t entry = c->entries_of.at.at[e], service = c->service_of.at[entry];

		for (uint32_t i = c->classes_of.first.at[service];
			i < c->classes_of.first.at[service + 1]; i++) {
			uint32_t *word = tw_rows_word(rows, c->classes_of.at.at[i], touch);

			if (entry < *word)
				*word = entry;
		}
	}
}

static uint32_t rank_at(const struct cells *c, uint32_t entry)
{
	return entry == UINT32_MAX ? (uint32_t)c->n_ranks - 1 : c->rank_of[entry];
}

/* Converts entry numbers to decisions or ranks. */
static void finish_block(const struct tw_rows *rows, uint32_t *block)
{
	const struct cells *c = rows->arg;

	for (size_t i = 0; i < TW_ROW_BLOCK; i++)
		if (c->rank_of)
			block[i] = rank_at(c, block[i]);
		else
			block[i] = block[i] == UINT32_MAX ? c->in->fallback
							  : c->in->entries->at[block[i]].decision;
}

/* ---- groups: separate classes after those of remote addresses ---- */

/* Returns the highest group number of the entries, or 0 if no entry names a group. */
static uint32_t highest_group(const struct tw_entries *entries)
{
	uint32_t highest = 0;

	for (size_t i = 0; i < entries->n; i++) {
		const struct tw_end *end = entries->at[i].remote;

		if (end && end->n_groups && end->groups[end->n_groups - 1] > highest)
			highest = end->groups[end->n_groups - 1];
	}
	return highest;
}

/* Lists the groups of the entries by number, up to `highest`: those whose `place` is not 0. */
static int list_groups(struct cells *c, uint32_t *place, uint32_t highest)
{
	int err = 0;

	for (size_t i = 0; i < c->in->entries->n; i++) {
		const struct tw_end *end = c->in->entries->at[i].remote;

		for (size_t g = 0; end && g < end->n_groups; g++)
			place[end->groups[g]] = 1;
	}
	for (uint32_t number = 1; number <= highest && !err; number++) {
		if (!place[number])
			continue;
		err = tw_vec_push(&c->groups, (uint16_t)number);
		place[number] = (uint32_t)c->groups.n;
	}
	return err;
}

/* Adds a class for each group, whose members are the remote sets that name the group. One more
 * class has the remote sets that name any group; it shows where no group can matter. */
static int add_group_classes(
	struct cells *c, const struct tw_end *const *ends, const uint32_t *place)
{
	struct tw_partition *w = &c->remote.partition;
	size_t some = c->groups.n;
	tw_autofree uint32_t *next = tw_alloc_array(some + 1, sizeof(*next));
	uint32_t sum = (uint32_t)w->members.n;
	int err = next ? 0 : -ENOMEM;

	for (size_t s = 0; s < c->remote.sets.n && !err; s++) {
		next[some] += ends[s]->n_groups != 0;
		for (size_t g = 0; g < ends[s]->n_groups; g++)
			next[place[ends[s]->groups[g]] - 1]++;
	}
	for (size_t g = 0; g <= some && !err; g++) {
		uint32_t n = next[g];

		next[g] = sum;
		sum += n;
		err = tw_vec_push(&w->first, sum);
	}
	if (!err)
		err = tw_vec_reserve_(
			(void **)&w->members.at, &w->members.max, sum, sizeof(*w->members.at));
	for (uint32_t s = 0; s < c->remote.sets.n && !err; s++) {
		if (ends[s]->n_groups)
			w->members.at[next[some]++] = s;
		for (size_t g = 0; g < ends[s]->n_groups; g++)
			w->members.at[next[place[ends[s]->groups[g]] - 1]++] = s;
	}
	w->members.n = sum;
	w->n_classes += some + 1;
	return err;
}

/* Gives consecutive entries with the same decision one rank. */
static int rank_entries(struct cells *c)
{
	const struct tw_entries *entries = c->in->entries;

	c->rank_of = tw_alloc_array(entries->n, sizeof(*c->rank_of));
	if (!c->rank_of)
		return -ENOMEM;
	for (size_t i = 0; i < entries->n; i++) {
		if (!i || entries->at[i].decision != entries->at[i - 1].decision)
			c->n_ranks++;
		c->rank_of[i] = (uint32_t)c->n_ranks - 1;
	}
	c->n_ranks++;
	return 0;
}

static int make_groups(struct cells *c)
{
	uint32_t highest = highest_group(c->in->entries);
	tw_autofree uint32_t *place = tw_alloc_array(highest + 1, sizeof(*place));
	tw_autofree const struct tw_end **ends = NULL;
	int err = place ? list_groups(c, place, highest) : -ENOMEM;

	c->n_remotes = c->remote.partition.n_classes;
	if (err || !c->groups.n)
		return err;
	ends = tw_alloc_array(c->remote.sets.n, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	for (size_t i = 0; i < c->in->entries->n; i++)
		ends[c->remote.of_entry.at[i]] = c->in->entries->at[i].remote;
	err = add_group_classes(c, ends, place);
	return err ? err : rank_entries(c);
}

static int add_groups(struct cells *c, struct tw_words *words, struct tw_image_view *view)
{
	int err;

	if (!c->groups.n)
		return 0;
	view->cells.n_groups = c->groups.at[c->groups.n - 1];
	view->cells.some = c->row_of[c->n_remotes + c->groups.n];
	err = tw_words_add(words, view->cells.n_groups + 1, 1, &view->cells.groups);
	for (size_t g = 0; g < c->groups.n && !err; g++)
		words->v.at[view->cells.groups + c->groups.at[g]] = 1 + c->row_of[c->n_remotes + g];
	if (!err)
		err = tw_words_add(words, c->n_ranks, 1, &view->cells.ranks);
	for (size_t i = 0; i < c->in->entries->n && !err; i++)
		words->v.at[view->cells.ranks + c->rank_of[i]] = c->in->entries->at[i].decision;
	if (!err)
		words->v.at[view->cells.ranks + c->n_ranks - 1] = c->in->fallback;
	return err;
}

static int make_rows(struct cells *c)
{
	size_t n_sets = c->remote.sets.n;
	int err;

	c->row_of = tw_alloc_array(c->remote.partition.n_classes, sizeof(*c->row_of));
	c->is_base = tw_alloc_array(n_sets, sizeof(*c->is_base));
	if (!c->row_of || !c->is_base)
		return -ENOMEM;
	for (size_t s = 0; s < n_sets; s++) {
		size_t writes = 0;

		for (uint32_t e = c->entries_of.first.at[s]; e < c->entries_of.first.at[s + 1];
			e++) {
			uint32_t service = c->service_of.at[c->entries_of.at.at[e]];

			writes += c->classes_of.first.at[service + 1] -
				  c->classes_of.first.at[service];
		}
		c->is_base[s] = writes > BASE_WRITES;
	}
	c->rows = (struct tw_rows){.arg = c,
		.write = write_member,
		.finish = finish_block,
		.fill = UINT32_MAX,
		.is_base = c->is_base,
		.n_words = (c->n_classes + TW_ROW_BLOCK - 1) / TW_ROW_BLOCK * TW_ROW_BLOCK,
		.words_max = c->in->words_max};
	err = tw_rows_init(&c->rows);
	return err ? err : tw_rows_make(&c->rows, &c->remote.partition, c->row_of);
}

static int add_tables(struct cells *c, struct tw_words *words, struct tw_image_view *view)
{
	size_t n_sports = c->sport.partition.n_classes;
	int err = 0;

	view->cells.n_sports = (uint32_t)n_sports;
	if (n_sports > 1) {
		err = tw_words_add(words, c->n_pairs, 1, &view->cells.services);
		if (!err)
			memcpy(words->v.at + view->cells.services, c->pair_class,
				c->n_pairs * sizeof(*c->pair_class));
	}
	if (!err)
		err = add_groups(c, words, view);
	return err ? err : tw_rows_add(&c->rows, words, &view->cells.rows);
}

/* Adds the trees that lead to table indexes. Without source ports, keys lead directly to the
 * service class. */
static int add_trees(struct cells *c, struct tw_words *words, struct tw_image_view *view)
{
	size_t n = c->proto.partition.n_classes > c->sport.partition.n_classes
			   ? c->proto.partition.n_classes
			   : c->sport.partition.n_classes;
	tw_autofree uint32_t *same = tw_alloc_array(n, sizeof(*same));
	bool has_sports = c->sport.partition.n_classes > 1;
	int err = same ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++)
		same[i] = i;
	view->branch[TW_DIM_LOCAL] = TW_IMAGE_LEAF;
	if (!err)
		err = tw_dimension_add_tree(words, &c->proto, TW_DIM_PROTO, 0,
			has_sports ? same : c->pair_class, &view->branch[TW_DIM_PROTO]);
	if (!err)
		err = tw_dimension_add_tree(
			words, &c->sport, TW_DIM_SPORT, 0, same, &view->branch[TW_DIM_SPORT]);
	if (!err)
		err = tw_dimension_add_tree(words, &c->remote, TW_DIM_REMOTE, c->in->family,
			c->row_of, &view->branch[TW_DIM_REMOTE]);
	return err;
}

int tw_cells_build(struct tw_words *words, const struct tw_engine_input *in,
	struct tw_image_view *ret, struct tw_view_facts *facts)
{
	struct tw_image_view view = {
		.engine = TW_ENGINE_CELLS, .n_entries = (uint32_t)in->entries->n};
	struct cells c = {.in = in};
	int err = tw_dimension_make(&c.remote, in->entries, TW_DIM_REMOTE, in->family, in->n_ids);

	if (!err)
		err = tw_dimension_make(&c.proto, in->entries, TW_DIM_PROTO, 0, in->n_ids);
	if (!err)
		err = tw_dimension_make(&c.sport, in->entries, TW_DIM_SPORT, 0, in->n_ids);
	if (!err)
		err = make_services(&c);
	if (!err)
		err = make_groups(&c);
	if (!err)
		err = list_entries(&c);
	if (!err)
		err = make_rows(&c);
	if (!err)
		err = add_trees(&c, words, &view);
	if (!err)
		err = add_tables(&c, words, &view);
	if (!err) {
		*facts = (struct tw_view_facts){
			.services = (uint32_t)c.n_classes, .rows = (uint32_t)c.rows.n_rows};
		facts->classes[TW_DIM_REMOTE] = (uint32_t)c.n_remotes;
		facts->groups = (uint32_t)c.groups.n;
		facts->classes[TW_DIM_LOCAL] = 1;
		facts->classes[TW_DIM_PROTO] = (uint32_t)c.proto.partition.n_classes;
		facts->classes[TW_DIM_SPORT] = (uint32_t)c.sport.partition.n_classes;
		*ret = view;
	}
	cells_done(&c);
	return err;
}
