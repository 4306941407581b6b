/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/report/plan.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/abi/names.h"

#define MAC_FORMAT    "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARGS(mac) (mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]
#define PREFIX_LEN_V4 24 /* prefix length of the network that the guests share */
#define PREFIX_LEN_V6 64

static const char *const service_names[] = {
	[TW_LAB_SVC_TCP] = "tcp",
	[TW_LAB_SVC_UDP] = "udp",
	[TW_LAB_SVC_PING] = "ping",
};

int tw_lab_plan_guests(const struct tw_lab_paths *paths)
{
	for (size_t i = 0; i < tw_policy_n_vnics(paths->policy); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(paths->policy, i);
		char text[INET6_ADDRSTRLEN];

		printf("%s %s " MAC_FORMAT, vnic->workload, vnic->port ? vnic->port : "-",
			MAC_ARGS(vnic->mac));
		for (int family = 0; family < TW_LAB_FAMILY__MAX; family++) {
			const struct tw_addr *addr = tw_lab_vnic_addr(
				vnic, (enum tw_lab_family)family);

			if (addr)
				printf(" %s/%d", tw_addr_format(addr, text),
					family == TW_LAB_V4 ? PREFIX_LEN_V4 : PREFIX_LEN_V6);
		}
		putchar('\n');
	}
	return 0;
}

static bool asked_before(const struct tw_lab_paths *paths, const struct tw_lab_path *path)
{
	for (const struct tw_lab_path *p = paths->at; p < path; p++) {
		if (p->service == path->service && p->port == path->port)
			return true;
	}
	return false;
}

int tw_lab_plan_services(const struct tw_lab_paths *paths)
{
	for (const struct tw_lab_path *path = paths->at; path < paths->at + paths->n; path++) {
		bool listens = path->service == TW_LAB_SVC_TCP || path->service == TW_LAB_SVC_UDP;

		if (listens && !asked_before(paths, path))
			printf("%s:%u ", service_names[path->service], path->port);
	}
	putchar('\n');
	return 0;
}

int tw_lab_plan_asks(const struct tw_lab_paths *paths, const char *guest)
{
	for (size_t i = 0; i < paths->n * TW_LAB_FAMILY__MAX; i++) {
		const struct tw_lab_path *path = &paths->at[i / TW_LAB_FAMILY__MAX];
		enum tw_lab_family family = (enum tw_lab_family)(i % TW_LAB_FAMILY__MAX);
		char text[INET6_ADDRSTRLEN];

		if (path->way != TW_LAB_ASK || strcmp(path->from->workload, guest) != 0 ||
			!tw_lab_path_in(path, family))
			continue;
		printf("%zu,%s,%s,%u,%zu ", i, service_names[path->service],
			tw_addr_format(tw_lab_vnic_addr(path->to, family), text), path->port,
			TW_LAB_PORT_BASE + i);
	}
	putchar('\n');
	return 0;
}

int tw_lab_plan_frames(const struct tw_lab_paths *paths, const char *guest)
{
	for (size_t i = 0; i < paths->n * TW_LAB_FAMILY__MAX; i++) {
		const struct tw_lab_path *path = &paths->at[i / TW_LAB_FAMILY__MAX];
		enum tw_lab_family family = (enum tw_lab_family)(i % TW_LAB_FAMILY__MAX);
		char src[INET6_ADDRSTRLEN];
		char dst[INET6_ADDRSTRLEN];
		struct tw_lab_spec spec;

		if (path->way == TW_LAB_ASK || strcmp(path->from->workload, guest) != 0 ||
			!tw_lab_path_in(path, family))
			continue;
		tw_lab_path_spec(paths, path, family, &spec);
		printf("%zu,%s," MAC_FORMAT "," MAC_FORMAT ",%s,%s,%u,%u,%u ", i,
			tw_lab_kind_name(spec.kind), MAC_ARGS(spec.src_mac), MAC_ARGS(spec.dst_mac),
			tw_addr_format(&spec.src, src), tw_addr_format(&spec.dst, dst), spec.sport,
			spec.dport, spec.tcp_flags);
	}
	putchar('\n');
	return 0;
}

int tw_lab_plan_awaited(const struct tw_lab_paths *paths)
{
	for (size_t i = 0; i < paths->n * TW_LAB_FAMILY__MAX; i++) {
		const struct tw_lab_path *path = &paths->at[i / TW_LAB_FAMILY__MAX];

		if (path->expect != TW_LAB_ARRIVES ||
			!tw_lab_path_in(path, (enum tw_lab_family)(i % TW_LAB_FAMILY__MAX)))
			continue;
		for (size_t v = 0; v < tw_policy_n_vnics(paths->policy); v++) {
			const struct tw_vnic *vnic = tw_policy_vnic(paths->policy, v);

			if (path->to ? vnic == path->to : vnic != path->from)
				printf("%s %zu\n", vnic->workload, i);
		}
	}
	return 0;
}

bool tw_lab_plan_is_tuple(const struct tw_lab_path *path)
{
	return path->way == TW_LAB_ASK || path->way == TW_LAB_HONEST;
}

int tw_lab_plan_tuples(const struct tw_lab_paths *paths)
{
	for (size_t i = 0; i < paths->n * TW_LAB_FAMILY__MAX; i++) {
		const struct tw_lab_path *path = &paths->at[i / TW_LAB_FAMILY__MAX];
		enum tw_lab_family family = (enum tw_lab_family)(i % TW_LAB_FAMILY__MAX);
		char from[INET6_ADDRSTRLEN];
		char to[INET6_ADDRSTRLEN];

		if (!tw_lab_plan_is_tuple(path) || !tw_lab_path_in(path, family))
			continue;
		printf("{\"from\":\"%s\",\"to\":\"%s\",",
			tw_addr_format(tw_lab_vnic_addr(path->from, family), from),
			tw_addr_format(tw_lab_vnic_addr(path->to, family), to));
		if (path->service == TW_LAB_SVC_PING)
			printf("\"proto\":\"%s\",\"type\":%d,\"code\":0}\n",
				family == TW_LAB_V4 ? "icmp" : "icmp6",
				family == TW_LAB_V4 ? 8 : 128);
		else
			printf("\"proto\":\"%s\",\"sport\":%zu,\"dport\":%u}\n",
				service_names[path->service], TW_LAB_PORT_BASE + i, path->port);
	}
	return 0;
}
