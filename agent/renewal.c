/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/renewal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "link/request.h"

#define DAY_S	   86400
#define WARN_SHARE 6 /* warns when less than a sixth of the validity is left */

/* Stores and logs why a renewal failed. A repeated failure is logged once. */
static void fail(struct tw_renewal *renewal, const char *why)
{
	if (strcmp(why, renewal->why) != 0)
		tw_log(TW_LOG_WARNING,
			"%s: cannot renew it: %s; trying again; it is valid for %lld days",
			renewal->files.cert, why, (long long)(renewal->until - time(NULL)) / DAY_S);
	snprintf(renewal->why, sizeof(renewal->why), "%s", why);
}

/* Sets the time of the next attempt, which is needed only if this one fails. */
static void plan_next(struct tw_renewal *renewal)
{
	uint64_t most = (uint64_t)(renewal->until - renewal->from) * 10000000;

	if (most > TW_RENEWAL_MAX_NS)
		most = TW_RENEWAL_MAX_NS;
	renewal->again_ns *= 2;
	if (renewal->again_ns > most)
		renewal->again_ns = most;
	if (renewal->again_ns < TW_RENEWAL_MIN_NS)
		renewal->again_ns = TW_RENEWAL_MIN_NS;
	renewal->next_ns = tw_clock_ns() + renewal->again_ns;
}

void tw_renewal_init(struct tw_renewal *renewal, const struct tw_identity_files *files)
{
	*renewal = (struct tw_renewal){.files = *files};
}

static void forget_key(struct tw_renewal *renewal)
{
	if (renewal->key.data)
		explicit_bzero(renewal->key.data, renewal->key.max);
	tw_buf_done(&renewal->key);
}

void tw_renewal_done(struct tw_renewal *renewal)
{
	forget_key(renewal);
}

void tw_renewal_set(struct tw_renewal *renewal, const struct tw_identity *identity)
{
	uint64_t life_s = (uint64_t)(identity->expires - identity->from);
	uint32_t random = 0;

	if (identity->from == renewal->from && identity->expires == renewal->until)
		return;
	if (identity->expires <= identity->from)
		life_s = 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)tw_clock_ns();
	renewal->from = identity->from;
	renewal->until = identity->expires;
	renewal->due = renewal->from + (time_t)(life_s * 2 / 3 + random % (life_s / 20 + 1));
	renewal->told = 0;
	renewal->again_ns = 0;
	renewal->set_ns = tw_clock_ns();
}

/* ---- the answer ---- */

/* Checks the new certificate and replaces the file. */
static int take(struct tw_renewal *renewal, const ProtobufCBinaryData *cert, struct tw_err *err)
{
	tw_auto_buf struct tw_buf ca = {0};
	struct tw_request_cert got = {0};
	struct tw_identity validity = {0};
	int code = tw_file_read(renewal->files.ca, &ca, err);

	if (code < 0)
		return code;
	if (tw_request_check(&renewal->key, cert->data, cert->len, &ca, &got) < 0)
		return tw_err_set(err, -EKEYREJECTED, NULL, NULL,
			"the slow path sent a certificate that is not for this key");
	if (got.until <= renewal->until)
		return tw_err_set(err, -EKEYREJECTED, NULL, NULL,
			"the slow path sent one that is valid no longer than the present one");
	tw_buf_add(&renewal->key, cert->data, cert->len);
	if (renewal->key.failed)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	code = tw_file_replace(renewal->files.cert, renewal->key.data, renewal->key.len, 0600, err);
	if (code < 0)
		return code;
	validity.from = got.from;
	validity.expires = got.until;
	tw_renewal_set(renewal, &validity);
	tw_log(TW_LOG_INFO, "%s: renewed for %s, valid for %lld days", renewal->files.cert,
		got.name, (long long)(got.until - time(NULL)) / DAY_S);
	renewal->why[0] = '\0';
	return 0;
}

static void on_issued(void *arg, Tapwall__V1__Response *response)
{
	struct tw_renewal *renewal = arg;
	struct tw_err err = {0};

	renewal->asking = false;
	if (!response)
		fail(renewal, "the connection to the slow path ended");
	else if (response->error)
		fail(renewal, tw_cleaned(response->error->text).text);
	else if (response->body_case != TAPWALL__V1__RESPONSE__BODY_ISSUED)
		fail(renewal, "the slow path sent no certificate");
	else if (take(renewal, &response->issued->certificate, &err) < 0)
		fail(renewal, err.text);
	forget_key(renewal);
}

/* ---- the request ---- */

static void ask(struct tw_renewal *renewal, struct tw_peer *peer)
{
	Tapwall__V1__RenewRequest body = TAPWALL__V1__RENEW_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_auto_buf struct tw_buf pem = {0};
	int code;

	plan_next(renewal);
	if (strcmp(renewal->files.cert, renewal->files.key) != 0) {
		fail(renewal, "key and certificate are in two files; put them into one");
		return;
	}
	code = tw_request_new(&renewal->key, &pem);
	body.request.data = (uint8_t *)pem.data;
	body.request.len = pem.len;
	request.body_case = TAPWALL__V1__REQUEST__BODY_RENEW;
	request.renew = &body;
	if (!code)
		code = tw_peer_ask(peer, &request, on_issued, renewal, NULL);
	renewal->asking = !code;
	if (code < 0) {
		forget_key(renewal);
		fail(renewal, strerror(-code));
	}
}

static void warn(struct tw_renewal *renewal, time_t now)
{
	time_t left = renewal->until - now;

	if (left > (renewal->until - renewal->from) / WARN_SHARE ||
		(left > 0 && tw_clock_ns() - renewal->set_ns < TW_RENEWAL_WARN_NS) ||
		(renewal->told && now - renewal->told < DAY_S))
		return;
	renewal->told = now;
	if (left > 0)
		tw_log(TW_LOG_WARNING,
			"%s: expires in %lld h and is not renewed%s%s; then the slow path refuses this host",
			renewal->files.cert, (long long)left / 3600, renewal->why[0] ? ": " : "",
			renewal->why);
	else
		tw_log(TW_LOG_WARNING,
			"%s: has expired; enroll again with tapwall enroll --replace",
			renewal->files.cert);
}

void tw_renewal_tick(struct tw_renewal *renewal, struct tw_peer *peer)
{
	time_t now = time(NULL);

	if (!renewal->until)
		return;
	warn(renewal, now);
	if (peer && !renewal->asking && now >= renewal->due && tw_clock_ns() >= renewal->next_ns)
		ask(renewal, peer);
}
