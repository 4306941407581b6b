/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* name.h: reads the name that the first message of a connection asks for: TLS server name, HTTP host, or the
 * question of DNS.
 *
 * What:       a machine that takes a stream's bytes from the first one on, in order. Segments may end
 *             anywhere: what is known so far is in its state. Long fields are skipped by their length.
 * In:         for each step, a window of the bytes at the current position.
 * Out:        name->outcome; with TW_NAME_FOUND, the name in lower case, without a dot at its end.
 * Invariants: 1. What two readers may understand differently is TW_NAME_BAD: two hosts, folded lines, a
 *                line end without its second half, lengths that contradict each other.
 *             2. A step reads at constant offsets of the window.
 * Bounds:     a step is some hundred instructions, and a payload has at most TW_NAME_STEPS of them. Long
 *             fields and lines take few; a hostile message, with a record for each byte, takes two for each.
 * Callers:    sim/asked.c, tests.
 *
 * Sources: RFC 8446 §4.1.2, §5.1 (TLS), RFC 6066 §3 (server name), RFC 9112 §2.2, §3.2, §5 (HTTP/1.1), RFC 1035 §4.1
 * (DNS).
 */
#pragma once

#include "fastpath/path/app/head.h"

#define TW_NAME_MAX    255 /* bytes of a name (RFC 1035 §2.3.4) */
#define TW_NAME_WINDOW 32  /* bytes that a step sees at once */
#define TW_NAME_STEPS  256 /* steps for a payload */

enum tw_name_kind {
	TW_NAME_TLS,
	TW_NAME_HTTP,
	TW_NAME_DNS,	 /* a datagram */
	TW_NAME_DNS_TCP, /* a stream: the message's length comes first */
};

enum tw_name_outcome {
	TW_NAME_MORE, /* more bytes are needed */
	TW_NAME_FOUND,
	TW_NAME_NONE, /* the message names nothing */
	TW_NAME_BAD,  /* another message, malformed, or ambiguous */
};

enum tw_name_phase {
	/* Fields of fixed length, which may come in parts. */
	TW_NAME_P_HELLO,      /* type and length of the handshake message */
	TW_NAME_P_SESSION,    /* length of the session id */
	TW_NAME_P_SUITES,     /* length of the cipher suites */
	TW_NAME_P_METHODS,    /* length of the compression methods */
	TW_NAME_P_EXTENSIONS, /* length of all extensions */
	TW_NAME_P_EXTENSION,  /* type and length of one */
	TW_NAME_P_LIST,	      /* length of the list of names; type and length of its only one */
	TW_NAME_P_LENGTH,     /* length of a DNS message in a stream */
	TW_NAME_P_HEADER,     /* id, flags and the first two counts of a DNS message */
	TW_NAME_P_LABEL,      /* length of a label */
	TW_NAME_P__FIELDS,
	/* Text. */
	TW_NAME_P_NAME, /* `part` bytes of a name */
	TW_NAME_P_METHOD,
	TW_NAME_P_TARGET,
	TW_NAME_P_SCHEME,
	TW_NAME_P_SLASHES,
	TW_NAME_P_AUTHORITY,
	TW_NAME_P_LINE,	 /* the rest of a line */
	TW_NAME_P_FEED,	 /* the line feed after a carriage return */
	TW_NAME_P_FIELD, /* the start of a line */
	TW_NAME_P_SPACE, /* spaces after "Host:" */
	TW_NAME_P_HOST,
	TW_NAME_P_PORT, /* what follows the host */
	TW_NAME_P_LAST, /* the line feed of the empty line */
};

