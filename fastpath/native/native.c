/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/native/native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "fastpath/abi/names.h"
#include "fastpath/native/image.h"
#include "fastpath/native/prefix.h"
#include "fastpath/native/table.h"
#include "fastpath/path/packet.h"

#define DEFAULT_MARK 0x5a17c9e8u

/* An instance. The kernel's array maps are hash tables here, too, as only few of their elements are
 * used. */
struct tw_native {
#define TW_MAP(symbol, ...) struct tw_table symbol;
#include "fastpath/abi/maps.def"
#undef TW_MAP
	struct tw_table entries; /* struct tw_port by tw_port_key(ifindex, epoch); not in slots */
	TW_VEC(struct tw_addr_key)
	prefixes;	      /* prefixes of `addrs`, which is looked up by longest prefix */
	struct image *images; /* TW_IMAGES_MAX */
	struct tw_config *settings;
	struct tw_scratch scratch;
	bool full_path; /* every frame takes the full path */
	void (*on_event)(void *arg, const struct tw_event *event);
	void *event_arg;
	void (*on_capture)(void *arg, const struct tw_captured *head, const uint8_t *data);
	void *capture_arg;
	void (*on_ask)(void *arg, const struct tw_asked *question, const uint8_t *data);
	void *ask_arg;
};

/* One frame being judged: its head in aligned memory, as the path requires. */
struct run {
	struct tw_native *native;
	struct tw_native_frame *frame;
	struct tw_native_result *result;
	struct tw_event event;
	union {
		uint64_t align;
		uint8_t bytes[2 + TW_HEAD_MAX];
	} head;
};

/* ---- interface of a target: port.h ---- */

static struct tw_native *native_of(const struct tw_frame *f)
{
	return ((struct run *)f->target)->native;
}

/* Returns an element of an array map, created when first read. */
static void *array_lookup(struct tw_table *table, const void *key, const void *first)
{
	/* As large as the largest value of any map. */
	static const union {
#define TW_MAP(symbol, map_type, key_type, value_type, ...) value_type symbol;
#include "fastpath/abi/maps.def"
#undef TW_MAP
	} zero;
	void *value = tw_table_lookup(table, key);

	if (value || tw_table_update(table, key, first ? first : &zero, 1))
		return value;
	return tw_table_lookup(table, key);
}

/* Returns a matching prefix; the path only needs to know if there is one, so the order of prefixes
 * does not matter. */
static void *prefix_lookup(struct tw_native *native, const struct tw_addr_key *key)
{
	tw_vec_foreach (&native->prefixes, prefix)
		if (tw_prefix_matches(prefix, key))
			return tw_table_lookup(&native->addrs, prefix);
	return NULL;
}

#define LOOKUP_HASH(native, symbol, k, type)	     tw_table_lookup(&(native)->symbol, k)
#define LOOKUP_DEVMAP_HASH(native, symbol, k, type)  tw_table_lookup(&(native)->symbol, k)
#define LOOKUP_LPM_TRIE(native, symbol, k, type)     prefix_lookup(native, (const void *)(k))
#define LOOKUP_LRU_HASH(native, symbol, k, type)     tw_table_lookup(&(native)->symbol, k)
#define LOOKUP_ARRAY(native, symbol, k, type)	     array_lookup(&(native)->symbol, k, NULL)
#define LOOKUP_PERCPU_ARRAY(native, symbol, k, type) array_lookup(&(native)->symbol, k, NULL)

#define TW_MAP(symbol, map_type, key_type, value_type, ...)                                     \
	tw_inline value_type *tw_##symbol##_lookup(const struct tw_frame *f, const key_type *k) \
	{                                                                                       \
		return LOOKUP_##map_type(native_of(f), symbol, k, value_type);                  \
	}                                                                                       \
	tw_inline long tw_##symbol##_update(                                                    \
		const struct tw_frame *f, const key_type *k, const value_type *v, __u64 flags)  \
	{                                                                                       \
		return tw_table_update(&native_of(f)->symbol, k, v, flags == TW_MAP_NOEXIST);   \
	}
#include "fastpath/abi/maps.def"
#undef TW_MAP

tw_inline __u32 tw_cpu(const struct tw_frame *f)
{
	return 0;
}

tw_inline __u32 tw_table_buckets(const struct tw_frame *f)
{
	return (__u32)native_of(f)->buckets.max;
}

tw_inline __u32 tw_table_slots(const struct tw_frame *f)
{
	return tw_conn_slots(native_of(f)->settings->conn_max);
}

