/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/latch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "agent/rtnl.h"
#include "base/alloc.h"
#include "base/buf.h"

/* Before any filter of others (they start at -200), so that a shut port costs least. */
#define PRIORITY "-310"
#define LIVE_MAX 8192 /* elements of the set; a known size makes for the faster kind of set */

struct tw_latch {
	struct nft_ctx *nft;
	struct mnl_socket *monitor;
	struct tw_rtnl *rtnl; /* NULL: no fast lane */
	struct tw_patterns patterns;
	uint32_t group; /* that live ports are put in */
	char table[32];
};

/* One table per instance: FNV-1a of the place where its state is pinned. */
static uint32_t hash_path(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

static int run(struct tw_latch *latch, const char *commands, struct tw_err *err)
{
	const char *said;
	size_t len;

	if (!nft_run_cmd_from_buffer(latch->nft, commands)) {
		nft_ctx_get_error_buffer(latch->nft);
		nft_ctx_get_output_buffer(latch->nft);
		return 0;
	}
	said = nft_ctx_get_error_buffer(latch->nft);
	len = strcspn(said, "\n");
	return tw_err_set(err, -EOPNOTSUPP, latch->table, NULL, "netfilter: %.*s", (int)len, said);
}

static struct mnl_socket *open_monitor(void)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int group = NFNLGRP_NFTABLES;

	if (!sock)
		return NULL;
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_setsockopt(sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
		mnl_socket_close(sock);
		return NULL;
	}
	return sock;
}

int tw_latch_new(const char *bpffs, const struct tw_patterns *patterns, struct tw_latch **ret,
	struct tw_err *err)
{
	tw_auto(tw_latch) struct tw_latch *latch = tw_alloc(sizeof(*latch));

	if (!latch)
		return tw_err_set(err, -ENOMEM, "latch", NULL, "out of memory");
	latch->patterns = *patterns;
	latch->group = hash_path(bpffs) | 1;
	snprintf(latch->table, sizeof(latch->table), "tapwall-%08x", hash_path(bpffs));
	latch->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!latch->nft || nft_ctx_buffer_error(latch->nft) || nft_ctx_buffer_output(latch->nft))
		return tw_err_set(err, -EOPNOTSUPP, "latch", NULL, "no access to netfilter");
	latch->monitor = open_monitor();
	/* Without it every port passes by the set. */
	tw_rtnl_open(&latch->rtnl);
	*ret = TW_TAKE_PTR(latch);
	return 0;
}

void tw_latch_free(struct tw_latch *latch)
{
	if (!latch)
		return;
	if (latch->nft)
		nft_ctx_free(latch->nft);
	if (latch->monitor)
		mnl_socket_close(latch->monitor);
	tw_rtnl_free(latch->rtnl);
	free(latch);
}

const char *tw_latch_table(const struct tw_latch *latch)
{
	return latch->table;
}

bool tw_latch_exists(struct tw_latch *latch)
{
	char command[96];

	snprintf(command, sizeof(command), "list table bridge %s", latch->table);
	return run(latch, command, NULL) == 0;
}

/* `way` is "i" or "o": what comes in from, or goes out to, a port that is not live yet. */
static void add_rules(struct tw_buf *text, const struct tw_latch *latch, const char *way)
{
	for (size_t i = 0; i < latch->patterns.n; i++) {
		const struct tw_pattern *pattern = &latch->patterns.at[i];

		tw_buf_addf(text, "%sifgroup != %u ", way, latch->group);
		if (pattern->text[0])
			tw_buf_addf(text, "%sifname \"%s%s\" ", way, pattern->text,
				pattern->prefix ? "*" : "");
		tw_buf_addf(text, "%sif != @live drop\n", way);
	}
}

static void add_chain(struct tw_buf *text, const char *hook)
{
	tw_buf_addf(text, "chain %s { type filter hook %s priority " PRIORITY "; policy accept;\n",
		hook, hook);
}

static void add_table(
	struct tw_buf *text, const struct tw_latch *latch, const uint32_t *live, size_t n_live)
{
	tw_buf_addf(text, "add table bridge %s\ndelete table bridge %s\ntable bridge %s {\n",
		latch->table, latch->table, latch->table);
	tw_buf_addf(text, "set live { type iface_index; size %d;\n", LIVE_MAX);
	for (size_t i = 0; i < n_live; i++)
		tw_buf_addf(text, "%s%u", i ? ", " : "elements = { ", live[i]);
	tw_buf_adds(text, n_live ? " }\n}\n" : "}\n");
	add_chain(text, "forward");
	add_rules(text, latch, "i");
	add_rules(text, latch, "o");
	tw_buf_adds(text, "}\n");
	add_chain(text, "input");
	add_rules(text, latch, "i");
	tw_buf_adds(text, "}\n");
	add_chain(text, "output");
	add_rules(text, latch, "o");
	tw_buf_adds(text, "}\n}\n");
}