/* A name, and how far it is read. */
struct tw_name_reader {
	__u8 bytes[TW_NAME_MAX + 1 + 8]; /* lower case; after `len`, zeros or bytes of no meaning */
	__u32 len;
	__u32 outcome;	   /* enum tw_name_outcome */
	__u32 kind;	   /* enum tw_name_kind */
	__u32 phase;	   /* enum tw_name_phase */
	__u32 have;	   /* bytes of the current field, or characters that matched */
	__u32 skip;	   /* bytes to skip before the phase */
	__u32 left;	   /* TLS: bytes left of the hello */
	__u32 part;	   /* bytes left of the extension, the name or the label */
	__u32 record_left; /* TLS: bytes left of the record */
	__u32 record_have; /* TLS: bytes of the next record's header */
	__u32 hosts;	   /* HTTP: Host lines */
	__u32 compared;	   /* HTTP: bytes of a Host line that are those of the target */
	__u64 field;	   /* the current field, so far; the method */
	__u64 record;	   /* TLS: the next record's header, so far */
};

/* The bytes at the current position. */
struct tw_name_window {
	__u64 w[TW_NAME_WINDOW / 8]; /* host order, the first byte highest; zeros after `len` */
	__u32 len;		     /* at most TW_NAME_WINDOW */
	__u32 rest;		     /* bytes of the payload from here on, at least `len` */
};

tw_inline __u32 tw_name_min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

tw_inline void tw_name_end(struct tw_name_reader *n, enum tw_name_outcome outcome)
{
	n->outcome = outcome;
}

/* Ends with the name that was read, if there is one. */
tw_inline void tw_name_finish(struct tw_name_reader *n)
{
	__u32 len = n->len;

	if (len && len <= TW_NAME_MAX && n->bytes[(len - 1) & 0xff] == '.')
		n->len = --len;
	tw_name_end(n, len ? TW_NAME_FOUND : TW_NAME_NONE);
}

tw_inline void tw_name_begin(struct tw_name_reader *n, enum tw_name_kind kind)
{
	__builtin_memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->phase = kind == TW_NAME_TLS	     ? TW_NAME_P_HELLO
		   : kind == TW_NAME_HTTP    ? TW_NAME_P_METHOD
		   : kind == TW_NAME_DNS_TCP ? TW_NAME_P_LENGTH
					     : TW_NAME_P_HEADER;
}

/* ---- names ---- */

#define TW_NAME_EACH 0x0101010101010101ull /* times a byte: a word of it */
#define TW_NAME_HIGH (0x80 * TW_NAME_EACH)

/* Functions that test the eight bytes of a word at once return 0x80 in each byte for which they hold. */

/* Bytes that are at least `low`; those of `word` are below 0x80. */
tw_app_inline __u64 tw_name_from(__u64 word, __u32 low)
{
	return (word + (0x80 - low) * TW_NAME_EACH) & TW_NAME_HIGH;
}

tw_app_inline __u64 tw_name_between(__u64 word, __u32 low, __u32 high)
{
	return tw_name_from(word, low) & ~tw_name_from(word, high + 1);
}

/* Bytes that are `c`. */
tw_app_inline __u64 tw_name_equal(__u64 word, __u32 c)
{
	__u64 x = word ^ c * TW_NAME_EACH;

	return ~(((x & ~TW_NAME_HIGH) + ~TW_NAME_HIGH) | x) & TW_NAME_HIGH;
}

/* Returns the index of the first byte that is set in the result of such a function; 8: none. */
tw_app_inline __u32 tw_name_first(__u64 set)
{
	set |= set >> 8;
	set |= set >> 16;
	set |= set >> 32;
	return 8 - (__u32)((set >> 7) * TW_NAME_EACH >> 56);
}

/* Returns a word with its letters in lower case. */
tw_app_inline __u64 tw_name_lower(__u64 word)
{
	__u64 ascii = word & ~TW_NAME_HIGH;

	return word | (tw_name_between(ascii, 'A', 'Z') & ~word) >> 2;
}

/* Returns how many of the first eight bytes can be in a name, up to the first one that cannot. Other
 * bytes would need an escape. */
tw_inline __u32 tw_name_run(__u64 word)
{
	__u64 ascii = word & ~TW_NAME_HIGH;
	__u64 good = tw_name_between(ascii | 0x20 * TW_NAME_EACH, 'a', 'z') |
		     tw_name_between(ascii, '0', '9') | tw_name_between(ascii, '-', '.') |
		     tw_name_equal(word, '_');

	return tw_name_first(~(good & ~word) & TW_NAME_HIGH);
}

