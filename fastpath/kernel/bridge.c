/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/bridge.h"

#include <bpf/btf.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "fastpath/kernel/members.h"

#define BRIDGE_BTF "/sys/kernel/btf/bridge" /* if the bridge is a module */

struct wanted {
	const struct btf *btf;
	const char *structure, *member;
	__u32 *offset;
};

static int find_all(const struct wanted *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tw_members_find(
			    wanted[i].btf, wanted[i].structure, wanted[i].member, wanted[i].offset))
			return -ENOENT;
	return 0;
}

/* Finds the offsets of the forwarding database. Its words are compared and followed whole, so they
 * must be aligned. */
static bool look_at_database(
	const struct btf *kernel, const struct btf *bridge, struct tw_bridge_view *view)
{
	__u32 table = 0;
	const struct wanted wanted[] = {
		{kernel, "net_device", "ifindex", &view->dev_ifindex},
		{kernel, "rhashtable", "tbl", &table},
		{kernel, "bucket_table", "size", &view->table_size},
		{kernel, "bucket_table", "nest", &view->table_nest},
		{kernel, "bucket_table", "hash_rnd", &view->table_secret},
		{kernel, "bucket_table", "buckets", &view->table_buckets},
		{bridge, "net_bridge_port", "dev", &view->port_dev},
		{bridge, "net_bridge", "fdb_hash_tbl", &view->bridge_table},
		{bridge, "net_bridge", "ageing_time", &view->bridge_ageing},
		{bridge, "net_bridge_fdb_entry", "rhnode", &view->entry_node},
		{bridge, "net_bridge_fdb_entry", "key", &view->entry_key},
		{bridge, "net_bridge_fdb_entry", "dst", &view->entry_port},
		{bridge, "net_bridge_fdb_entry", "flags", &view->entry_flags},
		{bridge, "net_bridge_fdb_entry", "updated", &view->entry_updated},
	};

	if (find_all(wanted, sizeof(wanted) / sizeof(wanted[0])))
		return false;
	view->bridge_table += table;
	return !((view->table_buckets | view->entry_key | view->entry_node | view->entry_port |
			 view->entry_flags | view->entry_updated | view->port_dev |
			 view->bridge_table | view->bridge_ageing) %
		 sizeof(__u64));
}

static int look(const struct btf *kernel, const struct btf *bridge, struct tw_bridge_view *view)
{
	const struct wanted wanted[] = {
		{kernel, "sk_buff", "dev", &view->skb_dev},
		{kernel, "net_device", "priv_flags", &view->dev_flags},
		{kernel, "net_device", "rx_handler_data", &view->dev_port},
		{kernel, "net_device", "mtu", &view->dev_mtu},
		{bridge, "net_bridge_port", "br", &view->port_bridge},
		{bridge, "net_bridge_port", "flags", &view->port_flags},
		{bridge, "net_bridge_port", "state", &view->port_state},
		{bridge, "net_bridge", "options", &view->bridge_options},
	};

	if (find_all(wanted, sizeof(wanted) / sizeof(wanted[0])))
		return -ENOENT;
	view->database = look_at_database(kernel, bridge, view);
	view->vlans = !tw_members_find(bridge, "net_bridge_port", "vlgrp", &view->port_vlans) &&
		      !tw_members_find(bridge, "net_bridge_vlan_group", "pvid", &view->vlans_pvid);
	/* Pointers and longs are read as whole words. */
	if ((view->skb_dev | view->dev_port | view->port_bridge | view->port_flags |
		    view->bridge_options) %
		sizeof(__u64))
		return -ENOENT;
	return 0;
}

void tw_bridge_view_init(struct btf *kernel, struct tw_bridge_view *ret)
{
	struct btf *module = NULL;
	struct tw_bridge_view view = {0};

	/* The programs split words by the layout of a little-endian machine. */
	if (__BYTE_ORDER != __LITTLE_ENDIAN || sizeof(void *) != sizeof(__u64))
		return;
	if (btf__find_by_name_kind(kernel, "net_bridge_port", BTF_KIND_STRUCT) < 0)
		module = btf__parse_split(BRIDGE_BTF, kernel);
	if (!look(kernel, module ? module : kernel, &view)) {
		view.known = 1;
		*ret = view;
	}
	btf__free(module);
}
