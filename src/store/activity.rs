//! The activity log: appended to by one statement a batch, read within a [`Reach`].

use std::collections::HashSet;

use entity::activity::{self, ActivityFamily, ActivityKind, Column, Outcome};
use entity::{AccountId, ActivityId, GlobalId, KeyId, Timestamp};
use sea_orm::sea_query::{Condition, Order, Query};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbBackend, Iterable as _, QueryFilter as _, Statement};
use serde::Serialize;
use uuid::Uuid;

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::{Reached, rows};
use crate::access::Reach;
use crate::entropy::Sequence;
use crate::error::{Error, Result};

/// Something that happened, on its way into the log.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Timestamp,
    pub kind: ActivityKind,
    pub outcome: Outcome,
    pub actor: Option<GlobalId>,
    pub key: Option<KeyId>,
    pub owner: Option<AccountId>,
    pub target: Option<GlobalId>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub token_id: Option<String>,
    pub detail: Option<serde_json::Value>,
    /// How many events the row stands for.
    pub count: i64,
    /// The event is refused unless the key is enabled, its owner active, and this still so.
    pub only_on: Option<Basis>,
}

/// What a decision about a key rests on: as long as these three are the same, nothing that it looked at has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The version of the key: its own properties, secrets and grants.
    pub version: i32,
    /// The generation of its owner.
    pub owner_generation: i64,
    /// The epoch of the policy: who may do what, and the settings.
    pub epoch: i64,
}

/// Which events: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default)]
pub struct ActivityFilter {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub families: Option<Vec<ActivityFamily>>,
    pub kinds: Option<Vec<ActivityKind>>,
    pub outcomes: Option<Vec<Outcome>>,
    pub keys: Option<Vec<KeyId>>,
    pub owners: Option<Vec<AccountId>>,
    pub actors: Option<Vec<GlobalId>>,
    pub ip: Option<String>,
    pub request_id: Option<String>,
}

impl ActivityFilter {
    fn condition(&self) -> Condition {
        let kinds_of = |families: &[ActivityFamily]| {
            ActivityKind::iter().filter(|kind| families.contains(&kind.family())).collect::<Vec<_>>()
        };
        let is_actor = |actor: &GlobalId| {
            Condition::all().add(Column::ActorKind.eq(actor.kind)).add(Column::ActorId.eq(actor.uuid))
        };
        Condition::all()
            .add_option(self.from.map(|from| Column::At.gte(from)))
            .add_option(self.to.map(|to| Column::At.lt(to)))
            .add_option(self.families.as_ref().map(|families| Column::Kind.is_in(kinds_of(families))))
            .add_option(self.kinds.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
            .add_option(
                self.outcomes.as_ref().map(|outcomes| Column::Outcome.is_in(outcomes.iter().copied())),
            )
            .add_option(self.keys.as_ref().map(|keys| Column::KeyId.is_in(keys.iter().copied())))
            .add_option(self.owners.as_ref().map(|owners| Column::OwnerId.is_in(owners.iter().copied())))
            .add_option(
                self.actors.as_ref().map(|actors| {
                    actors.iter().fold(Condition::any(), |any, actor| any.add(is_actor(actor)))
                }),
            )
            .add_option(self.ip.as_ref().map(|ip| Column::Ip.eq(ip)))
            .add_option(self.request_id.as_ref().map(|id| Column::RequestId.eq(id)))
    }
}

/// Events, newest first.
pub async fn list(
    db: &impl ConnectionTrait,
    reach: &Reach,
    filter: &ActivityFilter,
    request: &PageRequest,
) -> Result<Result<Page<Reached<activity::Model>>, ForeignCursor>> {
    let sort = Sort { order: 18, column: None, id: Column::Id, descending: true };
    page::fetch(db, rows::activity(reach).filter(filter.condition()), sort, request).await
}

pub async fn find_many(
    db: &impl ConnectionTrait,
    reach: &Reach,
    ids: &[ActivityId],
) -> Result<Vec<Reached<activity::Model>>> {
    let found = rows::activity(reach).filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(found.into_iter().map(Reached::new).collect())
}

/// Writes one event, as part of the change that it tells of.
pub async fn record(db: &impl ConnectionTrait, ids: &Sequence, event: Event) -> Result<()> {
    append(db, ids, &[event]).await.map(|_| ())
}

/// Writes events in one statement, in their order. Says for each whether it was written: one whose basis has changed is
/// not. Which ones were is asked only if it was not all of them, because each row of an answer costs.
pub async fn append(db: &impl ConnectionTrait, ids: &Sequence, events: &[Event]) -> Result<Vec<bool>> {
    let rows: Vec<Row<'_>> = events.iter().map(|event| Row::new(event, ids.next(event.at))).collect();
    let json = serde_json::to_string(&rows).map_err(Error::internal)?;
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { APPEND_SQLITE } else { APPEND_POSTGRES };
    let appended = db.execute_raw(Statement::from_sql_and_values(backend, sql, [json.into()])).await?;
    if appended.rows_affected() == rows.len() as u64 {
        return Ok(vec![true; rows.len()]);
    }
    let ids = Query::select()
        .column(Column::Id)
        .from(activity::Entity)
        .and_where(Column::Id.is_in(rows.iter().map(|row| row.id)))
        .take();
    let written = db.query_all(&ids).await?;
    let written = written.iter().map(|row| row.try_get_by_index::<Uuid>(0));
    let written = written.collect::<Result<HashSet<_>, _>>()?;
    Ok(rows.iter().map(|row| written.contains(&row.id)).collect())
}

/// Removes the oldest events from before this instant, at most so many, and says how many there were. Ids ascend with
/// time, and the first 48 of their bits are milliseconds: the primary key finds them.
pub async fn remove_before(db: &impl ConnectionTrait, before: Timestamp, most: u64) -> Result<u64> {
    let end = ActivityId(Uuid::from_u128(u128::from(before.0.max(0).unsigned_abs()) << 80));
    let oldest = Query::select()
        .column(Column::Id)
        .from(activity::Entity)
        .and_where(Column::Id.lt(end))
        .order_by(Column::Id, Order::Asc)
        .limit(most)
        .take();
    let removed = rows::remove::<activity::Entity>().filter(Column::Id.in_subquery(oldest)).exec(db).await?;
    Ok(removed.rows_affected)
}

/// An event as the statements below read it, by name.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(with = "uuid::serde::simple")]
    id: Uuid,
    at: i64,
    kind: i16,
    outcome: i16,
    actor_kind: Option<i16>,
    actor_id: Option<uuid::fmt::Simple>,
    key_id: Option<uuid::fmt::Simple>,
    owner_id: Option<uuid::fmt::Simple>,
    target_kind: Option<i16>,
    target_id: Option<uuid::fmt::Simple>,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: Option<&'a str>,
    token_id: Option<&'a str>,
    detail: Option<String>,
    count: i64,
    version: Option<i32>,
    generation: Option<i64>,
    epoch: Option<i64>,
}

