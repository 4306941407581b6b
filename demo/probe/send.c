/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* send.c: sends frames built by frame.c, bypassing the guest's own stack. */
#include "demo/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "demo/frame.h"
#include "fastpath/abi/names.h"

static int parse_mac(const char *text, uint8_t mac[6])
{
	struct ether_addr parsed;

	if (!text || !ether_aton_r(text, &parsed))
		return -EINVAL;
	memcpy(mac, parsed.ether_addr_octet, 6);
	return 0;
}

static uint16_t parse_port(const char *text)
{
	return text ? (uint16_t)strtoul(text, NULL, 10) : 0;
}

/* ROW,KIND,SRC-MAC,DST-MAC,SRC,DST,SOURCE-PORT,PORT,FLAGS */
static int parse_spec(char *text, struct tw_lab_spec *spec)
{
	char *rest = text;
	const char *row = strsep(&rest, ",");
	const char *kind = strsep(&rest, ",");
	const char *src;
	const char *dst;
	int i;

	if (!kind || parse_mac(strsep(&rest, ","), spec->src_mac) < 0 ||
		parse_mac(strsep(&rest, ","), spec->dst_mac) < 0)
		return -EINVAL;
	for (i = 0; i < TW_LAB__MAX && strcmp(tw_lab_kind_name(i), kind) != 0; i++)
		;
	if (i == TW_LAB__MAX)
		return -EINVAL;
	spec->kind = (enum tw_lab_kind)i;
	spec->number = parse_port(row);
	src = strsep(&rest, ",");
	dst = strsep(&rest, ",");
	if (!src || !dst || tw_addr_parse(src, &spec->src) < 0 ||
		tw_addr_parse(dst, &spec->dst) < 0)
		return -EINVAL;
	spec->sport = parse_port(strsep(&rest, ","));
	spec->dport = parse_port(strsep(&rest, ","));
	spec->tcp_flags = (uint8_t)parse_port(strsep(&rest, ","));
	spec->seq = 1000;
	spec->ack = spec->tcp_flags & TW_LAB_ACK ? 2000 : 0;
	return 0;
}

int tw_probe_send(int argc, char **argv)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};
	tw_autofd int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (argc < 2 || fd < 0)
		return 2;
	to.sll_ifindex = (int)if_nametoindex(argv[0]);
	for (int i = 1; i < argc; i++) {
		struct tw_lab_spec spec = {0};
		struct tw_lab_frame frame;

		if (parse_spec(argv[i], &spec) < 0) {
			fprintf(stderr, "probe: send: cannot read \"%s\"\n", argv[i]);
			return 2;
		}
		tw_lab_frame_build(&spec, &frame);
		if (sendto(fd, frame.data, frame.len, 0, (struct sockaddr *)&to, sizeof(to)) !=
			(ssize_t)frame.len) {
			fprintf(stderr, "probe: send: %s: %s\n", argv[0], strerror(errno));
			return 1;
		}
	}
	return 0;
}
