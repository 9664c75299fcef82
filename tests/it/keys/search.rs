//! `filter.search`: what is found, by which rule, in which order, and that nothing is forgotten or shown too much.

use std::collections::BTreeSet;
use std::time::Duration;

use latchkey::actions::users::{WantedPassword, create_administrator};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::list::{LIST, auditor, later, list, matching, names, twenty_five, walk};
use crate::harness::changes::{
    CREATE_ACCOUNT, CREATE_USER, DEACTIVATE_USER, DELETE_ACCOUNT, REACTIVATE_USER, UPDATE_ACCOUNT,
    UPDATE_USER,
};
use crate::harness::keys::{
    CREATE, DELETE, DISABLE, ENABLE, Person, REGENERATE, UPDATE, mistakes, selection,
};
use crate::harness::{Account, Caller, Grants, Server};

/// The keys that a search finds, oldest first, but for the searcher's own; the count says the same.
async fn found(caller: &Caller, search: &str) -> String {
    let query = "query ($search: String) { apiKeys(filter: { search: $search }, first: 100,
        orderBy: { field: CREATED_AT, direction: ASC }) { totalCount nodes { name } } }";
    let page = caller.graphql_with(query, json!({ "search": search })).await.data()["apiKeys"].take();
    let names = names(&page);
    assert_eq!(page["totalCount"], json!(names.len()), "{search:?}");
    names.into_iter().filter(|name| !name.contains("'s own")).collect::<Vec<_>>().join(" ")
}

