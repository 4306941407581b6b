# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# report.jq: formats results.json as a report.

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

# A row of the table of figures: the bound, the aim, and the measured figure.
def figure($what; $must; $aim; $got):
	"| \($what) | ≤ \($must | round3) | \(if $aim then "≤ \($aim | round3)" else "–" end) | " +
	(if $got == null then "not measured | –"
	 else "\($got | if fabs > 10 then round else round3 end) | \(if $got > $must then "**no**" elif $aim == null or $got > $aim then "yes" else "yes, and the aim" end)" end) + " |";

# A row of the table for a figure that must not be smaller than the bound.
def floor_figure($what; $must; $aim; $got):
	"| \($what) | ≥ \($must) | ≥ \($aim) | " +
	(if $got == null then "not measured | –"
	 else "\($got | short) | \(if $got < $must then "**no**" elif $got < $aim then "yes" else "yes, and the aim" end)" end) + " |";

def systems: [.rows[].system] | unique
	| sorted_by(["bare", "tapwall", "tapwall-vswitch", "tapwall-slowd", "tapwall-ask", "tapwall-ask-vm", "nft", "nft-fwbr", "ovs", "vm-bridge-netns", "vm-bridge"]);

# A table with a row for each of `scenarios` that was measured, and a column for each system.
def table($metric; $scale; $scenarios):
	. as $all | systems as $systems
	| "| | \($systems | join(" | ")) |",
	  "|---|\($systems | map("--:|") | join(""))",
	  ($scenarios[] | . as $s | select([$all.rows[] | select(.scenario == $s and .metric == $metric)] | length > 0)
		| "| \($s) | " + ([$systems[] | . as $y
			| [$all.rows[] | select(.scenario == $s and .system == $y and .metric == $metric)] | first
			| if . then "\(.value / $scale | short)" + (if .system == "bare" then "" else " (× \(.vs_bare | short))" end) else "–" end]
			| join(" | ")) + " |");

def ways: ["tapwall", "tapwall-slowd", "tapwall-ask", "tapwall-ask-vm", "vm-bridge", "vm-bridge-netns"];
def added($system; $metric):
	value("first-packet"; $system; $metric) as $own | value("first-packet"; "bare"; $metric) as $bare
	| if $own and $bare then $own - $bare else null end;

