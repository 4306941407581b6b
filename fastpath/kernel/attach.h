/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* attach.h: probes which hooks the kernel has (attach.c; for this directory only). */
#pragma once

#include "fastpath/kernel/kernel.h"

/* True if links can be made at tcx hooks (Linux 6.6). To find out, briefly attaches a
 * program to the loopback interface; it passes every frame. */
bool tw_attach_probe_tcx(void);
/* Returns the kernel's number of a tcx hook. */
int tw_attach_tcx_type(enum tw_dir dir);
