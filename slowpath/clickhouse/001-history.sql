-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
-- needs: 18.16
-- Rows of the history, as tapwall-slowd writes and reads them. A batch is one INSERT. Its rows count if it is not
-- in history_voids. All rows of a batch are in one partition, so that the server stores it as a whole or not at all.
CREATE TABLE IF NOT EXISTS history (
	piece UInt32,
	batch UInt64,
	place UInt32,
	time_us UInt64,
	event Enum8('close' = 0, 'deny' = 1, 'live' = 2),
	verdict Enum8('none' = 0, 'allow' = 1, 'deny' = 2, 'reject' = 3, 'ask' = 4),
	direction Enum8('out' = 0, 'in' = 1),
	reason String,
	state String,
	agent String,
	proto UInt8,
	from_address FixedString(16),
	to_address FixedString(16),
	from_port UInt16,
	to_port UInt16,
	from_workload String,
	to_workload String,
	out_port String,
	in_port String,
	out_rule String,
	in_rule String,
	out_verdict Enum8('none' = 0, 'allow' = 1, 'deny' = 2, 'reject' = 3, 'ask' = 4),
	in_verdict Enum8('none' = 0, 'allow' = 1, 'deny' = 2, 'reject' = 3, 'ask' = 4),
	packets_out UInt64,
	packets_in UInt64,
	bytes_out UInt64,
	bytes_in UInt64,
	duration_ms UInt64,
	idle_ms UInt64,
	time DateTime ALIAS toDateTime(intDiv(time_us, 1000000)),
	rule String ALIAS if(in_verdict = 'none' OR out_verdict NOT IN ('none', 'allow'), out_rule, in_rule),
	from_ip String ALIAS replaceOne(IPv6NumToString(from_address), '::ffff:', ''),
	to_ip String ALIAS replaceOne(IPv6NumToString(to_address), '::ffff:', '')
) ENGINE = MergeTree PARTITION BY piece ORDER BY (time_us, batch, place);

-- What was confirmed to the agents: positions in their journals, and the number of rows ever recorded. The newest row
-- that is not void counts.
CREATE TABLE IF NOT EXISTS history_commits (
	batch UInt64,
	time DateTime,
	recorded UInt64,
	marks Array(String),
	positions Array(UInt64)
) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY batch;

-- Batches that do not count, even if they are stored later: the answer to them was lost, and their rows were sent again.
CREATE TABLE IF NOT EXISTS history_voids (
	batch UInt64
) ENGINE = MergeTree PARTITION BY tuple() ORDER BY batch;

-- Processes that have claimed the database. Only the newest may record.
CREATE TABLE IF NOT EXISTS history_owners (
	epoch UInt64,
	who UInt64,
	released UInt8,
	time DateTime
) ENGINE = MergeTree PARTITION BY tuple() ORDER BY epoch;

-- Uses of rules in partitions that were dropped.
CREATE TABLE IF NOT EXISTS history_uses (
	piece UInt32,
	rule String,
	last_us UInt64,
	uses UInt64
) ENGINE = ReplacingMergeTree PARTITION BY tuple() ORDER BY (piece, rule);