/// The users that a search finds.
async fn users(caller: &Caller, search: &str) -> String {
    let query =
        "query ($search: String) { users(filter: { search: $search }) { totalCount nodes { email } } }";
    let mut page = caller.graphql_with(query, json!({ "search": search })).await.data()["users"].take();
    let emails: Vec<String> = page["nodes"]
        .as_array_mut()
        .unwrap()
        .iter()
        .map(|user| user["email"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(page["totalCount"], json!(emails.len()), "{search:?}");
    emails.join(" ")
}

/// A key that nothing but its name leads to: the owner is called `~~~`, and ids are left to chance.
async fn named(server: &Server, names: &[&str]) -> Account {
    let owner = server.service_account("~~~").await;
    for name in names {
        later(server, &owner, name, None).await;
    }
    owner
}

/// The same letters, each in its other case.
fn swapped(text: &str) -> String {
    let swap = |letter: char| {
        if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    };
    text.chars().map(swap).collect()
}

/// Proves: X-12
#[tokio::test]
async fn a_key_is_found_by_its_name_its_owner_its_client_id_and_its_hint() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = json!({ "email": "ada@example.org", "handle": "countess", "displayName": "Augusta King",
        "roleIds": [server.role("member").await] });
    let ada = boss.caller.made(CREATE_USER, ada).await;
    let build = boss.caller.made(CREATE_ACCOUNT, json!({ "name": "Build farm" })).await;
    let mut made = Vec::new();
    for (name, owner) in [("nightly", &ada), ("weekly", &build)] {
        server.advance(Duration::from_secs(1));
        let input = json!({ "name": name, "ownerId": owner, "scopes": ["keys:read"] });
        made.push(boss.caller.change(CREATE, input).await);
    }
    let (nightly, secret) = (&made[0]["apiKey"], made[0]["clientSecret"].as_str().unwrap());
    let client_id = nightly["clientId"].as_str().unwrap();
    let hint = &secret[secret.len() - 4..];
    let swapped = swapped(hint);
    let cases = [
        ("nightly", "nightly"),
        ("IGHT", "nightly"),
        (" ekl ", "weekly"),
        ("kly", "weekly"),
        ("ada@", "nightly"),
        ("@Example.ORG", "nightly"),
        ("countes", "nightly"),
        ("gusta ki", "nightly"),
        ("uild f", "weekly"),
        ("usta x", ""),
        (client_id, "nightly"),
        (&client_id[..8], "nightly"),
        (&client_id[..9].to_lowercase(), "nightly"),
        (&client_id[1..], ""),
        (&format!("{client_id}0"), ""),
        (hint, "nightly"),
        (&swapped, ""),
        (&hint[..3], ""),
        (&hint[1..], ""),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }

    // Beside a new secret the old one is found until its end, and no longer.
    let rotate = json!({ "selection": { "ids": [nightly["id"]] }, "gracePeriodSeconds": 60 });
    let fresh = boss.caller.change(REGENERATE, rotate).await;
    let fresh = fresh["issued"][0]["clientSecret"].as_str().unwrap();
    let fresh = &fresh[fresh.len() - 4..];
    for (after, old) in [(59, "nightly"), (1, "")] {
        server.advance(Duration::from_secs(after));
        assert_eq!(found(&boss.caller, hint).await, old);
        assert_eq!(found(&boss.caller, fresh).await, "nightly");
    }
    server.stop().await;
}

/// Proves: X-12
#[tokio::test]
async fn under_three_characters_a_search_is_a_beginning() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &["zürich", "ürzig", "zu", "z", "xzü", "日本語", "本日", "\u{10ffff}\u{10ffff}x"]).await;
    let cases = [
        ("z", "zürich zu z"),
        ("Z", "zürich zu z"),
        ("zü", "zürich"),
        ("ZÜ", "zürich"),
        ("ü", "ürzig"),
        ("zür", "zürich"),
        ("rzi", "ürzig"),
        ("xzü", "xzü"),
        ("zu", "zu"),
        ("xz", "xzü"),
        ("日", "日本語"),
        ("本", "本日"),
        ("日本語", "日本語"),
        ("\u{10ffff}", "\u{10ffff}\u{10ffff}x"),
        ("\u{10ffff}\u{10ffff}", "\u{10ffff}\u{10ffff}x"),
        ("\u{10ffff}x", ""),
        ("~~", "zürich ürzig zu z xzü 日本語 本日 \u{10ffff}\u{10ffff}x"),
        ("~~~", "zürich ürzig zu z xzü 日本語 本日 \u{10ffff}\u{10ffff}x"),
        ("~~~~", ""),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn both_cases_of_every_letter_are_one() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &["ÄRGERNIS", "Straße", "İstanbul", "ΟΔΟΣΑ", "ПРИВЕТ", "ﬁnal", "DŽEP", "\u{212a}elvin"])
        .await;
    let cases = [
        ("ärger", "ÄRGERNIS"),
        ("ÄRGER", "ÄRGERNIS"),
        ("är", "ÄRGERNIS"),
        ("argernis", ""),
        ("straße", "Straße"),
        ("STRAẞE", "Straße"),
        ("strasse", ""),
        // The capital I with a dot is an i with a dot of its own above it.
        ("İST", "İstanbul"),
        ("i\u{307}stanbul", "İstanbul"),
        ("istanbul", ""),
        ("stanbul", "İstanbul"),
        ("ΟΔΟΣ", "ΟΔΟΣΑ"),
        ("οδος", "ΟΔΟΣΑ"),
        ("οδοσα", "ΟΔΟΣΑ"),
        ("привет", "ПРИВЕТ"),
        ("ВЕТ", "ПРИВЕТ"),
        ("ﬁna", "ﬁnal"),
        ("final", ""),
        ("džep", "DŽEP"),
        ("KELVIN", "\u{212a}elvin"),
        ("ke", "\u{212a}elvin"),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }
    server.stop().await;
}

/// Names with letters that mean something to one database or the other.
const SPECIAL: [&str; 17] = [
    "100%",
    "a_b_c",
    "axbxc",
    "say \"hi\"",
    "st*r",
    "back\\slash",
    "o'hara",
    "a AND b",
    "a OR b",
    "NOT c",
    "NEAR(x)",
    "^start",
    "col:umn",
    "{curly}",
    "$1 ? :x",
    "-- x",
    "a-b+c",
];