tw_inline const struct tw_port *tw_port_at(const struct tw_frame *f, __u32 ifindex, __u32 epoch)
{
	const __u32 key = tw_port_key(ifindex, epoch);

	return tw_table_lookup(&native_of(f)->entries, &key);
}

struct numbered {
	__u32 id;
	__u32 parity;
	const struct tw_port *found;
};

static void match_number(void *arg, const void *key, void *value)
{
	struct numbered *numbered = arg;
	const struct tw_port *port = value;

	if (port->id == numbered->id && (*(const __u32 *)key & 1) == numbered->parity)
		numbered->found = port;
}

/* Linear search: ports are few, and only cut-through calls it. */
tw_inline const struct tw_port *tw_port_numbered(const struct tw_frame *f, __u32 id, __u32 epoch)
{
	struct numbered numbered = {id, epoch & 1, NULL};

	if (id)
		tw_table_each(&native_of(f)->entries, match_number, &numbered);
	return numbered.found;
}

tw_inline void *tw_image_at(const struct tw_frame *f, __u32 slot)
{
	struct image *image = &native_of(f)->images[slot % TW_IMAGES_MAX];

	return image->words ? image : NULL;
}

tw_inline int tw_image_flat(const struct tw_frame *f)
{
	return 1;
}

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	for (__u32 i = 0; i < n && !step(i, context); i++)
		continue;
}

tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f)
{
	return &((struct run *)f->target)->event;
}

tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event)
{
	struct tw_native *native = native_of(f);

	if (native->on_event)
		native->on_event(native->event_arg, event);
}

/* An instance belongs to one thread. */
tw_inline void tw_frag_lock(struct tw_frag_set *set)
{
}

tw_inline void tw_frag_unlock(struct tw_frag_set *set)
{
}

tw_inline long tw_frame_capture(const struct tw_frame *f, struct tw_captured *head)
{
	const struct tw_native_frame *frame = ((struct run *)f->target)->frame;
	struct tw_native *native = native_of(f);

	if (!native->on_capture)
		return -1;
	if (head->cap_len > frame->len)
		head->cap_len = (uint32_t)frame->len;
	if (f->has_vlan) {
		head->vlan_tci = f->vlan_tci;
		head->vlan_type = tw_be16(TW_ETH_8021Q);
	}
	native->on_capture(native->capture_arg, head, frame->data);
	return 0;
}

tw_inline long tw_frame_keep(const struct tw_frame *f, struct tw_fragq *queued)
{
	const struct tw_native_frame *frame = ((struct run *)f->target)->frame;

	if (f->len > TW_FRAGQ_BYTES || frame->len != f->len)
		return -1;
	memcpy(queued->bytes, frame->data, frame->len);
	queued->len = f->len;
	queued->mark = f->mark;
	queued->vlan_tci = f->vlan_tci;
	queued->has_vlan = (uint8_t)f->has_vlan;
	return 0;
}

/* Fragments that wait to be sent stay in the queue for the caller: see tw_native_fragq(). */
tw_inline long tw_frame_become(struct tw_frame *f, const struct tw_fragq *queued)
{
	return 0;
}

tw_inline void tw_frame_again(const struct tw_frame *f, enum tw_dir dir)
{
}

tw_inline long tw_frame_ask(const struct tw_frame *f, struct tw_asked *question)
{
	const struct tw_native_frame *frame = ((struct run *)f->target)->frame;
	struct tw_native *native = native_of(f);

	if (frame->len < question->cap_len)
		question->cap_len = 0;
	if (f->has_vlan) {
		question->vlan_tci = f->vlan_tci;
		question->vlan_type = tw_be16(TW_ETH_8021Q);
	}
	if (native->on_ask)
		native->on_ask(native->ask_arg, question, frame->data);
	return 0;
}

tw_inline void tw_frame_mark(struct tw_frame *f, __u32 mark)
{
	((struct run *)f->target)->frame->beside.mark = mark;
}

tw_inline void tw_frame_number(struct tw_frame *f, __u32 number)
{
	((struct run *)f->target)->frame->beside.number = number;
}

tw_inline long tw_frame_resize(struct tw_frame *f, __u32 len)
{
	struct run *run = f->target;

	if (len > run->frame->max && len > run->frame->len)
		return -1;
	if (len > run->frame->len)
		memset(run->frame->data + run->frame->len, 0, len - run->frame->len);
	run->result->reply_len = len;
	return 0;
}

