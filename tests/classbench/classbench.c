/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* classbench: classifies every header of a ClassBench trace with the packet path's classifier,
 * natively and in eBPF, from images such as ports have, and compares the rule with that of a linear
 * search.
 *
 *	classbench RULES TRACE [HOSTS]
 *
 * Ways:       images are read by address, and by looking up their chunks, as on kernels before 6.2.
 * How:        the rules become a policy. First, one workload, a router for all addresses, judges
 *             every header as source and as destination; this tests vectors. Then hosts of the
 *             trace are workloads of one address each, and judge their own headers; this tests
 *             cells. HOSTS limits their number (default 200; 0: no limit). Without the privilege to
 *             load BPF programs only the native test runs, and a message says so.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/alloc.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/memory.h"
#include "fastpath/native/image.h"
#include "policy/policy.h"
#include "tests/classbench/ask.h"
#include "tests/classbench/set.h"

#define HOSTS_DEFAULT 200
#define SLOT	      1
#define FAULTS_TOLD   5

/* ---- the native side ---- */

static struct image native_image;
static enum way { WAY_ADDRESS, WAY_LOOKUP, WAY__MAX } native_way;
static const char *const way_names[] = {[WAY_ADDRESS] = "by address", [WAY_LOOKUP] = "by lookup"};

tw_inline void *tw_image_at(const struct tw_frame *f, __u32 slot)
{
	return &native_image;
}

tw_inline int tw_image_flat(const struct tw_frame *f)
{
	return native_way == WAY_ADDRESS;
}

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	for (__u32 i = 0; i < n && !step(i, context); i++)
		continue;
}

/* ClassBench sets have no groups. */
tw_inline struct tw_membership *tw_members_lookup(
	const struct tw_frame *f, const struct tw_addr *addr)
{
	return NULL;
}

#include "fastpath/path/classify.h"

/* The classifier in the kernel, with one way to read images. */
struct kernel {
	struct bpf_object
		*object; /* NULL: not supported by this kernel, or no privilege to load it */
	int images_fd;
	int prog_fd;
	struct ask *asks;
};

