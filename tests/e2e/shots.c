/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* shots: sends a few datagrams from one guest to another, each from a new source port.
 *
 *	shots HOST N PORT…    N times one UDP datagram to each port
 *
 * SHOTS_FROM=PORT: source ports ascend from this one, so that none is used twice.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *first = getenv("SHOTS_FROM");
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct sockaddr_in to = {.sin_family = AF_INET};

	if (argc < 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: shots HOST N PORT…\n");
		return 2;
	}
	for (int shots = atoi(argv[2]); shots > 0; shots--) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		if (fd < 0) {
			perror("shots: socket");
			return 2;
		}
		/* Fails if the port is in use; the kernel then chooses another one. */
		from.sin_port = htons((uint16_t)(first ? atoi(first) + shots : 0));
		(void)!bind(fd, (const struct sockaddr *)&from, sizeof(from));
		for (int i = 3; i < argc; i++) {
			to.sin_port = htons((uint16_t)atoi(argv[i]));
			/* A datagram that is refused at once is missing at the receiver, where it
			 * is noticed. */
			sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to));
		}
		close(fd);
	}
	return 0;
}
