/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/prepare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/slots.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "policy/diag.h"

static bool same_key(const struct tw_image_key *a, const struct tw_image_key *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* Returns a prepared image with this key that is in no slot yet, or NULL. */
static struct tw_prepared_image *find_made(struct tw_preparation *p, const struct tw_image_key *key)
{
	tw_vec_foreach (&p->images, image)
		if (image->made.fd >= 0 && same_key(&image->key, key))
			return image;
	return NULL;
}

static struct tw_prepared_image *find_row(
	struct tw_preparation *p, const struct tw_inforce *inforce, const struct tw_vnic *vnic)
{
	if (inforce != p->inforce)
		return NULL;
	tw_vec_foreach (&p->images, image)
		if (image->vnic == vnic->index)
			return image;
	return NULL;
}

/* ---- the loop ---- */

/* Lists the vNICs that have ports. */
static int list_vnics(struct tw_preparation *p, struct tw_enforcement *enforcement,
	const struct tw_inforce *inforce)
{
	size_t n = enforcement->host->ports->list.n;
	tw_autofree struct tw_binding *bindings = tw_alloc_array(n, sizeof(*bindings));
	int ret;

	p->vnics = tw_alloc_array(n, sizeof(*p->vnics));
	if (!bindings || !p->vnics)
		return -ENOMEM;
	ret = tw_bind_ports(inforce, enforcement->host->ports, bindings, NULL);
	for (size_t i = 0; i < n && !ret; i++)
		if (bindings[i].vnic)
			p->vnics[p->n_vnics++] = bindings[i].vnic->index;
	return ret;
}

/* Copies the state of images, which the loop changes. */
static int copy_images(struct tw_preparation *p, const struct tw_images *images)
{
	p->image_slots = tw_alloc_array(TW_IMAGES_MAX, sizeof(*p->image_slots));
	if (!p->image_slots)
		return -ENOMEM;
	memcpy(p->image_slots, images->slots, TW_IMAGES_MAX * sizeof(*p->image_slots));
	if (!p->base)
		return 0;
	p->base_images = tw_alloc_array(
		tw_policy_n_vnics(p->base->policy), sizeof(*p->base_images));
	if (!p->base_images)
		return -ENOMEM;
	memcpy(p->base_images, p->base->images,
		tw_policy_n_vnics(p->base->policy) * sizeof(*p->base_images));
	return 0;
}

int tw_prepare_begin(
	struct tw_preparation *p, struct tw_enforcement *enforcement, struct tw_inforce *draft)
{
	int ret;

	*p = (struct tw_preparation){.slots = enforcement->slots};
	if (enforcement->inforce) {
		p->base = tw_inforce_ref(enforcement->inforce);
		p->was = p->base->compiler;
	}
	ret = copy_images(p, enforcement->images);
	if (!ret)
		ret = list_vnics(p, enforcement, draft);
	if (!ret)
		ret = tw_leases_gather(enforcement, draft, &p->learned);
	/* The views of the policy in force are shared by reference, which the loop must take. */
	if (!ret && p->was)
		tw_compiler_follow(draft->compiler, p->was);
	return ret;
}

int tw_prepare_put(struct tw_preparation *p, struct tw_images *images,
	const struct tw_inforce *inforce, const struct tw_vnic *vnic, uint32_t *ret_slot,
	struct tw_err *err)
{
	struct tw_prepared_image *row = find_row(p, inforce, vnic), *made;
	int ret = 0;

	*ret_slot = row ? tw_images_find(images, &row->key) : 0;
	made = row && !*ret_slot ? find_made(p, &row->key) : NULL;
	if (made)
		ret = tw_images_put_made(images, &row->key, &made->made, ret_slot, err);
	if (!ret && *ret_slot && row->resolved)
		tw_images_set_resolved(images, *ret_slot);
	return ret;
}

struct tw_delta *tw_prepare_take_delta(struct tw_preparation *p,
	const struct tw_enforcement *enforcement, const struct tw_inforce *inforce)
{
	return inforce == p->inforce && p->base == enforcement->inforce ? TW_TAKE_PTR(p->delta)
									: NULL;
}

bool tw_prepare_is_current(const struct tw_preparation *p, struct tw_enforcement *enforcement,
	struct tw_inforce *draft)
{
	struct tw_learned_list now = {0};
	bool current;

	if (p->base != enforcement->inforce)
		return false;
	if (tw_leases_gather(enforcement, draft, &now) < 0)
		return true;
	current = now.n == p->learned.n &&
		  (!now.n || !memcmp(now.at, p->learned.at, now.n * sizeof(*now.at)));
	tw_vec_done(&now);
	return current;
}

/* ---- any thread ---- */

/* Gives the rules their slots. */
static int assign_slots(struct tw_preparation *p, const struct tw_inforce *inforce)
{
	return p->base ? tw_slots_assign_like(p->slots, inforce->policy, p->base->policy,
				 p->base->slots, inforce->slots)
		       : tw_slots_assign(p->slots, inforce->policy, inforce->slots);
}

/* Makes the policy that also has the learned addresses. */
static int learn(struct tw_preparation *p, const struct tw_inforce *from)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = NULL;
	struct tw_diags diags = {0};
	int ret = tw_inforce_learn(from, p->learned.at, p->learned.n, &diags, &inforce);

	tw_diags_done(&diags);
	if (!ret)
		memcpy(inforce->slots, from->slots,
			(tw_policy_n_rules(inforce->policy) + 1) * sizeof(*inforce->slots));
	if (!ret)
		ret = tw_compiler_new(inforce->policy, inforce->slots, &inforce->compiler);
	if (ret < 0)
		return ret;
	tw_compiler_follow(inforce->compiler, from->compiler);
	p->inforce = TW_TAKE_PTR(inforce);
	return 0;
}

