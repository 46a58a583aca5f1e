-- Messages: filling a dispatch and looking at what became of it.

-- name: reserve_seqs
-- Number *count* messages of a dispatch that may still be filled; no row: it may not.
UPDATE dispatch SET next_seq = next_seq + :count, messages = messages + :count, parts = parts + :parts,
    zones = CASE WHEN zones @> :zones::text[] THEN zones
                 ELSE ARRAY(SELECT DISTINCT zone FROM unnest(zones || :zones::text[]) AS zone ORDER BY zone) END
WHERE id = :dispatch_id AND account_id = :account_id AND NOT is_anonymous AND status = 'initiated'
RETURNING next_seq - :count AS first_seq;

-- name: reserve_upload_seqs
-- Number *count* messages of a file that does not belong to the dispatch yet.
UPDATE dispatch SET next_seq = next_seq + :count
WHERE id = :dispatch_id AND status = 'initiated'
RETURNING next_seq - :count AS first_seq;

-- name: add_slices
-- Make messages claimable; a run that follows its dispatch's last slice of the same zone lengthens it.
WITH run AS (
    SELECT * FROM unnest(:dispatch_ids::bigint[], :first_seqs::integer[], :end_seqs::integer[], :zones::text[])
        AS run (dispatch_id, first_seq, end_seq, zone)
), longer AS (
    UPDATE slice SET end_seq = run.end_seq FROM run
    WHERE slice.dispatch_id = run.dispatch_id AND slice.end_seq = run.first_seq AND slice.zone = run.zone
    RETURNING run.dispatch_id, run.first_seq
)
INSERT INTO slice (dispatch_id, next_seq, end_seq, zone)
SELECT dispatch_id, first_seq, end_seq, zone FROM run
WHERE NOT EXISTS (SELECT FROM longer WHERE longer.dispatch_id = run.dispatch_id AND longer.first_seq = run.first_seq);

-- name: store_singles
-- Store single messages with the dispatches behind them, already under way, and tell the senders.  One statement: with
-- four of them, one a COPY, a group of sixty took 1.6 ms instead of 1.2, and one of a thousand no less than now.
WITH made AS (
INSERT INTO dispatch (id, account_id, traffic_center_id, is_anonymous, name, channel_type, sender_name, content,
                      priority, use_local_time, send_time, completion_time, hours, days, default_zone, ttl,
                      tags, short_url, callback_url, callback_events, status, started_at, wake_at,
                      next_seq, messages, parts, zones, expires_at)
SELECT d.id, d.account_id, d.traffic_center_id, true, '', d.channel_type, d.sender_name, '{text}',
       d.priority, d.use_local_time, d.send_time, d.completion_time,
       string_to_array(d.hours, ',')::smallint[], string_to_array(d.days, ',')::smallint[], account.default_zone, d.ttl,
       ARRAY(SELECT jsonb_array_elements_text(d.tags::jsonb)), d.short_url, d.callback_url,
       ARRAY(SELECT jsonb_array_elements_text(d.callback_events::jsonb)), d.status, clock_timestamp(), d.wake_at,
       d.messages + 1, d.messages, d.parts, string_to_array(d.zones, ','),
       CASE WHEN d.completion_time IS NULL AND d.send_time IS NULL
            THEN clock_timestamp() + make_interval(secs => coalesce(d.ttl, :lifetime::integer)) END
FROM unnest(:ids::bigint[], :account_ids::bigint[], :traffic_center_ids::bigint[], :channel_types::text[],
            :sender_names::text[], :priorities::smallint[], :use_local_times::boolean[],
            :send_times::timestamp[], :completion_times::timestamp[], :hours::text[], :days::text[],
            :ttls::integer[], :tags::text[], :short_urls::boolean[], :callback_urls::text[],
            :callback_events::text[], :statuses::text[], :wake_ats::timestamptz[], :messages::integer[],
            :parts::integer[], :zones::text[])
    AS d (id, account_id, traffic_center_id, channel_type, sender_name, priority, use_local_time,
          send_time, completion_time, hours, days, ttl, tags, short_url, callback_url, callback_events,
          status, wake_at, messages, parts, zones)
JOIN account ON account.id = d.account_id
), written AS (
INSERT INTO message (dispatch_id, seq, destination, parts, substitutions, external_id)
SELECT dispatch_id, seq, destination, parts, ARRAY[text], external_id
FROM unnest(:message_ids::bigint[], :seqs::integer[], :destinations::bigint[], :message_parts::smallint[],
            :texts::text[], :external_ids::text[])
    AS m (dispatch_id, seq, destination, parts, text, external_id)
), cut AS (
INSERT INTO slice (dispatch_id, next_seq, end_seq, zone)
SELECT dispatch_id, first_seq, end_seq, zone
FROM unnest(:run_ids::bigint[], :first_seqs::integer[], :end_seqs::integer[], :run_zones::text[])
    AS run (dispatch_id, first_seq, end_seq, zone)
)
SELECT pg_notify('penstock', :said);

