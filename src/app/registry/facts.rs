//! What is known of a key, and the parts of it that many keys share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::account::AccountKind;
use entity::{AccountId, ApiId, ScopeId, SecretId, Timestamp, api, settings};

use crate::access::Scopes;
use crate::access::builtin::KEYS_USE;
use crate::crypto::jwt::Audience;
use crate::crypto::secret_hasher::SecretMac;
use crate::store::activity::{Basis, Detail};
use crate::store::credentials::{Client, Given, Hanging, Key, Owner};
use crate::store::scopes::identifier;

/// Sets of scopes, and owners, that are remembered for sharing.
const SHARED: usize = 100_000;

/// What holds for all keys.
#[derive(Debug)]
pub struct Policy {
    pub epoch: i64,
    pub settings: settings::Model,
    pub apis: Vec<api::Model>,
    /// What Latchkey itself is called in tokens.
    pub(super) issuer: String,
    pub(super) scopes: HashMap<ScopeId, Arc<Scope>>,
}

/// What is known of a scope.
#[derive(Debug)]
pub struct Scope {
    pub api_id: ApiId,
    pub name: String,
}

impl Policy {
    /// The scope that users must hold to use their keys.
    pub(super) fn keys_use(&self) -> Option<ScopeId> {
        self.scopes.iter().find(|(_, scope)| scope.name == KEYS_USE).map(|(id, _)| *id)
    }

    /// The API that tokens call this.
    pub fn api(&self, name: &str) -> Option<ApiId> {
        self.apis.iter().find(|api| identifier(api, &self.issuer) == name).map(|api| api.id)
    }

    /// What the APIs are called for which this is so, as a token says it.
    pub fn audience(&self, is_one: impl Fn(ApiId) -> bool) -> Audience {
        let apis = self.apis.iter().filter(|api| is_one(api.id));
        let mut names: Vec<String> = apis.map(|api| identifier(api, &self.issuer).to_owned()).collect();
        if names.len() == 1 { Audience::One(names.remove(0)) } else { Audience::Many(names) }
    }
}

/// What a token says: scopes, and for whom it is.
#[derive(Debug)]
pub struct Grant {
    pub scopes: Scopes,
    pub audience: Audience,
    /// What the log tells of such a token.
    pub detail: Detail,
}

impl Grant {
    pub fn new(scopes: Scopes, audience: Audience) -> Self {
        let detail = serde_json::json!({ "scope": scopes.text(), "aud": audience }).into();
        Self { scopes, audience, detail }
    }
}

/// What a key can be granted now: one for all keys that can be granted the same.
#[derive(Debug)]
pub struct Grantable {
    pub policy: Arc<Policy>,
    pub scopes: Box<[Arc<Scope>]>,
    /// All of it, for the APIs that its scopes belong to: what an exchange gets that asks for nothing in particular.
    pub whole: Arc<Grant>,
}

impl Grantable {
    fn new(policy: &Arc<Policy>, ids: &BTreeSet<ScopeId>) -> Self {
        let scopes: Box<[_]> = ids.iter().filter_map(|id| policy.scopes.get(id).cloned()).collect();
        let names = scopes.iter().map(|scope| scope.name.clone()).collect();
        let audience = policy.audience(|api| scopes.iter().any(|scope| scope.api_id == api));
        Self { policy: Arc::clone(policy), scopes, whole: Arc::new(Grant::new(names, audience)) }
    }
}

/// A secret, as it is compared.
#[derive(Debug)]
pub struct Secret {
    pub id: SecretId,
    pub mac: SecretMac,
}

/// What is known of a key, all of one moment or later than its [`Basis`] says. There may be a million of these.
#[derive(Debug)]
pub struct Facts {
    pub client: Client,
    pub grantable: Arc<Grantable>,
    current: Option<Secret>,
    /// Few keys have one, and few have revoked tokens.
    previous: Option<Box<(Secret, Timestamp)>>,
    revoked: Option<Box<Revoked>>,
}

/// The `jti` of each token that was revoked by itself.
#[derive(Debug)]
struct Revoked(HashSet<String>);

impl Facts {
    pub(super) fn new(client: Client, grantable: Arc<Grantable>, hanging: Hanging) -> Self {
        let Hanging { secrets, revoked } = hanging;
        let (mut current, mut previous) = (None, None);
        for (id, stored, end) in secrets {
            let Some(mac) = SecretMac::read(&stored) else { continue };
            let secret = Secret { id, mac };
            match end {
                None => current = Some(secret),
                Some(end) => previous = Some(Box::new((secret, end))),
            }
        }
        let revoked = (!revoked.is_empty()).then(|| Box::new(Revoked(revoked.into_iter().collect())));
        Self { client, grantable, current, previous, revoked }
    }

    /// What must still be so when a token is logged. `as_of` was heard before these facts were looked up.
    pub fn basis(&self, as_of: Option<i64>) -> Basis {
        Basis {
            as_of,
            version: self.client.key.version,
            owner_generation: self.client.owner.generation,
            epoch: self.policy().epoch,
        }
    }

    pub fn policy(&self) -> &Policy {
        &self.grantable.policy
    }

    /// The names of what it can be granted.
    pub fn held(&self) -> &Scopes {
        &self.grantable.whole.scopes
    }

