# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# plots.jq: converts results.json to a table for plots.gp, separated by tabs:
#   cost  SYSTEM  PLACE  RATIO          median of a scenario divided by that of `bare`
#   rules SYSTEM  RULES  MICROSECONDS   CPU time for a new connection
#   name  PLACE   TEXT   BELOW          label of a scenario, in two lines

def places: [
	["established-64B", "cpu_ns_per_frame", "established\t64 B"],
	["established-1400B", "cpu_ns_per_frame", "established\t1400 B"],
	["bulk-gso", "cpu_ns_per_frame", "bulk-gso\t64 KB"],
	["new-connection", "cpu_ns_per_frame", "new-connection\tone SYN each"],
	["denied", "cpu_ns_per_frame", "denied\ta SYN each"],
	["crr", "cpu_us_per_connection", "crr\tTCP stacks"],
	["latency", "latency_us_p50", "latency\tmedian"]
];

.rows as $rows
| (places | to_entries[] | "name\t\(.key)\t\(.value[2])"),
  (places | to_entries[] | .key as $place | .value as $p
	| $rows[] | select(.scenario == $p[0] and .metric == $p[1] and .vs_bare and .system != "bare")
	| "cost\t\(.system)\t\($place)\t\(.vs_bare)"),
  ($rows[] | select(.metric == "cpu_ns_per_frame")
	| (.scenario | capture("^new-connection-(?<n>[0-9]+)(?<k>k?)-rules$")) as $m
	| "rules\t\(.system)\t\(($m.n | tonumber) * (if $m.k == "k" then 1000 else 1 end))\t\(.value / 1000)")
