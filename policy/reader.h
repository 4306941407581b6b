/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reader.h: helpers to read the parts of a policy: errors, texts, names, lists and mappings.
 *
 * What:       each part of a policy is a table of fields. One routine reads a mapping by its table
 *             and reports unknown, missing and repeated keys.
 * Invariants: 1. Reading continues after an error, up to TW_DIAGS_ERRORS_MAX errors.
 *             2. If memory runs out, the reader records it, and it is reported once, at the end.
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
	size_t n_guesses;	  /* comparisons made for "did you mean" */
	size_t n_globs;		  /* characters compared with patterns */
	struct tw_arena *scratch; /* freed when reading ends */
	struct tw_names claims; /* texts that only one vNIC can have: ports, MACs, host addresses */
	TW_VEC(struct tw_prefix) prefixes; /* scratch lists; each user empties them first */
	TW_VEC(struct tw_place) places;
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
	const char *hint; /* hint if a required key is missing */
};

/* Frees the scratch lists. */
void tw_reader_done(struct tw_reader *r);
void tw_reader_error(struct tw_reader *r, const struct tw_node *node, const char *hint,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void tw_reader_warn(struct tw_reader *r, const struct tw_node *node, const char *hint,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Records a result. True if it was -ENOMEM (or a NULL that means it). */
bool tw_reader_failed(struct tw_reader *r, int err);
/* True if memory ran out or there are too many errors to continue. */
bool tw_reader_stops(const struct tw_reader *r);
void *tw_reader_keep(struct tw_reader *r, const void *items, size_t n, size_t size);

/* Reads a mapping. `what` names it in errors: "a rule". */
void tw_reader_map(struct tw_reader *r, const struct tw_node *map, const char *what,
	const struct tw_field *fields, size_t n_fields, void *object);
/* Returns the text of a scalar, or NULL after an error. `what` as in "the name". */
const char *tw_reader_text(struct tw_reader *r, const struct tw_node *node, const char *what);
/* Returns the value of `mode`: enforce or observe. TW_MODE_UNSAID after reporting an error. */
enum tw_mode tw_reader_mode(struct tw_reader *r, const struct tw_node *value);
/* Returns the value true or false of the field `what`; `otherwise` after reporting an error. */
bool tw_reader_bool(
	struct tw_reader *r, const struct tw_node *value, const char *what, bool otherwise);
/* Returns the value of `tcp`: strict or liberal. TW_TCP_CHECKS_UNSAID after reporting an error. */
enum tw_tcp_checks tw_reader_tcp(struct tw_reader *r, const struct tw_node *value);
/* Calls `each` for a scalar or object alone, or for every member of a list. An empty list is an
 * error. */
void tw_reader_list(struct tw_reader *r, const struct tw_node *node, const char *what,
	void (*each)(struct tw_reader *r, const struct tw_node *item, void *object), void *object);
/* Returns "a list", "a mapping", "a text" or "nothing", for errors. */
const char *tw_node_kind(const struct tw_node *node);
/* True for an empty value, `~` or `null`. */
bool tw_node_is_empty(const struct tw_node *node);
/* Checks that a name is valid, not reserved and new in its scope, and adds it. Returns NULL
 * after an error. */
const char *tw_reader_name(struct tw_reader *r, const struct tw_node *key, struct tw_names *scope,
	uint32_t kind, size_t index);
/* The name most similar to a text so far. tw_guess_hint() writes "did you mean x?" to `hint` and
 * returns it, or returns `otherwise` if no name is similar. */
struct tw_guess {
	const char *best;
	unsigned int distance;
};
void tw_guess(struct tw_reader *r, struct tw_guess *guess, const char *text, const char *candidate);
void tw_guess_names(struct tw_reader *r, struct tw_guess *guess, const char *text,
	const struct tw_names *scope);
const char *tw_guess_hint(
	const struct tw_guess *guess, char *hint, size_t hint_len, const char *otherwise);
/* Reads an address or CIDR and reports errors. If `exact`, bits beyond the prefix are an error
 * and not a warning. */
bool tw_reader_prefix(struct tw_reader *r, const struct tw_node *node, const char *text, bool exact,
	struct tw_prefix *ret);
/* Reads an address, a CIDR or a range of addresses, and appends its prefixes to r->prefixes. Reports
 * errors, and returns false after one. */
bool tw_reader_addresses(struct tw_reader *r, const struct tw_node *node, const char *text);
/* Reads an address, a CIDR or a range of addresses, and appends an operand for each of its prefixes to
 * r->operands. Reports errors. */
void tw_reader_operands(
	struct tw_reader *r, const struct tw_node *node, const char *text, bool negate);
const char *tw_reader_kind_name(uint32_t kind);

/* True if a section's value is a mapping of names. False if it is empty or, after an error,
 * anything else. */
bool tw_reader_section(struct tw_reader *r, const struct tw_node *value, const char *what);
