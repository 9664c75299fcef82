//! `apiKeys(filter:)`: every condition alone, several together, and never a row out of reach.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::list::{LIST, auditor, later, list, matching};
use crate::harness::changes::{CREATE_GROUP, UPDATE_USER};
use crate::harness::keys::{CREATE, DELETE, DISABLE, Person, REGENERATE, UPDATE, selection};
use crate::harness::{Account, Caller, Grants, Server};

/// Proves
#[tokio::test]
async fn every_filter_narrows_and_all_hold_together() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    let one = later(&server, &ada, "one", None).await;
    let two = later(&server, &ada, "two", Some("2026-12-01T00:00:00Z")).await;
    let three = later(&server, &build, "three", Some("2026-12-02T00:00:00Z")).await;
    auditor.caller.change(DISABLE, selection([&*one])).await;
    auditor.caller.change(UPDATE, json!({ "id": two, "readOnly": true })).await;

    let owners = json!([ada.public_id, build.public_id]);
    let filters = [
        (json!({ "ownerIds": owners }), "one two three"),
        (json!({ "ownerIds": [ada.public_id] }), "one two"),
        (json!({ "ownerIds": [] }), ""),
        (json!({ "ids": [three, one] }), "one three"),
        (json!({ "ids": [] }), ""),
        (json!({ "ids": ["key_00000000000000000000000001"] }), ""),
        (json!({ "ownerKind": "SERVICE_ACCOUNT" }), "three"),
        (json!({ "ownerKind": "USER", "ownerIds": owners }), "one two"),
        (json!({ "status": ["DISABLED"] }), "one"),
        (json!({ "status": ["ACTIVE", "DISABLED"], "ownerIds": owners }), "one two three"),
        (json!({ "status": ["ACTIVE"], "ownerIds": owners }), "two three"),
        (json!({ "status": [] }), ""),
        (json!({ "readOnly": true }), "two"),
        (json!({ "readOnly": false, "ownerIds": owners }), "one three"),
        (json!({ "createdBefore": "2026-11-21T09:00:02Z", "ownerIds": owners }), "one"),
        (json!({ "createdAfter": "2026-11-21T09:00:02Z" }), "three"),
        (json!({ "createdAfter": "2026-11-21T09:00:01Z", "createdBefore": "2026-11-21T09:00:03Z" }), "two"),
        (json!({ "expiresBefore": "2026-12-02T00:00:00Z" }), "two"),
        (json!({ "expiresBefore": "2026-12-02T00:00:00.001Z" }), "two three"),
        (json!({ "readOnly": true, "status": ["DISABLED"] }), ""),
        (json!({ "ids": null, "ownerIds": owners, "status": null, "readOnly": null }), "one two three"),
    ];
    for (filter, expected) in filters {
        assert_eq!(matching(&auditor.caller, filter.clone()).await, expected, "{filter}");
    }
    server.stop().await;
}

/// Proves: D-03, R-19
#[tokio::test]
async fn the_default_leaves_out_deleted_keys_and_those_of_inactive_owners_and_each_key_has_one_status() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let gone = server.user("gone@example.com", &["member"]).await;
    let end = Some("2026-11-21T09:01:00Z");
    for (owner, whose) in [(&ada, "adas"), (&gone, "gones")] {
        for (kind, end) in
            [("active", None), ("expired", end), ("disabled", end), ("waiting", end), ("deleted", end)]
        {
            let id = later(&server, owner, &format!("{whose}-{kind}"), end).await;
            match kind {
                "disabled" => drop(auditor.caller.change(DISABLE, selection([&*id])).await),
                "deleted" => drop(auditor.caller.change(DELETE, selection([&*id])).await),
                _ => {}
            }
        }
    }
    // Nothing asks for approval yet: the row is arranged.
    server.run_sql("UPDATE api_keys SET state = 'PENDING' WHERE name LIKE '%-waiting'").await;
    server.deactivate(&gone).await;
    server.advance(Duration::from_secs(60));

    let caller = &server.sign_in(&auditor.key).await;
    let owners = json!([ada.public_id, gone.public_id]);
    let shown = matching(caller, json!({ "ownerIds": owners })).await;
    assert_eq!(shown, "adas-active adas-expired adas-disabled adas-waiting gones-waiting");
    let by_status = [
        ("DELETED", "adas-deleted gones-deleted"),
        ("PENDING", "adas-waiting gones-waiting"),
        ("OWNER_INACTIVE", "gones-active gones-expired gones-disabled"),
        ("DISABLED", "adas-disabled"),
        ("EXPIRED", "adas-expired"),
        ("ACTIVE", "adas-active"),
    ];
    for (status, expected) in by_status {
        let filter = json!({ "ownerIds": owners, "status": [status] });
        assert_eq!(matching(caller, filter.clone()).await, expected, "{status}");
        // The filter and the field agree.
        let page = list(caller, json!({ "filter": filter })).await;
        for node in page["nodes"].as_array().unwrap() {
            assert_eq!(node["status"], status, "{node}");
        }
    }
    let every: Vec<&str> = by_status.iter().map(|(status, _)| *status).collect();
    let all = matching(caller, json!({ "ownerIds": owners, "status": every })).await;
    assert_eq!(all.split(' ').count(), 10);
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_expired_from_the_very_instant_of_its_end() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    later(&server, &ada, "ci", Some("2026-11-21T09:00:02.000Z")).await;
    let expired = json!({ "ownerIds": [ada.public_id], "status": ["EXPIRED"] });
    server.advance(Duration::from_millis(999));
    assert_eq!(matching(&auditor.caller, expired.clone()).await, "");
    server.advance(Duration::from_millis(1));
    assert_eq!(matching(&auditor.caller, expired).await, "ci");
    server.stop().await;
}

