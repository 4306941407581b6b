/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/top.h"
#include "fastpath/abi/types.h"
#include "link/link.h"

#define SOCKET(options)                                                                           \
	{                                                                                         \
		.name = "socket", .type = TW_ARG_FILE, .offset = offsetof(options, socket),       \
		.value = "PATH", .fallback = TW_LINK_DEFAULT_SOCKET, .help = "the agent's socket" \
	}
#define JSON(options, shape)                                                            \
	{                                                                               \
		.name = "json", .type = TW_ARG_FLAG, .offset = offsetof(options, json), \
		.help = "for programs: " shape                                          \
	}

/* Completes to the workloads that the agent knows, if there is one. */
#define WORKLOADS \
	"$(tapwall ports --json 2>/dev/null | grep -o \"\\\"workload\\\":\\\"[^\\\"]*\" | cut -d\\\" -f4)"

static const struct tw_arg check_args[] = {
	{.name = "FILE",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_check_options, file),
		.positional = true,
		.required = true,
		.help = "the policy; - reads it from stdin"},
	JSON(struct tw_check_options, "one object"),
	{.name = "lowered",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_check_options, lowered),
		.help = "prints the rules with every name resolved"},
	{.name = "print",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_check_options, print),
		.help = "prints the policy back in its canonical form"},
	{.name = "stats",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_check_options, stats),
		.help = "also tells, for each image, whose ports share it, and of each of its views "
			"the engine, the entries, the classes and the bytes"},
};

static const struct tw_arg apply_args[] = {
	{.name = "FILE",
		.type = TW_ARG_FILE,
		.offset = offsetof(struct tw_apply_options, file),
		.positional = true,
		.required = true,
		.help = "the policy; - reads it from stdin"},
	{.name = "dry-run",
		.type = TW_ARG_FLAG,
		.letter = 'n',
		.offset = offsetof(struct tw_apply_options, dry_run),
		.help = "tells what would change, and changes nothing"},
	{.name = "allow-unprotect",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_apply_options, allow_unprotect),
		.help = "also where protected ports then belong to no workload and are NOT FILTERED"},
	JSON(struct tw_apply_options, "one object"),
	SOCKET(struct tw_apply_options),
};

static const struct tw_arg reload_args[] = {
	{.name = "allow-unprotect",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_reload_options, allow_unprotect),
		.help = "also where protected ports then belong to no workload and are NOT FILTERED"},
	JSON(struct tw_reload_options, "one object"),
	SOCKET(struct tw_reload_options),
};

static const struct tw_arg explain_args[] = {
	{.name = "policy",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.offset = offsetof(struct tw_explain_options, policy),
		.help = "the policy to ask"},
	{.name = "live",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_explain_options, live),
		.help = "asks the policy in force instead and the ports as they are, and looks for "
			"the live connection"},
	{.name = "from",
		.type = TW_ARG_TEXT,
		.value = "X",
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_explain_options, from),
		.help = "where the connection comes from: a workload, an address, or "
			"WORKLOAD@ADDRESS"},
	{.name = "to",
		.type = TW_ARG_TEXT,
		.value = "Y",
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_explain_options, to),
		.help = "where it goes, written in the same ways"},
	{.name = "proto",
		.type = TW_ARG_TEXT,
		.complete = "tcp udp icmp icmp6",
		.value = "P",
		.offset = offsetof(struct tw_explain_options, proto),
		.help = "tcp, udp, icmp, icmp6, or the number of any other protocol"},
	{.name = "sport",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, sport),
		.help = "source port of TCP and UDP; one is chosen if not given"},
	{.name = "dport",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, dport),
		.help = "destination port of TCP and UDP"},
	{.name = "type",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, type),
		.help = "ICMP type; an echo request if not given"},
	{.name = "code",
		.type = TW_ARG_TEXT,
		.value = "N",
		.offset = offsetof(struct tw_explain_options, code),
		.help = "ICMP code; 0 if not given"},
	{.name = "batch",
		.type = TW_ARG_FLAG,
		.offset = offsetof(struct tw_explain_options, batch),
		.help = "answers one JSON object per line of stdin with one per line of stdout"},
	JSON(struct tw_explain_options, "one object"),
	SOCKET(struct tw_explain_options),
};

