-- SPDX-License-Identifier: Apache-2.0
-- When a name was last looked up by somebody who stores rows under its number, so that names
-- without rows can go. Writers look each up again once a day at least. NULL: it stays.
ALTER TABLE components ADD COLUMN used_at timestamptz;
ALTER TABLE metric_sets ADD COLUMN used_at timestamptz;
UPDATE components SET used_at = now();
UPDATE metric_sets SET used_at = now();
-- Numbers are few: those of sets that went are given out again.
ALTER TABLE metric_sets ALTER COLUMN id SET CYCLE;
