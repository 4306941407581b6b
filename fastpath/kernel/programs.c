/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/programs.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/kernel/kernel.h"

#define LOG_BYTES (1 << 16)

/* The verifier takes about as long for the full path of one direction as for that of the other, and
 * less for all other programs together. */
enum share { SHARE_FULL_OUT, SHARE_FULL_IN, SHARE_OTHERS, SHARE__MAX };

struct load {
	struct tw_kernel *kernel;
	enum share share;
	struct tap_bpf *copy; /* of the object, with the handle's maps */
	char *logs;	      /* LOG_BYTES for each enum tw_prog, shared by all loads */
	int code;
	pthread_t thread;
	bool started;
};

static enum share share_of(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	if (!strcmp(name, tw_kernel_prog_name(TW_PROG_FULL_OUT)))
		return SHARE_FULL_OUT;
	return strcmp(name, tw_kernel_prog_name(TW_PROG_FULL_IN)) != 0 ? SHARE_OTHERS
								       : SHARE_FULL_IN;
}

/* ---- results ---- */

/* Reads from the last lines of the verifier's log how many instructions it walked. */
static __u32 verified_insns(const char *log)
{
	const char *at = strstr(log, "processed ");

	return at ? (__u32)strtoul(at + strlen("processed "), NULL, 10) : 0;
}

/* Fills `err`. `log` is the verifier's, or empty. */
static int load_error(int code, const char *log, struct tw_err *err)
{
	const char *last = log + strlen(log);

	if (code == -EPERM)
		return tw_err_set(err, code, "bpf",
			"run as root, or with CAP_BPF and CAP_NET_ADMIN",
			"no privilege to load eBPF programs");
	if (code == -ENOMEM)
		return tw_err_set(err, code, "bpf", NULL, "no memory for the fast path");
	/* The verifier gives up when a signal interrupts it, such as that of a cgroup freezer
	 * (kernel/bpf/verifier.c, do_check()). libbpf has already tried several times. */
	if (code == -EAGAIN)
		return tw_err_set(err, code, "bpf", "start tapwalld again",
			"the kernel's check of the fast path was interrupted each time");
	while (last > log && (last[-1] == '\n' || last[-1] == ' '))
		last--;
	while (last > log && last[-1] != '\n')
		last--;
	return tw_err_set(err, code, "bpf", "Linux 6.1 or newer is needed",
		"the kernel refuses the fast path: %s%s%.300s", strerror(-code), *last ? ": " : "",
		last);
}

/* Returns the log of the last program that a load reached, or an empty text. Programs are loaded in
 * order, and each leaves a log. */
static const char *last_log(const struct load *load)
{
	const char *log = "";

	for (int i = 0; i < TW_PROG__MAX; i++) {
		const char *own = load->logs + i * LOG_BYTES;
		const struct bpf_program *program = bpf_object__find_program_by_name(
			load->kernel->object, tw_kernel_prog_name((enum tw_prog)i));

		if (share_of(program) == load->share && *own)
			log = own;
	}
	return log;
}

/* Takes the fds of a finished load. */
static int take_programs(struct tw_kernel *kernel, const struct load loads[SHARE__MAX])
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, kernel->object) {
		struct bpf_object *copy = tw_kernel_object_of(loads[share_of(program)].copy);
		const char *name = bpf_program__name(program);
		int fd = fcntl(bpf_program__fd(bpf_object__find_program_by_name(copy, name)),
			F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		if (tw_vec_push(&kernel->programs, fd)) {
			close(fd);
			return -ENOMEM;
		}
	}
	return 0;
}

static int finish_loads(struct tw_kernel *kernel, struct load loads[SHARE__MAX], struct tw_err *err)
{
	int code = 0;

	for (int i = 0; i < SHARE__MAX && !code; i++)
		if (loads[i].code)
			code = load_error(loads[i].code, last_log(&loads[i]), err);
	if (!code) {
		code = take_programs(kernel, loads);
		if (code < 0)
			load_error(code, "", err);
	}
	for (int i = 0; i < TW_PROG__MAX && !code; i++)
		kernel->facts.verified[i] = verified_insns(loads[0].logs + i * LOG_BYTES);
	return code;
}

/* ---- loading ---- */

static void choose_programs(struct load *load)
{
	struct bpf_object *copy = tw_kernel_object_of(load->copy);
	struct bpf_program *program;

	bpf_object__for_each_program (program, copy)
		bpf_program__set_autoload(program, share_of(program) == load->share);
	for (int i = 0; i < TW_PROG__MAX; i++) {
		program = bpf_object__find_program_by_name(
			copy, tw_kernel_prog_name((enum tw_prog)i));
		bpf_program__set_log_buf(program, load->logs + i * LOG_BYTES, LOG_BYTES);
		bpf_program__set_log_level(program, 4); /* statistics */
	}
}

static void *load_share(void *arg)
{
	struct load *load = arg;

	load->code = tw_kernel_copy_object(load->kernel, &load->copy);
	if (!load->code) {
		choose_programs(load);
		load->code = bpf_object__load(tw_kernel_object_of(load->copy));
	}
	return NULL;
}

/* Without a thread, the caller loads the share itself. Threads take no signals: the caller may read
 * its signals from a descriptor. */
static void start_load(struct load *load)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	load->started = !pthread_create(&load->thread, NULL, load_share, load);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int load_programs(struct tw_kernel *kernel, struct tw_err *err)
{
	tw_autofree char *logs = tw_alloc(TW_PROG__MAX * LOG_BYTES);
	struct load loads[SHARE__MAX] = {0};
	int code;

	if (!logs)
		return load_error(-ENOMEM, "", err);
	for (int i = 0; i < SHARE__MAX; i++) {
		loads[i].kernel = kernel;
		loads[i].share = (enum share)i;
		loads[i].logs = logs;
		if (i != SHARE_OTHERS)
			start_load(&loads[i]);
	}
	for (int i = 0; i < SHARE__MAX; i++)
		if (!loads[i].started)
			load_share(&loads[i]);
	for (int i = 0; i < SHARE__MAX; i++)
		if (loads[i].started)
			pthread_join(loads[i].thread, NULL);
	code = finish_loads(kernel, loads, err);
	for (int i = 0; i < SHARE__MAX; i++)
		tw_kernel_close_copy(loads[i].copy);
	return code;
}

int tw_programs_load(struct tw_kernel *kernel, struct tw_err *err)
{
	struct bpf_program *program;
	int code;

	bpf_object__for_each_program (program, kernel->object)
		bpf_program__set_autoload(program, false);
	code = bpf_object__load(kernel->object);
	if (code)
		return load_error(code, "", err);
	return kernel->facts.kept ? 0 : load_programs(kernel, err);
}
