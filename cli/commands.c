/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/top.h"
#include "fastpath/abi/types.h"
#include "link/link.h"

#define SOCKET(options)                                                                                                 \
	{                                                                                                               \
		.name = "socket", .type = TW_ARG_FILE, .offset = offsetof(options, socket),                             \
		.value = "PATH", .fallback = TW_LINK_DEFAULT_SOCKET,                                                    \
		.environment = "TAPWALL_SOCKET",                                                                        \
		.help = "Connect to the agent at this socket. agent:NAME asks tapwall-slowd for the agent of that name" \
	}
#define SLOW(options)                                                                            \
	{                                                                                        \
		.name = "slow", .type = TW_ARG_FILE, .offset = offsetof(options, socket),        \
		.value = "PATH", .fallback = TW_LINK_SLOW_SOCKET, .environment = "TAPWALL_SLOW", \
		.help = "Connect to tapwall-slowd at this socket"                                \
	}
#define FILTERS(options) FILTERS_OF(options, filter)
#define FILTERS_OF(options, filter)                                                                   \
	{.name = "proto",                                                                             \
		.type = TW_ARG_TEXT,                                                                  \
		.value = "P",                                                                         \
		.complete = "tcp udp icmp icmp6",                                                     \
		.offset = offsetof(options, filter.proto),                                            \
		.help = "Only this protocol: tcp, udp, icmp, icmp6, or a protocol number"},           \
		{.name = "address",                                                                   \
			.type = TW_ARG_TEXT,                                                          \
			.letter = 'a',                                                                \
			.value = "CIDR",                                                              \
			.offset = offsetof(options, filter.address),                                  \
			.help = "Only from or to this address or CIDR"},                              \
		{.name = "port",                                                                      \
			.type = TW_ARG_U32,                                                           \
			.letter = 'p',                                                                \
			.value = "N",                                                                 \
			.min = 1,                                                                     \
			.max = UINT16_MAX,                                                            \
			.offset = offsetof(options, filter.port),                                     \
			.help = "Only from or to this port"},                                         \
	{                                                                                             \
		.name = "rule", .type = TW_ARG_TEXT, .letter = 'r', .value = "NAME",                  \
		.offset = offsetof(options, filter.rule),                                             \
		.help = "Only what this rule decided, at either end; default is the policy's default" \
	}
#define JSON(options, shape)                                                            \
	{                                                                               \
		.name = "json", .type = TW_ARG_FLAG, .offset = offsetof(options, json), \
		.help = "Print JSON: " shape                                            \
	}

/* Completes to the names of the workloads on this host, if an agent runs. */
#define WORKLOADS \
	"$(tapwall ports --json 2>/dev/null | grep -o \"\\\"workload\\\":\\\"[^\\\"]*\" | cut -d\\\" -f4)"

static const struct tw_arg check_args[] = {
	{.name = "FILE",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_check_options, file),
		.positional = true,
		.required = true,
		.help = "Policy to read, a file or a directory of files; - reads stdin"},
	JSON(struct tw_check_options, "one object"),
	{.name = "all",
		.type = TW_ARG_FLAG,
		.letter = 'a',
		.offset = offsetof(struct tw_check_options, all),
		.help = "Print every warning, not only the first few of a kind"},
	{.name = "lowered",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_check_options, lowered),
		.help = "Print the rules with every name resolved"},
	{.name = "print",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_check_options, print),
		.help = "Print the policy in its canonical form"},
	{.name = "stats",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_check_options, stats),
		.help = "Also print which ports share each image, and the engine, "
			"entries, classes and bytes of each of its views"},
};

