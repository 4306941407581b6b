/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* enroll: gets this host's first certificate from the slow path, with a token. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "link/address.h"
#include "link/identity.h"
#include "link/json.h"
#include "link/link.h"
#include "link/request.h"
#include "link/stream.h"
#include "link/token.h"

#define WAIT_S	    15
#define CLOCK_OFF_S 60 /* from this difference between the two clocks on, the user is warned */
#define REQUEST_ID  1

/* State of one enrollment. */
struct enrollment {
	const struct tw_enroll_options *options;
	struct tw_token_parts token;
	struct tw_identity *identity;
	struct tw_stream *stream;
	struct tw_buf pem; /* the key, then also the certificate */
	struct tw_buf request;
	struct tw_buf in;
	struct tw_request_cert cert;
	char slow_path[TW_STREAM_PEER_MAX];
	char print[TW_REQUEST_FINGERPRINT]; /* fingerprint of the CA */
};

/* ---- the token ---- */

/* Reads the first line of stdin, or a file. */
static int read_token_text(const char *path, struct tw_buf *text)
{
	struct tw_err err = {0};
	char line[512];

	if (strcmp(path, "-") != 0)
		return tw_file_read(path, text, &err) < 0 ? tw_report_err(&err) : TW_EXIT_OK;
	if (isatty(STDIN_FILENO))
		fputs("token: ", stderr);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	tw_buf_adds(text, line);
	explicit_bzero(line, sizeof(line));
	return text->failed ? tw_report_memory() : TW_EXIT_OK;
}

static int read_token(struct enrollment *e)
{
	const char *path = e->options->token;
	tw_auto_buf struct tw_buf text = {0};
	int code;

	if (tw_token_is(path))
		return tw_report_error(TW_EXIT_USAGE, "--token",
			"write it to stdin, or to a file that only root can read, and make a new one",
			"names a file; a token on the command line can be read by every user of this host");
	code = read_token_text(path, &text);
	if (!code && (!text.data || tw_token_read(text.data, &e->token) < 0))
		code = tw_report_error(TW_EXIT_USAGE, tw_file_label(path),
			"copy it as a whole, as tapwall-slowd --token NAME printed it",
			"this is no token");
	if (text.data)
		explicit_bzero(text.data, text.max);
	return code;
}

/* ---- before a token is spent ---- */

