/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/sheet.h"
#include "fastpath/abi/names.h"
#include "link/json.h"
#include "sim/apps.h"
#include "sim/asked.h"
#include "sim/capture.h"
#include "sim/frame.h"
#include "sim/glance.h"
#include "sim/judge.h"

#define CONNS_MAX 262144 /* size of the kernel's table by default */
/* Silence after which all connections are forgotten. Records use a clock that wraps after 2^32
 * ticks, and idle timeouts are shorter than half of that. */
#define SILENCE_NS (1ull << (31 + TW_TICK_SHIFT))
#define NS_PER_S   1e9

#define TIME_WIDTH    12
#define VERDICT_WIDTH 11
#define WHERE_WIDTH   14
#define REASON_WIDTH  16
#define RULE_WIDTH    16

/* Outcome of a frame. */
enum kind {
	KIND_ALLOW,
	KIND_WOULD_DENY,
	KIND_DENY,
	KIND_REJECT,
	KIND_UNPROTECTED,
	KIND_UNSUPPORTED,
	KIND__MAX
};

static const char *const kind_names[KIND__MAX] = {
	[KIND_ALLOW] = "allow",
	[KIND_WOULD_DENY] = "would-deny",
	[KIND_DENY] = "deny",
	[KIND_REJECT] = "reject",
	[KIND_UNPROTECTED] = "unprotected",
	[KIND_UNSUPPORTED] = "unsupported",
};

struct replay {
	const struct tw_replay_options *options;
	const struct tw_policy *policy;
	const struct tw_vnic *at; /* first vNIC of the workload given by --at, or NULL */
	struct tw_judge judge;
	struct tw_apps *apps;
	struct tw_asked_names *asked;
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t n_frames;
	uint64_t n_conns;
	bool opens;		 /* true if the frame opens a connection at either end */
	const char *unsupported; /* link layer of the last unsupported frame */
	uint64_t n_kinds[KIND__MAX];
	uint64_t n_reasons[TW_R__MAX][TW_V__MAX];
};

/* The outcome of one frame, to be printed. */
struct told {
	enum kind kind;
	const struct tw_judged_end *end; /* NULL: neither end judged it */
	const struct tw_vnic *vnic;
	enum tw_dir dir;
	enum tw_app app;   /* application of the frame's connection; TW_APP_NONE: unknown yet */
	const char *asked; /* name that the connection asks for; NULL: unknown, or none */
	struct tw_glance glance;
};

static void on_event(void *arg, const struct tw_event *event)
{
	struct replay *replay = arg;

	if (event->kind == TW_EVENT_OPEN)
		replay->opens = true;
}

static bool owns_addr(const struct tw_vnic *vnic, const struct tw_addr *addr)
{
	for (size_t p = 0; p < vnic->n_prefixes; p++) {
		const struct tw_prefix *prefix = &vnic->prefixes[p];
		size_t bytes = prefix->len / 8, bits = prefix->len % 8;

		if (memcmp(prefix->addr.b, addr->b, bytes))
			continue;
		if (!bits || !((prefix->addr.b[bytes] ^ addr->b[bytes]) >> (8 - bits)))
			return true;
	}
	return false;
}

static bool same_mac(const struct tw_vnic *vnic, const struct tw_glance *glance, enum tw_dir end)
{
	return vnic->has_mac && !memcmp(vnic->mac, glance->mac[end], sizeof(vnic->mac));
}

static bool same_addr(const struct tw_vnic *vnic, const struct tw_glance *glance, enum tw_dir end)
{
	return glance->has_addrs && owns_addr(vnic, &glance->addr[end]);
}

/* With --at, finds the workload's vNIC and the direction of the frame. MACs are compared before
 * addresses, because a test may forge addresses on purpose. A frame that carries neither is
 * treated as received, as multicast is. */
static void ends_at(const struct tw_vnic *first, const struct tw_policy *policy,
	const struct tw_glance *glance, const struct tw_vnic *ends[TW_DIR__MAX])
{
	static const struct {
		bool (*same)(const struct tw_vnic *, const struct tw_glance *, enum tw_dir);
		enum tw_dir end;
	} tries[] = {
		{same_mac, TW_DIR_OUT},
		{same_mac, TW_DIR_IN},
		{same_addr, TW_DIR_OUT},
		{same_addr, TW_DIR_IN},
	};

	ends[TW_DIR_OUT] = NULL;
	ends[TW_DIR_IN] = first;
	for (size_t t = 0; t < TW_ARGS_N(tries); t++)
		for (size_t i = first->index; i < tw_policy_n_vnics(policy); i++) {
			const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

			if (strcmp(vnic->workload, first->workload))
				break;
			if (tries[t].same(vnic, glance, tries[t].end)) {
				ends[tries[t].end] = vnic;
				ends[!tries[t].end] = NULL;
				return;
			}
		}
}

