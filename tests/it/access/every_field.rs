//! The authorization matrix, tried from outside: every root field of the schema and every route, as each kind of caller.
//! The lists come from the schema and from the router, so that what is added without a row here fails.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use latchkey::graphql::Schema;
use reqwest::Method;
use serde_json::json;

use super::callers::{callers, make_what_is_asked, outcome, variables};
use crate::harness::changes::CREATE_GROUP;
use crate::harness::{Grants, Server};

/// A root field, what is asked of it, and the question. `$key` is a key of the owner's, `$owner` the owner, `$role` and
/// `$scope` are built in, `$name` and what begins with `$new` is free; the others are made for the question.
const FIELDS: &[(&str, &str, &str)] = &[
    ("viewer", "", "query { viewer { scopes } }"),
    ("node", "a key", "query ($key: ID!) { node(id: $key) { id } }"),
    ("node", "a user", "query ($owner: ID!) { node(id: $owner) { id } }"),
    ("node", "a role", "query ($role: ID!) { node(id: $role) { id } }"),
    ("node", "a scope", "query ($scope: ID!) { node(id: $scope) { id } }"),
    ("node", "a service account", "query ($service: ID!) { node(id: $service) { id } }"),
    ("node", "a group", "query ($group: ID!) { node(id: $group) { id } }"),
    ("node", "an API", "query ($api: ID!) { node(id: $api) { id } }"),
    ("nodes", "a key", "query ($key: ID!) { nodes(ids: [$key]) { id } }"),
    ("nodes", "a user", "query ($owner: ID!) { nodes(ids: [$owner]) { id } }"),
    ("rateLimit", "", "query { rateLimit { cost } }"),
    ("apiKey", "by id", "query ($key: ID!) { apiKey(by: { id: $key }) { id } }"),
    ("apiKey", "by client id", "query ($clientId: String!) { apiKey(by: { clientId: $clientId }) { id } }"),
    ("apiKeys", "that one", "query ($key: ID!) { apiKeys(filter: { ids: [$key] }) { nodes { id } } }"),
    (
        "apiKeys",
        "the owner's",
        "query ($owner: ID!) { apiKeys(filter: { ownerIds: [$owner] }) { nodes { id } } }",
    ),
    ("users", "", "query { users { nodes { id } } }"),
    ("users", "the owner", "query ($email: String!) { users(filter: { search: $email }) { nodes { id } } }"),
    ("groups", "", "query { groups { nodes { id } } }"),
    (
        "groups",
        "and their members",
        "query { groups(first: 5) { nodes { members(first: 5) { nodes { id } } } } }",
    ),
    ("serviceAccounts", "", "query { serviceAccounts { nodes { id } } }"),
    ("serviceAccounts", "asker", "query { serviceAccounts(filter: { search: \"asker\" }) { nodes { id } } }"),
    ("apis", "", "query { apis { nodes { id } } }"),
    ("settings", "", "query { settings { version } }"),
    ("permissionPreview", "of oneself", "query { permissionPreview(input: {}) { grants { direct } } }"),
    (
        "permissionPreview",
        "of the owner",
        "query ($owner: ID!) { permissionPreview(input: { ownerId: $owner }) { grants { direct } } }",
    ),
    ("roles", "", "query { roles { nodes { id } } }"),
    ("scopes", "", "query { scopes { nodes { id } } }"),
    (
        "activity",
        "the key's",
        "query ($key: ID!) { activity(filter: { apiKeyIds: [$key] }) { nodes { id } } }",
    ),
    (
        "createApiKey",
        "for oneself",
        "mutation ($name: String!) { createApiKey(input: { name: $name, scopes: [\"keys:read\"] }) { userErrors { code } } }",
    ),
    (
        "createApiKey",
        "for the owner",
        "mutation ($name: String!, $owner: ID!) { createApiKey(input: { name: $name, ownerId: $owner }) { userErrors { code } } }",
    ),
    (
        "updateApiKey",
        "",
        "mutation ($key: ID!) { updateApiKey(input: { id: $key, description: \"x\" }) { userErrors { code } } }",
    ),
    (
        "regenerateSecrets",
        "",
        "mutation ($key: ID!) { regenerateSecrets(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "enableApiKeys",
        "",
        "mutation ($key: ID!) { enableApiKeys(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "disableApiKeys",
        "",
        "mutation ($key: ID!) { disableApiKeys(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "deleteApiKeys",
        "",
        "mutation ($key: ID!) { deleteApiKeys(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "finishRotation",
        "",
        "mutation ($key: ID!) { finishRotation(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "approveApiKeys",
        "",
        "mutation ($key: ID!) { approveApiKeys(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "rejectApiKeys",
        "",
        "mutation ($key: ID!) { rejectApiKeys(input: { selection: { ids: [$key] } }) { userErrors { code } } }",
    ),
    (
        "createUser",
        "",
        "mutation ($newEmail: String!, $name: String!) { createUser(input: { email: $newEmail, displayName: $name }) { userErrors { code } } }",
    ),
    (
        "updateUser",
        "the owner",
        "mutation ($owner: ID!) { updateUser(input: { id: $owner, displayName: \"x\" }) { userErrors { code } } }",
    ),
    (
        "updateUser",
        "the owner's password",
        "mutation ($owner: ID!) { updateUser(input: { id: $owner, password: \"a long walk in the rain\" }) { userErrors { code } } }",
    ),
    (
        "updateUser",
        "another",
        "mutation ($user: ID!) { updateUser(input: { id: $user, displayName: \"x\" }) { userErrors { code } } }",
    ),
    (
        "deactivateUser",
        "another",
        "mutation ($user: ID!) { deactivateUser(input: { id: $user }) { userErrors { code } } }",
    ),
    (
        "reactivateUser",
        "another",
        "mutation ($user: ID!) { reactivateUser(input: { id: $user }) { userErrors { code } } }",
    ),
    (
        "createServiceAccount",
        "",
        "mutation ($name: String!) { createServiceAccount(input: { name: $name }) { userErrors { code } } }",
    ),
    (
        "updateServiceAccount",
        "",
        "mutation ($service: ID!) { updateServiceAccount(input: { id: $service, description: \"x\" }) { userErrors { code } } }",
    ),
    (
        "deleteServiceAccount",
        "",
        "mutation ($service: ID!) { deleteServiceAccount(input: { id: $service }) { userErrors { code } } }",
    ),
    (
        "createGroup",
        "",
        "mutation ($name: String!) { createGroup(input: { name: $name }) { userErrors { code } } }",
    ),
    (
        "updateGroup",
        "",
        "mutation ($group: ID!) { updateGroup(input: { id: $group, description: \"x\" }) { userErrors { code } } }",
    ),
    (
        "updateGroup",
        "and join",
        "mutation ($group: ID!, $owner: ID!) { updateGroup(input: { id: $group, addMemberIds: [$owner] }) { userErrors { code } } }",
    ),
    (
        "deleteGroup",
        "",
        "mutation ($group: ID!) { deleteGroup(input: { id: $group }) { userErrors { code } } }",
    ),
    (
        "createRole",
        "",
        "mutation ($name: String!) { createRole(input: { name: $name, scopes: [\"keys:read\"] }) { userErrors { code } } }",
    ),
    (
        "updateRole",
        "",
        "mutation ($ownRole: ID!) { updateRole(input: { id: $ownRole, scopes: [\"keys:read\"] }) { userErrors { code } } }",
    ),
    (
        "updateRole",
        "built in",
        "mutation ($role: ID!) { updateRole(input: { id: $role, scopes: [\"keys:read\"] }) { userErrors { code } } }",
    ),
    (
        "deleteRole",
        "",
        "mutation ($ownRole: ID!) { deleteRole(input: { id: $ownRole }) { userErrors { code } } }",
    ),
    (
        "createApi",
        "",
        "mutation ($name: String!, $newIdentifier: String!) { createApi(input: { identifier: $newIdentifier, name: $name }) { userErrors { code } } }",
    ),
    (
        "updateApi",
        "",
        "mutation ($api: ID!) { updateApi(input: { id: $api, description: \"x\" }) { userErrors { code } } }",
    ),
    ("deleteApi", "", "mutation ($api: ID!) { deleteApi(input: { id: $api }) { userErrors { code } } }"),
    (
        "createScope",
        "",
        "mutation ($api: ID!, $newScope: String!) { createScope(input: { apiId: $api, name: $newScope, kind: READ }) { userErrors { code } } }",
    ),
    (
        "updateScope",
        "",
        "mutation ($ownScope: ID!) { updateScope(input: { id: $ownScope, description: \"x\" }) { userErrors { code } } }",
    ),
    (
        "updateScope",
        "built in",
        "mutation ($scope: ID!) { updateScope(input: { id: $scope, description: \"x\" }) { userErrors { code } } }",
    ),
    (
        "deleteScope",
        "",
        "mutation ($ownScope: ID!) { deleteScope(input: { id: $ownScope }) { userErrors { code } } }",
    ),
    (
        "updateSettings",
        "",
        "mutation { updateSettings(input: { supportUrl: null }) { userErrors { code } } }",
    ),
    (
        "changePassword",
        "",
        "mutation { changePassword(input: { currentPassword: \"x\", newPassword: \"a long walk in the rain\" }) { userErrors { code } } }",
    ),
    ("signOutEverywhere", "", "mutation { signOutEverywhere { userErrors { code } } }"),
    (
        "reactivateUser",
        "the owner",
        "mutation ($owner: ID!) { reactivateUser(input: { id: $owner }) { userErrors { code } } }",
    ),
    // After this the owner has no token any more.
    (
        "deactivateUser",
        "the owner",
        "mutation ($owner: ID!) { deactivateUser(input: { id: $owner }) { userErrors { code } } }",
    ),
];

