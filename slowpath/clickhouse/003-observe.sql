-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
-- needs: 18.16
-- Adds the verdict would-deny, of a frame that passed only because its workload was observed.
ALTER TABLE history MODIFY COLUMN verdict Enum8('none' = 0, 'allow' = 1, 'deny' = 2, 'reject' = 3, 'ask' = 4, 'would-deny' = 5);
ALTER TABLE history MODIFY COLUMN out_verdict Enum8('none' = 0, 'allow' = 1, 'deny' = 2, 'reject' = 3, 'ask' = 4, 'would-deny' = 5);
ALTER TABLE history MODIFY COLUMN in_verdict Enum8('none' = 0, 'allow' = 1, 'deny' = 2, 'reject' = 3, 'ask' = 4, 'would-deny' = 5);