tw_inline long tw_frame_load(const struct tw_frame *f, __u32 off, void *to, __u32 len)
{
	const struct tw_native_frame *frame = ((struct run *)f->target)->frame;

	if (off > frame->len || len > frame->len - off)
		return -1;
	memcpy(to, frame->data + off, len);
	return 0;
}

tw_inline long tw_frame_store(struct tw_frame *f, __u32 off, const void *from, __u32 len)
{
	struct run *run = f->target;
	size_t room = run->result->reply_len;

	if (off > room || len > room - off)
		return -1;
	memcpy(run->frame->data + off, from, len);
	return 0;
}

#include "fastpath/native/offload.h"

tw_inline void tw_frame_bounce(struct tw_frame *f, enum tw_dir dir)
{
	((struct run *)f->target)->result->replied = true;
}

#include "fastpath/native/bridge_port.h"

tw_inline void tw_frame_redirect(struct tw_frame *f, __u32 ifindex)
{
	((struct run *)f->target)->result->cut_ifindex = ifindex;
}

tw_inline struct tw_scratch *tw_scratch_get(const struct tw_frame *f)
{
	return &native_of(f)->scratch;
}

tw_inline struct tw_scratch *tw_scratch_control(const struct tw_frame *f)
{
	return tw_scratch_get(f);
}

tw_inline void tw_stage_enter(const struct tw_frame *f, enum tw_stage stage)
{
	((struct run *)f->target)->result->stage_ran[stage] = 1;
}

tw_inline int tw_frame_traced(const struct tw_frame *f)
{
	return 1;
}

#include "fastpath/path/path.h"

tw_inline enum tw_reason tw_call_checksum(const struct tw_frame *f)
{
	return tw_path_checksum(f);
}
#include "fastpath/native/subprogram.h"

/* ---- the instance ---- */

static void default_settings(struct tw_config *settings, uint32_t max_conns)
{
	__u64 *const keys[] = {settings->hash_key, settings->print_key};

	/* Fixed secrets, so that an input always gives the same result (splitmix64, G. Steele and
	 * others, 2014). */
	for (unsigned int i = 0; i < 2 * (TW_KEY_WORDS + 1); i++) {
		uint64_t y = 0x9e3779b97f4a7c15 * (i + 1), z = (y ^ y >> 30) * 0xbf58476d1ce4e5b9;

		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		keys[i > TW_KEY_WORDS][i % (TW_KEY_WORDS + 1)] = z ^ z >> 31;
	}
	settings->conn_max = max_conns;
	settings->epoch = 1;
	settings->mark = DEFAULT_MARK & ~TW_MARK_BITS;
	tw_state_timeouts(settings);
	settings->ask_timeout = TW_TICKS_PER_SECOND;
	settings->ask_verdict = TW_V_DENY;
	settings->ask_rate = TW_ASK_RATE_DEFAULT;
	settings->ask_quota = TW_ANSWERS_PORT;
}

static int init_tables(struct tw_native *native, uint32_t max_conns)
{
	int err = 0;

#define TW_MAP(symbol, type, key, value, max, ...) \
	if (!err)                                  \
		err = tw_table_init(&native->symbol, sizeof(key), sizeof(value), max);
#include "fastpath/abi/maps.def"
#undef TW_MAP
	if (!err)
		err = tw_table_init(
			&native->entries, sizeof(uint32_t), sizeof(struct tw_port), TW_PORT_SLOTS);
	native->buckets.max = tw_conn_buckets(max_conns);
	native->conns.max = native->buckets.max * TW_BUCKET_SLOTS;
	return err;
}

int tw_native_new(struct tw_native **ret, size_t max_conns)
{
	tw_auto(tw_native) struct tw_native *native = tw_alloc(sizeof(*native));
	const uint32_t zero = 0;

	if (!native)
		return -ENOMEM;
	if (!max_conns)
		max_conns = TW_CONNS_DEFAULT;
	if (max_conns > TW_CONNS_MAX)
		return -EINVAL;
	if (init_tables(native, (uint32_t)max_conns))
		return -ENOMEM;
	native->images = tw_alloc_array(TW_IMAGES_MAX, sizeof(*native->images));
	native->settings = array_lookup(&native->config, &zero, NULL);
	if (!native->images || !native->settings)
		return -ENOMEM;
	default_settings(native->settings, (uint32_t)max_conns);
	*ret = TW_TAKE_PTR(native);
	return 0;
}

