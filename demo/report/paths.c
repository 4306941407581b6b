/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/report/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/inet.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "fastpath/abi/names.h"

#define PATHS_MAX   512
#define FIELDS	    6
#define MAPPED_HOST 128 /* prefix length of a single host */

static const char *const expect_names[TW_LAB_EXPECT__MAX] = {
	[TW_LAB_ANSWERED] = "answered",
	[TW_LAB_REFUSED] = "refused",
	[TW_LAB_SILENT] = "silent",
	[TW_LAB_ARRIVES] = "arrives",
	[TW_LAB_LOST] = "lost",
};

/* For each way: its prefix in the file, whether it forges another guest's identity, the families in
 * which it exists, and its description. */
static const struct {
	const char *prefix;
	bool has_victim;
	bool has_service;
	bool in[TW_LAB_FAMILY__MAX];
	const char *text; /* %s is the service or, for a way without a service, the victim */
} ways[TW_LAB_WAY__MAX] = {
	[TW_LAB_ASK] = {"", false, true, {true, true}, "%s"},
	[TW_LAB_HONEST] = {"frame/", false, true, {true, true}, "%s, a valid frame"},
	[TW_LAB_AS_ADDRESS] = {"as:", true, true, {true, true}, "%s with %s's address"},
	[TW_LAB_AS_MAC] = {"mac:", true, true, {true, true}, "%s with %s's MAC"},
	[TW_LAB_STRAY_ACK] = {"stray-ack/", false, true, {true, true}, "%s ACK, no connection"},
	[TW_LAB_STRAY_SYNACK] = {"stray-synack/", false, true, {true, true},
		"%s SYN-ACK, unsolicited"},
	[TW_LAB_CLAIM_ARP] = {"arp:", true, false, {true, false}, "ARP: %s's address is mine"},
	[TW_LAB_CLAIM_ND] = {"nd:", true, false, {false, true}, "ND: %s's address is mine"},
	[TW_LAB_PLAY_DHCP] = {"dhcp-offer", false, false, {true, false}, "plays DHCP server"},
	[TW_LAB_PLAY_ROUTER] = {"router-advert", false, false, {false, true}, "plays router"},
};

const char *tw_lab_expect_name(enum tw_lab_expect expect)
{
	return expect_names[expect];
}

static const char *service_text(const struct tw_lab_path *path, char *text, size_t max)
{
	switch (path->service) {
	case TW_LAB_SVC_TCP:
		snprintf(text, max, "tcp/%u", path->port);
		break;
	case TW_LAB_SVC_UDP:
		snprintf(text, max, "udp/%u", path->port);
		break;
	default:
		snprintf(text, max, "ping");
		break;
	}
	return text;
}

void tw_lab_path_describe(const struct tw_lab_path *path, char *text, size_t max)
{
	char service[16];
	const char *victim = path->victim ? path->victim->workload : "";
	const char *format = ways[path->way].text;
	size_t len = 0;
	bool first = true;

	service_text(path, service, sizeof(service));
	text[0] = '\0';
	for (const char *at = format; *at && len + 1 < max; at++) {
		const char *word = NULL;

		if (at[0] == '%' && at[1] == 's') {
			word = first && ways[path->way].has_service ? service : victim;
			first = false;
			at++;
		}
		len += (size_t)snprintf(
			text + len, max - len, "%.*s", word ? 255 : 1, word ? word : at);
	}
}

static int parse_service(const char *text, struct tw_lab_path *ret)
{
	unsigned int port = 0;
	char proto[4];

	if (strcmp(text, "ping") == 0) {
		ret->service = TW_LAB_SVC_PING;
		return 0;
	}
	if (sscanf(text, "%3[a-z]/%u", proto, &port) != 2 || port > 65535)
		return -EINVAL;
	if (strcmp(proto, "tcp") == 0)
		ret->service = TW_LAB_SVC_TCP;
	else if (strcmp(proto, "udp") == 0)
		ret->service = TW_LAB_SVC_UDP;
	else
		return -EINVAL;
	ret->port = (uint16_t)port;
	return 0;
}

static int parse_what(const struct tw_policy *policy, const char *text, struct tw_lab_path *ret)
{
	char victim[64] = "";
	size_t way = TW_LAB_WAY__MAX - 1;

	while (strncmp(text, ways[way].prefix, strlen(ways[way].prefix)) != 0)
		way--; /* The prefix of way 0 is empty, so the loop always ends there. */
	ret->way = (enum tw_lab_way)way;
	text += strlen(ways[way].prefix);
	if (ways[way].has_victim) {
		size_t len = strcspn(text, "/");

		snprintf(victim, sizeof(victim), "%.*s", (int)len, text);
		ret->victim = tw_policy_find_workload(policy, victim);
		if (!ret->victim)
			return -EINVAL;
		text += len + (text[len] == '/');
	}
	return ways[way].has_service ? parse_service(text, ret) : (*text ? -EINVAL : 0);
}