/* ---- the fast lane ---- */

/* Puts a live port into our group, or takes it out. Somebody else's group is left alone: that port
 * is let through by the set, which only takes longer. */
static void set_group(struct tw_latch *latch, uint32_t ifindex, bool live)
{
	uint32_t group;

	if (latch->rtnl && !tw_rtnl_get_group(latch->rtnl, ifindex, &group) &&
		group == (live ? 0 : latch->group))
		tw_rtnl_set_group(latch->rtnl, ifindex, live ? latch->group : 0);
}

/* ---- the entrances ---- */

int tw_latch_install(
	struct tw_latch *latch, const uint32_t *live, size_t n_live, struct tw_err *err)
{
	tw_auto_buf struct tw_buf text = {0};
	int ret;

	add_table(&text, latch, live, n_live);
	if (text.failed)
		return tw_err_set(err, -ENOMEM, latch->table, NULL, "out of memory");
	ret = run(latch, text.data, err);
	for (size_t i = 0; !ret && i < n_live; i++)
		set_group(latch, live[i], true);
	return ret;
}

/* Adds interfaces to the set, or deletes them from it. */
static int change_set(struct tw_latch *latch, const char *verb, const uint32_t *ifindexes, size_t n,
	struct tw_err *err)
{
	tw_auto_buf struct tw_buf text = {0};

	tw_buf_addf(&text, "%s element bridge %s live {", verb, latch->table);
	for (size_t i = 0; i < n; i++)
		tw_buf_addf(&text, "%s %u", i ? "," : "", ifindexes[i]);
	tw_buf_adds(&text, " }");
	if (text.failed)
		return tw_err_set(err, -ENOMEM, latch->table, NULL, "out of memory");
	return run(latch, text.data, err);
}

int tw_latch_let(struct tw_latch *latch, const uint32_t *ifindexes, size_t n, struct tw_err *err)
{
	int ret = n ? change_set(latch, "add", ifindexes, n, err) : 0;

	for (size_t i = 0; !ret && i < n; i++)
		set_group(latch, ifindexes[i], true);
	return ret;
}

int tw_latch_shut(struct tw_latch *latch, const uint32_t *ifindexes, size_t n)
{
	int ret = 0, one;

	for (size_t i = 0; i < n; i++)
		set_group(latch, ifindexes[i], false);
	if (!n || !change_set(latch, "delete", ifindexes, n, NULL))
		return 0;
	/* One that is not there fails all of them. */
	for (size_t i = 0; i < n; i++) {
		one = change_set(latch, "delete", &ifindexes[i], 1, NULL);
		ret = ret ? ret : one;
	}
	return ret;
}

int tw_latch_remove(struct tw_latch *latch, struct tw_err *err)
{
	struct if_nameindex *links = if_nameindex();
	char command[128];

	for (size_t i = 0; links && links[i].if_index; i++)
		set_group(latch, links[i].if_index, false);
	if (links)
		if_freenameindex(links);
	snprintf(command, sizeof(command), "add table bridge %s\ndelete table bridge %s",
		latch->table, latch->table);
	return run(latch, command, err);
}

int tw_latch_fd(const struct tw_latch *latch)
{
	return latch->monitor ? mnl_socket_get_fd(latch->monitor) : -1;
}

static int on_message(const struct nlmsghdr *header, void *arg)
{
	bool *deleted = arg;

	if (header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE))
		*deleted = true;
	return MNL_CB_OK;
}

bool tw_latch_read(struct tw_latch *latch)
{
	bool deleted = false;
	char message[32768];
	ssize_t len;

	/* What did not fit the socket may have been the deletion. */
	while ((len = mnl_socket_recvfrom(latch->monitor, message, sizeof(message))) >= 0 ||
		errno == ENOBUFS) {
		if (len < 0 || mnl_cb_run(message, (size_t)len, 0, 0, on_message, &deleted) < 0)
			deleted = true;
	}
	return deleted;
}
