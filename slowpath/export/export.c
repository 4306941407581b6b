/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/export/export.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/metrics.h"
#include "link/syslog.h"
#include "slowpath/export/ipfix.h"
#include "slowpath/export/sender.h"

enum kind { EXPORT_IPFIX, EXPORT_SYSLOG, EXPORT__MAX };

/* Values of the label `exporter`. */
static const char *const kind_names[] = {[EXPORT_IPFIX] = "ipfix", [EXPORT_SYSLOG] = "syslog"};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == EXPORT__MAX, "each has a name");

struct tw_export {
	struct tw_ipfix *ipfix;
	bool ipfix_is_stream;
	struct tw_syslog *syslog;
	struct tw_sender *senders[EXPORT__MAX]; /* NULL: none */
};

/* ---- IPFIX ---- */

static void give_ipfix(void *arg, const void *message, size_t len, uint32_t n_records)
{
	struct tw_export *export = arg;

	tw_sender_give(export->senders[EXPORT_IPFIX], message, len, n_records);
}

static void take_ipfix(void *arg, const char *agent, const struct tw_event_reader *reader)
{
	struct tw_export *export = arg;
	size_t n_lost = tw_ipfix_take(export->ipfix, agent, reader);

	if (n_lost)
		tw_sender_lose(export->senders[EXPORT_IPFIX], n_lost);
}

static int prepare_ipfix(void *arg, struct tw_sender *sender, uint64_t connection,
	unsigned char *message, size_t len, uint32_t n_records)
{
	struct tw_export *export = arg;
	const struct tw_ipfix_stamp stamp = {.now_ns = tw_clock_ns(),
		.unix_s = (uint32_t)time(NULL),
		.connection = connection,
		.is_stream = export->ipfix_is_stream};
	unsigned char templates[TW_IPFIX_TEMPLATES_MAX];
	size_t n = tw_ipfix_stamp(export->ipfix, &stamp, message, n_records, templates);

	return n ? tw_sender_put(sender, templates, n) : 0;
}

static int open_ipfix(
	struct tw_export *export, const struct tw_slow_options *options, struct tw_err *err)
{
	const struct tw_sender_setup sender = {.what = "IPFIX collector",
		.kind = options->ipfix_tcp ? TW_OUTLET_TCP : TW_OUTLET_UDP,
		.where = options->ipfix,
		.prepare = prepare_ipfix,
		.arg = export};

	export->ipfix_is_stream = options->ipfix_tcp;
	if (tw_ipfix_new(give_ipfix, export, &export->ipfix) < 0)
		return tw_err_set(err, -ENOMEM, "--ipfix", NULL, "out of memory");
	return tw_sender_new(&sender, "--ipfix", &export->senders[EXPORT_IPFIX], err);
}

/* ---- syslog ---- */

static void give_syslog(void *arg, const void *message, size_t len)
{
	struct tw_export *export = arg;

	tw_sender_give(export->senders[EXPORT_SYSLOG], message, len, 1);
}

static void take_syslog(void *arg, const char *agent, const struct tw_event_reader *reader)
{
	struct tw_export *export = arg;

	tw_syslog_take(export->syslog, agent, reader);
}

static void take_log(void *arg, enum tw_log_level level, const char *text)
{
	struct tw_export *export = arg;

	tw_syslog_log(export->syslog, level, tw_clock_unix_ns(tw_clock_ns()), text);
}

static int open_syslog(
	struct tw_export *export, const struct tw_slow_options *options, struct tw_err *err)
{
	const struct tw_sender_setup sender = {.what = "syslog server",
		.kind = TW_OUTLET_TLS,
		.where = options->syslog,
		.ca = options->syslog_ca,
		.cert = options->syslog_cert,
		.key = options->syslog_key ? options->syslog_key : options->syslog_cert};
	char host[256] = "";
	const struct tw_syslog_sender names = {
		.host = host, .app = "tapwall-slowd", .pid = getpid(), .stream = true};
	struct tw_syslog_what what;
	int code;

