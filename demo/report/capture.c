/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/report/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define START_SECONDS 1700000000 /* any time; the same one in each run */
#define STEP_US	      1000
#define SNAPLEN	      65535

struct writer {
	pcap_dumper_t *dumper;
	FILE *index;
	unsigned long n;
};

/* The frames of an answered TCP connection: direction, flags, relative sequence number. */
static const struct {
	bool reply;
	uint8_t flags;
	uint32_t seq; /* relative */
	uint32_t ack;
} tcp_exchange[] = {
	{false, TW_LAB_SYN, 0, 0},
	{true, TW_LAB_SYN | TW_LAB_ACK, 0, 1},
	{false, TW_LAB_ACK, 1, 1},
	{false, TW_LAB_FIN | TW_LAB_ACK, 1, 1},
	{true, TW_LAB_FIN | TW_LAB_ACK, 1, 2},
	{false, TW_LAB_ACK, 2, 2},
};

static void write_frame(struct writer *writer, unsigned int id, const struct tw_lab_spec *spec)
{
	struct tw_lab_frame frame;
	struct pcap_pkthdr header = {0};
	unsigned long us = writer->n * STEP_US;

	tw_lab_frame_build(spec, &frame);
	header.ts.tv_sec = (time_t)(START_SECONDS + us / 1000000);
	header.ts.tv_usec = (suseconds_t)(us % 1000000);
	header.caplen = (bpf_u_int32)frame.len;
	header.len = (bpf_u_int32)frame.len;
	pcap_dump((u_char *)writer->dumper, &header, frame.data);
	fprintf(writer->index, "%lu %u\n", ++writer->n, id);
}

/* Swaps the ends of a frame, for the reply. */
static void turn_around(struct tw_lab_spec *spec)
{
	struct tw_lab_spec old = *spec;

	memcpy(spec->src_mac, old.dst_mac, 6);
	memcpy(spec->dst_mac, old.src_mac, 6);
	spec->src = old.dst;
	spec->dst = old.src;
	spec->sport = old.dport;
	spec->dport = old.sport;
}

static void write_tcp(struct writer *writer, unsigned int id, const struct tw_lab_spec *first)
{
	for (size_t i = 0; i < sizeof(tcp_exchange) / sizeof(tcp_exchange[0]); i++) {
		struct tw_lab_spec spec = *first;

		if (tcp_exchange[i].reply)
			turn_around(&spec);
		spec.tcp_flags = tcp_exchange[i].flags;
		spec.seq = (tcp_exchange[i].reply ? 5000 : 1000) + tcp_exchange[i].seq;
		if (spec.tcp_flags & TW_LAB_ACK)
			spec.ack = (tcp_exchange[i].reply ? 1000 : 5000) + tcp_exchange[i].ack;
		write_frame(writer, id, &spec);
	}
}

static void write_path(struct writer *writer, const struct tw_lab_paths *paths,
	const struct tw_lab_path *path, enum tw_lab_family family)
{
	unsigned int id = tw_lab_path_id(paths, path, family);
	struct tw_lab_spec spec;

	tw_lab_path_spec(paths, path, family, &spec);
	if (path->expect == TW_LAB_ANSWERED && path->service == TW_LAB_SVC_TCP) {
		write_tcp(writer, id, &spec);
		return;
	}
	write_frame(writer, id, &spec);
	if (path->expect != TW_LAB_ANSWERED)
		return;
	turn_around(&spec);
	if (spec.kind == TW_LAB_ECHO) {
		spec.kind = TW_LAB_ECHO_REPLY;
		spec.sport = spec.dport; /* the identifier */
	}
	write_frame(writer, id, &spec);
}

static bool is_wanted(const struct tw_lab_path *path, const char *guest)
{
	if (!guest)
		return path->way == TW_LAB_ASK;
	return path->way != TW_LAB_ASK && strcmp(path->from->workload, guest) == 0;
}

int tw_lab_capture_write(const struct tw_lab_paths *paths, const char *pcap_file,
	const char *index_file, const char *guest)
{
	tw_autofile FILE *index = fopen(index_file, "we");
	struct writer writer = {.index = index};
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	bool written;

	writer.dumper = pcap ? pcap_dump_open(pcap, pcap_file) : NULL;
	if (!index || !writer.dumper) {
		fprintf(stderr, "report: %s: %s\n", index ? pcap_file : index_file,
			index && pcap ? pcap_geterr(pcap) : strerror(errno));
		if (pcap)
			pcap_close(pcap);
		return 5;
	}
	for (size_t i = 0; i < paths->n * TW_LAB_FAMILY__MAX; i++) {
		const struct tw_lab_path *path = &paths->at[i / TW_LAB_FAMILY__MAX];
		enum tw_lab_family family = (enum tw_lab_family)(i % TW_LAB_FAMILY__MAX);

		if (tw_lab_path_in(path, family) && is_wanted(path, guest))
			write_path(&writer, paths, path, family);
	}
	written = pcap_dump_flush(writer.dumper) == 0 && fflush(index) == 0;
	pcap_dump_close(writer.dumper);
	pcap_close(pcap);
	if (!written)
		fprintf(stderr, "report: cannot write all of %s\n", pcap_file);
	return written ? 0 : 5;
}
