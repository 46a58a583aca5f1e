-- Halts: the stop, and the pause that keeps its promise.

-- name: begin_halt
-- From the commit of this on no claim of the dispatch can be made.  A stop overrides a pause under way.
UPDATE dispatch SET status = 'changing', changing_to = :changing_to, halts = halts + 1,
    halt_requested_at = clock_timestamp(), halt_key_id = :key_id
WHERE id = :dispatch_id AND status IN ('scheduled', 'sending', 'awaiting', 'paused', 'changing')
RETURNING halts;

-- name: notify
-- Say something to every process, when and if the transaction commits.
SELECT pg_notify('penstock', :said);

-- name: lock_halting
-- Lock a dispatch of any kind to finish its halt.
SELECT status, changing_to FROM dispatch WHERE id = :dispatch_id FOR NO KEY UPDATE;

-- name: find_halting
-- Find dispatches whose halt is under way.  Uses dispatch_unfinished.
SELECT id FROM dispatch WHERE status = 'changing' ORDER BY id LIMIT 1000;

-- name: write_stop_receipt
-- Write the account of a stop; it adds up or the transaction fails.  Uses submission_in_doubt.
INSERT INTO stop_receipt (dispatch_id, requested_at, effective_at, key_id, total, accepted, refused, in_doubt,
                          never_sent, carriers, in_doubt_seqs)
SELECT d.id, d.halt_requested_at, clock_timestamp(), d.halt_key_id, d.messages, c.accepted, c.refused, c.in_doubt,
       d.messages - c.accepted - c.refused - c.in_doubt, c.carriers,
       ARRAY(SELECT seq FROM submission WHERE dispatch_id = d.id AND outcome = 3 ORDER BY seq)
FROM dispatch d
CROSS JOIN LATERAL (
    SELECT coalesce(sum(accepted), 0) AS accepted, coalesce(sum(refused), 0) AS refused,
           coalesce(sum(in_doubt), 0) AS in_doubt,
           coalesce(jsonb_agg(jsonb_build_object('carrier', carrier, 'accepted', accepted, 'refused', refused,
                                                 'in_doubt', in_doubt) ORDER BY carrier NULLS LAST)
                    FILTER (WHERE accepted + refused + in_doubt > 0), '[]') AS carriers
    FROM (SELECT carrier.name AS carrier, sum(accepted)::bigint AS accepted, sum(refused)::bigint AS refused,
                 sum(in_doubt)::bigint AS in_doubt
          FROM tally LEFT JOIN carrier ON carrier.id = tally.carrier_id
          WHERE tally.dispatch_id = d.id GROUP BY carrier.name) AS each
) AS c
WHERE d.id = :dispatch_id;

-- name: finish_halt
-- Make the halt take effect.
UPDATE dispatch SET status = changing_to, changing_to = NULL,
    finished_at = CASE WHEN changing_to = 'stopped' THEN clock_timestamp() END,
    settle_at = CASE WHEN changing_to = 'stopped'
        THEN clock_timestamp() + make_interval(secs => coalesce(ttl, :lifetime::integer)) ELSE settle_at END
WHERE id = :dispatch_id AND status = 'changing';

-- name: get_stop_receipt
-- Read the account of a stop.
SELECT r.*, (SELECT coalesce(sum(late), 0)::bigint FROM tally WHERE tally.dispatch_id = r.dispatch_id) AS late
FROM stop_receipt r WHERE r.dispatch_id = :dispatch_id;
