/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/latch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "agent/ports/rtnl.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/vec.h"

/* The latch runs before all other filters, which start at -200, so that frames of a shut port cost
 * least. */
#define PRIORITY "-310"
#define LIVE_MAX 8192 /* size of the set; a fixed size selects a faster kind of set */

#define N_CHAINS 3

struct chain {
	const char *hook;
	bool in, out; /* frames from a port, and to a port, are checked in this family */
};

/* The hooks that frames of a new port meet, by family. ARP has hooks of its own. */
struct family {
	const char *name;
	struct chain chains[N_CHAINS];
};

static const struct family families[] = {
	{"bridge", {{"forward", true, true}, {"input", true, false}, {"output", false, true}}},
	{"inet", {{"prerouting", true, false}, {"postrouting", false, true}}},
	{"arp", {{"input", true, false}, {"output", false, true}}},
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

/* A live port in another interface group. */
struct grouped {
	uint32_t ifindex;
	uint32_t group;
};

struct tw_latch {
	struct nft_ctx *nft;
	struct mnl_socket *monitor;
	struct tw_rtnl *rtnl;
	struct tw_patterns patterns;
	uint32_t group; /* the group of live ports */
	TW_VEC(struct grouped) grouped;
	bool every_kind; /* the table of the netdev family exists */
	char table[32];
};

/* Returns a hash (FNV-1a) of the path of the pins, which names the table of this instance. */
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
	if (tw_rtnl_open(&latch->rtnl) < 0)
		return tw_err_set(err, -EOPNOTSUPP, "latch", NULL, "no access to rtnetlink");
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
	tw_vec_done(&latch->grouped);
	free(latch);
}

const char *tw_latch_table(const struct tw_latch *latch)
{
	return latch->table;
}

/* True if the table exists. */
static bool has_table(struct tw_latch *latch, const char *family)
{
	char command[96];

	snprintf(command, sizeof(command), "list table %s %s", family, latch->table);
	return run(latch, command, NULL) == 0;
}

bool tw_latch_exists(struct tw_latch *latch)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (!has_table(latch, families[i].name))
			return false;
	return !latch->every_kind || has_table(latch, "netdev");
}

/* Adds checks for frames from ("i") or to ("o") an interface outside the group. Bridges and the
 * loopback are never ports, whatever their names. */
static void add_closer_look(struct tw_buf *text, const char *way)
{
	tw_buf_addf(text, "chain %sshut {\n", way);
	tw_buf_addf(text, "meta %sifkind \"bridge\" return\n", way);
	tw_buf_addf(text, "meta %siftype loopback return\n", way);
	tw_buf_addf(text, "%sif . %sifgroup @live return\ndrop\n}\n", way, way);
}

static void add_rules(struct tw_buf *text, const struct tw_latch *latch, const char *way)
{
	for (size_t i = 0; i < latch->patterns.n; i++) {
		const struct tw_pattern *pattern = &latch->patterns.at[i];

		tw_buf_addf(text, "%sifgroup != %u ", way, latch->group);
		if (pattern->text[0])
			tw_buf_addf(text, "%sifname \"%s%s\" ", way, pattern->text,
				pattern->prefix ? "*" : "");
		tw_buf_addf(text, "jump %sshut\n", way);
	}
}

static void add_set(struct tw_buf *text, const struct tw_latch *latch)
{
	tw_buf_addf(text, "set live { type iface_index . devgroup; size %d;\n", LIVE_MAX);
	tw_vec_foreach (&latch->grouped, port)
		tw_buf_addf(text, "%s%u . %u", port == latch->grouped.at ? "elements = { " : ", ",
			port->ifindex, port->group);
	tw_buf_adds(text, latch->grouped.n ? " }\n}\n" : "}\n");
}

static void add_table(
	struct tw_buf *text, const struct tw_latch *latch, const struct family *family)
{
	tw_buf_addf(text, "add table %s %s\ndelete table %s %s\ntable %s %s {\n", family->name,
		latch->table, family->name, latch->table, family->name, latch->table);
	add_set(text, latch);
	add_closer_look(text, "i");
	add_closer_look(text, "o");
	for (size_t i = 0; i < N_CHAINS && family->chains[i].hook; i++) {
		const struct chain *chain = &family->chains[i];

		tw_buf_addf(text,
			"chain %s { type filter hook %s priority " PRIORITY "; policy accept;\n",
			chain->hook, chain->hook);
		if (chain->in)
			add_rules(text, latch, "i");
		if (chain->out)
			add_rules(text, latch, "o");
		tw_buf_adds(text, "}\n");
	}
	tw_buf_adds(text, "}\n");
}

/* ---- live ports ---- */

static struct grouped *find_grouped(struct tw_latch *latch, uint32_t ifindex)
{
	tw_vec_foreach (&latch->grouped, port)
		if (port->ifindex == ifindex)
			return port;
	return NULL;
}

/* Adds an element to the set of each table, or removes it. */
static void change_sets(
	struct tw_latch *latch, const char *verb, const struct grouped *port, struct tw_buf *text)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		tw_buf_addf(text, "%s element %s %s live { %u . %u }\n", verb, families[i].name,
			latch->table, port->ifindex, port->group);
	if (latch->every_kind)
		tw_buf_addf(text, "%s element netdev %s live { %u . %u }\n", verb, latch->table,
			port->ifindex, port->group);
}

