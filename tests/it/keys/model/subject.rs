//! The real server under a walk: takes the same steps over HTTP, and answers in the words of the model.

use std::net::Ipv4Addr;
use std::time::Duration;

use entity::activity::{ActivityKind, Column, Entity, Outcome};
use entity::{KeyId, Timestamp};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::{Value, json};

use super::rules::{Model, ROLES, SCOPES, USERS};
use super::step::{Change, NewKey, Step, Verb};
use super::terms::{Answer, Shown};
use super::words::{code, mistake, names, refusal, set, shown, some, text};
use crate::harness::changes::{
    CREATE_GROUP, CREATE_ROLE, DEACTIVATE_USER, REACTIVATE_USER, UPDATE_GROUP, UPDATE_ROLE, UPDATE_USER,
};
use crate::harness::keys::{CREATE, DELETE, DISABLE, ENABLE, Person, REGENERATE, UPDATE};
use crate::harness::{BEHIND_A_PROXY, Caller, Key, START, Server};

/// The address of the server stays, so that tokens outlive a restart.
const ADDRESS: &str = "public_url = 'http://localhost:8080'";
const APPROVE: &str = "mutation ($input: ApiKeySelectionInput!) { change: approveApiKeys(input: $input) {
    apiKeys { id } userErrors { code targetId } } }";
const REJECT: &str = "mutation ($input: ApiKeySelectionInput!) { change: rejectApiKeys(input: $input) {
    apiKeys { id } userErrors { code targetId } } }";
const FINISH: &str = "mutation ($input: ApiKeySelectionInput!) { change: finishRotation(input: $input) {
    apiKeys { id } userErrors { code targetId } } }";
const SET: &str = "mutation ($input: UpdateSettingsInput!) { change: updateSettings(input: $input) {
    settings { version } userErrors { code } } }";
const SHOW: &str = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on ApiKey {
    status readOnly inheritsOwner effectiveScopes { name } secrets { validUntil } } } }";

/// A server for many walks.
pub struct Host {
    /// None only while it restarts.
    server: Option<Server>,
    boss: Person,
    clerk: Person,
    walks: u32,
    exchanges: u32,
}

/// One walk on it, with people, roles and keys of its own.
pub struct Subject {
    host: Host,
    owners: Vec<String>,
    group: String,
    roles: Vec<String>,
    keys: Vec<Key>,
    /// Every secret that each key ever had.
    secrets: Vec<Vec<String>>,
    tokens: Vec<String>,
}

/// Every exchange comes from a network of its own: none is slowed down by wrong ones before.
fn settings() -> String {
    format!("{ADDRESS}\n{BEHIND_A_PROXY}")
}

impl Host {
    pub async fn start() -> Self {
        let server = Server::start_with(&settings()).await;
        server.api("https://model.example.com", &SCOPES[3..]).await;
        let boss = server.person("boss@example.com", &["admin"]).await;
        let scopes: Vec<&str> = SCOPES.into_iter().chain(["keys:create:any"]).collect();
        boss.caller.made(CREATE_ROLE, json!({ "name": "clerk", "scopes": scopes })).await;
        let clerk = server.person("clerk@example.com", &["clerk"]).await;
        Self { server: Some(server), boss, clerk, walks: 0, exchanges: 0 }
    }

    pub fn walks(&self) -> u32 {
        self.walks
    }

    pub async fn stop(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// In milliseconds since the server first started.
    fn now(&self) -> i64 {
        use latchkey::clock::Time as _;
        self.server().clock.now().0 - START.parse::<Timestamp>().unwrap().0
    }

    /// Their tokens have ended by now, if time has passed.
    async fn sign_in(&mut self) {
        let server = self.server.as_ref().unwrap();
        for person in [&mut self.boss, &mut self.clerk] {
            person.caller = server.sign_in(&person.key).await;
        }
    }
}

impl Subject {
    /// Makes the people and roles of a walk, and the model of them.
    pub async fn new(mut host: Host) -> (Self, Model) {
        host.walks += 1;
        host.sign_in().await;
        let (walk, model) = (host.walks, Model::new(host.now()));
        let boss = host.boss.caller.clone();
        let mut roles = Vec::new();
        for (n, scopes) in model.roles.iter().enumerate() {
            let input = json!({ "name": format!("role {n} of {walk}"), "scopes": names(*scopes) });
            roles.push(boss.made(CREATE_ROLE, input).await);
        }
        let mut owners = Vec::new();
        for (n, user) in model.users.iter().enumerate() {
            owners.push(host.server().user(&format!("user{n}.{walk}@example.com"), &[]).await.public_id);
            boss.done(UPDATE_USER, json!({ "id": owners[n], "roleIds": some(&roles, user.roles) })).await;
        }
        let members: Vec<&String> =
            owners.iter().zip(&model.users).filter(|(_, user)| user.member).map(|(id, _)| id).collect();
        let group = json!({
            "name": format!("group of {walk}"), "roleIds": some(&roles, model.of_group), "memberIds": members,
        });
        let group = boss.made(CREATE_GROUP, group).await;
        owners.push(host.server().service_account(&format!("machine of {walk}")).await.public_id);
        boss.done(SET, json!({ "keyApprovalRequired": false })).await;
        let (keys, secrets, tokens) = (Vec::new(), Vec::new(), Vec::new());
        (Self { host, owners, group, roles, keys, secrets, tokens }, model)
    }

