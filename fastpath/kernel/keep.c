/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/keep.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fastpath/kernel/kernel.h"

#define MAPS_MAX 64 /* maps of one program: the verifier's own limit */

struct pinned_maps {
	size_t n;
	__u32 ids[MAPS_MAX];
	__u32 data; /* id of the read-only data; 0: none */
};

static int program_path(const struct tw_kernel *kernel, const char *name, char *path, size_t max)
{
	return snprintf(path, max, "%s/progs/%s", kernel->bpffs, name) < (int)max ? 0
										  : -ENAMETOOLONG;
}

/* Returns the pin path of a map, without the prefix of our names. The compiler names its own map
 * .rodata; a pin's name has no dot. */
static int map_path(
	const struct tw_kernel *kernel, const struct bpf_map *map, char *path, size_t max)
{
	const char *name = bpf_map__name(map), *dot = strrchr(name, '.');

	if (!strncmp(name, TW_MAP_PREFIX, strlen(TW_MAP_PREFIX)))
		name += strlen(TW_MAP_PREFIX);
	return snprintf(path, max, "%s/maps/%s", kernel->bpffs, dot ? dot + 1 : name) < (int)max
		       ? 0
		       : -ENAMETOOLONG;
}

/* True if the pinned data equal those that the object would give its programs. */
static bool same_data(const struct tw_kernel *kernel, int fd, const struct bpf_map_info *info)
{
	const __u32 zero = 0;
	tw_autofree void *data = tw_alloc(info->value_size);

	return data && !bpf_map_lookup_elem(fd, &zero, data) &&
	       tw_kernel_is_data(kernel, data, info->value_size);
}

/* Notes the map in use for one of the object's maps, which may be adopted already. */
static bool note_map(
	const struct tw_kernel *kernel, const struct bpf_map *map, struct pinned_maps *maps)
{
	tw_autofd int pinned = -1;
	int fd = bpf_map__fd(map);
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	char path[PATH_MAX];

	if (fd < 0) {
		if (map_path(kernel, map, path, sizeof(path)))
			return false;
		fd = pinned = bpf_obj_get(path);
	}
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || maps->n == MAPS_MAX)
		return false;
	maps->ids[maps->n++] = info.id;
	if (!bpf_map__is_internal(map))
		return true;
	maps->data = info.id;
	return same_data(kernel, fd, &info);
}

static bool note_maps(const struct tw_kernel *kernel, struct pinned_maps *maps)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, kernel->object)
		if (!note_map(kernel, map, maps))
			return false;
	return maps->data != 0;
}

static bool has_id(const __u32 *ids, size_t n, __u32 id)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* True if a pinned program is one of the object's, and uses no other maps than these. */
static bool fits(const struct bpf_program *program, int fd, const struct pinned_maps *maps)
{
	__u32 ids[MAPS_MAX] = {0};
	struct bpf_prog_info info = {.map_ids = (__u64)(unsigned long)ids, .nr_map_ids = MAPS_MAX};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.nr_map_ids > MAPS_MAX ||
		info.type != bpf_program__type(program) ||
		strncmp(info.name, bpf_program__name(program), sizeof(info.name) - 1) != 0)
		return false;
	for (__u32 i = 0; i < info.nr_map_ids; i++)
		if (!has_id(maps->ids, maps->n, ids[i]))
			return false;
	return has_id(ids, info.nr_map_ids, maps->data);
}

static bool find_program(
	struct tw_kernel *kernel, const struct bpf_program *program, const struct pinned_maps *maps)
{
	char path[PATH_MAX];
	int fd;

	if (program_path(kernel, bpf_program__name(program), path, sizeof(path)))
		return false;
	fd = bpf_obj_get(path);
	if (fd < 0 || tw_vec_push(&kernel->programs, fd)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	return fits(program, fd, maps);
}

static bool find_programs(struct tw_kernel *kernel)
{
	struct pinned_maps maps = {0};
	struct bpf_program *program;

	if (!kernel->bpffs || !kernel->facts.adopted || kernel->resize.under_way ||
		!note_maps(kernel, &maps))
		return false;
	bpf_object__for_each_program (program, kernel->object)
		if (!find_program(kernel, program, &maps))
			return false;
	return true;
}

void tw_keep_find(struct tw_kernel *kernel)
{
	struct bpf_map *map;

	kernel->facts.kept = find_programs(kernel);
	if (!kernel->facts.kept) {
		tw_keep_done(kernel);
		return;
	}
	bpf_object__for_each_map (map, kernel->object)
		if (bpf_map__fd(map) < 0)
			bpf_map__set_autocreate(map, false);
}

/* ---- programs in use ---- */

static int *place_of(struct tw_kernel *kernel, const char *name)
{
	for (int i = 0; i < TW_PROG__MAX; i++)
		if (!strcmp(name, tw_kernel_prog_name((enum tw_prog)i)))
			return &kernel->prog_fd[i];
	if (!strcmp(name, "tw_from_uplink"))
		return &kernel->uplink_fd;
	if (!strcmp(name, "tw_reinject"))
		return &kernel->reinject_fd;
	return strcmp(name, "tw_sweep") != 0 ? &kernel->take_fd : &kernel->sweep_fd;
}

void tw_keep_take(struct tw_kernel *kernel)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program (program, kernel->object) {
		int *place = place_of(kernel, bpf_program__name(program));

		*place = kernel->programs.at[i++];
	}
}

/* Pins a file descriptor, replacing an earlier pin. */
static int pin(int fd, const char *path, struct tw_err *err)
{
	unlink(path);
	if (!bpf_obj_pin(fd, path))
		return 0;
	return tw_err_set(
		err, -errno, path, "is a bpffs mounted there?", "cannot pin: %s", strerror(errno));
}

/* True for maps that only programs use. The loader pins those of maps.def and other shared ones. */
static bool is_only_of_programs(const struct bpf_map *map)
{
	for (int i = 0; i < TW_MAP__MAX; i++)
		if (!strcmp(bpf_map__name(map), tw_kernel_map_name((enum tw_map)i)))
			return false;
	return true;
}

static int pin_map(struct tw_kernel *kernel, const struct bpf_map *map, struct tw_err *err)
{
	char path[PATH_MAX];
	int code = map_path(kernel, map, path, sizeof(path));

	return code ? code : pin(bpf_map__fd(map), path, err);
}

static int pin_program(
	struct tw_kernel *kernel, const struct bpf_program *program, int fd, struct tw_err *err)
{
	char path[PATH_MAX];
	int code = program_path(kernel, bpf_program__name(program), path, sizeof(path));

	return code ? code : pin(fd, path, err);
}

/* The id of the read-only data identifies a set of programs. If pinned programs are of different
 * sets, none is kept. */
int tw_keep_pin(struct tw_kernel *kernel, struct tw_err *err)
{
	struct bpf_program *program;
	struct bpf_map *map;
	size_t i = 0;
	int code = 0;

	bpf_object__for_each_program (program, kernel->object) {
		if (!code)
			code = pin_program(kernel, program, kernel->programs.at[i++], err);
	}
	bpf_object__for_each_map (map, kernel->object) {
		if (!code && is_only_of_programs(map))
			code = pin_map(kernel, map, err);
	}
	return code;
}

void tw_keep_done(struct tw_kernel *kernel)
{
	tw_vec_foreach (&kernel->programs, fd)
		close(*fd);
	tw_vec_done(&kernel->programs);
}