struct bench {
	struct set set;
	struct tw_policy *policy;
	struct tw_compiler *compiler;
	struct kernel kernel[WAY__MAX];
	size_t n_asked;
	size_t n_faults;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(bool is, const char *what)
{
	if (is)
		return;
	fprintf(stderr, "classbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- asking ---- */

static void map_v4(struct tw_addr *addr, uint32_t number)
{
	tw_addr_map(addr, tw_be32(number));
}

static struct ask question(const struct set_header *h, enum tw_dir dir, bool own)
{
	struct ask ask = {.slot = SLOT, .dir = dir, .own = own};

	map_v4(&ask.tuple.src, h->addr[0]);
	map_v4(&ask.tuple.dst, h->addr[1]);
	ask.tuple.sport = tw_be16(h->port[0]);
	ask.tuple.dport = tw_be16(h->port[1]);
	ask.tuple.proto = h->proto;
	ask.icmp = h->port[1];
	if (own)
		ask.v4 = h->addr[dir];
	return ask;
}

static void check(struct bench *b, const struct set_header *h, enum tw_dir dir, uint32_t decision,
	const char *where, enum way way)
{
	uint32_t n = (uint32_t)b->set.rules.n;
	enum tw_verdict verdict = h->first == n ? TW_V_DENY : TW_V_ALLOW;

	b->n_asked++;
	if (tw_decision_rule(decision) == h->first && tw_decision_verdict(decision) == verdict)
		return;
	if (b->n_faults++ < FAULTS_TOLD)
		fprintf(stderr,
			"%s %s, %s: %08x %08x %u %u proto %u is decided by rule %u, and should be by %u\n",
			where, way_names[way], dir == TW_DIR_OUT ? "out" : "in", h->addr[0],
			h->addr[1], h->port[0], h->port[1], h->proto, tw_decision_rule(decision),
			h->first);
}

static void ask_natively(
	struct bench *b, const uint32_t *headers, size_t n, enum tw_dir dir, bool own)
{
	struct tw_frame f = {0};

	for (native_way = 0; native_way < WAY__MAX; native_way++) {
		for (size_t i = 0; i < n; i++) {
			const struct set_header *h = &b->set.headers.at[headers[i]];
			struct ask a = question(h, dir, own);

			check(b, h, dir,
				tw_classify(&f, SLOT, dir,
					(struct tw_home){.own = a.own, .v4 = a.v4}, &a.tuple,
					(__u16)a.icmp),
				"native", native_way);
		}
	}
}

/* Returns the mean time of a classification in ns; 0 if the kernel does not support this way. */
static double ask_kernel(struct bench *b, enum way way, const uint32_t *headers, size_t n,
	enum tw_dir dir, bool own, int repeat)
{
	const struct kernel *kernel = &b->kernel[way];
	unsigned char frame[64] = {0};
	struct __sk_buff ctx = {.mark = (__u32)n};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = sizeof(frame), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.repeat = repeat);

	if (!kernel->object)
		return 0;
	must(n <= ASKS_MAX, "more headers than questions at once");
	for (size_t i = 0; i < n; i++) {
		kernel->asks[i] = question(&b->set.headers.at[headers[i]], dir, own);
		kernel->asks[i].decision = 0;
	}
	must(!bpf_prog_test_run_opts(kernel->prog_fd, &opts), "BPF_PROG_TEST_RUN");
	for (size_t i = 0; i < n; i++)
		check(b, &b->set.headers.at[headers[i]], dir, kernel->asks[i].decision, "eBPF",
			way);
	return n ? (double)opts.duration / (double)n : 0;
}

static void load_image(struct bench *b, const struct tw_image *image)
{
	const uint32_t slot = SLOT;
	tw_autofd int fd = -1;

	must(!image_set(&native_image, image->words, image->n_words), "image");
	for (enum way way = 0; way < WAY__MAX; way++) {
		if (!b->kernel[way].object)
			continue;
		must(fd >= 0 || !tw_kernel_make_image(image->words, image->n_words, &fd, NULL),
			"image in the kernel");
		must(!bpf_map_update_elem(b->kernel[way].images_fd, &slot, &fd, BPF_ANY),
			"image slot");
	}
}

/* The object's read-only data consists of struct tw_memory alone. */
static void set_memory(struct bpf_object *object, const struct tw_memory *memory)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object)
		if (strstr(bpf_map__name(map), ".rodata"))
			must(!bpf_map__set_initial_value(map, memory, sizeof(*memory)),
				"read-only data");
}

static void open_kernel(struct kernel *kernel, const char *file, const struct tw_memory *memory)
{
	struct bpf_map *asks;

	kernel->object = bpf_object__open_file(file, NULL);
	must(kernel->object, file);
	set_memory(kernel->object, memory);
	if (bpf_object__load(kernel->object)) {
		must(errno == EPERM, "eBPF program");
		bpf_object__close(kernel->object);
		kernel->object = NULL;
		printf("no privilege to load eBPF: only the native test runs\n");
		return;
	}
	asks = bpf_object__find_map_by_name(kernel->object, "asks");
	kernel->images_fd = bpf_object__find_map_fd_by_name(kernel->object, "tw_images");
	kernel->prog_fd = bpf_program__fd(
		bpf_object__find_program_by_name(kernel->object, "ask_all"));
	kernel->asks = mmap(NULL, (size_t)ASKS_MAX * sizeof(*kernel->asks), PROT_READ | PROT_WRITE,
		MAP_SHARED, bpf_map__fd(asks), 0);
	must(kernel->asks != MAP_FAILED, "table of questions");
}

static void open_kernels(struct bench *b, const char *file)
{
	struct btf *types = btf__load_vmlinux_btf();
	struct tw_memory memory;

	libbpf_set_print(NULL);
	must(!tw_memory_init(types, &memory), "handler of programs");
	btf__free(types);
	if (memory.type)
		open_kernel(&b->kernel[WAY_ADDRESS], file, &memory);
	open_kernel(&b->kernel[WAY_LOOKUP], file, &(struct tw_memory){0});
}

