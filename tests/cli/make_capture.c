/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* make_capture FORM FILE: writes a small capture of the traffic that the replay transcripts use.
 *
 * Forms: ethernet, raw, null, sll, sll2 (the same frames behind other link layers), usb (a link
 * layer without frames), pcapng, cut (each frame cut to 40 bytes), broken (ends inside a frame),
 * clock (timestamps that go back and far ahead), apps (connections of several applications, some
 * with segments that come twice or out of order).
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fastpath/abi/names.h"
#include "sim/frame.h"

#define START_S	   1700000000
#define CUT_LEN	   40
#define IP4_LEN	   20
#define FRAMES_MAX 16
#define DAY_US	   86400000000ull

struct frame {
	uint8_t data[TW_FRAME_MAX];
	size_t len;
	uint64_t time_us;
};

struct capture {
	struct frame at[FRAMES_MAX];
	size_t n;
};

static const uint8_t web_mac[] = {0x52, 0x54, 0, 0, 0, 1};
static const uint8_t db_mac[] = {0x52, 0x54, 0, 0, 0, 2};
static const uint8_t other_mac[] = {0x52, 0x54, 0, 0, 0, 9};

static struct frame *add(struct capture *capture, const uint8_t *from_mac, const uint8_t *to_mac,
	const char *from, const char *to, uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct frame *frame = &capture->at[capture->n];
	struct tw_query tuple = {.proto = proto, .sport = sport, .dport = dport, .type = 8};

	if (tw_addr_parse(from, &tuple.addr[TW_DIR_OUT]) < 0 ||
		tw_addr_parse(to, &tuple.addr[TW_DIR_IN]) < 0)
		exit(1);
	frame->len = tw_frame_build(&tuple, frame->data);
	memcpy(frame->data, to_mac, ETH_ALEN);
	memcpy(frame->data + ETH_ALEN, from_mac, ETH_ALEN);
	frame->time_us = capture->n * 250000;
	capture->n++;
	return frame;
}

static void set_tcp(struct frame *frame, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tcphdr tcp;

	memcpy(&tcp, frame->data + ETH_HLEN + IP4_LEN, sizeof(tcp));
	tcp.th_flags = flags;
	tcp.th_seq = htonl(seq);
	tcp.th_ack = htonl(ack);
	memcpy(frame->data + ETH_HLEN + IP4_LEN, &tcp, sizeof(tcp));
}

static uint16_t header_sum(const struct ip *ip)
{
	const uint16_t *words = (const void *)ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*ip) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void add_all(struct capture *c)
{
	struct frame *f;

	f = add(c, web_mac, db_mac, "10.0.0.11", "10.0.0.21", IPPROTO_TCP, 40000, 5432);
	set_tcp(f, TH_SYN, 1, 0);
	f = add(c, db_mac, web_mac, "10.0.0.21", "10.0.0.11", IPPROTO_TCP, 5432, 40000);
	set_tcp(f, TH_SYN | TH_ACK, 100, 2);
	f = add(c, web_mac, db_mac, "10.0.0.11", "10.0.0.21", IPPROTO_TCP, 40000, 5432);
	set_tcp(f, TH_ACK, 2, 101);
	add(c, web_mac, db_mac, "10.0.0.11", "10.0.0.21", IPPROTO_TCP, 40001, 23);
	add(c, web_mac, db_mac, "10.0.0.99", "10.0.0.21", IPPROTO_UDP, 5000, 53);
	add(c, other_mac, web_mac, "10.20.1.1", "10.0.0.11", IPPROTO_TCP, 33333, 443);
	add(c, other_mac, db_mac, "10.20.1.1", "10.0.0.21", IPPROTO_ICMP, 0, 0);
	add(c, other_mac, other_mac, "192.0.2.1", "192.0.2.2", IPPROTO_UDP, 1, 2);
}

/* A request, and a reply after ten seconds. */
static void add_late(struct capture *c)
{
	add(c, web_mac, db_mac, "10.0.0.11", "10.0.0.21", IPPROTO_UDP, 4000, 53);
	add(c, db_mac, web_mac, "10.0.0.21", "10.0.0.11", IPPROTO_UDP, 53, 4000)->time_us =
		10000000;
}

/* Adds a segment between the web server, which listens or connects, and the database. */
static void add_data(struct capture *c, bool from_web, uint16_t web_port, uint16_t db_port,
	uint8_t flags, uint32_t seq, const char *data, size_t len)
{
	struct frame *f = from_web ? add(c, web_mac, db_mac, "10.0.0.11", "10.0.0.21", IPPROTO_TCP,
					     web_port, db_port)
				   : add(c, db_mac, web_mac, "10.0.0.21", "10.0.0.11", IPPROTO_TCP,
					     db_port, web_port);
	struct ip ip;

	set_tcp(f, flags, seq, flags & TH_ACK ? (from_web ? 101 : 2) : 0);
	/* Checksums of captures may be incomplete, except for the IP header's. */
	memcpy(&ip, f->data + ETH_HLEN, sizeof(ip));
	memcpy(f->data + f->len, data, len);
	f->len += len;
	ip.ip_len = htons((uint16_t)(f->len - ETH_HLEN));
	ip.ip_sum = 0;
	ip.ip_sum = header_sum(&ip);
	memcpy(f->data + ETH_HLEN, &ip, sizeof(ip));
}

static void add_handshake(struct capture *c, uint16_t web_port, const char *in_syn)
{
	add_data(c, true, web_port, 5432, TH_SYN, 1, in_syn, strlen(in_syn));
	add_data(c, false, web_port, 5432, TH_SYN | TH_ACK, 100, "", 0);
}

