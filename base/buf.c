/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FIRST_BYTES 256
#define LARGE_BYTES ((size_t)1 << 20) /* larger buffers grow by an eighth */

static bool reserve(struct tw_buf *buf, size_t len)
{
	size_t max = buf->max ? buf->max : FIRST_BYTES;
	char *data;

	if (buf->failed)
		return false;
	if (buf->len + len + 1 <= buf->max)
		return true;
	while (max < buf->len + len + 1)
		max += max < LARGE_BYTES ? max : max / 8;
	data = tw_realloc(buf->data, max);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->max = max;
	return true;
}

void tw_buf_done(struct tw_buf *buf)
{
	free(buf->data);
	*buf = (struct tw_buf){0};
}

void tw_buf_reset(struct tw_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void *tw_buf_extend(struct tw_buf *buf, size_t len)
{
	char *start;

	if (!reserve(buf, len))
		return NULL;
	start = buf->data + buf->len;
	memset(start, 0, len + 1);
	buf->len += len;
	return start;
}

void tw_buf_add(struct tw_buf *buf, const void *data, size_t len)
{
	void *start = tw_buf_extend(buf, len);

	if (start && len)
		memcpy(start, data, len);
}

void tw_buf_adds(struct tw_buf *buf, const char *text)
{
	tw_buf_add(buf, text, strlen(text));
}

void tw_buf_addf(struct tw_buf *buf, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	if (len >= 0 && reserve(buf, (size_t)len)) {
		vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
	va_end(args);
}