static void fill_macs(struct tw_capture_frame *frame, const struct tw_glance *glance,
	const struct tw_vnic *const ends[TW_DIR__MAX])
{
	if (!glance->has_addrs)
		return;
	tw_frame_mac(TW_DIR_IN, &glance->addr[TW_DIR_IN], ends[TW_DIR_IN], frame->data);
	tw_frame_mac(TW_DIR_OUT, &glance->addr[TW_DIR_OUT], ends[TW_DIR_OUT], frame->data + 6);
}

static void count(struct replay *replay, struct told *told)
{
	enum tw_verdict verdict = told->end ? told->end->verdict : TW_V_NONE;

	if (told->end && tw_verdict_passes(verdict))
		told->kind = verdict == TW_V_ALLOW ? KIND_ALLOW : KIND_WOULD_DENY;
	else if (told->end)
		told->kind = verdict == TW_V_REJECT ? KIND_REJECT : KIND_DENY;
	replay->n_kinds[told->kind]++;
	if (told->end)
		replay->n_reasons[told->end->reason][verdict]++;
	/* If one end allows a frame and the other refuses it, no connection is opened. */
	replay->n_conns += replay->opens &&
			   (told->kind == KIND_ALLOW || told->kind == KIND_WOULD_DENY);
}

/* Returns the application whose messages are of a kind. */
static enum tw_app app_of(enum tw_name_kind kind)
{
	switch (kind) {
	case TW_NAME_TLS:
		return TW_APP_TLS;
	case TW_NAME_HTTP:
		return TW_APP_HTTP;
	default:
		return TW_APP_DNS;
	}
}

/* Notes what the bytes of a frame's connection say so far. */
static void look(struct replay *replay, const struct tw_capture_frame *frame, struct told *told)
{
	const struct tw_key *key = &told->end->run.key;
	struct tw_asked_name asked;
	bool known = tw_asked_see(
		replay->asked, key, replay->opens, &told->glance, frame->data, &asked);

	told->app = tw_apps_see(replay->apps, key, replay->opens, &told->glance, frame->data);
	if (known && told->app == app_of(asked.kind))
		told->asked = asked.text;
}

static void judge(struct replay *replay, struct tw_capture_frame *frame,
	struct tw_judgement *judgement, struct told *told)
{
	const struct tw_vnic *ends[TW_DIR__MAX];
	struct tw_native_frame native;

	tw_glance_read(frame->data, frame->len, &told->glance);
	if (replay->at)
		ends_at(replay->at, replay->policy, &told->glance, ends);
	else
		tw_glance_ends(&told->glance, replay->policy, ends);
	if (frame->made_up)
		fill_macs(frame, &told->glance, ends);
	/* In a capture made on a host, checksums may be incomplete because of offloading, and
	 * the file does not say for which frames. */
	native = (struct tw_native_frame){.data = frame->data,
		.len = frame->len,
		.wire_len = frame->wire_len,
		.max = frame->max,
		.offload.summed = TW_SUMMED_CHECKED};
	if (frame->time_ns - replay->last_ns > SILENCE_NS) {
		tw_native_forget(replay->judge.native);
		tw_apps_forget(replay->apps);
		tw_asked_forget(replay->asked);
	}
	replay->last_ns = frame->time_ns;
	replay->opens = false;
	tw_judge_frame(&replay->judge, ends[TW_DIR_OUT], ends[TW_DIR_IN], frame->time_ns, &native,
		judgement);
	told->kind = KIND_UNPROTECTED;
	if (judgement->decider < 0)
		return;
	told->dir = (enum tw_dir)judgement->decider;
	told->end = &judgement->end[told->dir];
	told->vnic = ends[told->dir];
	/* Only frames that pass are part of their connection. */
	if (tw_verdict_passes(told->end->verdict) && told->end->run.key.proto)
		look(replay, frame, told);
}

static int print_json(const struct replay *replay, const struct told *told)
{
	const struct tw_judged_end *end = told->end;

	return tw_report_json(json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "n",
		tw_json_u64(replay->n_frames), "verdict", kind_names[told->kind], "reason",
		tw_json_text(end ? tw_reason_name(end->reason) : NULL), "rule",
		tw_json_text(end ? tw_judge_rule(&replay->judge, end->rule) : NULL), "workload",
		tw_json_text(end ? told->vnic->workload : NULL), "direction",
		tw_json_text(end ? tw_dir_name(told->dir) : NULL), "application",
		tw_json_text(tw_app_name(told->app)), "asked", tw_json_text(told->asked)));
}

