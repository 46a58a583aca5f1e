-- Dispatches: what clients make, ask for and change; halting one is in halt.sql.

-- name: insert_dispatch
-- Store a new dispatch.
INSERT INTO dispatch (account_id, traffic_center_id, name, channel_type, sender_name, content, priority,
                      use_local_time, send_time, completion_time, hours, days, default_zone, ttl,
                      rate_unit, rate_value, tags, short_url, callback_url, callback_events, status)
SELECT account.id, :traffic_center_id, :name, :channel_type, :sender_name, :content, :priority,
       :use_local_time, :send_time, :completion_time, :hours, :days, account.default_zone, :ttl,
       :rate_unit, :rate_value, :tags, :short_url, :callback_url, :callback_events, 'initiated'
FROM account WHERE account.id = :account_id
RETURNING id;

-- name: get_dispatch
-- Read what does not change of a dispatch, and its status.
SELECT * FROM dispatch WHERE id = :dispatch_id AND account_id = :account_id AND NOT is_anonymous;

-- name: lock_dispatch
-- Lock one dispatch of an account for a move.
SELECT *, clock_timestamp() AS now FROM dispatch
WHERE id = :dispatch_id AND account_id = :account_id AND NOT is_anonymous
FOR NO KEY UPDATE;

-- name: start_dispatch
-- Complete the creation.
UPDATE dispatch SET status = :status, started_at = clock_timestamp(), wake_at = :wake_at, turn = 0,
    finished_at = CASE WHEN :status = 'done' THEN clock_timestamp() END
WHERE id = :dispatch_id AND status = 'initiated';

-- name: resume_dispatch
-- Go on with a paused dispatch.
UPDATE dispatch SET status = :status, wake_at = :wake_at, turn = 0
WHERE id = :dispatch_id AND status = 'paused';

-- name: set_rate
-- Change the rate of a dispatch; what was spent stays spent.
UPDATE dispatch SET rate_unit = :rate_unit, rate_value = :rate_value, rate_next_at = :rate_next_at,
    wake_at = CASE WHEN status = 'sending' AND wake_at < 'infinity' THEN '-infinity' ELSE wake_at END
WHERE id = :dispatch_id;

-- name: find_dispatches
-- Tell how many dispatches have these statuses, and one page of them, newest first; no traffic centers: of all of them.
-- Uses dispatch_count, and dispatch_listed once for each status: no more is looked at than the pages up to this one
-- hold of each.  One look for all statuses at once read all that was newer: with 5 in 100,000, 19 ms.
SELECT
    (SELECT coalesce(sum(change), 0)::bigint FROM dispatch_count
     WHERE account_id = :account_id AND status = ANY(:statuses::text[])
       AND (:traffic_center_ids::bigint[] IS NULL OR traffic_center_id = ANY(:traffic_center_ids))) AS total,
    ARRAY(SELECT newest.id FROM unnest(:statuses::text[]) AS wanted (status)
          CROSS JOIN LATERAL (
              SELECT id FROM dispatch
              WHERE account_id = :account_id AND NOT is_anonymous AND dispatch.status = wanted.status
                AND (:traffic_center_ids::bigint[] IS NULL OR traffic_center_id = ANY(:traffic_center_ids))
              ORDER BY -id LIMIT :most::bigint + :skip::bigint) AS newest
          ORDER BY newest.id DESC LIMIT :most OFFSET :skip) AS page;

-- name: search_dispatches
-- The same for what dispatch_count does not know; NULL restricts nothing.  Of *dispatch_ids* it looks at those, by the
-- primary key, else at each dispatch of the account once: two branches, of which the plan leaves out one when it runs.
WITH candidate AS (
    SELECT * FROM dispatch WHERE id = ANY(:dispatch_ids::bigint[])
    UNION ALL
    SELECT * FROM dispatch WHERE :dispatch_ids::bigint[] IS NULL AND account_id = :account_id AND NOT is_anonymous
), fitting AS MATERIALIZED (
    SELECT id FROM candidate
    WHERE account_id = :account_id AND NOT is_anonymous
      AND status = ANY(:statuses::text[])
      AND (:traffic_center_ids::bigint[] IS NULL OR traffic_center_id = ANY(:traffic_center_ids))
      AND (:created_from::timestamptz IS NULL OR created_at >= :created_from)
      AND (:created_to::timestamptz IS NULL OR created_at < :created_to::timestamptz + interval '1 second')
      AND (:name::text IS NULL OR position(lower(:name) IN lower(name)) > 0)
)
SELECT (SELECT count(*) FROM fitting) AS total,
       ARRAY(SELECT id FROM fitting ORDER BY id DESC LIMIT :most OFFSET :skip) AS page;

-- name: view_dispatches
-- Read dispatches of an account with their counters, newest first; those that have left *statuses* since they were
-- found are left out.  Uses the primary keys.
SELECT dispatch.*, center.name AS traffic_center_name, counted.*
FROM dispatch
JOIN traffic_center center ON center.id = dispatch.traffic_center_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(accepted), 0)::bigint AS accepted,
           coalesce(sum(accepted_parts), 0)::bigint AS accepted_parts,
           coalesce(sum(refused), 0)::bigint AS refused,
           coalesce(sum(refused_parts), 0)::bigint AS refused_parts,
           coalesce(sum(in_doubt), 0)::bigint AS in_doubt,
           coalesce(sum(in_doubt_parts), 0)::bigint AS in_doubt_parts,
           coalesce(sum(delivered), 0)::bigint AS delivered,
           coalesce(sum(delivered_parts), 0)::bigint AS delivered_parts,
           coalesce(sum(undelivered), 0)::bigint AS undelivered,
           coalesce(sum(undelivered_parts), 0)::bigint AS undelivered_parts,
           coalesce(sum(unsent), 0)::bigint AS unsent,
           coalesce(sum(unsent_parts), 0)::bigint AS unsent_parts,
           coalesce(sum(rate_now) FILTER (WHERE window_at > clock_timestamp() - interval '3 seconds'), 0)
               AS speed
    FROM tally WHERE tally.dispatch_id = dispatch.id
) AS counted
WHERE dispatch.id = ANY(:dispatch_ids::bigint[]) AND dispatch.account_id = :account_id AND NOT is_anonymous
  AND status = ANY(:statuses::text[])
ORDER BY dispatch.id DESC;

-- name: read_links
-- Read which connections the living senders hold.
SELECT links FROM sender WHERE ended_at IS NULL AND NOT lease_is_over(lease_until);

-- name: find_answer
-- Read the answer that was given to an Idempotency-Key.
SELECT digest, answer FROM idempotency WHERE account_id = :account_id AND key = :key;

-- name: keep_answer
-- Keep the answer given to an Idempotency-Key; waits for a twin that is being answered and then changes nothing.
INSERT INTO idempotency (account_id, key, digest, answer)
VALUES (:account_id, :key, :digest, :answer)
ON CONFLICT (account_id, key) DO NOTHING
RETURNING key;
