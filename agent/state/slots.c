/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/slots.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "fastpath/kernel/counts.h"

#define PART_MAX 256 /* rules that get their slots while the lock is held */

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct tw_slot *)a)->name, ((const struct tw_slot *)b)->name);
}

void tw_slots_init(struct tw_slots *slots, const struct tw_kernel *kernel)
{
	*slots = (struct tw_slots){.lock = PTHREAD_MUTEX_INITIALIZER, .kernel = kernel};
}

static void forget(struct tw_slots *slots, struct tw_slot *slot)
{
	tdelete(slot, &slots->by_name, compare);
	slots->at[slot->number] = NULL;
	slots->n_used--;
	free(slot);
}

void tw_slots_done(struct tw_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	slots->done = true;
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i])
			forget(slots, slots->at[i]);
	free(slots->at);
	slots->at = NULL;
	slots->n = 0;
	pthread_mutex_unlock(&slots->lock);
}

static struct tw_slot *slot_at(struct tw_slots *slots, uint32_t number)
{
	return number < slots->n ? slots->at[number] : NULL;
}

const char *tw_slots_name(struct tw_slots *slots, uint32_t number)
{
	const struct tw_slot *slot;

	pthread_mutex_lock(&slots->lock);
	slot = slot_at(slots, number);
	pthread_mutex_unlock(&slots->lock);
	return slot ? slot->name : NULL;
}

long tw_slots_rule(struct tw_slots *slots, uint32_t number)
{
	const struct tw_slot *slot;
	long rule;

	pthread_mutex_lock(&slots->lock);
	slot = slot_at(slots, number);
	rule = slot && !slot->retired ? (long)slot->rule : -1;
	pthread_mutex_unlock(&slots->lock);
	return rule;
}

static struct tw_slot *find(const struct tw_slots *slots, const char *name)
{
	const struct tw_slot wanted = {.name = name};
	struct tw_slot *const *found = tfind(&wanted, &slots->by_name, compare);

	return found ? *found : NULL;
}

static int take(struct tw_slots *slots, uint32_t number, const char *name)
{
	size_t len = strlen(name);
	struct tw_slot *slot;
	int ret;

	ret = tw_vec_reserve_(
		(void **)&slots->at, &slots->max, (size_t)number + 1, sizeof(*slots->at));
	if (ret < 0)
		return ret;
	slot = tw_alloc(sizeof(*slot) + len + 1);
	if (!slot)
		return -ENOMEM;
	memcpy(slot + 1, name, len);
	slot->name = (const char *)(slot + 1);
	slot->number = number;
	slot->retired = true;
	if (!tsearch(slot, &slots->by_name, compare)) {
		free(slot);
		return -ENOMEM;
	}
	while (slots->n <= number)
		slots->at[slots->n++] = NULL;
	slots->at[number] = slot;
	slots->n_used++;
	return 0;
}

static int find_free(struct tw_slots *slots, uint32_t *ret)
{
	if (slots->n_used >= TW_RULES_MAX)
		return -ENOSPC;
	while (slots->next < slots->n && slots->at[slots->next])
		slots->next++;
	if (slots->next >= TW_RULES_MAX) {
		slots->next = 0;
		while (slots->at[slots->next])
			slots->next++;
	}
	*ret = slots->next;
	return 0;
}

/* Finds the slot of a rule, or assigns a new one. */
static int assign(
	struct tw_slots *slots, const struct tw_policy *policy, size_t index, uint32_t *ret_number)
{
	char key[TW_RULE_KEY_MAX], name[TW_RULE_KEY_MAX + 24];
	struct tw_slot *slot;
	uint32_t number;
	int ret = tw_policy_rule_key(policy, index, key);

	if (ret < 0)
		return ret;
	snprintf(name, sizeof(name), "%s", key);
	/* An earlier rule of this policy has the same key, so a number is added to it. */
	for (; (slot = find(slots, name)) && slot->round == slots->round; index++)
		snprintf(name, sizeof(name), "%s/%zu", key, index);
	if (slot) {
		*ret_number = slot->number;
		return 0;
	}
	ret = find_free(slots, &number);
	if (!ret && slots->kernel)
		tw_counts_clear_rule(slots->kernel, number);
	if (!ret)
		ret = take(slots, number, name);
	if (!ret)
		*ret_number = number;
	return ret;
}

/* An assignment that goes on in parts, so that the lock is held for a short time. */
struct assigning {
	struct tw_slots *slots;
	const struct tw_policy *policy;
	const struct tw_policy *other; /* NULL: none */
	const uint32_t *numbers;
	uint32_t *ret_numbers;
	size_t k; /* next rule of `other` */
};