/// A route and the method that it answers to.
const ROUTES: &[(Method, &str)] = &[
    (Method::POST, "/oauth/token"),
    (Method::POST, "/api/v2/authenticate"),
    (Method::POST, "/oauth/revoke"),
    (Method::POST, "/oauth/introspect"),
    (Method::GET, "/auth/verify"),
    (Method::POST, "/auth/verify"),
    (Method::GET, "/auth/verify/"),
    (Method::GET, "/auth/verify/{*rest}"),
    (Method::GET, "/.well-known/oauth-authorization-server"),
    (Method::GET, "/.well-known/openid-configuration"),
    (Method::GET, "/.well-known/oauth-protected-resource"),
    (Method::GET, "/.well-known/jwks.json"),
    (Method::POST, "/graphql"),
    (Method::GET, "/graphql"),
    (Method::GET, "/graphql/schema.graphql"),
    (Method::GET, "/whoami"),
    (Method::POST, "/session"),
    (Method::DELETE, "/session"),
    (Method::POST, "/setup"),
    (Method::GET, "/healthz"),
    (Method::GET, "/readyz"),
    (Method::GET, "/"),
];

#[tokio::test]
async fn every_root_field_as_every_caller() {
    let server = Server::start().await;
    let owner = server.person("owner@example.com", &["member"]).await;
    let callers = callers(&server, &owner).await;
    let maker = server.person("maker@example.com", &["admin"]).await.caller;
    maker.made(CREATE_GROUP, json!({ "name": "there" })).await;
    let mut table = format!("{:<34}", "");
    for (name, _) in &callers {
        table += &format!(" {name:<22}");
    }
    for (field, about, query) in FIELDS {
        table = format!("{}\n{:<34}", table.trim_end(), format!("{field} {about}"));
        for (n, (name, caller)) in callers.iter().enumerate() {
            let victim = if query.contains("$key:") || query.contains("$clientId:") {
                server.generous_key(&owner.account, &format!("{field} {about} {n}"), Grants::Inherit).await
            } else {
                owner.key.clone()
            };
            let mut variables =
                variables(&server, &victim, &owner.account, &format!("{field} {about} of {name}")).await;
            make_what_is_asked(&maker, query, &mut variables, table.len()).await;
            table += &format!(" {:<22}", outcome(&caller.graphql_with(query, variables).await, field));
        }
    }
    insta::assert_snapshot!(table.trim_end());
    server.stop().await;
}

