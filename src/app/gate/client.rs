//! Clients that come with their secret.
//!
//! 1. What cannot be a client id and secret is refused without a look-up.
//! 2. The client is looked up; an unknown one costs the same hashing as a wrong secret.
//! 3. The secret is compared in constant time with the current and the previous one.
//! 4. Only a wrong secret meets the limit of its network. The true reason goes to the log, not to the caller; of many
//!    refusals in a minute the log has some and counts the rest.
//! 5. From here on the client has proven who it is, and is told why it is refused.

use std::sync::Arc;

use entity::activity::{ActivityKind, Outcome};
use entity::api_key::KeyState;
use entity::{SecretId, Timestamp};

use crate::app::App;
use crate::app::context::Origin;
use crate::app::limits::Spent;
use crate::app::refusals::Entry;
use crate::app::registry::{Facts, Secret};
use crate::crypto::secret::ClientSecret;
use crate::error::Error;
use crate::store::activity::Event;
use crate::store::credentials::Client;

/// Why a client does not get what it asks for.
#[derive(Debug)]
pub enum ClientError {
    /// The client can do something about it.
    Refused(Refusal),
    /// The server failed.
    Failed(Error),
}

/// A refusal: what the log says, what the client is told.
#[derive(Debug)]
pub struct Refusal {
    pub outcome: Outcome,
    pub description: &'static str,
    /// The limit that was reached, if the client has proven who it is.
    pub spent: Option<Spent>,
}

impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The desk that one request of a client comes to.
#[derive(Debug)]
pub struct Clients<'a> {
    pub app: &'a App,
    pub origin: &'a Origin,
    pub now: Timestamp,
}

impl Clients<'_> {
    /// Steps 1 to 4: the client of this id and secret, and which of its secrets it is.
    pub async fn authenticate(
        &self,
        client_id: &str,
        client_secret: &str,
    ) -> Result<(Arc<Facts>, SecretId), ClientError> {
        let (Some(secret), Ok(id)) = (ClientSecret::parse(client_secret), client_id.parse()) else {
            return Err(self.wrong(None, Outcome::BadSecret).await);
        };
        let Some(facts) = self.app.registry.client(id).await? else {
            self.proven(client_id, &secret, [None, None]);
            return Err(self.wrong(None, Outcome::UnknownClient).await);
        };
        match self.proven(client_id, &secret, facts.secrets(self.now)) {
            Some(proven) => Ok((facts, proven)),
            None => Err(self.wrong(Some(&facts.client), Outcome::BadSecret).await),
        }
    }

    /// Compares with both secrets, always: a missing one costs what a wrong one does.
    fn proven(
        &self,
        client_id: &str,
        secret: &ClientSecret,
        stored: [Option<&Secret>; 2],
    ) -> Option<SecretId> {
        let hasher = &self.app.keys.secrets;
        let matches = stored.map(|stored| {
            hasher.verify(client_id, secret, stored.map(|stored| &stored.mac)).then_some(stored?.id)
        });
        matches.into_iter().flatten().next()
    }

    /// A wrong secret and an unknown client look the same from outside.
    async fn wrong(&self, client: Option<&Client>, outcome: Outcome) -> ClientError {
        let (outcome, description) = if self.origin.ip.is_none_or(|ip| self.app.limits.failure(ip)) {
            (outcome, "Unknown client, or wrong client secret.")
        } else {
            (Outcome::RateLimited, "Too many failed attempts from this network. Wait a minute.")
        };
        let event = self.about(client, ActivityKind::TokenRefused, outcome);
        self.log(event, Refusal { outcome, description, spent: None }).await
    }

    /// Step 5.
    pub fn check_state(&self, client: &Client) -> Result<(), Refusal> {
        let refused = |outcome, description| Err(Refusal { outcome, description, spent: None });
        match client.key.state {
            KeyState::Deleted => refused(Outcome::Deleted, "This API key has been deleted."),
            KeyState::Pending => refused(Outcome::Pending, "This API key is pending approval."),
            _ if !client.owner.active => {
                refused(Outcome::OwnerInactive, "The owner of this API key is deactivated.")
            }
            KeyState::Disabled => refused(Outcome::Disabled, "This API key is disabled."),
            // In whole seconds, as tokens count: one that is made now would have ended.
            KeyState::Enabled
                if client.key.expires_at.is_some_and(|end| end.seconds() <= self.now.seconds()) =>
            {
                refused(Outcome::Expired, "This API key has expired.")
            }
            KeyState::Enabled if !client.may_be_used_from(self.origin.client()) => {
                refused(Outcome::NetworkNotAllowed, "This API key cannot be used from this IP address.")
            }
            KeyState::Enabled => Ok(()),
        }
    }

    /// Refuses a client that has proven who it is.
    pub async fn refuse(&self, client: &Client, refusal: Refusal) -> ClientError {
        let event = self.event(client, ActivityKind::TokenRefused, refusal.outcome);
        self.log(event, refusal).await
    }

    /// The log knows of the refusal before it is answered: by a row, or by a count.
    async fn log(&self, event: Event, refusal: Refusal) -> ClientError {
        let logged = match self.app.refusals.note(self.origin.ip, event) {
            Entry::Awaited(event) => self.app.journal.record(event).await.map(drop),
            Entry::Row(event) => self.app.journal.submit(event).map(drop),
            Entry::Counted => Ok(()),
        };
        match logged {
            Ok(()) => ClientError::Refused(refusal),
            Err(error) => ClientError::Failed(error),
        }
    }

    /// What a client did that has proven who it is.
    pub fn event(&self, client: &Client, kind: ActivityKind, outcome: Outcome) -> Event {
        Event { actor: Some(client.key.id.into()), ..self.about(Some(client), kind, outcome) }
    }

    /// What concerns a client, whoever did it.
    fn about(&self, client: Option<&Client>, kind: ActivityKind, outcome: Outcome) -> Event {
        Event {
            key: client.map(|client| client.key.id),
            owner: client.map(|client| client.owner.id),
            ..self.origin.event(self.now, kind, outcome)
        }
    }
}
