/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* attach.h: which kind of hook the kernel has for us (attach.c; inside this folder only). */
#pragma once

#include "fastpath/kernel/kernel.h"

/* Whether links can be made at tcx hooks (Linux 6.6). Makes one for an instant on loopback, of a
 * program that passes everything. */
bool tw_attach_probe_tcx(void);
/* The kernel's number for a tcx hook. */
int tw_attach_tcx_type(enum tw_dir dir);
