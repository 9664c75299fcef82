-- One text for SQLite and PostgreSQL. Ids are 16 bytes (UUID), instants are milliseconds since 1970 (BIGINT).

CREATE TABLE accounts (
    id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('USER', 'SERVICE_ACCOUNT')),
    active BOOLEAN NOT NULL,
    generation BIGINT NOT NULL,
    version INTEGER NOT NULL,
    created_by_kind SMALLINT NOT NULL,
    created_by_id UUID,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
-- Almost every list of keys asks whether their owners are active: this answers without reading the rows.
CREATE INDEX accounts_active ON accounts (id, active);

CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY REFERENCES accounts (id),
    email TEXT NOT NULL CONSTRAINT users_email UNIQUE,
    handle TEXT CONSTRAINT users_handle UNIQUE,
    display_name TEXT NOT NULL,
    password_hash TEXT,
    last_sign_in_at BIGINT
);

CREATE TABLE service_accounts (
    id UUID NOT NULL PRIMARY KEY REFERENCES accounts (id),
    name TEXT NOT NULL CONSTRAINT service_accounts_name UNIQUE,
    description TEXT,
    built_in BOOLEAN NOT NULL
);

CREATE TABLE groups (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT groups_name UNIQUE,
    description TEXT,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE roles (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT roles_name UNIQUE,
    description TEXT,
    built_in BOOLEAN NOT NULL,
    all_scopes BOOLEAN NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE apis (
    id UUID NOT NULL PRIMARY KEY,
    identifier TEXT NOT NULL CONSTRAINT apis_identifier UNIQUE,
    name TEXT NOT NULL,
    description TEXT,
    built_in BOOLEAN NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE scopes (
    id UUID NOT NULL PRIMARY KEY,
    api_id UUID NOT NULL REFERENCES apis (id),
    name TEXT NOT NULL CONSTRAINT scopes_name UNIQUE,
    description TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('READ', 'WRITE'))
);
CREATE INDEX scopes_api ON scopes (api_id);

CREATE TABLE group_members (
    group_id UUID NOT NULL REFERENCES groups (id),
    user_id UUID NOT NULL REFERENCES users (id),
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE group_roles (
    group_id UUID NOT NULL REFERENCES groups (id),
    role_id UUID NOT NULL REFERENCES roles (id),
    PRIMARY KEY (group_id, role_id)
) WITHOUT ROWID;
CREATE INDEX group_roles_role ON group_roles (role_id);

CREATE TABLE user_roles (
    user_id UUID NOT NULL REFERENCES users (id),
    role_id UUID NOT NULL REFERENCES roles (id),
    PRIMARY KEY (user_id, role_id)
) WITHOUT ROWID;
CREATE INDEX user_roles_role ON user_roles (role_id);

CREATE TABLE role_scopes (
    role_id UUID NOT NULL REFERENCES roles (id),
    scope_id UUID NOT NULL REFERENCES scopes (id),
    PRIMARY KEY (role_id, scope_id)
) WITHOUT ROWID;
CREATE INDEX role_scopes_scope ON role_scopes (scope_id);

-- Sign-ins to the console. Only a digest of the cookie is kept.
CREATE TABLE sessions (
    id UUID NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL CONSTRAINT sessions_token_hash UNIQUE,
    user_id UUID NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    ip TEXT,
    user_agent TEXT
);
CREATE INDEX sessions_user ON sessions (user_id);

-- What the first administrator proves to be on this machine with. At most one row.
CREATE TABLE setup_tokens (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    token_hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id UUID NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL CONSTRAINT api_keys_client_id UNIQUE,
    owner_id UUID NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    description TEXT,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'ENABLED', 'DISABLED', 'DELETED')),
    read_only BOOLEAN NOT NULL,
    inherits_owner BOOLEAN NOT NULL,
    allowed_networks TEXT,
    expires_at BIGINT,
    token_lifetime_seconds INTEGER,
    token_limit_requests INTEGER,
    token_limit_seconds INTEGER,
    call_limit_requests INTEGER,
    call_limit_seconds INTEGER,
    generation BIGINT NOT NULL,
    version INTEGER NOT NULL,
    created_by_kind SMALLINT NOT NULL,
    created_by_id UUID,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    last_used_at BIGINT,
    last_used_ip TEXT,
    last_used_user_agent TEXT,
    last_used_operation TEXT
);
-- A deleted key frees its name.
CREATE UNIQUE INDEX api_keys_owner_name ON api_keys (owner_id, name) WHERE deleted_at IS NULL;
-- With the state, so that keys can be counted without reading their rows.
CREATE INDEX api_keys_owner ON api_keys (owner_id, id, state);
CREATE INDEX api_keys_created_by ON api_keys (created_by_id, id);
-- One for each order of lists.
CREATE INDEX api_keys_name ON api_keys (name, id);
CREATE INDEX api_keys_expires_at ON api_keys (expires_at, id);
CREATE INDEX api_keys_last_used_at ON api_keys (last_used_at, id);

CREATE TABLE key_roles (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    role_id UUID NOT NULL REFERENCES roles (id),
    PRIMARY KEY (key_id, role_id)
) WITHOUT ROWID;
CREATE INDEX key_roles_role ON key_roles (role_id);

CREATE TABLE key_scopes (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    scope_id UUID NOT NULL REFERENCES scopes (id),
    PRIMARY KEY (key_id, scope_id)
) WITHOUT ROWID;
CREATE INDEX key_scopes_scope ON key_scopes (scope_id);

CREATE TABLE key_secrets (
    id UUID NOT NULL PRIMARY KEY,
    key_id UUID NOT NULL REFERENCES api_keys (id),
    hash TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    valid_until BIGINT,
    last_used_at BIGINT
);
-- One current secret and one previous secret a key, whatever happens at the same time; and how the secrets of a key are
-- found. Two partial indexes would say the former and not do the latter: every exchange would read the whole table.
CREATE UNIQUE INDEX key_secrets_key ON key_secrets (key_id, (valid_until IS NULL));
CREATE INDEX key_secrets_issued ON key_secrets (created_at, key_id) WHERE valid_until IS NULL;
CREATE INDEX key_secrets_hint ON key_secrets (hint);

-- Access tokens that were revoked by themselves, until they would have ended.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    key_id UUID NOT NULL REFERENCES api_keys (id),
    ends_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX revoked_tokens_key ON revoked_tokens (key_id);
CREATE INDEX revoked_tokens_ends_at ON revoked_tokens (ends_at);

-- Counts changes: epoch rises with every change of who may do what and of the settings, last_change with every
-- change that concerns what servers cache.
CREATE TABLE change_counter (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL,
    last_change BIGINT NOT NULL
);
INSERT INTO change_counter VALUES (1, 0, 0);

-- What each change invalidates in the cache of every server: keys, or everything. In the order of commits.
CREATE TABLE changes (
    seq BIGINT NOT NULL PRIMARY KEY,
    key_ids BYTEA
);

-- What a change of many keys has not reached yet, as it was when the change began. One row a portion, used once.
CREATE TABLE key_selections (
    id UUID NOT NULL PRIMARY KEY,
    next_id UUID,
    remaining BIGINT NOT NULL,
    verb SMALLINT NOT NULL,
    actor_kind SMALLINT NOT NULL,
    actor_id UUID NOT NULL,
    key_ids BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX key_selections_created_at ON key_selections (created_at);

-- Requests that made secrets, for clients that did not see the answer and send them again.
CREATE TABLE idempotency_keys (
    actor_kind SMALLINT NOT NULL,
    actor_id UUID NOT NULL,
    key_hash TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    result TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor_kind, actor_id, key_hash)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

CREATE TABLE data_keys (
    id INTEGER NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('CLIENT_SECRET', 'PASSWORD')),
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    id UUID NOT NULL PRIMARY KEY,
    kid TEXT NOT NULL CONSTRAINT signing_keys_kid UNIQUE,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('NEXT', 'ACTIVE', 'RETIRING')),
    public_jwk TEXT NOT NULL,
    wrapped_private_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at BIGINT
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (state) WHERE state = 'ACTIVE';

CREATE TABLE settings (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    max_keys_per_owner INTEGER,
    password_api_access BOOLEAN NOT NULL,
    key_approval_required BOOLEAN NOT NULL,
    expiry_required BOOLEAN NOT NULL,
    max_key_lifetime_days INTEGER,
    default_key_lifetime_days INTEGER,
    default_token_lifetime_seconds INTEGER NOT NULL,
    max_token_lifetime_seconds INTEGER NOT NULL,
    default_token_limit_requests INTEGER NOT NULL,
    default_token_limit_seconds INTEGER NOT NULL,
    default_call_limit_requests INTEGER NOT NULL,
    default_call_limit_seconds INTEGER NOT NULL,
    default_grace_period_seconds INTEGER NOT NULL,
    activity_retention_days INTEGER NOT NULL,
    support_url TEXT,
    version INTEGER NOT NULL
);
INSERT INTO settings VALUES
    (1, NULL, FALSE, FALSE, FALSE, NULL, NULL, 600, 3600, 60, 60, 10000, 60, 0, 90, NULL, 1);

CREATE TABLE activity (
    id UUID NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    outcome SMALLINT NOT NULL,
    actor_kind SMALLINT,
    actor_id UUID,
    key_id UUID,
    owner_id UUID,
    target_kind SMALLINT,
    target_id UUID,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT,
    token_id TEXT,
    count BIGINT NOT NULL,
    detail TEXT
) WITHOUT ROWID;
CREATE INDEX activity_key ON activity (key_id, id);
CREATE INDEX activity_owner ON activity (owner_id, id);

-- The scopes that a role grants now. The two arms never meet, and UNION ALL lets a condition reach into both.
CREATE VIEW role_grants AS
SELECT rs.role_id, rs.scope_id FROM role_scopes rs JOIN roles r ON r.id = rs.role_id WHERE NOT r.all_scopes
UNION ALL
SELECT r.id, s.id FROM roles r CROSS JOIN scopes s WHERE r.all_scopes;

-- The roles that a user has now, directly and through groups; one that comes in several ways stands here several times.
CREATE VIEW account_roles AS
SELECT ur.user_id AS account_id, ur.role_id FROM user_roles ur
UNION ALL
SELECT gm.user_id, gr.role_id FROM group_members gm JOIN group_roles gr ON gr.group_id = gm.group_id;

-- The scopes that a user holds now; one that comes in several ways stands here several times.
CREATE VIEW account_scopes AS
SELECT ar.account_id, rg.scope_id FROM account_roles ar JOIN role_grants rg ON rg.role_id = ar.role_id;

-- What a key was given, through roles, directly, or by inheriting all that its owner holds; without WRITE scopes if it
-- is read-only. This is how strong its secret is.
CREATE VIEW key_grants AS
SELECT k.id AS key_id, s.id AS scope_id
FROM api_keys k
JOIN scopes s ON s.kind = 'READ' OR NOT k.read_only
WHERE EXISTS (SELECT 1 FROM key_scopes ks WHERE ks.key_id = k.id AND ks.scope_id = s.id)
   OR EXISTS (SELECT 1 FROM key_roles kr JOIN role_grants rg ON rg.role_id = kr.role_id
              WHERE kr.key_id = k.id AND rg.scope_id = s.id)
   OR (k.inherits_owner
       AND EXISTS (SELECT 1 FROM account_scopes a WHERE a.account_id = k.owner_id AND a.scope_id = s.id));

-- What an exchange of a key can grant now: what it was given, and for a user's key only what that user holds now.
CREATE VIEW effective_scopes AS
SELECT g.key_id, g.scope_id
FROM key_grants g
JOIN api_keys k ON k.id = g.key_id
JOIN accounts o ON o.id = k.owner_id
WHERE o.kind = 'SERVICE_ACCOUNT'
   OR EXISTS (SELECT 1 FROM account_scopes a WHERE a.account_id = k.owner_id AND a.scope_id = g.scope_id);