/* True if the image of the policy in force will be used again, as in plan.c. */
static bool is_inherited(const struct tw_preparation *p, const struct tw_vnic *vnic)
{
	long was = p->delta ? tw_delta_find(p->delta, vnic, false) : -ENOENT;
	uint32_t slot = was < 0 ? 0 : p->base_images[was];

	return slot && !(p->image_slots[slot].resolved && tw_delta_find(p->delta, vnic, true) < 0);
}

/* True if no image with this key has to be made. */
static bool is_known(struct tw_preparation *p, const struct tw_image_key *key)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++)
		if (p->image_slots[i].used && same_key(&p->image_slots[i].key, key))
			return true;
	return find_made(p, key) != NULL;
}

/* Compiles an image, unless its resolved key is known. */
static int compile_image(struct tw_preparation *p, struct tw_compiler *compiler,
	const struct tw_layout *layout, struct tw_prepared_image *row)
{
	tw_auto(tw_image) struct tw_image *image = NULL;
	struct tw_diags diags = {0};
	int ret = tw_layout_compile(compiler, layout, &image, &diags);

	tw_diags_done(&diags);
	if (ret < 0)
		return ret;
	if (image->resolved)
		row->key = tw_layout_resolved_key(compiler, layout);
	row->resolved |= image->resolved;
	return is_known(p, &row->key) ? 0 : tw_images_make(image, &row->made, NULL);
}

static int make_image(
	struct tw_preparation *p, struct tw_compiler *compiler, const struct tw_vnic *vnic)
{
	struct tw_prepared_image row = {.vnic = (uint32_t)vnic->index, .made.fd = -1};
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	int ret;

	if (is_inherited(p, vnic))
		return 0;
	ret = tw_layout_new(compiler, vnic, &layout);
	if (ret < 0)
		return ret;
	row.key = *tw_layout_key(layout);
	row.resolved = tw_layout_is_resolved(layout);
	if (!is_known(p, &row.key))
		ret = compile_image(p, compiler, layout, &row);
	if (!ret)
		ret = tw_vec_push(&p->images, row);
	if (ret < 0)
		tw_images_unmake(&row.made);
	return ret;
}

void tw_prepare_run(struct tw_preparation *p, struct tw_inforce *draft)
{
	uint64_t start = tw_clock_ns();
	struct tw_inforce *inforce = draft;

	p->code = assign_slots(p, inforce);
	if (!p->code && p->learned.n)
		p->code = learn(p, inforce);
	else if (!p->code)
		p->inforce = tw_inforce_ref(inforce);
	inforce = p->inforce;
	if (!p->code && p->was)
		p->code = tw_delta_new(p->was, inforce->compiler, &p->delta);
	/* The first image that cannot be made, for lack of descriptors or of memory, ends this. */
	for (size_t i = 0; i < p->n_vnics && !p->code; i++)
		if (make_image(p, inforce->compiler, tw_policy_vnic(inforce->policy, p->vnics[i])) <
			0)
			break;
	p->took_ns = tw_clock_ns() - start;
}

void tw_prepare_done(struct tw_preparation *p)
{
	tw_vec_foreach (&p->images, image)
		tw_images_unmake(&image->made);
	tw_vec_done(&p->images);
	tw_delta_free(p->delta);
	tw_inforce_free(p->inforce);
	tw_inforce_free(p->base);
	free(p->base_images);
	free(p->image_slots);
	free(p->vnics);
	tw_vec_done(&p->learned);
	*p = (struct tw_preparation){0};
}