/* Appends the first `take` bytes of a word, at most eight, to the name. -1 if it is too long. */
tw_inline int tw_name_add(struct tw_name_reader *n, __u64 word, __u32 take)
{
	__u32 at = n->len, i;

	TW_OPAQUE(at);
	if (take > 8 || at + take > TW_NAME_MAX)
		return -1;
	at &= 0xff;
	word = tw_name_lower(word);
	for (i = 0; i < 8; i++)
		n->bytes[at + i] = (__u8)(word >> (56 - 8 * i));
	n->len = at + take;
	return 0;
}

/* Compares the first `take` bytes of a word with the name. -1 if they are not its next ones. */
tw_inline int tw_name_compare(struct tw_name_reader *n, __u64 word, __u32 take)
{
	__u32 at = n->compared, i;
	__u64 known = 0;

	TW_OPAQUE(at);
	if (take > 8 || at + take > n->len || at > TW_NAME_MAX)
		return -1;
	at &= 0xff;
	for (i = 0; i < 8; i++)
		known = known << 8 | n->bytes[at + i];
	n->compared = at + take;
	return take && (known ^ tw_name_lower(word)) >> ((64 - 8 * take) & 63) ? -1 : 0;
}

/* ---- fields ---- */

/* Adds up to `size` bytes to a field. Returns the number of bytes taken. */
tw_inline __u32 tw_name_fill(__u64 *field, __u32 *have, __u32 size, __u64 word, __u32 avail)
{
	__u32 take = tw_name_min(size - *have, tw_name_min(avail, 8));

	*have += take;
	if (take == 8)
		*field = word;
	else if (take)
		*field = *field << ((8 * take) & 63) | word >> ((64 - 8 * take) & 63);
	return take;
}

/* Skips `skip` bytes, then reads the field of `phase`. */
tw_inline void tw_name_next(struct tw_name_reader *n, __u32 skip, enum tw_name_phase phase)
{
	n->skip = skip;
	n->phase = phase;
	n->have = 0;
	n->field = 0;
}

/* The header of a TLS record. */
tw_inline void tw_name_record(struct tw_name_reader *n)
{
	__u32 len = n->record & 0xffff;

	if (n->record >> 32 != 22 || (n->record >> 24 & 0xff) != 3 || !len || len > 1 << 14)
		tw_name_end(n, TW_NAME_BAD);
	n->record_left = len;
	n->record_have = 0;
	n->record = 0;
}

tw_inline void tw_name_extension(struct tw_name_reader *n, __u64 value)
{
	__u32 len = value & 0xffff;

	if (len > n->left) {
		tw_name_end(n, TW_NAME_BAD);
	} else if (value >> 16) {
		if (n->left == len)
			tw_name_end(n, TW_NAME_NONE);
		tw_name_next(n, len, TW_NAME_P_EXTENSION);
	} else {
		n->part = len;
		tw_name_next(n, 0, TW_NAME_P_LIST);
	}
}

/* The list has one name, a host name: no other type was ever defined. */
tw_inline void tw_name_list(struct tw_name_reader *n, __u64 value)
{
	__u32 list = value >> 24 & 0xffff, type = value >> 16 & 0xff, len = value & 0xffff;

	if (list + 2 != n->part || len + 3 != list || type || !len || len > TW_NAME_MAX) {
		tw_name_end(n, TW_NAME_BAD);
		return;
	}
	n->part = len;
	tw_name_next(n, 0, TW_NAME_P_NAME);
}

tw_inline void tw_name_label(struct tw_name_reader *n, __u64 len)
{
	if (!len) {
		tw_name_finish(n);
	} else if (len > 63 || (n->len && tw_name_add(n, (__u64)'.' << 56, 1))) {
		tw_name_end(n, TW_NAME_BAD);
	} else {
		n->part = (__u32)len;
		tw_name_next(n, 0, TW_NAME_P_NAME);
	}
}