static void put(enum tw_style style, size_t width, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void put(enum tw_style style, size_t width, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tw_style_put(style, text, width);
}

static void print_text(const struct replay *replay, const struct told *told)
{
	const struct tw_judged_end *end = told->end;
	const char *rule = end ? tw_judge_rule(&replay->judge, end->rule) : NULL;
	char what[TW_GLANCE_TEXT_MAX] = "";

	printf("%7llu  ", (unsigned long long)replay->n_frames);
	put(TW_STYLE_DIM, TIME_WIDTH, "%*.6f", TIME_WIDTH,
		(double)(replay->last_ns - replay->first_ns) / NS_PER_S);
	put(tw_style_of(kind_names[told->kind]), VERDICT_WIDTH, "%s", kind_names[told->kind]);
	put(TW_STYLE_PLAIN, WHERE_WIDTH, "%s%s%s", end ? told->vnic->workload : "", end ? " " : "",
		end ? tw_dir_name(told->dir) : "");
	put(TW_STYLE_PLAIN, REASON_WIDTH, "%s", end ? tw_reason_name(end->reason) : "");
	put(TW_STYLE_NAME, RULE_WIDTH, "%s", rule ? rule : "");
	if (told->kind != KIND_UNSUPPORTED)
		tw_glance_text(&told->glance, tw_glyph(TW_GLYPH_ARROW), what);
	printf("%s%s%s", tw_style_on(TW_STYLE_DIM), what, tw_style_off());
	if (told->app)
		printf("  %s%s%s%s%s", tw_style_on(TW_STYLE_NAME), tw_app_name(told->app),
			told->asked ? " " : "", told->asked ? told->asked : "", tw_style_off());
	putchar('\n');
}

static int tell(struct replay *replay, struct tw_capture_frame *frame)
{
	struct told told = {.kind = KIND_UNSUPPORTED};
	struct tw_judgement judgement;

	if (!replay->n_frames++)
		replay->first_ns = replay->last_ns = frame->time_ns;
	if (frame->unsupported)
		replay->unsupported = frame->link;
	else
		judge(replay, frame, &judgement, &told);
	count(replay, &told);
	if (replay->options->json)
		return print_json(replay, &told);
	print_text(replay, &told);
	return TW_EXIT_OK;
}

/* Adds the number of connections of each application to an object, which may be NULL. Returns 0 or -1. */
static int add_apps(const struct replay *replay, json_t *apps)
{
	for (int app = TW_APP_NONE + 1; app < TW_APP__MAX; app++) {
		uint64_t n = tw_apps_count(replay->apps, (enum tw_app)app);

		if (n && json_object_set_new(apps, tw_app_name((enum tw_app)app), tw_json_u64(n)) <
				 0)
			return -1;
	}
	return 0;
}

static int summary_json(const struct replay *replay)
{
	json_t *verdicts = json_object(), *apps = json_object();
	json_t *summary;

	if (add_apps(replay, apps) < 0) {
		json_decref(verdicts);
		json_decref(apps);
		return tw_report_memory();
	}
	for (int i = 0; i < KIND__MAX; i++)
		if (json_object_set_new(verdicts, kind_names[i], tw_json_u64(replay->n_kinds[i])) <
			0) {
			json_decref(verdicts);
			json_decref(apps);
			return tw_report_memory();
		}
	summary = json_pack("{s:o, s:o, s:o, s:o}", "frames", tw_json_u64(replay->n_frames),
		"verdicts", verdicts, "connections", tw_json_u64(replay->n_conns), "applications",
		apps);
	if (replay->n_kinds[KIND_UNSUPPORTED])
		summary = tw_json_merge(summary,
			json_pack("{s:o}", "unsupported", tw_json_text(replay->unsupported)));
	return tw_report_json(json_pack("{s:o}", "summary", summary));
}

static int summary_reasons(const struct replay *replay)
{
	static const struct tw_column columns[] = {{.title = "VERDICT"},
		{.title = "FRAMES", .right = true}, {.title = "REASON"}, {.title = "MEANS"}};
	tw_auto_sheet struct tw_sheet sheet = {
		.columns = columns, .n_columns = TW_ARGS_N(columns), .indent = "  "};

	for (int v = 0; v < TW_V__MAX; v++)
		for (int r = 0; r < TW_R__MAX; r++) {
			const char *verdict = tw_verdict_name((unsigned int)v);
			uint64_t n = replay->n_reasons[r][v];

			if (!n)
				continue;
			tw_sheet_cell(&sheet, tw_style_of(verdict), "%s", verdict);
			tw_sheet_cell(&sheet, TW_STYLE_PLAIN, "%s", tw_human_count(n).text);
			tw_sheet_cell(&sheet, TW_STYLE_NAME, "%s", tw_reason_name((unsigned int)r));
			tw_sheet_cell(&sheet, TW_STYLE_DIM, "%s", tw_reason_text((unsigned int)r));
		}
	if (!sheet.cells.n)
		return TW_EXIT_OK;
	putchar('\n');
	return tw_sheet_show(&sheet, "");
}

static int summary_apps(const struct replay *replay)
{
	static const struct tw_column columns[] = {
		{.title = "APPLICATION"}, {.title = "CONNECTIONS", .right = true}};
	tw_auto_sheet struct tw_sheet sheet = {
		.columns = columns, .n_columns = TW_ARGS_N(columns), .indent = "  "};

	for (int app = TW_APP_NONE + 1; app < TW_APP__MAX; app++) {
		uint64_t n = tw_apps_count(replay->apps, (enum tw_app)app);

		if (!n)
			continue;
		tw_sheet_cell(&sheet, TW_STYLE_NAME, "%s", tw_app_name((enum tw_app)app));
		tw_sheet_cell(&sheet, TW_STYLE_PLAIN, "%s", tw_human_count(n).text);
	}
	if (!sheet.cells.n)
		return TW_EXIT_OK;
	putchar('\n');
	return tw_sheet_show(&sheet, "");
}

static int summary_text(const struct replay *replay)
{
	const char *gap = ": ";
	int code;

	printf("%s%s%s frame%s%s", replay->n_frames ? "\n" : "", tw_style_on(TW_STYLE_STRONG),
		tw_human_count(replay->n_frames).text, replay->n_frames == 1 ? "" : "s",
		tw_style_off());
	for (int i = 0; i < KIND__MAX; i++) {
		if (!replay->n_kinds[i])
			continue;
		printf("%s%s%s %s%s", gap, tw_style_on(tw_style_of(kind_names[i])),
			tw_human_count(replay->n_kinds[i]).text, kind_names[i], tw_style_off());
		gap = ", ";
	}
	printf("%s%s connection%s opened\n", replay->n_frames ? "; " : ", ",
		tw_human_count(replay->n_conns).text, replay->n_conns == 1 ? "" : "s");
	if (replay->n_kinds[KIND_UNSUPPORTED])
		printf("%sunsupported: the link layer is %s, which is not Ethernet, bare IP, Linux cooked or BSD loopback, or the frame ends inside it%s\n",
			tw_style_on(TW_STYLE_DIM), replay->unsupported, tw_style_off());
	code = summary_reasons(replay);
	return code ? code : summary_apps(replay);
}

static int play(struct replay *replay)
{
	tw_auto(tw_capture) struct tw_capture *capture = NULL;
	struct tw_capture_frame frame;
	struct tw_err err = {0};
	int code = tw_capture_open(replay->options->pcap, &capture, &err);
	int exit_code = TW_EXIT_OK, broken = TW_EXIT_OK;

	if (code < 0)
		return tw_report_err(&err);
	while (!exit_code && (code = tw_capture_next(capture, &frame, &err)) > 0)
		exit_code = tell(replay, &frame);
	if (code < 0) {
		snprintf(err.place, sizeof(err.place), "%.200s: frame %llu",
			tw_file_label(replay->options->pcap),
			(unsigned long long)replay->n_frames + 1);
		broken = tw_report_err(&err);
	}
	if (exit_code)
		return exit_code;
	if (replay->options->json)
		exit_code = summary_json(replay);
	else
		exit_code = summary_text(replay);
	return exit_code ? exit_code : broken;
}

int tw_replay_run(const void *values)
{
	const struct tw_replay_options *options = values;
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	tw_autofree struct replay *replay = tw_alloc(sizeof(*replay));
	int code;

	if (!replay)
		return tw_report_memory();
	code = tw_report_policy(options->policy, false, &policy);
	if (code)
		return code;
	replay->options = options;
	replay->policy = policy;
	if (options->at) {
		replay->at = tw_policy_find_workload(policy, options->at);
		if (!replay->at)
			return tw_report_error(TW_EXIT_USAGE, "--at",
				"name one of the policy's workloads", "there is no workload '%s'",
				options->at);
	}
	code = tw_report_judge(&replay->judge, policy, CONNS_MAX, options->policy);
	if (!code) {
		tw_native_on_event(replay->judge.native, on_event, replay);
		code = tw_apps_new(&replay->apps, CONNS_MAX) < 0 ||
				       tw_asked_new(&replay->asked, CONNS_MAX) < 0
			       ? tw_report_memory()
			       : play(replay);
	}
	tw_apps_free(replay->apps);
	tw_asked_names_free(replay->asked);
	tw_judge_done(&replay->judge);
	return code;
}
