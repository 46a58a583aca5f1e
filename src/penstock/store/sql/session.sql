-- Transactions as such.

-- name: prepare_mark
-- Prepare for each transaction of this session: to note its number, if it has written something, in a place that no
-- other uses now.
PREPARE mark (uuid, smallint, bigint) AS
INSERT INTO commit_mark AS mark (owner, slot, number)
SELECT $1, $2, $3 WHERE pg_current_xact_id_if_assigned() IS NOT NULL
ON CONFLICT (owner, slot) DO UPDATE SET number = EXCLUDED.number, noted_at = clock_timestamp();

-- name: read_mark
-- Read the number of the last transaction that has committed here; waits for one that is just committing.
INSERT INTO commit_mark AS mark (owner, slot, number) VALUES (:owner, :slot, 0)
ON CONFLICT (owner, slot) DO UPDATE SET number = mark.number
RETURNING number;

-- name: drop_marks
-- Forget the marks of processes that are gone.
DELETE FROM commit_mark WHERE noted_at < clock_timestamp() - interval '1 day';