static const struct tw_arg explain_args[] = {
	{.name = "FROM",
		.type = TW_ARG_TEXT,
		.positional = true,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_explain_options, words[0]),
		.help = "As --from"},
	{.name = "TO",
		.type = TW_ARG_TEXT,
		.positional = true,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_explain_options, words[1]),
		.help = "As --to"},
	{.name = "SERVICE",
		.type = TW_ARG_TEXT,
		.positional = true,
		.offset = offsetof(struct tw_explain_options, words[2]),
		.help = "Protocol and destination port, or ICMP type and code: tcp/5432, icmp, icmp6/1.4, proto/47"},
	{.name = "policy",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.offset = offsetof(struct tw_explain_options, policy),
		.help = "Evaluate this policy, a file or a directory of files"},
	{.name = "live",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_explain_options, live),
		.help = "Evaluate the policy in force with the ports as they are, and "
			"look up the live connection. This is the default without --policy"},
	{.name = "from",
		.type = TW_ARG_TEXT,
		.value = "X",
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_explain_options, from),
		.help = "Source of the connection: a workload, an address, or "
			"WORKLOAD@ADDRESS"},
	{.name = "to",
		.type = TW_ARG_TEXT,
		.value = "Y",
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_explain_options, to),
		.help = "Destination of the connection: a workload, an address, or "
			"WORKLOAD@ADDRESS"},
	{.name = "proto",
		.type = TW_ARG_TEXT,
		.complete = "tcp udp icmp icmp6",
		.value = "P",
		.offset = offsetof(struct tw_explain_options, proto),
		.help = "Protocol: tcp, udp, icmp, icmp6, or a protocol number"},
	{.name = "sport",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, sport),
		.help = "Source port, for TCP and UDP; chosen if not given"},
	{.name = "dport",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, dport),
		.help = "Destination port, for TCP and UDP"},
	{.name = "type",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, type),
		.help = "ICMP type; echo request if not given"},
	{.name = "code",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, code),
		.help = "ICMP code; 0 if not given"},
	{.name = "batch",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_explain_options, batch),
		.help = "Read one JSON object per line from stdin, and print one answer per line"},
	JSON(struct tw_explain_options, "one object"),
	SOCKET(struct tw_explain_options),
};

static const struct tw_arg replay_args[] = {
	{.name = "policy",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.required = true,
		.offset = offsetof(struct tw_replay_options, policy),
		.help = "Evaluate the frames by this policy, a file or a directory of files"},
	{.name = "pcap",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.required = true,
		.offset = offsetof(struct tw_replay_options, pcap),
		.help = "Capture to read, pcap or pcapng; - reads stdin"},
	{.name = "at",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.value = "W",
		.offset = offsetof(struct tw_replay_options, at),
		.help = "Treat every frame as seen at this workload's port"},
	JSON(struct tw_replay_options, "one object per frame, then the summary"),
};

static const struct tw_arg status_args[] = {
	JSON(struct tw_status_options, "one object"),
	SOCKET(struct tw_status_options),
};

static const struct tw_arg ports_args[] = {
	JSON(struct tw_ports_options, "one object per port"),
	SOCKET(struct tw_ports_options),
};

static const struct tw_arg workloads_args[] = {
	JSON(struct tw_workloads_options, "one object per vNIC of a workload"),
	SOCKET(struct tw_workloads_options),
};

static const struct tw_arg groups_args[] = {
	JSON(struct tw_groups_options, "one object per group"),
	SOCKET(struct tw_groups_options),
};

static const char *const flow_sorts[] = {
	[TW_FLOW_SORT_AUTO] = "auto",
	[TW_FLOW_SORT_IDLE] = "idle",
	[TW_FLOW_SORT_AGE] = "age",
	[TW_FLOW_SORT_PACKETS] = "packets",
	[TW_FLOW_SORT_BYTES] = "bytes",
	NULL,
};

