//! What tests about API keys send and look at: the mutations, people who send them, and the rows that changes leave.

use entity::activity::ActivityFamily;
use entity::{KeyId, activity};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    Statement,
};
use serde_json::{Value, json};

use super::{Account, Caller, Grants, Key, Server};

pub const CREATE: &str = "mutation ($input: CreateApiKeyInput!) { change: createApiKey(input: $input) {
    apiKey { id clientId name version } clientSecret userErrors { code field message targetId } } }";
pub const UPDATE: &str = "mutation ($input: UpdateApiKeyInput!) { change: updateApiKey(input: $input) {
    apiKey { id clientId name version } userErrors { code field message targetId } } }";
pub const REGENERATE: &str =
    "mutation ($input: RegenerateSecretsInput!) { change: regenerateSecrets(input: $input) {
    issued { apiKey { id clientId name version } clientSecret previousValidUntil }
    userErrors { code field message targetId } } }";
pub const ENABLE: &str = "mutation ($input: ApiKeySelectionInput!) { change: enableApiKeys(input: $input) {
    apiKeys { id clientId name status version } userErrors { code field message targetId } } }";
pub const DISABLE: &str = "mutation ($input: ApiKeySelectionInput!) { change: disableApiKeys(input: $input) {
    apiKeys { id clientId name status version } userErrors { code field message targetId } } }";
pub const DELETE: &str = "mutation ($input: ApiKeySelectionInput!) { change: deleteApiKeys(input: $input) {
    deletedIds userErrors { code field message targetId } } }";

pub const FINISH: &str = "mutation ($input: ApiKeySelectionInput!) { change: finishRotation(input: $input) {
    apiKeys { id version secrets { hint validUntil } } userErrors { code field message targetId } } }";
pub const APPROVE: &str = "mutation ($input: ApiKeySelectionInput!) { change: approveApiKeys(input: $input) {
    apiKeys { id clientId name status version } userErrors { code field message targetId } } }";
pub const REJECT: &str = "mutation ($input: ApiKeySelectionInput!) { change: rejectApiKeys(input: $input) {
    apiKeys { id clientId name status version } userErrors { code field message targetId } } }";

/// A user with an inheriting key and its token.
pub struct Person {
    pub account: Account,
    pub key: Key,
    pub caller: Caller,
}

/// The input that selects these keys.
pub fn selection<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "selection": { "ids": ids.into_iter().collect::<Vec<_>>() } })
}

