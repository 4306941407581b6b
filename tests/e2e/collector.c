/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* collector udp|tcp PORT: a strict IPFIX collector at 127.0.0.1 (RFC 7011, RFC 5103). Prints `ready`, then a line for
 * each record: the values of its template's fields by their number, -NUMBER for those of the reverse direction. Prints
 * a line `bad: …` for whatever the standard forbids, and for gaps in a domain's sequence. With tcp it accepts one
 * connection after another.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REVERSE_PEN   29305
#define VARIABLE      65535
#define TEMPLATES_MAX 64
#define DOMAINS_MAX   8
#define FIELDS_MAX    32
#define HEADER_BYTES  16

struct field {
	unsigned int element, len;
	bool reverse;
};

struct template
{
	uint32_t domain;
	unsigned int id, n;
	struct field fields[FIELDS_MAX];
};

struct domain {
	uint32_t id, sequence;
};

static struct template templates[TEMPLATES_MAX];
static struct domain domains[DOMAINS_MAX];
static uint32_t domain_id, n_records;

static void bad(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("bad: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

static uint64_t number(const unsigned char *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

static struct template *find(unsigned int id, bool make)
{
	for (size_t i = 0; i < TEMPLATES_MAX; i++)
		if ((templates[i].id == id && templates[i].domain == domain_id) ||
			(make && !templates[i].id))
			return &templates[i];
	return NULL;
}

/* Reads one template; returns its length, 0 if it is malformed. */
static size_t read_template(const unsigned char *at, size_t len, bool options)
{
	size_t used = options ? 6 : 4;
	unsigned int id = len >= used ? (unsigned int)number(at, 2) : 0;
	unsigned int n = id ? (unsigned int)number(at + 2, 2) : 0;
	struct template *t = id >= 256 ? find(id, true) : NULL;

	if (!t || !n || n > FIELDS_MAX ||
		(options && (!number(at + 4, 2) || number(at + 4, 2) > n)))
		return 0;
	*t = (struct template){.domain = domain_id, .id = id, .n = n};
	for (unsigned int i = 0; i < n; i++) {
		struct field *f = &t->fields[i];
		size_t want;

		if (used + 4 > len)
			return 0;
		f->element = (unsigned int)number(at + used, 2);
		f->len = (unsigned int)number(at + used + 2, 2);
		f->reverse = f->element & 0x8000;
		f->element &= 0x7fff;
		want = f->reverse ? 8 : 4;
		if (used + want > len || (f->reverse && number(at + used + 4, 4) != REVERSE_PEN) ||
			!f->len)
			return 0;
		used += want;
	}
	return used;
}

static void print_text(const struct field *f, const unsigned char *at, size_t len)
{
	/* Zeros fill a field of fixed length. */
	while (f->len != VARIABLE && len && !at[len - 1])
		len--;
	for (size_t i = 0; i < len; i++) {
		if (!isprint(at[i]) && at[i] < 0x80)
			bad("text of field %u", f->element);
		putchar(at[i]);
	}
}

static void print_field(const struct field *f, const unsigned char *at, size_t len)
{
	char text[INET6_ADDRSTRLEN];

	printf(" %s%u=", f->reverse ? "-" : "", f->element);
	if (f->element == 8 || f->element == 12)
		printf("%s", inet_ntop(AF_INET, at, text, sizeof(text)));
	else if (f->element == 27 || f->element == 28)
		printf("%s", inet_ntop(AF_INET6, at, text, sizeof(text)));
	else if (f->len == VARIABLE || f->element == 82 || f->element == 335)
		print_text(f, at, len);
	else if (f->element == 56 || f->element == 80)
		printf("%012" PRIx64, number(at, len));
	else
		printf("%" PRIu64, number(at, len));
}

/* Reads one record; returns its length, 0 if it does not fit. */
static size_t read_record(const struct template *t, const unsigned char *at, size_t len)
{
	size_t used = 0;

	printf("record %u", t->id);
	for (unsigned int i = 0; i < t->n; i++) {
		size_t field_len = t->fields[i].len;

		if (field_len == VARIABLE) {
			field_len = used < len ? at[used++] : 0;
			if (field_len == 255 && used + 2 <= len) {
				field_len = number(at + used, 2);
				used += 2;
			}
		}
		if (used + field_len > len) {
			printf("\n");
			return 0;
		}
		print_field(&t->fields[i], at + used, field_len);
		used += field_len;
	}
	printf("\n");
	n_records++;
	return used;
}

static void read_set(const unsigned char *at, size_t len, unsigned int id)
{
	const struct template *t = id >= 256 ? find(id, false) : NULL;
	size_t used = 0, n;

	if (id != 2 && id != 3 && !t) {
		bad("set %u without a template", id);
		return;
	}
	if (!len)
		bad("set %u is empty", id);
	for (; used < len; used += n) {
		n = t ? read_record(t, at + used, len - used)
		      : read_template(at + used, len - used, id == 3);
		if (!n) {
			bad("set %u at byte %zu of %zu", id, used, len);
			return;
		}
	}
}

static void check_sequence(uint32_t sequence)
{
	struct domain *d = domains;

	while (d < domains + DOMAINS_MAX - 1 && d->id && d->id != domain_id)
		d++;
	if (d->id == domain_id && d->sequence != sequence)
		bad("sequence %u of domain %u, expected %u", sequence, domain_id, d->sequence);
	d->id = domain_id;
	d->sequence = sequence + n_records;
}

static void read_message(const unsigned char *at, size_t len)
{
	size_t used = HEADER_BYTES;

	if (len < HEADER_BYTES || number(at, 2) != 10 || number(at + 2, 2) != len) {
		bad("message of %zu bytes", len);
		return;
	}
	domain_id = (uint32_t)number(at + 12, 4);
	n_records = 0;
	while (used < len) {
		size_t set = used + 4 <= len ? number(at + used + 2, 2) : 0;

		if (set < 4 || used + set > len) {
			bad("set of %zu bytes", set);
			return;
		}
		read_set(at + used + 4, set - 4, (unsigned int)number(at + used, 2));
		used += set;
	}
	check_sequence((uint32_t)number(at + 8, 4));
}

static bool read_all(int fd, unsigned char *at, size_t len)
{
	return recv(fd, at, len, MSG_WAITALL) == (ssize_t)len;
}

/* Reads messages until the connection ends. Each begins with templates and sequence numbers of its own. */
static void serve(int fd)
{
	static unsigned char message[65536];
	size_t len;

	memset(templates, 0, sizeof(templates));
	memset(domains, 0, sizeof(domains));
	while (read_all(fd, message, 4)) {
		len = number(message + 2, 2);
		if (len < HEADER_BYTES || !read_all(fd, message + 4, len - 4)) {
			bad("the stream ends within a message");
			break;
		}
		read_message(message, len);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static unsigned char message[65536];
	const int on = 1;
	ssize_t len;
	bool tcp;
	int fd;

	if (argc != 3)
		return 2;
	tcp = !strcmp(argv[1], "tcp");
	at.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	fd = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || (tcp && listen(fd, 1) < 0))
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (tcp) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			return 1;
		serve(peer);
	}
	while ((len = recv(fd, message, sizeof(message), 0)) >= 0)
		read_message(message, (size_t)len);
	return 1;
}