void tw_native_free(struct tw_native *native)
{
	if (!native)
		return;
#define TW_MAP(symbol, ...) tw_table_done(&native->symbol);
#include "fastpath/abi/maps.def"
#undef TW_MAP
	tw_table_done(&native->entries);
	tw_vec_done(&native->prefixes);
	for (size_t i = 0; native->images && i < TW_IMAGES_MAX; i++)
		free(native->images[i].words);
	free(native->images);
	free(native);
}

struct tw_config *tw_native_config(struct tw_native *native)
{
	return native->settings;
}

struct tw_port *tw_native_port(struct tw_native *native, uint32_t ifindex, uint32_t epoch)
{
	const uint32_t key = tw_port_key(ifindex, epoch);
	const struct tw_port none = {.ifindex = ifindex};

	return array_lookup(&native->entries, &key, &none);
}

int tw_native_remove_port(struct tw_native *native, uint32_t ifindex, uint32_t epoch)
{
	const uint32_t key = tw_port_key(ifindex, epoch);

	return tw_table_delete(&native->entries, &key);
}

int tw_native_add_addr(struct tw_native *native, uint32_t zone, const struct tw_addr *addr,
	uint8_t len, uint32_t kind)
{
	const struct tw_addr_key key = {
		.prefixlen = 32u + len, .zone = tw_be32(zone), .addr = *addr};
	const uint32_t value = kind;
	int err = tw_table_update(&native->addrs, &key, &value, 1);

	if (err)
		return err == -EEXIST ? 0 : err;
	return tw_vec_push(&native->prefixes, key);
}

int tw_native_put_grants(
	struct tw_native *native, uint32_t id, uint32_t epoch, const struct tw_grants *grants)
{
	const uint32_t key = tw_port_key(id, epoch);

	return tw_table_update(&native->grants, &key, grants, 0);
}

void tw_native_clear_addrs(struct tw_native *native, uint32_t zone)
{
	size_t kept = 0;

	for (size_t i = 0; i < native->prefixes.n; i++) {
		struct tw_addr_key *key = &native->prefixes.at[i];

		if (key->zone == tw_be32(zone))
			tw_table_delete(&native->addrs, key);
		else
			native->prefixes.at[kept++] = *key;
	}
	native->prefixes.n = kept;
}

int tw_native_add_mac(struct tw_native *native, const uint8_t mac[6], uint32_t value)
{
	struct tw_mac_key key = {0};

	memcpy(key.mac, mac, sizeof(key.mac));
	return tw_table_update(&native->macs, &key, &value, 0);
}

struct tw_leases *tw_native_leases(struct tw_native *native, uint32_t port_id)
{
	return array_lookup(&native->leases, &port_id, &(struct tw_leases){0});
}

int tw_native_add_local(
	struct tw_native *native, const struct tw_local_key *key, const struct tw_local *local)
{
	return tw_table_update(&native->locals, key, local, 0);
}

struct tw_table *tw_native_members(struct tw_native *native)
{
	return &native->members;
}

int tw_native_put_image(
	struct tw_native *native, uint32_t slot, const uint32_t *words, size_t n_words)
{
	if (!slot || slot >= TW_IMAGES_MAX)
		return -EINVAL;
	return image_set(&native->images[slot], words, n_words);
}

static bool try_express(struct tw_frame *f, const struct tw_config *config)
{
	return tw_express_worth(f) ? tw_express(f, config) : tw_syn(f, config) != TW_SYN_FULL_PATH;
}

void tw_native_run(struct tw_native *native, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_frame *frame, struct tw_native_result *ret)
{
	size_t head = frame->len < TW_HEAD_MAX ? frame->len : TW_HEAD_MAX;
	struct run run = {.native = native, .frame = frame, .result = ret};
	const struct tw_outcome *outcome;
	struct tw_frame f = {
		.data = run.head.bytes + 2,
		.data_end = run.head.bytes + 2 + head,
		.len = (uint32_t)(frame->wire_len ? frame->wire_len : frame->len),
		.ifindex = ifindex,
		.mark = frame->beside.mark,
		.origin = dir == TW_DIR_OUT ? ifindex : frame->beside.origin,
		.number = frame->beside.number,
		.gso_size = frame->gso_size,
		.vlan_tci = frame->vlan,
		.has_vlan = frame->has_vlan,
		.now_ns = now_ns,
		.target = &run,
	};

	memset(ret, 0, sizeof(*ret));
	frame->beside.origin = f.origin;
	memcpy(run.head.bytes + 2, frame->data, head);
	ret->express = dir == TW_DIR_OUT && !native->full_path && try_express(&f, native->settings);
	outcome = ret->express ? &native->scratch.outcome : tw_path(&f, native->settings, dir);
	ret->outcome = *outcome;
	if (outcome->tracked)
		ret->key = native->scratch.flow.key;
	if (outcome->verdict == TW_V_ALLOW && outcome->release)
		tw_path_release(&f, dir, outcome->release);
	if (!ret->replied)
		ret->reply_len = 0;
}