static int parse_expect(const char *text, struct tw_lab_path *ret)
{
	for (size_t i = 0; i < TW_LAB_EXPECT__MAX; i++) {
		if (strcmp(text, expect_names[i]) == 0) {
			ret->expect = (enum tw_lab_expect)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Parses one line without its comment. Returns 1 if the line is empty. */
static int parse_line(const struct tw_policy *policy, char *line, struct tw_lab_path *ret)
{
	char *fields[FIELDS];
	char *save = NULL;
	size_t n = 0;

	for (char *field = strtok_r(line, " \t\n", &save); field && n <= FIELDS;
		field = strtok_r(NULL, " \t\n", &save)) {
		if (n < FIELDS)
			fields[n] = field;
		n++;
	}
	if (n == 0)
		return 1;
	if (n != FIELDS)
		return -EINVAL;
	ret->from = tw_policy_find_workload(policy, fields[0]);
	ret->to = tw_policy_find_workload(policy, fields[1]);
	if (!ret->from || (!ret->to && strcmp(fields[1], "*") != 0) ||
		parse_what(policy, fields[2], ret) < 0 || parse_expect(fields[3], ret) < 0 ||
		tw_reason_from_name(fields[5]) < 0)
		return -EINVAL;
	if (!ret->to && ways[ret->way].has_service)
		return -EINVAL;
	if (strcmp(fields[4], "-") != 0) {
		ret->rule = tw_strdup(fields[4]);
		if (!ret->rule)
			return -ENOMEM;
	}
	ret->reason = tw_strdup(fields[5]);
	return ret->reason ? 0 : -ENOMEM;
}

static int read_policy(const char *path, struct tw_policy **ret)
{
	tw_autofile FILE *file = fopen(path, "re");
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	char part[4096];
	size_t n;
	int error;

	if (!file) {
		fprintf(stderr, "report: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	while ((n = fread(part, 1, sizeof(part), file)) > 0)
		tw_buf_add(&text, part, n);
	error = text.failed ? -ENOMEM : tw_policy_read(text.data, text.len, ret, &diags);
	if (error)
		fprintf(stderr, "report: %s: not a valid policy; see tapwall check\n", path);
	tw_diags_done(&diags);
	return error;
}

static int read_paths(FILE *file, const char *name, struct tw_lab_paths *paths)
{
	char line[512];
	unsigned int number = 0;

	while (fgets(line, sizeof(line), file)) {
		struct tw_lab_path path = {0};
		int error;

		number++;
		line[strcspn(line, "#")] = '\0';
		error = parse_line(paths->policy, line, &path);
		if (error == 1)
			continue;
		if (!error && paths->n == PATHS_MAX)
			error = -E2BIG;
		if (error) {
			fprintf(stderr, "report: %s:%u: %s\n", name, number, strerror(-error));
			free(path.rule);
			free(path.reason);
			return error;
		}
		paths->at[paths->n++] = path;
	}
	return 0;
}

int tw_lab_paths_read(const char *policy_file, const char *paths_file, struct tw_lab_paths *ret)
{
	tw_autofile FILE *file = fopen(paths_file, "re");
	struct tw_lab_paths paths = {0};
	int error;

	if (!file) {
		fprintf(stderr, "report: %s: %s\n", paths_file, strerror(errno));
		return -errno;
	}
	error = read_policy(policy_file, &paths.policy);
	if (error)
		return error;
	paths.at = tw_alloc_array(PATHS_MAX, sizeof(*paths.at));
	error = paths.at ? read_paths(file, paths_file, &paths) : -ENOMEM;
	if (error) {
		tw_lab_paths_done(&paths);
		return error;
	}
	*ret = paths;
	return 0;
}

void tw_lab_paths_done(struct tw_lab_paths *paths)
{
	for (size_t i = 0; paths->at && i < paths->n; i++) {
		free(paths->at[i].rule);
		free(paths->at[i].reason);
	}
	free(paths->at);
	tw_policy_free(paths->policy);
	*paths = (struct tw_lab_paths){0};
}

const struct tw_addr *tw_lab_vnic_addr(const struct tw_vnic *vnic, enum tw_lab_family family)
{
	for (size_t i = 0; i < vnic->n_prefixes; i++) {
		const struct tw_prefix *prefix = &vnic->prefixes[i];

		if (prefix->len == MAPPED_HOST &&
			tw_inet_is_v4(prefix->addr.b) == (family == TW_LAB_V4))
			return &prefix->addr;
	}
	return NULL;
}

bool tw_lab_path_in(const struct tw_lab_path *path, enum tw_lab_family family)
{
	return ways[path->way].in[family] && tw_lab_vnic_addr(path->from, family) &&
	       (!path->to || tw_lab_vnic_addr(path->to, family)) &&
	       (!path->victim || tw_lab_vnic_addr(path->victim, family));
}

unsigned int tw_lab_path_id(
	const struct tw_lab_paths *paths, const struct tw_lab_path *path, enum tw_lab_family family)
{
	return (unsigned int)(path - paths->at) * TW_LAB_FAMILY__MAX + family;
}

/* Returns the link-local address with the modified EUI-64 of the MAC (RFC 4291 appendix A). */
static void link_local(const uint8_t mac[6], struct tw_addr *ret)
{
	*ret = (struct tw_addr){.b = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
					mac[3], mac[4], mac[5]}};
}

/* Fills in the addresses of a frame for all guests. */
static void spec_to_all(
	const struct tw_lab_path *path, enum tw_lab_family family, struct tw_lab_spec *ret)
{
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	const struct tw_vnic *who = path->victim ? path->victim : path->from;

	memset(ret->dst_mac, 0xff, 6);
	ret->src = *tw_lab_vnic_addr(who, family);
	ret->dst = ret->src;
	switch (path->way) {
	case TW_LAB_CLAIM_ARP:
		ret->kind = TW_LAB_ARP;
		break;
	case TW_LAB_PLAY_DHCP:
		ret->kind = TW_LAB_DHCP_OFFER;
		ret->sport = 67;
		ret->dport = 68;
		memset(&ret->dst.b[12], 0xff, 4);
		break;
	default:
		ret->kind = path->way == TW_LAB_CLAIM_ND ? TW_LAB_ND : TW_LAB_ROUTER_ADVERT;
		if (ret->kind == TW_LAB_ROUTER_ADVERT)
			link_local(ret->src_mac, &ret->src);
		memcpy(ret->dst_mac, all_nodes_mac, 6);
		ret->dst = (struct tw_addr){.b = {0xff, 0x02, [15] = 1}};
		break;
	}
}

void tw_lab_path_spec(const struct tw_lab_paths *paths, const struct tw_lab_path *path,
	enum tw_lab_family family, struct tw_lab_spec *ret)
{
	static const enum tw_lab_kind kinds[] = {
		[TW_LAB_SVC_TCP] = TW_LAB_TCP,
		[TW_LAB_SVC_UDP] = TW_LAB_UDP,
		[TW_LAB_SVC_PING] = TW_LAB_ECHO,
	};
	bool as_mac = path->way == TW_LAB_AS_MAC;
	bool as_address = path->way == TW_LAB_AS_ADDRESS;
	unsigned int id = tw_lab_path_id(paths, path, family);
	uint16_t source_port = (uint16_t)(TW_LAB_PORT_BASE + id);
	struct tw_lab_spec spec = {
		.number = (uint16_t)id, .plain = path->way == TW_LAB_ASK, .seq = 1000};

	memcpy(spec.src_mac, as_mac ? path->victim->mac : path->from->mac, 6);
	if (!path->to) {
		spec_to_all(path, family, &spec);
		*ret = spec;
		return;
	}
	memcpy(spec.dst_mac, path->to->mac, 6);
	spec.kind = kinds[path->service];
	spec.src = *tw_lab_vnic_addr(as_address ? path->victim : path->from, family);
	spec.dst = *tw_lab_vnic_addr(path->to, family);
	spec.sport = source_port;
	spec.dport = path->port;
	spec.tcp_flags = TW_LAB_SYN;
	if (path->way == TW_LAB_STRAY_ACK || path->way == TW_LAB_STRAY_SYNACK) {
		spec.tcp_flags = TW_LAB_ACK;
		spec.ack = 2000;
	}
	if (path->way == TW_LAB_STRAY_SYNACK) {
		/* The frame looks like an answer: it goes from the service's port to the client's
		 * port. */
		spec.tcp_flags |= TW_LAB_SYN;
		spec.sport = path->port;
		spec.dport = source_port;
	}
	*ret = spec;
}
