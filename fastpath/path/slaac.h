/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* slaac.h: IPv6 addresses that a guest forms itself (`addresses: [slaac]`).
 *
 * Why:        a guest forms addresses from its MAC, from a secret (RFC 7217) or at random (RFC 8981),
 *             so no policy can list them. The guest's neighbour discovery shows which ones it has formed.
 * What:       `leases` holds, for each port, the prefixes in which its guest may form addresses: those
 *             that routers announce to it, or those that the policy names, which the agent writes. A
 *             neighbour message from the guest with a new address in one of them forms the address. As
 *             with a lease, the guard accepts it once the policy in force includes it. Until then only
 *             DAD passes.
 * Invariants: 1. Only guests with TW_MAY_ROUTER advertise prefixes (guard), so an advertisement that
 *                arrives is a router's.
 *             2. The first holder of an address keeps it. A guest cannot form an address that another
 *                port of this host has (`residents`), that has arrived from another MAC (`strangers`),
 *                or that is made from another MAC. The agent refuses those that the policy gives to
 *                another vNIC, or that another guest had before it was stopped: then DAD is denied.
 *                While the policy in force does not include an address, it is checked again.
 *             3. An answer that arrives within TW_SLAAC_DAD_SECONDS takes the address away again: its
 *                owner, such as the router or the host, has defended it (RFC 4862 §5.4.4).
 *             4. A guest forms an address by DAD, so that its owner can defend it. Other messages form one
 *                only if it is made from the guest's own MAC, or in the port's adoption window.
 *             5. A port has at most TW_SLAAC_MAX addresses. A further one replaces the one that has
 *                been unused longest, if that is at least TW_SLAAC_SPARE_SECONDS. So a guest that
 *                floods DAD takes nothing from others, and no time from the agent.
 *             6. An address ends with its prefix's valid lifetime, with the guest's MAC, and after
 *                TW_SLAAC_IDLE_SECONDS without use.
 * Bounds:     loops run by tw_repeat(); runs in subprograms, for ND at ports with TW_PORT_F_SLAAC only.
 * Source:     RFC 4861 §4.6.2, §6.3.4; RFC 4862 §5.4, §5.5.3; RFC 7217; RFC 8981 §3.8.
 */
#pragma once

#include "fastpath/path/beyond.h"
#include "fastpath/path/dhcp/dhcp.h"

/* ICMPv6 types of RFC 4861, 2710 and 3810. */
#define TW_MLD_QUERY   130
#define TW_MLD_REPORT  131
#define TW_MLD_DONE    132
#define TW_ND_RS       133
#define TW_ND_RA       134
#define TW_ND_NS       135
#define TW_ND_NA       136
#define TW_ND_REDIRECT 137
#define TW_MLD2_REPORT 143

#define TW_ND_O_PREFIX	       3  /* RFC 4861 §4.6.2 */
#define TW_SLAAC_OPTION	       32 /* bytes of a prefix information option */
#define TW_SLAAC_DAD_SECONDS   2
#define TW_SLAAC_SPARE_SECONDS 600
/* No temporary address is valid for longer (RFC 8981 §3.8: two days; Linux: seven). */
#define TW_SLAAC_IDLE_SECONDS 604800u
#define TW_SLAAC_TWO_HOURS    7200u

/* ---- prefixes ---- */

/* Notes the prefix in an option of a router advertisement, if the prefix has 64 bits and `word`, the
 * option's first word, allows SLAAC in it. Returns 0, or -1 if the option is malformed. */