void tw_native_take_full_path(struct tw_native *native)
{
	native->full_path = true;
}

void tw_native_forget(struct tw_native *native)
{
	tw_table_clear(&native->buckets);
	tw_table_clear(&native->conns);
	tw_table_clear(&native->usage);
	tw_table_clear(&native->overflows);
	tw_table_clear(&native->overflow_few);
	tw_table_clear(&native->gc);
	tw_table_clear(&native->frags);
	tw_table_clear(&native->fragqs);
	native->scratch.token = (struct tw_token){0};
}

struct tw_fragq *tw_native_fragq(struct tw_native *native, uint32_t port_id, uint32_t n)
{
	const uint32_t key = tw_fragq_key(port_id, n);

	return tw_table_lookup(&native->fragqs, &key);
}

struct each_conn {
	const struct tw_native *native;
	void (*each)(void *arg, const struct tw_key *key, const struct tw_conn *conn);
	void *arg;
	size_t n;
};

static void each_record(void *arg, const void *key, void *value)
{
	struct each_conn *call = arg;
	const uint32_t *number = key, n = *number / TW_BUCKET_SLOTS;
	const struct tw_bucket *bucket = tw_table_lookup(&call->native->buckets, &n);
	struct tw_key conn_key;

	if (!bucket || !tw_bucket_tag(bucket, *number % TW_BUCKET_SLOTS))
		return;
	call->n++;
	tw_conn_key(value, &conn_key);
	if (call->each)
		call->each(call->arg, &conn_key, value);
}

size_t tw_native_n_conns(const struct tw_native *native)
{
	return tw_native_each_conn(native, NULL, NULL);
}

size_t tw_native_each_conn(const struct tw_native *native,
	void (*each)(void *arg, const struct tw_key *key, const struct tw_conn *conn), void *arg)
{
	struct each_conn call = {native, each, arg, 0};

	tw_table_each(&native->conns, each_record, &call);
	return call.n;
}

const struct tw_usage *tw_native_usage(const struct tw_native *native, uint32_t port_id)
{
	static const struct tw_usage none;
	const struct tw_usage *usage = tw_table_lookup(&native->usage, &port_id);

	return usage ? usage : &none;
}

void tw_native_on_event(struct tw_native *native,
	void (*on_event)(void *arg, const struct tw_event *event), void *arg)
{
	native->on_event = on_event;
	native->event_arg = arg;
}

void tw_native_on_ask(struct tw_native *native,
	void (*on_ask)(void *arg, const struct tw_asked *question, const uint8_t *data), void *arg)
{
	native->on_ask = on_ask;
	native->ask_arg = arg;
}

struct tw_table *tw_native_answers(struct tw_native *native)
{
	return &native->answers;
}

void tw_native_on_capture(struct tw_native *native,
	void (*on_capture)(void *arg, const struct tw_captured *head, const uint8_t *data),
	void *arg)
{
	native->on_capture = on_capture;
	native->capture_arg = arg;
}

int tw_native_capture(
	struct tw_native *native, uint32_t ifindex, const struct tw_capture_want *capture)
{
	if (!capture)
		return tw_table_delete(&native->captures, &ifindex);
	native->settings->capturing = 1;
	return tw_table_update(&native->captures, &ifindex, capture, 0);
}

uint64_t tw_native_reason_count(
	const struct tw_native *native, enum tw_reason reason, enum tw_dir dir)
{
	const uint32_t index = tw_reason_index(reason, dir);
	const uint64_t *count = tw_table_lookup(&native->reasons, &index);

	return count ? *count : 0;
}

const struct tw_rule_count *tw_native_rule_count(const struct tw_native *native, uint32_t slot)
{
	static const struct tw_rule_count none;
	const struct tw_rule_count *count = tw_table_lookup(&native->rules, &slot);

	return count ? count : &none;
}

const struct tw_port_count *tw_native_port_count(const struct tw_native *native, uint32_t port_id)
{
	static const struct tw_port_count none;
	const struct tw_port_count *count = tw_table_lookup(&native->port_counts, &port_id);

	return count ? count : &none;
}
