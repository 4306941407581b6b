/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_scenes.h: named TCP scenarios, as segments in the notation of tw_ct_recite(). */
#pragma once

struct tw_ct_scene {
	const char *name;
	const char *text;
};

extern const struct tw_ct_scene tw_ct_scenes[]; /* ends with an entry whose name is NULL */