tw_inline int tw_slaac_option(
	const struct tw_frame *f, struct tw_dhcp *d, __u32 off, __u32 code, __u32 len, __u64 word)
{
	__u32 n = TW_MEMORY(d->n_addrs), bits = (__u32)(word >> 40) & 0xff;
	__u64 prefix;

	if (code != TW_ND_O_PREFIX)
		return 0;
	if (len != TW_SLAAC_OPTION || bits > 128 || tw_dhcp_word(f, d, off + 16, &prefix))
		return -1;
	if (bits != 64 || !(word >> 32 & 0x40) || n >= TW_LEASES_MAX)
		return 0;
	TW_OPAQUE(n);
	d->addr[n & (TW_LEASES_MAX - 1)].d[0] = tw_host64(prefix);
	d->addr[n & (TW_LEASES_MAX - 1)].d[1] = tw_host64(1);
	d->valid[n & (TW_LEASES_MAX - 1)] = (__u32)word;
	d->n_addrs = (__u8)(n + 1);
	return 0;
}

/* Context of a loop over a port's prefixes or addresses. Results are in scratch memory. */
struct tw_slaac_walk {
	struct tw_leases *leases;
	struct tw_scratch *scratch;
	__u64 now_ns;
};

/* Looks at prefix `i`: finds the slot and end of scratch->about's prefix, and the slot of the prefix
 * that ends first. */
static long tw_slaac_prefix(__u32 i, void *context)
{
	const struct tw_slaac_walk *walk = context;
	struct tw_scratch *scratch = walk->scratch;
	struct tw_announced *at = &walk->leases->announced[i & (TW_ANNOUNCED_MAX - 1)];
	__u64 until = TW_MEMORY(at->until_ns);

	if (until > walk->now_ns && at->prefix == scratch->about.d[0]) {
		TW_MEMORY(scratch->until_ns) = until;
		TW_MEMORY(scratch->slot) = i;
	}
	if (until < TW_MEMORY(scratch->way)) {
		TW_MEMORY(scratch->way) = until;
		TW_MEMORY(scratch->oldest) = i;
	}
	return 0;
}

tw_inline void tw_slaac_find_prefix(struct tw_slaac_walk *walk)
{
	struct tw_scratch *scratch = walk->scratch;

	TW_MEMORY(scratch->until_ns) = 0;
	TW_MEMORY(scratch->slot) = TW_ANNOUNCED_MAX;
	TW_MEMORY(scratch->oldest) = 0;
	TW_MEMORY(scratch->way) = ~0ull;
	tw_repeat(TW_ANNOUNCED_MAX, tw_slaac_prefix, walk);
}

/* Returns the end of an address that was last used at a tick, in a prefix that ends at `until`. */
tw_inline __u64 tw_slaac_until(__u64 until, __u32 seen, __u64 now_ns)
{
	__u64 idle = (__u64)(tw_tick(now_ns) - seen) << TW_TICK_SHIFT;
	__u64 end = now_ns + TW_SLAAC_IDLE_SECONDS * TW_SECOND_NS - idle;

	if (idle >= TW_SLAAC_IDLE_SECONDS * TW_SECOND_NS)
		end = now_ns;
	return end < until ? end : until;
}

/* Gives an address in the prefix of scratch->about its new end. */
static long tw_slaac_extend(__u32 i, void *context)
{
	const struct tw_slaac_walk *walk = context;
	struct tw_lease *lease = &walk->leases->formed[i & (TW_SLAAC_MAX - 1)];

	if (TW_MEMORY(lease->until_ns) > walk->now_ns &&
		lease->addr.d[0] == walk->scratch->about.d[0])
		TW_MEMORY(lease->until_ns) = tw_slaac_until(
			TW_MEMORY(walk->scratch->until_ns), lease->seen, walk->now_ns);
	return 0;
}

/* Applies a prefix with its valid lifetime. No advertisement shortens the remaining lifetime to less
 * than two hours (RFC 4862 §5.5.3 e). */