static const struct tw_arg flows_args[] = {
	{.name = "workload",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.letter = 'w',
		.value = "W",
		.offset = offsetof(struct tw_flows_options, workload),
		.help = "Print only connections from or to this workload"},
	FILTERS(struct tw_flows_options),
	{.name = "denied",
		.type = TW_ARG_FLAG,
		.letter = 'd',
		.offset = offsetof(struct tw_flows_options, denied),
		.help = "Only connections that are refused now, such as those that a new policy cut"},
	{.name = "sort",
		.type = TW_ARG_CHOICE,
		.choices = flow_sorts,
		.fallback = "auto",
		.offset = offsetof(struct tw_flows_options, sort),
		.help = "Sort by this key: most recently active, youngest, or most "
			"packets or bytes first. auto: idle for people, unsorted with "
			"--json"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_flows_options, limit),
		.help = "Print at most N connections; 0 prints all"},
	JSON(struct tw_flows_options, "one object per connection"),
	SOCKET(struct tw_flows_options),
};

static const char *const rule_sorts[] = {
	[TW_RULE_SORT_NONE] = "policy",
	[TW_RULE_SORT_HITS] = "hits",
	[TW_RULE_SORT_PACKETS] = "packets",
	[TW_RULE_SORT_BYTES] = "bytes",
	[TW_RULE_SORT_LAST] = "last-hit",
	NULL,
};

static const struct tw_arg rules_args[] = {
	{.name = "NAME",
		.type = TW_ARG_TEXT,
		.offset = offsetof(struct tw_rules_options, name),
		.positional = true,
		.help = "Only the rule of this name, or the rules whose names match a pattern with * and ?"},
	{.name = "sort",
		.type = TW_ARG_CHOICE,
		.choices = rule_sorts,
		.fallback = "policy",
		.offset = offsetof(struct tw_rules_options, sort),
		.help = "Sort as in the policy, or by this key, the largest or latest first"},
	{.name = "unused",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_rules_options, unused),
		.help = "Only rules without a hit"},
	JSON(struct tw_rules_options, "one object per rule"),
	SOCKET(struct tw_rules_options),
};

static const struct tw_arg log_args[] = {
	{.name = "follow",
		.type = TW_ARG_FLAG,
		.letter = 'f',
		.offset = offsetof(struct tw_log_options, follow),
		.help = "Keep running and print new events as they happen"},
	{.name = "all",
		.type = TW_ARG_FLAG,
		.letter = 'a',
		.offset = offsetof(struct tw_log_options, all),
		.help = "Print every open and close, not only denials and rules with log: true"},
	{.name = "workload",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.letter = 'w',
		.value = "W",
		.offset = offsetof(struct tw_log_options, workload),
		.help = "Print only events at this workload's ports or about it"},
	FILTERS(struct tw_log_options),
	{.name = "since",
		.type = TW_ARG_TEXT,
		.letter = 's',
		.value = "TIME",
		.offset = offsetof(struct tw_log_options, since),
		.help = "Leave out earlier events: 2h (ago), 14:05, yesterday, \"2026-01-31 14:05\" or @UNIX-SECONDS"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_log_options, limit),
		.help = "Look only at the last N remembered events; 0 looks at all"},
	JSON(struct tw_log_options, "one object per entry"),
	SOCKET(struct tw_log_options),
};

#include "cli/act_args.h"
#include "cli/adopt_args.h"
#include "cli/apply_args.h"
#include "cli/capture_args.h"
#include "cli/decide_args.h"
#include "cli/diff_args.h"
#include "cli/policy_args.h"
#include "cli/quarantine_args.h"
#include "cli/slow_args.h"
#include "cli/history_args.h"
#include "cli/observe_args.h"
#include "cli/top_args.h"

static const struct tw_arg counters_args[] = {
	{.name = "all",
		.type = TW_ARG_FLAG,
		.letter = 'a',
		.offset = offsetof(struct tw_counters_options, all),
		.help = "Also print reasons that never occurred"},
	JSON(struct tw_counters_options, "one object per reason, all of them"),
	SOCKET(struct tw_counters_options),
};

static const struct tw_arg version_args[] = {
	JSON(struct tw_version_options, "one object"),
	SOCKET(struct tw_version_options),
};

