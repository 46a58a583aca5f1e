-- Halts: the stop, and the pause that keeps its promise.

-- name: begin_halt
-- Mark a dispatch that stands in one of the *movable* statuses, and tell every process (`penstock.engine.signals`): from
-- the commit of this on no claim of it can be made.  A stop overrides a pause under way; any other halt under way stays
-- as it is.  All in one statement, since each further one would have to wait for its turn on a busy machine.
WITH found AS (
    SELECT id, status, changing_to FROM dispatch
    WHERE id = :dispatch_id AND account_id = :account_id AND NOT is_anonymous
    FOR NO KEY UPDATE
), marked AS (
    UPDATE dispatch SET status = 'changing', changing_to = :changing_to::text, halts = halts + 1,
        halt_requested_at = clock_timestamp(), halt_key_id = :key_id
    FROM found
    WHERE dispatch.id = found.id AND found.status = ANY(:movable::text[])
      AND (found.changing_to IS NULL OR found.changing_to = 'paused' AND :changing_to::text = 'stopped')
    RETURNING dispatch.id, dispatch.halts
)
SELECT found.status, found.changing_to, marked.halts,
       EXISTS (SELECT FROM claim WHERE claim.dispatch_id = found.id) AS is_held,
       CASE WHEN marked.id IS NOT NULL THEN pg_notify('penstock', format('halted %s %s', marked.id, halts)) END
FROM found LEFT JOIN marked USING (id);

-- name: notify
-- Say something to every process, when and if the transaction commits.
SELECT pg_notify('penstock', :said);

-- name: lock_halting
-- Lock a dispatch of any kind to turn the claims of dead senders into facts.
SELECT status FROM dispatch WHERE id = :dispatch_id FOR NO KEY UPDATE;

-- name: find_halting
-- Find dispatches whose halt is under way.  Uses dispatch_unfinished.
SELECT id FROM dispatch WHERE status = 'changing' ORDER BY id LIMIT 1000;

-- name: finish_halt
-- Make a halt take effect unless a claim of the dispatch is held, tell every process, and write the account of a stop,
-- which adds up or the statement fails.  All that is read here is of one moment: if no claim is left in it, neither is
-- a fact missing of those that senders wrote when they gave their claims up.  A halt that began after that moment is
-- not finished.  Uses submission_in_doubt.
WITH seen AS (
    SELECT id, status, halts, EXISTS (SELECT FROM claim WHERE claim.dispatch_id = dispatch.id) AS is_held
    FROM dispatch WHERE id = :dispatch_id
), ended AS (
    UPDATE dispatch SET status = changing_to, changing_to = NULL,
        finished_at = CASE WHEN changing_to = 'stopped' THEN clock_timestamp() END,
        settle_at = CASE WHEN changing_to = 'stopped'
            THEN clock_timestamp() + make_interval(secs => coalesce(ttl, :lifetime::integer)) ELSE settle_at END
    FROM seen
    WHERE dispatch.id = seen.id AND seen.status = 'changing' AND NOT seen.is_held
      AND dispatch.status = 'changing' AND dispatch.halts = seen.halts
    RETURNING dispatch.*
), account AS (
    INSERT INTO stop_receipt (dispatch_id, requested_at, effective_at, key_id, total, accepted, refused, in_doubt,
                              never_sent, carriers, in_doubt_seqs)
    SELECT d.id, d.halt_requested_at, clock_timestamp(), d.halt_key_id, d.messages, c.accepted, c.refused, c.in_doubt,
           d.messages - c.accepted - c.refused - c.in_doubt, c.carriers,
           ARRAY(SELECT seq FROM submission WHERE dispatch_id = d.id AND outcome = 3 ORDER BY seq)
    FROM ended d
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
    WHERE d.status = 'stopped'
)
SELECT coalesce(ended.status, seen.status) AS status, seen.is_held, ended.id IS NOT NULL AS is_ended,
       CASE WHEN ended.id IS NOT NULL THEN pg_notify('penstock', format('released %s', ended.id)) END
FROM seen LEFT JOIN ended USING (id);

-- name: get_stop_receipt
-- Read the account of a stop.
SELECT r.*, (SELECT coalesce(sum(late), 0)::bigint FROM tally WHERE tally.dispatch_id = r.dispatch_id) AS late
FROM stop_receipt r WHERE r.dispatch_id = :dispatch_id;
