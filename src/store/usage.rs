//! When keys and their secrets were last used. Written in batches, and never backwards.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use entity::{KeyId, SecretId, Timestamp};
use sea_orm::{DbBackend, Statement};
use serde::Serialize;
use uuid::Uuid;

use super::Database;
use crate::error::{Error, Result};

/// One use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub at: i64,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<Arc<str>>,
    pub operation: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(with = "uuid::serde::simple")]
    id: Uuid,
    at: i64,
    ip: Option<IpAddr>,
    user_agent: Option<&'a str>,
    operation: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(key: KeyId, last: &'a KeyUse) -> Self {
        let KeyUse { at, ip, user_agent, operation } = last;
        Self {
            id: key.0,
            at: *at,
            ip: *ip,
            user_agent: user_agent.as_deref(),
            operation: operation.as_deref(),
        }
    }
}

/// Writes the last uses of keys.
pub async fn write_keys(db: &Database, uses: &[(KeyId, KeyUse)]) -> Result<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row<'_>> = uses.iter().map(|(id, last)| Row::new(*id, last)).collect();
    run(db, [KEYS_SQLITE, KEYS_POSTGRES], serde_json::to_string(&rows)).await
}

/// Writes the last uses of secrets.
pub async fn write_secrets(db: &Database, uses: &[(SecretId, Timestamp)]) -> Result<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> =
        uses.iter().map(|(id, at)| serde_json::json!({ "id": id.0.simple(), "at": at.0 })).collect();
    run(db, [SECRETS_SQLITE, SECRETS_POSTGRES], serde_json::to_string(&rows)).await
}

async fn run(
    db: &Database,
    [sqlite, postgres]: [&'static str; 2],
    rows: serde_json::Result<String>,
) -> Result<()> {
    let backend = db.background().get_database_backend();
    let sql = if backend == DbBackend::Sqlite { sqlite } else { postgres };
    let rows = rows.map_err(Error::internal)?;
    db.execute_in_background(Statement::from_sql_and_values(backend, sql, [rows.into()])).await
}

const KEYS_SQLITE: &str = "
UPDATE api_keys
SET last_used_at = j.value ->> 'at', last_used_ip = j.value ->> 'ip',
    last_used_user_agent = j.value ->> 'user_agent', last_used_operation = j.value ->> 'operation'
FROM json_each(?1) j
WHERE api_keys.id = unhex(j.value ->> 'id') AND coalesce(last_used_at, 0) <= j.value ->> 'at'";

const KEYS_POSTGRES: &str = "
UPDATE api_keys
SET last_used_at = j.at, last_used_ip = j.ip, last_used_user_agent = j.user_agent, last_used_operation = j.operation
FROM json_to_recordset($1::json) AS j (id uuid, at bigint, ip text, user_agent text, operation text)
WHERE api_keys.id = j.id AND coalesce(last_used_at, 0) <= j.at";

const SECRETS_SQLITE: &str = "
UPDATE key_secrets SET last_used_at = j.value ->> 'at'
FROM json_each(?1) j
WHERE key_secrets.id = unhex(j.value ->> 'id') AND coalesce(last_used_at, 0) <= j.value ->> 'at'";

const SECRETS_POSTGRES: &str = "
UPDATE key_secrets SET last_used_at = j.at
FROM json_to_recordset($1::json) AS j (id uuid, at bigint)
WHERE key_secrets.id = j.id AND coalesce(last_used_at, 0) <= j.at";
