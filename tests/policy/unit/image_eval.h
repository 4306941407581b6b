/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image_eval.h: reads an image as fastpath/abi/image.h describes it, the slow and plain way. */
#pragma once

#include "policy/policy.h"

/* What one direction of an image is asked. */
struct image_question {
	const struct tw_vnic *vnic;	  /* whose image it is */
	const struct tw_members *members; /* who is in which group; NULL: nobody is in any */
	struct tw_addr remote, local;
	uint32_t key; /* proto << 16 | destination port, or type << 8 | code */
	uint32_t sport;
};

/* The decision word. */
uint32_t image_eval(const struct tw_image *image, enum tw_dir dir, const struct image_question *q);
/* The engine that gives it. */
enum tw_image_engine image_engine(
	const struct tw_image *image, enum tw_dir dir, const struct image_question *q);