    pub fn into_host(self) -> Host {
        self.host
    }

    /// Takes a step. The model, which has not taken it yet, says which objects the numbers mean.
    pub async fn take(&mut self, step: Step, before: &Model) -> Answer {
        let boss = self.host.boss.caller.clone();
        match step {
            Step::Create(new) => return self.create(new).await,
            Step::Update { key, change } => return self.update(before.key(key), change).await,
            Step::Verb { verb, keys } => return self.change(verb, &before.selected(keys)).await,
            Step::Regenerate { keys, grace } => return self.regenerate(&before.selected(keys), grace).await,
            Step::Exchange { key, secret } => {
                let key = before.key(key);
                return self.exchange(key, before.secret(key, secret)).await;
            }
            Step::Call { token, write } => match before.token(token) {
                Some(token) => return self.call(token, write).await,
                None => return Answer::Nothing,
            },
            Step::Approval(required) => {
                boss.done(SET, json!({ "keyApprovalRequired": required })).await;
            }
            Step::Deactivate(user) => {
                boss.done(DEACTIVATE_USER, json!({ "id": self.user(user) })).await;
            }
            Step::Reactivate(user) => {
                boss.done(REACTIVATE_USER, json!({ "id": self.user(user) })).await;
            }
            Step::RolesOfUser { user, roles } => {
                let input = json!({ "id": self.user(user), "roleIds": some(&self.roles, roles) });
                boss.done(UPDATE_USER, input).await;
            }
            Step::Membership { user, member } => {
                let groups = if member { vec![&self.group] } else { Vec::new() };
                boss.done(UPDATE_USER, json!({ "id": self.user(user), "groupIds": groups })).await;
            }
            Step::RolesOfGroup(roles) => {
                let input = json!({ "id": self.group, "roleIds": some(&self.roles, roles) });
                boss.done(UPDATE_GROUP, input).await;
            }
            Step::ScopesOfRole { role, scopes } => {
                let role = &self.roles[usize::from(role) % ROLES];
                boss.done(UPDATE_ROLE, json!({ "id": role, "scopes": names(scopes) })).await;
            }
            Step::Advance(millis) => self.advance(millis).await,
            Step::Restart => self.restart().await,
        }
        Answer::Nothing
    }

    /// How each key shows to the administrator.
    pub async fn shown(&self) -> Vec<Shown> {
        let ids: Vec<&str> = self.keys.iter().map(|key| &*key.id).collect();
        let data = self.host.boss.caller.graphql_with(SHOW, json!({ "ids": ids })).await.data();
        let nodes = data["nodes"].as_array().unwrap();
        nodes.iter().map(shown).collect()
    }

    /// What the log tells of each key, oldest first.
    #[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
    pub async fn logs(&self) -> Vec<Vec<(ActivityKind, Outcome)>> {
        let ids: Vec<KeyId> = self.keys.iter().map(|key| key.id.parse().unwrap()).collect();
        let rows = Entity::find().filter(Column::KeyId.is_in(ids.iter().copied())).order_by_asc(Column::Id);
        let rows = rows.all(self.host.server().app.db.reader()).await.unwrap();
        let of = |id: &KeyId| {
            let theirs = rows.iter().filter(|row| row.key_id == Some(*id));
            theirs.map(|row| (row.kind, row.outcome)).collect()
        };
        ids.iter().map(of).collect()
    }

    fn user(&self, pick: u8) -> &str {
        &self.owners[usize::from(pick) % USERS]
    }

    async fn advance(&mut self, millis: i64) {
        self.host.server().advance(Duration::from_millis(millis.unsigned_abs()));
        self.host.sign_in().await;
    }

    async fn restart(&mut self) {
        if let Some(server) = self.host.server.take() {
            self.host.server = Some(server.restart(&settings()).await);
        }
        self.advance(1).await;
    }

    async fn create(&mut self, new: NewKey) -> Answer {
        let generous = json!({ "requests": 10_000_000, "perSeconds": 1 });
        let input = json!({
            "name": format!("key {}", self.keys.len()),
            "ownerId": self.owners[usize::from(new.owner) % self.owners.len()],
            "roleIds": new.roles.map(|roles| some(&self.roles, roles)),
            "scopes": new.scopes.map(names),
            "readOnly": new.read_only,
            "expiresAt": new.end.map(|after| self.instant(after)),
            "issueSecret": new.with_secret,
            "tokenRateLimit": generous,
            "callRateLimit": generous,
        });
        let maker = if new.by_clerk { &self.host.clerk } else { &self.host.boss };
        let payload = maker.caller.change(CREATE, input).await;
        let made = &payload["apiKey"];
        let (Some(id), Some(client_id)) = (made["id"].as_str(), made["clientId"].as_str()) else {
            return mistake(&payload);
        };
        self.keys.push(Key { id: id.to_owned(), client_id: client_id.to_owned(), secret: String::new() });
        self.secrets.push(payload["clientSecret"].as_str().map(str::to_owned).into_iter().collect());
        Answer::Changed { keys: vec![self.keys.len() - 1], mistakes: Vec::new() }
    }

