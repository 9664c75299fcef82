//! The activity log, read within a [`Reach`].

use std::net::IpAddr;
use std::sync::Arc;

use entity::activity::{self, ActivityFamily, ActivityKind, Column, Outcome};
use entity::{AccountId, ActivityId, GlobalId, KeyId, Timestamp};
use sea_orm::sea_query::{Condition, Order, Query};
use sea_orm::{ColumnTrait as _, ConnectionTrait, Iterable as _, QueryFilter as _};
use uuid::Uuid;

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::{Reached, rows};
use crate::access::Reach;
use crate::error::Result;

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
    pub ip: Option<IpAddr>,
    pub user_agent: Option<Arc<str>>,
    pub request_id: Option<Arc<str>>,
    pub token_id: Option<String>,
    pub detail: Option<Detail>,
    /// How many events the row stands for.
    pub count: i64,
    /// The event is refused unless nothing has changed, or the key is enabled, its owner active, and this still so.
    pub only_on: Option<Basis>,
}

/// What else there is to tell of an event: JSON, as it is stored. Events of which the same is told share it.
#[derive(Clone, Debug)]
pub struct Detail(Arc<str>);

impl From<serde_json::Value> for Detail {
    fn from(detail: serde_json::Value) -> Self {
        Self(detail.to_string().into())
    }
}

impl Detail {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a decision about a key rests on: as long as there was no change, or these three are the same, nothing that it
/// looked at has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The number of a change that was made before the decision: it took all changes up to this one into account.
    pub as_of: Option<i64>,
    /// The version of the key: its own properties, secrets and grants.
    pub version: i32,
    /// The generation of its owner.
    pub owner_generation: i64,
    /// The epoch of the directory: who may do what, and the settings.
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