/* Bytes of the field of each phase. */
tw_inline __u32 tw_name_size(__u32 phase)
{
	switch (phase) {
	case TW_NAME_P_HELLO:
	case TW_NAME_P_EXTENSION:
		return 4;
	case TW_NAME_P_LIST:
		return 5;
	case TW_NAME_P_HEADER:
		return 8;
	case TW_NAME_P_SESSION:
	case TW_NAME_P_METHODS:
	case TW_NAME_P_LABEL:
		return 1;
	default:
		return 2;
	}
}

/* Acts on a complete field. */
tw_inline void tw_name_field(struct tw_name_reader *n)
{
	__u64 value = n->field;

	switch (n->phase) {
	case TW_NAME_P_HELLO:
		n->left = value & 0xffffff;
		if (value >> 24 != 1)
			tw_name_end(n, TW_NAME_BAD);
		tw_name_next(n, 2 + 32, TW_NAME_P_SESSION);
		break;
	case TW_NAME_P_SESSION:
		if (value > 32)
			tw_name_end(n, TW_NAME_BAD);
		tw_name_next(n, (__u32)value & 0xff, TW_NAME_P_SUITES);
		break;
	case TW_NAME_P_SUITES:
		tw_name_next(n, (__u32)value & 0xffff, TW_NAME_P_METHODS);
		break;
	case TW_NAME_P_METHODS:
		if (n->left == value) /* no extensions */
			tw_name_end(n, TW_NAME_NONE);
		tw_name_next(n, (__u32)value & 0xff, TW_NAME_P_EXTENSIONS);
		break;
	case TW_NAME_P_EXTENSIONS:
		if (n->left != value)
			tw_name_end(n, TW_NAME_BAD);
		else if (!value)
			tw_name_end(n, TW_NAME_NONE);
		tw_name_next(n, 0, TW_NAME_P_EXTENSION);
		break;
	case TW_NAME_P_EXTENSION:
		tw_name_extension(n, value);
		break;
	case TW_NAME_P_LIST:
		tw_name_list(n, value);
		break;
	case TW_NAME_P_LENGTH:
		tw_name_next(n, 0, TW_NAME_P_HEADER);
		break;
	case TW_NAME_P_HEADER:
		/* A query with one question, and without an answer. */
		if ((value >> 32 & 0xf800) || (value & 0xffffffff) != 0x10000)
			tw_name_end(n, TW_NAME_BAD);
		tw_name_next(n, 4, TW_NAME_P_LABEL);
		break;
	default:
		tw_name_label(n, value);
	}
}

/* ---- text ---- */

/* Reads a name, of which `part` bytes are left. */
tw_inline __u32 tw_name_text(struct tw_name_reader *n, __u64 word, __u32 avail)
{
	__u32 take = tw_name_min(n->part, tw_name_min(avail, 8)), dns = n->kind >= TW_NAME_DNS;
	/* A dot inside a label would read like two labels. */
	if (tw_name_run(word) < take || (dns && tw_name_first(tw_name_equal(word, '.')) < take) ||
		tw_name_add(n, word, take)) {
		tw_name_end(n, TW_NAME_BAD);
		return 0;
	}
	n->part -= take;
	if (n->part)
		return take;
	if (dns)
		tw_name_next(n, 0, TW_NAME_P_LABEL);
	else
		tw_name_finish(n);
	return take;
}

/* Returns the index of the first carriage return, line feed or zero; 8: none. */
tw_app_inline __u32 tw_name_line_end(__u64 word)
{
	return tw_name_first(
		tw_name_equal(word, '\r') | tw_name_equal(word, '\n') | tw_name_equal(word, 0));
}