static int assign_next(struct assigning *a, size_t i)
{
	const char *name = tw_policy_rule(a->policy, i)->name;
	const struct tw_rule_info *rule = a->other ? tw_policy_rule(a->other, a->k) : NULL;
	int ret = 0;

	/* Skips a slot whose rule no longer exists. */
	if (rule && rule->name != name)
		rule = tw_policy_rule(a->other, a->k + 1);
	if (rule && rule->name == name) {
		a->k += tw_policy_rule(a->other, a->k)->name != name;
		a->ret_numbers[i] = a->numbers[a->k++];
	} else {
		ret = assign(a->slots, a->policy, i, &a->ret_numbers[i]);
	}
	if (!ret) {
		a->slots->at[a->ret_numbers[i]]->round = a->slots->round;
		a->slots->at[a->ret_numbers[i]]->pledged = true;
	}
	return ret;
}

/* Assigns the slots of rules from `first` to `end`. */
static int assign_part(struct assigning *a, size_t first, size_t end)
{
	int ret = 0;

	pthread_mutex_lock(&a->slots->lock);
	if (a->slots->done)
		ret = -ECANCELED;
	for (size_t i = first; i < end && !ret; i++)
		ret = assign_next(a, i);
	pthread_mutex_unlock(&a->slots->lock);
	return ret;
}

int tw_slots_assign(struct tw_slots *slots, const struct tw_policy *policy, uint32_t *ret_numbers)
{
	return tw_slots_assign_like(slots, policy, NULL, NULL, ret_numbers);
}

int tw_slots_assign_like(struct tw_slots *slots, const struct tw_policy *policy,
	const struct tw_policy *other, const uint32_t *numbers, uint32_t *ret_numbers)
{
	struct assigning a = {.slots = slots, .policy = policy, .other = other, .numbers = numbers};
	size_t n = tw_policy_n_rules(policy) + 1;
	int ret = 0;

	a.ret_numbers = ret_numbers;
	pthread_mutex_lock(&slots->lock);
	slots->round++;
	pthread_mutex_unlock(&slots->lock);
	for (size_t i = 0; i < n && !ret; i += PART_MAX)
		ret = assign_part(&a, i, i + PART_MAX < n ? i + PART_MAX : n);
	return ret;
}

static int restore(struct tw_slots *slots, uint32_t number, const char *name)
{
	if (slot_at(slots, number) || find(slots, name))
		return -EEXIST;
	return take(slots, number, name);
}

int tw_slots_restore(struct tw_slots *slots, uint32_t number, const char *name)
{
	int ret;

	if (number >= TW_RULES_MAX || !name[0])
		return -EINVAL;
	pthread_mutex_lock(&slots->lock);
	ret = restore(slots, number, name);
	pthread_mutex_unlock(&slots->lock);
	return ret;
}

void tw_slots_release(struct tw_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i])
			slots->at[i]->pledged = false;
	pthread_mutex_unlock(&slots->lock);
}

void tw_slots_retire(struct tw_slots *slots, const uint32_t *in_force, size_t n)
{
	pthread_mutex_lock(&slots->lock);
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i]) {
			slots->at[i]->retired = true;
			slots->at[i]->pledged = false;
		}
	for (size_t i = 0; i < n; i++) {
		struct tw_slot *slot = slots->at[in_force[i]];

		slot->retired = slot->old = false;
		slot->rule = (uint32_t)i;
	}
	pthread_mutex_unlock(&slots->lock);
}

void tw_slots_begin_walk(struct tw_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i]) {
			slots->at[i]->old = slots->at[i]->retired;
			slots->at[i]->referred = false;
		}
	pthread_mutex_unlock(&slots->lock);
}

void tw_slots_refer(struct tw_slots *slots, uint32_t number)
{
	struct tw_slot *slot;

	pthread_mutex_lock(&slots->lock);
	slot = slot_at(slots, number);
	if (slot)
		slot->referred = true;
	pthread_mutex_unlock(&slots->lock);
}

void tw_slots_end_walk(struct tw_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	for (uint32_t i = 0; i < slots->n; i++) {
		struct tw_slot *slot = slots->at[i];

		if (slot && slot->old && !slot->referred && !slot->pledged)
			forget(slots, slot);
	}
	while (slots->n && !slots->at[slots->n - 1])
		slots->n--;
	pthread_mutex_unlock(&slots->lock);
}
