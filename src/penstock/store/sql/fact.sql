-- Facts: what became of messages, written once.

-- name: record_outcomes
-- Write what came of messages that one sender holds, count it, give back what it never wrote, end claims, and tell who
-- waits for that; or change nothing and say so, if one of the claims was taken over: its messages are in doubt then.
-- One statement, for each further one would wait for its turn in a busy sender while a stop waits for it.  Locks are
-- taken in the order of all lockers: dispatches, claims, tallies.  A *kind* is a place in the arrays of what many
-- messages share.
WITH locked AS (
    SELECT id FROM dispatch WHERE id = ANY(:back_dispatch_ids::bigint[]) ORDER BY id FOR NO KEY UPDATE
), kept AS (
    SELECT claim.dispatch_id, claim.first_seq
    FROM (SELECT count(*) FROM locked) AS first
    CROSS JOIN unnest(:held_dispatch_ids::bigint[], :held_first_seqs::integer[]) AS mine (dispatch_id, first_seq)
    JOIN claim ON claim.dispatch_id = mine.dispatch_id AND claim.first_seq = mine.first_seq
    WHERE claim.sender_id = :sender_id
    ORDER BY claim.dispatch_id, claim.first_seq
    FOR UPDATE OF claim
), sure AS MATERIALIZED (
    SELECT count(*) = cardinality(:held_dispatch_ids::bigint[]) AS are_all_kept FROM kept
), written AS (
    INSERT INTO submission (dispatch_id, seq, outcome, carrier_id, code, submitted_at, carrier_message_id)
    SELECT dispatch_id, seq, (:outcomes::smallint[])[kind], (:carrier_ids::smallint[])[kind],
           (:codes::integer[])[kind], (:submitted_ats::timestamptz[])[kind], carrier_message_id
    FROM unnest(:dispatch_ids::bigint[], :seqs::integer[], :kinds::integer[], :carrier_message_ids::text[])
        AS one (dispatch_id, seq, kind, carrier_message_id)
    WHERE (SELECT are_all_kept FROM sure)
), returned AS (
    INSERT INTO slice (dispatch_id, next_seq, end_seq, zone)
    SELECT dispatch_id, first_seq, end_seq, zone
    FROM unnest(:back_dispatch_ids::bigint[], :back_first_seqs::integer[], :back_end_seqs::integer[],
                :back_zones::text[]) AS run (dispatch_id, first_seq, end_seq, zone)
    WHERE (SELECT are_all_kept FROM sure)
), woken AS (
    UPDATE dispatch SET wake_at = '-infinity'
    WHERE id = ANY(:back_dispatch_ids::bigint[]) AND wake_at > '-infinity' AND (SELECT are_all_kept FROM sure)
), ended AS (
    DELETE FROM claim
    USING unnest(:ended_dispatch_ids::bigint[], :ended_first_seqs::integer[]) AS mine (dispatch_id, first_seq)
    WHERE claim.dispatch_id = mine.dispatch_id AND claim.first_seq = mine.first_seq
      AND (SELECT are_all_kept FROM sure)
), counted AS (
    INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, accepted, accepted_parts, refused, refused_parts,
                            in_doubt, in_doubt_parts, window_count)
    SELECT dispatch_id, :sender_id, carrier_id, accepted, accepted_parts, refused, refused_parts,
           in_doubt, in_doubt_parts, accepted + refused + in_doubt
    FROM unnest(:tally_dispatch_ids::bigint[], :tally_carrier_ids::smallint[],
                :accepted::bigint[], :accepted_parts::bigint[], :refused::bigint[], :refused_parts::bigint[],
                :in_doubt::bigint[], :in_doubt_parts::bigint[])
        AS more (dispatch_id, carrier_id, accepted, accepted_parts, refused, refused_parts, in_doubt, in_doubt_parts)
    WHERE (SELECT are_all_kept FROM sure)
    ORDER BY dispatch_id, carrier_id
    ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET
        accepted = t.accepted + EXCLUDED.accepted,
        accepted_parts = t.accepted_parts + EXCLUDED.accepted_parts,
        refused = t.refused + EXCLUDED.refused,
        refused_parts = t.refused_parts + EXCLUDED.refused_parts,
        in_doubt = t.in_doubt + EXCLUDED.in_doubt,
        in_doubt_parts = t.in_doubt_parts + EXCLUDED.in_doubt_parts,
        rate_now = CASE WHEN t.window_at < clock_timestamp() - interval '1 second'
            THEN (t.window_count + EXCLUDED.window_count) / extract(epoch FROM clock_timestamp() - t.window_at)
            ELSE t.rate_now END,
        window_count = CASE WHEN t.window_at < clock_timestamp() - interval '1 second'
            THEN 0 ELSE t.window_count + EXCLUDED.window_count END,
        window_at = CASE WHEN t.window_at < clock_timestamp() - interval '1 second'
            THEN clock_timestamp() ELSE t.window_at END
), marked AS (
    INSERT INTO commit_mark AS mark (owner, slot, number)
    SELECT :owner::uuid, :slot::smallint, :number::bigint WHERE (SELECT are_all_kept FROM sure)
    ON CONFLICT (owner, slot) DO UPDATE SET number = EXCLUDED.number, noted_at = clock_timestamp()
)
SELECT are_all_kept,
       (SELECT count(pg_notify('penstock', format('released %s', id))) FROM unnest(:released::bigint[]) AS id
        WHERE are_all_kept)
FROM sure;

-- name: record_receipts
-- Write receipts that are believed new and count them; fails with a unique violation if one is not.
WITH written AS (
    INSERT INTO receipt (dispatch_id, seq, status, code, carrier_code, done_at)
    SELECT dispatch_id, seq, (:statuses::smallint[])[kind], (:codes::smallint[])[kind],
           (:carrier_codes::integer[])[kind], (:done_ats::timestamptz[])[kind]
    FROM unnest(:dispatch_ids::bigint[], :seqs::integer[], :kinds::integer[]) AS one (dispatch_id, seq, kind)
)
INSERT INTO tally AS t (dispatch_id, sender_id, carrier_id, delivered, delivered_parts, undelivered,
                        undelivered_parts, unsent, unsent_parts)
SELECT dispatch_id, :sender_id, carrier_id, delivered, delivered_parts, undelivered, undelivered_parts,
       unsent, unsent_parts
FROM unnest(:tally_dispatch_ids::bigint[], :tally_carrier_ids::smallint[],
            :delivered::bigint[], :delivered_parts::bigint[], :undelivered::bigint[], :undelivered_parts::bigint[],
            :unsent::bigint[], :unsent_parts::bigint[])
    AS more (dispatch_id, carrier_id, delivered, delivered_parts, undelivered, undelivered_parts, unsent, unsent_parts)
ORDER BY dispatch_id, carrier_id
ON CONFLICT (dispatch_id, sender_id, carrier_id) DO UPDATE SET
    delivered = t.delivered + EXCLUDED.delivered,
    delivered_parts = t.delivered_parts + EXCLUDED.delivered_parts,
    undelivered = t.undelivered + EXCLUDED.undelivered,
    undelivered_parts = t.undelivered_parts + EXCLUDED.undelivered_parts,
    unsent = t.unsent + EXCLUDED.unsent,
    unsent_parts = t.unsent_parts + EXCLUDED.unsent_parts;

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