#[tokio::test]
async fn filters_that_cannot_be_are_bad_input() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let wrong = [
        (json!({ "ids": ["ci"] }), "ids"),
        (json!({ "ids": [ada.account.public_id] }), "ids"),
        (json!({ "ownerIds": [ada.key.id] }), "ownerIds"),
        (json!({ "groupIds": [ada.key.id] }), "groupIds"),
        (json!({ "roleIds": [""] }), "roleIds"),
        (json!({ "createdByIds": [ada.key.id, "group_00000000000000000000000001"] }), "createdByIds"),
        (json!({ "createdByIds": ["system"] }), "createdByIds"),
        (json!({ "scopes": vec!["keys:read"; 21] }), "scopes"),
        (json!({ "search": "a\nb" }), "search"),
        (json!({ "search": "a".repeat(101) }), "search"),
    ];
    for (filter, field) in wrong {
        let answer = ada.caller.graphql_with(LIST, json!({ "filter": filter })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.json()["errors"][0]["extensions"]["field"], json!([field]));
    }
    server.stop().await;
}

/// The keys of a small company, of two users and a service account, in the order in which they were made.
struct Company {
    ada: Account,
    bob: Person,
    build: Account,
    ops: String,
    sre: String,
    ids: BTreeMap<&'static str, String>,
}

