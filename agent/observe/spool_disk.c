/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/spool_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

struct tw_spool_disk {
	int dir_fd;
	struct tw_worker *worker;
};

static void do_job(struct tw_work *work)
{
	struct tw_spool_job *job = (struct tw_spool_job *)work;

	switch (job->what) {
	case TW_SPOOL_WRITE:
		job->result = tw_spool_file_write(job->dir_fd, &job->part, job->data, job->len);
		break;
	case TW_SPOOL_READ:
		job->result = tw_spool_file_read(job->dir_fd, &job->part, &job->read);
		break;
	case TW_SPOOL_REMOVE:
		tw_spool_file_remove(job->dir_fd, &job->part);
		job->result = 0;
		break;
	}
}

int tw_spool_disk_new(int dir_fd, struct tw_spool_disk **ret)
{
	struct tw_spool_disk *disk = tw_alloc(sizeof(*disk));
	int code;

	if (!disk) {
		close(dir_fd);
		return -ENOMEM;
	}
	disk->dir_fd = dir_fd;
	code = tw_worker_new(&disk->worker);
	if (code < 0) {
		tw_spool_disk_free(disk);
		return code;
	}
	*ret = disk;
	return 0;
}

bool tw_spool_disk_stop(struct tw_spool_disk *disk, unsigned int wait_ms)
{
	return !disk || tw_worker_stop(disk->worker, wait_ms);
}

void tw_spool_disk_free(struct tw_spool_disk *disk)
{
	if (!disk)
		return;
	tw_worker_free(disk->worker);
	close(disk->dir_fd);
	free(disk);
}

void tw_spool_disk_submit(struct tw_spool_disk *disk, struct tw_spool_job *job)
{
	job->dir_fd = disk->dir_fd;
	job->work.run = do_job;
	tw_worker_submit(disk->worker, &job->work);
}

struct tw_spool_job *tw_spool_disk_take(struct tw_spool_disk *disk)
{
	return (struct tw_spool_job *)tw_worker_take(disk->worker);
}

int tw_spool_disk_fd(const struct tw_spool_disk *disk)
{
	return tw_worker_fd(disk->worker);
}