impl<'a> Row<'a> {
    fn new(event: &'a Event, id: Uuid) -> Self {
        let kind = |object: GlobalId| sea_orm::ActiveEnum::to_value(&object.kind);
        let named = |object: GlobalId| (!object.uuid.is_nil()).then(|| object.uuid.simple());
        Self {
            id,
            at: event.at.0,
            kind: sea_orm::ActiveEnum::to_value(&event.kind),
            outcome: sea_orm::ActiveEnum::to_value(&event.outcome),
            actor_kind: event.actor.map(kind),
            actor_id: event.actor.and_then(named),
            key_id: event.key.map(|key| key.0.simple()),
            owner_id: event.owner.map(|owner| owner.0.simple()),
            target_kind: event.target.map(kind),
            target_id: event.target.and_then(named),
            ip: event.ip.as_deref(),
            user_agent: event.user_agent.as_deref(),
            request_id: event.request_id.as_deref(),
            token_id: event.token_id.as_deref(),
            detail: event.detail.as_ref().map(ToString::to_string),
            count: event.count,
            version: event.only_on.map(|basis| basis.version),
            generation: event.only_on.map(|basis| basis.owner_generation),
            epoch: event.only_on.map(|basis| basis.epoch),
        }
    }
}

const APPEND_SQLITE: &str = "
INSERT INTO activity (id, at, kind, outcome, actor_kind, actor_id, key_id, owner_id, target_kind, target_id,
                      ip, user_agent, request_id, token_id, count, detail)
SELECT unhex(j.value ->> 'id'), j.value ->> 'at', j.value ->> 'kind', j.value ->> 'outcome',
       j.value ->> 'actor_kind', unhex(j.value ->> 'actor_id'), unhex(j.value ->> 'key_id'),
       unhex(j.value ->> 'owner_id'), j.value ->> 'target_kind', unhex(j.value ->> 'target_id'),
       j.value ->> 'ip', j.value ->> 'user_agent', j.value ->> 'request_id', j.value ->> 'token_id',
       j.value ->> 'count', j.value ->> 'detail'
FROM json_each(?1) j
LEFT JOIN api_keys k ON k.id = unhex(j.value ->> 'key_id') AND j.value ->> 'version' IS NOT NULL
LEFT JOIN accounts o ON o.id = k.owner_id
LEFT JOIN policy p ON p.epoch = j.value ->> 'epoch'
WHERE j.value ->> 'version' IS NULL
   OR (k.state = 'ENABLED' AND o.active AND p.id IS NOT NULL
       AND k.version = j.value ->> 'version' AND o.generation = j.value ->> 'generation')";

const APPEND_POSTGRES: &str = "
INSERT INTO activity (id, at, kind, outcome, actor_kind, actor_id, key_id, owner_id, target_kind, target_id,
                      ip, user_agent, request_id, token_id, count, detail)
SELECT j.id, j.at, j.kind, j.outcome, j.actor_kind, j.actor_id, j.key_id, j.owner_id, j.target_kind, j.target_id,
       j.ip, j.user_agent, j.request_id, j.token_id, j.count, j.detail
FROM json_to_recordset($1::json) AS j (
    id uuid, at bigint, kind smallint, outcome smallint, actor_kind smallint, actor_id uuid, key_id uuid,
    owner_id uuid, target_kind smallint, target_id uuid, ip text, user_agent text, request_id text, token_id text,
    detail text, count bigint, version integer, generation bigint, epoch bigint)
LEFT JOIN api_keys k ON k.id = j.key_id AND j.version IS NOT NULL
LEFT JOIN accounts o ON o.id = k.owner_id
LEFT JOIN policy p ON p.epoch = j.epoch
WHERE j.version IS NULL
   OR (k.state = 'ENABLED' AND o.active AND p.id IS NOT NULL
       AND k.version = j.version AND o.generation = j.generation)";