/* ---- policies ---- */

static void read_policy(struct bench *b, const struct tw_buf *text, const char *what)
{
	struct tw_diags diags = {0};
	double start = now();

	tw_compiler_free(b->compiler);
	tw_policy_free(b->policy);
	b->policy = NULL;
	b->compiler = NULL;
	if (tw_policy_read(text->data, text->len, &b->policy, &diags)) {
		fprintf(stderr, "classbench: line %u: %s\n", diags.at[0].line, diags.at[0].text);
		exit(1);
	}
	printf("  %s: %.1f MB of policy read in %.0f ms", what, (double)text->len / 1e6,
		(now() - start) * 1e3);
	tw_diags_done(&diags);
	start = now();
	must(!tw_compiler_new(b->policy, NULL, &b->compiler), "compiler");
	printf(", prepared in %.0f ms\n", (now() - start) * 1e3);
}

static struct tw_image *compile(struct bench *b, const struct tw_layout *layout)
{
	struct tw_diags diags = {0};
	struct tw_image *image = NULL;

	if (tw_layout_compile(b->compiler, layout, &image, &diags)) {
		fprintf(stderr, "classbench: %s\n", diags.n ? diags.at[0].text : "out of memory");
		exit(1);
	}
	tw_diags_done(&diags);
	return image;
}

/* One router judges every header. */
static void check_router(struct bench *b)
{
	size_t n = b->set.headers.n;
	tw_autofree uint32_t *all = tw_alloc_array(n, sizeof(*all));
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	tw_auto(tw_image) struct tw_image *image = NULL;
	tw_auto_buf struct tw_buf text = {0};
	double start, ns[WAY__MAX] = {0};

	must(all, "headers");
	for (size_t i = 0; i < n; i++)
		all[i] = (uint32_t)i;
	tw_buf_adds(&text,
		"version: 1\nworkloads: {r: {port: tap0, addresses: [0.0.0.0/1, 128.0.0.0/1]}}\n");
	set_print_rules(&b->set, &text);
	read_policy(b, &text, "router");
	start = now();
	must(!tw_layout_new(b->compiler, tw_policy_vnic(b->policy, 0), &layout), "layout");
	image = compile(b, layout);
	printf("  router: image of %.1f MB compiled in %.0f ms\n", (double)image->n_words * 4e-6,
		(now() - start) * 1e3);
	load_image(b, image);
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++) {
		ask_natively(b, all, n, dir, false);
		for (enum way way = 0; way < WAY__MAX; way++)
			ns[way] += ask_kernel(b, way, all, n, dir, false, 1) / 2;
	}
	printf("  router: %.0f ns a question in eBPF, %.0f by lookup\n", ns[WAY_ADDRESS],
		ns[WAY_LOOKUP]);
}

/* The headers that have one address at one end. */
struct host {
	uint32_t addr;
	uint32_t header;
};

static int compare_hosts(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->header > y->header) - (x->header < y->header);
}

struct figures {
	size_t n_hosts, n_images, n_cells, n_headers;
	double compile_s, worst_s, ns[WAY__MAX];
	size_t bytes, worst_bytes;
};

/* Checks the headers of one host, at the end `dir`. */
static void check_host(struct bench *b, size_t vnic, const struct host *hosts, size_t n,
	enum tw_dir dir, struct figures *f)
{
	tw_autofree uint32_t *headers = tw_alloc_array(n, sizeof(*headers));
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	tw_auto(tw_image) struct tw_image *image = NULL;
	double start = now(), took;

	must(headers, "headers");
	for (size_t i = 0; i < n; i++)
		headers[i] = hosts[i].header;
	must(!tw_layout_new(b->compiler, tw_policy_vnic(b->policy, vnic), &layout), "layout");
	image = compile(b, layout);
	took = now() - start;
	f->n_images++;
	f->n_headers += n;
	f->compile_s += took;
	f->worst_s = took > f->worst_s ? took : f->worst_s;
	f->bytes += image->n_words * 4;
	if (image->n_words * 4 > f->worst_bytes)
		f->worst_bytes = image->n_words * 4;
	for (size_t i = 0; i < image->n_views; i++)
		f->n_cells += image->views[i].engine == TW_ENGINE_CELLS;
	load_image(b, image);
	ask_natively(b, headers, n, dir, true);
	for (enum way way = 0; way < WAY__MAX; way++) {
		ask_kernel(b, way, headers, n, dir, true, 1);
		f->ns[way] += ask_kernel(b, way, headers, n, dir, true, 20) * (double)n;
	}
}

