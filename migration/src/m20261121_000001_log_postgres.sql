
-- Writes events into the log, from an array of objects, and says how many: one that rests on a state of its key only if
-- that still holds. With the number of a fence it first waits for changes that are being committed, and keeps others
-- waiting until its transaction has ended; each statement here sees what was committed before it began.
CREATE FUNCTION append_activity (fence BIGINT, events JSON) RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    written BIGINT;
BEGIN
    IF fence IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock_shared(fence);
    END IF;
    INSERT INTO activity (id, at, kind, outcome, actor_kind, actor_id, key_id, owner_id, target_kind, target_id,
                          ip, user_agent, request_id, token_id, count, detail)
    SELECT e.id, e.at, e.kind, e.outcome, e.actor_kind, e.actor_id, e.key_id, e.owner_id, e.target_kind, e.target_id,
           e.ip, e.user_agent, e.request_id, e.token_id, e.count, e.detail
    FROM json_to_recordset(events) AS e (
        id UUID, at BIGINT, kind SMALLINT, outcome SMALLINT, actor_kind SMALLINT, actor_id UUID, key_id UUID,
        owner_id UUID, target_kind SMALLINT, target_id UUID, ip TEXT, user_agent TEXT, request_id TEXT, token_id TEXT,
        count BIGINT, detail TEXT, version INTEGER, generation BIGINT, epoch BIGINT, as_of BIGINT)
    WHERE e.version IS NULL
       OR e.as_of = (SELECT last_change FROM change_counter)
       OR e.epoch = (SELECT epoch FROM change_counter) AND EXISTS (
           SELECT 1 FROM api_keys k JOIN accounts o ON o.id = k.owner_id
           WHERE k.id = e.key_id AND k.state = 'ENABLED' AND k.version = e.version
             AND o.active AND o.generation = e.generation);
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;
