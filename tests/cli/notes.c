/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* notes FILE: prints a line for each packet of a pcapng file: interface, direction, bytes captured
 * and on the wire, packets lost before it, source and destination port of TCP and UDP, comment.
 * Fails if the file does not end with a complete block. */
#include <stdio.h>
#include <string.h>

#include "sim/glance.h"
#include "sim/pcapng.h"

static void print(const struct tw_pcapng_packet *packet)
{
	static const char *const dirs[] = {"?", "in", "out", "?"};
	struct tw_glance glance;

	tw_glance_read(packet->data, packet->len, &glance);
	printf("%s %s %u/%u lost=%llu %u>%u %s\n", packet->interface, dirs[packet->flags & 3],
		packet->len, packet->wire_len, (unsigned long long)packet->lost,
		glance.port[TW_DIR_OUT], glance.port[TW_DIR_IN], packet->comment);
}

int main(int argc, char **argv)
{
	tw_auto(tw_pcapng) struct tw_pcapng *reader = NULL;
	tw_autofile FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	struct tw_pcapng_packet packet;
	struct tw_err err = {0};
	int more;

	if (!file || tw_pcapng_new(file, &reader) < 0) {
		fprintf(stderr, "usage: notes FILE\n");
		return 2;
	}
	while ((more = tw_pcapng_next(reader, &packet, &err)) > 0)
		print(&packet);
	if (more < 0)
		tw_err_print(stderr, "notes", &err);
	return more < 0;
}
