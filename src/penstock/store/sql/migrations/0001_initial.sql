-- Everything a message goes through is a fact that is written once; its status is derived (view
-- message_status below).  Tables of facts are keyed by dispatch_id first.

CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    default_zone text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE traffic_center (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    name text NOT NULL,
    UNIQUE (account_id, name)
);

CREATE TABLE api_key (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100001) PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    traffic_center_id bigint REFERENCES traffic_center,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 4),
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CHECK (kind <> 1 OR traffic_center_id IS NOT NULL)
);

CREATE TABLE carrier (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- A sender process and its lease.  It may write to carriers only while the lease runs; once
-- ended_at is set the sender can neither renew nor record.
CREATE TABLE sender (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL,
    ended_at timestamptz,
    links jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
CREATE INDEX sender_alive ON sender (id) WHERE ended_at IS NULL;

CREATE SEQUENCE dispatch_id START WITH 10000000001;

-- A run of dispatch ids whose facts have a partition of each table to themselves: what retention drops
-- whole.  A new one begins when the sequence is moved on to it (begin_period), or gets there by itself.
CREATE TABLE period (
    first_id bigint PRIMARY KEY,
    end_id bigint NOT NULL,
    opened_at timestamptz,  -- since when ids of it are drawn
    closed_at timestamptz,  -- since when none are
    ended_at timestamptz,   -- since when all its dispatches are final and have all their receipts
    dropped_at timestamptz, -- since when its messages are not shown; they are dropped next
    emptied_at timestamptz, -- since when only totals are left of it
    CHECK (first_id < end_id),
    CHECK (ended_at IS NULL OR closed_at IS NOT NULL),
    CHECK (dropped_at IS NULL OR ended_at IS NOT NULL),
    CHECK (emptied_at IS NULL OR dropped_at IS NOT NULL)
);
CREATE INDEX period_unended ON period (first_id) WHERE ended_at IS NULL;

CREATE TABLE dispatch (
    id bigint PRIMARY KEY DEFAULT nextval('dispatch_id'),
    account_id bigint NOT NULL REFERENCES account,
    traffic_center_id bigint NOT NULL REFERENCES traffic_center,
    is_anonymous boolean NOT NULL DEFAULT false,
    name text NOT NULL,
    channel_type text NOT NULL,
    sender_name text NOT NULL,
    content text NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 3),
    use_local_time boolean NOT NULL,
    send_time timestamp,
    completion_time timestamp,
    hours smallint[] NOT NULL DEFAULT '{}',
    days smallint[] NOT NULL DEFAULT '{}',
    default_zone text NOT NULL,
    ttl integer CHECK (ttl > 0),
    rate_unit text CHECK (rate_unit IN ('d', 'h', 'm')),
    rate_value integer CHECK (rate_value > 0),
    tags text[] NOT NULL DEFAULT '{}',
    short_url boolean NOT NULL DEFAULT false,
    callback_url text,
    callback_events text[] NOT NULL DEFAULT '{}',
    base_name text,
    status text NOT NULL CHECK (status IN
        ('initiated', 'scheduled', 'sending', 'awaiting', 'paused', 'changing', 'done', 'stopped')),
    -- What the halt under way leads to.
    changing_to text CHECK (changing_to IN ('stopped', 'paused')),
    halts integer NOT NULL DEFAULT 0,
    halt_requested_at timestamptz,
    halt_key_id bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    next_seq integer NOT NULL DEFAULT 1,
    messages bigint NOT NULL DEFAULT 0,
    parts bigint NOT NULL DEFAULT 0,
    zones text[] NOT NULL DEFAULT '{}',
    -- Fairness: the virtual time of its next claim; the smallest goes first.
    turn bigint NOT NULL DEFAULT 0,
    -- Nothing can be claimed before; infinity: nothing is left to claim.
    wake_at timestamptz NOT NULL DEFAULT '-infinity',
    rate_next_at timestamptz,
    -- When messages that still have no receipt outlive their lifetime.
    settle_at timestamptz,
    -- When single messages that were not sent do.
    expires_at timestamptz CHECK (expires_at IS NULL OR is_anonymous),
    CHECK ((rate_unit IS NULL) = (rate_value IS NULL)),
    CHECK ((status = 'changing') = (changing_to IS NOT NULL)),
    CHECK (status = 'initiated' OR started_at IS NOT NULL)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX dispatch_claimable ON dispatch (priority, turn, wake_at) WHERE status = 'sending';
CREATE INDEX dispatch_scheduled ON dispatch (wake_at) WHERE status = 'scheduled';
CREATE INDEX dispatch_claimed ON dispatch (id) WHERE status = 'sending' AND wake_at = 'infinity';
CREATE INDEX dispatch_account_active ON dispatch (account_id, priority) WHERE status = 'sending';
CREATE INDEX dispatch_unfinished ON dispatch (status, id)
    WHERE status IN ('scheduled', 'awaiting', 'paused', 'changing');
CREATE INDEX dispatch_completing ON dispatch (completion_time)
    WHERE completion_time IS NOT NULL AND status IN ('scheduled', 'sending', 'paused');
CREATE INDEX dispatch_expiring ON dispatch (expires_at) WHERE expires_at IS NOT NULL AND status = 'sending';
CREATE INDEX dispatch_settling ON dispatch (settle_at) WHERE settle_at IS NOT NULL;
-- By -id, so that no other index has this order: the primary key looked as good, and walked over all that is newer.
CREATE INDEX dispatch_listed ON dispatch (account_id, status, (-id)) WHERE NOT is_anonymous;

-- How many dispatches an account has in each status, so that a list need not count them: the sum of *change*.
-- Anonymous ones are in no list.  Rows are only added, so that no two moves wait for each other, and folded into one
-- for each status by the sweeper.
CREATE TABLE dispatch_count (
    account_id bigint NOT NULL,
    traffic_center_id bigint NOT NULL,
    status text NOT NULL,
    change bigint NOT NULL CHECK (change <> 0)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX dispatch_count_listed ON dispatch_count (account_id, status);

-- Triggers, because a statement could forget it; their conditions cost single messages nothing to speak of.
CREATE FUNCTION count_dispatch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO dispatch_count VALUES (OLD.account_id, OLD.traffic_center_id, OLD.status, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO dispatch_count VALUES (NEW.account_id, NEW.traffic_center_id, NEW.status, 1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_made AFTER INSERT ON dispatch
    FOR EACH ROW WHEN (NOT NEW.is_anonymous) EXECUTE FUNCTION count_dispatch();
CREATE TRIGGER count_moved AFTER UPDATE OF status ON dispatch
    FOR EACH ROW WHEN (NOT NEW.is_anonymous AND OLD.status <> NEW.status) EXECUTE FUNCTION count_dispatch();
CREATE TRIGGER count_deleted AFTER DELETE ON dispatch
    FOR EACH ROW WHEN (NOT OLD.is_anonymous) EXECUTE FUNCTION count_dispatch();

CREATE TABLE message (
    dispatch_id bigint NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    destination bigint NOT NULL,
    parts smallint NOT NULL CHECK (parts > 0),
    -- Values of the template's placeholders, in the order of their first use.
    substitutions text[],
    external_id text,
    PRIMARY KEY (dispatch_id, seq)
) PARTITION BY RANGE (dispatch_id);

CREATE TABLE submission (
    dispatch_id bigint NOT NULL,
    seq integer NOT NULL,
    outcome smallint NOT NULL CHECK (outcome BETWEEN 1 AND 3),
    carrier_id smallint,
    code integer,
    submitted_at timestamptz NOT NULL,
    carrier_message_id text,
    PRIMARY KEY (dispatch_id, seq),
    CHECK ((outcome = 1) = (carrier_message_id IS NOT NULL)),
    CHECK (outcome = 3 OR carrier_id IS NOT NULL)
) PARTITION BY RANGE (dispatch_id);
-- A receipt that comes when its message is no longer in a sender's memory finds it here.
CREATE INDEX submission_carrier_message ON submission (carrier_message_id, carrier_id)
    WHERE carrier_message_id IS NOT NULL;
CREATE INDEX submission_in_doubt ON submission (dispatch_id, seq) WHERE outcome = 3;

CREATE TABLE receipt (
    dispatch_id bigint NOT NULL,
    seq integer NOT NULL,
    status smallint NOT NULL CHECK (status BETWEEN 1 AND 3),
    code smallint,
    carrier_code integer,
    done_at timestamptz NOT NULL,
    PRIMARY KEY (dispatch_id, seq)
) PARTITION BY RANGE (dispatch_id);

-- A run of messages of one zone ('*': the zone does not matter); [next_seq, end_seq) is not claimed yet.
CREATE TABLE slice (
    dispatch_id bigint NOT NULL,
    next_seq integer NOT NULL,
    end_seq integer NOT NULL,
    zone text NOT NULL,
    PRIMARY KEY (dispatch_id, end_seq),
    CHECK (next_seq < end_seq)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);

-- [first_seq, end_seq) may be handed over by one sender now.
CREATE TABLE claim (
    dispatch_id bigint NOT NULL,
    first_seq integer NOT NULL,
    end_seq integer NOT NULL,
    sender_id bigint NOT NULL REFERENCES sender,
    zone text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dispatch_id, first_seq),
    CHECK (first_seq < end_seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX claim_sender ON claim (sender_id);

-- Counters of the facts of one dispatch, one row for each writer, so that no two writers wait for each other.
-- carrier_id 0: facts that belong to no carrier.
CREATE TABLE tally (
    dispatch_id bigint NOT NULL,
    sender_id bigint NOT NULL,
    carrier_id smallint NOT NULL,
    accepted bigint NOT NULL DEFAULT 0,
    accepted_parts bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    refused_parts bigint NOT NULL DEFAULT 0,
    in_doubt bigint NOT NULL DEFAULT 0,
    in_doubt_parts bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    delivered_parts bigint NOT NULL DEFAULT 0,
    undelivered bigint NOT NULL DEFAULT 0,
    undelivered_parts bigint NOT NULL DEFAULT 0,
    unsent bigint NOT NULL DEFAULT 0,
    unsent_parts bigint NOT NULL DEFAULT 0,
    -- Messages that the sender saw written after the stop had taken effect; must stay 0.
    late bigint NOT NULL DEFAULT 0,
    -- The present speed, measured over windows of about a second.
    window_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    window_count bigint NOT NULL DEFAULT 0,
    rate_now real NOT NULL DEFAULT 0,
    PRIMARY KEY (dispatch_id, sender_id, carrier_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX tally_late ON tally (dispatch_id) WHERE late > 0;

CREATE TABLE stop_receipt (
    dispatch_id bigint PRIMARY KEY REFERENCES dispatch,
    requested_at timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    key_id bigint NOT NULL,
    total bigint NOT NULL,
    accepted bigint NOT NULL CHECK (accepted >= 0),
    refused bigint NOT NULL CHECK (refused >= 0),
    in_doubt bigint NOT NULL CHECK (in_doubt >= 0),
    never_sent bigint NOT NULL CHECK (never_sent >= 0),
    carriers jsonb NOT NULL,
    -- The messages in doubt, which are known for longer than they are kept.
    in_doubt_seqs integer[] NOT NULL,
    CHECK (accepted + refused + in_doubt + never_sent = total),
    CHECK (effective_at >= requested_at)
);

-- A file on its way into a dispatch: its messages are stored but belong to the dispatch only when
-- the last row has come.
CREATE TABLE upload (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dispatch_id bigint NOT NULL REFERENCES dispatch,
    name text NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- It does not become part of its dispatch; its messages are being deleted.
    is_given_up boolean NOT NULL DEFAULT false
);

CREATE TABLE upload_run (
    upload_id bigint NOT NULL REFERENCES upload ON DELETE CASCADE,
    dispatch_id bigint NOT NULL,
    first_seq integer NOT NULL,
    end_seq integer NOT NULL,
    zone text NOT NULL,
    parts bigint NOT NULL,
    PRIMARY KEY (dispatch_id, first_seq),
    CHECK (first_seq < end_seq)
);
CREATE INDEX upload_run_upload ON upload_run (upload_id);

CREATE TABLE idempotency (
    account_id bigint NOT NULL REFERENCES account,
    key text NOT NULL,
    digest bytea NOT NULL,
    answer bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Receipts whose message is not known yet: it may still be recorded by another sender.
CREATE TABLE stray_receipt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier_id smallint NOT NULL,
    carrier_message_id text NOT NULL,
    status smallint NOT NULL,
    carrier_code integer,
    done_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What a process has committed last, by each transaction that it may have open at once: when a commit
-- is not answered, this tells what became of it.  The id of the transaction cannot, since a server
-- that crashed gives out again the ids of transactions that it has forgotten.
CREATE TABLE commit_mark (
    owner uuid NOT NULL,
    slot smallint NOT NULL,
    number bigint NOT NULL,
    -- Up to this number nothing may commit here any more: whoever asked was told that it had not.
    closed bigint NOT NULL DEFAULT 0,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (owner, slot),
    CHECK (number = 0 OR number > closed)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.5);

-- Rounds of the sweeper: whoever moves next_at on does the round.
CREATE TABLE sweep (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    next_at timestamptz NOT NULL DEFAULT now(),
    rounds bigint NOT NULL DEFAULT 0
);
INSERT INTO sweep DEFAULT VALUES;

-- When this server began to accept connections: its postmaster may be much older, after a recovery that took
-- long, or after a back end was killed and all began anew.  The WAL writer begins at that moment; to a role that may
-- not see it the checkpoint at the end of the recovery has to do.
CREATE FUNCTION accepts_since() RETURNS timestamptz
    LANGUAGE sql VOLATILE
    RETURN greatest(pg_postmaster_start_time(), coalesce(
        (SELECT max(backend_start) FROM pg_stat_get_activity(NULL) WHERE backend_type = 'walwriter'),
        (SELECT checkpoint_time FROM pg_control_checkpoint())));

-- Whether the lease of a sender is over, by this database's clock alone.  After the server was away
-- every living sender gets a whole lease anew, since none could renew meanwhile.
CREATE FUNCTION lease_is_over(lease_until timestamptz) RETURNS boolean
    LANGUAGE sql VOLATILE
    RETURN CASE
        WHEN clock_timestamp() <= lease_until THEN false
        WHEN lease_until = '-infinity' THEN true
        ELSE clock_timestamp() > accepts_since() + interval '2 seconds'
    END;

-- Make the period that dispatch ids are drawn from now and the two after it, so that the sequence may move
-- on at any time.  A partition is made apart and attached: that waits for nobody who reads or writes, where
-- CREATE TABLE … PARTITION OF would wait for all and make all others wait behind it.
CREATE FUNCTION ensure_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    span CONSTANT bigint := 1000000000;
    latest bigint;
    base bigint;
    fact text;
BEGIN
    PERFORM pg_advisory_xact_lock(7360001);
    latest := (SELECT last_value FROM dispatch_id);
    FOR base IN SELECT (latest / span + step) * span FROM generate_series(0, 2) AS step LOOP
        INSERT INTO period (first_id, end_id) VALUES (base, base + span) ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        FOREACH fact IN ARRAY ARRAY['message', 'submission', 'receipt'] LOOP
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', fact || '_' || base, fact);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           fact, fact || '_' || base, base, base + span);
        END LOOP;
    END LOOP;
END $$;
SELECT ensure_partitions();

-- Move on to the next period if the present one is not empty and older than *longest*, or its messages take
-- more than *largest* bytes; returns its first id, NULL when the present one goes on.  The partitions of the
-- next one must be committed already: a sequence does not wait for the end of a transaction.
CREATE FUNCTION begin_period(longest interval, largest bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    latest bigint;
    present period;
    next_id bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7360001);
    latest := (SELECT last_value FROM dispatch_id);
    UPDATE period SET closed_at = clock_timestamp() WHERE end_id <= latest AND closed_at IS NULL;
    UPDATE period SET opened_at = coalesce(opened_at, clock_timestamp())
    WHERE first_id <= latest AND end_id > latest RETURNING * INTO present;
    IF pg_relation_size(format('%I', 'message_' || present.first_id)::regclass) > largest
       OR (present.opened_at < clock_timestamp() - longest
           AND EXISTS (SELECT FROM dispatch WHERE id >= present.first_id)) THEN
        -- Near its end others may get there by themselves before the sequence is set, which must not go back.
        next_id := (SELECT min(first_id) FROM period WHERE first_id > latest + 1000000);
    END IF;
    IF next_id IS NOT NULL THEN
        PERFORM setval('dispatch_id', next_id, false);
        UPDATE period SET closed_at = clock_timestamp() WHERE end_id <= next_id AND closed_at IS NULL;
        UPDATE period SET opened_at = clock_timestamp() WHERE first_id = next_id;
    END IF;
    RETURN next_id;
END $$;

-- The status of a message as its facts tell it; penstock.domain.lifecycle.message_status says the same.
CREATE VIEW message_status AS
SELECT
    m.dispatch_id,
    m.seq,
    CASE
        WHEN r.status = 1 THEN 'delivered'
        WHEN r.status = 2 THEN 'undelivered'
        WHEN r.status = 3 THEN 'unsent'
        WHEN s.outcome = 2 THEN 'unsent'
        WHEN s.outcome IN (1, 3) THEN 'sent'
        WHEN d.status IN ('stopped', 'done') THEN 'unsent'
        ELSE 'sending'
    END AS status,
    CASE
        WHEN r.status IS NOT NULL THEN r.code
        WHEN s.outcome = 2 THEN 7061
        WHEN s.outcome = 3 THEN 7064
        WHEN s.outcome = 1 THEN NULL
        WHEN d.status = 'stopped' THEN 7063
        WHEN d.status = 'done' THEN 7062
    END AS error_code,
    m.destination,
    m.parts,
    s.submitted_at,
    coalesce(r.done_at, CASE WHEN s.outcome = 2 THEN s.submitted_at END) AS status_at
FROM message m
JOIN dispatch d ON d.id = m.dispatch_id
-- One look into each primary key for each message, whatever the statistics say.  A new dispatch is not in them
-- yet: taken for a handful of rows, all of it was read anew for each message (12 s of work for an export of 5,000).
LEFT JOIN LATERAL (SELECT outcome, submitted_at FROM submission
                   WHERE submission.dispatch_id = m.dispatch_id AND submission.seq = m.seq LIMIT 1) AS s ON true
LEFT JOIN LATERAL (SELECT receipt.status, code, done_at FROM receipt
                   WHERE receipt.dispatch_id = m.dispatch_id AND receipt.seq = m.seq LIMIT 1) AS r ON true;
