/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/own.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "slowpath/issue.h"

#define DAY_S	   86400
#define AGAIN_S	   600			 /* between two attempts to renew */
#define CA_WARN_S  (180 * (time_t)DAY_S) /* a new CA means enrolling every host again */
#define WARN_SHARE 6

static void look(struct tw_own *own)
{
	if (stat(own->files.cert, &own->seen) < 0)
		own->seen = (struct stat){0};
}

static bool has_changed(const struct tw_own *own)
{
	struct stat now = {0};

	return !stat(own->files.cert, &now) &&
	       (now.st_ino != own->seen.st_ino || now.st_size != own->seen.st_size ||
		       now.st_mtim.tv_sec != own->seen.st_mtim.tv_sec ||
		       now.st_mtim.tv_nsec != own->seen.st_mtim.tv_nsec);
}

/* Reads the files again. The new identity takes over the callbacks of the old one. */
static bool load(struct tw_own *own)
{
	struct tw_identity *identity = NULL, *old = own->identity;
	struct tw_err err = {0};

	look(own);
	if (tw_identity_load(&own->files, TW_IDENTITY_SLOW_PATH, &identity, &err) < 0) {
		tw_log(TW_LOG_ERR, "%s: %s; the certificate read before stays in use", err.place,
			err.text);
		return false;
	}
	identity->is_revoked = old->is_revoked;
	identity->arg = old->arg;
	identity->is_enrolling = old->is_enrolling;
	identity->enrolling_arg = old->enrolling_arg;
	own->identity = identity;
	own->told = 0;
	tw_identity_free(old);
	tw_log(TW_LOG_INFO, "%s: read, valid for %lld days", own->files.cert,
		(long long)(identity->expires - time(NULL)) / DAY_S);
	return true;
}

int tw_own_init(struct tw_own *own, const struct tw_identity_files *files, const char *folder,
	struct tw_err *err)
{
	own->files = *files;
	own->folder = folder;
	look(own);
	return tw_identity_load(files, TW_IDENTITY_SLOW_PATH, &own->identity, err);
}

void tw_own_done(struct tw_own *own)
{
	tw_identity_free(own->identity);
}

/* ---- renewing ---- */

static bool is_due(const struct tw_own *own, time_t now)
{
	const struct tw_identity *identity = own->identity;
	time_t life = identity->expires - identity->from;

	return now >= identity->from + life / 3 * 2 && !strcmp(own->files.cert, own->files.key) &&
	       (!own->renewed || now - own->renewed >= AGAIN_S || now < own->renewed);
}

/* Renews the certificate. If the CA expires no later than the present certificate, this fails. */
static bool renew(struct tw_own *own, time_t now)
{
	tw_auto_buf struct tw_buf pem = {0};
	struct tw_err err = {0};
	int code;

	own->renewed = now;
	code = tw_issue_own(own->folder, own->files.ca, own->identity->expires, &pem, &err);
	if (!code)
		code = tw_file_replace(own->files.cert, pem.data, pem.len, 0600, &err);
	if (code < 0)
		tw_log(TW_LOG_WARNING, "%s: cannot renew it: %s: %s", own->files.cert, err.place,
			err.text);
	return !code;
}

static void warn(struct tw_own *own, time_t now)
{
	const struct tw_identity *identity = own->identity;
	time_t left = identity->expires - now, ca_left = identity->ca_expires - now;
	bool ends = left < (identity->expires - identity->from) / WARN_SHARE;

	if ((!ends && ca_left > CA_WARN_S) || (own->told && now - own->told < DAY_S))
		return;
	own->told = now;
	if (ends)
		tw_log(TW_LOG_WARNING, "%s: %s", own->files.cert,
			left > 0 ? "expires soon; agents then refuse this slow path"
				 : "has expired; agents refuse this slow path");
	if (ca_left <= CA_WARN_S)
		tw_log(TW_LOG_WARNING,
			"%s: the CA's certificate ends in %lld days, and all that it issued with it; make a new CA and enroll every host again",
			own->files.ca, (long long)ca_left / DAY_S);
}

bool tw_own_tick(struct tw_own *own)
{
	time_t now = time(NULL);
	bool changed = false;

	if (tw_clock_ns() < own->next_ns)
		return false;
	own->next_ns = tw_clock_ns() + TW_OWN_LOOK_NS;
	if (has_changed(own))
		changed = load(own);
	if (is_due(own, now) && renew(own, now))
		changed |= load(own);
	warn(own, now);
	return changed;
}
