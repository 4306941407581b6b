/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/hostwork.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "agent/ports/entries.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#define ANSWER_SECONDS 1
#define OWN_TABLE      "tapwall-"
#define OWN_CHAINS     "table netdev " OWN_TABLE
#define OWN_PROGRAM    "tw_from_vm"
#define OWN_UPLINK     "tw_from_uplink"
#define TC_INGRESS     0xffff0000u /* parent of the filters of an ingress qdisc */
#define TC_CLSACT      TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

void tw_hostwork_init(struct tw_hostwork *work)
{
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS};

	work->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (work->nft && (nft_ctx_buffer_error(work->nft) || nft_ctx_buffer_output(work->nft))) {
		nft_ctx_free(work->nft);
		work->nft = NULL;
	}
	work->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (work->sock && (mnl_socket_bind(work->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
				  setsockopt(mnl_socket_get_fd(work->sock), SOL_SOCKET, SO_RCVTIMEO,
					  &limit, sizeof(limit)) < 0)) {
		mnl_socket_close(work->sock);
		work->sock = NULL;
	}
}

void tw_hostwork_done(struct tw_hostwork *work)
{
	if (work->nft)
		nft_ctx_free(work->nft);
	if (work->sock)
		mnl_socket_close(work->sock);
}

bool tw_hostwork_counts(const struct tw_host *host)
{
	return host->options->forwarding == TW_FORWARDING_CUT_THROUGH;
}

/* ---- netfilter ---- */

/* Returns the output of an nftables command, valid until the next one; "" if there is none. */
static const char *ask_nft(struct tw_hostwork *work, const char *command)
{
	const char *said;

	if (!work->nft)
		return "";
	if (nft_run_cmd_from_buffer(work->nft, command)) {
		nft_ctx_get_error_buffer(work->nft);
		nft_ctx_get_output_buffer(work->nft);
		return "";
	}
	said = nft_ctx_get_output_buffer(work->nft);
	return said ? said : "";
}

/* Finds the first table of a family that is not an agent's: its family and name. */
static bool find_table(struct tw_hostwork *work, const char *family, char *ret, size_t ret_len)
{
	const char *line;
	char command[32], name[64];

	snprintf(command, sizeof(command), "list tables %s", family);
	for (line = ask_nft(work, command); *line; line += strcspn(line, "\n"), line += !!*line) {
		if (sscanf(line, "table %*s %63s", name) != 1 ||
			!strncmp(name, OWN_TABLE, strlen(OWN_TABLE)))
			continue;
		snprintf(ret, ret_len, "table %s %.40s", family, name);
		return true;
	}
	return false;
}

static bool reads(const char *path, char *ret, int len)
{
	FILE *file = fopen(path, "re");
	bool got = file && fgets(ret, len, file);

	if (file)
		fclose(file);
	return got;
}

static bool is_on(const char *path)
{
	char text[8];

	return reads(path, text, sizeof(text)) && text[0] == '1';
}

/* True if br_netfilter passes bridged packets to the tables of `proto`: ip, ip6 or arp. */
static bool is_called(const struct tw_host *host, const char *proto)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/bridge/bridge-nf-call-%stables", proto);
	if (is_on(path))
		return true;
	tw_vec_foreach (&host->ports->networks, row) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/bridge/nf_call_%stables", row->name,
			proto);
		if (!row->gone && is_on(path))
			return true;
	}
	return false;
}

/* Describes the netfilter rules that see bridged frames. False if there are none. */
static bool find_netfilter(struct tw_host *host, char *ret, size_t ret_len)
{
	static const struct {
		const char *proto, *family, *legacy;
	} callers[] = {
		{"ip", "ip", "/proc/net/ip_tables_names"},
		{"ip6", "ip6", "/proc/net/ip6_tables_names"},
		{"arp", "arp", "/proc/net/arp_tables_names"},
	};
	struct tw_hostwork *work = host->hostwork;
	char name[64];

	if (find_table(work, "bridge", ret, ret_len))
		return true;
	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
		if (!is_called(host, callers[i].proto))
			continue;
		if (find_table(work, callers[i].family, name, sizeof(name)) ||
			(strcmp(callers[i].proto, "arp") != 0 &&
				find_table(work, "inet", name, sizeof(name)))) {
			snprintf(ret, ret_len, "br_netfilter and %s", name);
			return true;
		}
		if (reads(callers[i].legacy, name, sizeof(name))) {
			snprintf(ret, ret_len, "br_netfilter and %stables", callers[i].proto);
			return true;
		}
	}
	return false;
}

/* True if `chains`, which lists all chains of family netdev, has one at the port's ingress. */
static bool has_ingress_chain(const char *chains, const char *port)
{
	size_t len = strlen(port), line_len;
	bool own = false;

	for (const char *line = chains; *line; line += line_len + !!line[line_len]) {
		const char *hook = strstr(line, "hook ingress"), *at;

		line_len = strcspn(line, "\n");
		if (!strncmp(line, "table ", 6))
			own = !strncmp(line, OWN_CHAINS, strlen(OWN_CHAINS));
		if (own || !hook || hook > line + line_len)
			continue;
		for (at = hook; (at = strstr(at, port)) && at < line + line_len; at += len)
			if (strchr(" \"", at[-1]) && strchr(" \",", at[len]))
				return true;
	}
	return false;
}

