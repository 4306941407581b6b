/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/observe/describe.h"
#include "agent/observe/telemetry.h"
#include "agent/publish/enforcement.h"
#include "base/clock.h"
#include "base/mac.h"
#include "link/address.h"
#include "link/json_message.h"
#include "link/syslog.h"

#define LINES_TICK 512 /* a tick is 250 ms */
#define N_FILES	   5   /* the present one included */
#define QUIET_NS   60000000000u
#define RETRY_NS   1000000000u
#define JOURNALD   "/run/systemd/journal/socket"
/* If no server takes a datagram by UDP, only sending the next one fails. So the host stays degraded until nothing
 * has failed for this long. */
#define SYSLOG_CALM_NS 5000000000u

/* ---- the target ---- */

static int open_file(struct tw_logfile *logfile)
{
	struct stat info;
	int fd = open(
		logfile->target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		int code = fd < 0 ? -errno : -EINVAL;

		if (fd >= 0)
			close(fd);
		return code;
	}
	logfile->fd = fd;
	logfile->size = (uint64_t)info.st_size;
	return 0;
}

static int open_socket(
	struct tw_logfile *logfile, const struct sockaddr *address, socklen_t address_len)
{
	int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, address, address_len) < 0) {
		int code = -errno;

		close(fd);
		return code;
	}
	logfile->fd = fd;
	return fd < 0 ? -errno : 0;
}

static int open_unix(struct tw_logfile *logfile, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return open_socket(logfile, (struct sockaddr *)&address, sizeof(address));
}

static int open_syslog(struct tw_logfile *logfile)
{
	const char *where = logfile->target + strlen(TW_LOGFILE_SYSLOG);
	struct addrinfo *found;
	int ret;

	if (where[0] == '/')
		return open_unix(logfile, where);
	ret = tw_address_resolve(where, AI_NUMERICHOST, &found);
	if (ret < 0)
		return ret;
	ret = open_socket(logfile, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return ret;
}

static int open_target(struct tw_logfile *logfile)
{
	switch (logfile->kind) {
	case TW_LOGFILE_IN_JOURNALD:
		return open_unix(logfile, JOURNALD);
	case TW_LOGFILE_IN_SYSLOG:
		return open_syslog(logfile);
	default:
		return open_file(logfile);
	}
}

static void close_target(struct tw_logfile *logfile)
{
	if (logfile->fd >= 0)
		close(logfile->fd);
	logfile->fd = -1;
}

/* Renames the file and the older ones. */
static void rotate(struct tw_logfile *logfile)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (int i = N_FILES - 1; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%d", logfile->target, i);
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%d", logfile->target, i - 1);
		else
			snprintf(from, sizeof(from), "%s", logfile->target);
		/* If an older one does not exist, there is nothing to rename. */
		if (rename(from, to) < 0 && i == 1)
			return;
	}
	close_target(logfile);
}

