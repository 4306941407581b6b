/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* history_seeds FOLDER: writes parts of small and large blocks, as seeds of fuzz_history. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "slowpath/history/block.h"

/* Writes each part of a block to a file of its own. Returns false if a file cannot be written. */
static bool put_parts(const char *folder, const struct tw_buf *part, uint32_t n, bool packed)
{
	for (unsigned int c = 0; c < TW_HISTORY_COLUMN__MAX; c++) {
		const unsigned char head[] = {c >= TW_HISTORY_IDS, n & 0xff, n >> 8 & 0xff};
		char path[4096];
		FILE *out;
		bool ok;

		snprintf(path, sizeof(path), "%s/%u-%u-%d", folder, n, c, packed);
		out = fopen(path, "we");
		if (!out)
			return false;
		ok = fwrite(head, sizeof(head), 1, out) == 1 &&
		     fwrite(part[c].data, part[c].len, 1, out) == 1;
		if (fclose(out) || !ok)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1, 40, 300, 4100};
	static struct tw_history_row rows[4100];
	struct tw_history_encoder *encoder = tw_history_encoder_new();
	bool ok = encoder && argc == 2;

	if (ok)
		mkdir(argv[1], 0777);
	for (uint32_t i = 0; i < 4100; i++) {
		rows[i].time_us = 1000000 + i * 7ull;
		rows[i].bytes[0] = i * i;
		rows[i].port[0] = (uint16_t)(i * 31);
		rows[i].port[1] = (uint16_t)(i % 300);
		rows[i].workload[0] = i % 5;
		rows[i].addr[0].b[15] = (uint8_t)i;
		rows[i].addr[1] = (struct tw_addr){.b = {[10] = 0xff, [11] = 0xff, [15] = i % 9}};
	}
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && ok; i++)
		for (int packed = 0; packed < 2 && ok; packed++) {
			const struct tw_buf *part = tw_history_encode(
				encoder, rows, sizes[i], packed);

			ok = part && put_parts(argv[1], part, sizes[i], packed);
		}
	tw_history_encoder_free(encoder);
	return !ok;
}
