/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image_eval.h: evaluates an image by the description in fastpath/abi/image.h, with simple code. */
#pragma once

#include "policy/policy.h"

/* The packet for which an image is evaluated. */
struct image_question {
	const struct tw_vnic *vnic;	  /* the vNIC whose image it is */
	const struct tw_members *members; /* members of groups; NULL: no group has members */
	struct tw_addr remote, local;
	uint32_t key; /* proto << 16 | destination port, or type << 8 | code */
	uint32_t sport;
};

/* Returns the decision word. */
uint32_t image_eval(const struct tw_image *image, enum tw_dir dir, const struct image_question *q);
/* Returns the engine that decides. */
enum tw_image_engine image_engine(
	const struct tw_image *image, enum tw_dir dir, const struct image_question *q);
