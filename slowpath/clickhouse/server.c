/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/server.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "slowpath/clickhouse/curl.h"

#define LOGIN_MAX    1024 /* bytes of the file */
#define DATABASE_MAX 64
#define OK	     200

struct tw_clickhouse {
	const struct tw_curl *curl;
	CURL *handle;
	struct curl_slist *headers;
	char *base; /* http://HOST:PORT/ */
	const char *ca;
	const _Atomic uint64_t *end_ns; /* NULL: none */
	char database[DATABASE_MAX + 1];
	long timeout_ms;
};

/* ---- the address ---- */

static int invalid(struct tw_err *err, const char *place)
{
	return tw_err_set(err, -EINVAL, "--history", "write clickhouse://HOST:PORT/DATABASE",
		"'%s' is not valid", tw_cleaned(place).text);
}

static bool is_host(const char *text, size_t len)
{
	bool v6 = len > 2 && text[0] == '[' && text[len - 1] == ']';

	for (size_t i = v6; i < len - v6; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr(v6 ? ":.%" : ".-", text[i]))
			return false;
	return len > 0;
}

static bool is_database(const char *text)
{
	size_t len = strspn(
		text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len > 0 && len <= DATABASE_MAX && !text[len];
}

static int read_place(struct tw_clickhouse *server, const char *place, struct tw_err *err)
{
	bool tls = !strncmp(place, TW_CLICKHOUSE_TLS, strlen(TW_CLICKHOUSE_TLS));
	const char *host = place + strlen(tls ? TW_CLICKHOUSE_TLS : TW_CLICKHOUSE_PLAIN), *end;
	const char *slash = strchr(host, '/');
	unsigned long port = tls ? TW_CLICKHOUSE_TLS_PORT : TW_CLICKHOUSE_PORT;
	tw_auto_buf struct tw_buf base = {0};
	char *rest;

	if (!slash || !is_database(slash + 1))
		return invalid(err, place);
	end = host[0] == '[' ? strchr(host, ']') : host;
	end = end ? strpbrk(end, ":/") : slash;
	if (!is_host(host, (size_t)(end - host)))
		return invalid(err, place);
	if (*end == ':') {
		port = isdigit((unsigned char)end[1]) ? strtoul(end + 1, &rest, 10) : 0;
		if (!port || port > UINT16_MAX || rest != slash)
			return invalid(err, place);
	} else if (end != slash) {
		return invalid(err, place);
	}
	snprintf(server->database, sizeof(server->database), "%s", slash + 1);
	tw_buf_addf(&base, "%s://%.*s:%lu/", tls ? "https" : "http", (int)(end - host), host, port);
	server->base = base.failed ? NULL : tw_strdup(base.data);
	return server->base ? 0 : tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
}

/* ---- the login ---- */

static int add_header(struct tw_clickhouse *server, const char *name, const char *value)
{
	tw_auto_buf struct tw_buf line = {0};
	struct curl_slist *more;

	tw_buf_addf(&line, "%s: %s", name, value);
	more = line.failed ? NULL : server->curl->slist_append(server->headers, line.data);
	if (!more)
		return -ENOMEM;
	server->headers = more;
	return 0;
}

/* Reads the name and the password, a line each. */
static int read_login(struct tw_clickhouse *server, const char *path, struct tw_err *err)
{
	const char *hint = "write the user's name and the password to it, a line each";
	char text[LOGIN_MAX], *password, *end;
	struct stat facts;
	size_t len;
	FILE *file = fopen(path, "re");
	int code = 0;

	if (!file)
		return tw_err_set(err, -errno, path, hint, "%s", strerror(errno));
	if (fstat(fileno(file), &facts) < 0 || (facts.st_mode & (S_IROTH | S_IWOTH)))
		code = tw_err_set(
			err, -EPERM, path, "chmod 600 it", "others may read the password");
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	if (code < 0)
		return code;
	password = strchr(text, '\n');
	if (!password || password == text || strlen(text) != len || len == sizeof(text) - 1)
		return tw_err_set(err, -EINVAL, path, hint, "is not a name and a password");
	*password++ = '\0';
	end = password + strcspn(password, "\n");
	if (end[0] && end[1])
		return tw_err_set(err, -EINVAL, path, hint, "has more than two lines");
	*end = '\0';
	code = add_header(server, "X-ClickHouse-User", text);
	if (!code)
		code = add_header(server, "X-ClickHouse-Key", password);
	explicit_bzero(text, sizeof(text));
	return code ? tw_err_set(err, code, path, NULL, "out of memory") : 0;
}

/* ---- opening ---- */

int tw_clickhouse_open(const char *place, const struct tw_store_access *access, long timeout_ms,
	struct tw_clickhouse **ret, struct tw_err *err)
{
	const struct tw_curl *curl = tw_curl_load();
	struct tw_clickhouse *server;
	int code;

	if (!curl)
		return tw_err_set(err, -ENOENT, "--history", "install libcurl3-gnutls",
			"ClickHouse needs libcurl, which is missing");
	server = tw_alloc(sizeof(*server));
	if (!server)
		return tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	server->curl = curl;
	server->timeout_ms = timeout_ms;
	server->ca = access ? access->ca : NULL;
	server->end_ns = access ? access->end_ns : NULL;
	code = read_place(server, place, err);
	/* Without this header, libcurl asks the server's permission before a long request, and waits for it. */
	if (!code && add_header(server, "Expect", "") < 0)
		code = tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	if (!code && access && access->login)
		code = read_login(server, access->login, err);
	if (!code) {
		server->handle = curl->easy_init();
		if (!server->handle)
			code = tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	}
	if (code < 0)
		tw_clickhouse_free(server);
	else
		*ret = server;
	return code;
}

void tw_clickhouse_set_timeout(struct tw_clickhouse *server, long timeout_ms)
{
	server->timeout_ms = timeout_ms;
}

void tw_clickhouse_free(struct tw_clickhouse *server)
{
	if (!server)
		return;
	if (server->handle)
		server->curl->easy_cleanup(server->handle);
	if (server->headers)
		server->curl->slist_free_all(server->headers);
	free(server->base);
	free(server);
}

const char *tw_clickhouse_database(const struct tw_clickhouse *server)
{
	return server->database;
}

/* ---- statements ---- */

/* An answer while it arrives. */
struct arrival {
	struct tw_buf *to;
	bool too_long;
};

static size_t take_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct arrival *arrival = arg;

	if (arrival->to->len + n > TW_CLICKHOUSE_ANSWER_MAX) {
		arrival->too_long = true;
		return 0;
	}
	tw_buf_add(arrival->to, data, size * n);
	return arrival->to->failed ? 0 : size * n;
}

