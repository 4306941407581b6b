/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/issue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/exit.h"
#include "base/file.h"
#include "slowpath/ca.h"

#define DAY_S 86400

static int fail(const struct tw_err *err)
{
	tw_err_print(stderr, "tapwall-slowd", err);
	return (int)tw_exit_code(err->code);
}

static int join(const char *folder, const char *name, char path[PATH_MAX], struct tw_err *err)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);

	return len < PATH_MAX ? 0
			      : tw_err_set(err, -ENAMETOOLONG, folder, "use a shorter path",
					"the path is too long");
}

/* Writes a file that must not exist yet. */
static int write_new(const char *path, const struct tw_buf *text, struct tw_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int code = fd < 0 ? -errno : 0;

	if (!code && write(fd, text->data, text->len) != (ssize_t)text->len)
		code = -EIO;
	if (!code && fsync(fd) < 0)
		code = -errno;
	if (fd >= 0)
		close(fd);
	if (code == -EEXIST)
		return tw_err_set(err, code, path, "delete it if no agent needs it any more",
			"already exists");
	return code < 0 ? tw_err_set(err, code, path, NULL, "cannot write it: %s", strerror(-code))
			: 0;
}

static int write_pem(const char *folder, const char *name, const struct tw_buf *pem, int code,
	struct tw_err *err)
{
	char path[PATH_MAX];

	if (code < 0)
		return tw_err_set(err, code, name, NULL, "cannot make it: %s", strerror(-code));
	code = join(folder, name, path, err);
	return code < 0 ? code : write_new(path, pem, err);
}

/* Makes the slow path's own key and certificate. tapwall-slowd renews it in time. */
static int sign_own(const struct tw_ca *ca, struct tw_buf *pem)
{
	time_t now = time(NULL);
	const struct tw_ca_subject subject = {.name = "slow-path",
		.side = TW_IDENTITY_SLOW_PATH,
		.from = now - TW_CA_SKEW_S,
		.until = now + (time_t)TW_ISSUE_OWN_DAYS * DAY_S};

	return tw_ca_issue(ca, &subject, pem);
}

int tw_issue_ca(const char *folder, struct tw_ca **ret, struct tw_err *err)
{
	tw_auto_buf struct tw_buf key = {0}, cert = {0};
	char path[PATH_MAX];
	int code = join(folder, "ca-key.pem", path, err);

	if (!code)
		code = tw_file_read(path, &key, err);
	if (!code)
		code = join(folder, "ca.pem", path, err);
	if (!code)
		code = tw_file_read(path, &cert, err);
	if (code < 0)
		return code;
	code = tw_ca_read(&cert, &key, ret);
	return code < 0 ? tw_err_set(err, code, path, "tapwall-slowd --init makes a CA",
				  "it and ca-key.pem do not form a CA")
			: 0;
}

/* Makes a CA with its files. */
static int make_ca(const char *folder, struct tw_ca **ret, struct tw_err *err)
{
	tw_auto_buf struct tw_buf key = {0}, cert = {0};
	int code = tw_ca_new("tapwall", time(NULL) + TW_CA_LIFE_S, ret);

	if (code < 0)
		return tw_err_set(err, code, folder, NULL, "cannot make a CA: %s", strerror(-code));
	code = write_pem(folder, "ca-key.pem", &key, tw_ca_put_key(*ret, &key), err);
	return code < 0 ? code
			: write_pem(folder, "ca.pem", &cert, tw_ca_put_cert(*ret, &cert), err);
}

static bool has_file(const char *folder, const char *name)
{
	char path[PATH_MAX];

	return !join(folder, name, path, NULL) && !access(path, F_OK);
}

int tw_issue_init(const char *folder)
{
	tw_auto_buf struct tw_buf own = {0};
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	char print[TW_CA_FINGERPRINT];
	struct tw_err err = {0};
	int code = has_file(folder, "ca-key.pem") ? tw_issue_ca(folder, &ca, &err)
						  : make_ca(folder, &ca, &err);

	if (!code && !has_file(folder, "slowd.pem"))
		code = write_pem(folder, "slowd.pem", &own, sign_own(ca, &own), &err);
	if (code < 0)
		return fail(&err);
	if (!tw_ca_fingerprint(ca, print))
		printf("CA %s/ca.pem, SHA-256 %s\n", folder, print);
	return TW_EXIT_OK;
}

int tw_issue_own(const char *folder, const char *ca_path, time_t until, struct tw_buf *pem,
	struct tw_err *err)
{
	tw_auto_buf struct tw_buf configured = {0}, own = {0};
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	int code = tw_issue_ca(folder, &ca, err);

	if (!code)
		code = tw_file_read(ca_path, &configured, err);
	if (code < 0)
		return code;
	if (tw_ca_put_cert(ca, &own) < 0)
		return tw_err_set(err, -ENOMEM, folder, NULL, "out of memory");
	if (own.len != configured.len || memcmp(own.data, configured.data, own.len) != 0)
		return tw_err_set(err, -EKEYREJECTED, ca_path, NULL, "is not the CA in %s", folder);
	if (tw_ca_until(ca) <= until)
		return tw_err_set(err, -EKEYEXPIRED, ca_path, NULL, "the CA does not outlive it");
	code = sign_own(ca, pem);
	return code < 0 ? tw_err_set(err, code, folder, NULL, "cannot sign: %s", strerror(-code))
			: 0;
}

int tw_issue_print(const char *folder, unsigned char print[TW_IDENTITY_PRINT], struct tw_err *err)
{
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	int code = tw_issue_ca(folder, &ca, err);

	if (!code && tw_ca_hash(ca, print) < 0)
		code = tw_err_set(err, -ENOMEM, folder, NULL, "out of memory");
	return code;
}

int tw_issue_client(
	const char *folder, const char *name, enum tw_identity_side side, uint32_t life_s)
{
	time_t now = time(NULL);
	const struct tw_ca_subject subject = {.name = name,
		.side = side,
		.from = now, /* no allowance for skew: only this host checks it */
		.until = now + (time_t)life_s};
	tw_auto(tw_ca) struct tw_ca *ca = NULL;
	tw_auto_buf struct tw_buf pem = {0};
	struct tw_err err = {0};
	int code;

	if (!tw_identity_is_name(name))
		code = tw_err_set(&err, -EINVAL, "--issue", TW_ISSUE_NAME_HINT,
			"%s is not a valid name", name);
	else
		code = tw_issue_ca(folder, &ca, &err);
	if (!code)
		code = tw_ca_issue(ca, &subject, &pem);
	if (code < 0 && !err.code)
		tw_err_set(&err, code, name, NULL, "cannot issue it: %s", strerror(-code));
	if (code < 0)
		return fail(&err);
	fwrite(pem.data, 1, pem.len, stdout);
	return fflush(stdout) ? TW_EXIT_INTERNAL : TW_EXIT_OK;
}
