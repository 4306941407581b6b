/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* certificates FOLDER: makes a CA, and valid and invalid certificates, for the tests of the link:
 *
 *	ca.pem ca-key.pem slowd.pem     the CA, which ends in 40 days, and its key; the slow path
 *	host-a.pem host-b.pem           two agents
 *	expired.pem early.pem           an agent; expired, and not valid yet
 *	wrong.pem wrong-ca.pem          an agent of another CA; that CA
 *	server.pem                      an agent's name with the slow path's purpose
 *	nameless.pem                    an agent whose name is not valid
 *	due.pem due-slowd.pem           host-a and the slow path, in the last third of their validity
 *	old-slowd.pem                   the slow path, expired
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "slowpath/ca.h"

#define DAY 86400

static const char *folder;

static void write_file(const char *name, struct tw_buf *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text->data, text->len) != (ssize_t)text->len || close(fd) < 0)
		exit(1);
	tw_buf_done(text);
}

static void issue(const struct tw_ca *ca, const char *file, const char *name,
	enum tw_identity_side side, int from_days, int until_days)
{
	time_t now = time(NULL);
	const struct tw_ca_subject subject = {
		name, side, now + (time_t)from_days * DAY, now + (time_t)until_days * DAY};
	struct tw_buf pem = {0};

	if (tw_ca_issue(ca, &subject, &pem) < 0)
		exit(1);
	write_file(file, &pem);
}

int main(int argc, char **argv)
{
	tw_auto(tw_ca) struct tw_ca *ca = NULL, *wrong = NULL;
	struct tw_buf pem = {0};
	time_t now = time(NULL);

	if (argc != 2)
		return 2;
	folder = argv[1];
	if (tw_ca_new("the CA", now + 40 * DAY, &ca) < 0 ||
		tw_ca_new("another CA", now + 40 * DAY, &wrong) < 0)
		return 1;
	if (tw_ca_put_cert(ca, &pem) < 0)
		return 1;
	write_file("ca.pem", &pem);
	if (tw_ca_put_key(ca, &pem) < 0)
		return 1;
	write_file("ca-key.pem", &pem);
	if (tw_ca_put_cert(wrong, &pem) < 0)
		return 1;
	write_file("wrong-ca.pem", &pem);
	issue(ca, "slowd.pem", "slow-1", TW_IDENTITY_SLOW_PATH, -1, 30);
	issue(ca, "old-slowd.pem", "slow-1", TW_IDENTITY_SLOW_PATH, -9, -1);
	issue(ca, "due-slowd.pem", "slow-1", TW_IDENTITY_SLOW_PATH, -9, 1);
	issue(ca, "due.pem", "host-a", TW_IDENTITY_AGENT, -9, 1);
	issue(ca, "host-a.pem", "host-a", TW_IDENTITY_AGENT, -1, 30);
	issue(ca, "host-b.pem", "host-b", TW_IDENTITY_AGENT, -1, 30);
	issue(ca, "expired.pem", "host-a", TW_IDENTITY_AGENT, -9, -1);
	issue(ca, "early.pem", "host-a", TW_IDENTITY_AGENT, 1, 30);
	issue(ca, "server.pem", "host-a", TW_IDENTITY_SLOW_PATH, -1, 30);
	issue(ca, "nameless.pem", "../host a", TW_IDENTITY_AGENT, -1, 30);
	issue(wrong, "wrong.pem", "host-a", TW_IDENTITY_AGENT, -1, 30);
	return 0;
}