#[tokio::test]
async fn letters_that_mean_something_to_a_database_are_letters() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &SPECIAL).await;
    let cases = [
        ("%", ""),
        ("100%", "100%"),
        ("0%", ""),
        ("00%", "100%"),
        ("1%", ""),
        ("%%%", ""),
        ("a_", "a_b_c"),
        ("a_b", "a_b_c"),
        ("___", ""),
        ("\"", ""),
        ("\"hi\"", "say \"hi\""),
        ("\"\"\"", ""),
        (" \"h", ""),
        ("st*", "st*r"),
        ("s*r", ""),
        ("***", ""),
        ("k\\s", "back\\slash"),
        ("\\", ""),
        ("'", ""),
        ("o'h", "o'hara"),
        ("' OR 1=1 --", ""),
        ("a AND b", "a AND b"),
        ("AND", "a AND b"),
        ("a OR", "a OR b"),
        ("NOT c", "NOT c"),
        ("NEAR(x)", "NEAR(x)"),
        ("^st", "^start"),
        ("text : a", ""),
        ("col:", "col:umn"),
        ("{cu", "{curly}"),
        ("$1 ?", "$1 ? :x"),
        ("-- ", "-- x"),
        ("-- x", "-- x"),
        ("a-b+c", "a-b+c"),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_blank_search_is_none_and_one_that_cannot_be_is_refused_in_every_list() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    named(&server, &["one", "two"]).await;
    for blank in ["", " ", "\t\n", "\u{a0}"] {
        assert_eq!(found(&boss.caller, blank).await, "one two", "{blank:?}");
    }
    let order = json!({ "field": "NAME", "direction": "ASC" });
    let ordered = list(&boss.caller, json!({ "filter": { "search": " " }, "orderBy": order })).await;
    assert_eq!(names(&ordered), ["boss@example.com's own", "one", "two"]);

    let longest = "é".repeat(100);
    for (list, kind) in [("apiKeys", "ApiKey"), ("users", "User"), ("serviceAccounts", "ServiceAccount")] {
        let query = format!("query ($f: {kind}Filter) {{ {list}(filter: $f) {{ totalCount }} }}");
        let none = boss.caller.graphql_with(&query, json!({ "f": { "search": longest } })).await.data();
        assert_eq!(none[list]["totalCount"], 0);
        for wrong in
            [format!("{longest}é"), "a\u{0}b".to_owned(), "two\nlines".to_owned(), "\u{9f}x\u{9f}".to_owned()]
        {
            let answer = boss.caller.graphql_with(&query, json!({ "f": { "search": wrong } })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{list} {wrong:?}");
            assert_eq!(answer.json()["errors"][0]["extensions"]["field"], json!(["search"]));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_has_the_order_of_creation_and_no_other() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &["b one", "a one", "c one"]).await;
    for (field, direction, expected) in [
        ("CREATED_AT", "ASC", Some(["b one", "a one", "c one"])),
        ("CREATED_AT", "DESC", Some(["c one", "a one", "b one"])),
        ("NAME", "ASC", None),
        ("LAST_USED_AT", "DESC", None),
        ("EXPIRES_AT", "ASC", None),
    ] {
        let order = json!({ "field": field, "direction": direction });
        let variables = json!({ "filter": { "search": "one" }, "orderBy": order });
        let answer = boss.caller.graphql_with(LIST, variables).await;
        match expected {
            Some(expected) => assert_eq!(names(&answer.data()["apiKeys"]), expected),
            None => {
                assert_eq!(answer.code(), "BAD_USER_INPUT");
                let error = &answer.json()["errors"][0];
                assert_eq!(error["extensions"]["field"], json!(["orderBy"]));
                assert!(error["message"].as_str().unwrap().contains("CREATED_AT"), "{error}");
            }
        }
    }
    server.stop().await;
}

/// Proves: X-12, X-13
#[tokio::test]
async fn pages_of_a_search_have_each_key_once_while_others_come_and_go() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let bob = server.user("bob@example.org", &["member"]).await;
    later(&server, &bob, "not found", None).await;
    let filter = json!({ "search": "ADA@", "ownerKind": "USER" });
    for direction in ["ASC", "DESC"] {
        let order = json!({ "field": "CREATED_AT", "direction": direction });
        let whole = list(&boss.caller, json!({ "filter": filter, "orderBy": order, "first": 100 })).await;
        let whole = names(&whole);
        assert_eq!(whole.len(), 25);
        for backward in [false, true] {
            assert_eq!(walk(&boss.caller, &filter, &order, backward).await, whole, "{order} {backward}");
        }
        let page = |after: &Value| json!({ "filter": filter, "orderBy": order, "first": 7, "after": after });
        let first = list(&boss.caller, page(&Value::Null)).await;
        let new = later(&server, &ada, "new", None).await;
        let gone =
            format!("UPDATE api_keys SET state = 'DELETED' WHERE name IN ('{}', '{}')", whole[0], whole[6]);
        server.run_sql(&gone).await;
        let second = list(&boss.caller, page(&first["pageInfo"]["endCursor"])).await;
        assert_eq!(names(&second), whole[7..14]);
        server
            .run_sql("UPDATE api_keys SET state = 'ENABLED' WHERE state = 'DELETED' AND name <> 'new'")
            .await;
        boss.caller.change(DELETE, selection([&*new])).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_shows_nothing_out_of_reach() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.person("bob@example.org", &["member"]).await;
    let foreign = server.key(&bob.account, "shared name", Grants::Inherit).await;
    server.key(&ada.account, "shared name", Grants::Inherit).await;
    server.advance(Duration::from_millis(1));
    let weak = server.generous_key(&ada.account, "weak", Grants::Scopes(&["keys:read", "keys:use"])).await;
    let weak = server.sign_in(&weak).await;
    let hint = &foreign.secret[foreign.secret.len() - 4..];
    let cases = [
        ("shared", "shared name", ""),
        ("bob@", "", ""),
        ("bo", "", ""),
        ("example", "shared name weak", "weak"),
        ("wea", "weak", "weak"),
        (&foreign.client_id, "", ""),
        (hint, "", ""),
    ];
    for (search, own, narrow) in cases {
        assert_eq!(found(&ada.caller, search).await, own, "{search:?}");
        assert_eq!(found(&weak, search).await, narrow, "{search:?}");
    }
    assert_eq!(users(&ada.caller, "bob").await, "");
    assert_eq!(users(&ada.caller, "example").await, "ada@example.com");
    let query = "{ serviceAccounts(filter: { search: \"operator\" }) { totalCount } }";
    assert_eq!(ada.caller.graphql(query).await.data()["serviceAccounts"]["totalCount"], 0);
    server.stop().await;
}

#[tokio::test]
async fn deleted_keys_are_found_when_they_are_asked_for() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    let owner = named(&server, &["living"]).await;
    let id = later(&server, &owner, "dead and gone", None).await;
    boss.caller.change(DELETE, selection([&*id])).await;
    assert_eq!(found(&boss.caller, "gone").await, "");
    let deleted = |search: &str| json!({ "search": search, "status": ["DELETED"] });
    assert_eq!(matching(&boss.caller, deleted("gone")).await, "dead and gone");
    assert_eq!(matching(&boss.caller, deleted("~~~")).await, "dead and gone");
    assert_eq!(matching(&boss.caller, deleted("living")).await, "");
    server.stop().await;
}

#[tokio::test]
async fn users_and_service_accounts_are_found_by_the_same_rule() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let person = |email: &str, handle: &str, name: &str| json!({ "email": email, "handle": handle, "displayName": name });
    boss.caller.made(CREATE_USER, person("ada@example.org", "countess", "Ädda Lovelace")).await;
    boss.caller.made(CREATE_USER, person("eve@example.org", "lo", "Lo")).await;
    for (search, expected) in [
        ("ÄD", "ada@example.org"),
        ("dda", "ada@example.org"),
        ("dd", ""),
        ("lo", "eve@example.org"),
        ("LOVE", "ada@example.org"),
        ("example.ORG", "ada@example.org eve@example.org"),
        ("b", "boss@example.com"),
    ] {
        assert_eq!(users(&boss.caller, search).await, expected, "{search:?}");
    }
    boss.caller.made(CREATE_ACCOUNT, json!({ "name": "Öl-Werk" })).await;
    for (search, expected) in
        [("öl", vec!["Öl-Werk"]), ("WERK", vec!["Öl-Werk"]), ("we", vec![]), ("op", vec!["operator"])]
    {
        let query = "query ($s: String) { serviceAccounts(filter: { search: $s }) { nodes { name } } }";
        let data = boss.caller.graphql_with(query, json!({ "s": search })).await.data();
        assert_eq!(names(&data["serviceAccounts"]), expected, "{search:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_costs_the_same_statements_however_much_it_finds() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let statements = async |search: &str| {
        let before = server.app.db.reads();
        let found = found(&boss.caller, search).await;
        (found.split(' ').filter(|name| !name.is_empty()).count(), server.app.db.reads() - before)
    };
    let (none, few) = statements("nothing has this").await;
    let (all, many) = statements("ada@example").await;
    let (one, short) = statements("2").await;
    assert_eq!((none, all), (0, 25));
    assert!(one > 0);
    assert_eq!((few, short), (many, many));
    server.stop().await;
}

/// What can be found: each object that has names, with its names in lower case.
#[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
async fn searchable(server: &Server) -> [BTreeSet<(String, String)>; 2] {
    let db = server.app.db.reader();
    let mut expected = BTreeSet::new();
    for key in entity::api_key::Entity::find().all(db).await.unwrap() {
        expected.insert((key.id.to_string(), key.name.to_lowercase()));
    }
    for user in entity::user::Entity::find().all(db).await.unwrap() {
        for text in [Some(user.email), user.handle, Some(user.display_name)].into_iter().flatten() {
            expected.insert((user.id.to_string(), text.to_lowercase()));
        }
    }
    for account in entity::service_account::Entity::find().all(db).await.unwrap() {
        expected.insert((account.id.to_string(), account.name.to_lowercase()));
    }
    let rows = entity::search_term::Entity::find().all(db).await.unwrap();
    let written: BTreeSet<_> = rows
        .iter()
        .map(|row| {
            let object = entity::GlobalId { kind: row.object_kind, uuid: row.object_id };
            (object.to_string(), row.text.clone())
        })
        .collect();
    assert_eq!(written.len(), rows.len(), "no text twice");
    if !server.place().is_postgres() {
        // It compares the index with every row of the table, and fails if they differ.
        server.run_sql("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)").await;
    }
    [expected, written]
}

/// Changes of keys, each of which writes a name, frees one, or leaves it.
async fn change_keys(server: &Server, boss: &Person, owner: &str) {
    let mut ids = Vec::new();
    for name in ["One", "Two", "Three", "Four"] {
        server.advance(Duration::from_millis(1));
        let input = json!({ "name": name, "ownerId": owner, "scopes": ["keys:read"] });
        let made = boss.caller.change(CREATE, input).await;
        ids.push(made["apiKey"]["id"].as_str().unwrap().to_owned());
    }
    let taken = json!({ "name": "One", "ownerId": owner, "scopes": ["keys:read"] });
    assert_eq!(boss.caller.mistakes(CREATE, taken).await.len(), 1);
    for (id, change, mistakes) in [
        (&ids[0], json!({ "name": "Uno" }), 0),
        (&ids[1], json!({ "name": "Three" }), 1),
        (&ids[1], json!({ "description": "no name" }), 0),
        (&ids[2], json!({ "name": "three" }), 0),
        (&ids[2], json!({ "name": "late", "version": 1 }), 1),
    ] {
        let mut input = change.clone();
        input["id"] = json!(id);
        let payload = boss.caller.change(UPDATE, input).await;
        assert_eq!(self::mistakes(&payload).len(), mistakes, "{change}: {payload}");
    }
    boss.caller.change(DISABLE, selection([&*ids[0]])).await;
    boss.caller.change(ENABLE, selection([&*ids[0]])).await;
    boss.caller.change(DELETE, selection([&*ids[3]])).await;
    // The name is free again, and two objects may have it.
    server.advance(Duration::from_millis(1));
    let again = json!({ "name": "Four", "ownerId": owner, "scopes": ["keys:read"] });
    boss.caller.change(CREATE, again).await;
    let rotate = json!({ "selection": { "ids": [ids[0]] } });
    boss.caller.change(REGENERATE, rotate).await;
    assert_eq!(found(&boss.caller, "uno").await, "Uno");
    assert_eq!(found(&boss.caller, "one").await, "");
    assert_eq!(found(&boss.caller, "late").await, "");
}

#[tokio::test]
async fn every_change_of_a_name_is_found_and_no_old_name_is() {
    let server = Server::start().await;
    let [expected, written] = searchable(&server).await;
    assert_eq!(written, expected, "after the first start");
    assert_eq!(expected.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["operator"]);

    let password = || WantedPassword::new("correct horse battery".to_owned().into());
    create_administrator(&server.operator(), "Root@example.com", None, password()).await.unwrap();
    let boss = server.person("boss@example.com", &["admin"]).await;
    let caller = &boss.caller;
    let ada = json!({ "email": "ada@example.com", "handle": "Countess", "displayName": "ADA@example.com" });
    let ada = caller.made(CREATE_USER, ada).await;
    let bad = json!({ "email": "ada@example.com", "displayName": "Another" });
    caller.mistake(CREATE_USER, bad).await;
    let build = caller.made(CREATE_ACCOUNT, json!({ "name": "Build" })).await;
    let gone = caller.made(CREATE_ACCOUNT, json!({ "name": "Gone" })).await;
    change_keys(&server, &boss, &build).await;

    for change in [
        json!({ "displayName": "Ada Lovelace" }),
        json!({ "email": "countess@example.com", "handle": "ada" }),
        json!({ "handle": null }),
        json!({ "password": "another long password" }),
    ] {
        let mut input = change;
        input["id"] = json!(ada);
        caller.done(UPDATE_USER, input).await;
        let [expected, written] = searchable(&server).await;
        assert_eq!(written, expected);
    }
    caller.done(DEACTIVATE_USER, json!({ "id": ada })).await;
    caller.done(REACTIVATE_USER, json!({ "id": ada })).await;
    caller.done(UPDATE_ACCOUNT, json!({ "id": build, "name": "Bauhof" })).await;
    caller.done(UPDATE_ACCOUNT, json!({ "id": build, "description": "no name" })).await;
    caller.done(DELETE_ACCOUNT, json!({ "id": gone })).await;
    caller.mistake(DELETE_ACCOUNT, json!({ "id": build })).await;

    let [expected, written] = searchable(&server).await;
    assert_eq!(written, expected);
    assert_eq!(found(caller, "bauhof").await, "Uno Two three Four");
    assert_eq!(found(caller, "build").await, "");
    assert_eq!(users(caller, "lovelace").await, "countess@example.com");
    assert_eq!(users(caller, "ada@").await, "");
    let place = server.stop().await;
    // A later start changes nothing.
    let server = Server::start_at(place, "").await;
    let [_, again] = searchable(&server).await;
    assert_eq!(again, expected);
    server.stop().await;
}
