-- What must happen by itself, whoever finds it first.

-- name: take_round
-- Take the next round, which one process a quarter of a second may.
UPDATE sweep SET next_at = clock_timestamp() + interval '0.2 seconds', rounds = rounds + 1
WHERE next_at <= clock_timestamp()
RETURNING rounds;

-- name: wake_scheduled
-- Begin to send what was scheduled.  Uses dispatch_scheduled.
WITH due AS (
    SELECT id FROM dispatch WHERE status = 'scheduled' AND wake_at <= now()
    ORDER BY wake_at LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE dispatch SET status = 'sending' FROM due WHERE dispatch.id = due.id RETURNING dispatch.id;

-- name: find_settling
-- Find dispatches that may have nothing left to send, or nothing left to wait for.
-- Uses dispatch_claimed and dispatch_unfinished.
(SELECT id, status FROM dispatch WHERE status = 'sending' AND wake_at = 'infinity' ORDER BY id LIMIT 1000)
UNION ALL
(SELECT id, status FROM dispatch WHERE status = 'awaiting' AND id > :after ORDER BY id LIMIT 1000);

-- name: settle_dispatches
-- Move dispatches on: all sent → awaiting; all statuses known → done.  What comes back to a dispatch changes its
-- wake_at under the same lock, so that a stale look is looked at again.
WITH candidate AS (
    SELECT id FROM dispatch
    WHERE id = ANY(:dispatch_ids::bigint[])
      AND (status = 'awaiting' OR (status = 'sending' AND wake_at = 'infinity')
           OR (status IN ('paused', 'scheduled') AND :expired::boolean))
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), judged AS (
    SELECT d.id, d.messages = coalesce((
            SELECT sum(delivered + undelivered + unsent + refused) FROM tally WHERE tally.dispatch_id = d.id), 0) AS is_done
    FROM candidate JOIN dispatch d ON d.id = candidate.id
    WHERE NOT EXISTS (SELECT FROM slice WHERE slice.dispatch_id = d.id)
      AND NOT EXISTS (SELECT FROM claim WHERE claim.dispatch_id = d.id)
)
UPDATE dispatch SET
    status = CASE WHEN is_done THEN 'done' ELSE 'awaiting' END,
    finished_at = CASE WHEN is_done THEN clock_timestamp() END,
    settle_at = CASE WHEN NOT is_done
        THEN coalesce(settle_at, clock_timestamp() + make_interval(secs => coalesce(ttl, :lifetime::integer))) END
FROM judged
WHERE dispatch.id = judged.id AND (is_done OR status <> 'awaiting')
RETURNING dispatch.id, status;

-- name: find_completing
-- Find dispatches of which some messages may be past their completion time or their lifetime.
-- Uses dispatch_completing and dispatch_expiring: of a million single messages that wait it looks at none in vain.
SELECT id, is_anonymous, zones, default_zone, use_local_time, send_time, completion_time, hours, days,
       clock_timestamp() AS now
FROM dispatch
WHERE id IN (
    (SELECT id FROM dispatch
     WHERE completion_time < (clock_timestamp() AT TIME ZONE 'UTC') + interval '14 hours'
       AND completion_time IS NOT NULL AND status IN ('scheduled', 'sending', 'paused')
     ORDER BY completion_time LIMIT 1000)
    UNION ALL
    (SELECT id FROM dispatch
     WHERE status = 'sending' AND expires_at <= now()
     ORDER BY expires_at LIMIT 1000))
ORDER BY id;

-- name: expire_slices
-- Write as unsent up to *most* messages that were not claimed in time; the dispatch is locked.
WITH few AS (
    SELECT end_seq, next_seq, sum(end_seq - next_seq) OVER (ORDER BY end_seq) - (end_seq - next_seq) AS before
    FROM slice WHERE dispatch_id = :dispatch_id AND zone = ANY(:zones::text[])
), run AS (
    SELECT next_seq, end_seq, least(end_seq, next_seq + :most::integer - before)::integer AS stop_seq
    FROM few WHERE before < :most::integer
), gone AS (
    DELETE FROM slice USING run
    WHERE slice.dispatch_id = :dispatch_id AND slice.end_seq = run.end_seq AND run.stop_seq = run.end_seq
), moved AS (
    UPDATE slice SET next_seq = run.stop_seq FROM run
    WHERE slice.dispatch_id = :dispatch_id AND slice.end_seq = run.end_seq AND run.stop_seq < run.end_seq
), expired AS (
    SELECT m.seq, m.parts FROM run
    JOIN message m ON m.dispatch_id = :dispatch_id AND m.seq >= run.next_seq AND m.seq < run.stop_seq
), recorded AS (
    INSERT INTO receipt (dispatch_id, seq, status, code, done_at)
    SELECT :dispatch_id, seq, 3, 7062, clock_timestamp() FROM expired
)
INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, unsent, unsent_parts)
SELECT :dispatch_id, 0, 0, count(*), sum(parts) FROM expired HAVING count(*) > 0
ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET
    unsent = t.unsent + EXCLUDED.unsent, unsent_parts = t.unsent_parts + EXCLUDED.unsent_parts