-- name: next_ids
-- Draw ids for new dispatches.
SELECT nextval('dispatch_id') AS id FROM generate_series(1, :count::integer);

-- name: get_message
-- Read one message of an account with all its facts.
SELECT m.seq, m.destination, m.parts AS total_parts, m.substitutions, m.external_id,
       s.outcome, s.submitted_at, r.status AS receipt, r.code AS receipt_code, r.done_at, d.*
FROM dispatch d
JOIN message m ON m.dispatch_id = d.id
LEFT JOIN submission s ON s.dispatch_id = m.dispatch_id AND s.seq = m.seq
LEFT JOIN receipt r ON r.dispatch_id = m.dispatch_id AND r.seq = m.seq
WHERE d.id = :dispatch_id AND m.seq = :seq AND d.account_id = :account_id
  AND NOT EXISTS (SELECT FROM upload_run u
                  WHERE u.dispatch_id = m.dispatch_id AND u.first_seq <= m.seq AND u.end_seq > m.seq);

-- name: export_lines
-- Read the next *most* messages of a dispatch after *after*, with status; rows of unfinished files are left out.
SELECT m.seq, m.destination, m.parts, m.status, m.error_code, m.submitted_at, m.status_at
FROM message_status m
WHERE m.dispatch_id = :dispatch_id AND m.seq > :after AND m.seq <= :after + :most
  AND NOT EXISTS (SELECT FROM upload_run u
                  WHERE u.dispatch_id = m.dispatch_id AND u.first_seq <= m.seq AND u.end_seq > m.seq)
ORDER BY m.seq;

-- name: find_messages
-- Tell which of these messages exist in an account, and whether they have left or are leaving.
SELECT m.dispatch_id, m.seq, m.parts,
       s.seq IS NOT NULL OR r.seq IS NOT NULL AS is_over, r.status = 3 AND r.code = 7063 AS is_stopped
FROM unnest(:dispatch_ids::bigint[], :seqs::integer[]) AS wanted (dispatch_id, seq)
JOIN dispatch d ON d.id = wanted.dispatch_id AND d.account_id = :account_id
JOIN message m ON m.dispatch_id = wanted.dispatch_id AND m.seq = wanted.seq
LEFT JOIN submission s ON s.dispatch_id = m.dispatch_id AND s.seq = m.seq
LEFT JOIN receipt r ON r.dispatch_id = m.dispatch_id AND r.seq = m.seq
WHERE NOT EXISTS (SELECT FROM upload_run u
                  WHERE u.dispatch_id = m.dispatch_id AND u.first_seq <= m.seq AND u.end_seq > m.seq);

