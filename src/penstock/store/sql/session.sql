-- Transactions as such.

-- name: mark_transaction
-- Read the id of a transaction that has written something.
SELECT pg_current_xact_id_if_assigned()::text;

-- name: read_transaction
-- Tell what became of a transaction: committed, aborted or in progress.
SELECT pg_xact_status(:mark::text::xid8);