/* Checks the trace's hosts, as sources or as destinations. */
static void check_hosts(struct bench *b, enum tw_dir dir, size_t max)
{
	size_t n = b->set.headers.n, n_hosts = 0, every, seen = 0;
	tw_autofree struct host *hosts = tw_alloc_array(n, sizeof(*hosts));
	tw_auto_buf struct tw_buf text = {0};
	struct figures f = {0};

	must(hosts, "hosts");
	for (size_t i = 0; i < n; i++)
		hosts[i] = (struct host){b->set.headers.at[i].addr[dir], (uint32_t)i};
	qsort(hosts, n, sizeof(*hosts), compare_hosts);
	for (size_t i = 0; i < n; i++)
		n_hosts += !i || hosts[i].addr != hosts[i - 1].addr;
	every = max && n_hosts > max ? n_hosts / max : 1;
	tw_buf_adds(&text, "version: 1\nworkloads:\n");
	for (size_t i = 0; i < n; i++)
		if ((!i || hosts[i].addr != hosts[i - 1].addr) && seen++ % every == 0)
			tw_buf_addf(&text, "  h%zu: {port: p%zu, addresses: [%u.%u.%u.%u]}\n",
				f.n_hosts, f.n_hosts, hosts[i].addr >> 24,
				hosts[i].addr >> 16 & 255, hosts[i].addr >> 8 & 255,
				hosts[i].addr & 255),
				f.n_hosts++;
	set_print_rules(&b->set, &text);
	read_policy(b, &text, dir == TW_DIR_OUT ? "sources" : "destinations");
	seen = f.n_hosts = 0;
	for (size_t i = 0, next; i < n; i = next) {
		next = i + 1;
		while (next < n && hosts[next].addr == hosts[i].addr)
			next++;
		if (seen++ % every == 0)
			check_host(b, f.n_hosts++, hosts + i, next - i, dir, &f);
	}
	printf("  %s: %zu of %zu hosts, %zu headers; images of %.2f MB, at most %.2f; compiled in %.1f ms, at most %.1f; %.0f ns a question in eBPF, %.0f by lookup\n",
		dir == TW_DIR_OUT ? "sources" : "destinations", f.n_hosts, n_hosts, f.n_headers,
		(double)f.bytes * 1e-6 / (double)f.n_images, (double)f.worst_bytes * 1e-6,
		f.compile_s * 1e3 / (double)f.n_images, f.worst_s * 1e3,
		f.ns[WAY_ADDRESS] / (double)f.n_headers, f.ns[WAY_LOOKUP] / (double)f.n_headers);
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	double start;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: classbench OBJECT RULES TRACE [HOSTS]\n");
		return 2;
	}
	open_kernels(&b, argv[1]);
	set_read(&b.set, argv[2], argv[3]);
	start = now();
	set_match(&b.set);
	printf("%s: %zu rules, %zu headers, matched one by one in %.1f s\n", argv[2], b.set.rules.n,
		b.set.headers.n, now() - start);
	check_router(&b);
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++)
		check_hosts(&b, dir, argc > 4 ? strtoul(argv[4], NULL, 10) : (size_t)HOSTS_DEFAULT);
	printf("  %zu answers, %zu wrong\n", b.n_asked, b.n_faults);
	tw_compiler_free(b.compiler);
	tw_policy_free(b.policy);
	for (enum way way = 0; way < WAY__MAX; way++)
		bpf_object__close(b.kernel[way].object);
	free(native_image.words);
	set_done(&b.set);
	return b.n_faults || !b.n_asked;
}
