/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reader.h: what reading each part of a policy needs: complaints, texts, names, lists and mappings.
 *
 * What:       each part of a policy is a table of fields; one routine walks a mapping by its table
 *             and complains of unknown, missing and repeated keys.
 * Invariants: 1. A complaint does not end the reading: what can be read is read on, up to
 *                TW_DIAGS_ERRORS_MAX complaints.
 *             2. Out of memory is remembered in the reader and told once, at the end.
 */
#pragma once

#include "policy/model.h"
#include "policy/yaml.h"

struct tw_reader {
	struct tw_policy *policy;
	struct tw_diags *diags;
	bool nomem;
	size_t n_addresses;
	size_t n_parts;
	size_t n_guesses;	  /* comparisons spent on "did you mean" */
	size_t n_globs;		  /* letters compared with patterns */
	struct tw_arena *scratch; /* lives as long as the reading */
	struct tw_names claims;	  /* what only one vNIC can have: ports, MACs, host addresses */
	TW_VEC(struct tw_prefix) prefixes; /* scratch lists, emptied by whoever begins one */
	TW_VEC(struct tw_part) parts;
	TW_VEC(struct tw_operand) operands;
	TW_VEC(struct tw_service_ref) refs;
	TW_VEC(const char *) texts;
	TW_VEC(uint32_t) numbers;
};

struct tw_field {
	const char *name;
	void (*read)(struct tw_reader *r, const struct tw_node *value, void *object);
	bool required;
	const char *hint; /* when a required one is missing */
};

/* Frees the scratch lists. */
void tw_reader_done(struct tw_reader *r);
void tw_complain(struct tw_reader *r, const struct tw_node *node, const char *hint,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void tw_warn(struct tw_reader *r, const struct tw_node *node, const char *hint, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* Takes note of a result: true when it was -ENOMEM (or a NULL that should not be one). */
bool tw_failed(struct tw_reader *r, int err);
/* Out of memory, or so many errors that nobody would read on. */
bool tw_reader_stops(const struct tw_reader *r);
void *tw_keep(struct tw_reader *r, const void *items, size_t n, size_t size);

/* Walks a mapping. `what` names it in complaints: "a rule". */
void tw_read_map(struct tw_reader *r, const struct tw_node *map, const char *what,
	const struct tw_field *fields, size_t n_fields, void *object);
/* The text of a scalar; NULL after a complaint. `what` as in "the name". */
const char *tw_read_text(struct tw_reader *r, const struct tw_node *node, const char *what);
/* Calls `each` for a scalar or object alone, or for every member of a list. An empty list is an
 * error. */
void tw_read_list(struct tw_reader *r, const struct tw_node *node, const char *what,
	void (*each)(struct tw_reader *r, const struct tw_node *item, void *object), void *object);
/* "a list", "a mapping", "a text" or "nothing", for complaints. */
const char *tw_node_kind(const struct tw_node *node);
/* Nothing written, `~` or `null`. */
bool tw_node_is_empty(const struct tw_node *node);
/* Checks a name's spelling and reserved words, and that its scope does not have it yet; then adds
 * it. NULL after a complaint. */
const char *tw_read_name(struct tw_reader *r, const struct tw_node *key, struct tw_names *scope,
	uint32_t kind, size_t index);
/* "did you mean x?" in `hint` when some name of `scope` is near; returns `hint` or `otherwise`. */
struct tw_guess {
	const char *best;
	unsigned int distance;
};
void tw_guess(struct tw_reader *r, struct tw_guess *guess, const char *text, const char *candidate);
void tw_guess_names(struct tw_reader *r, struct tw_guess *guess, const char *text,
	const struct tw_names *scope);
const char *tw_guess_hint(
	const struct tw_guess *guess, char *hint, size_t hint_len, const char *otherwise);
/* An address or CIDR, with all complaints. `exact`: bits beyond the prefix are an error, not a
 * warning. */
bool tw_read_prefix(struct tw_reader *r, const struct tw_node *node, const char *text, bool exact,
	struct tw_prefix *ret);
const char *tw_kind_name(uint32_t kind);

/* True if a section's value maps names to things. False if there is nothing to walk; complains unless
 * the section is empty. */
bool tw_read_section(struct tw_reader *r, const struct tw_node *value, const char *what);