static const struct tw_arg replay_args[] = {
	{.name = "policy",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.required = true,
		.offset = offsetof(struct tw_replay_options, policy),
		.help = "the policy that judges"},
	{.name = "pcap",
		.type = TW_ARG_FILE,
		.value = "FILE",
		.required = true,
		.offset = offsetof(struct tw_replay_options, pcap),
		.help = "the capture, pcap or pcapng; - reads it from stdin"},
	{.name = "at",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.value = "W",
		.offset = offsetof(struct tw_replay_options, at),
		.help = "takes every frame as seen at the port of this workload"},
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
	JSON(struct tw_workloads_options, "one object per workload, or vNIC of one"),
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
		.help = "only connections from or to this workload"},
	{.name = "sort",
		.type = TW_ARG_CHOICE,
		.choices = flow_sorts,
		.fallback = "auto",
		.offset = offsetof(struct tw_flows_options, sort),
		.help = "which come first: the most recently active (auto for people), the "
			"youngest, or the largest; auto for programs: as they come"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_flows_options, limit),
		.help = "at most so many, 0 for all"},
	JSON(struct tw_flows_options, "one object per connection"),
	SOCKET(struct tw_flows_options),
};

static const struct tw_arg rules_args[] = {
	JSON(struct tw_rules_options, "one object per rule"),
	SOCKET(struct tw_rules_options),
};

static const struct tw_arg log_args[] = {
	{.name = "follow",
		.type = TW_ARG_FLAG,
		.letter = 'f',
		.offset = offsetof(struct tw_log_options, follow),
		.help = "goes on with what happens from now on"},
	{.name = "all",
		.type = TW_ARG_FLAG,
		.letter = 'a',
		.offset = offsetof(struct tw_log_options, all),
		.help = "every opening and close, not only denials and rules with log: true"},
	{.name = "workload",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.letter = 'w',
		.value = "W",
		.offset = offsetof(struct tw_log_options, workload),
		.help = "only what was seen at this workload's ports, or is about it"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_log_options, limit),
		.help = "only the last so many of what is remembered, 0 for all"},
	JSON(struct tw_log_options, "one object per entry"),
	SOCKET(struct tw_log_options),
};

/* `all` before what top.h calls views. */
static const char *const top_views[] = {"all", "ports", "connections", "rules", "reasons", NULL};

static const struct tw_arg top_args[] = {
	{.name = "once",
		.type = TW_ARG_FLAG,
		.letter = '1',
		.offset = offsetof(struct tw_top_options, once),
		.help = "prints one interval as text and ends, as it does when stdout is no terminal"},
	{.name = "interval",
		.type = TW_ARG_U32,
		.letter = 'i',
		.value = "S",
		.fallback = "1",
		.min = 1,
		.max = 3600,
		.offset = offsetof(struct tw_top_options, interval),
		.help = "seconds between looks"},
	{.name = "count",
		.type = TW_ARG_U32,
		.letter = 'c',
		.value = "N",
		.offset = offsetof(struct tw_top_options, count),
		.help = "prints so many intervals as text"},
	{.name = "view",
		.type = TW_ARG_CHOICE,
		.letter = 'v',
		.choices = top_views,
		.fallback = "all",
		.offset = offsetof(struct tw_top_options, view),
		.help = "what is shown, on a screen first"},
	{.name = "sort",
		.type = TW_ARG_CHOICE,
		.choices = tw_top_sorts,
		.fallback = "bytes",
		.offset = offsetof(struct tw_top_options, sort),
		.help = "by which rate"},
	{.name = "limit",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.fallback = "20",
		.min = 1,
		.max = 1000,
		.offset = offsetof(struct tw_top_options, limit),
		.help = "at most so many rows of each as text, and so many connections"},
	JSON(struct tw_top_options, "one object per interval"),
	SOCKET(struct tw_top_options),
};