/// The user errors of a payload, each as `CODE path.of.the.field target`.
pub fn mistakes(payload: &Value) -> Vec<String> {
    let shown = |error: &Value| {
        let path = error["field"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let path = path.collect::<Vec<_>>().join(".");
        let target = error["targetId"].as_str().map(|id| format!(" {id}")).unwrap_or_default();
        format!("{} {path}{target}", error["code"].as_str().unwrap_or_default())
    };
    payload["userErrors"].as_array().into_iter().flatten().map(shown).collect()
}

impl Caller {
    /// The payload of one of the mutations above.
    pub async fn change(&self, mutation: &str, input: Value) -> Value {
        self.graphql_with(mutation, json!({ "input": input })).await.data()["change"].take()
    }

    /// The same among many at once: whoever is told that the database has no time for it tries again. Only for answers
    /// that need no reading after the change, or it may be made twice.
    pub async fn change_among_many(&self, mutation: &str, input: Value) -> Value {
        for _ in 0..100 {
            let answer = self.graphql_with(mutation, json!({ "input": input })).await;
            if !answer.text.contains("\"UNAVAILABLE\"") {
                return answer.data()["change"].take();
            }
        }
        panic!("the database never had time");
    }

    /// The same, and only its user errors: see [`mistakes`].
    pub async fn mistakes(&self, mutation: &str, input: Value) -> Vec<String> {
        mistakes(&self.change(mutation, input).await)
    }

    /// The top-level error that refuses a request as a whole: its code, and the scopes that were missing.
    pub async fn denied(&self, mutation: &str, input: Value) -> String {
        let answer = self.graphql_with(mutation, json!({ "input": input })).await;
        let body = answer.json();
        assert_eq!(body["data"]["change"], Value::Null, "{body:#}");
        let required = body["errors"][0]["extensions"]["requiredScopes"].clone();
        let required = required.as_array().into_iter().flatten().filter_map(Value::as_str);
        [answer.code().as_str()].into_iter().chain(required).collect::<Vec<_>>().join(" ")
    }
}

#[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
impl Server {
    /// A user with these roles, an inheriting key of theirs, and its token. The limits do not get in the way.
    pub async fn person(&self, email: &str, roles: &[&str]) -> Person {
        let account = self.user(email, roles).await;
        let name = format!("{email}'s own");
        let key = self.generous_key(&account, &name, Grants::Inherit).await;
        let caller = self.sign_in(&key).await;
        Person { account, key, caller }
    }

    /// A key whose limits do not get in the way of a test.
    pub async fn generous_key(&self, owner: &Account, name: &str, grants: Grants<'_>) -> Key {
        let most = Some(latchkey::values::Quota { requests: 10_000_000, per_seconds: 1 });
        self.key_with(owner, name, grants, |new| (new.token_limit, new.call_limit) = (most, most)).await
    }

    /// The public id of a role.
    pub async fn role(&self, name: &str) -> String {
        latchkey::actions::roles::find_by_name(&self.operator(), name).await.unwrap().unwrap().id.to_string()
    }

    /// All that a change of keys writes, as text: the same before and after when nothing was changed. When a key was
    /// last used is no change of it.
    pub async fn state(&self) -> String {
        let db = self.app.db.reader();
        let mut keys =
            entity::api_key::Entity::find().order_by_asc(entity::api_key::Column::Id).all(db).await.unwrap();
        for key in &mut keys {
            key.last_used_at = None;
            (key.last_used_ip, key.last_used_user_agent, key.last_used_operation) = (None, None, None);
        }
        let mut secrets = self.secret_rows().await;
        secrets.iter_mut().for_each(|secret| secret.last_used_at = None);
        let mut roles = entity::key_role::Entity::find().all(db).await.unwrap();
        roles.sort_by_key(|row| (row.key_id, row.role_id));
        let mut scopes = entity::key_scope::Entity::find().all(db).await.unwrap();
        scopes.sort_by_key(|row| (row.key_id, row.scope_id));
        let changes = self.log().await;
        let changes = changes.iter().filter(|row| row.kind.family() == ActivityFamily::Change);
        let changes = changes.collect::<Vec<_>>();
        format!("{keys:#?}\n{secrets:#?}\n{roles:#?}\n{scopes:#?}\n{changes:#?}")
    }

    /// The stored secrets of all keys.
    pub async fn secret_rows(&self) -> Vec<entity::key_secret::Model> {
        let secrets = entity::key_secret::Entity::find().order_by_asc(entity::key_secret::Column::Id);
        secrets.all(self.app.db.reader()).await.unwrap()
    }

    /// A key as it is stored.
    pub async fn key_row(&self, id: KeyId) -> entity::api_key::Model {
        entity::api_key::Entity::find_by_id(id).one(self.app.db.reader()).await.unwrap().unwrap()
    }

    /// The changes of a key in the log, oldest first.
    pub async fn changes_of(&self, key: &str) -> Vec<activity::Model> {
        let key: KeyId = key.parse().unwrap();
        let rows = activity::Entity::find().filter(activity::Column::KeyId.eq(key));
        let rows = rows.order_by_asc(activity::Column::Id).all(self.app.db.reader()).await.unwrap();
        rows.into_iter().filter(|row| row.kind.family() == ActivityFamily::Change).collect()
    }

    /// Every row of every table on PostgreSQL, as text. On SQLite nothing: there the file itself can be read.
    pub async fn every_row(&self) -> String {
        let mut text = String::new();
        if self.app.db.reader().get_database_backend() == DbBackend::Postgres {
            let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
            for table in self.strings(tables.to_owned()).await {
                let rows = format!("SELECT row_to_json(t)::text FROM {table} t");
                text.push_str(&self.strings(rows).await.join("\n"));
            }
        }
        text
    }

    /// Arranges rows that no request can make yet.
    pub async fn run_sql(&self, sql: &str) {
        let tx = self.app.db.begin().await.unwrap();
        tx.execute_unprepared(sql).await.unwrap();
        self.commit(tx).await;
    }

    async fn strings(&self, sql: String) -> Vec<String> {
        let db = self.app.db.reader();
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// The whole log, oldest first.
    pub async fn log(&self) -> Vec<activity::Model> {
        let log = activity::Entity::find().order_by_asc(activity::Column::Id);
        log.all(self.app.db.reader()).await.unwrap()
    }
}

/// The detail of a row of the log.
pub fn detail(row: &activity::Model) -> Value {
    row.detail.as_deref().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
}