/// Ada, in `ops`, owns `inherits` and `reads`; Bob, in `ops` and `sre`, made `made` himself and owns it; the service account
/// owns `deploy` and `bare`.
async fn company(server: &Server) -> (Person, Company) {
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let bob = server.person("bob@example.com", &["member", "analyst"]).await;
    let build = server.service_account("build").await;
    let ops = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let sre = boss.caller.made(CREATE_GROUP, json!({ "name": "sre" })).await;
    for (user, groups) in [(&ada.public_id, vec![&ops]), (&bob.account.public_id, vec![&ops, &sre])] {
        boss.caller.done(UPDATE_USER, json!({ "id": user, "groupIds": groups })).await;
    }
    let mut ids = BTreeMap::new();
    let member = server.role("member").await;
    let made = [
        ("inherits", &boss.caller, json!({ "ownerId": ada.public_id })),
        (
            "reads",
            &boss.caller,
            json!({ "ownerId": ada.public_id, "scopes": ["keys:read"], "readOnly": true }),
        ),
        ("made", &bob.caller, json!({ "scopes": ["keys:use", "activity:read:any"] })),
        ("deploy", &boss.caller, json!({ "ownerId": build.public_id, "roleIds": [member] })),
        ("bare", &boss.caller, json!({ "ownerId": build.public_id, "scopes": [], "issueSecret": false })),
    ];
    for (name, maker, mut input) in made {
        server.advance(Duration::from_secs(1));
        input["name"] = json!(name);
        let payload = maker.change(CREATE, input).await;
        ids.insert(name, payload["apiKey"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned());
    }
    (boss, Company { ada, bob, build, ops, sre, ids })
}

/// Proves: R-19
#[tokio::test]
async fn keys_are_found_by_group_maker_role_and_scope() {
    let server = Server::start().await;
    let (boss, company) = company(&server).await;
    let Company { ada, bob, build, ops, sre, ids } = &company;
    let [member, analyst] = [server.role("member").await, server.role("analyst").await];
    let all = "inherits reads made deploy bare";
    let mine = json!([ids["inherits"], ids["reads"], ids["made"], ids["deploy"], ids["bare"]]);
    let cases = [
        (json!({}), all),
        (json!({ "groupIds": [ops] }), "inherits reads made"),
        (json!({ "groupIds": [sre] }), "made"),
        (json!({ "groupIds": [sre, ops] }), "inherits reads made"),
        (json!({ "groupIds": [] }), ""),
        (json!({ "groupIds": ["group_00000000000000000000000001"] }), ""),
        (json!({ "groupIds": [ops], "ownerKind": "SERVICE_ACCOUNT" }), ""),
        // Whoever works through a key is named by that key.
        (json!({ "createdByIds": [boss.key.id] }), "inherits reads deploy bare"),
        (json!({ "createdByIds": [bob.key.id] }), "made"),
        (json!({ "createdByIds": [bob.key.id, boss.key.id] }), all),
        (json!({ "createdByIds": [boss.account.public_id, build.public_id] }), ""),
        // The same bits under another kind are another actor.
        (json!({ "createdByIds": [boss.key.id.replace("key_", "user_")] }), ""),
        (json!({ "createdByIds": [] }), ""),
        (json!({ "roleIds": [member] }), "deploy"),
        (json!({ "roleIds": [member, analyst] }), "deploy"),
        (json!({ "roleIds": [analyst] }), ""),
        (json!({ "roleIds": [] }), ""),
        (json!({ "scopes": ["keys:write"] }), "inherits deploy"),
        (json!({ "scopes": ["keys:read"] }), "inherits reads deploy"),
        (json!({ "scopes": ["activity:read:any"] }), "made"),
        (json!({ "scopes": ["activity:read:any", "keys:write"] }), "inherits made deploy"),
        (json!({ "scopes": ["settings:write", "no:such", "", "\u{0}"] }), ""),
        (json!({ "scopes": [] }), ""),
        (json!({ "scopes": ["keys:read"], "readOnly": true, "groupIds": [ops] }), "reads"),
        (json!({ "scopes": ["keys:read"], "roleIds": [member], "createdByIds": [boss.key.id] }), "deploy"),
        (json!({ "scopes": null, "roleIds": null, "groupIds": null, "createdByIds": null }), all),
    ];
    for (mut filter, expected) in cases {
        filter["ids"] = mine.clone();
        assert_eq!(matching(&boss.caller, filter.clone()).await, expected, "{filter}");
    }
    // What somebody loses, their keys lose at once.
    server.take_role(&bob.account, "analyst").await;
    assert_eq!(matching(&boss.caller, json!({ "ids": mine, "scopes": ["activity:read:any"] })).await, "");
    server.take_role(ada, "member").await;
    let left = matching(&boss.caller, json!({ "ids": mine, "scopes": ["keys:read", "keys:use"] })).await;
    assert_eq!(left, "made deploy");
    server.stop().await;
}

/// Proves
#[tokio::test]
async fn keys_are_found_by_their_use_and_the_age_of_their_secret() {
    let server = Server::start().await;
    let (boss, company) = company(&server).await;
    let ids = &company.ids;
    // Made at 09:00:01 and each a second later; two were used, one has a new secret beside the old one.
    server
        .run_sql("UPDATE api_keys SET last_used_at = created_at + 10000 WHERE name IN ('reads', 'deploy')")
        .await;
    server.advance(Duration::from_secs(95));
    let rotate = json!({ "selection": { "ids": [ids["made"]] }, "gracePeriodSeconds": 60 });
    boss.caller.change(REGENERATE, rotate).await;
    let mine = json!(ids.values().collect::<Vec<_>>());
    let cases = [
        (json!({ "neverUsed": true }), "inherits made bare"),
        (json!({ "neverUsed": false }), "reads deploy"),
        (json!({ "lastUsedBefore": "2026-11-21T09:00:01.000Z" }), ""),
        (json!({ "lastUsedBefore": "2026-11-21T09:00:01.001Z" }), "inherits"),
        (json!({ "lastUsedBefore": "2026-11-21T09:00:12.000Z" }), "inherits made bare"),
        (json!({ "lastUsedBefore": "2026-11-21T09:00:12.001Z" }), "inherits reads made bare"),
        (json!({ "lastUsedBefore": "2027-01-01T00:00:00Z" }), "inherits reads made deploy bare"),
        (json!({ "lastUsedBefore": "2027-01-01T00:00:00Z", "neverUsed": false }), "reads deploy"),
        (json!({ "lastUsedBefore": "2026-11-21T09:00:14.000Z", "neverUsed": false }), "reads"),
        // A key without a secret has none that is old.
        (json!({ "secretIssuedBefore": "2027-01-01T00:00:00Z" }), "inherits reads made deploy"),
        (json!({ "secretIssuedBefore": "2026-11-21T09:00:04.000Z" }), "inherits reads"),
        (json!({ "secretIssuedBefore": "2026-11-21T09:00:04.001Z" }), "inherits reads deploy"),
        (json!({ "secretIssuedBefore": "2026-11-21T09:00:01.000Z" }), ""),
        (json!({ "secretIssuedBefore": "2026-11-21T09:01:40.000Z", "neverUsed": true }), "inherits"),
        (json!({ "secretIssuedBefore": "2026-11-21T09:01:40.001Z", "neverUsed": true }), "inherits made"),
    ];
    for (mut filter, expected) in cases {
        filter["ids"] = mine.clone();
        assert_eq!(matching(&boss.caller, filter.clone()).await, expected, "{filter}");
    }
    server.stop().await;
}

/// How many keys match by the count of the list and by that of the viewer's own, which agree.
async fn counted(caller: &Caller, filter: &Value) -> Value {
    let query = "query ($filter: ApiKeyFilter) { apiKeys(filter: $filter) { totalCount }
        viewer { apiKeys(filter: $filter) { totalCount } } }";
    let data = caller.graphql_with(query, json!({ "filter": filter })).await.data();
    let viewers = data["viewer"]["apiKeys"]["totalCount"].clone();
    assert_eq!(data["apiKeys"]["totalCount"], viewers, "{filter}");
    viewers
}

