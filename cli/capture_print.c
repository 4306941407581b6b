/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clean.h"
#include "cli/capture.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"
#include "link/flow.h"
#include "link/json.h"
#include "sim/glance.h"
#include "sim/tuple.h"

/* Fixed column widths, as in log.c: a stream cannot know how wide its columns will be. */
#define VERDICT_WIDTH 6
#define PLACE_WIDTH   12
#define WHAT_WIDTH    44
#define LEN_WIDTH     5

/* Prints the time of day without a date, because a capture is live. */
static void put_time(uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000u);
	char text[16] = "?";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s%s.%06u%s  ", tw_style_on(TW_STYLE_DIM), text,
		(unsigned int)(time_ns % 1000000000u / 1000), tw_style_off());
}

/* Prints protocol, ends and TCP flags. */
static void put_what(const Tapwall__V1__CapturedFrame *frame)
{
	char text[TW_GLANCE_TEXT_MAX], line[TW_GLANCE_TEXT_MAX + 32], vlan[16] = "";
	struct tw_glance glance;

	tw_glance_read(frame->data.data, frame->data.len, &glance);
	if (glance.vlan)
		snprintf(vlan, sizeof(vlan), "vlan %u ", glance.vlan);
	snprintf(line, sizeof(line), "%s%s%s%s", vlan,
		tw_glance_text(&glance, tw_glyph(TW_GLYPH_ARROW), text),
		glance.tcp_flags ? " " : "", tw_tcp_flags_text(glance.tcp_flags).text);
	tw_style_put(TW_STYLE_STRONG, line, WHAT_WIDTH);
}

static void put_why(const Tapwall__V1__CapturedFrame *frame)
{
	char text[512];
	int n = 0;

	if (frame->rule[0])
		n = snprintf(text, sizeof(text), "rule %.200s", frame->rule);
	if (!frame->rule[0] || strcmp(frame->reason, "policy"))
		snprintf(text + n, sizeof(text) - (size_t)n, "%s%.64s", n ? ", " : "",
			frame->reason);
	tw_clean(text, strlen(text));
	printf("%s%s%s\n", tw_style_on(TW_STYLE_DIM), text, tw_style_off());
}

const char *tw_capture_gap(uint64_t gap_ns, char *text)
{
	if (!gap_ns)
		return NULL;
	snprintf(text, TW_CAPTURE_GAP_MAX, "frames are missing here: the agent was gone for %s",
		tw_human_span((double)gap_ns / 1e9).text);
	return text;
}

void tw_capture_print(const Tapwall__V1__CapturedFrame *frame, uint64_t gap_ns)
{
	char text[256];

	if (tw_capture_gap(gap_ns, text))
		printf("%s%s%s\n", tw_style_on(TW_STYLE_WARN), text, tw_style_off());
	if (frame->lost_before)
		printf("%s%s frames are missing here%s\n", tw_style_on(TW_STYLE_WARN),
			tw_human_count(frame->lost_before).text, tw_style_off());
	put_time(frame->time_ns);
	snprintf(text, sizeof(text), "%.32s", frame->verdict);
	tw_style_put(tw_style_of(frame->verdict), text, VERDICT_WIDTH);
	snprintf(text, sizeof(text), "%.200s %.8s",
		frame->workload[0] ? frame->workload : frame->port, frame->direction);
	tw_style_put(TW_STYLE_NAME, text, PLACE_WIDTH);
	put_what(frame);
	printf("%*u  ", LEN_WIDTH, frame->len);
	put_why(frame);
}

static json_t *json_mac(const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return tw_json_text(text);
}

static json_t *json_end(const struct tw_glance *glance, enum tw_dir end)
{
	bool ports = glance->has_ports && tw_tuple_has_ports(glance->proto);
	char text[INET6_ADDRSTRLEN];

	if (!glance->has_addrs)
		return json_null();
	return json_pack("{s:o, s:o}", "address",
		tw_json_text(tw_addr_format(&glance->addr[end], text)), "port",
		ports ? tw_json_u64(glance->port[end]) : json_null());
}

int tw_capture_print_json(const Tapwall__V1__CapturedFrame *frame, uint64_t gap_ns)
{
	struct tw_glance glance;
	char number[4];
	json_t *why, *what;

	tw_glance_read(frame->data.data, frame->data.len, &glance);
	why = json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time",
		(double)frame->time_ns / 1e9, "port", tw_json_text(frame->port), "workload",
		tw_json_text(frame->workload), "direction", tw_json_text(frame->direction),
		"verdict", tw_json_text(frame->verdict), "reason", tw_json_text(frame->reason),
		"rule", tw_json_text(frame->rule), "stage", tw_json_text(frame->stage), "len",
		tw_json_u64(frame->len));
	what = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "vlan",
		tw_json_u64(glance.vlan), "proto",
		glance.has_proto ? tw_json_text(tw_tuple_proto_name(glance.proto, number))
				 : json_null(),
		"from", json_end(&glance, TW_DIR_OUT), "to", json_end(&glance, TW_DIR_IN),
		"tcp_flags", tw_json_text(tw_tcp_flags_text(glance.tcp_flags).text), "src_mac",
		json_mac(glance.mac[TW_DIR_OUT]), "dst_mac", json_mac(glance.mac[TW_DIR_IN]),
		"ethertype", tw_json_u64(glance.type), "lost_before",
		tw_json_u64(frame->lost_before), "gap_before_s", tw_json_s((double)gap_ns / 1e9));
	return tw_report_json(tw_flow_proto_json(tw_json_merge(why, what),
		glance.has_proto ? tw_tuple_proto_name(glance.proto, number) : "",
		glance.icmp_type));
}

const char *tw_capture_comment(const Tapwall__V1__CapturedFrame *frame, char *text)
{
	int n = snprintf(text, TW_CAPTURE_COMMENT_MAX, "verdict=%.16s reason=%.48s", frame->verdict,
		frame->reason);

	if (frame->rule[0])
		n += snprintf(
			text + n, TW_CAPTURE_COMMENT_MAX - (size_t)n, " rule=%.128s", frame->rule);
	n += snprintf(text + n, TW_CAPTURE_COMMENT_MAX - (size_t)n, " direction=%.8s stage=%.16s",
		frame->direction, frame->stage);
	if (frame->workload[0])
		snprintf(text + n, TW_CAPTURE_COMMENT_MAX - (size_t)n, " workload=%.128s",
			frame->workload);
	return text;
}