/* True if another program has moved or deleted the file. */
static bool is_gone(const struct tw_logfile *logfile)
{
	struct stat mine, there;

	return fstat(logfile->fd, &mine) < 0 || lstat(logfile->target, &there) < 0 ||
	       mine.st_ino != there.st_ino || mine.st_dev != there.st_dev;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Writes the lines in `out` to the file. */
static int flush_file(struct tw_logfile *logfile)
{
	uint64_t size = logfile->size;
	int ret;

	if (!logfile->out.len)
		return 0;
	if (logfile->fd >= 0 && is_gone(logfile))
		close_target(logfile);
	if (logfile->fd >= 0 && logfile->size &&
		logfile->size + logfile->out.len > logfile->size_max)
		rotate(logfile);
	ret = logfile->fd < 0 ? open_file(logfile) : 0;
	size = logfile->size;
	if (!ret)
		ret = write_all(logfile->fd, logfile->out.data, logfile->out.len);
	/* Removes what was written, so that no half line remains. */
	if (ret < 0 && logfile->fd >= 0 && ftruncate(logfile->fd, (off_t)size) < 0)
		close_target(logfile);
	if (!ret)
		logfile->size += logfile->out.len;
	return ret;
}

/* ---- entries ---- */

static void add_line(struct tw_logfile *logfile, json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (text) {
		tw_buf_adds(&logfile->out, text);
		tw_buf_adds(&logfile->out, "\n");
	}
	free(text);
}

/* Sends a datagram to systemd's journal or a syslog server. */
static void send_message(void *arg, const void *message, size_t len)
{
	struct tw_logfile *logfile = arg;

	logfile->sent = send(logfile->fd, message, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Sends an entry to systemd's journal. Returns 0 or a negative errno. */
static int send_entry(struct tw_logfile *logfile, const struct tw_event_row *row,
	const Tapwall__V1__LogEntry *e, json_t *object)
{
	tw_auto_buf struct tw_buf out = {0};
	char *text = json_dumps(object, JSON_COMPACT), sentence[TW_SYSLOG_SENTENCE_MAX];

	if (!text)
		return -ENOMEM;
	tw_syslog_sentence(row, sentence);
	tw_buf_addf(&out, "MESSAGE=%s at %s", sentence, e->port);
	if (e->workload[0])
		tw_buf_addf(&out, " (%s)", e->workload);
	if (e->rule[0])
		tw_buf_addf(&out, ", rule %s", e->rule);
	tw_buf_addf(&out,
		": %s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=tapwall\nTAPWALL_EVENT=%s\nTAPWALL_REASON=%s\n"
		"TAPWALL_ENTRY=%s\n",
		e->reason, strcmp(e->event, "deny") ? 6 : 5, e->event, e->reason, text);
	free(text);
	if (out.failed)
		return -ENOMEM;
	send_message(logfile, out.data, out.len);
	return logfile->sent;
}

/* Sends a message that is no entry. Its loss is not counted: the frames it is about are in the counters. */
static void send_note(struct tw_logfile *logfile, const char *text)
{
	tw_auto_buf struct tw_buf out = {0};

	if (logfile->kind == TW_LOGFILE_IN_SYSLOG) {
		tw_syslog_log(logfile->syslog, TW_LOG_INFO, tw_clock_unix_ns(tw_clock_ns()), text);
		return;
	}
	tw_buf_addf(&out,
		"MESSAGE=%s\nPRIORITY=6\nSYSLOG_IDENTIFIER=tapwall\nTAPWALL_EVENT=repeated\n",
		text);
	if (!out.failed)
		send_message(logfile, out.data, out.len);
}

/* Writes how often chatter was repeated. */
static void end_chatter(struct tw_logfile *logfile, struct tw_logfile_chatter *chatter)
{
	char src[18], dst[18], text[128];

	tw_mac_format(chatter->src_mac, src);
	tw_mac_format(chatter->dst_mac, dst);
	if (chatter->repeats && logfile->kind != TW_LOGFILE_IN_FILE) {
		snprintf(text, sizeof(text), "repeated: a denied frame from %s to %s, %llu times",
			src, dst, (unsigned long long)chatter->repeats);
		send_note(logfile, text);
	} else if (chatter->repeats) {
		add_line(logfile,
			json_pack("{s:f, s:s, s:s, s:s, s:I}", "time", tw_clock_unix(tw_clock_ns()),
				"event", "repeated", "src_mac", src, "dst_mac", dst, "repeats",
				(json_int_t)chatter->repeats));
		logfile->n_lines++;
	}
	*chatter = (struct tw_logfile_chatter){0};
}

static uint64_t hash_chatter(const struct tw_event_row *row)
{
	uint64_t hash = 0xcbf29ce484222325;
	const uint16_t words[] = {row->ethertype, row->proto, row->to_port, row->icmp_type};

	for (size_t i = 0; i < 6; i++)
		hash = ((hash ^ row->src_mac[i]) * 0x100000001b3 ^ row->dst_mac[i]) * 0x100000001b3;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = (hash ^ words[i]) * 0x100000001b3;
	return hash ? hash : 1;
}

/* True if a line about a frame like this one was written within the last minute. */
static bool is_chatter(struct tw_logfile *logfile, const struct tw_event_row *row)
{
	uint64_t hash = hash_chatter(row);
	struct tw_logfile_chatter *chatter = &logfile->chatter[hash % TW_LOGFILE_ALIKE];

	if (row->kind != TW_EVENT_ROW_DENY || !(row->dst_mac[0] & 1))
		return false;
	if (chatter->hash == hash && tw_clock_ns() - chatter->began_ns < QUIET_NS) {
		chatter->repeats++;
		return true;
	}
	end_chatter(logfile, chatter);
	chatter->hash = hash;
	chatter->began_ns = tw_clock_ns();
	memcpy(chatter->src_mac, row->src_mac, sizeof(chatter->src_mac));
	memcpy(chatter->dst_mac, row->dst_mac, sizeof(chatter->dst_mac));
	return false;
}

/* Adds the next entry. Returns 0, or a negative errno if the entry is lost. */
static int take_entry(struct tw_logfile *logfile, const struct tw_telemetry *telemetry)
{
	uint64_t number = logfile->at++;
	const struct tw_journal_record *record = tw_journal_at(telemetry->journal, number);
	struct tw_event_words words;
	struct tw_event_row row;
	json_t *object;
	int ret = 0;

	logfile->lost += record->lost_before;
	if (!record->notable)
		return 0;
	tw_describe_row(telemetry, number, &row);
	if (is_chatter(logfile, &row))
		return 0;
	row.lost_before = logfile->lost;
	tw_event_row_describe(&row, &telemetry->journal->names, &words);
	if (logfile->kind == TW_LOGFILE_IN_SYSLOG) {
		tw_syslog_row(logfile->syslog, "", &telemetry->journal->names, &row);
		ret = logfile->sent;
	} else {
		object = tw_json_log_entry(&words.entry);
		if (logfile->kind == TW_LOGFILE_IN_FILE) {
			add_line(logfile, object);
		} else {
			ret = object ? send_entry(logfile, &row, &words.entry, object) : -ENOMEM;
			json_decref(object);
		}
	}
	logfile->lost = ret < 0 ? logfile->lost + 1 : 0;
	logfile->n_lost += ret < 0;
	logfile->n_lines += !ret;
	return ret;
}

static void tell(struct tw_logfile *logfile, const struct tw_telemetry *telemetry, int ret)
{
	struct tw_degraded_state *degraded = &telemetry->enforcement->degraded;

	if (ret < 0) {
		logfile->failed_ns = tw_clock_ns();
		tw_degraded_begin(degraded, TW_DEGRADED_LOG, "denials cannot be written to %s: %s",
			logfile->target, strerror(-ret));
	} else if (logfile->kind != TW_LOGFILE_IN_SYSLOG || !logfile->failed_ns ||
		   tw_clock_ns() - logfile->failed_ns >= SYSLOG_CALM_NS) {
		tw_degraded_end(degraded, TW_DEGRADED_LOG);
	}
	logfile->retry_ns = ret < 0 ? tw_clock_ns() + RETRY_NS : 0;
}

/* Skips the entries that the journal has overwritten. */
static void skip_overwritten(struct tw_logfile *logfile, const struct tw_telemetry *telemetry)
{
	uint64_t oldest = tw_journal_oldest(telemetry->journal);

	if (logfile->at >= oldest)
		return;
	logfile->lost += oldest - logfile->at;
	logfile->n_lost += oldest - logfile->at;
	logfile->at = oldest;
}

void tw_logfile_tick(struct tw_logfile *logfile, const struct tw_telemetry *telemetry)
{
	uint64_t now = tw_clock_ns(), before = logfile->n_lines;
	bool in_file = logfile->kind == TW_LOGFILE_IN_FILE;
	int ret = 0;

	if (logfile->kind == TW_LOGFILE_OFF || now < logfile->retry_ns)
		return;
	if (logfile->fd < 0)
		ret = open_target(logfile);
	logfile->out.len = 0;
	skip_overwritten(logfile, telemetry);
	for (size_t i = 0; i < TW_LOGFILE_ALIKE && !ret; i++)
		if (logfile->chatter[i].hash && now - logfile->chatter[i].began_ns >= QUIET_NS)
			end_chatter(logfile, &logfile->chatter[i]);
	while (!ret && logfile->at < telemetry->journal->next &&
		logfile->n_lines - before < LINES_TICK)
		ret = take_entry(logfile, telemetry);
	if (!ret && in_file)
		ret = logfile->out.failed ? -ENOMEM : flush_file(logfile);
	if (ret < 0 && in_file) {
		logfile->lost += logfile->n_lines - before;
		logfile->n_lost += logfile->n_lines - before;
	}
	/* A full socket is tried again with the next entry. */
	if (ret < 0 && !in_file && ret != -EAGAIN && ret != -ENOBUFS)
		close_target(logfile);
	if (logfile->out.failed)
		tw_buf_done(&logfile->out);
	tell(logfile, telemetry, ret);
}

static bool is_syslog_place(const char *where)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	struct addrinfo *found;

	if (where[0] == '/')
		return strlen(where) < max;
	/* The agent never waits for a name server. */
	if (tw_address_resolve(where, AI_NUMERICHOST, &found) < 0)
		return false;
	freeaddrinfo(found);
	return true;
}

/* Returns TW_LOGFILE_OFF if the target is not valid. */
static enum tw_logfile_kind kind_of(const char *target)
{
	size_t scheme = strlen(TW_LOGFILE_SYSLOG);

	if (!target)
		return TW_LOGFILE_OFF;
	if (!strcmp(target, TW_LOGFILE_JOURNALD))
		return TW_LOGFILE_IN_JOURNALD;
	if (!strncmp(target, TW_LOGFILE_SYSLOG, scheme))
		return is_syslog_place(target + scheme) ? TW_LOGFILE_IN_SYSLOG : TW_LOGFILE_OFF;
	return target[0] == '/' && strlen(target) <= PATH_MAX - 8 ? TW_LOGFILE_IN_FILE
								  : TW_LOGFILE_OFF;
}

static int make_syslog(struct tw_logfile *logfile)
{
	static const struct tw_syslog_what all = {
		.denials = true, .connections = true, .log = true};
	char host[256] = "";
	const struct tw_syslog_sender sender = {.host = host, .app = "tapwalld", .pid = getpid()};

	gethostname(host, sizeof(host) - 1);
	return tw_syslog_new(&all, &sender, send_message, logfile, &logfile->syslog);
}

int tw_logfile_init(struct tw_logfile *logfile, const char *target, uint32_t size_mib,
	const struct tw_telemetry *telemetry, struct tw_err *err)
{
	enum tw_logfile_kind kind = kind_of(target);

	if (target && kind == TW_LOGFILE_OFF)
		return tw_err_set(err, -EINVAL, "--log-to",
			"write an absolute path, journald, syslog:ADDRESS:PORT or syslog:/PATH",
			"invalid target '%s'", target);
	*logfile = (struct tw_logfile){.kind = kind,
		.target = target,
		.size_max = (uint64_t)size_mib << 20,
		.fd = -1,
		.at = telemetry->journal->next};
	if (kind == TW_LOGFILE_IN_SYSLOG && make_syslog(logfile) < 0)
		return tw_err_set(err, -ENOMEM, "--log-to", NULL, "out of memory");
	return 0;
}

void tw_logfile_done(struct tw_logfile *logfile)
{
	if (logfile->kind == TW_LOGFILE_OFF)
		return;
	close_target(logfile);
	tw_syslog_free(logfile->syslog);
	tw_buf_done(&logfile->out);
}
