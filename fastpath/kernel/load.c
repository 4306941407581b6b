/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/attach.h"
#include "fastpath/kernel/keep.h"
#include "fastpath/kernel/kernel.h"
#include "fastpath/kernel/programs.h"

#define EVENT_RATE  100 /* deny events per second and port, and burst */
#define EVENT_BURST 200
#define DHCP_RATE   10 /* a starting client sends a few */

/* Default share of the connection table for a port: a flood from one port takes at most a
 * sixteenth. One guest's open connections leave half to the others. */
#define HALF_OPEN_SHARE	  16
#define ESTABLISHED_SHARE 2

static const char *const map_names[] = {
#define TW_MAP(symbol, ...) [TW_MAP_##symbol] = TW_MAP_PREFIX #symbol,
#include "fastpath/abi/maps.def"
#undef TW_MAP
	[TW_MAP_images] = TW_MAP_PREFIX "images",
	[TW_MAP_events] = TW_MAP_PREFIX "events",
	[TW_MAP_asks] = TW_MAP_PREFIX "asks",
	[TW_MAP_captured] = TW_MAP_PREFIX "captured",
	[TW_MAP_full] = TW_MAP_PREFIX "full",
};
_Static_assert(sizeof(map_names) / sizeof(map_names[0]) == TW_MAP__MAX, "every map has a name");

static const char *const prog_names[] = {
	[TW_PROG_FROM_VM] = "tw_from_vm",
	[TW_PROG_TO_VM] = "tw_to_vm",
	[TW_PROG_FULL_OUT] = "tw_full_out",
	[TW_PROG_FULL_IN] = "tw_full_in",
	[TW_PROG_LOOK] = "tw_look",
	[TW_PROG_HOUSE] = "tw_house",
};
_Static_assert(
	sizeof(prog_names) / sizeof(prog_names[0]) == TW_PROG__MAX, "every program has a name");
_Static_assert((int)TW_PROG_FROM_VM == (int)TW_DIR_OUT && (int)TW_PROG_TO_VM == (int)TW_DIR_IN,
	"programs are attached by direction");

const char *tw_kernel_map_name(enum tw_map map)
{
	return map < TW_MAP__MAX ? map_names[map] : "?";
}

const char *tw_kernel_pin_name(enum tw_map map)
{
	return tw_kernel_map_name(map) + (map < TW_MAP__MAX ? strlen(TW_MAP_PREFIX) : 0);
}

int tw_kernel_map_fd(const struct tw_kernel *kernel, enum tw_map map)
{
	return map < TW_MAP__MAX ? kernel->map_fd[map] : -EINVAL;
}

int tw_kernel_prog_fd(const struct tw_kernel *kernel, enum tw_prog prog)
{
	return kernel->prog_fd[prog];
}

const char *tw_kernel_prog_name(enum tw_prog prog)
{
	return prog < TW_PROG__MAX ? prog_names[prog] : "?";
}

const struct tw_kernel_facts *tw_kernel_facts(const struct tw_kernel *kernel)
{
	return &kernel->facts;
}

/* ---- opening ---- */

/* Discards libbpf's messages: this file reports errors itself. */
static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

void tw_kernel_silence(void)
{
	libbpf_set_print(silent);
}

static int make_folder(const char *path, struct tw_err *err)
{
	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	return tw_err_set(err, -errno, path,
		"mount a bpffs there, or name another place with --bpffs",
		"cannot make this directory: %s", strerror(errno));
}

static int make_folders(const char *bpffs, struct tw_err *err)
{
	static const char *const folders[] = {"", "/maps", "/progs", "/links"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int code;

		snprintf(path, sizeof(path), "%s%s", bpffs, folders[i]);
		code = make_folder(path, err);
		if (code)
			return code;
	}
	return 0;
}

int tw_kernel_pin_path(
	const struct tw_kernel *kernel, enum tw_map map, const char *suffix, char *path, size_t max)
{
	const char *name = tw_kernel_pin_name(map);

	return snprintf(path, max, "%s/maps/%s%s", kernel->bpffs, name, suffix) < (int)max
		       ? 0
		       : -ENAMETOOLONG;
}

