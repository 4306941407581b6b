/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/slots.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct tw_slot *)a)->name, ((const struct tw_slot *)b)->name);
}

void tw_slots_init(struct tw_slots *slots, int counters_fd)
{
	*slots = (struct tw_slots){.counters_fd = counters_fd};
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
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i])
			forget(slots, slots->at[i]);
	free(slots->at);
	slots->at = NULL;
	slots->n = 0;
}

const char *tw_slots_name(const struct tw_slots *slots, uint32_t number)
{
	return number < slots->n && slots->at[number] ? slots->at[number]->name : NULL;
}

long tw_slots_rule(const struct tw_slots *slots, uint32_t number)
{
	if (!tw_slots_name(slots, number) || slots->at[number]->retired)
		return -1;
	return slots->at[number]->rule;
}

static struct tw_slot *find(const struct tw_slots *slots, const char *name)
{
	const struct tw_slot wanted = {.name = name};
	struct tw_slot *const *found = tfind(&wanted, &slots->by_name, compare);

	return found ? *found : NULL;
}

/* Clears the counters of a slot for its new rule. */
static int clear_counters(int map_fd, uint32_t number)
{
	int n_cpus = libbpf_num_possible_cpus();
	tw_autofree struct tw_rule_count *zeros = NULL;

	if (map_fd < 0)
		return 0;
	if (n_cpus < 0)
		return n_cpus;
	zeros = tw_alloc_array((size_t)n_cpus, sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	return bpf_map_update_elem(map_fd, &number, zeros, BPF_ANY) < 0 ? -errno : 0;
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
	if (!ret)
		ret = clear_counters(slots->counters_fd, number);
	if (!ret)
		ret = take(slots, number, name);
	if (!ret)
		*ret_number = number;
	return ret;
}

int tw_slots_assign(struct tw_slots *slots, const struct tw_policy *policy, uint32_t *ret_numbers)
{
	return tw_slots_assign_like(slots, policy, NULL, NULL, ret_numbers);
}

int tw_slots_assign_like(struct tw_slots *slots, const struct tw_policy *policy,
	const struct tw_policy *other, const uint32_t *numbers, uint32_t *ret_numbers)
{
	size_t n_rules = tw_policy_n_rules(policy), k = 0;
	int ret = 0;

	slots->round++;
	for (size_t i = 0; i <= n_rules && !ret; i++) {
		const char *name = tw_policy_rule(policy, i)->name;
		const struct tw_rule_info *rule = other ? tw_policy_rule(other, k) : NULL;

		/* Skips a slot whose rule no longer exists. */
		if (rule && rule->name != name)
			rule = tw_policy_rule(other, k + 1);
		if (rule && rule->name == name) {
			k += tw_policy_rule(other, k)->name != name;
			ret_numbers[i] = numbers[k++];
		} else {
			ret = assign(slots, policy, i, &ret_numbers[i]);
		}
		if (!ret)
			slots->at[ret_numbers[i]]->round = slots->round;
	}
	return ret;
}

int tw_slots_restore(struct tw_slots *slots, uint32_t number, const char *name)
{
	if (number >= TW_RULES_MAX || !name[0])
		return -EINVAL;
	if (tw_slots_name(slots, number) || find(slots, name))
		return -EEXIST;
	return take(slots, number, name);
}

void tw_slots_retire(struct tw_slots *slots, const uint32_t *in_force, size_t n)
{
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i])
			slots->at[i]->retired = true;
	for (size_t i = 0; i < n; i++) {
		struct tw_slot *slot = slots->at[in_force[i]];

		slot->retired = slot->old = false;
		slot->rule = (uint32_t)i;
	}
}

void tw_slots_begin_walk(struct tw_slots *slots)
{
	for (uint32_t i = 0; i < slots->n; i++)
		if (slots->at[i]) {
			slots->at[i]->old = slots->at[i]->retired;
			slots->at[i]->referred = false;
		}
}

void tw_slots_refer(struct tw_slots *slots, uint32_t number)
{
	if (number < slots->n && slots->at[number])
		slots->at[number]->referred = true;
}

void tw_slots_end_walk(struct tw_slots *slots)
{
	for (uint32_t i = 0; i < slots->n; i++) {
		struct tw_slot *slot = slots->at[i];

		if (slot && slot->old && !slot->referred)
			forget(slots, slot);
	}
	while (slots->n && !slots->at[slots->n - 1])
		slots->n--;
}