static const struct tw_arg capture_args[] = {
	{.name = "WORKLOAD",
		.type = TW_ARG_TEXT,
		.complete = WORKLOADS,
		.offset = offsetof(struct tw_capture_options, workload),
		.positional = true,
		.required = true,
		.help = "at whose ports; a port's own name will do too"},
	{.name = "write",
		.type = TW_ARG_FILE,
		.letter = 'w',
		.value = "FILE",
		.offset = offsetof(struct tw_capture_options, write),
		.help = "writes whole frames there as pcapng, - to stdout; else a line of text for "
			"each"},
	{.name = "dropped",
		.type = TW_ARG_FLAG,
		.letter = 'd',
		.offset = offsetof(struct tw_capture_options, dropped),
		.help = "only frames that are denied or rejected"},
	{.name = "count",
		.type = TW_ARG_U32,
		.letter = 'n',
		.value = "N",
		.offset = offsetof(struct tw_capture_options, count),
		.help = "ends after so many frames, 0 for never"},
	{.name = "seconds",
		.type = TW_ARG_U32,
		.value = "N",
		.offset = offsetof(struct tw_capture_options, seconds),
		.help = "ends after so many seconds, 0 for never"},
	{.name = "snaplen",
		.type = TW_ARG_U32,
		.letter = 's',
		.value = "N",
		.max = TW_CAPTURE_SNAP_MAX,
		.offset = offsetof(struct tw_capture_options, snap_len),
		.help = "takes so many bytes of a frame, 0 for all"},
	{.name = "buffer",
		.type = TW_ARG_U32,
		.letter = 'B',
		.value = "MIB",
		.fallback = "4",
		.min = 1,
		.max = 64,
		.offset = offsetof(struct tw_capture_options, buffer),
		.help = "memory for frames on their way, for each port"},
	JSON(struct tw_capture_options, "one object per frame, without its payload"),
	SOCKET(struct tw_capture_options),
};

static const struct tw_arg counters_args[] = {
	{.name = "all",
		.type = TW_ARG_FLAG,
		.letter = 'a',
		.offset = offsetof(struct tw_counters_options, all),
		.help = "also the reasons that never occurred"},
	JSON(struct tw_counters_options, "one object per reason, all of them"),
	SOCKET(struct tw_counters_options),
};

static const struct tw_arg version_args[] = {
	JSON(struct tw_version_options, "one object"),
	SOCKET(struct tw_version_options),
};

static const struct tw_args_example check_examples[] = {
	{"tapwall check policy.yaml", "says whether the policy is valid, and where it is not"},
	{"tapwall check --lowered policy.yaml", "shows what its names stand for"},
	{"tapwall check --stats policy.yaml", "shows what its ports' images come to"},
};

static const struct tw_args_example apply_examples[] = {
	{"tapwall apply --dry-run policy.yaml", "shows what would change"},
	{"tapwall apply policy.yaml", "changes it, for live connections too"},
};

static const struct tw_args_example explain_examples[] = {
	{"tapwall explain --policy policy.yaml --from web-1 --to db-1 --proto tcp --dport 5432",
		"may web-1 open a connection to the database, and which rule says so?"},
	{"tapwall explain --live --from 10.9.8.7 --to web-1 --proto icmp",
		"does the policy in force let this host ping web-1?"},
	{"tapwall explain --policy policy.yaml --batch < tuples.jsonl > verdicts.jsonl",
		"answers many questions at once"},
};

static const struct tw_args_example replay_examples[] = {
	{"tapwall replay --policy policy.yaml --pcap traffic.pcapng",
		"what would this policy have done to yesterday's traffic?"},
	{"tcpdump -w - -c 1000 -i tap0 | tapwall replay --policy policy.yaml --pcap - --at web-1",
		"the same for what passes one port right now"},
};

static const struct tw_args_example flows_examples[] = {
	{"tapwall flows --workload db-1", "who talks to the database"},
	{"tapwall flows --sort bytes --limit 10", "the ten connections that moved the most"},
};

static const struct tw_args_example log_examples[] = {
	{"tapwall log --follow", "watches what is denied"},
	{"tapwall log --follow --all --workload web-1", "watches everything web-1 does"},
};