/* Adopts a pinned map in place of the object's own if it has the same shape. */
static int adopt_map(
	struct tw_kernel *kernel, struct bpf_map *map, const char *path, struct tw_err *err)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	tw_autofd int fd = bpf_obj_get(path);

	if (fd < 0)
		return errno == ENOENT ? 0
				       : tw_err_set(err, -errno, path, NULL, "cannot open: %s",
						 strerror(errno));
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return tw_err_set(err, -errno, path, NULL, "cannot read: %s", strerror(errno));
	if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
		info.value_size != bpf_map__value_size(map))
		return tw_err_set(err, -EEXIST, path,
			"remove the old state with tapwalld --release, then start again",
			"pinned by another version with another layout");
	/* Programs decide by the size of the event buffer when to wake the reader. If the pinned
	 * buffer has another size, the new programs get a new one. Events in the old one are
	 * lost. */
	if (info.type == BPF_MAP_TYPE_RINGBUF && info.max_entries != bpf_map__max_entries(map))
		return unlink(path) ? tw_err_set(err, -errno, path, NULL, "cannot remove: %s",
					      strerror(errno))
				    : 0;
	if (bpf_map__set_max_entries(map, info.max_entries) || bpf_map__reuse_fd(map, fd))
		return tw_err_set(err, -EEXIST, path, NULL, "cannot be taken over");
	kernel->facts.adopted = true;
	return 0;
}

/* Checks the layout of the pinned settings: maps of the same shape may still differ in meaning. */
static int check_layout(const struct bpf_map *map, const char *path, struct tw_err *err)
{
	struct tw_config config;
	const __u32 zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(map), &zero, &config))
		return tw_err_set(err, -errno, path, NULL, "cannot read: %s", strerror(errno));
	if (config.layout == TW_LAYOUT)
		return 0;
	return tw_err_set(err, -EEXIST, path,
		"remove the old state with tapwalld --release, then start again",
		"pinned by another version with layout %u, this one has %u", config.layout,
		TW_LAYOUT);
}

static int prepare_maps(
	struct tw_kernel *kernel, const struct tw_kernel_options *options, struct tw_err *err)
{
	struct bpf_map *buckets = bpf_object__find_map_by_name(kernel->object, "tw_buckets");
	struct bpf_map *conns = bpf_object__find_map_by_name(kernel->object, "tw_conns");
	char path[PATH_MAX];

	int planned = tw_resize_plan(kernel, options->max_conns, err);

	if (planned)
		return planned;
	bpf_map__set_max_entries(buckets, tw_conn_buckets(kernel->facts.max_conns));
	bpf_map__set_max_entries(
		conns, tw_record_number(tw_conn_buckets(kernel->facts.max_conns), 0));
	tw_kernel_size_object(kernel);
	tw_counts_size(kernel);
	for (int i = 0; kernel->bpffs && i < TW_MAP__MAX; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(kernel->object, map_names[i]);
		const char *suffix;
		int code;

		if (!tw_resize_adopts(kernel, (enum tw_map)i, &suffix))
			continue;
		code = tw_kernel_pin_path(kernel, (enum tw_map)i, suffix, path, sizeof(path));
		if (!code)
			code = adopt_map(kernel, map, path, err);
		if (!code && i == TW_MAP_config && kernel->facts.adopted)
			code = check_layout(map, path, err);
		if (code)
			return code;
	}
	return 0;
}

static int load_object(struct tw_kernel *kernel, struct tw_err *err)
{
	int code;

	tw_keep_find(kernel);
	code = tw_programs_load(kernel, err);
	if (code)
		return code;
	tw_keep_take(kernel);
	for (int i = 0; i < TW_PROG__MAX; i++) {
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(kernel->prog_fd[i], &info, &len))
			kernel->facts.insns[i] = info.xlated_prog_len / 8;
	}
	return 0;
}

