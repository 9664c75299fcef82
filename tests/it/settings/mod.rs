//! What an administrator sets for all, what that asks of API keys, and what a key would be granted.

mod effect;
mod policy;
mod preview;
mod retention;
mod update;

use serde_json::{Value, json};

use crate::harness::keys::{Person, mistakes};
use crate::harness::{Caller, Server};

/// Changes settings, and shows all of them afterwards.
const SET: &str = "mutation ($input: UpdateSettingsInput!) { change: updateSettings(input: $input) {
    settings { ...all } userErrors { code field message targetId } } }
fragment all on Settings {
    maxKeysPerOwner passwordApiAccess keyApprovalRequired expiryRequired maxKeyLifetimeDays defaultKeyLifetimeDays
    defaultTokenLifetimeSeconds maxTokenLifetimeSeconds defaultTokenRateLimit { requests perSeconds }
    defaultCallRateLimit { requests perSeconds } defaultGracePeriodSeconds activityRetentionDays
    supportUrl version }";

const READ: &str = "{ settings {
    maxKeysPerOwner passwordApiAccess keyApprovalRequired expiryRequired maxKeyLifetimeDays defaultKeyLifetimeDays
    defaultTokenLifetimeSeconds maxTokenLifetimeSeconds defaultTokenRateLimit { requests perSeconds }
    defaultCallRateLimit { requests perSeconds } defaultGracePeriodSeconds activityRetentionDays
    supportUrl version } }";

impl Caller {
    /// All settings.
    async fn settings(&self) -> Value {
        self.graphql(READ).await.data()["settings"].take()
    }

    /// Changes settings, which must go well.
    pub async fn set(&self, input: Value) -> Value {
        let mut payload = self.change(SET, input.clone()).await;
        assert_eq!(mistakes(&payload), [""; 0], "{input}");
        payload["settings"].take()
    }
}

/// A server and its administrator, whose key is limited by nothing here.
async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    (server, boss)
}

/// These members of an object, with others in their place.
fn with(mut object: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// The settings of a new server.
fn defaults() -> Value {
    json!({
        "maxKeysPerOwner": null,
        "passwordApiAccess": false,
        "keyApprovalRequired": false,
        "expiryRequired": false,
        "maxKeyLifetimeDays": null,
        "defaultKeyLifetimeDays": null,
        "defaultTokenLifetimeSeconds": 600,
        "maxTokenLifetimeSeconds": 3600,
        "defaultTokenRateLimit": { "requests": 60, "perSeconds": 60 },
        "defaultCallRateLimit": { "requests": 10_000, "perSeconds": 60 },
        "defaultGracePeriodSeconds": 0,
        "activityRetentionDays": 90,
        "supportUrl": null,
        "version": 1,
    })
}

/// Every setting with another value than a new server has.
fn everything() -> Value {
    json!({
        "maxKeysPerOwner": 7,
        "passwordApiAccess": true,
        "keyApprovalRequired": true,
        "expiryRequired": true,
        "maxKeyLifetimeDays": 365,
        "defaultKeyLifetimeDays": 90,
        "defaultTokenLifetimeSeconds": 120,
        "maxTokenLifetimeSeconds": 900,
        "defaultTokenRateLimit": { "requests": 5, "perSeconds": 1 },
        "defaultCallRateLimit": { "requests": 600, "perSeconds": 2 },
        "defaultGracePeriodSeconds": 3600,
        "activityRetentionDays": 30,
        "supportUrl": "https://help.example.com/keys?from=latchkey",
    })
}