/* Makes the directories of a file, for root only. */
static int make_folders(const char *path)
{
	char folder[PATH_MAX];

	if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Tries to write a file beside the certificate, so that a full or read-only disk spends no token. */
static int can_write(const char *cert)
{
	static const char zeros[4096];
	struct tw_err err = {0};
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s.try", cert) >= (int)sizeof(path))
		return tw_report_error(
			TW_EXIT_USAGE, cert, "use a shorter path", "the path is too long");
	if (tw_file_replace(path, zeros, sizeof(zeros), 0600, &err) < 0)
		return tw_report_err(&err);
	unlink(path);
	return TW_EXIT_OK;
}

static int prepare(struct enrollment *e)
{
	const struct tw_enroll_options *options = e->options;
	const char *paths[] = {options->ca, options->cert};
	struct tw_err err = {0};
	int code;

	if (!options->replace && !access(options->cert, F_OK))
		return tw_report_error(TW_EXIT_NO, options->cert, "use --replace to enroll again",
			"this host has a certificate already");
	for (size_t i = 0; i < 2; i++) {
		code = make_folders(paths[i]);
		if (code < 0) {
			tw_err_set(&err, code, paths[i], NULL, "cannot make its directory: %s",
				strerror(-code));
			return tw_report_err(&err);
		}
	}
	if (tw_request_new(&e->pem, &e->request) < 0 ||
		tw_identity_pin(e->token.print, &e->identity) < 0)
		return tw_report_memory();
	return can_write(options->cert);
}

/* ---- the exchange ---- */

static int dial(struct enrollment *e)
{
	char address[320], why[TW_STREAM_WHY_MAX] = "";
	const struct tw_dial_options options = {
		.address = address, .identity = e->identity, .wait = true, .why = why};
	int code;

	code = tw_address_with_scheme(e->options->address, address, sizeof(address)) < 0
		       ? -EINVAL
		       : tw_stream_dial(&options, &e->stream);
	if (code == -EINVAL)
		return tw_report_error(TW_EXIT_USAGE, e->options->address, TW_ADDRESS_DIAL_HINT,
			"is not an address");
	if (code == -EKEYREJECTED)
		return tw_report_error(TW_EXIT_NO, e->options->address,
			"check address and token; nothing was sent", "%s", why);
	if (code < 0)
		return tw_report_error(TW_EXIT_NO_AGENT, e->options->address,
			"check that tapwall-slowd runs there", "cannot connect: %s",
			why[0]			 ? why
			: code == -EADDRNOTAVAIL ? "cannot look up the name"
			: code == -EAGAIN	 ? "no answer within 5 s"
						 : strerror(-code));
	tw_stream_set_timeout(e->stream, WAIT_S);
	return 0;
}

/* Reports that the connection failed with `n`, the result of a read or write. */
static int tell_broken(const struct enrollment *e, ssize_t n)
{
	if (n == -EKEYREJECTED)
		return tw_report_error(TW_EXIT_NO, e->options->address,
			"make a token with tapwall-slowd --token NAME",
			"no token is valid there (%s)", e->stream->why);
	return tw_report_error(TW_EXIT_NO_AGENT, e->options->address, "see what tapwall-slowd logs",
		"no answer: %s",
		!n		    ? "the connection was closed"
		: n == -EAGAIN	    ? "15 s are over"
		: e->stream->why[0] ? e->stream->why
				    : strerror((int)-n));
}

static int send_request(struct enrollment *e)
{
	Tapwall__V1__EnrollRequest body = TAPWALL__V1__ENROLL_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_auto_buf struct tw_buf out = {0};

	body.secret.data = e->token.secret;
	body.secret.len = sizeof(e->token.secret);
	body.request.data = (uint8_t *)e->request.data;
	body.request.len = e->request.len;
	request.id = REQUEST_ID;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ENROLL;
	request.enroll = &body;
	if (tw_link_pack_request(&out, &request) < 0)
		return tw_report_memory();
	for (size_t sent = 0; sent < out.len;) {
		ssize_t n = tw_stream_write(e->stream, out.data + sent, out.len - sent, true);

		if (n < 0)
			return tell_broken(e, n);
		sent += (size_t)n;
	}
	return 0;
}

/* Returns the response, or NULL with *ret_code set. */
static Tapwall__V1__Response *receive(struct enrollment *e, int *ret_code)
{
	for (;;) {
		const uint8_t *body;
		bool is_request;
		size_t body_len;
		char bytes[TW_STREAM_READ_MIN];
		long len = e->in.len ? tw_link_frame_either((const uint8_t *)e->in.data, e->in.len,
					       &is_request, &body, &body_len)
				     : 0;
		Tapwall__V1__Response *response;
		ssize_t n;

		if (len) {
			response = len < 0 || is_request ? NULL
							 : tw_link_unpack_response(body, body_len);
			if (!response)
				*ret_code = tw_report_error(TW_EXIT_NO_AGENT, e->options->address,
					NULL, "sent an invalid message");
			return response;
		}
		n = tw_stream_read(e->stream, bytes, sizeof(bytes), true);
		if (n <= 0) {
			*ret_code = tell_broken(e, n);
			return NULL;
		}
		tw_buf_add(&e->in, bytes, (size_t)n);
		if (e->in.failed) {
			*ret_code = tw_report_memory();
			return NULL;
		}
	}
}

static int take_answer(struct enrollment *e, const Tapwall__V1__Response *response)
{
	const ProtobufCBinaryData *cert;

	if (response->error)
		return tw_report_error(TW_EXIT_NO, response->error->place, response->error->hint,
			"%s", response->error->text);
	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_ISSUED)
		return tw_report_error(
			TW_EXIT_NO_AGENT, e->options->address, NULL, "sent no certificate");
	cert = &response->issued->certificate;
	if (tw_request_check(&e->pem, cert->data, cert->len, &e->identity->pinned_ca, &e->cert) < 0)
		return tw_report_error(TW_EXIT_INTERNAL, e->options->address, NULL,
			"sent a certificate that is not for this host's key");
	tw_buf_add(&e->pem, cert->data, cert->len);
	return e->pem.failed ? tw_report_memory() : TW_EXIT_OK;
}

