/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* swept: packets during the sweep of the connection table, on the same CPU.
 *
 *	swept sweep SECONDS		runs the agent's program `tw_sweep` without a pause; prints the number of runs
 *	swept open ADDRESS PORT FROM N	sends a UDP datagram from each of N ports, the first one being FROM
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_LEN 14	/* the minimum for a test run */
#define REPEAT	  20000 /* sweeps per test run */

static int die(const char *what)
{
	fprintf(stderr, "swept: %s: %s\n", what, strerror(errno));
	return 2;
}

/* Returns a descriptor of the program named `name`, or -1. */
static int program(const char *name)
{
	__u32 id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, name))
			return fd;
		close(fd);
	}
	return -1;
}

static int sweep(long seconds)
{
	unsigned char frame[FRAME_LEN] = {0};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = sizeof(frame), .repeat = REPEAT);
	int fd = program("tw_sweep");
	time_t end = time(NULL) + seconds;
	unsigned long n = 0;

	if (fd < 0)
		return die("no program `tw_sweep`");
	while (time(NULL) < end) {
		if (bpf_prog_test_run_opts(fd, &opts))
			return die("a test run");
		n += REPEAT;
	}
	printf("swept=%lu\n", n);
	close(fd);
	return 0;
}

static int send_from(const struct sockaddr_in *to, unsigned int port)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof(from)))
		return die("a socket");
	ret = sendto(fd, "x", 1, 0, (const struct sockaddr *)to, sizeof(*to)) == 1 ? 0
										   : die("sendto");
	close(fd);
	return ret;
}

static int open_all(char **args)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(args[1]))};
	unsigned int from = (unsigned int)atoi(args[2]), n = (unsigned int)atoi(args[3]);

	if (inet_pton(AF_INET, args[0], &to.sin_addr) != 1)
		return 2;
	for (unsigned int i = 0; i < n; i++)
		if (send_from(&to, from + i))
			return 2;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "sweep"))
		return sweep(atol(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "open"))
		return open_all(argv + 2);
	fprintf(stderr, "swept: invalid arguments; see the comment at the top of swept.c\n");
	return 2;
}