/* ---- tc ---- */

static int on_option(const struct nlattr *attr, void *arg)
{
	bool *ours = arg;

	const char *name = mnl_attr_get_str(attr);

	if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
		*ours = !strncmp(name, OWN_PROGRAM, strlen(OWN_PROGRAM)) ||
			!strncmp(name, OWN_UPLINK, strlen(OWN_UPLINK));
	return MNL_CB_OK;
}

static int on_filter(const struct nlmsghdr *header, void *arg)
{
	bool *found = arg, ours = false, options = false;
	struct nlattr *attr;

	if (header->nlmsg_type != RTM_NEWTFILTER)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, header, sizeof(struct tcmsg)) {
		if (mnl_attr_get_type(attr) != TCA_OPTIONS)
			continue;
		options = true;
		mnl_attr_parse_nested(attr, on_option, &ours);
	}
	/* A filter has options. A message without options is the head of a list that may be
	 * empty. */
	if (options && !ours)
		*found = true;
	return MNL_CB_OK;
}

static bool has_filters(struct tw_hostwork *work, uint32_t ifindex, uint32_t parent)
{
	char message[16384];
	struct nlmsghdr *header = mnl_nlmsg_put_header(message);
	uint32_t seq = (uint32_t)time(NULL);
	struct tcmsg *tcm;
	bool found = false;
	ssize_t len;
	int ret;

	header->nlmsg_type = RTM_GETTFILTER;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = seq;
	tcm = mnl_nlmsg_put_extra_header(header, sizeof(*tcm));
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)ifindex;
	tcm->tcm_parent = parent;
	if (mnl_socket_sendto(work->sock, header, header->nlmsg_len) < 0)
		return false;
	do {
		len = mnl_socket_recvfrom(work->sock, message, sizeof(message));
		ret = len < 0 ? MNL_CB_ERROR
			      : mnl_cb_run(message, (size_t)len, 0,
					mnl_socket_get_portid(work->sock), on_filter, &found);
	} while (ret > MNL_CB_STOP);
	return found;
}

bool tw_hostwork_at(struct tw_hostwork *work, uint32_t ifindex)
{
	return work->sock &&
	       (has_filters(work, ifindex, TC_INGRESS) || has_filters(work, ifindex, TC_CLSACT));
}

/* ---- checks ---- */

/* Stores a new description. True if it differs from the old one. */
static bool changes(char *why, const char *now)
{
	if (!strcmp(why, now))
		return false;
	snprintf(why, TW_HOSTWORK_WHY, "%s", now);
	return true;
}

static void look_at_port(struct tw_host *host, struct tw_agent_port *port, const char *chains)
{
	const char *why = "";

	if (port->bridge && tw_hostwork_at(host->hostwork, port->ifindex))
		why = "a tc filter at its ingress";
	else if (port->bridge && has_ingress_chain(chains, port->name))
		why = "an nftables chain at its ingress";
	port->looked_at = true;
	if (!changes(port->hostwork, why))
		return;
	tw_log(TW_LOG_INFO, "%s: %s%s", port->name,
		*why ? "frames go through the bridge: " : "frames may be cut through again", why);
	if (*why)
		tw_entries_uncut(host, port);
	host->changed = true;
}

void tw_hostwork_meet(struct tw_host *host)
{
	tw_autofree char *chains = NULL;

	if (!tw_hostwork_counts(host))
		return;
	tw_vec_foreach (&host->ports->list, port) {
		if ((*port)->looked_at)
			continue;
		if (!chains)
			chains = tw_strdup(ask_nft(host->hostwork, "list chains netdev"));
		look_at_port(host, *port, chains ? chains : "");
	}
}

bool tw_hostwork_look(struct tw_host *host)
{
	struct tw_hostwork *work = host->hostwork;
	char why[TW_HOSTWORK_WHY] = "";
	tw_autofree char *chains = NULL;
	uint64_t now = tw_clock_ns();

	if (!tw_hostwork_counts(host) || now < work->next_ns)
		return false;
	work->next_ns = now + TW_HOSTWORK_NS;
	find_netfilter(host, why, sizeof(why));
	if (changes(work->why, why)) {
		tw_log(TW_LOG_INFO, "%s%s",
			*why ? "frames go through the bridge: the host filters there: "
			     : "frames may be cut through again",
			why);
		host->changed = true;
		host->renew = true;
	}
	chains = tw_strdup(ask_nft(work, "list chains netdev"));
	tw_vec_foreach (&host->ports->list, port)
		look_at_port(host, *port, chains ? chains : "");
	return true;
}