-- name: lock_slices_of
-- Lock the slices that hold these messages.
SELECT DISTINCT s.dispatch_id, s.next_seq, s.end_seq, s.zone
FROM unnest(:dispatch_ids::bigint[], :seqs::integer[]) AS wanted (dispatch_id, seq)
CROSS JOIN LATERAL (
    SELECT slice.dispatch_id, next_seq, end_seq, zone FROM slice
    WHERE slice.dispatch_id = wanted.dispatch_id AND slice.end_seq > wanted.seq
    ORDER BY slice.end_seq LIMIT 1
) AS s
WHERE s.next_seq <= wanted.seq;

-- name: delete_slices
-- Delete slices by their key.
DELETE FROM slice USING unnest(:dispatch_ids::bigint[], :end_seqs::integer[]) AS gone (dispatch_id, end_seq)
WHERE slice.dispatch_id = gone.dispatch_id AND slice.end_seq = gone.end_seq;

-- name: begin_upload
-- Note that a file is coming.
INSERT INTO upload (dispatch_id, name) VALUES (:dispatch_id, :name) RETURNING id;

-- name: add_upload_runs
-- Note runs of messages of a file, in the transaction that stores them.
WITH touched AS (
    UPDATE upload SET touched_at = clock_timestamp() WHERE id = :upload_id AND NOT is_given_up
    RETURNING id, dispatch_id
)
INSERT INTO upload_run (upload_id, dispatch_id, first_seq, end_seq, zone, parts)
SELECT touched.id, touched.dispatch_id, run.first_seq, run.end_seq, run.zone, run.parts
FROM touched, unnest(:first_seqs::integer[], :end_seqs::integer[], :zones::text[], :parts::bigint[])
    AS run (first_seq, end_seq, zone, parts)
RETURNING first_seq;

-- name: lock_upload
-- Lock a file that may still become part of its dispatch; no row: it was given up.
SELECT id FROM upload WHERE id = :upload_id AND NOT is_given_up FOR UPDATE;

-- name: take_upload_runs
-- End an upload and return its runs in order.
WITH taken AS (DELETE FROM upload_run WHERE upload_id = :upload_id RETURNING first_seq, end_seq, zone, parts)
SELECT first_seq, end_seq, zone, parts FROM taken ORDER BY first_seq;

-- name: forget_upload
-- Delete the note that a file was coming.
DELETE FROM upload WHERE id = :upload_id;

-- name: adopt_upload
-- Make the messages of a file part of their dispatch; no row: it can no longer be filled.
UPDATE dispatch SET messages = messages + :count, parts = parts + :parts, base_name = coalesce(base_name, :name),
    zones = ARRAY(SELECT DISTINCT zone FROM unnest(zones || :zones::text[]) AS zone ORDER BY zone)
WHERE id = :dispatch_id AND status = 'initiated'
RETURNING id;

-- name: give_up_upload
-- Note that a file will not become part of its dispatch.
UPDATE upload SET is_given_up = true WHERE id = :upload_id;

-- name: find_dead_uploads
-- Find files whose sender went away: no row came for ten minutes; and those whose messages are being deleted.
SELECT id FROM upload WHERE is_given_up OR touched_at < clock_timestamp() - interval '10 minutes' ORDER BY id LIMIT 10;

-- name: drop_upload_runs
-- Delete the messages of up to *most* runs of a file that was given up; 0: there were none left.
WITH few AS (
    SELECT dispatch_id, first_seq FROM upload_run WHERE upload_id = :upload_id ORDER BY first_seq LIMIT :most
), runs AS (
    DELETE FROM upload_run USING few
    WHERE upload_run.dispatch_id = few.dispatch_id AND upload_run.first_seq = few.first_seq
    RETURNING upload_run.dispatch_id, upload_run.first_seq, upload_run.end_seq
), gone AS (
    DELETE FROM message USING runs
    WHERE message.dispatch_id = runs.dispatch_id AND message.seq >= runs.first_seq AND message.seq < runs.end_seq
)
SELECT count(*) FROM runs;
