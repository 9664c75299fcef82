//! Events on their way into the log: a batch is one statement.
//!
//! An event that rests on a state of its key is written only if that still holds, which the statement itself checks. The
//! values of SQLite's statement are bound, because reading them from JSON costs it more than writing the rows;
//! PostgreSQL's is a function that was planned once, `append_activity`.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use entity::GlobalId;
use entity::activity::{self, Column};
use sea_orm::sea_query::Query;
use sea_orm::{ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbBackend, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use super::Database;
use super::activity::{Detail, Event};
use super::changes::FENCE;
use crate::entropy::Sequence;
use crate::error::{Error, Result};

/// So many events are written by one statement, which may have 32,766 values on SQLite.
pub const MOST: usize = 1_024;

/// Writes at most [`MOST`] events, as the journal does: on its connection, in a transaction of their own, on PostgreSQL
/// not while a change is being committed. Says for each whether it was written: one whose basis has changed is not.
/// Which ones were is asked only if it was not all of them.
pub async fn write(db: &Database, ids: &Sequence, events: &[Event]) -> Result<Vec<bool>> {
    let reader = db.background();
    let rows = rows(ids, events);
    let count = db.journal(statement(reader.get_database_backend(), &rows, Some(FENCE))?).await?;
    if count == rows.len() as u64 {
        return Ok(vec![true; rows.len()]);
    }
    let ids = Query::select()
        .column(Column::Id)
        .from(activity::Entity)
        .and_where(Column::Id.is_in(rows.iter().map(|row| row.id)))
        .take();
    let written = reader.query_all(&ids).await?;
    let written = written.iter().map(|row| row.try_get_by_index::<Uuid>(0));
    let written = written.collect::<Result<HashSet<_>, _>>()?;
    Ok(rows.iter().map(|row| written.contains(&row.id)).collect())
}

/// Writes events as part of the change that they tell of.
pub async fn append(db: &impl ConnectionTrait, ids: &Sequence, events: &[Event]) -> Result<()> {
    for events in events.chunks(MOST) {
        db.execute_raw(statement(db.get_database_backend(), &rows(ids, events), None)?).await?;
    }
    Ok(())
}

/// An event as the statements read it: the columns of the table, then its basis.
#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    at: i64,
    kind: i16,
    outcome: i16,
    actor_kind: Option<i16>,
    actor_id: Option<Uuid>,
    key_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    target_kind: Option<i16>,
    target_id: Option<Uuid>,
    ip: Option<IpAddr>,
    user_agent: Option<&'a str>,
    request_id: Option<&'a str>,
    token_id: Option<&'a str>,
    count: i64,
    detail: Option<&'a str>,
    version: Option<i32>,
    generation: Option<i64>,
    epoch: Option<i64>,
    as_of: Option<i64>,
}

fn rows<'a>(ids: &Sequence, events: &'a [Event]) -> Vec<Row<'a>> {
    events.iter().map(|event| Row::new(event, ids.next(event.at))).collect()
}

impl<'a> Row<'a> {
    fn new(event: &'a Event, id: Uuid) -> Self {
        let kind = |object: GlobalId| object.kind.to_value();
        let named = |object: GlobalId| (!object.uuid.is_nil()).then_some(object.uuid);
        Self {
            id,
            at: event.at.0,
            kind: event.kind.to_value(),
            outcome: event.outcome.to_value(),
            actor_kind: event.actor.map(kind),
            actor_id: event.actor.and_then(named),
            key_id: event.key.map(|key| key.0),
            owner_id: event.owner.map(|owner| owner.0),
            target_kind: event.target.map(kind),
            target_id: event.target.and_then(named),
            ip: event.ip,
            user_agent: event.user_agent.as_deref(),
            request_id: event.request_id.as_deref(),
            token_id: event.token_id.as_deref(),
            count: event.count,
            detail: event.detail.as_ref().map(Detail::as_str),
            version: event.only_on.map(|basis| basis.version),
            generation: event.only_on.map(|basis| basis.owner_generation),
            epoch: event.only_on.map(|basis| basis.epoch),
            as_of: event.only_on.and_then(|basis| basis.as_of),
        }
    }

    /// In the order of [`COLUMNS`] and [`BASIS`].
    fn values(&self) -> [Value; 20] {
        [
            self.id.into(),
            self.at.into(),
            self.kind.into(),
            self.outcome.into(),
            self.actor_kind.into(),
            self.actor_id.into(),
            self.key_id.into(),
            self.owner_id.into(),
            self.target_kind.into(),
            self.target_id.into(),
            self.ip.map(|ip| ip.to_string()).into(),
            self.user_agent.into(),
            self.request_id.into(),
            self.token_id.into(),
            self.count.into(),
            self.detail.into(),
            self.version.into(),
            self.generation.into(),
            self.epoch.into(),
            self.as_of.into(),
        ]
    }
}

/// The fence is for PostgreSQL: see the function.
fn statement(backend: DbBackend, rows: &[Row<'_>], fence: Option<i64>) -> Result<Statement> {
    if backend == DbBackend::Sqlite {
        return Ok(Statement::from_sql_and_values(
            backend,
            sqlite(rows.len())?,
            rows.iter().flat_map(Row::values),
        ));
    }
    let json = serde_json::to_string(rows).map_err(Error::internal)?;
    Ok(Statement::from_sql_and_values(backend, POSTGRES, [fence.into(), json.into()]))
}

const POSTGRES: &str = "SELECT append_activity($1, $2::json)";

const COLUMNS: &str = "id, at, kind, outcome, actor_kind, actor_id, key_id, owner_id, target_kind, target_id, \
                       ip, user_agent, request_id, token_id, count, detail";
const BASIS: &str = "version, generation, epoch, as_of";

/// A statement for each of these numbers of rows; a batch takes the next one that is large enough, and leaves its last
/// rows empty.
const SIZES: [usize; 20] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, MOST];

static SQLITE: LazyLock<[String; SIZES.len()]> = LazyLock::new(|| SIZES.map(for_sqlite));

/// Values that are left out at the end are NULL.
fn sqlite(rows: usize) -> Result<&'static str> {
    let place = SIZES.iter().position(|size| *size >= rows);
    let sql = place.and_then(|place| SQLITE.get(place));
    sql.map(String::as_str).ok_or_else(|| Error::internal("more events than one statement takes"))
}

fn for_sqlite(size: usize) -> String {
    let width = COLUMNS.split(", ").chain(BASIS.split(", ")).count();
    let row = format!("({})", vec!["?"; width].join(","));
    let rows = vec![row; size].join(",");
    let of_event = COLUMNS.replace(", ", ", e.");
    format!(
        "WITH event ({COLUMNS}, {BASIS}) AS (VALUES {rows})
         INSERT INTO activity ({COLUMNS})
         SELECT e.{of_event}
         FROM event e
         WHERE e.id IS NOT NULL
           AND (e.version IS NULL
                OR e.as_of = (SELECT last_change FROM change_counter)
                OR e.epoch = (SELECT epoch FROM change_counter) AND EXISTS (
                    SELECT 1 FROM api_keys k JOIN accounts o ON o.id = k.owner_id
                    WHERE k.id = e.key_id AND k.state = 'ENABLED' AND k.version = e.version
                      AND o.active AND o.generation = e.generation))"
    )
}