/* Puts a live port into the group. A port in another group stays there: then it is added to
 * `grouped` for the set, and the function returns 1. */
static int enter_group(struct tw_latch *latch, uint32_t ifindex)
{
	struct grouped port = {.ifindex = ifindex};
	int ret = latch->rtnl ? tw_rtnl_get_group(latch->rtnl, ifindex, &port.group) : -ENOTCONN;

	if (!ret && !port.group)
		return tw_rtnl_set_group(latch->rtnl, ifindex, latch->group);
	if (ret || port.group == latch->group)
		return ret;
	if (find_grouped(latch, ifindex))
		*find_grouped(latch, ifindex) = port;
	else
		ret = tw_vec_push(&latch->grouped, port);
	return ret < 0 ? ret : 1;
}

static void leave_group(struct tw_latch *latch, uint32_t ifindex)
{
	uint32_t group;

	if (latch->rtnl && !tw_rtnl_get_group(latch->rtnl, ifindex, &group) &&
		group == latch->group)
		tw_rtnl_set_group(latch->rtnl, ifindex, 0);
}

/* ---- public functions ---- */

int tw_latch_install(
	struct tw_latch *latch, const uint32_t *live, size_t n_live, struct tw_err *err)
{
	tw_auto_buf struct tw_buf text = {0};
	int ret;

	latch->grouped.n = 0;
	for (size_t i = 0; i < n_live; i++) {
		ret = enter_group(latch, live[i]);
		/* An interface that is gone need not be let through. */
		if (ret < 0 && ret != -ENODEV)
			return tw_err_set(
				err, ret, latch->table, NULL, "cannot group interface %u", live[i]);
	}
	for (size_t i = 0; i < N_FAMILIES; i++)
		add_table(&text, latch, &families[i]);
	if (text.failed)
		return tw_err_set(err, -ENOMEM, latch->table, NULL, "out of memory");
	return run(latch, text.data, err);
}

int tw_latch_let(struct tw_latch *latch, const uint32_t *ifindexes, size_t n, struct tw_err *err)
{
	tw_auto_buf struct tw_buf text = {0};
	int ret;

	for (size_t i = 0; i < n; i++) {
		ret = enter_group(latch, ifindexes[i]);
		if (ret < 0 && ret != -ENODEV)
			return tw_err_set(err, ret, latch->table, NULL, "cannot group interface %u",
				ifindexes[i]);
		if (ret == 1)
			change_sets(latch, "add", find_grouped(latch, ifindexes[i]), &text);
	}
	if (text.failed)
		return tw_err_set(err, -ENOMEM, latch->table, NULL, "out of memory");
	return text.len ? run(latch, text.data, err) : 0;
}

bool tw_latch_lets(const struct tw_latch *latch, uint32_t ifindex)
{
	uint32_t group;

	return latch->rtnl && !tw_rtnl_get_group(latch->rtnl, ifindex, &group) &&
	       group == latch->group;
}

int tw_latch_shut(struct tw_latch *latch, const uint32_t *ifindexes, size_t n)
{
	int ret = 0, one;

	for (size_t i = 0; i < n; i++) {
		struct grouped *port = find_grouped(latch, ifindexes[i]);
		tw_auto_buf struct tw_buf text = {0};

		leave_group(latch, ifindexes[i]);
		if (!port)
			continue;
		change_sets(latch, "delete", port, &text);
		*port = latch->grouped.at[--latch->grouped.n];
		one = text.failed ? -ENOMEM : run(latch, text.data, NULL);
		ret = ret ? ret : one;
	}
	return ret;
}

int tw_latch_remove(struct tw_latch *latch, struct tw_err *err)
{
	struct if_nameindex *links = if_nameindex();
	tw_auto_buf struct tw_buf text = {0};

	for (size_t i = 0; links && links[i].if_index; i++)
		leave_group(latch, links[i].if_index);
	if (links)
		if_freenameindex(links);
	for (size_t i = 0; i < N_FAMILIES; i++)
		tw_buf_addf(&text, "add table %s %s\ndelete table %s %s\n", families[i].name,
			latch->table, families[i].name, latch->table);
	if (has_table(latch, "netdev"))
		tw_buf_addf(&text, "delete table netdev %s\n", latch->table);
	if (text.failed)
		return tw_err_set(err, -ENOMEM, latch->table, NULL, "out of memory");
	return run(latch, text.data, err);
}

bool tw_latch_covers_all(const struct tw_latch *latch)
{
	return latch->every_kind;
}

bool tw_latch_covers(const struct tw_latch *latch, const char *above)
{
	/* Interfaces without a master are routed, and so are those of a VRF. */
	return latch && (latch->every_kind || !above[0] || !strcmp(above, "bridge") ||
				!strcmp(above, "vrf"));
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

	/* If messages were lost, the deletion may be among them. */
	while ((len = mnl_socket_recvfrom(latch->monitor, message, sizeof(message))) >= 0 ||
		errno == ENOBUFS) {
		if (len < 0 || mnl_cb_run(message, (size_t)len, 0, 0, on_message, &deleted) < 0)
			deleted = true;
	}
	return deleted;
}
