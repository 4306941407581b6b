/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_scenes.h: TCP situations that have a name, as segments (tw_ct_recite() says how). */
#pragma once

struct tw_ct_scene {
	const char *name;
	const char *text;
};

extern const struct tw_ct_scene tw_ct_scenes[]; /* ends with a name of NULL */
