//! A server with people, keys and a past, and what requests can know of it: ids, names, cursors.

use serde_json::{Value, json};

use super::schema::{Model, name_of};
use super::values::Place;
use crate::harness::changes::{
    CREATE_ACCOUNT, CREATE_API, CREATE_GROUP, CREATE_ROLE, CREATE_SCOPE, CREATE_USER,
};
use crate::harness::{Account, Caller, Grants, Key, Server};

const VICTIMS: usize = 40;

pub struct World {
    pub server: Server,
    pub callers: Vec<(&'static str, Caller)>,
    /// Every id that there is.
    pub known: Vec<String>,
    pub client_ids: Vec<String>,
    pub scopes: Vec<String>,
    pub cursors: Vec<String>,
    /// The callers' own objects: changing these would end their requests.
    spared: Vec<String>,
}

impl World {
    pub async fn start(model: &Model) -> Self {
        let server = Server::start().await;
        let mut world = Self {
            callers: Vec::new(),
            known: Vec::new(),
            client_ids: Vec::new(),
            scopes: Vec::new(),
            cursors: vec!["nonsense".to_owned(), "AAAA".to_owned()],
            spared: Vec::new(),
            server,
        };
        world.server.api("https://orders.example", &["orders:read", "orders:write"]).await;
        let member = world.add_callers().await;
        let admin = world.callers[0].1.clone();
        world.add_victims(&admin, &member).await;
        world.add_directory(&admin).await;
        world.look_around(model, &admin).await;
        world
    }

    /// Ids for a place: mostly of the kind that belongs there.
    pub fn ids(&self, place: Place<'_>, mutation: bool) -> Vec<&String> {
        let name = place.name.to_lowercase();
        let owner = place.owner.to_lowercase();
        let kinds: &[&str] = match () {
            () if name.contains("apikey") => &["key"],
            () if name.contains("role") => &["role"],
            () if name.contains("scope") => &["scope"],
            () if name.contains("group") => &["group"],
            () if ["user", "member"].iter().any(|word| name.contains(word)) => &["user"],
            () if ["owner", "actor"].iter().any(|word| name.contains(word)) => &["user", "svc"],
            () if matches!(&*name, "apiid" | "apiids") => &["api"],
            () if owner.contains("apikey") || owner.contains("secrets") => &["key"],
            () if owner.contains("serviceaccount") => &["svc"],
            () if owner.contains("user") => &["user"],
            () if owner.contains("group") => &["group"],
            () if owner.contains("role") => &["role"],
            () if owner.contains("scope") => &["scope"],
            () if owner.contains("api") => &["api"],
            () => &[""],
        };
        let usable = |id: &&String| !mutation || !self.spared.contains(*id);
        let fits = |id: &&String| kinds.iter().any(|kind| id.starts_with(kind));
        let fitting: Vec<&String> = self.known.iter().filter(usable).filter(fits).collect();
        if fitting.is_empty() { self.known.iter().filter(usable).collect() } else { fitting }
    }

    /// One caller of each sort; gives back the member, who will own most of the keys.
    async fn add_callers(&mut self) -> Account {
        let root = self.server.user("admin@example.com", &["admin"]).await;
        self.add_caller("admin", &root, Grants::Inherit, false).await;
        let member = self.server.user("member@example.com", &["member"]).await;
        self.add_caller("member", &member, Grants::Inherit, false).await;
        let analyst = self.server.user("analyst@example.com", &["analyst"]).await;
        self.add_caller("analyst", &analyst, Grants::Inherit, false).await;
        let reader = self.server.user("reader@example.com", &["admin"]).await;
        self.add_caller("read-only", &reader, Grants::Roles(&["admin"]), true).await;
        let bot = self.server.service_account("bot").await;
        self.add_caller("service account", &bot, Grants::Roles(&["key-manager"]), false).await;
        member
    }

