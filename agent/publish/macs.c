/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/macs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/log.h"
#include "fastpath/kernel/load.h"

static int map_fd(const struct tw_enforcement *enforcement)
{
	return tw_kernel_map_fd(enforcement->host->kernel, TW_MAP_macs);
}

static int compare_rows(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tw_mac_key));
}

static void sort(struct tw_macs *macs)
{
	if (macs->rows.n)
		qsort(macs->rows.at, macs->rows.n, sizeof(*macs->rows.at), compare_rows);
}

void tw_macs_done(struct tw_macs *macs)
{
	tw_vec_done(&macs->rows);
}

int tw_macs_adopt(struct tw_enforcement *enforcement)
{
	struct tw_mac_key *previous = NULL;
	struct tw_macs_row row;
	int ret = 0;

	for (; !ret && !bpf_map_get_next_key(map_fd(enforcement), previous, &row.mac);
		previous = &row.mac)
		if (!bpf_map_lookup_elem(map_fd(enforcement), &row.mac, &row.value))
			ret = tw_vec_push(&enforcement->macs->rows, row);
	sort(enforcement->macs);
	return ret;
}

/* Adds a vNIC's further MACs, which other vNICs may have, too. Ports are not found by them. */
static int list_further(const struct tw_grants *grants, struct tw_macs *ret)
{
	int err = 0;

	for (uint32_t i = 0; grants && i < grants->n_macs && !err; i++) {
		struct tw_macs_row row = {.value = TW_MAC_FOUND};

		memcpy(row.mac.mac, grants->mac[i], sizeof(row.mac.mac));
		err = tw_vec_push(&ret->rows, row);
	}
	return err;
}

/* Keeps one of equal rows in a sorted list. */
static void drop_twins(struct tw_macs *macs)
{
	size_t kept = 0;

	for (size_t i = 0; i < macs->rows.n; i++)
		if (!kept || compare_rows(&macs->rows.at[kept - 1], &macs->rows.at[i]) != 0)
			macs->rows.at[kept++] = macs->rows.at[i];
	macs->rows.n = kept;
}

static int list_wanted(const struct tw_inforce *inforce, const bool *taken, struct tw_macs *ret)
{
	int err = 0;

	for (size_t i = 0; i < inforce->n_macs && !err; i++) {
		const struct tw_vnic *vnic = inforce->macs[i].vnic;
		struct tw_macs_row row = {
			.value = taken[vnic->index] ? TW_MAC_FOUND : TW_MAC_SOUGHT};

		memcpy(row.mac.mac, vnic->mac, sizeof(row.mac.mac));
		err = tw_vec_push(&ret->rows, row);
	}
	for (size_t i = 0; i < tw_policy_n_vnics(inforce->policy) && !err; i++)
		err = list_further(tw_policy_vnic(inforce->policy, i)->grants, ret);
	sort(ret);
	drop_twins(ret);
	return err;
}

/* Writes the differences between two ascending lists. New rows are added before old ones are
 * removed. */
static int write_changes(const struct tw_enforcement *enforcement, const struct tw_macs *old,
	const struct tw_macs *now)
{
	int err = 0;
	size_t k = 0;

	tw_vec_foreach (&now->rows, row) {
		while (k < old->rows.n && compare_rows(&old->rows.at[k], row) < 0)
			k++;
		if ((k == old->rows.n || memcmp(&old->rows.at[k], row, sizeof(*row)) != 0) &&
			bpf_map_update_elem(map_fd(enforcement), &row->mac, &row->value, BPF_ANY) <
				0)
			err = -errno;
	}
	k = 0;
	tw_vec_foreach (&old->rows, row) {
		while (k < now->rows.n && compare_rows(&now->rows.at[k], row) < 0)
			k++;
		if (k == now->rows.n || compare_rows(&now->rows.at[k], row) != 0)
			bpf_map_delete_elem(map_fd(enforcement), &row->mac);
	}
	return err;
}

void tw_macs_sync(struct tw_enforcement *enforcement, const bool *taken)
{
	struct tw_macs now = {0};
	int ret = list_wanted(enforcement->inforce, taken, &now);
	bool listed = !ret;

	if (listed)
		ret = write_changes(enforcement, enforcement->macs, &now);
	if (ret < 0)
		tw_log(TW_LOG_WARNING,
			"policy: ports without a workload may use some workloads' MACs: %s",
			strerror(-ret));
	/* If memory ran out, the map was not changed. */
	if (!listed) {
		tw_macs_done(&now);
		return;
	}
	tw_macs_done(enforcement->macs);
	*enforcement->macs = now;
}