/* PostgreSQL: a request for TLS. SSH: the second half comes first, and again. HTTP: in the SYN. Bytes of
 * no application. */
static void add_apps(struct capture *c)
{
	add_handshake(c, 40000, "");
	add_data(c, true, 40000, 5432, TH_ACK, 2, "\0\0\0\10\4\322\026\57", 8);
	add_data(c, false, 40000, 5432, TH_ACK, 101, "S", 1);
	add_handshake(c, 40001, "");
	add_data(c, true, 40001, 5432, TH_ACK, 5, "-2.0-OpenSSH", 12);
	add_data(c, true, 40001, 5432, TH_ACK, 5, "-2.0-xxxxxxx", 12);
	add_data(c, true, 40001, 5432, TH_ACK, 2, "SSH", 3);
	add_handshake(c, 40002, "GET / HTTP/1.1\r\n");
	add_handshake(c, 40003, "");
	add_data(c, true, 40003, 5432, TH_ACK, 2, "hello", 5);
}

/* ---- writing ---- */

struct form {
	const char *name;
	int link;
	size_t head_len; /* replaces the Ethernet header */
	uint8_t head[20];
};

static const struct form forms[] = {
	{.name = "ethernet", .link = DLT_EN10MB},
	{.name = "cut", .link = DLT_EN10MB},
	{.name = "broken", .link = DLT_EN10MB},
	{.name = "clock", .link = DLT_EN10MB},
	{.name = "apps", .link = DLT_EN10MB},
	{.name = "late", .link = DLT_EN10MB},
	{.name = "raw", .link = DLT_RAW},
	{.name = "null", .link = DLT_NULL, .head_len = 4, .head = {2}},
	{.name = "sll", .link = DLT_LINUX_SLL, .head_len = 16, .head = {[14] = 8}},
	{.name = "sll2", .link = DLT_LINUX_SLL2, .head_len = 20, .head = {8}},
	{.name = "usb", .link = DLT_USB_LINUX},
};

static void write_frame(pcap_dumper_t *out, const struct form *form, const struct frame *frame)
{
	bool ethernet = form->link == DLT_EN10MB || form->link == DLT_USB_LINUX;
	size_t skip = ethernet ? 0 : ETH_HLEN;
	uint8_t data[TW_FRAME_MAX + sizeof(form->head)];
	struct pcap_pkthdr header = {0};

	memcpy(data, form->head, form->head_len);
	memcpy(data + form->head_len, frame->data + skip, frame->len - skip);
	header.ts.tv_sec = (time_t)(START_S + frame->time_us / 1000000);
	header.ts.tv_usec = (suseconds_t)(frame->time_us % 1000000);
	header.len = (bpf_u_int32)(form->head_len + frame->len - skip);
	header.caplen = header.len;
	if (!strcmp(form->name, "cut") && header.caplen > CUT_LEN)
		header.caplen = CUT_LEN;
	pcap_dump((u_char *)out, &header, data);
}

static int write_pcap(const struct capture *capture, const struct form *form, const char *path)
{
	pcap_t *pcap = pcap_open_dead(form->link, 65535);
	pcap_dumper_t *out = pcap ? pcap_dump_open(pcap, path) : NULL;
	long len;

	if (!out)
		return 1;
	for (size_t i = 0; i < capture->n; i++)
		write_frame(out, form, &capture->at[i]);
	pcap_dump_flush(out);
	len = pcap_dump_ftell(out);
	pcap_dump_close(out);
	pcap_close(pcap);
	if (!strcmp(form->name, "broken"))
		return truncate(path, len - 10) != 0;
	return 0;
}

static void put32(FILE *out, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

/* Section header, one Ethernet interface with timestamps in microseconds, one enhanced packet block
 * per frame: draft-ietf-opsawg-pcapng §4. */
static int write_pcapng(const struct capture *capture, const char *path)
{
	static const uint8_t pad[4];
	tw_autofile FILE *out = fopen(path, "wbe");

	if (!out)
		return 1;
	put32(out, 0x0a0d0d0a);
	put32(out, 28);
	put32(out, 0x1a2b3c4d);
	put32(out, 1);
	put32(out, UINT32_MAX);
	put32(out, UINT32_MAX);
	put32(out, 28);
	put32(out, 1);
	put32(out, 20);
	put32(out, DLT_EN10MB);
	put32(out, 65535);
	put32(out, 20);
	for (size_t i = 0; i < capture->n; i++) {
		const struct frame *frame = &capture->at[i];
		uint64_t time_us = START_S * 1000000ull + frame->time_us;
		uint32_t padded = ((uint32_t)frame->len + 3) & ~3u;

		put32(out, 6);
		put32(out, 32 + padded);
		put32(out, 0);
		put32(out, (uint32_t)(time_us >> 32));
		put32(out, (uint32_t)time_us);
		put32(out, (uint32_t)frame->len);
		put32(out, (uint32_t)frame->len);
		fwrite(frame->data, frame->len, 1, out);
		fwrite(pad, padded - frame->len, 1, out);
		put32(out, 32 + padded);
	}
	return ferror(out);
}

int main(int argc, char **argv)
{
	struct capture capture = {0};

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "late"))
		add_late(&capture);
	else if (!strcmp(argv[1], "apps"))
		add_apps(&capture);
	else
		add_all(&capture);
	if (!strcmp(argv[1], "pcapng"))
		return write_pcapng(&capture, argv[2]);
	if (!strcmp(argv[1], "clock")) {
		capture.at[1].time_us = 0;
		capture.at[2].time_us = 30 * DAY_US;
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(forms[i].name, argv[1]))
			return write_pcap(&capture, &forms[i], argv[2]);
	return 2;
}
