-- Metrics: what the tables tell of the whole installation, whichever process is asked.

-- name: count_open_dispatches
-- Count the dispatches that are not final.  Uses the partial indexes on status.
SELECT status, count(*) FROM dispatch WHERE status = 'sending' GROUP BY status
UNION ALL
SELECT status, count(*) FROM dispatch WHERE status IN ('scheduled', 'awaiting', 'paused', 'changing') GROUP BY status;

-- name: count_claimed
-- Count the messages that senders hold now.
SELECT coalesce(sum(end_seq - first_seq), 0)::bigint FROM claim;

-- name: count_late
-- Count the messages that senders saw written after a stop had taken effect.  Uses tally_late.
SELECT coalesce(sum(late), 0)::bigint FROM tally WHERE late > 0;

-- name: count_strays
-- Count the receipts whose message is not known.
SELECT count(*) FROM stray_receipt;

-- name: count_senders
-- Count the senders whose lease runs.
SELECT count(*) FROM sender WHERE ended_at IS NULL AND NOT lease_is_over(lease_until);
