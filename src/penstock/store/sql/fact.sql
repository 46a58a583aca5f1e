-- Facts: what became of messages, written once.

-- name: add_tallies
-- Move the counters of dispatches in the transaction that writes the facts they count, and end the claims whose
-- messages all have an outcome now or went back.
WITH ended AS (
    DELETE FROM claim
    USING unnest(:ended_dispatch_ids::bigint[], :ended_first_seqs::integer[]) AS mine (dispatch_id, first_seq)
    WHERE claim.dispatch_id = mine.dispatch_id AND claim.first_seq = mine.first_seq
)
INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, accepted, accepted_parts, refused, refused_parts,
    in_doubt, in_doubt_parts, delivered, delivered_parts, undelivered, undelivered_parts, unsent, unsent_parts, late,
    window_count)
SELECT dispatch_id, :sender_id, carrier_id, accepted, accepted_parts, refused, refused_parts,
    in_doubt, in_doubt_parts, delivered, delivered_parts, undelivered, undelivered_parts, unsent, unsent_parts, late,
    accepted + refused + in_doubt
FROM unnest(:dispatch_ids::bigint[], :carrier_ids::smallint[],
    :accepted::bigint[], :accepted_parts::bigint[], :refused::bigint[], :refused_parts::bigint[],
    :in_doubt::bigint[], :in_doubt_parts::bigint[], :delivered::bigint[], :delivered_parts::bigint[],
    :undelivered::bigint[], :undelivered_parts::bigint[], :unsent::bigint[], :unsent_parts::bigint[],
    :late::bigint[])
    AS more (dispatch_id, carrier_id, accepted, accepted_parts, refused, refused_parts, in_doubt, in_doubt_parts,
             delivered, delivered_parts, undelivered, undelivered_parts, unsent, unsent_parts, late)
ORDER BY dispatch_id, carrier_id
ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET
    accepted = t.accepted + EXCLUDED.accepted,
    accepted_parts = t.accepted_parts + EXCLUDED.accepted_parts,
    refused = t.refused + EXCLUDED.refused,
    refused_parts = t.refused_parts + EXCLUDED.refused_parts,
    in_doubt = t.in_doubt + EXCLUDED.in_doubt,
    in_doubt_parts = t.in_doubt_parts + EXCLUDED.in_doubt_parts,
    delivered = t.delivered + EXCLUDED.delivered,
    delivered_parts = t.delivered_parts + EXCLUDED.delivered_parts,
    undelivered = t.undelivered + EXCLUDED.undelivered,
    undelivered_parts = t.undelivered_parts + EXCLUDED.undelivered_parts,
    unsent = t.unsent + EXCLUDED.unsent,
    unsent_parts = t.unsent_parts + EXCLUDED.unsent_parts,
    late = t.late + EXCLUDED.late,
    rate_now = CASE WHEN t.window_at < clock_timestamp() - interval '1 second'
        THEN (t.window_count + EXCLUDED.window_count) / extract(epoch FROM clock_timestamp() - t.window_at)
        ELSE t.rate_now END,
    window_count = CASE WHEN t.window_at < clock_timestamp() - interval '1 second'
        THEN 0 ELSE t.window_count + EXCLUDED.window_count END,
    window_at = CASE WHEN t.window_at < clock_timestamp() - interval '1 second'
        THEN clock_timestamp() ELSE t.window_at END;

-- name: insert_receipts
-- Write receipts, one for each message, of which some may be there already: the first one wins.  One whose period
-- has been dropped is not the first.
INSERT INTO receipt (dispatch_id, seq, status, code, carrier_code, done_at)
SELECT dispatch_id, seq, status, code, carrier_code, done_at
FROM unnest(:dispatch_ids::bigint[], :seqs::integer[], :statuses::smallint[], :codes::smallint[],
            :carrier_codes::integer[], :done_ats::timestamptz[])
    AS r (dispatch_id, seq, status, code, carrier_code, done_at)
WHERE (SELECT dropped_at IS NULL FROM period WHERE first_id <= dispatch_id ORDER BY first_id DESC LIMIT 1)
ON CONFLICT (dispatch_id, seq) DO NOTHING
RETURNING dispatch_id, seq;

-- name: find_submissions
-- Find the messages that a carrier calls by these ids.  Uses submission_carrier_message, but only of the periods
-- in which a receipt can still change something: an index for each partition would be looked into otherwise.
SELECT s.carrier_message_id, s.dispatch_id, s.seq, m.parts
FROM unnest(:carrier_message_ids::text[]) AS wanted (carrier_message_id)
JOIN submission s ON s.carrier_message_id = wanted.carrier_message_id AND s.carrier_id = :carrier_id
JOIN message m ON m.dispatch_id = s.dispatch_id AND m.seq = s.seq
WHERE s.dispatch_id >= (SELECT min(first_id) FROM period WHERE ended_at IS NULL);

-- name: keep_strays
-- Keep receipts whose message is not known yet.
INSERT INTO stray_receipt (carrier_id, carrier_message_id, status, carrier_code, done_at)
SELECT :carrier_id, * FROM unnest(:carrier_message_ids::text[], :statuses::smallint[], :carrier_codes::integer[],
                                  :done_ats::timestamptz[]);

-- name: find_last_stray
-- Find up to where *most* stray receipts after *after* reach.
SELECT max(id) FROM (SELECT id FROM stray_receipt WHERE id > :after ORDER BY id LIMIT :most) AS few;

-- name: take_strays
-- Take those of some stray receipts whose message has been recorded since.  Uses submission_carrier_message, as above.
DELETE FROM stray_receipt USING (
    SELECT stray.id, s.dispatch_id, s.seq, m.parts
    FROM stray_receipt stray
    JOIN submission s ON s.carrier_message_id = stray.carrier_message_id AND s.carrier_id = stray.carrier_id
    JOIN message m ON m.dispatch_id = s.dispatch_id AND m.seq = s.seq
    WHERE stray.id > :after AND stray.id <= :last
      AND s.dispatch_id >= (SELECT min(first_id) FROM period WHERE ended_at IS NULL)
    ORDER BY stray.id FOR UPDATE OF stray SKIP LOCKED) AS found
WHERE stray_receipt.id = found.id
RETURNING found.dispatch_id, found.seq, found.parts, stray_receipt.carrier_id, stray_receipt.status,
          stray_receipt.carrier_code, stray_receipt.done_at;

-- name: drop_strays
-- Give up on receipts that nobody has waited for in an hour, on up to *most* of the oldest.
DELETE FROM stray_receipt USING (SELECT id FROM stray_receipt ORDER BY id LIMIT :most) AS oldest
WHERE stray_receipt.id = oldest.id AND seen_at < clock_timestamp() - interval '1 hour'
RETURNING carrier_id, carrier_message_id;

-- name: make_carrier
-- Make sure that a carrier has an id.
INSERT INTO carrier (name) VALUES (:name) ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING id;
