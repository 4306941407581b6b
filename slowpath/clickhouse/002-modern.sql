-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
-- needs: 21.8
-- Newer servers store names as numbers, compress columns of numbers better, and wait for the disk before they confirm.
ALTER TABLE history
	MODIFY COLUMN batch UInt64 CODEC(DoubleDelta, LZ4),
	MODIFY COLUMN place UInt32 CODEC(Delta, LZ4),
	MODIFY COLUMN reason LowCardinality(String),
	MODIFY COLUMN state LowCardinality(String),
	MODIFY COLUMN agent LowCardinality(String),
	MODIFY COLUMN from_workload LowCardinality(String),
	MODIFY COLUMN to_workload LowCardinality(String),
	MODIFY COLUMN out_port LowCardinality(String),
	MODIFY COLUMN in_port LowCardinality(String),
	MODIFY COLUMN out_rule LowCardinality(String),
	MODIFY COLUMN in_rule LowCardinality(String),
	MODIFY COLUMN packets_out UInt64 CODEC(T64, LZ4),
	MODIFY COLUMN packets_in UInt64 CODEC(T64, LZ4),
	MODIFY COLUMN bytes_out UInt64 CODEC(T64, LZ4),
	MODIFY COLUMN bytes_in UInt64 CODEC(T64, LZ4),
	MODIFY COLUMN duration_ms UInt64 CODEC(T64, LZ4),
	MODIFY COLUMN idle_ms UInt64 CODEC(T64, LZ4);

ALTER TABLE history MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE history_commits MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE history_voids MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE history_owners MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
