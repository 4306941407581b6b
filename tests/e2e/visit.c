/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* visit HOST PORT FROM…: gets a page from a web server, once from each of these addresses of this guest. Fails
 * unless each is answered.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_SECONDS 10

static struct sockaddr_in address(const char *host, int port)
{
	struct sockaddr_in ret = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, host, &ret.sin_addr) != 1) {
		fprintf(stderr, "visit: %s is no address\n", host);
		exit(2);
	}
	return ret;
}

/* Returns 0, or -1 with errno. */
static int get_page(const struct sockaddr_in *from, const struct sockaddr_in *to)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct timeval wait = {.tv_sec = WAIT_SECONDS};
	int fd = socket(AF_INET, SOCK_STREAM, 0), ret = -1;
	char answer[512];

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (!bind(fd, (const struct sockaddr *)from, sizeof(*from)) &&
		!connect(fd, (const struct sockaddr *)to, sizeof(*to)) &&
		send(fd, request, sizeof(request) - 1, 0) > 0 &&
		recv(fd, answer, sizeof(answer), 0) > 0)
		ret = 0;
	/* Reads to the end, so that the server closes first and the connection ends as usual. */
	while (!ret && recv(fd, answer, sizeof(answer), 0) > 0)
		continue;
	close(fd);
	return ret;
}

int main(int argc, char **argv)
{
	for (int i = 3; i < argc; i++) {
		struct sockaddr_in to = address(argv[1], atoi(argv[2])), from = address(argv[i], 0);

		if (get_page(&from, &to) < 0) {
			perror(argv[i]);
			return 1;
		}
	}
	return argc > 3 ? 0 : 2;
}