    /// The current secret, and the previous one until its end.
    pub fn secrets(&self, now: Timestamp) -> [Option<&Secret>; 2] {
        let previous = self.previous.as_deref().filter(|(_, end)| *end > now);
        [self.current.as_ref(), previous.map(|(secret, _)| secret)]
    }

    /// Whether this token of the key was revoked by itself.
    pub fn is_revoked(&self, jti: &str) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| revoked.0.contains(jti))
    }
}

/// The time from one change of the directory to the next. What was read of it in this time is shared by all keys: its
/// epoch was read before the rest.
#[derive(Debug)]
pub(super) struct Era {
    pub(super) policy: Arc<Policy>,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    owners: HashMap<AccountId, Arc<Owner>>,
    held: HashSet<Arc<[ScopeId]>>,
    grantable: HashMap<BTreeSet<ScopeId>, Arc<Grantable>>,
    shapes: HashMap<Shape, Arc<Grantable>>,
}

/// All that decides, beside the policy, what a key can be granted: keys of one shape can be granted the same. These are
/// the columns that the view `effective_scopes` reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    owner_kind: AccountKind,
    owner_holds: Arc<[ScopeId]>,
    inherits_owner: bool,
    read_only: bool,
    given: Given,
}

impl Shape {
    pub(super) fn of(key: &Key, owner: &Owner, given: Given) -> Self {
        Self {
            owner_kind: owner.kind,
            owner_holds: Arc::clone(&owner.held),
            inherits_owner: key.inherits_owner,
            read_only: key.read_only,
            given,
        }
    }
}

impl Era {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy: Arc::new(policy), shared: Mutex::default() }
    }

    pub(super) fn owner(&self, id: AccountId) -> Option<Arc<Owner>> {
        self.shared().owners.get(&id).cloned()
    }

    pub(super) fn keep_owner(&self, mut owner: Owner) -> Arc<Owner> {
        let mut shared = self.shared();
        make_room(&mut shared.owners);
        if shared.held.len() >= SHARED {
            shared.held.clear();
        }
        match shared.held.get(&owner.held) {
            Some(held) => owner.held = Arc::clone(held),
            None => {
                shared.held.insert(Arc::clone(&owner.held));
            }
        }
        Arc::clone(shared.owners.entry(owner.id).or_insert_with(|| Arc::new(owner)))
    }

    pub(super) fn forget_owner(&self, id: AccountId) {
        self.shared().owners.remove(&id);
    }

    /// What a key can be granted that can be granted these scopes.
    pub(super) fn grantable(&self, scopes: BTreeSet<ScopeId>) -> Arc<Grantable> {
        let mut shared = self.shared();
        if let Some(known) = shared.grantable.get(&scopes) {
            return Arc::clone(known);
        }
        make_room(&mut shared.grantable);
        let new = Arc::new(Grantable::new(&self.policy, &scopes));
        shared.grantable.insert(scopes, Arc::clone(&new));
        new
    }

    pub(super) fn of_shape(&self, shape: &Shape) -> Option<Arc<Grantable>> {
        self.shared().shapes.get(shape).cloned()
    }

    /// The shape and what can be granted must have been read in one look at the database.
    pub(super) fn keep_shape(&self, shape: Shape, grantable: Arc<Grantable>) {
        let mut shared = self.shared();
        make_room(&mut shared.shapes);
        shared.shapes.insert(shape, grantable);
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever shares something keeps it: what comes later is shared anew.
fn make_room<K, V>(shared: &mut HashMap<K, V>) {
    if shared.len() >= SHARED {
        shared.clear();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use entity::KeyId;
    use uuid::Uuid;

    use super::*;

    pub(in crate::app::registry) fn era() -> Arc<Era> {
        let settings = settings::Model {
            id: 1,
            max_keys_per_owner: None,
            password_api_access: false,
            key_approval_required: false,
            expiry_required: false,
            max_key_lifetime_days: None,
            default_key_lifetime_days: None,
            default_token_lifetime_seconds: 600,
            max_token_lifetime_seconds: 3600,
            default_token_limit_requests: 60,
            default_token_limit_seconds: 60,
            default_call_limit_requests: 10_000,
            default_call_limit_seconds: 60,
            default_grace_period_seconds: 0,
            activity_retention_days: 90,
            rollup_retention_months: 24,
            support_url: None,
            version: 1,
        };
        let (issuer, scopes) = ("https://keys.example.com".to_owned(), HashMap::new());
        Arc::new(Era::new(Policy { epoch: 1, settings, apis: Vec::new(), issuer, scopes }))
    }

    /// Those of the key with this number.
    pub(in crate::app::registry) fn facts(era: &Era, number: u128) -> Arc<Facts> {
        let client = Client::plain(key(number), format!("{number:032X}").parse().unwrap());
        Arc::new(Facts::new(client, era.grantable(BTreeSet::new()), Hanging::default()))
    }

    pub(in crate::app::registry) fn key(number: u128) -> KeyId {
        KeyId(Uuid::from_u128(number))
    }

    #[test]
    fn what_is_alike_is_shared() {
        let era = era();
        let [one, other] = [1, 2].map(|number| facts(&era, number));
        assert!(Arc::ptr_eq(&one.grantable, &other.grantable));
        assert!(size_of::<Facts>() <= 184, "there may be a million of {} bytes each", size_of::<Facts>());
    }
}