tw_inline void tw_slaac_apply(struct tw_slaac_walk *walk, __u32 valid)
{
	struct tw_scratch *scratch = walk->scratch;
	const __u64 two_hours = TW_SLAAC_TWO_HOURS * TW_SECOND_NS;
	__u64 until = tw_lease_until(valid, walk->now_ns), was;
	struct tw_announced *at;
	__u32 slot;

	tw_slaac_find_prefix(walk);
	was = TW_MEMORY(scratch->until_ns);
	if (valid <= TW_SLAAC_TWO_HOURS && until < was)
		until = was - walk->now_ns > two_hours ? walk->now_ns + two_hours : was;
	if (until <= walk->now_ns)
		return;
	slot = was ? TW_MEMORY(scratch->slot) : TW_MEMORY(scratch->oldest);
	at = &walk->leases->announced[slot & (TW_ANNOUNCED_MAX - 1)];
	if (!was) {
		TW_MEMORY(at->until_ns) = 0;
		TW_MEMORY(at->prefix) = scratch->about.d[0];
	}
	TW_MEMORY(at->until_ns) = until;
	TW_MEMORY(scratch->until_ns) = until;
	tw_repeat(TW_SLAAC_MAX, tw_slaac_extend, walk);
}

/* Returns the port's entry in `leases`. Resets the entry first if it is about another MAC. */
tw_inline struct tw_leases *tw_slaac_leases(const struct tw_frame *f, const struct tw_port *port)
{
	__u32 id = port->id;
	struct tw_leases *leases = tw_leases_lookup(f, &id);

	if (leases && !tw_mac_equal(leases->mac, port->mac))
		tw_leases_reset(leases, port->mac);
	return leases;
}

/* Copies prefix `i` of the router advertisement in scratch to scratch->about. False if there is no
 * such prefix, or a guest cannot form addresses in it. */
tw_inline int tw_slaac_next(struct tw_scratch *scratch, __u32 i)
{
	const struct tw_dhcp *d = &scratch->dhcp;

	if (i >= TW_MEMORY(d->n_addrs))
		return 0;
	scratch->about = d->addr[i & (TW_LEASES_MAX - 1)];
	return !tw_addr_is_multicast(&scratch->about) && !tw_addr_is_link_local(&scratch->about) &&
	       scratch->about.d[0];
}

/* Applies the prefixes of a router advertisement in scratch. */
tw_inline void tw_slaac_announced(
	const struct tw_frame *f, const struct tw_port *port, struct tw_scratch *scratch)
{
	struct tw_slaac_walk walk = {tw_slaac_leases(f, port), scratch, f->now_ns};
	__u32 i;

	if (!walk.leases || walk.leases->named)
		return;
	for (i = 0; i < TW_LEASES_MAX; i++)
		if (tw_slaac_next(scratch, i))
			tw_slaac_apply(&walk, TW_MEMORY(scratch->dhcp.valid[i]));
}

/* ---- addresses ---- */

/* Looks at address `i`: finds the slot of scratch->about, and the slot that has been unused longest. */
static long tw_slaac_slot(__u32 i, void *context)
{
	const struct tw_slaac_walk *walk = context;
	struct tw_scratch *scratch = walk->scratch;
	const struct tw_lease *lease = &walk->leases->formed[i & (TW_SLAAC_MAX - 1)];
	int lives = TW_MEMORY(lease->until_ns) > walk->now_ns;
	__u32 age = lives ? tw_tick(walk->now_ns) - TW_MEMORY(lease->seen) : ~0u;

	if (lives && tw_addr_equal(&lease->addr, &scratch->about))
		TW_MEMORY(scratch->slot) = i;
	if (age > TW_MEMORY(scratch->age)) {
		TW_MEMORY(scratch->age) = age;
		TW_MEMORY(scratch->oldest) = i;
	}
	return 0;
}

/* Returns the port's slot of scratch->about, or TW_SLAAC_MAX if it has none. */
tw_inline __u32 tw_slaac_find(struct tw_slaac_walk *walk)
{
	struct tw_scratch *scratch = walk->scratch;

	TW_MEMORY(scratch->slot) = TW_SLAAC_MAX;
	TW_MEMORY(scratch->oldest) = 0;
	TW_MEMORY(scratch->age) = 0;
	tw_repeat(TW_SLAAC_MAX, tw_slaac_slot, walk);
	return TW_MEMORY(scratch->slot);
}

