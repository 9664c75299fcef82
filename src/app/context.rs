//! One request: who asks, when, from where. The single argument of an action beside its input.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use entity::activity::{ActivityKind, Outcome};
use entity::{AccountId, GlobalId, KeyId, SessionId, Timestamp, UserId};

use crate::access::{Action, Caller, Person, Reach, permissions};
use crate::app::App;
use crate::app::limits::{Limit, Spent};
use crate::error::{Error, Result};
use crate::store::activity::Event;
use crate::store::changes;
use crate::store::usage::KeyUse;
use crate::store::{Tx, accounts, log};

/// Where a request came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub request_id: Option<Arc<str>>,
    /// The client's address, or what was nearest to it.
    pub ip: Option<IpAddr>,
    /// The client stands behind `ip`, a trusted proxy that does not tell readably who it is.
    pub hidden: bool,
    pub user_agent: Option<Arc<str>>,
}

impl Origin {
    /// The client's address, if it is known.
    pub fn client(&self) -> Option<IpAddr> {
        self.ip.filter(|_| !self.hidden)
    }

    /// A use of a key that happens now and came from here.
    pub fn key_use(&self, at: Timestamp, operation: Option<Cow<'static, str>>) -> KeyUse {
        KeyUse { at: at.0, ip: self.ip, user_agent: self.user_agent.clone(), operation }
    }

    /// An event that happens now and came from here; the rest is for the caller to fill in.
    pub fn event(&self, at: Timestamp, kind: ActivityKind, outcome: Outcome) -> Event {
        Event {
            at,
            kind,
            outcome,
            actor: None,
            key: None,
            owner: None,
            target: None,
            ip: self.ip,
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            token_id: None,
            detail: None,
            count: 1,
            only_on: None,
        }
    }
}

/// One request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub app: Arc<App>,
    pub caller: Caller,
    pub origin: Origin,
    /// Read once: everything that one request writes bears the same time.
    pub now: Timestamp,
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Context {
    pub fn new(app: Arc<App>, caller: Caller, origin: Origin, now: Timestamp) -> Self {
        Self(Arc::new(Inner { app, caller, origin, now }))
    }

    /// Asks for permission; the answer is what queries on owned rows demand.
    pub fn may(&self, action: Action) -> Result<Reach> {
        permissions::decide(action, &self.caller)
    }

    /// Opens a transaction that changes something.
    pub async fn begin(&self) -> Result<Tx> {
        self.app.check_space()?;
        self.app.db.begin().await
    }

    /// A new id.
    pub fn id(&self) -> uuid::Uuid {
        crate::entropy::id(&*self.app.entropy, self.now)
    }

    /// The account that the caller acts for.
    pub fn account(&self) -> Option<AccountId> {
        match &self.caller {
            Caller::Machine(machine) => Some(machine.owner),
            Caller::Person(person) => Some(person.user.into()),
            Caller::Anonymous | Caller::Operator => None,
        }
    }

    /// Charges the caller's key for what the request costs; nothing for callers that are no key.
    pub fn spend(&self, cost: u64) -> Option<Spent> {
        match &self.caller {
            Caller::Machine(machine) => {
                Some(self.app.limits.spend(machine.key, Limit::Call, machine.call_limit, cost))
            }
            Caller::Anonymous | Caller::Operator | Caller::Person(_) => None,
        }
    }

    /// Remembers that the caller's key was used now, for this.
    pub fn note_use(&self, operation: Option<Cow<'static, str>>) {
        if let Caller::Machine(machine) = &self.caller {
            self.app.usage.key(machine.key, self.origin.key_use(self.now, operation));
        }
    }

    /// A change made by the caller.
    pub fn change(
        &self,
        kind: ActivityKind,
        target: impl Into<GlobalId>,
        owner: impl Into<Option<AccountId>>,
    ) -> Event {
        let target = target.into();
        Event {
            actor: self.caller.actor(),
            owner: owner.into(),
            target: Some(target),
            key: (target.kind == entity::ObjectKind::ApiKey).then_some(KeyId(target.uuid)),
            ..self.origin.event(self.now, kind, Outcome::Ok)
        }
    }

    /// Writes one change into the log with what it tells, in the transaction that makes it.
    pub async fn record_change(&self, tx: &Tx, event: Event, detail: serde_json::Value) -> Result<()> {
        self.record(tx, &[Event { detail: Some(detail.into()), ..event }]).await
    }

    /// Opens a transaction that changes who may do what: one at a time, so that what it looks at stays as it is.
    pub async fn begin_directory(&self) -> Result<Tx> {
        self.app.check_space()?;
        self.app.db.begin_directory().await
    }

    /// Writes changes into the log, in the transaction that makes them, as its last step: once it is committed, nobody
    /// believes any more what was so before.
    pub async fn record(&self, tx: &Tx, events: &[Event]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let invalidates = changes::invalidated_by(events);
        changes::fence(&**tx, &invalidates).await?;
        log::append(&**tx, &self.app.activity_ids, events).await?;
        let change = changes::note(&**tx, &invalidates).await?;
        let registry = Arc::clone(&self.app.registry);
        tx.after_commit(move || registry.invalidate_own(change, &invalidates));
        Ok(())
    }
}

/// A user who was recognised, with what they hold now; nobody, if they were stopped.
pub async fn person(app: &App, id: UserId, session: Option<SessionId>) -> Result<Caller> {
    let db = app.db.reader();
    let user = accounts::user_by_id(db, id).await?.filter(|(account, _)| account.active);
    let Some((account, _)) = user else { return Err(Error::Unauthenticated) };
    let held = accounts::scopes_of(db, &[account.id]).await?.remove(&account.id).unwrap_or_default();
    let scopes = held.into_iter().map(|scope| scope.name).collect();
    Ok(Caller::Person(Person { user: id, session, scopes }))
}
