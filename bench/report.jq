# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# report.jq: results.json as a report for people.

def value($scenario; $system; $metric):
	[.rows[] | select(.scenario == $scenario and .system == $system and .metric == $metric) | .value] | first;
def cost($scenario; $system): value($scenario; $system; "cpu_ns_per_frame");
def over($scenario; $system): if cost($scenario; $system) then cost($scenario; $system) - cost($scenario; "bare") else null end;
def program($case): [.rows[] | select(.scenario == "program" and .case == $case) | .value] | first;
def lifetime($case): [.rows[] | select(.scenario == "lifetime" and .case == $case) | .value] | first;
def ratio($a; $b): if $a and $b then $a / $b else null end;

def round2: . * 100 | round / 100;
def round3: . * 1000 | round / 1000;
def signed: round | if . < 0 then tostring else "+\(.)" end;
def short: if . == null then "–" elif . < 9.95 then round2 | tostring elif . < 99.5 then (. * 10 | round / 10 | tostring) else round | tostring end;
def sorted_by($order): . as $have | $order | map(select(. as $x | $have | index($x)));

# A line of the table of figures: what must hold, what is aimed at, what came out.
def figure($what; $must; $aim; $got):
	"| \($what) | ≤ \($must | round3) | \(if $aim then "≤ \($aim | round3)" else "–" end) | " +
	(if $got == null then "not measured | –"
	 else "\($got | if fabs > 10 then round else round3 end) | \(if $got > $must then "**no**" elif $aim == null or $got > $aim then "yes" else "yes, and the aim" end)" end) + " |";

def systems: [.rows[].system] | unique
	| sorted_by(["bare", "tapwall", "tapwall-vswitch", "nft", "nft-fwbr", "ovs", "vm-bridge-netns", "vm-bridge"]);

# One table: a line for each of `scenarios` that is there, a column for each system.
def table($metric; $scale; $scenarios):
	. as $all | systems as $systems
	| "| | \($systems | join(" | ")) |",
	  "|---|\($systems | map("--:|") | join(""))",
	  ($scenarios[] | . as $s | select([$all.rows[] | select(.scenario == $s and .metric == $metric)] | length > 0)
		| "| \($s) | " + ([$systems[] | . as $y
			| [$all.rows[] | select(.scenario == $s and .system == $y and .metric == $metric)] | first
			| if . then "\(.value / $scale | short)" + (if .system == "bare" then "" else " (× \(.vs_bare | short))" end) else "–" end]
			| join(" | ")) + " |");

def frames: ["established-64B", "established-1400B", "bulk-gso", "new-connection", "denied"];
def lists: reduce (.rows[].scenario | select(test("^new-connection-.*-rules$"))) as $s
	([]; if index($s) then . else . + [$s] end);

# Who does better than tapwall, the bare bridge included, by more than the noise of two in a hundred.
def beaten:
	. as $all
	| [(frames + lists)[] | {scenario: ., metric: "cpu_ns_per_frame"}]
	  + [{scenario: "crr", metric: "cpu_us_per_connection"}, {scenario: "latency", metric: "latency_us_p50"},
	     {scenario: "latency", metric: "latency_us_p99"}]
	| map(. as $at
		| ($all | value($at.scenario; "tapwall"; $at.metric)) as $own
		| select($own)
		| [$all.rows[] | select(.scenario == $at.scenario and .metric == $at.metric
			and (.system | startswith("tapwall") | not) and .value * 1.02 < $own)] as $better
		| select($better | length > 0)
		| "- \($at.scenario), \($at.metric): \($own | short) against " +
		  ($better | sort_by(.value) | map("\(.value | short) of \(.system)") | join(", ")))
	| if length == 0 then "Nowhere in this run, within two in a hundred." else join("\n") end;