# CPU time of one connection in µs, including the agent and the processes that decide or forward.
def whole_cost($system):
	((value("crr"; $system; "agent_cpu_ns_per_connection") // 0) +
		(value("crr"; $system; "slowd_cpu_ns_per_connection") // 0)) as $agent
	| value("crr"; $system; "cpu_us_per_connection") | if . then . + $agent / 1000 else null end;

# A row of the table of the three ways.
def way($what; f): "| \($what) | " + ([ways[] | f | short] | join(" | ")) + " |";

def frames: ["established-64B", "established-1400B", "bulk-gso", "new-connection", "denied"];
def lists: reduce (.rows[].scenario | select(test("^new-connection-.*-rules$"))) as $s
	([]; if index($s) then . else . + [$s] end);

# Lists the systems, including the bare bridge, that are better than tapwall by more than the noise of 2 %.
def beaten:
	. as $all
	| [(frames + lists)[] | {scenario: ., metric: "cpu_ns_per_frame"}]
	  + [{scenario: "crr", metric: "cpu_us_per_connection"}, {scenario: "latency", metric: "latency_us_p50"},
	     {scenario: "latency", metric: "latency_us_p99"},
	     {scenario: "first-packet", metric: "latency_us_p50"}]
	| map(. as $at
		| ($all | value($at.scenario; "tapwall"; $at.metric)) as $own
		| select($own)
		| [$all.rows[] | select(.scenario == $at.scenario and .metric == $at.metric
			and (.system | startswith("tapwall") | not) and .value * 1.02 < $own)] as $better
		| select($better | length > 0)
		| "- \($at.scenario), \($at.metric): \($own | short) against " +
		  ($better | sort_by(.value) | map("\(.value | short) of \(.system)") | join(", ")))
	| if length == 0 then "Nowhere in this run, within 2 %." else join("\n") end;

. as $all
| ([.rows[] | select(.metric == "cpu_ns_per_frame") | .runs] | min) as $runs
| (.machine.vm // "none") as $vm
| (over("established-64B"; "tapwall")) as $own
| (ratio(cost("established-64B"; "tapwall"); cost("established-64B"; "bare"))) as $times
|
"# The cost of tapwall and of its peers

Linux \(.machine.kernel), \(.machine.cpu), \(.machine.cores) cores. All systems were measured in one run, in turn, \($runs) rounds; figures are medians.

## In short

Established traffic, 64-byte frames: a filtered frame costs \($times | round3) times as much as on a bare bridge (\($own | signed) ns); nft adds \(over("established-64B"; "nft") | if . then "\(signed) ns" else "an unknown amount" end).
A new connection under 1,000 rules costs \(ratio(cost("new-connection-1k-rules"; "tapwall"); cost("new-connection-1k-rules"; "bare")) | short) times as much as a frame on the bare bridge, with nft \(ratio(cost("new-connection-1k-rules"; "nft"); cost("new-connection-1k-rules"; "bare")) | short) times; under 10,000 rules \(ratio(cost("new-connection-10k-rules"; "tapwall"); cost("new-connection-10k-rules"; "bare")) | short) and \(ratio(cost("new-connection-10k-rules"; "nft"); cost("new-connection-10k-rules"; "bare")) | short) times.

![costs](costs.svg)

![rules](rules.svg)

## Figures with bounds

| figure | bound | aim | measured | holds |
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
figure("edit of one rule of 4,000, until enforced, ms"; 50; 20; value("edit"; "tapwall"; "enforced_ms")),
figure("agent, ns per connection, from open to close: no reader"; 500; null; lifetime("unread")),
figure("the same, with a client that follows the log"; 1500; null; lifetime("followed")),
figure("the same, with a reader that acknowledges, as the slow path"; 1000; 400; lifetime("acknowledged")),
figure("workload joins or leaves a group, until enforced, ms"; 5; 1; value("join"; "tapwall"; "enforced_ms")),
"
## Where tapwall is not best

\(beaten)

## CPU time of a frame from guest to guest, ns

Brackets show the ratio to the bare bridge. A frame of bulk-gso is a super-frame of 44 segments.
",
table("cpu_ns_per_frame"; 1; frames),
"
## CPU time of a frame that opens a connection, µs, by the number of rules
",
table("cpu_ns_per_frame"; 1000; lists),
(if any(lists[]; test("(acl|fw|ipc)")) then "\nacl1, fw1 and ipc1 are ClassBench's own lists. Two of their addresses stand for the guests, and rules that would decide the opened connections too early are left out." else empty end),
"
## Connections between real TCP stacks, and latency
",
table("cpu_us_per_connection"; 1; ["crr"]),
"
CPU time of both stacks and the path between them for one connection (open, request, response, close), µs. Below, connections per second, one after the other in one thread:
",
table("connections_per_s"; 1; ["crr"]),
"
Time from the write at one tap to the read at the other, one frame at a time, µs: the median, then the 99th percentile:
",
table("latency_us_p50"; 1; ["latency"]),
"",
table("latency_us_p99"; 1; ["latency"]),
"
Time of the first packet of a connection, from the write to the read, µs: the median, then the 99th percentile:
",
table("latency_us_p50"; 1; ["first-packet"]),
"",
table("latency_us_p99"; 1; ["first-packet"]),
"
## Three ways to build it

A firewall for virtual machines can decide in the fast path (`tapwall`), ask the slow path about every new connection (`tapwall-ask`: a decider on the host; `tapwall-ask-vm`: one in the service VM, over TLS), or route traffic through a firewall VM (`vm-bridge`; `vm-bridge-netns` is its lower bound). A connection is one of `crr`, and its CPU time counts all CPUs: the agent and the process that decides or forwards are included.

| | \(ways | join(" | ")) |
|---|\(ways | map("--:|") | join(""))",
way("added latency of the first packet, median, µs"; . as $y | $all | added($y; "latency_us_p50")),
way("the same, 99th percentile"; . as $y | $all | added($y; "latency_us_p99")),
way("connections per CPU second"; . as $y | $all | whole_cost($y) | if . then 1e6 / . else null end),
way("CPU time of a connection, µs"; . as $y | $all | whole_cost($y)),
way("connections per second, one after the other"; . as $y | $all | value("crr"; $y; "connections_per_s")),
way("connections opened per second, as many as 32 at once"; . as $y | $all | value("new-connection"; $y; "frames_per_s")),
way("CPU time of an established 64-byte frame, ns"; . as $y | $all | cost("established-64B"; $y)),
"
The fast path against `tapwall-ask-vm`: \(ratio(added("tapwall-ask-vm"; "latency_us_p50"); added("tapwall"; "latency_us_p50")) | short) times less added latency, \(ratio(whole_cost("tapwall-ask-vm"); whole_cost("tapwall")) | short) times as many connections per CPU second. Against `tapwall-ask`: \(ratio(added("tapwall-ask"; "latency_us_p50"); added("tapwall"; "latency_us_p50")) | short) and \(ratio(whole_cost("tapwall-ask"); whole_cost("tapwall")) | short) times.

| figure of `tapwall-ask-vm` | bound | aim | measured | holds |
|---|--:|--:|--:|---|",
figure("added latency of the first packet, median, µs"; 2000; 600; added("tapwall-ask-vm"; "latency_us_p50")),
floor_figure("decisions per second, as many as 32 at once"; 5000; 15000; value("new-connection"; "tapwall-ask-vm"; "frames_per_s")),
floor_figure("added latency over that of the fast path"; 100; 500; ratio(added("tapwall-ask-vm"; "latency_us_p50"); added("tapwall"; "latency_us_p50"))),
floor_figure("connections per CPU second of the fast path over its own"; 10; 30; ratio(whole_cost("tapwall-ask-vm"); whole_cost("tapwall"))),
"
## Time inside tapwall's programs

Measured by BPF_PROG_TEST_RUN, less the time of empty programs. A frame that passes runs two programs: the first decides for both guests and cuts the frame through, the second recognizes it by its redirect token. A denied frame runs only the first.

| case | median ns | min | max | runs |
|---|--:|--:|--:|--:|",
(.rows[] | select(.scenario == "program") | "| \(.case) | \(.value | round) | \(.min | round) | \(.max | round) | \(.runs) |"),
"
## Small changes of a large policy

A host with 200 ports and 4,000 rules between 40 groups. The whole text is sent each time. `enforced_ms` is the time until the epoch flips and all ports are judged by the new policy. `answered_ms` is the time until the agent answers, with everything saved to disk. Both are wall time, so other work on the machine shows. `agent_cpu_ms` is the agent's CPU time.

| change | figure | median ms | min | max | runs |
|---|---|--:|--:|--:|--:|",
(.rows[] | select(.scenario == "edit" or .scenario == "join") | "| \(.scenario) | \(.metric) | \(.value | short) | \(.min | short) | \(.max | short) | \(.runs) |"),
"
## The systems

- `bare`: only the bridge, with br_netfilter switched off.
- `tapwall`: the agent with `bench/policy.yaml`, or a list of rules, as installed on a host: an allowed frame for a guest on the same bridge goes directly into its port.
- `tapwall-vswitch`: tapwall with `--forwarding vswitch`: every frame goes through the bridge.
- `tapwall-slowd`: `tapwall` with a slow path attached: `tapwall-slowd` on the same host, joined by TLS, receives the events.
- `tapwall-ask`: tapwall with `bench/policy-ask.yaml`, which asks about every new connection. A decider in a process of its own answers over the Unix socket; it only compares the port. The first packet waits in the agent meanwhile. At most 32 packets are in flight. The agent and the decider count as threads that forward.
- `tapwall-ask-vm`: the same, but the decider runs beside `tapwall-slowd` in the service VM (docs/appliance.md; QEMU\(if $vm == "tcg" then " by TCG" elif $vm == "kvm" then " with KVM" else "" end)), which also records the history. A question crosses TLS, the private bridge and the VM's network card. The agent and QEMU count as threads that forward.
- `nft`: br_netfilter, conntrack and `bench/ruleset.nft`, the same policy: the first rule accepts established traffic; then a chain for the source's port and one for the destination's are found by address. A list of rules is one chain in the same order.
- `nft-fwbr`: the same rules in the layout of Proxmox, which OpenStack's hybrid driver resembles: each guest has its own firewall bridge, joined to the common bridge by a veth pair. Each bridge calls netfilter.
- `ovs`: Open vSwitch's userspace datapath with connection tracking, packet sockets as ports, and `userspace-tso-enable`. `bench/flows.ovs` is written like OVN's ACLs. Lists of rules are flows with descending priorities.
- `vm-bridge-netns`: the path through a firewall VM without the VM: two additional hops, into a namespace that bridges with nft and out of it. No real VM can be faster.
- `vm-bridge`: a virtual machine (Debian's cloud kernel) that bridges two halves of the network with nft, by QEMU\(if $vm == "tcg" then "; there is no KVM here, so it is emulated by TCG" elif $vm == "kvm" then " with KVM" else "" end), virtio cards served by QEMU without vhost.
",
(if (.skipped | length) > 0 then "### Skipped\n", (.skipped[] | "- \(.system), \(.scenario // "all scenarios"): \(.reason)"), "" else empty end),
"## How it was measured

- Each system has its own namespaces. All are set up at the same time with the same rules, and measured in turn after a warm-up, in an order that rotates each round.
- Two taps and two veths on one bridge (two halves for the firewall machines). One thread writes frames to one tap. A write processes the frame on its whole path (tap, bridge, filter, queue of the far tap) in the caller's context, so the thread's CPU time is the cost of the path. If a system forwards frames in its own threads (`ovs`, `vm-bridge`), at most 32 frames are in flight (2 super-frames), and the CPU time of all threads of its processes is added, from the first frame to the arrival of the last. Work of kernel threads for these systems is not measured.
- The far tap is read outside the measured time, and every frame is counted: all must have arrived or, if the policy denies them, none. Taps accept unfinished checksums and super-frames, as those of virtio guests do.
- `established-*`, `bulk-gso`: data of one open connection. `new-connection`: each frame is the SYN of another connection. `denied`: SYNs to a forbidden port. A bare bridge forwards them, so a ratio below 1 is possible. `crr`: TCP stacks of this kernel in two namespaces; client, server, both stacks and the path run in one thread, one connection after the other. `latency`: one frame at a time, wall time. `first-packet`: the same with the first packets of connections.
- The benchmark generates lists of rules with the structure of ClassBench's sets: popular networks with subnets and hosts in them, nested prefixes on both sides, the five port classes, few services used again and again (some 700 to 1,200 in 100,000 rules, where ClassBench's sets have 215 to 460), mostly TCP; 30 to 50 % of the sides of rules cover a guest. The seed also determines the distributions. Tapwall's policy, nft's ruleset and Open vSwitch's flows are written from the same list. In all systems, the opened connections are decided in the last tenth of the list, by ten rules, one for each port, a hundredth of the list apart; the last one ends the list. Before a list is measured, each system must give the list's verdicts to 150 frames at the edges of its rules.

## What is unfair about it

- In favour of nft: with the six-rule policy its chains are found by an address map, while products of this kind use a jump rule per port. On one bridge it is cheaper than any of these products as installed (see `nft-fwbr`). It checks no MACs, ARP or neighbour discovery, as tapwall does for every frame, and logs nothing. Open vSwitch and the firewall VMs do not check these either.
- Against nft: it evaluates the list rule by rule. An operator may convert parts of a list into sets and maps by hand, which makes it faster. Lists like these, in which the order decides, cannot be converted as a whole.
- In favour of tapwall: its agent reads the events of new connections on another CPU: \([.rows[] | select(.metric == "agent_cpu_ns_per_frame" and .scenario == "new-connection" and .system == "tapwall") | .value | round | tostring] | first // "unknown") ns per connection, which the tables do not include. Rules that cannot apply to a guest's address are not in the image of its port.
- In favour of `tapwall-ask`: its decider compares one number, where a real one looks up a policy. The frames of `denied` come from 256 source ports, so most of them meet an answer of the last second.
- Against Open vSwitch: its kernel datapath is not in this kernel, and its userspace datapath is made for DPDK and vhost-user, on dedicated CPUs that poll. With packet sockets it pays for system calls and wake-ups; here up to 32 frames share a wake-up.
- Against `vm-bridge`: \(if $vm == "tcg" then "TCG translates a guest's code instead of running it: with KVM the machine would be much faster. " else "" end)Without vhost each frame crosses QEMU. `vm-bridge-netns` is the other bound.
- If br_netfilter is built in or loaded, as nft requires, frames on a bridge pass its hooks even if they are switched off. Frames that are cut through do not. On a host without br_netfilter, the bare bridge is slightly cheaper.
- For all: there is one flow at a time on one CPU, with warm caches and no other load. There is no guest, vhost or NIC, whose cost is the same for all systems and would bring every ratio closer to 1. Other work on the machine affects `max`, latency and figures per second, and CPU time least.

## Every figure

| scenario | system | metric | median | × bare | min | max | runs |
|---|---|---|--:|--:|--:|--:|--:|",
(.rows[] | select(.scenario | IN("program", "edit", "join") | not)
	| "| \(.scenario) | \(.system) | \(.metric) | \(.value | short) | \(.vs_bare | short) | \(.min | short) | \(.max | short) | \(.runs) |")
