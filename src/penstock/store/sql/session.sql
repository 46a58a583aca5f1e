-- Transactions as such.

-- name: prepare_mark
-- Prepare for each transaction of this session: to note its number, if it has written something, in a place that no
-- other uses now.
PREPARE mark (uuid, smallint, bigint) AS
INSERT INTO commit_mark AS mark (owner, slot, number)
SELECT $1, $2, $3 WHERE pg_current_xact_id_if_assigned() IS NOT NULL
ON CONFLICT (owner, slot) DO UPDATE SET number = EXCLUDED.number, noted_at = clock_timestamp();

-- name: close_mark
-- Tell whether *number* was the last transaction that committed here, waiting for one that is just committing.  If it
-- was not it never will: should its session, cut off, still be at work, it fails when it comes to its mark.
INSERT INTO commit_mark AS mark (owner, slot, number, closed) VALUES (:owner, :slot, 0, :number)
ON CONFLICT (owner, slot) DO UPDATE SET
    number = CASE WHEN mark.number = :number THEN mark.number ELSE 0 END,
    closed = CASE WHEN mark.number = :number THEN mark.closed ELSE :number END
RETURNING number <> 0;

-- name: drop_marks
-- Forget the marks of processes that are gone.
DELETE FROM commit_mark WHERE noted_at < clock_timestamp() - interval '1 day';