. as $all
| ([.rows[] | select(.metric == "cpu_ns_per_frame") | .runs] | min) as $runs
| (.machine.vm // "none") as $vm
| (over("established-64B"; "tapwall")) as $own
| (ratio(cost("established-64B"; "tapwall"); cost("established-64B"; "bare"))) as $times
|
"# What tapwall costs beside its peers

Linux \(.machine.kernel), \(.machine.cpu), \(.machine.cores) cores. All systems were measured in one run, in turn, \($runs) rounds; figures are medians.

## In short

Established traffic, 64-byte frames: a firewalled frame costs \($times | round3) times what a bare bridge takes for it (\($own | signed) ns); nft adds \(over("established-64B"; "nft") | if . then "\(signed) ns" else "an unknown part" end).
A new connection under 1,000 rules costs \(ratio(cost("new-connection-1k-rules"; "tapwall"); cost("new-connection-1k-rules"; "bare")) | short) times the bare bridge's frame, with nft \(ratio(cost("new-connection-1k-rules"; "nft"); cost("new-connection-1k-rules"; "bare")) | short) times; under 10,000 rules \(ratio(cost("new-connection-10k-rules"; "tapwall"); cost("new-connection-10k-rules"; "bare")) | short) and \(ratio(cost("new-connection-10k-rules"; "nft"); cost("new-connection-10k-rules"; "bare")) | short) times.

![costs](costs.svg)

![rules](rules.svg)

## The figures that must hold

| figure | must | aim | got | holds |
|---|--:|--:|--:|---|",
figure("established-64B against bare"; 1; 0.88; $times),
figure("established-1400B against bare"; 1; 0.88; ratio(cost("established-1400B"; "tapwall"); cost("established-1400B"; "bare"))),
figure("bulk-gso against bare"; 1.02; 0.97; ratio(cost("bulk-gso"; "tapwall"); cost("bulk-gso"; "bare"))),
figure("new-connection-1k-rules against bare"; 1.45; 1.2; ratio(cost("new-connection-1k-rules"; "tapwall"); cost("new-connection-1k-rules"; "bare"))),
figure("new-connection-100k-rules against -100-rules"; 1.25; 1.05; ratio(cost("new-connection-100k-rules"; "tapwall"); cost("new-connection-100-rules"; "tapwall"))),
figure("crr against bare"; 1.1; 1.02; ratio(value("crr"; "tapwall"; "cpu_us_per_connection"); value("crr"; "bare"; "cpu_us_per_connection"))),
figure("overhead over bare against nft's: established-64B"; 0; null; ratio($own; over("established-64B"; "nft"))),
figure("the same, new at 1k rules"; 0.1; null; ratio(over("new-connection-1k-rules"; "tapwall"); over("new-connection-1k-rules"; "nft"))),
figure("the same, new at 10k rules"; 0.02; null; ratio(over("new-connection-10k-rules"; "tapwall"); over("new-connection-10k-rules"; "nft"))),
figure("program, ns: established, hot"; 130; 70; program("established")),
figure("program, ns: 1M connections at random"; 400; 200; program("established-1M")),
figure("program, ns: new at 100k rules"; 600; 300; program("new-100k")),
figure("program, ns: denied"; 100; 50; program("denied")),
figure("one rule of 4,000 edited, until enforced, ms"; 50; 20; value("edit"; "tapwall"; "enforced_ms")),
figure("agent, ns for each connection, from open to close: no reader"; 500; null; lifetime("unread")),
figure("the same, with a client that follows the log"; 1500; null; lifetime("followed")),
figure("a workload joins a group or leaves it, until enforced, ms"; 5; 1; value("join"; "tapwall"; "enforced_ms")),
"
## Where tapwall is not best

\(beaten)

## CPU time of a frame from guest to guest, ns

What is in brackets is the ratio to the bare bridge. A frame of bulk-gso is a super-frame of 44 segments.
",
table("cpu_ns_per_frame"; 1; frames),
"
## CPU time of a frame that opens a connection, µs, by the number of rules
",
table("cpu_ns_per_frame"; 1000; lists),
(if any(lists[]; test("(acl|fw|ipc)")) then "\nacl1, fw1 and ipc1 are lists of ClassBench itself, with two of their addresses taken as the guests'; the rules that would decide the opened connections early were left out." else empty end),
"
## Connections between real TCP stacks, and latency
",
table("cpu_us_per_connection"; 1; ["crr"]),
"
CPU time of both stacks and the way between them for one connection that is opened, asked, answered and closed, µs. Below, how many a second, one after the other in one thread:
",
table("connections_per_s"; 1; ["crr"]),
"
From the write at one tap to the read at the other, one frame at a time: the median, then what 99 of 100 stay below, µs:
",
table("latency_us_p50"; 1; ["latency"]),
"",
table("latency_us_p99"; 1; ["latency"]),
"
## Time inside tapwall's programs

By BPF_PROG_TEST_RUN, less what empty programs take. A frame that passes meets two: the first decides for both guests and cuts it through, the second knows it by its mark. A denied one meets only the first.

| case | median ns | min | max | runs |
|---|--:|--:|--:|--:|",
(.rows[] | select(.scenario == "program") | "| \(.case) | \(.value | round) | \(.min | round) | \(.max | round) | \(.runs) |"),
"
## Small changes of a large policy

A host of 200 ports under 4,000 rules between 40 groups. The whole text is sent each time: from there until the epoch flips and all ports are judged by the new policy, and until the agent answers, with all saved to disk; and the agent's CPU time. Wall time but for the last, so other work on the machine shows.

| change | figure | median ms | min | max | runs |
|---|---|--:|--:|--:|--:|",
(.rows[] | select(.scenario == "edit" or .scenario == "join") | "| \(.scenario) | \(.metric) | \(.value | short) | \(.min | short) | \(.max | short) | \(.runs) |"),
"
## Who was measured

- `bare`: the bridge and nothing else, br_netfilter switched off.
- `tapwall`: the agent with `bench/policy.yaml`, or a list of rules, as installed on a host: an approved frame for a guest on the same bridge goes straight into its port.
- `tapwall-vswitch`: the same with `--forwarding vswitch`: every frame goes through the bridge.
- `nft`: br_netfilter, conntrack and `bench/ruleset.nft`, the same policy: established traffic is accepted by the first rule, then a chain out of the source's port and one into the destination's, found by address. A list of rules is one chain, in its order.
- `nft-fwbr`: the same rules on the layout that Proxmox builds, and OpenStack's hybrid driver much alike: a firewall bridge of its own in front of each guest, joined to the common one by a veth pair. Each bridge calls netfilter.
- `ovs`: Open vSwitch's userspace datapath with connection tracking, ports by packet sockets, `userspace-tso-enable`; `bench/flows.ovs` in the manner of OVN's ACLs, lists of rules as flows in the order of their priority.
- `vm-bridge-netns`: the way through a firewall machine without the machine: two more hops, into a namespace that bridges with nft and out of it again. Kinder to that design than any real one.
- `vm-bridge`: a virtual machine (Debian's cloud kernel) that bridges two halves of the network with nft, by QEMU\(if $vm == "tcg" then "; there is no KVM here, so it is emulated by TCG" elif $vm == "kvm" then " with KVM" else "" end), virtio cards served by QEMU without vhost.
",
(if (.skipped | length) > 0 then "### Left out\n", (.skipped[] | "- \(.system), \(.scenario // "all scenarios"): \(.reason)"), "" else empty end),
"## How it was measured

- Each system stands in namespaces of its own; all are set up at once with the same rules and measured in turn, in an order that moves on each round, after a warm-up.
- Two taps and two veths on one bridge (two halves for the firewall machines). One thread writes frames to one tap. A write runs the whole way (tap, bridge, filter, queue of the far tap) in the caller's context, so the thread's CPU time is the cost of the way. Systems whose own threads carry frames on (`ovs`, `vm-bridge`) get at most 32 frames at once (2 super-frames), and the CPU time of all threads of their processes is added, from the first frame to the arrival of the last; what kernel threads do for them is not seen.
- The far tap is emptied outside the measured time, and every frame is accounted for: all must have arrived, or none where the policy denies them. Taps take unfinished checksums and super-frames, as those of virtio guests do.
- `established-*`, `bulk-gso`: data of one open connection. `new-connection`: each frame is the SYN of another connection. `denied`: SYNs to a forbidden port; a bare bridge forwards them, which is why less than × 1 is possible. `crr`: TCP stacks of this kernel in two namespaces; client, server, both stacks and the way run in one thread, one connection after the other. `latency`: one frame at a time, wall time.
- Lists of rules come from a generator of the benchmark's own, with the structure of ClassBench's sets: popular networks with subnets and hosts in them, nested prefixes on both sides, the five port classes, few services over and over (some 700 to 1,200 in 100,000 rules, where ClassBench's sets have 215 to 460), mostly TCP; 30 to 50 in 100 of the sides of rules cover a guest. The seed draws the distributions, too. From one list come tapwall's policy, nft's ruleset and Open vSwitch's flows. The connections that are opened are decided in the last tenth of the list for everybody: ten rules, one for each port, a hundredth of the list apart, the last at its very end. Before a list is measured, each system must give the list's verdicts to 150 frames at the edges of its rules.

## What is unfair about it

- In favour of nft: with the six-rule policy its chains are found by an address map, where the products that work this way jump through a chain per port; on one bridge it is cheaper than any of them is as installed (see `nft-fwbr`); it checks no MAC, no ARP and no neighbour discovery, which tapwall does for every frame. Nothing logs in it. Open vSwitch and the firewall machines check none of that either.
- Against nft: a list is walked in its order, as it stands. Who can turn parts of a list into sets and maps by hand gets a shorter walk; a list like these, whose order decides, does not let itself be turned into one.
- In favour of tapwall: its agent reads the events of new connections on another CPU: \([.rows[] | select(.metric == "agent_cpu_ns_per_frame" and .scenario == "new-connection" and .system == "tapwall") | .value | round | tostring] | first // "unknown") ns for each, which the tables leave out. Rules that cannot concern a guest's address are not in its port's image at all.
- Against Open vSwitch: its kernel datapath is not in this kernel, and its userspace one is at its best with DPDK and vhost-user, on CPUs of its own that poll. Through packet sockets it pays for system calls and wake-ups; a wake-up is shared by up to 32 frames here.
- Against `vm-bridge`: \(if $vm == "tcg" then "TCG translates a guest's code instead of running it: with KVM the machine would be much faster. " else "" end)Without vhost each frame crosses QEMU. `vm-bridge-netns` is the other bound.
- Where br_netfilter is part of the kernel or loaded, as it must be for nft's sake, frames on a bridge meet its hooks even when they are switched off; what is cut through does not, and a host without it has a slightly cheaper bare bridge.
- For all: one flow at a time on one CPU with warm caches and quiet neighbours; no guest, vhost or NIC, whose cost is the same for all and would make every ratio smaller. Other work on the machine shows in `max`, in latency and in what is counted per second, least in CPU time.

## Every figure

| scenario | system | metric | median | × bare | min | max | runs |
|---|---|---|--:|--:|--:|--:|--:|",
(.rows[] | select(.scenario | IN("program", "edit", "join") | not)
	| "| \(.scenario) | \(.system) | \(.metric) | \(.value | short) | \(.vs_bare | short) | \(.min | short) | \(.max | short) | \(.runs) |")
