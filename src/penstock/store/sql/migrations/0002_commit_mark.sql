-- What a process has committed last, by each transaction that it may have open at once: when a commit
-- is not answered, this tells what became of it.  The id of the transaction cannot, since a server
-- that crashed gives out again the ids of transactions that it has forgotten.
CREATE TABLE commit_mark (
    owner uuid NOT NULL,
    slot smallint NOT NULL,
    number bigint NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (owner, slot)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.5);
