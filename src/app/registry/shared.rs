//! What many keys share: the directory of one epoch, and values that are equal for many keys.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::account::AccountKind;
use entity::{AccountId, ApiId, ScopeId, api, settings};

use crate::access::Scopes;
use crate::access::builtin::KEYS_USE;
use crate::crypto::jwt::Audience;
use crate::store::activity::Detail;
use crate::store::credentials::{Given, Key, Owner};
use crate::store::scopes::identifier;

/// Values of each kind that are interned at most.
const INTERNED: usize = 100_000;

/// What all keys share: the settings, APIs and scopes of one epoch.
#[derive(Debug)]
pub struct Directory {
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

impl Directory {
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
    pub directory: Arc<Directory>,
    pub scopes: Box<[Arc<Scope>]>,
    /// All of it, for the APIs that its scopes belong to: what an exchange gets that asks for nothing in particular.
    pub whole: Arc<Grant>,
}

impl Grantable {
    fn new(directory: &Arc<Directory>, ids: &BTreeSet<ScopeId>) -> Self {
        let scopes: Box<[_]> = ids.iter().filter_map(|id| directory.scopes.get(id).cloned()).collect();
        let names = scopes.iter().map(|scope| scope.name.clone()).collect();
        let audience = directory.audience(|api| scopes.iter().any(|scope| scope.api_id == api));
        Self { directory: Arc::clone(directory), scopes, whole: Arc::new(Grant::new(names, audience)) }
    }
}

/// What keys share, all read under one epoch of the directory: a change of the directory replaces it as a whole.
#[derive(Debug)]
pub struct Shared {
    pub(super) directory: Arc<Directory>,
    interned: Mutex<Interned>,
}

/// Values that are equal for many keys, each stored once.
#[derive(Debug, Default)]
struct Interned {
    owners: HashMap<AccountId, Arc<Owner>>,
    held: HashSet<Arc<[ScopeId]>>,
    grantable: HashMap<BTreeSet<ScopeId>, Arc<Grantable>>,
    by_inputs: HashMap<GrantInputs, Arc<Grantable>>,
}

/// All that decides, beside the directory, what a key can be granted: two keys with the same inputs can be granted the
/// same, so it is computed once. These are the columns that the view `effective_scopes` reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GrantInputs {
    owner_kind: AccountKind,
    owner_holds: Arc<[ScopeId]>,
    inherits_owner: bool,
    read_only: bool,
    given: Given,
}

impl GrantInputs {
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

impl Shared {
    pub(super) fn new(directory: Directory) -> Self {
        Self { directory: Arc::new(directory), interned: Mutex::default() }
    }

    pub(super) fn owner(&self, id: AccountId) -> Option<Arc<Owner>> {
        self.interned().owners.get(&id).cloned()
    }

    pub(super) fn insert_owner(&self, mut owner: Owner) -> Arc<Owner> {
        let mut interned = self.interned();
        make_room(&mut interned.owners);
        if interned.held.len() >= INTERNED {
            interned.held.clear();
        }
        match interned.held.get(&owner.held) {
            Some(held) => owner.held = Arc::clone(held),
            None => {
                interned.held.insert(Arc::clone(&owner.held));
            }
        }
        Arc::clone(interned.owners.entry(owner.id).or_insert_with(|| Arc::new(owner)))
    }

    pub(super) fn remove_owner(&self, id: AccountId) {
        self.interned().owners.remove(&id);
    }

    /// What a key with these effective scopes can be granted.
    pub(super) fn grantable(&self, scopes: BTreeSet<ScopeId>) -> Arc<Grantable> {
        let mut interned = self.interned();
        if let Some(grantable) = interned.grantable.get(&scopes) {
            return Arc::clone(grantable);
        }
        make_room(&mut interned.grantable);
        let new = Arc::new(Grantable::new(&self.directory, &scopes));
        interned.grantable.insert(scopes, Arc::clone(&new));
        new
    }

    pub(super) fn grantable_for(&self, inputs: &GrantInputs) -> Option<Arc<Grantable>> {
        self.interned().by_inputs.get(inputs).cloned()
    }

    /// The inputs and what can be granted must have been read in one snapshot of the database.
    pub(super) fn insert_grantable_for(&self, inputs: GrantInputs, grantable: Arc<Grantable>) {
        let mut interned = self.interned();
        make_room(&mut interned.by_inputs);
        interned.by_inputs.insert(inputs, grantable);
    }

    fn interned(&self) -> MutexGuard<'_, Interned> {
        self.interned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever holds an interned value keeps it; later ones are interned anew.
fn make_room<K, V>(interned: &mut HashMap<K, V>) {
    if interned.len() >= INTERNED {
        interned.clear();
    }
}
