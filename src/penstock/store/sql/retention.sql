-- Retention: periods begin, end, and are dropped whole; what is left of them; small tables that would grow.

-- name: make_partitions
-- Make room for the dispatches to come.
SELECT ensure_partitions();

-- name: begin_period
-- Move on to the next period if the present one is old or large enough.
SELECT begin_period(:longest::interval, :largest::bigint);

-- name: note_ended
-- Note which periods hold nothing but dispatches that are final and have all their receipts; no id is drawn of them
-- any more.  An hour after the last draw every transaction that drew one is over.  Uses the primary key of
-- dispatch and stops at the first dispatch that is not final.
UPDATE period SET ended_at = clock_timestamp()
WHERE closed_at < clock_timestamp() - interval '1 hour' AND ended_at IS NULL
  AND NOT EXISTS (SELECT FROM dispatch WHERE id >= period.first_id AND id < period.end_id
                  AND (status NOT IN ('done', 'stopped') OR settle_at IS NOT NULL))
RETURNING first_id;

-- name: count_held_back
-- Count for each period that should have gone by now the dispatches that keep it, and name the first of them.
SELECT p.first_id, count(*) AS dispatches, min(d.id) AS first_dispatch
FROM period p JOIN dispatch d ON d.id >= p.first_id AND d.id < p.end_id
WHERE p.closed_at < clock_timestamp() - :kept::interval AND p.ended_at IS NULL
  AND (d.status NOT IN ('done', 'stopped') OR d.settle_at IS NOT NULL)
GROUP BY p.first_id ORDER BY p.first_id;

-- name: end_drafts
-- End dispatches that were never started, of periods that were closed long ago: their messages are unsent by that.
WITH old AS (
    SELECT d.id FROM period p JOIN dispatch d ON d.id >= p.first_id AND d.id < p.end_id
    WHERE p.closed_at < clock_timestamp() - :kept::interval AND p.ended_at IS NULL AND d.status = 'initiated'
    ORDER BY d.id LIMIT 1000 FOR NO KEY UPDATE OF d SKIP LOCKED
), gone AS (
    DELETE FROM slice USING old WHERE slice.dispatch_id = old.id
)
UPDATE dispatch SET status = 'done', started_at = clock_timestamp(), finished_at = clock_timestamp(),
    wake_at = 'infinity'
FROM old WHERE dispatch.id = old.id
RETURNING dispatch.id;

-- name: find_forsaken
-- Find dispatches of such periods that have been paused for as long.
SELECT d.id, d.zones FROM period p JOIN dispatch d ON d.id >= p.first_id AND d.id < p.end_id
WHERE p.closed_at < clock_timestamp() - :kept::interval AND p.ended_at IS NULL
  AND d.status = 'paused' AND d.halt_requested_at < clock_timestamp() - :kept::interval
ORDER BY d.id LIMIT 1000;

-- name: mark_dropped
-- From the commit of this on the messages of periods that ended long ago are not shown.
UPDATE period SET dropped_at = clock_timestamp()
WHERE ended_at < clock_timestamp() - :kept::interval AND dropped_at IS NULL
RETURNING first_id;

-- name: find_dropped
-- Find the periods of which more than totals is left, oldest first.
SELECT first_id, end_id FROM period WHERE dropped_at IS NOT NULL AND emptied_at IS NULL ORDER BY first_id;

-- name: is_final
-- Tell whether every dispatch of a period is final.
SELECT NOT EXISTS (SELECT FROM dispatch WHERE id >= :first_id AND id < :end_id AND status NOT IN ('done', 'stopped'));

-- name: next_step
-- Say what brings the partitions of a period one step nearer to their end, messages first; no row: they are gone.
-- DETACH … CONCURRENTLY waits for those who read and write the table but holds nobody up; one that was broken
-- off has to be finished before the next can begin.
SELECT fact.name AS fact, i.inhrelid IS NOT NULL AS is_attached,
    CASE WHEN i.inhrelid IS NULL THEN format('DROP TABLE %s', part.name)
         WHEN i.inhdetachpending THEN format('ALTER TABLE %I DETACH PARTITION %s FINALIZE', fact.name, part.name)
         ELSE format('ALTER TABLE %I DETACH PARTITION %s CONCURRENTLY', fact.name, part.name) END AS step