static const struct tw_args_example top_examples[] = {
	{"tapwall top", "the busiest ports, and by key the busiest connections and rules"},
	{"tapwall top --once --view connections --sort packets", "for a report"},
	{"tapwall top --json --interval 10 --count 6 | jq .opened_s",
		"new connections per second, for a minute"},
};

static const struct tw_args_example capture_examples[] = {
	{"tapwall capture web-1 --dropped", "what of web-1's traffic is not let through, and why"},
	{"tapwall capture web-1 -w web-1.pcapng",
		"for later; comments hold verdict, reason and rule"},
	{"tapwall capture db-1 -w - | tcpdump -nr -", "for a program that reads captures"},
};

#define COMMAND(verb, ...)                                                                 \
	{                                                                                  \
		.name = #verb, .args = verb##_args, .n_args = TW_ARGS_N(verb##_args),      \
		.values_size = sizeof(struct tw_##verb##_options), .run = tw_##verb##_run, \
		__VA_ARGS__                                                                \
	}
#define EXAMPLES(verb) .examples = verb##_examples, .n_examples = TW_ARGS_N(verb##_examples)

static const struct tw_args_command commands[] = {
	COMMAND(check, EXAMPLES(check), .summary = "lists everything that is wrong with a policy",
		.description =
			"Every error is told with its line and column, on stderr; a policy with any "
			"is invalid as a whole. Warnings, such as a rule that can never match, are "
			"told too and leave it valid.\n\n"
			"With *--json*: _file_, _valid_, the lists _errors_ and _warnings_ of "
			"_line_, _column_, _text_ and _hint_, and of a valid policy the numbers of "
			"_rules_, _workloads_, _groups_ and _ports_ and its _default_.\n\n"
			"With *--stats* the images are told of as well. An image is a policy compiled "
			"for a port, and ports to whose guests the rules come to the same share one. "
			"Its views judge different local addresses; a view's _cells_ decide by one "
			"table of remote class by service class, and _vectors_ by bits of all its "
			"entries, where _because_ says why cells would not do. Who is in the _groups_ that a "
			"view has rules about is told by a table apart, so that joining one changes no "
			"image but the joining workload's own. With *--json*, each of "
			"_images_ has _workloads_, _bytes_, _compile_ms_, _entries_ and _views_, and "
			"_members_ is the number of addresses in that table."),
	COMMAND(apply, EXAMPLES(apply),
		.summary = "makes a policy the one in force, whole or not at all",
		.description =
			"The agent checks the policy, compiles it for every port and puts it in force "
			"for all of them in one instant. Live connections are judged anew at their "
			"next packet. If anything is wrong, everything that is wrong is told and the "
			"old policy stays.\n\n"
			"A protected port that no workload of the new policy has, as its _port_ or _mac_ "
			"is mistyped or its workload is gone, would be open under *unclaimed: ignore*. "
			"Such a policy is refused, with exit code 1, unless *--allow-unprotect* is given. "
			"What is NOT FILTERED comes first, and lines with *!* say what else weakens "
			"protection, such as another default.\n\n"
			"With *--json*: _ports_unprotected_, their number, _unprotected_ with each _port_ "
			"and the _workload_ it had, _open_, all ports that are not filtered as no "
			"workload has them, _dangers_, _refused_, of a dry run, _generation_, _dry_run_, "
			"_unchanged_, _compile_ms_, "
			"_publish_ms_, under _rules_ and _workloads_ the names that were _added_, "
			"_removed_ and _changed_, and _ports_changed_."),
	COMMAND(reload, .summary = "makes the agent read its policy file again",
		.description =
			"The file is that of the agent's *--policy*. What is printed, and the exit code, "
			"are those of *apply*: if the file is refused, *systemctl reload tapwalld*, which "
			"runs this, fails, and *status* says why until a policy takes effect."),
	COMMAND(explain, EXAMPLES(explain),
		.summary = "tells what would happen to a connection, and why",
		.description =
			"The first packet of the connection is built and taken through the code that "
			"judges packets in the kernel, at every end that the policy protects. The "
			"end that refuses decides, the sending end before the receiving one; of what "
			"is allowed, the rule of the receiving end is named if that is protected.\n\n"
			"A workload with several addresses speaks with one of the family that both "
			"ends have, IPv4 if there is a choice; *WORKLOAD@ADDRESS* says which. A "
			"workload that owns prefixes or any address is found by its name.\n\n"
			"With *--batch* each line of stdin is an object with _from_, _to_, _proto_ "
			"and _sport_, _dport_ or _type_, _code_, and each line of stdout the answer, "
			"in order: _verdict_ (allow, deny, reject, or unprotected when neither end "
			"has a port here), _rule_, _reason_, and for _out_ and _in_ the _port_, "
			"_verdict_ and _rule_ of that end, null when it has no port here. A line "
			"that is no such object is answered by _error_ and its number in _line_; the "
			"exit code is then 2, otherwise 0 whatever the verdicts are.\n\n"
			"With *--json* the answer has these members too, and for each end its "
			"_reason_, _workload_, whether the packet _reached_ it, the _stage_ that "
			"decided and all _stages_ it went through; with *--live* also the _state_ "
			"of the port, whether the end is _judged_ (yes, not-filtered, shut or absent), "
			"_by_policy_, the _verdict_ and _rule_ of the policy alone, _why_ the port is as "
			"it is and its _proof_age_s_; and _n_flows_ with the first _flows_ of this kind.\n\n"
			"With *--live* the agent looks at the hooks of the ports first. An end whose port "
			"is NOT FILTERED, or not on this host, judges nothing; one whose port is shut lets "
			"nothing pass, whatever the policy says. This holds for *--batch*, too."),
	COMMAND(replay, EXAMPLES(replay), .summary = "judges the frames of a capture",
		.description =
			"Frames are judged in order, with the capture's own timestamps as clock, so "
			"that connections open, live and expire as they did. A frame is judged out "
			"of the workload that owns its source MAC, else its source address, and in "
			"to the one that owns its destination. With *--at* every frame is taken as "
			"seen at that workload's port: out of it if it carries the port's MAC or "
			"address as its source, in to it otherwise.\n\n"
			"A frame that concerns no workload is _unprotected_. Captures without "
			"Ethernet headers (raw IP, Linux cooked, BSD loopback) get made-up ones that "
			"pass every check of MAC addresses; link layers that carry no such thing are "
			"told as _unsupported_. A frame that was cut when captured is judged by what "
			"is there and its length on the wire.\n\n"
			"With *--json* each frame has its number _n_, _verdict_, _reason_, _rule_, "
			"and the _workload_ and _direction_ of the end that decided; the last line "
			"is _summary_ with _frames_, _verdicts_ and how many _connections_ were "
			"opened."),
	COMMAND(status, .summary = "the firewall at a glance",
		.description =
			"Ports that are not filtered, and ports that are shut because of what they seem "
			"to be, are told first.\n\n"
			"Connections are told with the memory that each takes, key and table "
			"included; images, which are policies compiled for a port, with the memory "
			"each rule takes in them. _Latch_ tells which new ports the kernel keeps "
			"shut until they are filtered: not those of Open vSwitch, bonds and teams, "
			"which are open until the agent has attached to them, milliseconds after "
			"they appear or as soon as an agent runs. _Proved_ tells when the agent last found both "
			"programs at every port, and how often another tool had removed them.\n\n"
			"With *--json* the members are those of Status in the protocol, tapwall.v1, "
			"in which the numbers are counted as their names say: _connection_bytes_, "
			"_image_bytes_per_rule_, _uptime_s_."),
	COMMAND(ports, .summary = "the ports, who sits behind them, what went through",
		.description =
			"OUT and IN count frames as the workload sees them: out leaves it, in "
			"reaches it. A port is protected, shut when nothing passes, or NOT FILTERED: "
			"no workload of the policy has it, and *unclaimed* in the policy is ignore. "
			"It is _unfiltered_ when no programs are attached and the latch does not see "
			"its frames. TROUBLE tells why a port is not attached. "
			"FOUND BY says why it is its workload's: by its _name_, by its own MAC "
			"(_tap-mac_), or because its guest was the _first-sender_ of the "
			"workload's. What is not filtered, is shut because the signs contradict "
			"each other, or sends as a workload that it does not belong to, is said "
			"before the table.\n\n"
			"With *--json*: _name_, _ifindex_, _workload_, _state_, _mac_, _addresses_, "
			"_bridge_, _packets_, _bytes_ and _denied_ by _out_ and _in_, _rules_ and "
			"_image_bytes_ of its image, _events_limited_ and _events_lost_, "
			"_proof_age_s_, _programs_lost_ and _trouble_, and "
			"_connections_, what its guest has opened of the table: _half_open_, "
			"_established_, _untracked_ (half open without a record now, beyond the "
			"port's half-open quota), _passed_over_quota_ (so far), "
			"_refused_over_quota_; "
			"_open_, when nothing is filtered; _found_by_; _conflict_ and _why_ of a port "
			"that is shut for what it seems to be; _resembles_, the workload that it "
			"sends as."),
	COMMAND(workloads, .summary = "the workloads of the policy, and where they are",
		.description =
			"Each virtual NIC of the policy in force: its port on this host, if it has "
			"one, by what that was found, and the port that the policy names. Ports of "
			"no workload are in *ports*.\n\n"
			"With *--json*: _name_, _port_ and _state_, null when it is not on this host, "
			"_found_by_, _mac_, _named_port_ and _addresses_."),
	COMMAND(groups, .summary = "the groups of the policy, and who is in them",
		.description =
			"Each group of the policy in force: its workloads, by name, by tag or by "
			"pattern, its networks as the policy has them, and the number of addresses "
			"that a rule about the group means. Addresses that DHCP gave to a workload "
			"count.\n\n"
			"With *--json*: _name_, _addresses_ (at most 2^63 - 1), and the lists "
			"_workloads_ and _networks_."),
	COMMAND(flows, EXAMPLES(flows), .summary = "the live connections",
		.description =
			"PACKETS and BYTES are those of the side that opened the connection, REPLIES "
			"and REPLY BYTES of the other. OUT RULE is the rule that decided at the port "
			"it came out of, IN RULE at the port it went in to. Connections that are "
			"half open beyond their port's quota have no record: they are only counted.\n\n"
			"With *--json*: _proto_, _from_ and _to_ with _address_, _port_ and "
			"_workload_, _state_, _packets_ and _bytes_ by _out_ and _in_, _age_s_, "
			"_idle_s_, the _verdict_ and _rule_ at the _out_ and the _in_ end, null for "
			"an end without a port here, _network_; of ICMP also _type_ and _code_."),
	COMMAND(rules, .summary = "the rules with their hits",
		.description =
			"A hit is a connection that the rule decided, counted once even where the "
			"rule decides at both ends. Each attempt to open what a rule refuses is a "
			"hit. What a new policy makes of a live connection is none. Packets and "
			"bytes are those that the rule let pass or refused, each frame once. They "
			"stay with the rule as long as its name stays, or the text of one that has "
			"no name.\n\n"
			"With *--json*: _name_, _action_, _hits_, _packets_, _bytes_, _last_hit_s_, "
			"the seconds since, null if never, _line_ and _text_ as in the policy."),
	COMMAND(log, EXAMPLES(log), .summary = "what was denied, and what rules that log let pass",
		.description =
			"The agent remembers the last few thousand events. Where some are missing, "
			"because they came faster than a port may tell or than they could be read, "
			"the log says how many. A connection between two ports of this host is one "
			"entry: that of the end that refused it, or of the end that it came in to.\n\n"
			"With *--json*: _time_, _event_ (open, close or deny), _verdict_, _reason_, "
			"_rule_, _workload_, _port_, _direction_, _proto_, _from_, _to_, _src_mac_, "
			"_dst_mac_, _ethertype_, _vlan_, _len_, of a denied TCP segment _tcp_ with its "
			"_flags_, _seq_, _ack_ and unscaled _window_, the _verdict_ and _rule_ at the _out_ "
			"and the _in_ end, null for an end that was not asked, _packets_, _bytes_, "
			"_age_s_, _state_ and _lost_before_."),
	COMMAND(top, EXAMPLES(top), .summary = "live: ports, connections and rules by rate",
		.description =
			"On a terminal a screen is kept up to date: *p* shows ports, *c* connections, "
			"*r* rules and *d* the reasons of verdicts, *Tab* the next of them; *s* sorts "
			"by the next rate, the space bar pauses, arrows scroll, *q* ends.\n\n"
			"All figures are per second, of the last interval. OUT left the workload, IN "
			"reached it; of a connection they are those of the side that opened it, and "
			"of the other. Of connections only those that moved the most bytes or "
			"packets are told, so that a large table costs no more than a small one to "
			"look at.\n\n"
			"With *--json*: _time_, _seconds_, _n_connections_, _connections_max_, "
			"_moved_, how many of them anything went through, _opened_s_, and the lists "
			"_ports_ with _name_, _workload_, _state_, _open_, _packets_s_, _bytes_s_, _denied_s_ "
			"and _opened_s_ by _out_ and _in_; _connections_ as in *flows*, with "
			"_packets_s_ and _bytes_s_; _rules_ with _name_, _action_, _line_, _hits_s_, "
			"_packets_s_ and _bytes_s_; _reasons_ with _reason_ and _packets_s_."),
	COMMAND(capture, EXAMPLES(capture),
		.summary = "frames at a workload's ports, with verdict and reason",
		.description =
			"Frames are shown as they were judged, before anything was changed in them; "
			"out left the workload, in was on its way to it. One that goes straight "
			"from one port to another is shown at both. Nothing waits for a capture: "
			"frames that find no room on their way to it are counted, and told; a larger "
			"*--buffer*, or a smaller *--snaplen*, makes them fewer.\n\n"
			"A capture ends with Ctrl-C, after *--count* frames or *--seconds*, or when "
			"whoever asked for it goes away, and costs nothing when there is none. It "
			"follows its workload when ports come and go.\n\n"
			"In a file each packet has a comment such as _verdict=deny reason=policy "
			"rule=no-telnet direction=out stage=classify workload=web-1_, interfaces "
			"are called after the ports, and packets are inbound or outbound as the "
			"workload sees them. The file is whole at every moment.\n\n"
			"With *--json*: _time_, _port_, _workload_, _direction_, _verdict_, _reason_, "
			"_rule_, _stage_, _len_, _vlan_, _proto_, _from_, _to_, _tcp_flags_, _src_mac_, "
			"_dst_mac_, _ethertype_ and _lost_before_; of ICMP also _type_ and _code_."),
	COMMAND(counters, .summary = "frames by the reason of their verdict",
		.description =
			"Every frame is counted under one reason, which is also what *log* and "
			"*explain* give.\n\n"
			"With *--json*: _reason_, _text_, _out_ and _in_."),
	COMMAND(version, .summary = "versions, and what of the kernel is used",
		.description =
			"Without an agent only this program and the kernel are told, and _agent_ is "
			"null.\n\n"
			"With *--json*: _version_, _agent_ with its _version_ and _protocol_, "
			"_kernel_, and the list _features_ of _name_, _found_, _used_ and _note_."),
};

static const struct tw_args_section sections[] = {
	{"EXIT STATUS", "*0*\n\tdone, or allowed\n\n"
			"*1*\n\tthe answer is no: denied, or the policy is invalid\n\n"
			"*2*\n\twrong usage\n\n"
			"*3*\n\tnot permitted, or the kernel lacks something\n\n"
			"*4*\n\tthe agent is not reachable\n\n"
			"*5*\n\tinternal error\n"},
	{"ENVIRONMENT",
		"*NO\\_COLOR*\n\twhen set, nothing is coloured; nothing ever is but on a terminal\n"},
	{"FILES",
		"_/run/tapwall/agent.sock_\n\tthe agent's socket, for root and the group tapwall\n\n"
		"_/etc/tapwall/policy.yaml_\n\tthe policy the agent starts with\n"},
	{"SEE ALSO", "*tapwall*(1), *tapwalld*(8)\n"},
};

const struct tw_args_program tw_cli_program = {
	.name = "tapwall",
	.man_section = 1,
	.summary = "stateful firewall at the taps of virtual machines",
	.commands = commands,
	.n_commands = TW_ARGS_N(commands),
	.sections = sections,
	.n_sections = TW_ARGS_N(sections),
};
