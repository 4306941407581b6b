/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/shared_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct tw_shared_text *tw_shared_text_new(const char *text, size_t len)
{
	struct tw_shared_text *shared = tw_alloc(sizeof(*shared) + len + 1);

	if (!shared)
		return NULL;
	shared->refs = 1;
	shared->len = len;
	memcpy(shared->bytes, text, len);
	return shared;
}

struct tw_shared_text *tw_shared_text_ref(struct tw_shared_text *text)
{
	text->refs++;
	return text;
}

void tw_shared_text_free(struct tw_shared_text *text)
{
	if (text && !--text->refs)
		free(text);
}