static const struct tw_args_example check_examples[] = {
	{"tapwall check policy.yaml", "Check the policy and print every error with its place"},
	{"tapwall check --lowered policy.yaml", "Show what its names stand for"},
	{"tapwall check --stats policy.yaml", "Show the size of its ports' images"},
};

static const struct tw_args_example explain_examples[] = {
	{"tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 5432",
		"May web-1 open a connection to the database, and which rule says so?"},
	{"tapwall explain 10.9.8.7 web-1 icmp",
		"Does the policy in force let this host ping web-1?"},
	{"tapwall explain --policy policy.yaml --batch < tuples.jsonl > verdicts.jsonl",
		"Answer many questions at once"},
};

static const struct tw_args_example replay_examples[] = {
	{"tapwall replay --policy policy.yaml --pcap traffic.pcapng",
		"What would this policy have done to yesterday's traffic?"},
	{"tcpdump -w - -c 1000 -i tap0 | tapwall replay --policy policy.yaml --pcap - --at web-1",
		"What would it do to the traffic of one port right now?"},
};

static const struct tw_args_example flows_examples[] = {
	{"tapwall flows --workload db-1", "Show who talks to the database"},
	{"tapwall flows --sort bytes --limit 10",
		"Show the ten connections that moved the most bytes"},
};

static const struct tw_args_example log_examples[] = {
	{"tapwall log --follow", "Watch what is denied"},
	{"tapwall log --follow --all --workload web-1", "Watch everything web-1 does"},
};