/* True if scratch->about contains a MAC as EUI-64 (RFC 4291 App. A), but not the sender's. */
tw_inline int tw_slaac_of_other_mac(const struct tw_scratch *scratch)
{
	const struct tw_addr *addr = &scratch->about;

	return addr->b[11] == 0xff && addr->b[12] == 0xfe &&
	       !tw_addr_is_of_mac(addr, scratch->packet.src_mac);
}

/* True if another port or another host has scratch->about. */
tw_inline int tw_slaac_taken(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *port, struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	struct tw_resident_key *key = &scratch->resident;

	key->addr = scratch->about;
	key->network = port->network;
	key->vlan = p->vlan ? p->vlan : port->pvid;
	if (tw_beyond_resides(f, key, port->ifindex))
		return 1;
	scratch->where = tw_claim_where(port, p);
	return tw_stranger_holds(f, tw_claim_tag(config, TW_CLAIM_ADDRESS, scratch), p->src_mac);
}

/* True if the guest may form one more address now, in place of scratch->oldest. */
tw_inline int tw_slaac_has_room(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *port, struct tw_scratch *scratch)
{
	__u32 id = port->id, rate = config->dhcp_rate;
	struct tw_limiter *limiter = rate ? tw_limiters_lookup(f, &id) : 0;

	if (TW_MEMORY(scratch->age) < TW_SLAAC_SPARE_SECONDS * TW_TICKS_PER_SECOND)
		return 0;
	return !rate ||
	       (limiter && tw_meter_take(&limiter->due_ns[TW_METER_DHCP], rate, f->now_ns, 1));
}

/* Body of tw_call_form(): forms the address in scratch->about if it is free and in a prefix of the
 * port, or notes its use if the guest has formed it before. Returns TW_R_SLAAC_LIMIT if the guest
 * forms too many addresses, or forms them too fast, else TW_R_NONE. Then own.h decides if the address
 * is the guest's. */
tw_inline enum tw_reason tw_slaac_form(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *port, struct tw_scratch *scratch)
{
	struct tw_slaac_walk walk = {tw_slaac_leases(f, port), scratch, f->now_ns};
	__u32 now = tw_tick(f->now_ns), slot;
	struct tw_lease *lease;
	__u64 until;

	if (!walk.leases)
		return TW_R_NONE;
	tw_slaac_find_prefix(&walk);
	until = tw_slaac_until(TW_MEMORY(scratch->until_ns), now, f->now_ns);
	if (!until)
		return TW_R_NONE;
	slot = tw_slaac_find(&walk);
	lease = &walk.leases->formed[slot & (TW_SLAAC_MAX - 1)];
	/* An address that the policy in force does not include may have got another owner since. */
	if (!(slot < TW_SLAAC_MAX && lease->known == lease->serial) &&
		tw_slaac_taken(f, config, port, scratch)) {
		if (slot < TW_SLAAC_MAX)
			TW_MEMORY(lease->until_ns) = 0;
		return TW_R_NONE;
	}
	if (slot < TW_SLAAC_MAX) {
		lease->seen = now;
		TW_MEMORY(lease->until_ns) = until;
		return TW_R_NONE;
	}
	if (!TW_MEMORY(scratch->may_form) || tw_slaac_of_other_mac(scratch))
		return TW_R_NONE;
	if (!tw_slaac_has_room(f, config, port, scratch))
		return TW_R_SLAAC_LIMIT;
	slot = TW_MEMORY(scratch->oldest) & (TW_SLAAC_MAX - 1);
	TW_MEMORY(walk.leases->since[slot]) = now;
	tw_lease_write(walk.leases, &walk.leases->formed[slot], &scratch->about, until, now);
	TW_MEMORY(scratch->formed) = 1;
	return TW_R_NONE;
}

/* True if the frame travels on the port's own VLAN, where its addresses are. */
tw_inline int tw_slaac_here(const struct tw_port *port, const struct tw_packet *p)
{
	return !p->inner_vlan && (!p->vlan || p->vlan == port->pvid);
}

/* True if a guest may form scratch->about by a message other than DAD: no other guest can have the
 * address, or the guest may have formed it before this port was filtered. */