    async fn update(&mut self, key: usize, change: Change) -> Answer {
        let mut input = json!({ "id": self.keys[key].id });
        match change {
            Change::Grants { roles, scopes } => {
                if let Some(roles) = roles {
                    input["roleIds"] = json!(roles.map(|roles| some(&self.roles, roles)));
                }
                if let Some(scopes) = scopes {
                    input["scopes"] = json!(scopes.map(names));
                }
            }
            Change::ReadOnly(to) => input["readOnly"] = json!(to),
            Change::End(after) => input["expiresAt"] = json!(after.map(|after| self.instant(after))),
        }
        let payload = self.host.boss.caller.change(UPDATE, input).await;
        if payload["apiKey"].is_null() {
            return mistake(&payload);
        }
        Answer::Changed { keys: vec![key], mistakes: Vec::new() }
    }

    async fn change(&mut self, verb: Verb, keys: &[usize]) -> Answer {
        let (mutation, done) = match verb {
            Verb::Enable => (ENABLE, "apiKeys"),
            Verb::Disable => (DISABLE, "apiKeys"),
            Verb::Delete => (DELETE, "deletedIds"),
            Verb::Approve => (APPROVE, "apiKeys"),
            Verb::Reject => (REJECT, "apiKeys"),
            Verb::FinishRotation => (FINISH, "apiKeys"),
        };
        let payload = self.host.boss.caller.change(mutation, self.selection(keys)).await;
        let done = payload[done].as_array().unwrap().iter();
        let done = done.map(|one| one["id"].as_str().or(one.as_str()).unwrap());
        self.changed(done, &payload)
    }

    async fn regenerate(&mut self, keys: &[usize], grace: i64) -> Answer {
        let mut input = self.selection(keys);
        input["gracePeriodSeconds"] = json!(grace);
        let payload = self.host.boss.caller.change(REGENERATE, input).await;
        let issued = payload["issued"].as_array().unwrap();
        for one in issued {
            let key = self.index(one["apiKey"]["id"].as_str().unwrap());
            self.secrets[key].push(one["clientSecret"].as_str().unwrap().to_owned());
        }
        self.changed(issued.iter().map(|one| one["apiKey"]["id"].as_str().unwrap()), &payload)
    }

    async fn exchange(&mut self, key: usize, secret: Option<(usize, usize)>) -> Answer {
        self.host.exchanges += 1;
        let from = Ipv4Addr::from_bits(0x0a00_0000 + self.host.exchanges).to_string();
        let secret = secret.map_or("lk_sk_nonsense", |(of, number)| &self.secrets[of][number]);
        let presented = Key { secret: secret.to_owned(), ..self.keys[key].clone() };
        let answer = self.host.server().exchange_from(&from, &presented).await;
        let body = answer.json();
        match body["access_token"].as_str() {
            Some(token) => {
                self.tokens.push(token.to_owned());
                let scopes = set(body["scope"].as_str().unwrap().split(' '));
                Answer::Token { scopes, lifetime: body["expires_in"].as_i64().unwrap() }
            }
            None => Answer::NoToken(refusal(&answer)),
        }
    }

    async fn call(&self, token: usize, write: bool) -> Answer {
        let caller: Caller = self.host.server().bearer(&self.tokens[token]);
        let answer = match write {
            false => caller.graphql("{ viewer { scopes } }").await,
            true => caller.graphql_with(ENABLE, json!({ "input": self.selection(&[]) })).await,
        };
        let body = answer.json();
        if let Some(code) = body["errors"][0]["extensions"]["code"].as_str() {
            let known =
                ["UNAUTHENTICATED", "READ_ONLY", "FORBIDDEN"].into_iter().find(|known| *known == code);
            return Answer::Refused(known.unwrap_or_else(|| panic!("a call is refused with {code}")));
        }
        match write {
            false => Answer::Held(set(body["data"]["viewer"]["scopes"].as_array().unwrap().iter().map(text))),
            true => Answer::Nothing,
        }
    }

    fn instant(&self, after: i64) -> String {
        use latchkey::clock::Time as _;
        Timestamp(self.host.server().clock.now().0 + after).to_string()
    }

    fn selection(&self, keys: &[usize]) -> Value {
        crate::harness::keys::selection(keys.iter().map(|key| &*self.keys[*key].id))
    }

    fn index(&self, id: &str) -> usize {
        self.keys.iter().position(|key| key.id == id).unwrap()
    }

    fn changed<'a>(&self, done: impl Iterator<Item = &'a str>, payload: &Value) -> Answer {
        let mut keys: Vec<usize> = done.map(|id| self.index(id)).collect();
        let errors = payload["userErrors"].as_array().unwrap().iter();
        let mut mistakes: Vec<_> =
            errors.map(|error| (self.index(text(&error["targetId"])), code(error))).collect();
        keys.sort_unstable();
        mistakes.sort_unstable();
        Answer::Changed { keys, mistakes }
    }
}
