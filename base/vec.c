/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/vec.h"

#include <stdint.h>

#include "base/alloc.h"

int tw_vec_reserve_(void **at, size_t *max, size_t n, size_t size)
{
	size_t room = *max ? *max : 8;
	void *grown;

	if (n <= *max)
		return 0;
	while (room < n)
		room *= 2;
	if (room > SIZE_MAX / size)
		return -ENOMEM;
	grown = tw_realloc(*at, room * size);
	if (!grown)
		return -ENOMEM;
	*at = grown;
	*max = room;
	return 0;
}