#define COMMAND(verb, ...)                                                                 \
	{                                                                                  \
		.name = #verb, .args = verb##_args, .n_args = TW_ARGS_N(verb##_args),      \
		.values_size = sizeof(struct tw_##verb##_options), .run = tw_##verb##_run, \
		__VA_ARGS__                                                                \
	}
#define EXAMPLES(verb) .examples = verb##_examples, .n_examples = TW_ARGS_N(verb##_examples)

static const struct tw_args_command commands[] = {
	COMMAND(check, EXAMPLES(check), .summary = "Check a policy and list every error",
		.description =
			"Errors are printed to stderr with line and column. A policy with any "
			"error is invalid as a whole. Warnings, such as a rule that can never "
			"match, are printed too, but leave the policy valid.\n\n"
			"With *--json* the object has _file_, _valid_ and the lists _errors_ "
			"and _warnings_ of _line_, _column_, _text_ and _hint_. If the policy "
			"is valid, it also has the counts _rules_, _workloads_, _groups_ and "
			"_ports_, and _default_.\n\n"
			"With *--stats* the images are described as well. An image is a policy "
			"compiled for a port; ports for whose guests the rules resolve to the "
			"same image share it. Each of its views judges one set of local "
			"addresses. A view's engine is _cells_, one table of remote class by "
			"service class, or _vectors_, bit vectors over all its entries; "
			"_because_ says why cells did not fit. The members of the _groups_ in a "
			"view's rules are kept in a separate table, so that a workload that "
			"joins a group changes only its own image. With *--json*, each of "
			"_images_ has _workloads_, _bytes_, _compile_ms_, _entries_ and "
			"_views_, and _members_ is the number of addresses in that table."),
	COMMAND(apply, EXAMPLES(apply), .summary = "Put a policy in force, whole or not at all",
		.description = APPLY_DESCRIPTION),
	COMMAND(confirm, .summary = "Keep a policy that was applied with --confirm",
		.description = CONFIRM_DESCRIPTION),
	COMMAND(diff, EXAMPLES(diff), .summary = "Compare policies by what they mean",
		.description = DIFF_DESCRIPTION),
	COMMAND(rollback, EXAMPLES(rollback), .summary = "Put an earlier policy in force again",
		.description = ROLLBACK_DESCRIPTION),
	COMMAND(reload, .summary = "Make the agent read its policy file again",
		.description =
			"The agent reads the file of its *--policy* option. Output and exit "
			"status are those of *apply*. *systemctl reload tapwalld* runs this "
			"command: if the file is refused, the reload fails, and *status* shows "
			"why until a policy takes effect."),
	COMMAND(adopt, EXAMPLES(adopt),
		.summary = "Accept TCP connections without a record for a time",
		.description = ADOPT_DESCRIPTION),
	COMMAND(block, EXAMPLES(block), .summary = "Let nothing pass at a workload's ports",
		.description = BLOCK_DESCRIPTION),
	{.name = "unblock",
		.args = unblock_args,
		.n_args = TW_ARGS_N(unblock_args),
		.values_size = sizeof(struct tw_block_options),
		.run = tw_unblock_run,
		.summary = "End the block of a workload",
		.description = UNBLOCK_DESCRIPTION},
	COMMAND(kill, EXAMPLES(kill), .summary = "End live connections",
		.description = KILL_DESCRIPTION),
	COMMAND(quarantine, EXAMPLES(quarantine),
		.summary = "Block a workload at this host, or at all hosts",
		.description = QUARANTINE_DESCRIPTION),
	COMMAND(explain, EXAMPLES(explain),
		.summary = "Show what would happen to a connection, and why",
		.description =
			"The command builds the first packet of the connection and runs it "
			"through the kernel's packet code, at each end that the policy "
			"protects. The end that refuses the packet decides, the sending end "
			"first. If both ends allow it, the rule of the receiving end is named "
			"if that end is protected.\n\n"
			"If a workload has several addresses, one of the family that both ends "
			"have is used, preferably IPv4; *WORKLOAD@ADDRESS* chooses another. A "
			"workload that owns prefixes or any address can be given by its "
			"name.\n\n"
			"With *--batch* each line of stdin is an object with _from_, _to_, "
			"_proto_ and _sport_, _dport_ or _type_, _code_. Each line of stdout is "
			"the answer, in the same order: _verdict_ (allow, deny, reject, or "
			"unprotected if neither end has a port here), _rule_, _reason_, and "
			"under _out_ and _in_ the _port_, _verdict_ and _rule_ of that end, "
			"null if it has no port here. If a line is not such an object, its "
			"answer has _error_ and the line number, _line_, and the exit status is "
			"2. Otherwise the exit status is 0, whatever the verdicts.\n\n"
			"With *--json* the answer has these members too. Each end also has "
			"_reason_, _workload_, _reached_ (true if the packet got there), the "
			"_stage_ that decided and all _stages_ it went through. With *--live* "
			"an end also has the _state_ of its port, _judged_ (yes, not-filtered, "
			"shut or absent), _by_policy_, the _verdict_ and _rule_ of the policy "
			"alone, _why_ the port is in that state, and _proof_age_s_; the answer "
			"has _n_flows_ and the first _flows_ that match.\n\n"
			"With *--live*, also with *--batch*, the agent first checks the hooks "
			"of the ports. If the port of an end is NOT FILTERED or not on this "
			"host, that end judges nothing. If its port is shut, that end lets "
			"nothing pass, whatever the policy says."),
	COMMAND(replay, EXAMPLES(replay), .summary = "Evaluate the frames of a capture",
		.description =
			"Frames are judged in order, and the capture's timestamps are the "
			"clock, so connections open, live and expire as they did. A frame is "
			"judged as sent by the workload that owns its source MAC, or else its "
			"source address, and as received by the workload that owns its "
			"destination. With *--at*, every frame is treated as seen at that "
			"workload's port: as sent if its source is the port's MAC or address, "
			"otherwise as received.\n\n"
			"A frame that concerns no workload is _unprotected_. If a capture has "
			"no Ethernet headers (raw IP, Linux cooked, BSD loopback), headers that "
			"pass every MAC check are added. Frames of other link layers are "
			"_unsupported_. If a frame was truncated when it was captured, the "
			"bytes that are there and its length on the wire are judged.\n\n"
			"The application of a connection is recognised by the first bytes of "
			"each direction. For a few applications, the port must fit, too: see "
			"docs/applications.md. The application stands at the end of a "
			"frame's line, from the frame on that identifies it. It does not "
			"affect the verdict. Connections that are not recognised have none.\n\n"
			"With *--json* each frame has its number _n_, _verdict_, _reason_, "
			"_rule_, the _workload_ and _direction_ of the end that decided, and "
			"the _application_. The last line is _summary_ with _frames_, "
			"_verdicts_, _connections_, the number that were opened, and "
			"_applications_, the number of connections of each."),
	COMMAND(status, .summary = "Show the state of the firewall at a glance",
		.description =
			"Ports that are not filtered, and ports that are shut because of "
			"contradictory signs, come first.\n\n"
			"The line of connections shows the memory that each takes, including "
			"its key and its share of the table. Images are policies compiled for a "
			"port; their line shows the memory per rule. _Latch_ shows which new "
			"ports the kernel keeps shut until they are filtered. It cannot do so "
			"for ports of Open vSwitch, bonds and teams: those are open until the "
			"agent has attached to them, which takes milliseconds after they appear "
			"or after an agent starts. _Proved_ shows when the agent last found "
			"both programs at every port, and how often another tool had removed "
			"them.\n\n"
			"With *--json* the members are those of Status in the protocol, "
			"tapwall.v1. Their names carry the unit, as in _connection_bytes_, "
			"_image_bytes_per_rule_ and _uptime_s_."),
	COMMAND(ports, .summary = "List the ports, their workloads and their traffic",
		.description =
			"OUT counts frames that the workload sends, IN frames that reach it. A "
			"port is protected, shut (nothing passes), or NOT FILTERED: no workload "
			"of the policy has it, and the policy says *unclaimed: ignore*. It is "
			"_unfiltered_ if no programs are attached and the latch does not see "
			"its frames, or if Open vSwitch's userspace datapath forwards them first. TROUBLE shows why a port is not attached. FOUND BY shows "
			"how the port was matched to its workload: by its _name_, by its own "
			"MAC (_tap-mac_), or by its guest, the _first-sender_ with the "
			"workload's address. Ports that are not filtered, that are shut because "
			"the signs contradict each other, or that send as another workload are "
			"listed before the table.\n\n"
			"With *--json* each port has _name_, _ifindex_, _workload_, _state_, "
			"_mac_, _addresses_, _bridge_, _tcp_ (strict or liberal); _packets_, "
			"_bytes_ and _denied_ by _out_ and _in_; _rules_ and _image_bytes_ of its image; _events_limited_, "
			"_events_lost_, _proof_age_s_, _programs_lost_, _trouble_; _open_, true "
			"if nothing is filtered; _found_by_; _conflict_ and _why_, if it is "
			"shut because of contradictory signs; and _resembles_, the workload "
			"that it sends as. _connections_ counts what its guest has opened: "
			"_half_open_, _established_, _untracked_ (now half open without a "
			"record, beyond the port's half-open quota), _passed_over_quota_ and "
			"_refused_over_quota_ (both so far)."),
	COMMAND(workloads, .summary = "List the workloads of the policy and their ports",
		.description =
			"Each virtual NIC of the policy in force has one line: its port on this "
			"host, if there is one, how that port was found, and the port that the "
			"policy names. *tapwall ports* also lists ports without a workload.\n\n"
			"With *--json* each object has _name_, _port_ and _state_, null if it "
			"is not on this host, _found_by_, _mac_, _named_port_ and _addresses_."),
	COMMAND(groups, .summary = "List the groups of the policy and their members",
		.description =
			"Each group of the policy in force has one line: its workloads, by "
			"name, by tag or by pattern, its networks as written in the policy, and "
			"the number of addresses that the group stands for in a rule, including "
			"those that DHCP gave to workloads.\n\n"
			"With *--json* each object has _name_, _addresses_ (at most 2^63 - 1), "
			"and the lists _workloads_ and _networks_."),
	COMMAND(agents, .summary = "List the agents that the slow path knows",
		.description = AGENTS_DESCRIPTION),
	COMMAND(enroll, EXAMPLES(enroll),
		.summary = "Get this host's certificate for the slow path, with a token",
		.description = ENROLL_DESCRIPTION),
	COMMAND(policy, EXAMPLES(policy),
		.summary = "Show the policies in force, or store and push them at the slow path",
		.description = POLICY_DESCRIPTION),
	COMMAND(flows, EXAMPLES(flows), .summary = "List the live connections",
		.description =
			"PACKETS and BYTES count what the side that opened the connection sent, "
			"REPLIES and REPLY BYTES what the other side sent. OUT RULE decided at "
			"the port where the connection leaves its sender, IN RULE at the port "
			"where it reaches its receiver. Connections that are half open beyond "
			"their port's quota have no record and are not listed; *tapwall ports* "
			"counts them. A star after the state marks a TCP connection that was "
			"adopted, as some of its segments were not seen: no sequence number of "
			"it is refused. APP is the application, if _options.inspection_ of the "
			"policy asks for it and the first bytes told it.\n\n"
			"With *--json* each connection has _proto_, _from_ and _to_ with "
			"_address_, _port_ and _workload_, _state_, _packets_ and _bytes_ by "
			"_out_ and _in_, _age_s_, _idle_s_, the _verdict_ and _rule_ at the "
			"_out_ and the _in_ end, null for an end without a port here, and "
			"_network_, _vlan_, _adopted_ and _application_, null if there is none; ICMP also has _type_ and "
			"_code_."),
	COMMAND(rules, .summary = "List the rules with their hits",
		.description =
			"A hit is a connection that the rule decided. It counts once, even if "
			"the rule decides at both ends. Each attempt to open what a rule "
			"refuses is a hit. If a new policy changes the verdict of a live "
			"connection, that is not a hit. Packets and bytes count each frame that "
			"the rule allowed or refused, once. The counts stay with a rule as long "
			"as its name stays or, if it has no name, its text.\n\n"
			"With *--json* each rule has _name_, _action_, _hits_, _packets_, "
			"_bytes_, _last_hit_s_ (seconds since the last hit, null if never), and "
			"_line_, _text_, _disabled_, _comment_, _owner_ and _until_ (Unix time; null: "
			"never) as in the policy, and _expired_."),
	COMMAND(log, EXAMPLES(log),
		.summary = "Print what was denied, and what logging rules allowed",
		.description =
			"The agent remembers the last few thousand events. If events are "
			"missing because they exceeded a port's rate limit or came faster than "
			"the agent could read them, the log says how many. A connection between "
			"two ports of this host is one entry: that of the end that refused it "
			"or, if none did, of the receiving end.\n\n"
			"With *--json* each entry has _time_, _event_ (open, close or deny), "
			"_verdict_, _reason_, _rule_, _workload_, _port_, _direction_, _proto_, "
			"_from_, _to_, _src_mac_, _dst_mac_, _ethertype_, _vlan_, _len_, _tcp_ "
			"of a denied TCP segment with its _flags_, _seq_, _ack_ and unscaled "
			"_window_, the _verdict_ and _rule_ at the _out_ and the _in_ end, null "
			"for an end that did not decide, _packets_, _bytes_, _age_s_, _state_ "
			"and _lost_before_."),
	COMMAND(top, EXAMPLES(top), .summary = "Show ports, connections and rules by rate, live",
		.description =
			"On a terminal the screen refreshes itself: *p* shows ports, *c* "
			"connections, *r* rules, *d* the reasons of verdicts and *Tab* the next "
			"view; *s* sorts by the next rate, the space bar pauses, the arrows "
			"scroll and *q* quits.\n\n"
			"All figures are per second, averaged over the last interval. OUT is "
			"what the workload sent, IN what reached it; for a connection, OUT is "
			"what the side that opened it sent, IN what the other side sent. Only "
			"the connections that moved the most bytes or packets are shown, so a "
			"large table costs no more to watch than a small one.\n\n"
			"With *--json* each interval has _time_, _seconds_, _n_connections_, "
			"_connections_max_, _moved_ (the number of connections with traffic), "
			"_opened_s_, and the lists _ports_ with _name_, _workload_, _state_, "
			"_open_, and _packets_s_, _bytes_s_, _denied_s_ and _opened_s_ by _out_ "
			"and _in_; _connections_ as in *flows*, with _packets_s_ and _bytes_s_; "
			"_rules_ with _name_, _action_, _line_, _hits_s_, _packets_s_ and "
			"_bytes_s_; and _reasons_ with _reason_ and _packets_s_."),
	COMMAND(capture, EXAMPLES(capture),
		.summary = "Capture frames at a workload's ports, with verdict and reason",
		.description =
			"Frames are shown as they were judged, before anything in them is "
			"changed. Out is what the workload sent, in is what was on its way to "
			"it. A frame that goes directly from one port to another is shown at "
			"both. Packets never wait for a capture: frames that do not fit into "
			"its buffer are counted and reported. A larger *--buffer* or a smaller "
			"*--snaplen* reduces them.\n\n"
			"A capture ends on Ctrl-C, after *--count* frames or *--seconds*, or "
			"when the client disconnects. Without a capture the packet path has no "
			"extra cost. A capture follows its workload as ports come and go. If the "
			"agent goes away, the capture waits for it to return. The next frame "
			"then has a comment, or _gap_before_s_ in JSON, that frames are "
			"missing before it.\n\n"
			"In a file, each packet has a comment such as _verdict=deny "
			"reason=policy rule=no-telnet direction=out stage=classify "
			"workload=web-1_. Interfaces are named after the ports, and packets are "
			"inbound or outbound as the workload sees them. The file is a valid "
			"capture at every moment.\n\n"
			"With *--json* each frame has _time_, _port_, _workload_, _direction_, "
			"_verdict_, _reason_, _rule_, _stage_, _len_, _vlan_, _proto_, _from_, "
			"_to_, _tcp_flags_, _src_mac_, _dst_mac_, _ethertype_ and "
			"_lost_before_; ICMP also has _type_ and _code_."),
	COMMAND(decide, EXAMPLES(decide),
		.summary = "Answer the questions of rules with action: ask",
		.description = DECIDE_DESCRIPTION),
	COMMAND(history, EXAMPLES(history),
		.summary = "Search ended connections and denials of the past",
		.description = HISTORY_DESCRIPTION),
	COMMAND(observe, EXAMPLES(observe), .summary = "Sum up what would be denied",
		.description = OBSERVE_DESCRIPTION),
	COMMAND(propose, EXAMPLES(propose), .summary = "Draft a policy from what was seen",
		.description = PROPOSE_DESCRIPTION),
	COMMAND(counters, .summary = "Count frames by the reason of their verdict",
		.description =
			"Every frame is counted under one reason. *log* and *explain* name the "
			"same reasons.\n\n"
			"With *--json* each object has _reason_, _text_, _out_ and _in_."),
	COMMAND(version, .summary = "Show versions, and the kernel features in use",
		.description =
			"If no agent runs, only this program and the kernel are shown, and "
			"_agent_ is null.\n\n"
			"With *--json* the object has _version_, _agent_ with its _version_ and "
			"_protocol_, _kernel_, and the list _features_ of _name_, _found_, "
			"_used_ and _note_."),
};

const struct tw_args_program tw_cli_program = {
	.name = "tapwall",
	.man_section = 1,
	.summary = "stateful firewall at the taps of virtual machines",
	.commands = commands,
	.n_commands = TW_ARGS_N(commands),
	.sections = tw_cli_sections,
	.n_sections = TW_ARGS_N(tw_cli_sections),
};
