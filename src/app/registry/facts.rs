//! The facts of one key.

use std::collections::HashSet;
use std::sync::Arc;

use entity::{ClientId, KeyId, SecretId, Timestamp};
use fact_cache::Fact;

use super::shared::{Directory, Grantable};
use crate::access::Scopes;
use crate::crypto::secret_hasher::SecretMac;
use crate::store::activity::Basis;
use crate::store::credentials::{Client, Hanging};

/// A secret, as it is compared.
#[derive(Debug)]
pub struct Secret {
    pub id: SecretId,
    pub mac: SecretMac,
}

/// What the server knows about a key, all of it as new as its [`Basis`] or newer. There may be a million of these.
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

    /// What must still be so when a token is logged. `as_of` is the last change that was polled before these facts were looked up.
    pub fn basis(&self, as_of: Option<i64>) -> Basis {
        Basis {
            as_of,
            version: self.client.key.version,
            owner_generation: self.client.owner.generation,
            epoch: self.directory().epoch,
        }
    }

    pub fn directory(&self) -> &Directory {
        &self.grantable.directory
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

impl Fact for Facts {
    type Name = ClientId;
    type Id = KeyId;

    fn name(&self) -> ClientId {
        self.client.key.client_id
    }

    fn id(&self) -> KeyId {
        self.client.key.id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use entity::settings;
    use uuid::Uuid;

    use super::super::shared::Shared;
    use super::*;

    fn shared() -> Arc<Shared> {
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
            support_url: None,
            version: 1,
        };
        let (issuer, scopes) = ("https://keys.example.com".to_owned(), HashMap::new());
        Arc::new(Shared::new(Directory { epoch: 1, settings, apis: Vec::new(), issuer, scopes }))
    }

    /// The facts of the key with this number.
    fn facts(shared: &Shared, number: u128) -> Arc<Facts> {
        let client = Client::plain(key(number), format!("{number:032X}").parse().unwrap());
        Arc::new(Facts::new(client, shared.grantable(BTreeSet::new()), Hanging::default()))
    }

    fn key(number: u128) -> KeyId {
        KeyId(Uuid::from_u128(number))
    }

    #[test]
    fn what_is_alike_is_shared() {
        let shared = shared();
        let [one, other] = [1, 2].map(|number| facts(&shared, number));
        assert!(Arc::ptr_eq(&one.grantable, &other.grantable));
        assert!(size_of::<Facts>() <= 184, "there may be a million of {} bytes each", size_of::<Facts>());
    }
}
