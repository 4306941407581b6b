/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/judge.h"
#include "cli/report.h"

#define NS_PER_S 1000000000ull
/* Year 2262: beyond it nanoseconds do not fit 63 bits. Clocks of broken files stop there. */
#define TIME_MAX_S 9223372035ll

struct tw_capture {
	pcap_t *pcap;
	int link;
	uint64_t time_ns;
	uint8_t *room;
	size_t max;
};

/* How much of a frame stands before the network layer, and which protocol that is. 0, or -1 when
 * it cannot be told. */
typedef int strip_link(const uint8_t *data, size_t len, size_t *ret_skip, uint16_t *ret_type);

static int type_of_ip(const uint8_t *data, size_t len, size_t skip, uint16_t *ret_type)
{
	if (len <= skip)
		return -1;
	if (data[skip] >> 4 != 4 && data[skip] >> 4 != 6)
		return -1;
	*ret_type = data[skip] >> 4 == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
	return 0;
}

static int strip_raw(const uint8_t *data, size_t len, size_t *ret_skip, uint16_t *ret_type)
{
	*ret_skip = 0;
	return type_of_ip(data, len, 0, ret_type);
}

/* LINKTYPE_NULL and LINKTYPE_LOOP: four bytes of address family, whose value for IPv6 differs from
 * system to system, so the IP header tells. */
static int strip_loopback(const uint8_t *data, size_t len, size_t *ret_skip, uint16_t *ret_type)
{
	*ret_skip = 4;
	return type_of_ip(data, len, 4, ret_type);
}

static int strip_cooked_at(const uint8_t *data, size_t len, size_t header_len, size_t type_at,
	size_t *ret_skip, uint16_t *ret_type)
{
	uint16_t type_be16;

	if (len < header_len)
		return -1;
	memcpy(&type_be16, data + type_at, sizeof(type_be16));
	*ret_skip = header_len;
	*ret_type = ntohs(type_be16);
	return *ret_type >= ETHERTYPE_PUP ? 0 : -1;
}

static int strip_cooked(const uint8_t *data, size_t len, size_t *ret_skip, uint16_t *ret_type)
{
	return strip_cooked_at(data, len, 16, 14, ret_skip, ret_type);
}

static int strip_cooked2(const uint8_t *data, size_t len, size_t *ret_skip, uint16_t *ret_type)
{
	return strip_cooked_at(data, len, 20, 0, ret_skip, ret_type);
}

static const struct {
	int link;
	strip_link *strip; /* NULL: Ethernet */
} links[] = {
	{DLT_EN10MB, NULL},
	{DLT_RAW, strip_raw},
	{DLT_IPV4, strip_raw},
	{DLT_IPV6, strip_raw},
	{DLT_NULL, strip_loopback},
	{DLT_LOOP, strip_loopback},
	{DLT_LINUX_SLL, strip_cooked},
	{DLT_LINUX_SLL2, strip_cooked2},
};

int tw_capture_open(const char *path, struct tw_capture **ret, struct tw_err *err)
{
	tw_auto(tw_capture) struct tw_capture *capture = tw_alloc(sizeof(*capture));
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *file;

	if (!capture)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	file = strcmp(path, "-") ? fopen(path, "rbe") : fdopen(dup(STDIN_FILENO), "rb");
	if (!file)
		return tw_err_set(err, -errno, tw_file_label(path), NULL, "cannot read it: %s",
			strerror(errno));
	capture->pcap = pcap_fopen_offline_with_tstamp_precision(
		file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!capture->pcap) {
		fclose(file);
		return tw_err_set(err, -EINVAL, tw_file_label(path), "give a pcap or pcapng file",
			"no capture that can be read: %s", why);
	}
	capture->link = pcap_datalink(capture->pcap);
	*ret = TW_TAKE_PTR(capture);
	return 0;
}

void tw_capture_free(struct tw_capture *capture)
{
	if (!capture)
		return;
	if (capture->pcap)
		pcap_close(capture->pcap);
	free(capture->room);
	free(capture);
}

const char *tw_capture_link(const struct tw_capture *capture)
{
	const char *name = pcap_datalink_val_to_name(capture->link);

	return name ? name : "unknown";
}

static void move_clock(struct tw_capture *capture, const struct pcap_pkthdr *header)
{
	long long s = header->ts.tv_sec, ns = header->ts.tv_usec;
	uint64_t time_ns;

	s = s < 0 ? 0 : s > TIME_MAX_S ? TIME_MAX_S : s;
	ns = ns < 0 || ns >= (long long)NS_PER_S ? 0 : ns;
	time_ns = (uint64_t)s * NS_PER_S + (uint64_t)ns;
	if (time_ns > capture->time_ns)
		capture->time_ns = time_ns;
}

static int make_room(struct tw_capture *capture, size_t max)
{
	uint8_t *room;

	if (max <= capture->max)
		return 0;
	room = tw_realloc(capture->room, max);
	if (!room)
		return -ENOMEM;
	capture->room = room;
	capture->max = max;
	return 0;
}

/* Copies a frame behind an Ethernet header of our own, or as it is when it has one. */
static int take_frame(struct tw_capture *capture, const struct pcap_pkthdr *header,
	const uint8_t *data, struct tw_capture_frame *ret)
{
	size_t len = header->caplen, wire_len = header->len > len ? header->len : len;
	size_t skip = 0, head = 0;
	strip_link *strip = NULL;
	uint16_t type = 0;
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].link == capture->link)
			break;
	if (i == sizeof(links) / sizeof(links[0]))
		return 0;
	strip = links[i].strip;
	if (strip) {
		if (strip(data, len, &skip, &type) < 0)
			return 0;
		head = ETH_HLEN;
	}
	if (make_room(capture, head + len - skip + TW_JUDGE_ROOM) < 0)
		return -ENOMEM;
	if (strip) {
		memset(capture->room, 0, ETH_HLEN);
		capture->room[2 * ETH_ALEN] = (uint8_t)(type >> 8);
		capture->room[2 * ETH_ALEN + 1] = (uint8_t)type;
	}
	memcpy(capture->room + head, data + skip, len - skip);
	ret->data = capture->room;
	ret->len = head + len - skip;
	ret->wire_len = head + wire_len - skip;
	ret->max = capture->max;
	ret->made_up = strip != NULL;
	ret->unsupported = false;
	return 0;
}

int tw_capture_next(struct tw_capture *capture, struct tw_capture_frame *ret, struct tw_err *err)
{
	struct tw_capture_frame frame = {.unsupported = true};
	struct pcap_pkthdr *header;
	const uint8_t *data;
	int code = pcap_next_ex(capture->pcap, &header, &data);

	if (code == PCAP_ERROR_BREAK)
		return 0;
	if (code != 1)
		return tw_err_set(err, -EINVAL, NULL, NULL, "the capture is broken: %s",
			pcap_geterr(capture->pcap));
	move_clock(capture, header);
	if (take_frame(capture, header, data, &frame) < 0)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	frame.time_ns = capture->time_ns;
	*ret = frame;
	return 1;
}