/* Reads the rest of a line. */
tw_inline __u32 tw_name_line(struct tw_name_reader *n, const struct tw_name_window *w)
{
	__u32 i, at = 8;
	__u64 word = 0, c;

	for (i = 0; i < TW_NAME_WINDOW / 8 && at == 8; i++) {
		word = w->w[i];
		at = tw_name_line_end(word);
	}
	n->phase = TW_NAME_P_LINE;
	if (8 * (i - 1) + at >= w->len)
		return w->len;
	c = word >> (56 - 8 * (at & 7)) & 0xff;
	n->phase = c == '\r' ? TW_NAME_P_FEED : TW_NAME_P_FIELD;
	n->have = 0;
	if (!c)
		tw_name_end(n, TW_NAME_BAD);
	return 8 * (i - 1) + at + 1;
}

/* Reads a name of a target or a Host line up to its end. Returns the number of bytes. */
tw_inline __u32 tw_name_authority(struct tw_name_reader *n, __u64 word, __u32 avail)
{
	__u32 take = tw_name_min(tw_name_run(word), tw_name_min(avail, 8)), c = word >> 56;
	int failed;

	/* The target's name counts; a Host line must not have another (RFC 9112 §3.2.2). */
	if (n->phase == TW_NAME_P_HOST && n->hosts > 1)
		failed = tw_name_compare(n, word, take);
	else
		failed = tw_name_add(n, word, take);
	if (failed)
		tw_name_end(n, TW_NAME_BAD);
	if (failed || take)
		return take;
	/* An address in brackets, a user, or an escape. */
	if (n->phase == TW_NAME_P_HOST)
		n->phase = TW_NAME_P_PORT;
	else if (c != ':' && c != '/' && c != '?' && c != '#' && c != ' ')
		tw_name_end(n, TW_NAME_BAD);
	else
		n->phase = TW_NAME_P_LINE;
	return 0;
}

tw_inline __u32 tw_name_method(struct tw_name_reader *n, __u64 c)
{
	if (c == ' ') {
		/* The target of CONNECT is an authority (RFC 9112 §3.2.3). */
		n->phase = n->have == 7 && n->field == 0x434f4e4e454354 ? TW_NAME_P_AUTHORITY
									: TW_NAME_P_TARGET;
		n->have = 0;
		return 1;
	}
	if (!tw_name_run(c << 56) || ++n->have > TW_NAME_WINDOW)
		tw_name_end(n, TW_NAME_BAD);
	n->field = n->field << 8 | c;
	return 1;
}

tw_inline __u32 tw_name_scheme(struct tw_name_reader *n, __u64 c)
{
	if (n->phase == TW_NAME_P_SLASHES) {
		if (c != '/')
			tw_name_end(n, TW_NAME_BAD);
		if (++n->have == 2)
			n->phase = TW_NAME_P_AUTHORITY;
		return 1;
	}
	if (c == ':') {
		n->phase = TW_NAME_P_SLASHES;
		n->have = 0;
	} else if ((!tw_name_run(c << 56) && c != '+') || ++n->have > TW_NAME_WINDOW) {
		tw_name_end(n, TW_NAME_BAD);
	}
	return 1;
}

/* Reads the start of a line: "Host:", the empty line, or another. */
tw_inline __u32 tw_name_field_line(
	struct tw_name_reader *n, const struct tw_name_window *w, __u32 avail)
{
	const __u64 host = 0x686f73743a;
	__u64 word = tw_name_lower(w->w[0]), c = word >> 56;

	if (!n->have && avail >= 5 && word >> 24 == host) {
		n->phase = TW_NAME_P_SPACE;
		return 5;
	}
	if (!n->have && c == '\n') {
		tw_name_finish(n);
		return 1;
	}
	if (!n->have && c == '\r') {
		n->phase = TW_NAME_P_LAST;
		return 1;
	}
	/* A folded line, or a space before the colon. */
	if ((!n->have || n->have == 4) && (c == ' ' || c == '\t')) {
		tw_name_end(n, TW_NAME_BAD);
		return 0;
	}
	if (c != (host >> ((32 - 8 * n->have) & 63) & 0xff))
		return tw_name_line(n, w);
	if (++n->have == 5)
		n->phase = TW_NAME_P_SPACE;
	return 1;
}