    async fn add_caller(&mut self, name: &'static str, owner: &Account, grants: Grants<'_>, read_only: bool) {
        let most = Some(latchkey::values::Quota { requests: 1_000_000_000, per_seconds: 1 });
        let key_name = format!("{name}'s own");
        let key = self.server.key_with(owner, &key_name, grants, |new| {
            (new.token_limit, new.call_limit, new.read_only) = (most, most, read_only);
        });
        let key = key.await;
        let caller = self.server.sign_in(&key).await;
        self.spared.extend([owner.public_id.clone(), key.id.clone()]);
        self.know(&owner.public_id);
        self.know_key(&key);
        self.callers.push((name, caller));
    }

    /// Keys of the member's and of others, in all states.
    async fn add_victims(&mut self, admin: &Caller, member: &Account) {
        let other = self.server.user("victim@example.com", &["member"]).await;
        let bot = self.server.service_account("victim").await;
        let gone = self.server.user("gone@example.com", &["member"]).await;
        for account in [&other, &bot, &gone] {
            self.know(&account.public_id);
        }
        for n in 0..VICTIMS {
            let (owner, grants) = match n % 8 {
                0 => (&bot, Grants::Roles(&["member"])),
                1 => (&gone, Grants::Inherit),
                2 | 3 => (&other, Grants::Scopes(&["keys:read"])),
                _ => (member, Grants::Inherit),
            };
            let key = self.server.key(owner, &format!("victim {n}"), grants).await;
            self.know_key(&key);
            let change = match n % 10 {
                1 => "disableApiKeys",
                2 => "deleteApiKeys",
                _ => continue,
            };
            let change = format!(
                "mutation ($id: ID!) {{ {change}(input: {{ selection: {{ ids: [$id] }} }}) {{ userErrors {{ code }} }} }}"
            );
            admin.graphql_with(&change, json!({ "id": key.id })).await.data();
        }
        self.server.deactivate(&gone).await;
    }

    /// Groups, roles, service accounts and an API that nobody needs to go on.
    async fn add_directory(&mut self, admin: &Caller) {
        for n in 0..6 {
            let name = format!("spare {n}");
            let api = json!({ "identifier": format!("urn:spare:{n}"), "name": name });
            let objects = [
                (CREATE_GROUP, json!({ "name": name })),
                (CREATE_ROLE, json!({ "name": name, "scopes": ["keys:read"] })),
                (CREATE_ACCOUNT, json!({ "name": name })),
                (CREATE_USER, json!({ "email": format!("spare{n}@example.com"), "displayName": name })),
                (CREATE_API, api),
            ];
            let mut id = String::new();
            for (mutation, input) in objects {
                id = admin.made(mutation, input).await;
                self.know(&id);
            }
            let scope = json!({ "apiId": id, "name": format!("spare-{n}:read"), "kind": "READ" });
            self.know(&admin.made(CREATE_SCOPE, scope).await);
        }
    }

    /// Reads every list of the schema: ids and cursors that really are there.
    async fn look_around(&mut self, model: &Model, admin: &Caller) {
        for field in model.fields("Query") {
            let Some(edges) = model.field(name_of(&field.of), "edges") else {
                continue;
            };
            assert!(model.field(name_of(&edges.of), "cursor").is_some(), "{} has cursors", field.name);
            let name = &field.name;
            let query = format!("{{ {name}(first: 20) {{ edges {{ cursor node {{ id }} }} }} }}");
            let data = admin.graphql(&query).await.data();
            for edge in data[name]["edges"].as_array().unwrap() {
                self.cursors.push(text(&edge["cursor"]));
                self.know(&text(&edge["node"]["id"]));
            }
        }
        let scopes = admin.graphql("{ scopes(first: 100) { nodes { name api { id } } } }").await.data();
        for scope in scopes["scopes"]["nodes"].as_array().unwrap() {
            self.scopes.push(text(&scope["name"]));
            self.know(&text(&scope["api"]["id"]));
        }
    }

    fn know_key(&mut self, key: &Key) {
        self.know(&key.id);
        self.client_ids.push(key.client_id.clone());
    }

    fn know(&mut self, id: &str) {
        if !self.known.iter().any(|known| known == id) {
            self.known.push(id.to_owned());
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
