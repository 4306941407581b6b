/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/memberships.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/kernel/load.h"

#define BATCH_MAX 512

void tw_memberships_init(struct tw_memberships *m, struct tw_kernel *kernel)
{
	*m = (struct tw_memberships){.kernel = kernel};
}

void tw_memberships_done(struct tw_memberships *m)
{
	tw_vec_done(&m->rows);
}

/* Compares addresses as numbers, which is the order of their bytes. */
static int compare_addrs(const struct tw_addr *a, const struct tw_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static int compare_rows(const void *a, const void *b)
{
	return compare_addrs(&((const struct tw_membership_row *)a)->addr,
		&((const struct tw_membership_row *)b)->addr);
}

static bool same_set(const struct tw_group_set *a, const struct tw_group_set *b)
{
	return !memcmp(a, b, sizeof(*a));
}

int tw_memberships_adopt(struct tw_memberships *m)
{
	int fd = tw_kernel_map_fd(m->kernel, TW_MAP_members), ret = 0;
	struct tw_membership_row row;
	struct tw_addr *previous = NULL;

	for (; !ret && !bpf_map_get_next_key(fd, previous, &row.addr); previous = &row.addr) {
		if (bpf_map_lookup_elem(fd, &row.addr, &row.now))
			return -errno;
		ret = tw_vec_push(&m->rows, row);
	}
	if (m->rows.n)
		qsort(m->rows.at, m->rows.n, sizeof(*m->rows.at), compare_rows);
	return ret;
}

bool tw_memberships_equal(
	const struct tw_memberships *m, const struct tw_members *members, uint32_t epoch)
{
	size_t n = 0;

	tw_vec_foreach (&m->rows, row) {
		const struct tw_group_set *set = &row->now.in[epoch & 1];

		if (!set->number[0])
			continue;
		if (n == members->all.n || compare_addrs(&row->addr, &members->all.at[n].addr) ||
			!same_set(set, &members->all.at[n].in))
			return false;
		n++;
	}
	return n == members->all.n;
}

/* The state of a row before the change (`now` empty: in no group), and the groups for the epoch to
 * be written. */
struct change {
	struct tw_membership_row row;
	struct tw_group_set in;
};

struct changes {
	struct change *at;
	size_t n;
	size_t max;
};

/* Merges the rows and the members, both in ascending order. */
static int merge(
	const struct tw_memberships *m, const struct tw_members *members, struct changes *ret)
{
	size_t i = 0, k = 0;
	int err = 0;

	while ((i < m->rows.n || k < members->all.n) && !err) {
		const struct tw_membership_row *row = i < m->rows.n ? &m->rows.at[i] : NULL;
		const struct tw_member *member = k < members->all.n ? &members->all.at[k] : NULL;
		int order = !row ? 1 : !member ? -1 : compare_addrs(&row->addr, &member->addr);
		struct change change = {0};

		if (row && order <= 0) {
			change.row = *row;
			i++;
		}
		if (member && order >= 0) {
			change.row.addr = member->addr;
			change.in = member->in;
			k++;
		}
		err = tw_vec_push(ret, change);
	}
	return err;
}

/* Changes that are written together. */
struct batch {
	size_t n;
	struct change *at[BATCH_MAX];
	struct tw_addr addrs[BATCH_MAX];
	struct tw_membership now[BATCH_MAX];
};

static int flush_batch(struct tw_memberships *m, struct batch *batch)
{
	size_t n = 0;
	int err = batch->n
			  ? tw_kernel_put_members(m->kernel, batch->addrs, batch->now, batch->n, &n)
			  : 0;

	for (size_t i = 0; i < n; i++)
		batch->at[i]->row.now = batch->now[i];
	batch->n = 0;
	return err;
}

/* Writes a row that has changed. The rows of a full batch are written at once. */
static int write_change(
	struct tw_memberships *m, struct batch *batch, struct change *change, uint32_t epoch)
{
	struct tw_membership now = change->row.now;
	int err;

	now.in[epoch & 1] = change->in;
	if (!now.in[0].number[0] && !now.in[1].number[0]) {
		err = tw_kernel_put_member(m->kernel, &change->row.addr, &now);
		if (!err)
			change->row.now = now;
		return err;
	}
	batch->at[batch->n] = change;
	batch->addrs[batch->n] = change->row.addr;
	batch->now[batch->n++] = now;
	return batch->n == BATCH_MAX ? flush_batch(m, batch) : 0;
}

static int write_changes(struct tw_memberships *m, struct changes *changes, uint32_t epoch)
{
	tw_autofree struct batch *batch = tw_alloc(sizeof(*batch));
	int err = batch ? 0 : -ENOMEM;

	tw_vec_foreach (changes, change)
		if (!err && !same_set(&change->in, &change->row.now.in[epoch & 1]))
			err = write_change(m, batch, change, epoch);
	if (!err)
		err = flush_batch(m, batch);
	m->rows.n = 0;
	tw_vec_foreach (changes, change)
		if (change->row.now.in[0].number[0] || change->row.now.in[1].number[0])
			m->rows.at[m->rows.n++] = change->row;
	return err;
}

int tw_memberships_write(struct tw_memberships *m, const struct tw_members *members, uint32_t epoch,
	struct tw_err *err)
{
	struct changes changes = {0};
	int ret;

	if (tw_memberships_equal(m, members, epoch))
		return 0;
	ret = merge(m, members, &changes);
	if (!ret)
		ret = tw_vec_reserve_(
			(void **)&m->rows.at, &m->rows.max, changes.n, sizeof(*m->rows.at));
	if (!ret)
		ret = write_changes(m, &changes, epoch);
	tw_vec_done(&changes);
	return ret ? tw_err_set(err, ret, "groups", NULL, "cannot write their members: %s",
			     strerror(-ret))
		   : 0;
}
