/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* buf.h: a growing byte buffer, always terminated by a NUL that `len` does not count.
 *
 * If memory runs out, `failed` is set and later calls do nothing, so the caller checks once at
 * the end.
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

void tw_buf_done(struct tw_buf *buf);  /* frees the memory and leaves an empty buffer */
void tw_buf_reset(struct tw_buf *buf); /* empties the buffer, keeps its memory */
void tw_buf_add(struct tw_buf *buf, const void *data, size_t len);
void tw_buf_adds(struct tw_buf *buf, const char *text);
void tw_buf_addf(struct tw_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds `len` zero bytes and returns their start, or NULL if out of memory. The pointer is valid
 * until the next call that adds. */
void *tw_buf_extend(struct tw_buf *buf, size_t len);