FROM unnest(ARRAY['message', 'submission', 'receipt']) WITH ORDINALITY AS fact (name, place)
CROSS JOIN LATERAL to_regclass(format('%I', fact.name || '_' || :first_id::bigint)) AS part (name)
LEFT JOIN pg_inherits i ON i.inhrelid = part.name
WHERE part.name IS NOT NULL
ORDER BY fact.place LIMIT 1;

-- name: say_attach
-- Say how the messages of a period come back.
SELECT format('ALTER TABLE message ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', 'message_' || first_id,
              first_id, end_id)
FROM period WHERE first_id = :first_id;

-- name: unmark
-- Take back that a period ended.
UPDATE period SET ended_at = NULL, dropped_at = NULL WHERE first_id = :first_id;

-- name: forget_singles
-- Delete up to *most* anonymous dispatches of a dropped period with their counters; the next ones are after the
-- largest id of the answer.  Uses the primary keys.
WITH few AS (
    SELECT id FROM dispatch WHERE id > :after AND id < :end_id AND is_anonymous ORDER BY id LIMIT :most
), counted AS (
    DELETE FROM tally USING few WHERE tally.dispatch_id = few.id
)
DELETE FROM dispatch USING few WHERE dispatch.id = few.id
RETURNING dispatch.id;

-- name: fold_tallies
-- Fold the counters of up to *most* dispatches of a dropped period into one row for each carrier.
WITH few AS (
    SELECT DISTINCT dispatch_id FROM tally
    WHERE dispatch_id >= :first_id AND dispatch_id < :end_id AND sender_id <> 0 ORDER BY dispatch_id LIMIT :most
), gone AS (
    DELETE FROM tally USING few WHERE tally.dispatch_id = few.dispatch_id
    RETURNING tally.*
)
INSERT INTO tally (dispatch_id, sender_id, carrier_id, accepted, accepted_parts, refused, refused_parts,
    in_doubt, in_doubt_parts, delivered, delivered_parts, undelivered, undelivered_parts, unsent, unsent_parts, late)
SELECT dispatch_id, 0, carrier_id, sum(accepted), sum(accepted_parts), sum(refused), sum(refused_parts),
    sum(in_doubt), sum(in_doubt_parts), sum(delivered), sum(delivered_parts), sum(undelivered),
    sum(undelivered_parts), sum(unsent), sum(unsent_parts), sum(late)
FROM gone GROUP BY dispatch_id, carrier_id
RETURNING dispatch_id;

-- name: forget_slices
-- Delete what a stop left unclaimed in a dropped period.
DELETE FROM slice WHERE dispatch_id >= :first_id AND dispatch_id < :end_id;

-- name: note_emptied
-- Note that only totals are left of a period.
UPDATE period SET emptied_at = clock_timestamp() WHERE first_id = :first_id;

-- name: is_kept
-- Tell whether the messages of a dispatch are still there.
SELECT dropped_at IS NULL FROM period WHERE first_id <= :dispatch_id ORDER BY first_id DESC LIMIT 1;

-- name: be_the_only_one
-- Let nobody else retain at the same time, as long as this connection lives; false: somebody does already.
SELECT pg_try_advisory_lock(7360002);

-- name: drop_answers
-- Forget the answers to Idempotency-Keys after a day.
DELETE FROM idempotency WHERE created_at < clock_timestamp() - interval '24 hours';

-- name: forget_senders
-- Forget senders that ended a day ago.
DELETE FROM sender
WHERE ended_at < clock_timestamp() - interval '1 day' AND NOT EXISTS (SELECT FROM claim WHERE sender_id = sender.id);