#[tokio::test]
async fn every_route_as_nobody_and_with_a_token() {
    let server = Server::start().await;
    let owner = server.person("owner@example.com", &["member"]).await;
    let guest = server.guest();
    let stale = server.bearer("nonsense");
    let mut table = format!("{:<46} {:<7} {:<11} token\n", "", "nobody", "wrong token");
    for (method, path) in ROUTES {
        table += &format!("{:<46}", format!("{method} {path}"));
        for (caller, width) in [(&guest, 7), (&stale, 11), (&owner.caller, 0)] {
            let request = server.http.request(method.clone(), format!("{}{path}", server.url));
            let request = if *method == Method::POST {
                request.json(&json!({ "query": "{ __typename }" }))
            } else {
                request
            };
            table += &format!(" {:<width$}", caller.send(request).await.status.as_u16());
        }
        table = format!("{}\n", table.trim_end());
    }
    insta::assert_snapshot!(table);
    server.stop().await;
}

#[test]
fn every_root_field_has_a_row() {
    let known: BTreeSet<String> = FIELDS.iter().map(|(field, ..)| (*field).to_owned()).collect();
    assert_eq!(root_fields(Schema::build().sdl()), known, "give each root field a row in FIELDS");
}

#[test]
fn every_route_has_a_row() {
    let routes: BTreeSet<&str> = latchkey::http::routes().into_iter().map(|(path, _)| path).collect();
    let known: BTreeSet<&str> = ROUTES.iter().map(|(_, path)| *path).collect();
    assert_eq!(routes, known, "give each route a row in ROUTES");
}

#[test]
fn root_fields_are_found_in_queries_mutations_and_subscriptions() {
    let sdl =
        "type Query { a: Int } type Mutation { b: Int } type Subscription { c: Int } type Other { d: Int }";
    assert_eq!(root_fields(sdl).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}

fn root_fields(sdl: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for definition in parse_schema(sdl).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let root = matches!(definition.node.name.node.as_str(), "Query" | "Mutation" | "Subscription");
        if let TypeKind::Object(object) = definition.node.kind
            && root
        {
            found.extend(object.fields.iter().map(|field| field.node.name.node.to_string()));
        }
    }
    found
}
