# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# report.jq: results.json as a report for people.

def row($scenario; $system):
	.rows[] | select(.scenario == $scenario and .system == $system and .metric == "cpu_ns_per_frame");
def cost($scenario; $system): row($scenario; $system).value;
def over($scenario; $system): cost($scenario; $system) - cost($scenario; "bare");
def round2: . * 100 | round / 100;
def signed: round | if . < 0 then tostring else "+\(.)" end;

. as $all
| (over("established-64B"; "tapwall") / over("established-64B"; "nft") | round2) as $share
| ([.rows[] | select(.metric == "cpu_ns_per_frame") | .runs] | min) as $runs
| [.rows[] | select(.scenario == "program")] as $programs
|
"# What tapwall costs beside its peers

Linux \(.machine.kernel), \(.machine.cpu), \(.machine.cores) cores. All systems were measured in one run.

## In short

Established traffic, 64-byte frames: tapwall adds \(over("established-64B"; "tapwall") | signed) ns a frame to a bare bridge, nft adds \(over("established-64B"; "nft") | signed) ns: \(if $share > 0 then "\($share) of nft's overhead" else "the firewalled frame costs no more than the bridged one" end) (\(if $share <= 0.5 then "the bound of one half holds" else "MORE than the bound of one half" end)).
New connections: tapwall \(over("new-connection"; "tapwall") | signed) ns, nft \(over("new-connection"; "nft") | signed) ns for the frame that opens one.

## CPU time of a frame from tap to tap

![costs](costs.svg)

| scenario | system | median ns | over bare | × bare | min | max | runs |
|---|---|--:|--:|--:|--:|--:|--:|",
(.rows[] | select(.metric == "cpu_ns_per_frame")
	| (.scenario as $s | .system as $y | $all | over($s; $y)) as $over
	| "| \(.scenario) | \(.system) | \(.value | round) | \($over | signed) | \(.vs_bare | round2) | \(.min | round) | \(.max | round) | \(.runs) |"),
"
## Time inside the programs

Both programs of a frame that goes through the bridge (out of one workload, into the other) by BPF_PROG_TEST_RUN, less what as many empty programs take. A denied frame meets only the first.

| case | median ns | min | max | runs |
|---|--:|--:|--:|--:|",
($programs[] | "| \(.case) | \(.value | round) | \(.min | round) | \(.max | round) | \(.runs) |"),
"
## How it was measured

- Two taps on one Linux bridge, each system in a network namespace of its own, all set up at once and measured in turn, \($runs) rounds, in an order that moves on each round; one round of warm-up. The figures are medians.
- One thread writes batches of 256 TCP segments to one tap. A write runs the whole way (tap, bridge, filter, queue of the far tap) in the caller's context, so the thread's CPU time is the cost of the way. The far tap is emptied between the batches, outside the measured time, and every frame is accounted for: all must have arrived, or none where the policy denies them (the run fails otherwise). Checksums are left partial, as virtio guests do.
- `bare`: the bridge and nothing else, br_netfilter switched off.
- `tapwall`: the agent with `bench/policy.yaml` (six rules), as installed on a host: an approved frame for a guest on the same bridge goes straight into its port.
- `tapwall-vswitch`: the same with `--forwarding vswitch`: every frame goes through the bridge.
- `nft`: br_netfilter, conntrack and `bench/ruleset.nft`, the same policy: established traffic is accepted by the first rule, then a chain out of the source's port and one into the destination's.
- `nft-fwbr`: the same rules on the layout that Proxmox builds, and OpenStack's hybrid driver much alike: a firewall bridge of its own in front of each guest, joined to the common one by a veth pair. Each bridge calls netfilter.
- `established-*`: data of one open connection. `new-connection`: each frame is the SYN of another connection; the tables fill up to some 190,000 entries. `denied`: SYNs to a forbidden port; a bare bridge forwards them, which is why less than × 1 is possible.

## What is unfair about it

- In favour of nft: its chains are found by an address map, where the products that work this way jump through a chain per port; on one bridge it is cheaper than any of them is as installed (see `nft-fwbr`); it checks no MAC, no ARP and no neighbour discovery, which tapwall does for every frame.
- In favour of tapwall: it follows TCP states but no sequence windows yet, which conntrack does. Its agent reads the events of new connections on another CPU: \([.rows[] | select(.metric == "agent_cpu_ns_per_frame" and .scenario == "new-connection") | .value | round | tostring] | first // "unknown") ns for each, which the table leaves out. Nothing logs in nft. Where br_netfilter is part of the kernel or loaded, as it must be for nft's sake, frames on a bridge meet its hooks even when they are switched off; what is cut through does not, and a host without it has a slightly cheaper bare bridge.
- For both: one flow at a time on one CPU with warm caches and quiet neighbours; no guest, vhost or NIC, whose cost is the same for all and would make every ratio smaller."