/* A callback that libcurl calls about once a second. Ends the statement once `end_ns` has passed. */
static int look_at_time(
	void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
	const struct tw_clickhouse *server = arg;
	uint64_t end_ns = server->end_ns ? atomic_load(server->end_ns) : 0;

	return end_ns && tw_clock_ns() >= end_ns;
}

static void add_escaped(struct tw_buf *url, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text))
			tw_buf_add(url, text, 1);
		else
			tw_buf_addf(url, "%%%02X", (unsigned char)*text);
}

static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
		return -EHOSTUNREACH;
	default:
		return -EIO;
	}
}

/* If a statement failed, fills `err` with the first line of the server's text, without the prefix and the suffix that
 * every exception has. */
static int report(
	const struct tw_clickhouse *server, const struct tw_buf *answer, struct tw_err *err)
{
	static const char exception[] = "DB::Exception: ";
	const char *text = answer->data ? answer->data : "", *at = strstr(text, exception);
	long status = 0;
	size_t len;

	server->curl->easy_getinfo(server->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status == OK)
		return 0;
	if (at)
		text = at + strlen(exception);
	len = strcspn(text, "\r\n");
	at = strstr(text, ", e.what()");
	if (at && (size_t)(at - text) < len)
		len = (size_t)(at - text);
	tw_err_set(err, status == 401 || status == 403 ? -EACCES : -EIO, server->base, NULL,
		"the server refuses (%ld): %.*s", status, (int)len, text);
	tw_clean(err->text, strlen(err->text));
	return err->code;
}