/* Spaces before the host; each Host line counts once, and only the target may have named it before. */
tw_inline __u32 tw_name_space(struct tw_name_reader *n, __u64 c)
{
	if (c == ' ' || c == '\t')
		return 1;
	if (n->hosts & 1)
		tw_name_end(n, TW_NAME_BAD);
	/* 1: the name is this line's; 3: the target has named it, and this line's is compared. */
	n->hosts = n->len ? 3 : 1;
	n->phase = TW_NAME_P_HOST;
	return 0;
}

/* What follows the host: a port, spaces, the line's end. */
tw_inline __u32 tw_name_port(struct tw_name_reader *n, __u64 c)
{
	if (c == '\r' || c == '\n') {
		if (n->hosts == 3 && n->compared != n->len)
			tw_name_end(n, TW_NAME_BAD);
		n->phase = c == '\r' ? TW_NAME_P_FEED : TW_NAME_P_FIELD;
		n->have = 0;
	} else if (c != ':' && c != ' ' && c != '\t' && !tw_app_within(c, '0', '9')) {
		tw_name_end(n, TW_NAME_BAD);
	}
	return 1;
}

/* A step in text. Returns the number of bytes. */
tw_inline __u32 tw_name_step_text(
	struct tw_name_reader *n, const struct tw_name_window *w, __u32 avail)
{
	__u64 word = w->w[0], c = word >> 56;

	switch (n->phase) {
	case TW_NAME_P_NAME:
		return tw_name_text(n, word, avail);
	case TW_NAME_P_METHOD:
		return tw_name_method(n, c);
	case TW_NAME_P_TARGET:
		n->phase = c == '/' || c == '*' ? TW_NAME_P_LINE : TW_NAME_P_SCHEME;
		return 0;
	case TW_NAME_P_SCHEME:
	case TW_NAME_P_SLASHES:
		return tw_name_scheme(n, c);
	case TW_NAME_P_AUTHORITY:
	case TW_NAME_P_HOST:
		return tw_name_authority(n, word, avail);
	case TW_NAME_P_LINE:
		return tw_name_line(n, w);
	case TW_NAME_P_FIELD:
		return tw_name_field_line(n, w, avail);
	case TW_NAME_P_SPACE:
		return tw_name_space(n, c);
	case TW_NAME_P_PORT:
		return tw_name_port(n, c);
	default: /* TW_NAME_P_FEED, TW_NAME_P_LAST */
		if (c != '\n')
			tw_name_end(n, TW_NAME_BAD);
		else if (n->phase == TW_NAME_P_LAST)
			tw_name_finish(n);
		n->phase = TW_NAME_P_FIELD;
		n->have = 0;
		return 1;
	}
}

/* A step. Returns the number of bytes read: some, or none if only the phase changed or the outcome is
 * known. The window has at least one byte. */
tw_inline __u32 tw_name_step(struct tw_name_reader *n, const struct tw_name_window *w)
{
	__u32 avail = w->rest, take, tls = n->kind == TW_NAME_TLS;

	if (tls && !n->record_left) {
		take = tw_name_fill(&n->record, &n->record_have, 5, w->w[0], w->len);
		if (n->record_have == 5)
			tw_name_record(n);
		return take;
	}
	if (tls)
		avail = tw_name_min(avail, n->record_left);
	if (n->skip) {
		take = tw_name_min(n->skip, avail);
		n->skip -= take;
	} else if (n->phase < TW_NAME_P__FIELDS) {
		take = tw_name_fill(&n->field, &n->have, tw_name_size(n->phase), w->w[0],
			tw_name_min(avail, w->len));
	} else {
		take = tw_name_step_text(n, w, tw_name_min(avail, w->len));
	}
	if (tls) {
		n->record_left -= take;
		/* The hello's own length counts from its end on. */
		if (n->phase != TW_NAME_P_HELLO) {
			if (take > n->left) {
				tw_name_end(n, TW_NAME_BAD);
				return take;
			}
			n->left -= take;
		}
	}
	if (n->phase < TW_NAME_P__FIELDS && n->have == tw_name_size(n->phase))
		tw_name_field(n);
	return take;
}
