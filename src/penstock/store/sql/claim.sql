-- Claims: who may hand over which messages now.

-- name: pick_dispatches
-- Lock the dispatches whose turn it is; a locked one is being claimed from by another sender, or is just being stopped.
-- Uses dispatch_claimable for all of (priority, wake_at), which takes now(), for a volatile clock cannot be looked up in
-- an index: with 10,000 dispatches asleep 0.2 ms instead of 20.  Competitors are counted once for each account and
-- priority, up to a hundred.
WITH picked AS MATERIALIZED (
    SELECT id, account_id, priority, sender_name, content, ttl, halts, turn, zones, default_zone,
           use_local_time, send_time, completion_time, hours, days, rate_unit, rate_value, rate_next_at
    FROM dispatch
    WHERE status = 'sending' AND wake_at <= now() AND priority <= :lowest
      AND channel_type = ANY(:channel_types)
    ORDER BY priority, turn
    LIMIT :most
    FOR NO KEY UPDATE SKIP LOCKED
), crowd AS MATERIALIZED (
    SELECT account_id, priority, (
        SELECT count(*) FROM (
            SELECT 1 FROM dispatch other
            WHERE other.account_id = each.account_id AND other.priority = each.priority
              AND other.status = 'sending' LIMIT 100) AS few) AS siblings
    FROM (SELECT DISTINCT account_id, priority FROM picked) AS each
)
SELECT picked.*, crowd.siblings, clock_timestamp() AS now
FROM picked JOIN crowd USING (account_id, priority)
ORDER BY priority, turn;

-- name: take_runs
-- Move runs of messages from the slices of locked dispatches to claims of one sender, at most *budget* of each.
-- Uses the primary key of slice; at most 64 slices a dispatch are looked at.
WITH wanted AS (
    SELECT * FROM unnest(:dispatch_ids::bigint[], :budgets::integer[], :zones::text[])
        AS wanted (dispatch_id, budget, zones)
), run AS (
    SELECT wanted.dispatch_id, s.zone, s.next_seq, s.end_seq,
           least(s.end_seq, s.next_seq + wanted.budget - s.before)::integer AS stop_seq
    FROM wanted CROSS JOIN LATERAL (
        SELECT few.*, sum(end_seq - next_seq) OVER (ORDER BY end_seq) - (end_seq - next_seq) AS before
        FROM (SELECT next_seq, end_seq, zone FROM slice
              WHERE slice.dispatch_id = wanted.dispatch_id
                AND zone = ANY(string_to_array(wanted.zones, ','))
              ORDER BY end_seq LIMIT 64) AS few
    ) AS s
    WHERE s.before < wanted.budget
), gone AS (
    DELETE FROM slice USING run
    WHERE slice.dispatch_id = run.dispatch_id AND slice.end_seq = run.end_seq AND run.stop_seq = run.end_seq
), moved AS (
    UPDATE slice SET next_seq = run.stop_seq FROM run
    WHERE slice.dispatch_id = run.dispatch_id AND slice.end_seq = run.end_seq AND run.stop_seq < run.end_seq
)
INSERT INTO claim (dispatch_id, first_seq, end_seq, sender_id, zone)
SELECT dispatch_id, next_seq, stop_seq, :sender_id, zone FROM run
RETURNING dispatch_id, first_seq, end_seq, zone;

-- name: advance_dispatches
-- Note what a claim spent, and when the next one can find something.
UPDATE dispatch SET
    turn = spent.turn,
    rate_next_at = spent.rate_next_at,
    wake_at = CASE
        WHEN NOT EXISTS (SELECT FROM slice WHERE slice.dispatch_id = dispatch.id) THEN 'infinity'
        WHEN EXISTS (SELECT FROM slice WHERE slice.dispatch_id = dispatch.id
                     AND zone = ANY(string_to_array(spent.zones, ','))) THEN spent.wake_at
        ELSE greatest(spent.wake_at, spent.opens_at)
    END
FROM unnest(:dispatch_ids::bigint[], :turns::bigint[], :rate_next_ats::timestamptz[], :wake_ats::timestamptz[],
            :opens_ats::timestamptz[], :zones::text[])
    AS spent (dispatch_id, turn, rate_next_at, wake_at, opens_at, zones)
WHERE dispatch.id = spent.dispatch_id;

-- name: read_messages
-- Read what has been claimed.  Uses the primary key of message.
SELECT seq, destination, parts, substitutions
FROM unnest(:dispatch_ids::bigint[], :first_seqs::integer[], :end_seqs::integer[])
    AS run (dispatch_id, first_seq, end_seq)
JOIN message ON message.dispatch_id = run.dispatch_id AND seq >= run.first_seq AND seq < run.end_seq
ORDER BY message.dispatch_id, seq;

-- name: read_run
-- Read one claimed run.  Uses the primary key of message.
SELECT seq, destination, parts, substitutions
FROM message
WHERE dispatch_id = :dispatch_id AND seq >= :first_seq AND seq < :end_seq
ORDER BY seq;

-- name: lock_dispatches
-- Lock dispatches in the one order that all lockers use.
SELECT id, status FROM dispatch WHERE id = ANY(:dispatch_ids::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: find_own_claims
-- Find all that a sender has claimed.  Uses claim_sender.
SELECT dispatch_id, first_seq, end_seq, zone FROM claim WHERE sender_id = :sender_id;