static void set_options(struct tw_clickhouse *server, const char *url, struct arrival *arrival)
{
	const struct tw_curl *curl = server->curl;
	CURL *handle = server->handle;

	curl->easy_setopt(handle, CURLOPT_URL, url);
	curl->easy_setopt(handle, CURLOPT_HTTPHEADER, server->headers);
	curl->easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(handle, CURLOPT_PROXY, "");
	curl->easy_setopt(handle, CURLOPT_NOSIGNAL, 1l);
	curl->easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0l);
	curl->easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)TW_CLICKHOUSE_CONNECT_MS);
	curl->easy_setopt(handle, CURLOPT_TIMEOUT_MS, server->timeout_ms);
	curl->easy_setopt(handle, CURLOPT_NOPROGRESS, 0l);
	curl->easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, look_at_time);
	curl->easy_setopt(handle, CURLOPT_XFERINFODATA, server);
	curl->easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_bytes);
	curl->easy_setopt(handle, CURLOPT_WRITEDATA, arrival);
	if (server->ca)
		curl->easy_setopt(handle, CURLOPT_CAINFO, server->ca);
}

static int perform(struct tw_clickhouse *server, const char *url, const void *body, size_t len,
	bool alone, struct tw_buf *answer, struct tw_err *err)
{
	const struct tw_curl *curl = server->curl;
	struct arrival arrival = {.to = answer};
	CURLcode code;

	set_options(server, url, &arrival);
	curl->easy_setopt(server->handle, CURLOPT_FRESH_CONNECT, (long)alone);
	curl->easy_setopt(server->handle, CURLOPT_FORBID_REUSE, (long)alone);
	curl->easy_setopt(server->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl->easy_setopt(server->handle, CURLOPT_POSTFIELDS, body);
	code = curl->easy_perform(server->handle);
	if (answer->failed)
		return tw_err_set(err, -ENOMEM, server->base, NULL, "out of memory");
	if (arrival.too_long)
		return tw_err_set(err, -EMSGSIZE, server->base, "ask for less",
			"the answer has more than %u MiB", TW_CLICKHOUSE_ANSWER_MAX >> 20);
	if (code != CURLE_OK)
		return tw_err_set(err, errno_of(code), server->base, NULL,
			"the server cannot be reached: %s", curl->easy_strerror(code));
	return report(server, answer, err);
}

int tw_clickhouse_run(struct tw_clickhouse *server, const char *statement, bool bare,
	struct tw_buf *answer, struct tw_err *err)
{
	tw_auto_buf struct tw_buf url = {0}, own = {0};
	size_t before = answer ? answer->len : 0;
	int code;

	/* With wait_end_of_query, the server sends no row before it has read all of them. */
	tw_buf_addf(&url, "%s?wait_end_of_query=1", server->base);
	if (!bare)
		tw_buf_addf(&url, "&database=%s", server->database);
	if (url.failed)
		return tw_err_set(err, -ENOMEM, server->base, NULL, "out of memory");
	code = perform(
		server, url.data, statement, strlen(statement), false, answer ? answer : &own, err);
	if (code < 0 && answer && !answer->failed)
		answer->len = before;
	return code;
}

int tw_clickhouse_insert(struct tw_clickhouse *server, const char *statement,
	const struct tw_buf *rows, struct tw_err *err)
{
	tw_auto_buf struct tw_buf url = {0}, answer = {0};

	tw_buf_addf(&url, "%s?database=%s&query=", server->base, server->database);
	add_escaped(&url, statement);
	if (url.failed)
		return tw_err_set(err, -ENOMEM, server->base, NULL, "out of memory");
	return perform(server, url.data, rows->data, rows->len, true, &answer, err);
}
