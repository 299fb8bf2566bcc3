-- SPDX-License-Identifier: Apache-2.0
-- When a name was last looked up by somebody who stores rows under its number, so that names
-- without rows can go. Writers look each up again once a day at least. NULL: it stays.
ALTER TABLE components ADD COLUMN used_at INTEGER;
ALTER TABLE metric_sets ADD COLUMN used_at INTEGER;
UPDATE components SET used_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
UPDATE metric_sets SET used_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