/// How many keys a list of their names has, in which one name is of two words.
fn number(list: &str) -> Value {
    let last_word = |word: &&str| ["made", "weak"].contains(word) || word.ends_with("own");
    json!(list.split(' ').filter(last_word).count())
}

#[tokio::test]
async fn no_filter_shows_a_key_out_of_reach() {
    let server = Server::start().await;
    let (boss, company) = company(&server).await;
    let Company { ada, bob, build, ops, sre, ids } = &company;
    let member = server.role("member").await;
    let bobs = "bob@example.com's own made";
    let weak = server.generous_key(&bob.account, "weak", Grants::Scopes(&["keys:read", "keys:use"])).await;
    let weak = server.sign_in(&weak).await;
    let filters = [
        (json!({}), &*format!("{bobs} weak"), "weak"),
        (json!({ "groupIds": [ops, sre] }), &*format!("{bobs} weak"), "weak"),
        (json!({ "ownerIds": [ada.public_id, build.public_id] }), "", ""),
        (json!({ "ownerKind": "SERVICE_ACCOUNT" }), "", ""),
        (json!({ "ids": ids.values().collect::<Vec<_>>() }), "made", ""),
        (json!({ "createdByIds": [boss.key.id] }), "", ""),
        (json!({ "createdByIds": [bob.key.id, boss.key.id] }), "made", ""),
        (json!({ "roleIds": [member] }), "", ""),
        (json!({ "scopes": ["keys:use", "keys:write", "keys:read"] }), &*format!("{bobs} weak"), "weak"),
        (json!({ "scopes": ["activity:read:any"] }), bobs, ""),
        (json!({ "status": ["ACTIVE", "DISABLED", "DELETED", "PENDING"] }), &*format!("{bobs} weak"), "weak"),
        (json!({ "readOnly": true }), "", ""),
        (json!({ "lastUsedBefore": "2030-01-01T00:00:00Z" }), &*format!("{bobs} weak"), "weak"),
        (json!({ "secretIssuedBefore": "2030-01-01T00:00:00Z" }), &*format!("{bobs} weak"), "weak"),
        (json!({ "createdAfter": "2020-01-01T00:00:00Z" }), &*format!("{bobs} weak"), "weak"),
        (json!({ "search": "build" }), "", ""),
        (json!({ "search": "example.com" }), &*format!("{bobs} weak"), "weak"),
        (json!({ "search": "mad" }), "made", ""),
        (json!({ "search": "in" }), "", ""),
    ];
    for (filter, own, narrow) in filters {
        assert_eq!(matching(&bob.caller, filter.clone()).await, own, "{filter}");
        assert_eq!(matching(&weak, filter.clone()).await, narrow, "{filter}, through a weak key");
        assert_eq!(counted(&bob.caller, &filter).await, number(own), "{filter}");
        assert_eq!(counted(&weak, &filter).await, number(narrow), "{filter}");
    }
    server.stop().await;
}

#[tokio::test]
async fn long_lists_of_values_are_no_harder_than_short_ones() {
    let server = Server::start().await;
    let (boss, company) = company(&server).await;
    let unknown = |prefix: &str| (0..2000).map(|n| format!("{prefix}_{n:026}")).collect::<Vec<_>>();
    for (field, mut ids, one, expected) in [
        ("ids", unknown("key"), &company.ids["made"], "made"),
        ("ownerIds", unknown("user"), &company.ada.public_id, "inherits reads"),
        ("groupIds", unknown("group"), &company.sre, "made"),
        ("createdByIds", [unknown("user"), unknown("key")].concat(), &company.bob.key.id, "made"),
        ("roleIds", unknown("role"), &server.role("member").await, "deploy"),
    ] {
        ids.push(one.clone());
        let filter = json!({ field: ids, "createdAfter": "2026-11-21T09:00:00Z" });
        assert_eq!(matching(&boss.caller, filter).await, expected, "{field}");
    }
    server.stop().await;
}