RETURNING unsent;

-- name: sleep_if_empty
-- Note where nothing is left to claim; the dispatches are locked.
UPDATE dispatch SET wake_at = 'infinity'
WHERE id = ANY(:dispatch_ids::bigint[]) AND NOT EXISTS (SELECT FROM slice WHERE slice.dispatch_id = dispatch.id);

-- name: find_outlived
-- Find dispatches whose last messages have had their lifetime.
SELECT id FROM dispatch WHERE settle_at <= clock_timestamp() ORDER BY settle_at LIMIT 100;

-- name: outlive_messages
-- Write as undelivered those of the *most* messages after *after* whose receipt did not come in their lifetime.
-- Uses the primary keys, and looks at each message once, however many had their receipt.
WITH late AS (
    SELECT s.dispatch_id, s.seq, s.outcome, s.carrier_id
    FROM submission s
    WHERE s.dispatch_id = :dispatch_id AND s.seq > :after AND s.seq <= :after + :most AND s.outcome IN (1, 3)
      AND NOT EXISTS (SELECT FROM receipt r WHERE r.dispatch_id = s.dispatch_id AND r.seq = s.seq)
), recorded AS (
    INSERT INTO receipt (dispatch_id, seq, status, code, done_at)
    SELECT dispatch_id, seq, 2, CASE outcome WHEN 3 THEN 7064 ELSE 7060 END, clock_timestamp() FROM late
    ON CONFLICT (dispatch_id, seq) DO NOTHING
    RETURNING dispatch_id, seq
)
INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, undelivered, undelivered_parts)
SELECT recorded.dispatch_id, 0, coalesce(late.carrier_id, 0), count(*), sum(m.parts)
FROM recorded JOIN late USING (dispatch_id, seq) JOIN message m USING (dispatch_id, seq)
GROUP BY recorded.dispatch_id, late.carrier_id
ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET
    undelivered = t.undelivered + EXCLUDED.undelivered,
    undelivered_parts = t.undelivered_parts + EXCLUDED.undelivered_parts
RETURNING undelivered;

-- name: forget_settling
-- Note that a dispatch has nothing more to wait for, if *after* is at its end; no row: there is more.
UPDATE dispatch SET settle_at = NULL WHERE id = :dispatch_id AND next_seq <= :after + 1 RETURNING id;

-- name: fold_counts
-- Make one row of all that tell of the same dispatches; who reads meanwhile sees either those or this one.
WITH many AS (
    SELECT account_id, traffic_center_id, status FROM dispatch_count
    GROUP BY account_id, traffic_center_id, status HAVING count(*) > 1
), old AS (
    SELECT dispatch_count.ctid AS place FROM dispatch_count JOIN many USING (account_id, traffic_center_id, status)
    FOR UPDATE OF dispatch_count SKIP LOCKED
), gone AS (
    DELETE FROM dispatch_count USING old WHERE dispatch_count.ctid = old.place RETURNING dispatch_count.*
)
INSERT INTO dispatch_count (account_id, traffic_center_id, status, change)
SELECT account_id, traffic_center_id, status, sum(change) FROM gone
GROUP BY account_id, traffic_center_id, status HAVING sum(change) <> 0;

-- name: note_late
-- Count what a sender that lost its lease had written after a stop took effect; it must be nothing.
INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, late)
SELECT dispatch_id, :sender_id, 0, sum(count)
FROM unnest(:dispatch_ids::bigint[], :written_ats::timestamptz[], :counts::integer[])
    AS written (dispatch_id, written_at, count)
JOIN stop_receipt USING (dispatch_id)
WHERE written.written_at > stop_receipt.effective_at
GROUP BY dispatch_id
ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET late = t.late + EXCLUDED.late
RETURNING late;

-- name: read_clock
-- Read the one clock that all processes share.
SELECT clock_timestamp();
