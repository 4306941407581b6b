/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* buf.h: a growing byte buffer, always terminated by a NUL that does not count.
 *
 * A buffer that ran out of memory stays empty-handed: `failed` is set, later calls do nothing,
 * and the caller checks once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct tw_buf {
	char *data;
	size_t len;
	size_t max;
	bool failed;
};

#define tw_auto_buf __attribute__((cleanup(tw_buf_done)))

void tw_buf_done(struct tw_buf *buf);  /* frees, and leaves an empty buffer */
void tw_buf_reset(struct tw_buf *buf); /* forgets the content, keeps the memory */
void tw_buf_add(struct tw_buf *buf, const void *data, size_t len);
void tw_buf_adds(struct tw_buf *buf, const char *text);
void tw_buf_addf(struct tw_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds `len` zero bytes and returns where they start, NULL when there is no memory. The pointer
 * holds until the next call that adds. */
void *tw_buf_extend(struct tw_buf *buf, size_t len);
