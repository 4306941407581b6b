/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/qdisc.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SECONDS 1
#define MESSAGE_BYTES  32768
#define HTB_VERSION    3  /* net/sched/sch_htb.c checks it */
#define HTB_QUANTUM    10 /* the default of tc(8) */

struct exchange {
	struct mnl_socket *sock;
	struct nlmsghdr *request;
	char message[MESSAGE_BYTES]; /* the request, then its answer */
};

static int begin(struct exchange *exchange, uint16_t type, uint16_t flags, uint32_t ifindex,
	uint32_t parent, uint32_t handle)
{
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	struct tcmsg *info;

	exchange->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!exchange->sock)
		return -errno;
	if (mnl_socket_bind(exchange->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
		setsockopt(mnl_socket_get_fd(exchange->sock), SOL_SOCKET, SO_RCVTIMEO, &limit,
			sizeof(limit)) < 0) {
		int code = -errno;

		mnl_socket_close(exchange->sock);
		return code;
	}
	exchange->request = mnl_nlmsg_put_header(exchange->message);
	exchange->request->nlmsg_type = type;
	exchange->request->nlmsg_flags = NLM_F_REQUEST | flags;
	exchange->request->nlmsg_seq = 1;
	info = mnl_nlmsg_put_extra_header(exchange->request, sizeof(*info));
	info->tcm_family = AF_UNSPEC;
	info->tcm_ifindex = (int)ifindex;
	info->tcm_parent = parent;
	info->tcm_handle = handle;
	return 0;
}

/* Sends the request of begin(), reads all answers, and closes. */
static int finish(struct exchange *exchange, mnl_cb_t on_answer, void *arg)
{
	unsigned int portid = mnl_socket_get_portid(exchange->sock);
	int ret = MNL_CB_OK, code = 0;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): begin() has set it */
	if (mnl_socket_sendto(exchange->sock, exchange->request, exchange->request->nlmsg_len) < 0)
		code = -errno;
	while (!code && ret > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(exchange->sock, exchange->message, MESSAGE_BYTES);

		ret = len < 0 ? -1
			      : mnl_cb_run(
					exchange->message, (size_t)len, 1, portid, on_answer, arg);
		if (ret < 0)
			code = -errno;
	}
	mnl_socket_close(exchange->sock);
	return code;
}

struct look {
	int ifindex;
	struct tw_qdisc ingress;
	struct tw_qdisc root;
};

static int on_qdisc(const struct nlmsghdr *header, void *arg)
{
	const struct tcmsg *info = mnl_nlmsg_get_payload(header);
	struct look *look = arg;
	struct tw_qdisc *qdisc = info->tcm_parent == TC_H_ROOT	    ? &look->root
				 : info->tcm_parent == TC_H_INGRESS ? &look->ingress
								    : NULL;
	const struct nlattr *attr;

	if (header->nlmsg_type != RTM_NEWQDISC || info->tcm_ifindex != look->ifindex || !qdisc)
		return MNL_CB_OK;
	qdisc->handle = info->tcm_handle;
	mnl_attr_for_each (attr, header, sizeof(*info))
		if (mnl_attr_get_type(attr) == TCA_KIND)
			snprintf(qdisc->kind, sizeof(qdisc->kind), "%.*s",
				(int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

int tw_qdisc_look(uint32_t ifindex, struct tw_qdisc *ret_ingress, struct tw_qdisc *ret_root)
{
	struct look look = {.ifindex = (int)ifindex};
	struct exchange exchange;
	int code = begin(&exchange, RTM_GETQDISC, NLM_F_DUMP, ifindex, 0, 0);

	if (!code)
		code = finish(&exchange, on_qdisc, &look);
	if (code)
		return code;
	*ret_ingress = look.ingress;
	*ret_root = look.root;
	return 0;
}

int tw_qdisc_add(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *kind)
{
	const struct tc_htb_glob htb = {.version = HTB_VERSION, .rate2quantum = HTB_QUANTUM};
	struct exchange exchange;
	struct nlattr *options;
	int code = begin(&exchange, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifindex,
		parent, handle);

	if (code)
		return code;
	mnl_attr_put_strz(exchange.request, TCA_KIND, kind);
	if (!strcmp(kind, "htb")) {
		options = mnl_attr_nest_start(exchange.request, TCA_OPTIONS);
		mnl_attr_put(exchange.request, TCA_HTB_INIT, sizeof(htb), &htb);
		mnl_attr_nest_end(exchange.request, options);
	}
	return finish(&exchange, NULL, NULL);
}

int tw_qdisc_remove(uint32_t ifindex, uint32_t parent, uint32_t handle)
{
	struct exchange exchange;
	int code = begin(&exchange, RTM_DELQDISC, NLM_F_ACK, ifindex, parent, handle);

	return code ? code : finish(&exchange, NULL, NULL);
}

static void read_program(const struct nlattr *options, struct tw_qdisc_filter *filter)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, options)
	{
		if (mnl_attr_get_type(attr) == TCA_BPF_ID &&
			mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			filter->prog_id = mnl_attr_get_u32(attr);
	}
}

static int on_filter(const struct nlmsghdr *header, void *arg)
{
	const struct tcmsg *info = mnl_nlmsg_get_payload(header);
	struct tw_qdisc_filter *filter = arg, found = {0};
	const struct nlattr *attr, *options = NULL;
	bool bpf = false;

	/* Only the first filter is wanted; a message without a handle describes a priority, not a
	 * filter. */
	if (header->nlmsg_type != RTM_NEWTFILTER || !info->tcm_handle || filter->handle)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, header, sizeof(*info)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == TCA_KIND)
			bpf = !strcmp(mnl_attr_get_str(attr), "bpf");
		else if (type == TCA_OPTIONS)
			options = attr;
		else if (type == TCA_CHAIN && mnl_attr_get_u32(attr))
			return MNL_CB_OK;
	}
	found.handle = info->tcm_handle;
	found.priority = TC_H_MAJ(info->tcm_info) >> 16;
	if (bpf && options)
		read_program(options, &found);
	*filter = found;
	return MNL_CB_OK;
}

int tw_qdisc_first_filter(uint32_t ifindex, uint32_t parent, struct tw_qdisc_filter *ret)
{
	struct tw_qdisc_filter filter = {0};
	struct exchange exchange;
	int code = begin(&exchange, RTM_GETTFILTER, NLM_F_DUMP, ifindex, parent, 0);

	if (!code)
		code = finish(&exchange, on_filter, &filter);
	if (!code)
		*ret = filter;
	return code;
}
