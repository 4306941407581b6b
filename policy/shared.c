/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/shared.h"

#include <stdio.h>
#include <string.h>

#include "policy/text.h"

#define KEY_MAX 256

/* Writes the key of an address among the reader's claims. */
static void write_key(char key[KEY_MAX], const char *what, const char *network, const char *addr)
{
	if (network)
		snprintf(key, KEY_MAX, "%s of network %s, %s", what, network, addr);
	else
		snprintf(key, KEY_MAX, "%s %s", what, addr);
}

/* True if the address is already listed under a key; then the error is reported. */
static bool is_used(struct tw_reader *r, const struct tw_node *node, const char *key)
{
	const struct tw_name *other = tw_names_find(&r->claims, key);

	if (other)
		tw_reader_error(r, node,
			"list it once in addresses, or under shared at each of its workloads",
			"the %s is already used in %s", key,
			tw_files_line(&r->policy->text.files, other->line).text);
	return other != NULL;
}

bool tw_shared_taken(
	struct tw_reader *r, const struct tw_node *node, const char *network, const char *addr)
{
	char key[KEY_MAX];

	write_key(key, "shared address", network, addr);
	return is_used(r, node, key);
}

/* Notes that the address is shared. False after an error. */
static bool note_shared(
	struct tw_reader *r, const struct tw_node *node, const char *network, const char *addr)
{
	struct tw_name name = {.line = node->line};
	char key[KEY_MAX];

	write_key(key, "address", network, addr);
	if (is_used(r, node, key))
		return false;
	write_key(key, "shared address", network, addr);
	if (tw_names_find(&r->claims, key))
		return true;
	name.text = tw_arena_strndup(r->scratch, key, strlen(key));
	if (!name.text) {
		r->nomem = true;
		return false;
	}
	return !tw_reader_failed(r, tw_names_add(&r->claims, name));
}

static void add_shared(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "an address");
	const struct tw_nic *nic = object;
	char clean[TW_PREFIX_TEXT_MAX];
	struct tw_prefix prefix;

	if (!text || !tw_reader_prefix(r, item, text, true, &prefix))
		return;
	tw_prefix_format(&prefix, clean);
	if (prefix.len < 128) {
		tw_reader_error(r, item, "list each address", "%s is a prefix", clean);
		return;
	}
	for (size_t i = 0; i < r->prefixes.n; i++)
		if (!memcmp(&r->prefixes.at[i].addr, &prefix.addr, sizeof(prefix.addr))) {
			tw_reader_error(
				r, item, "keep one of them", "shared lists %s twice", clean);
			return;
		}
	if (note_shared(r, item, nic->pub.network, clean))
		tw_reader_failed(r, tw_vec_push(&r->prefixes, prefix));
}

void tw_shared_read(struct tw_reader *r, const struct tw_node *value, struct tw_nic *nic)
{
	r->prefixes.n = 0;
	tw_reader_list(r, value, "shared", add_shared, nic);
	nic->n_shared = r->prefixes.n;
	nic->shared = tw_reader_keep(r, r->prefixes.at, r->prefixes.n, sizeof(*r->prefixes.at));
}

void tw_shared_join(struct tw_reader *r, const struct tw_node *node, struct tw_nic *nic,
	struct tw_grants *grants)
{
	const struct tw_prefix *joined;

	if (!nic->shared || (nic->pub.n_prefixes && !nic->pub.prefixes))
		return;
	if (nic->pub.any)
		tw_reader_error(r, node, "leave out shared",
			"a vNIC with addresses any needs no shared addresses");
	r->prefixes.n = 0;
	for (size_t i = 0; i < nic->pub.n_prefixes; i++)
		tw_reader_failed(r, tw_vec_push(&r->prefixes, nic->pub.prefixes[i]));
	for (size_t i = 0; i < nic->n_shared; i++)
		tw_reader_failed(r, tw_vec_push(&r->prefixes, nic->shared[i]));
	joined = tw_reader_keep(r, r->prefixes.at, r->prefixes.n, sizeof(*r->prefixes.at));
	if (!joined)
		return;
	nic->pub.prefixes = joined;
	nic->pub.n_prefixes = r->prefixes.n;
	nic->pub.n_shared = nic->n_shared;
	grants->may |= TW_MAY_SHARE;
}