static int pin_maps(struct tw_kernel *kernel, struct tw_err *err)
{
	char path[PATH_MAX];

	for (int i = 0; i < TW_MAP__MAX; i++) {
		tw_kernel_pin_path(kernel, (enum tw_map)i, "", path, sizeof(path));
		if (bpf_obj_pin(kernel->map_fd[i], path) && errno != EEXIST)
			return tw_err_set(err, -errno, path, "is a bpffs mounted there?",
				"cannot pin: %s", strerror(errno));
	}
	return 0;
}

int tw_kernel_set_full(struct tw_kernel *kernel)
{
	for (__u32 i = 0; i < TW_FULL__MAX && !kernel->full_set; i++)
		if (bpf_map_update_elem(kernel->map_fd[TW_MAP_full], &i,
			    &kernel->prog_fd[TW_PROG_FULL_OUT + i], BPF_ANY))
			return -errno;
	kernel->full_set = true;
	return 0;
}

static int random_bytes(void *to, size_t len, struct tw_err *err)
{
	return getrandom(to, len, 0) == (ssize_t)len
		       ? 0
		       : tw_err_set(err, -EIO, "getrandom", NULL, "cannot get random numbers");
}

static int default_config(struct tw_kernel *kernel, struct tw_err *err)
{
	struct tw_config config = {0};
	int code;

	code = tw_kernel_get_config(kernel, &config);
	if (!code && config.mark) /* adopted settings, already set up */
		return 0;
	config = (struct tw_config){
		.epoch = 1,
		.event_rate = EVENT_RATE,
		.event_burst = EVENT_BURST,
		.dhcp_rate = DHCP_RATE,
		.ask_timeout = TW_TICKS_PER_SECOND,
		.ask_verdict = TW_V_DENY,
		.ask_rate = TW_ASK_RATE_DEFAULT,
		.ask_quota = TW_ANSWERS_PORT,
		.conn_max = kernel->facts.max_conns,
		.half_open_max = kernel->facts.max_conns / HALF_OPEN_SHARE,
		.established_max = kernel->facts.max_conns / ESTABLISHED_SHARE,
		.layout = TW_LAYOUT,
	};
	code = random_bytes(config.hash_key, sizeof(config.hash_key), err);
	if (!code)
		code = random_bytes(config.print_key, sizeof(config.print_key), err);
	while (!code && !(config.mark & ~TW_MARK_BITS))
		code = random_bytes(&config.mark, sizeof(config.mark), err);
	if (code)
		return code;
	config.mark &= ~TW_MARK_BITS;
	tw_state_timeouts(&config);
	code = tw_kernel_set_config(kernel, &config);
	return code ? tw_err_set(err, code, "bpf", NULL, "cannot write the settings") : 0;
}

/* Maps the settings, for words that are changed one by one. */
static int map_config(struct tw_kernel *kernel, struct tw_err *err)
{
	void *config = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
		kernel->map_fd[TW_MAP_config], 0);

	if (config == MAP_FAILED)
		return tw_err_set(
			err, -errno, "bpf", NULL, "cannot map the settings: %s", strerror(errno));
	kernel->config = config;
	return 0;
}

void tw_kernel_store_size(struct tw_kernel *kernel)
{
	uint32_t max = kernel->facts.max_conns;

	if (kernel->config->conn_max == max)
		return;
	tw_kernel_store_setting(
		kernel, offsetof(struct tw_config, half_open_max), max / HALF_OPEN_SHARE);
	tw_kernel_store_setting(
		kernel, offsetof(struct tw_config, established_max), max / ESTABLISHED_SHARE);
	tw_kernel_store_setting(kernel, offsetof(struct tw_config, conn_max), max);
}

/* Returns a connection's share of the table in bytes: its record, and parts of its bucket's tags
 * and of the empty slots. */
static uint32_t conn_bytes(uint32_t max_conns)
{
	const uint64_t bucket = sizeof(struct tw_bucket) + TW_BUCKET_SLOTS * sizeof(struct tw_conn);
	uint64_t bytes = tw_conn_buckets(max_conns) * bucket;

	return (uint32_t)((bytes + max_conns - 1) / max_conns);
}

