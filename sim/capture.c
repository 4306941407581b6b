/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "sim/judge.h"
#include "sim/pcapng.h"

#define LINKTYPE_RAW 101
#define NS_PER_S     1000000000ull
#define PCAPNG_START 0x0a /* first byte of the first block's type, in either byte order */
/* Year 2262, the last one whose nanoseconds fit in 63 bits. Clocks of broken files stop there. */
#define TIME_MAX_S 9223372035ll

/* Either `pcap`, which owns the file, or `pcapng` and `file`. */
struct tw_capture {
	pcap_t *pcap;
	struct tw_pcapng *pcapng;
	FILE *file;
	uint64_t time_ns;
	uint8_t *room;
	size_t max;
};

/* Finds the length of a frame's link layer and the EtherType behind it. Returns 0, or -1 if they
 * cannot be determined. */
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

/* LINKTYPE_NULL and LINKTYPE_LOOP: four bytes of address family. Its value for IPv6 differs
 * between systems, so the IP header is read instead. */
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

int tw_capture_take(FILE *file, const char *place, struct tw_capture **ret, struct tw_err *err)
{
	tw_auto(tw_capture) struct tw_capture *capture = tw_alloc(sizeof(*capture));
	char why[PCAP_ERRBUF_SIZE] = "";
	int first = getc(file);

	if (!capture) {
		fclose(file);
		return tw_err_set(err, -ENOMEM, place, NULL, "out of memory");
	}
	ungetc(first, file);
	if (first == PCAPNG_START) {
		capture->file = file;
		if (tw_pcapng_new(file, &capture->pcapng) < 0)
			return tw_err_set(err, -ENOMEM, place, NULL, "out of memory");
	} else {
		capture->pcap = pcap_fopen_offline_with_tstamp_precision(
			file, PCAP_TSTAMP_PRECISION_NANO, why);
		if (!capture->pcap) {
			fclose(file);
			return tw_err_set(err, -EINVAL, place, "give a pcap or pcapng file",
				"not a readable capture: %s", why);
		}
	}
	*ret = TW_TAKE_PTR(capture);
	return 0;
}

int tw_capture_open(const char *path, struct tw_capture **ret, struct tw_err *err)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "rbe") : fdopen(dup(STDIN_FILENO), "rb");

	if (!file)
		return tw_err_set(err, -errno, tw_file_label(path), NULL, "cannot read it: %s",
			strerror(errno));
	return tw_capture_take(file, tw_file_label(path), ret, err);
}

void tw_capture_free(struct tw_capture *capture)
{
	if (!capture)
		return;
	if (capture->pcap)
		pcap_close(capture->pcap);
	tw_pcapng_free(capture->pcapng);
	if (capture->file)
		fclose(capture->file);
	free(capture->room);
	free(capture);
}

static const char *link_name(int link)
{
	const char *name = pcap_datalink_val_to_name(link);

	return name ? name : "unknown";
}

static uint64_t time_of(const struct pcap_pkthdr *header)
{
	long long s = header->ts.tv_sec, ns = header->ts.tv_usec;

	s = s < 0 ? 0 : s > TIME_MAX_S ? TIME_MAX_S : s;
	ns = ns < 0 || ns >= (long long)NS_PER_S ? 0 : ns;
	return (uint64_t)s * NS_PER_S + (uint64_t)ns;
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

/* Returns the index in `links` of a link type, or -1. LINKTYPE_RAW is 101 in files; DLT_RAW of
 * this system may differ. */
static int find_link(int link)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].link == (link == LINKTYPE_RAW ? DLT_RAW : link))
			return (int)i;
	return -1;
}

/* Copies a packet. If it has no Ethernet header, puts one before it. */
static int take_packet(struct tw_capture *capture, const struct tw_pcapng_packet *packet,
	struct tw_capture_frame *ret)
{
	size_t wire_len = packet->wire_len > packet->len ? packet->wire_len : packet->len;
	int link = find_link(packet->link);
	size_t skip = 0, head = 0;
	uint16_t type = 0;

	if (link < 0)
		return 0;
	if (links[link].strip) {
		if (links[link].strip(packet->data, packet->len, &skip, &type) < 0)
			return 0;
		head = ETH_HLEN;
	}
	if (make_room(capture, head + packet->len - skip + TW_JUDGE_ROOM) < 0)
		return -ENOMEM;
	if (head) {
		memset(capture->room, 0, ETH_HLEN);
		capture->room[2 * ETH_ALEN] = (uint8_t)(type >> 8);
		capture->room[2 * ETH_ALEN + 1] = (uint8_t)type;
	}
	memcpy(capture->room + head, packet->data + skip, packet->len - skip);
	ret->data = capture->room;
	ret->len = head + packet->len - skip;
	ret->wire_len = head + wire_len - skip;
	ret->max = capture->max;
	ret->made_up = head != 0;
	ret->unsupported = false;
	return 0;
}

static int next_pcap(struct tw_capture *capture, struct tw_pcapng_packet *ret, struct tw_err *err)
{
	struct pcap_pkthdr *header;
	int code = pcap_next_ex(capture->pcap, &header, &ret->data);

	if (code == PCAP_ERROR_BREAK)
		return 0;
	if (code != 1)
		return tw_err_set(err, -EINVAL, NULL, NULL, "the capture is broken: %s",
			pcap_geterr(capture->pcap));
	ret->link = pcap_datalink(capture->pcap);
	ret->time_ns = time_of(header);
	ret->len = header->caplen;
	ret->wire_len = header->len;
	return 1;
}

int tw_capture_next(struct tw_capture *capture, struct tw_capture_frame *ret, struct tw_err *err)
{
	struct tw_capture_frame frame = {.unsupported = true};
	struct tw_pcapng_packet packet;
	int code = capture->pcap ? next_pcap(capture, &packet, err)
				 : tw_pcapng_next(capture->pcapng, &packet, err);

	if (code <= 0)
		return code;
	if (packet.time_ns > capture->time_ns)
		capture->time_ns = packet.time_ns;
	if (take_packet(capture, &packet, &frame) < 0)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	frame.time_ns = capture->time_ns;
	frame.link = link_name(packet.link);
	*ret = frame;
	return 1;
}