static int exchange(struct enrollment *e)
{
	Tapwall__V1__Response *response = NULL;
	int code = dial(e);

	if (code)
		return code;
	snprintf(e->slow_path, sizeof(e->slow_path), "%s", e->stream->peer);
	code = send_request(e);
	if (!code)
		response = receive(e, &code);
	if (response) {
		tw_link_clean(&response->base);
		code = take_answer(e, response);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	return code;
}

/* ---- after the exchange ---- */

static int write_files(const struct enrollment *e)
{
	const struct tw_buf *ca = &e->identity->pinned_ca;
	struct tw_err err = {0};

	if (tw_file_replace(e->options->ca, ca->data, ca->len, 0644, &err) < 0 ||
		tw_file_replace(e->options->cert, e->pem.data, e->pem.len, 0600, &err) < 0)
		return tw_report_err(&err);
	return TW_EXIT_OK;
}

static void tell_clock(const struct enrollment *e)
{
	double off = difftime(time(NULL), e->cert.from);

	if (off > -CLOCK_OFF_S && off < CLOCK_OFF_S + WAIT_S)
		return;
	fprintf(stderr, "tapwall: warning: this host's clock is %s %s that of the slow path\n",
		tw_human_span(off < 0 ? -off : off).text, off < 0 ? "behind" : "ahead of");
}

static int print_json(const struct enrollment *e)
{
	return tw_report_json(json_pack("{s:o, s:s, s:o, s:o, s:s, s:s, s:s, s:I}", "name",
		tw_json_text(e->cert.name), "role", e->cert.decides ? "decider" : "agent",
		"address", tw_json_text(e->options->address), "slow_path",
		tw_json_text(e->slow_path), "ca_sha256", e->print, "cert", e->options->cert, "ca",
		e->options->ca, "expires", (json_int_t)e->cert.until));
}

static int print_text(const struct enrollment *e)
{
	const struct tw_enroll_options *options = e->options;
	bool usual = !strcmp(options->cert, TW_ENROLL_CERT) && !strcmp(options->ca, TW_ENROLL_CA);

	if (e->cert.decides) {
		printf("This is the decider %s for the slow path %s at %s (CA SHA-256 %s).\n",
			e->cert.name, e->slow_path, options->address, e->print);
		printf("Key and certificate are in %s, valid for %s. They are not renewed.\n",
			options->cert, tw_human_span(difftime(e->cert.until, time(NULL))).text);
		printf("Next: tapwall decide --connect %s --cert %s --ca %s --socket agent:NAME\n",
			options->address, options->cert, options->ca);
		return TW_EXIT_OK;
	}
	printf("This host is %s for the slow path %s at %s (CA SHA-256 %s).\n", e->cert.name,
		e->slow_path, options->address, e->print);
	printf("Key and certificate are in %s, valid for %s; the agent renews them.\n",
		options->cert, tw_human_span(difftime(e->cert.until, time(NULL))).text);
	printf("Next: start tapwalld with --slow-path %s", options->address);
	if (!usual)
		printf(" --slow-path-cert %s --slow-path-key %s --slow-path-ca %s", options->cert,
			options->cert, options->ca);
	printf(",\nas a service in OPTIONS of /etc/default/tapwall. tapwall status then shows the connection.\n");
	return TW_EXIT_OK;
}

static int run(struct enrollment *e)
{
	int code = read_token(e);

	if (!code)
		code = prepare(e);
	if (!code)
		code = exchange(e);
	if (!code)
		code = write_files(e);
	if (code)
		return code;
	for (size_t i = 0; i < TW_TOKEN_PRINT; i++)
		snprintf(e->print + 2 * i, 3, "%02x", e->token.print[i]);
	tell_clock(e);
	return e->options->json ? print_json(e) : print_text(e);
}

int tw_enroll_run(const void *values)
{
	struct enrollment e = {.options = values};
	int code = run(&e);

	explicit_bzero(&e.token, sizeof(e.token));
	if (e.pem.data)
		explicit_bzero(e.pem.data, e.pem.max);
	tw_buf_done(&e.pem);
	tw_buf_done(&e.request);
	tw_buf_done(&e.in);
	tw_stream_close(e.stream);
	tw_identity_free(e.identity);
	return code;
}