static int setup(
	struct tw_kernel *kernel, const struct tw_kernel_options *options, struct tw_err *err)
{
	int code;

	if (options->bpffs) {
		kernel->bpffs = tw_strdup(options->bpffs);
		if (!kernel->bpffs)
			return -ENOMEM;
		code = make_folders(options->bpffs, err);
		if (code)
			return code;
	}
	if (options->expedite_note) {
		kernel->expedite_note = tw_strdup(options->expedite_note);
		if (!kernel->expedite_note)
			return -ENOMEM;
		kernel->expedite.note = kernel->expedite_note;
	}
	tw_expedite_recover(&kernel->expedite);
	tw_expedite_begin(&kernel->expedite);
	kernel->facts.tcx = !options->force_clsact && tw_attach_probe_tcx();
	code = tw_kernel_open_object(kernel, options);
	if (code == -ENOTSUP)
		return tw_err_set(err, code, "bpf", NULL,
			"this kernel has no type information (CONFIG_DEBUG_INFO_BTF): checksum and segmentation offload of frames cannot be read");
	if (code)
		return tw_err_set(err, code, "bpf", NULL, "cannot open the program object");
	code = prepare_maps(kernel, options, err);
	if (!code)
		code = load_object(kernel, err);
	if (code)
		return code;
	for (int i = 0; i < TW_MAP__MAX; i++)
		kernel->map_fd[i] = bpf_object__find_map_fd_by_name(kernel->object, map_names[i]);
	code = tw_kernel_ports_init(kernel);
	if (code)
		return tw_err_set(
			err, code, "bpf", NULL, "cannot map the port tables: %s", strerror(-code));
	code = tw_counts_init(kernel);
	if (code)
		return tw_err_set(err, code, "bpf", NULL, "cannot map the counters of rules: %s",
			strerror(-code));
	code = default_config(kernel, err);
	if (!code)
		code = map_config(kernel, err);
	kernel->facts.conn_bytes = conn_bytes(kernel->facts.max_conns);
	if (!code && !kernel->resize.under_way)
		tw_kernel_store_size(kernel);
	if (!code)
		code = tw_resize_begin(kernel, err);
	if (!code && kernel->bpffs)
		code = pin_maps(kernel, err);
	/* The programs of this version replace those pinned before; links move on attach. */
	if (!code && kernel->bpffs && !kernel->facts.kept)
		code = tw_keep_pin(kernel, err);
	/* With pins, ports may still run an earlier agent's programs. They change over at the first
	 * attachment. */
	if (!code && !kernel->bpffs)
		code = tw_kernel_set_full(kernel);
	return code;
}

int tw_kernel_open(
	const struct tw_kernel_options *options, struct tw_kernel **ret, struct tw_err *err)
{
	__attribute__((cleanup(tw_kernel_cleanup))) struct tw_kernel *kernel = NULL;
	int code;

	kernel = tw_alloc(sizeof(*kernel));
	if (!kernel)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	tw_kernel_silence();
	code = setup(kernel, options, err);
	if (code)
		return code;
	*ret = TW_TAKE_PTR(kernel);
	return 0;
}

void tw_kernel_rest(struct tw_kernel *kernel)
{
	tw_expedite_end(&kernel->expedite);
}

void tw_kernel_close(struct tw_kernel *kernel)
{
	if (!kernel)
		return;
	tw_kernel_rest(kernel);
	tw_vec_foreach (&kernel->links, link)
		if (link->fd >= 0)
			close(link->fd);
	tw_vec_done(&kernel->links);
	tw_kernel_ports_done(&kernel->ports);
	tw_counts_done(kernel);
	tw_resize_done(kernel);
	if (kernel->config)
		munmap(kernel->config, (size_t)sysconf(_SC_PAGESIZE));
	tw_keep_done(kernel);
	tw_kernel_close_object(kernel);
	free(kernel->bpffs);
	free(kernel->expedite_note);
	free(kernel);
}