	if (!options->syslog_ca)
		return tw_err_set(err, -EINVAL, "--syslog", "add --syslog-ca PATH",
			"the CA of the server's certificate is not given");
	if (!tw_syslog_parse(options->syslog_what, &what))
		return tw_err_set(err, -EINVAL, "--syslog-what",
			"write words among denials,connections,log", "%s is no list of them",
			options->syslog_what);
	gethostname(host, sizeof(host) - 1);
	if (tw_syslog_new(&what, &names, give_syslog, export, &export->syslog) < 0)
		return tw_err_set(err, -ENOMEM, "--syslog", NULL, "out of memory");
	code = tw_sender_new(&sender, "--syslog", &export->senders[EXPORT_SYSLOG], err);
	if (!code)
		tw_log_tee(take_log, export);
	return code;
}

/* ---- all ---- */

int tw_export_new(const struct tw_slow_options *options, struct tw_export **ret, struct tw_err *err)
{
	struct tw_export *export;
	int code = 0;

	if (!options->ipfix && !options->syslog)
		return 0;
	export = tw_alloc(sizeof(*export));
	if (!export)
		return tw_err_set(err, -ENOMEM, "start", NULL, "out of memory");
	if (options->ipfix)
		code = open_ipfix(export, options, err);
	if (!code && options->syslog)
		code = open_syslog(export, options, err);
	if (code < 0)
		tw_export_free(export);
	else
		*ret = export;
	return code;
}

void tw_export_free(struct tw_export *export)
{
	if (!export)
		return;
	/* The IPFIX sender ends first, because it may still log, and the syslog sender sends the log. */
	tw_sender_free(export->senders[EXPORT_IPFIX]);
	tw_log_tee(NULL, NULL);
	tw_sender_free(export->senders[EXPORT_SYSLOG]);
	tw_ipfix_free(export->ipfix);
	tw_syslog_free(export->syslog);
	free(export);
}

void tw_export_add_sinks(
	struct tw_export *export, struct tw_recorder_sink *sinks, unsigned int *n_sinks)
{
	if (export && export->ipfix)
		sinks[(*n_sinks)++] = (struct tw_recorder_sink){.take = take_ipfix, .arg = export};
	if (export && export->syslog)
		sinks[(*n_sinks)++] = (struct tw_recorder_sink){.take = take_syslog, .arg = export};
}

/* ---- metrics ---- */

static uint64_t records_of(const struct tw_sender_facts *facts)
{
	return facts->records;
}

static uint64_t lost_of(const struct tw_sender_facts *facts)
{
	return facts->lost;
}

static uint64_t queued_of(const struct tw_sender_facts *facts)
{
	return facts->queued;
}

static uint64_t connects_of(const struct tw_sender_facts *facts)
{
	return facts->connects;
}

static uint64_t is_connected(const struct tw_sender_facts *facts)
{
	return facts->connected;
}

static const struct {
	const char *name, *type, *help;
	uint64_t (*figure)(const struct tw_sender_facts *facts);
} families[] = {
	{"tapwall_slowd_export_records_total", "counter", "Records sent to the collector.",
		records_of},
	{"tapwall_slowd_export_lost_total", "counter",
		"Records lost because the queue was full, or the collector's host refused them.",
		lost_of},
	{"tapwall_slowd_export_queued", "gauge",
		"Records that wait to be sent, or to be acknowledged by the collector's TCP.",
		queued_of},
	{"tapwall_slowd_export_connects_total", "counter", "Connections to the collector.",
		connects_of},
	{"tapwall_slowd_export_connected", "gauge",
		"1 if the collector is connected; over UDP, if its address is known.",
		is_connected},
};

void tw_export_add_metrics(struct tw_export *export, struct tw_buf *out)
{
	struct tw_sender_facts facts[EXPORT__MAX];

	if (!export)
		return;
	for (unsigned int kind = 0; kind < EXPORT__MAX; kind++)
		if (export->senders[kind])
			tw_sender_get_facts(export->senders[kind], &facts[kind]);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		tw_metrics_family(out, families[i].name, families[i].type, families[i].help);
		for (unsigned int kind = 0; kind < EXPORT__MAX; kind++)
			if (export->senders[kind])
				tw_metrics_add(out, families[i].name,
					(const char *const[]){"exporter", kind_names[kind], NULL},
					families[i].figure(&facts[kind]));
	}
}
