-- Leases: which senders may write to carriers.

-- name: register_sender
-- Begin a lease.
INSERT INTO sender (name, lease_until) VALUES (:name, clock_timestamp() + :lease::interval)
RETURNING id, clock_timestamp() AS now;

-- name: renew_lease
-- Go on with a lease; no row: it was ended, for good.
UPDATE sender SET lease_until = clock_timestamp() + :lease::interval, links = :links::jsonb
WHERE id = :sender_id AND ended_at IS NULL
RETURNING clock_timestamp() AS now;

-- name: find_halted
-- Find what a sender still holds of dispatches that no longer send.
SELECT DISTINCT d.id, d.halts FROM claim c JOIN dispatch d ON d.id = c.dispatch_id
WHERE c.sender_id = :sender_id AND d.status <> 'sending';

-- name: bury_sender
-- End the lease of a sender whose process is known to be dead.
UPDATE sender SET lease_until = '-infinity' WHERE name = :name AND ended_at IS NULL RETURNING id;

-- name: leave
-- End one's own lease with nothing held; no row: something is still claimed.
UPDATE sender SET ended_at = clock_timestamp()
WHERE id = :sender_id AND ended_at IS NULL AND NOT EXISTS (SELECT FROM claim WHERE sender_id = :sender_id)
RETURNING id;

-- name: find_claimants
-- Read who holds claims of a dispatch, and whether they are gone.
SELECT s.id, s.name, s.ended_at IS NOT NULL OR lease_is_over(s.lease_until) AS is_over
FROM sender s WHERE s.id IN (SELECT sender_id FROM claim WHERE dispatch_id = :dispatch_id);

-- name: end_senders
-- Fence off senders whose lease has run out; a sender that renewed in the meantime is not among the answer.
WITH locked AS (
    SELECT id FROM sender WHERE id = ANY(:sender_ids::bigint[]) ORDER BY id FOR UPDATE
), ended AS (
    UPDATE sender SET ended_at = clock_timestamp() FROM locked
    WHERE sender.id = locked.id AND ended_at IS NULL AND lease_is_over(lease_until)
    RETURNING sender.id
)
SELECT id FROM ended
UNION SELECT id FROM sender WHERE id = ANY(:sender_ids::bigint[]) AND ended_at IS NOT NULL;

-- name: cut_sessions
-- Close the database sessions of senders, so that a frozen one holds no lock.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = ANY(SELECT 'penstock sender ' || id FROM unnest(:sender_ids::bigint[]) AS id)
  AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid();

-- name: cut_gone_sessions
-- Close the sessions of all senders whose lease has run out or was ended; one that lives connects again.
SELECT count(pg_terminate_backend(session.pid))
FROM pg_stat_activity AS session
JOIN sender ON sender.id = substring(session.application_name FROM '^penstock sender ([0-9]+)$')::bigint
WHERE (sender.ended_at IS NOT NULL OR lease_is_over(sender.lease_until))
  AND session.datname = current_database() AND session.usename = current_user AND session.pid <> pg_backend_pid();

-- name: find_dead_senders
-- Find senders that have been silent well beyond their lease, and ended ones that still hold claims.
SELECT id FROM sender
WHERE ended_at IS NULL AND (lease_until = '-infinity' OR lease_is_over(lease_until + interval '3 seconds'))
UNION
SELECT sender_id FROM claim JOIN sender ON sender.id = claim.sender_id WHERE sender.ended_at IS NOT NULL
LIMIT 100;

-- name: find_claimed_dispatches
-- Find what dispatches a sender holds claims of.
SELECT DISTINCT dispatch_id FROM claim WHERE sender_id = ANY(:sender_ids::bigint[]) ORDER BY dispatch_id;

-- name: lock_claims_of
-- Lock the claims of dead senders on a dispatch, in the one order that all lockers use.
SELECT first_seq, end_seq FROM claim
WHERE dispatch_id = :dispatch_id AND sender_id = ANY(:sender_ids::bigint[])
ORDER BY dispatch_id, first_seq FOR UPDATE;

-- name: doubt_claims
-- Record as in doubt what dead senders may have handed over, count it, and end their claims.
WITH gone AS (
    DELETE FROM claim WHERE dispatch_id = :dispatch_id AND sender_id = ANY(:sender_ids::bigint[])
    RETURNING dispatch_id, first_seq, end_seq, sender_id
), lost AS (
    SELECT m.dispatch_id, m.seq, m.parts, gone.sender_id
    FROM gone JOIN message m ON m.dispatch_id = gone.dispatch_id AND m.seq >= gone.first_seq AND m.seq < gone.end_seq
    WHERE NOT EXISTS (SELECT FROM submission s WHERE s.dispatch_id = m.dispatch_id AND s.seq = m.seq)
), recorded AS (
    INSERT INTO submission (dispatch_id, seq, outcome, submitted_at)
    SELECT dispatch_id, seq, 3, clock_timestamp() FROM lost
)
INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, in_doubt, in_doubt_parts)
SELECT dispatch_id, sender_id, 0, count(*), sum(parts) FROM lost GROUP BY dispatch_id, sender_id
ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET
    in_doubt = t.in_doubt + EXCLUDED.in_doubt, in_doubt_parts = t.in_doubt_parts + EXCLUDED.in_doubt_parts
RETURNING t.in_doubt;