tw_inline int tw_slaac_without_dad(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_addr *addr = &s->scratch->about;

	return (addr->b[11] == 0xff && addr->b[12] == 0xfe &&
		       tw_addr_is_of_mac(addr, s->port->mac)) ||
	       s->port->flags & TW_PORT_F_OBSERVED ||
	       (s->port->adopt_until && tw_tick_after(s->port->adopt_until, tw_tick(f->now_ns)));
}

/* Called for an address that a guest's well-formed neighbour message uses. Returns why the guest may
 * not form it, or TW_R_NONE. */
tw_inline enum tw_reason tw_slaac_sent(
	const struct tw_frame *f, const struct tw_house *s, const struct tw_addr *addr, int dad)
{
	struct tw_scratch *scratch = s->scratch;
	enum tw_reason reason;

	if (tw_addr_is_link_local(addr) || tw_addr_is_unspecified(addr) ||
		!tw_slaac_here(s->port, &scratch->packet) ||
		tw_own_given(f, s->port, s->epoch, addr))
		return TW_R_NONE;
	scratch->about = *addr;
	TW_MEMORY(scratch->may_form) = dad || tw_slaac_without_dad(f, s);
	/* A message that its receivers drop is no DAD. */
	if (tw_call_checksum(f))
		return TW_R_BAD_CHECKSUM;
	TW_MEMORY(scratch->formed) = 0;
	reason = tw_call_form(f, s->port->id, s->epoch);
	if (TW_MEMORY(scratch->formed))
		tw_call_tell(f, f->ifindex, s->port->id, TW_EVENT_LEASE);
	return reason;
}

/* Called for a well-formed neighbour message on its way to a guest; `target` is that of NS and
 * NA. */
tw_inline void tw_slaac_met(const struct tw_frame *f, const struct tw_house *s, __u32 type,
	const struct tw_addr *target)
{
	const struct tw_packet *p = &s->scratch->packet;

	if (!tw_slaac_here(s->port, p) || tw_call_checksum(f))
		return;
	s->scratch->about = type == TW_ND_NA || tw_addr_is_unspecified(&p->tuple.src)
				    ? *target
				    : p->tuple.src;
	TW_MEMORY(s->scratch->formed) = 0;
	tw_call_heard(f, s->port->id, s->epoch, type);
	if (TW_MEMORY(s->scratch->formed))
		tw_call_tell(f, f->ifindex, s->port->id, TW_EVENT_LEASE);
}

/* Body of tw_call_heard() for messages other than router advertisements: notes that scratch->about is
 * in use elsewhere, unless the guest's address is in force. Takes it from a guest that has just formed
 * it, if the message is an answer. */
tw_inline void tw_slaac_heard(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *port, struct tw_scratch *scratch, __u32 type)
{
	struct tw_slaac_walk walk = {tw_slaac_leases(f, port), scratch, f->now_ns};
	const struct tw_packet *p = &scratch->packet;
	struct tw_lease *lease;
	__u32 slot;

	if (!walk.leases || tw_addr_is_link_local(&scratch->about) ||
		tw_addr_is_unspecified(&scratch->about) || tw_mac_equal(p->src_mac, port->mac))
		return;
	slot = tw_slaac_find(&walk);
	if (slot < TW_SLAAC_MAX) {
		slot &= TW_SLAAC_MAX - 1;
		lease = &walk.leases->formed[slot];
		if (type == TW_ND_NA && tw_tick(f->now_ns) - walk.leases->since[slot] <=
						TW_SLAAC_DAD_SECONDS * TW_TICKS_PER_SECOND) {
			TW_MEMORY(lease->until_ns) = 0;
			TW_MEMORY(scratch->formed) = 1;
		} else if (lease->known == lease->serial) {
			return;
		}
	}
	scratch->where = tw_claim_where(port, p);
	tw_stranger_note(f, tw_claim_tag(config, TW_CLAIM_ADDRESS, scratch), p->src_mac);
}
