/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* advertise: sends one router advertisement, as a router does.
 *
 *	advertise IFACE PREFIX SECONDS    on-link, for SLAAC, of 64 bits; not a default router
 *
 * Source:     RFC 4861 §4.2, §4.6.2. The kernel chooses the link-local source and the checksum.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct {
		struct nd_router_advert head;
		struct nd_opt_prefix_info prefix;
	} message = {
		.head.nd_ra_type = ND_ROUTER_ADVERT,
		.prefix.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
		.prefix.nd_opt_pi_len = 4,
		.prefix.nd_opt_pi_prefix_len = 64,
		.prefix.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
	};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	int hops = 255, fd;

	if (argc != 4 || inet_pton(AF_INET6, argv[2], &message.prefix.nd_opt_pi_prefix) != 1) {
		fprintf(stderr, "usage: advertise IFACE PREFIX SECONDS\n");
		return 2;
	}
	message.prefix.nd_opt_pi_valid_time = message.prefix.nd_opt_pi_preferred_time = htonl(
		(uint32_t)atol(argv[3]));
	to.sin6_scope_id = if_nametoindex(argv[1]);
	inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
	fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) ||
		sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("advertise");
		return 1;
	}
	close(fd);
	return 0;
}
