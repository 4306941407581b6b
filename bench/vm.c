/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* vm.c: a firewall in a virtual machine that bridges two halves of the network, with nft.
 *
 * The machine boots an image made by bench/vm.sh (see bench/vm-bridge.init) and reads its rules
 * from a disk. Its network cards are virtio. QEMU itself serves their taps, as the kernel may lack
 * vhost.
 */
#include "bench/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/process.h"

/* With TCG, loading 100,000 rules takes a minute. */
#define READY_SECONDS 400
#define MEMORY	      "1536" /* MB, which nft needs for 100,000 rules */

/* Waits until the machine reports that it bridges. */
static int await_machine(struct tw_bench_system *system, const char *log, struct tw_err *err)
{
	char line[300];

	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (tw_bench_log_line(log, "bridge: ready", line, sizeof(line)))
			return 0;
		if (!tw_bench_runs(system->workers[0])) {
			system->workers[0] = 0;
			return tw_err_set(err, -EIO, "vm-bridge", NULL, "QEMU ended: %s", line);
		}
		if (tw_bench_log_line(log, "bridge: failed", line, sizeof(line)))
			return tw_err_set(err, -EIO, "vm-bridge", NULL,
				"the machine could not set up its bridge or its rules");
		tw_bench_pause();
	}
	return tw_err_set(err, -ETIMEDOUT, "vm-bridge", NULL,
		"the machine was not ready in %d s; its last message: %s", READY_SECONDS, line);
}

static int boot(struct tw_bench_system *system, const struct tw_bench_files *files,
	long long rules_len, struct tw_err *err)
{
	char log[TW_BENCH_PATH_MAX], drive[512], append[256];
	const char *const qemu[] = {"qemu-system-x86_64", "-name", "tapwall-bench", "-accel",
		files->vm_accel, "-machine", "pc,usb=off,vmport=off,hpet=off", "-cpu",
		strcmp(files->vm_accel, "kvm") ? "qemu64" : "host", "-m", MEMORY, "-smp", "1",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
		"stdio", "-kernel", files->vm_kernel, "-initrd", files->vm_image, "-append", append,
		"-drive", drive, "-netdev",
		"tap,id=a,ifname=vm-a,script=no,downscript=no,vhost=off", "-device",
		"virtio-net-pci,netdev=a,mac=52:54:00:00:01:0a,romfile=", "-netdev",
		"tap,id=b,ifname=vm-b,script=no,downscript=no,vhost=off", "-device",
		"virtio-net-pci,netdev=b,mac=52:54:00:00:01:0b,romfile=", NULL};
	pid_t pid;

	snprintf(drive, sizeof(drive), "file=%s,format=raw,if=virtio,readonly=on", files->ruleset);
	snprintf(append, sizeof(append),
		"console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable random.trust_cpu=on no_timer_check tw.rules=%lld",
		rules_len);
	tw_bench_scratch(log, system->name, ".log");
	pid = tw_bench_start(qemu, log, err);
	if (pid < 0)
		return (int)pid;
	system->workers[0] = pid;
	return await_machine(system, log, err);
}

int tw_bench_start_vm(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	struct stat rules;
	int e;

	if (!files->vm_kernel || !files->vm_image || !files->vm_accel)
		return tw_err_set(err, -EOPNOTSUPP, "vm-bridge", NULL,
			"there is no virtual machine: %s",
			files->vm_why ? files->vm_why : "none was given");
	if (files->vm_rules_max && files->n_rules > files->vm_rules_max)
		return tw_err_set(err, -EOPNOTSUPP, "vm-bridge", NULL,
			"skipped, because an emulated machine takes minutes to load this many rules");
	if (stat(files->ruleset, &rules) < 0)
		return tw_err_set(err, -errno, files->ruleset, NULL, "%s", strerror(errno));
	e = tw_bench_split(&system->net, err);
	if (!e)
		e = tw_bench_ip("tuntap add dev vm-a mode tap vnet_hdr\n"
				"tuntap add dev vm-b mode tap vnet_hdr\n"
				"link set vm-a master br0 up\n"
				"link set vm-b master br1 up\n",
			err);
	return e ? e : boot(system, files, (long long)rules.st_size, err);
}
