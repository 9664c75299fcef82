//! `settings` and `updateSettings`.

use entity::activity::{self, ActivityKind};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{READ, SET, defaults, everything, started, with};
use crate::harness::keys::{detail, mistakes};
use crate::harness::{Caller, Grants, Server};

/// The changes of settings in the log, oldest first.
async fn changes(server: &Server) -> Vec<activity::Model> {
    server.log().await.into_iter().filter(|row| row.kind == ActivityKind::SettingsUpdated).collect()
}

#[tokio::test]
async fn a_new_server_has_the_defaults() {
    let (server, boss) = started().await;
    assert_eq!(boss.caller.settings().await, defaults());
    server.stop().await;
}

/// Proves: D-09
#[tokio::test]
async fn everything_can_be_changed_at_once_and_the_log_tells_what_was() {
    let (server, boss) = started().await;
    let expected = with(everything(), &json!({ "version": 2 }));
    assert_eq!(boss.caller.set(with(everything(), &json!({ "version": 1 }))).await, expected);
    assert_eq!(boss.caller.settings().await, expected);

    let rows = changes(&server).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.actor_id, boss.key.id.parse::<entity::KeyId>().ok().map(|id| id.0));
    assert_eq!((row.key_id, row.owner_id), (None, None));
    assert!(row.ip.is_some() && row.request_id.is_some());
    insta::assert_snapshot!(detail(row)["before"], @r#"{"activityRetentionDays":90,"defaultCallRateLimit":[10000,60],"defaultGracePeriodSeconds":0,"defaultKeyLifetimeDays":null,"defaultTokenLifetimeSeconds":600,"defaultTokenRateLimit":[60,60],"expiryRequired":false,"keyApprovalRequired":false,"maxKeyLifetimeDays":null,"maxKeysPerOwner":null,"maxTokenLifetimeSeconds":3600,"passwordApiAccess":false,"supportUrl":null}"#);
    insta::assert_snapshot!(detail(row)["after"], @r#"{"activityRetentionDays":30,"defaultCallRateLimit":[600,2],"defaultGracePeriodSeconds":3600,"defaultKeyLifetimeDays":90,"defaultTokenLifetimeSeconds":120,"defaultTokenRateLimit":[5,1],"expiryRequired":true,"keyApprovalRequired":true,"maxKeyLifetimeDays":365,"maxKeysPerOwner":7,"maxTokenLifetimeSeconds":900,"passwordApiAccess":true,"supportUrl":"https://help.example.com/keys?from=latchkey"}"#);
    server.stop().await;
}

#[tokio::test]
async fn one_field_changes_only_itself_and_the_log_says_only_that() {
    let (server, boss) = started().await;
    let mut expected = defaults();
    for (n, (name, value)) in everything().as_object().unwrap().iter().enumerate() {
        // In the order of their names each fits those that are set already.
        let old = expected[name].clone();
        expected = with(expected, &json!({ name: value, "version": n + 2 }));
        assert_eq!(boss.caller.set(json!({ name: value })).await, expected, "{name}");
        let rows = changes(&server).await;
        assert_eq!(rows.len(), n + 1);
        let as_logged = |value: &Value| match value.get("requests") {
            Some(requests) => json!([requests, value["perSeconds"]]),
            None => value.clone(),
        };
        let told = json!({ "before": { name: as_logged(&old) }, "after": { name: as_logged(value) } });
        assert_eq!(detail(&rows[n]), told);
    }
    assert_eq!(boss.caller.settings().await, expected);
    server.stop().await;
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears_what_can_be_absent() {
    let (server, boss) = started().await;
    boss.caller.set(everything()).await;
    let expected = with(everything(), &json!({ "version": 3 }));
    assert_eq!(boss.caller.set(json!({})).await, expected);

    let mut nulls = with(everything(), &json!({ "version": 2 }));
    nulls.as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::Null);
    let cleared = json!({
        "maxKeysPerOwner": null, "maxKeyLifetimeDays": null, "defaultKeyLifetimeDays": null, "supportUrl": null,
        "version": 4,
    });
    assert_eq!(boss.caller.set(nulls).await, with(expected, &cleared));
    server.stop().await;
}

#[tokio::test]
async fn the_ends_of_every_range_are_allowed() {
    let (server, boss) = started().await;
    let longest = format!("https://{}", "x".repeat(992));
    let allowed = [
        json!({ "maxKeysPerOwner": 1 }),
        json!({ "maxKeysPerOwner": 1_000_000 }),
        json!({ "defaultKeyLifetimeDays": 3650 }),
        json!({ "defaultKeyLifetimeDays": 1 }),
        json!({ "maxKeyLifetimeDays": 1 }),
        json!({ "maxKeyLifetimeDays": 3650 }),
        json!({ "defaultTokenLifetimeSeconds": 3600 }),
        json!({ "defaultTokenLifetimeSeconds": 60 }),
        json!({ "maxTokenLifetimeSeconds": 60 }),
        json!({ "maxTokenLifetimeSeconds": 3600 }),
        json!({ "defaultTokenRateLimit": { "requests": 1, "perSeconds": 1 } }),
        json!({ "defaultTokenRateLimit": { "requests": i32::MAX, "perSeconds": 86_400 } }),
        json!({ "defaultCallRateLimit": { "requests": 10_000, "perSeconds": 1 } }),
        json!({ "defaultCallRateLimit": { "requests": i32::MAX, "perSeconds": 86_400 } }),
        json!({ "defaultGracePeriodSeconds": 0 }),
        json!({ "defaultGracePeriodSeconds": 2_592_000 }),
        json!({ "activityRetentionDays": 1 }),
        json!({ "activityRetentionDays": 3650 }),
        json!({ "supportUrl": "mailto:help@example.com" }),
        json!({ "supportUrl": longest }),
    ];
    for input in allowed {
        let settings = boss.caller.set(input.clone()).await;
        let (name, value) = input.as_object().unwrap().iter().next().unwrap();
        assert_eq!(settings[name], *value);
    }
    server.stop().await;
}

#[tokio::test]
async fn just_outside_every_range_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let before = server.state().await;
    let limits = [(0, 1), (-1, 1), (1, 0), (1, -1), (1, 86_401)];
    let limits = limits.map(|(requests, seconds)| json!({ "requests": requests, "perSeconds": seconds }));
    let addresses =
        ["", " ", "help", "ftp://example.com", "javascript:alert(1)", "https://a b", "https://é.example"]
            .map(Value::from);
    let long = json!(format!("https://{}", "x".repeat(993)));
    let refused = [
        ("maxKeysPerOwner", [0, -1, 1_000_001, i32::MIN].map(Value::from).to_vec()),
        ("maxKeyLifetimeDays", [0, -1, 3651, i32::MAX].map(Value::from).to_vec()),
        ("defaultKeyLifetimeDays", [0, -1, 3651].map(Value::from).to_vec()),
        ("defaultTokenLifetimeSeconds", [59, 0, -1, 3601].map(Value::from).to_vec()),
        ("maxTokenLifetimeSeconds", [59, 0, -1, 3601].map(Value::from).to_vec()),
        ("defaultTokenRateLimit", limits.to_vec()),
        ("defaultCallRateLimit", limits.to_vec()),
        ("defaultGracePeriodSeconds", [-1, 2_592_001].map(Value::from).to_vec()),
        ("activityRetentionDays", [0, -1, 3651].map(Value::from).to_vec()),
        ("supportUrl", [&addresses[..], &[long]].concat()),
    ];
    for (name, values) in refused {
        for value in values {
            // What stands beside it is not changed either.
            let payload = boss.caller.change(SET, json!({ name: value, "expiryRequired": true })).await;
            assert_eq!(mistakes(&payload), [format!("INVALID input.{name}")], "{value}");
            assert_eq!(payload["settings"], Value::Null);
        }
    }
    assert_eq!(boss.caller.settings().await, defaults());
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_default_is_never_above_its_maximum_whichever_of_the_two_is_changed() {
    let (server, boss) = started().await;
    boss.caller.set(json!({ "maxKeyLifetimeDays": 30, "maxTokenLifetimeSeconds": 900 })).await;
    let days = "INVALID input.defaultKeyLifetimeDays";
    let seconds = "INVALID input.defaultTokenLifetimeSeconds";
    let before = boss.caller.settings().await;
    for (input, expected) in [
        (json!({ "defaultKeyLifetimeDays": 31 }), days),
        (json!({ "defaultKeyLifetimeDays": 20, "maxKeyLifetimeDays": 19 }), days),
        (json!({ "defaultTokenLifetimeSeconds": 901 }), seconds),
        (json!({ "maxTokenLifetimeSeconds": 599 }), seconds),
    ] {
        assert_eq!(boss.caller.mistakes(SET, input.clone()).await, [expected], "{input}");
    }
    assert_eq!(boss.caller.settings().await, before);
    for input in [
        json!({ "defaultKeyLifetimeDays": 30 }),
        json!({ "defaultKeyLifetimeDays": 31, "maxKeyLifetimeDays": 31 }),
        json!({ "defaultKeyLifetimeDays": 32, "maxKeyLifetimeDays": null }),
        json!({ "defaultTokenLifetimeSeconds": 900 }),
        json!({ "defaultTokenLifetimeSeconds": 60, "maxTokenLifetimeSeconds": 60 }),
    ] {
        boss.caller.set(input).await;
    }
    let lowered = boss.caller.mistakes(SET, json!({ "maxKeyLifetimeDays": 31 })).await;
    assert_eq!(lowered, [days]);
    server.stop().await;
}

#[tokio::test]
async fn values_of_the_wrong_kind_are_refused_before_anything_runs() {
    let (server, boss) = started().await;
    for input in [
        json!({ "maxKeysPerOwner": "1" }),
        json!({ "maxKeysPerOwner": 5_000_000_000_i64 }),
        json!({ "expiryRequired": 1 }),
        json!({ "defaultTokenRateLimit": { "requests": 1 } }),
        json!({ "defaultTokenRateLimit": 60 }),
        json!({ "supportUrl": 7 }),
        json!({ "unknown": true }),
        Value::Null,
    ] {
        let answer = boss.caller.graphql_with(SET, json!({ "input": input })).await;
        assert_ne!(answer.code(), "INTERNAL", "{}", answer.text);
        assert_eq!(answer.json()["data"]["change"], Value::Null, "{}", answer.text);
    }
    assert_eq!(boss.caller.settings().await, defaults());
    assert!(changes(&server).await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_version_that_is_not_the_current_one_is_a_conflict() {
    let (server, boss) = started().await;
    let at = |version: i32| json!({ "version": version, "activityRetentionDays": 100 + version });
    boss.caller.set(at(1)).await;
    let before = boss.caller.settings().await;
    for stale in [1, 0, -1, 3] {
        let conflict = boss.caller.mistakes(SET, at(stale)).await;
        assert_eq!(conflict, ["VERSION_CONFLICT input.version settings_00000000000000000000000000"]);
    }
    assert_eq!(boss.caller.settings().await, before);
    assert_eq!(changes(&server).await.len(), 1);
    boss.caller.set(at(2)).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_that_read_the_same_version_one_succeeds_and_without_versions_all_do() {
    let (server, boss) = started().await;
    for (version, expected) in [(Some(1), 1), (None, 50)] {
        let mut all = JoinSet::new();
        for index in 0..50 {
            let input = json!({ "version": version, "activityRetentionDays": 100 + index });
            let caller = boss.caller.clone();
            all.spawn(async move { caller.change_among_many(SET, input).await });
        }
        let (done, refused): (Vec<_>, Vec<_>) =
            all.join_all().await.into_iter().partition(|payload| payload["settings"].is_object());
        assert_eq!((done.len(), refused.len()), (expected, 50 - expected));
        for payload in refused {
            assert_eq!(payload["userErrors"][0]["code"], "VERSION_CONFLICT", "{payload}");
        }
    }
    assert_eq!(boss.caller.settings().await["version"], 52);
    assert_eq!(changes(&server).await.len(), 51);
    server.stop().await;
}

#[tokio::test]
async fn reading_and_changing_need_a_scope_each() {
    let (server, boss) = started().await;
    let robot = server.service_account("robot").await;
    let bearer = async |scope: &str| {
        let key = server.generous_key(&robot, scope, Grants::Scopes(&[scope])).await;
        server.sign_in(&key).await
    };
    let input = json!({ "expiryRequired": true });
    let denied = async |caller: &Caller, expected: &str| {
        let answer = caller.graphql(READ).await;
        assert_eq!((&*answer.code(), &answer.json()["data"]["settings"]), ("FORBIDDEN", &Value::Null));
        let required = &answer.json()["errors"][0]["extensions"]["requiredScopes"];
        assert_eq!(*required, json!([expected]));
    };
    for role in ["member", "analyst", "key-manager"] {
        let person = server.person(&format!("{role}@example.com"), &[role]).await;
        denied(&person.caller, "settings:read").await;
        assert_eq!(person.caller.denied(SET, input.clone()).await, "FORBIDDEN settings:write");
    }
    let reader = bearer("settings:read").await;
    assert_eq!(reader.settings().await, defaults());
    assert_eq!(reader.denied(SET, input.clone()).await, "FORBIDDEN settings:write");
    let frozen = server.user("frozen@example.com", &["admin"]).await;
    let frozen = server.key_with(&frozen, "frozen", Grants::Inherit, |new| new.read_only = true).await;
    let frozen = server.sign_in(&frozen).await;
    assert_eq!(frozen.settings().await, defaults());
    assert_eq!(frozen.denied(SET, input.clone()).await, "READ_ONLY");
    assert_eq!(server.guest().graphql(READ).await.code(), "UNAUTHENTICATED");
    assert_eq!(server.guest().denied(SET, input.clone()).await, "UNAUTHENTICATED");
    assert_eq!(boss.caller.settings().await, defaults());

    let writer = bearer("settings:write").await;
    denied(&writer, "settings:read").await;
    assert_eq!(writer.set(input).await["expiryRequired"], true);
    server.stop().await;
}

#[tokio::test]
async fn a_change_can_be_read_in_the_log() {
    let (server, boss) = started().await;
    boss.caller.set(json!({ "maxKeysPerOwner": 1 })).await;
    let query = "{ activity(filter: { kinds: [SETTINGS_UPDATED] }) { nodes {
        family kind outcome detail owner { __typename } apiKey { id } target { id } actor { ... on ApiKey { id } } } } }";
    let found = boss.caller.graphql(query).await.data()["activity"]["nodes"].take();
    let expected = json!([{
        "family": "CHANGE", "kind": "SETTINGS_UPDATED", "outcome": "OK",
        "detail": { "before": { "maxKeysPerOwner": null }, "after": { "maxKeysPerOwner": 1 } },
        "owner": null, "apiKey": null, "target": null, "actor": { "id": boss.key.id },
    }]);
    assert_eq!(found, expected);
    // To whom it does not concern it is not there.
    let ada = server.person("ada@example.com", &["member"]).await;
    assert_eq!(ada.caller.graphql(query).await.data()["activity"]["nodes"], json!([]));
    server.stop().await;
}
