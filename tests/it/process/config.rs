//! Settings that are wrong stop the start and are named; what is odd and harmless does not stop it.

use serde_json::Value;

use super::command::{latchkey, make_key};
use crate::harness::{Answer, Place, postgres_only, sqlite_only};

/// 32 bytes in base64, and not the key that anything was made with.
const ANOTHER_KEY: &str = "dGhpcyBpcyBhbm90aGVyIG1hc3RlciBrZXksIDMyIEI=";

/// Variables without their prefix, and values that they cannot have.
const WRONG: [(&str, &str); 15] = [
    ("LISTEN", "8080"),
    ("LISTEN", "localhost"),
    ("LISTEN", "0.0.0.0:0"),
    ("LISTEN", "[::]:0"),
    ("PUBLIC_URL", "keys.example.com"),
    ("PUBLIC_URL", ""),
    ("DATABASE_URL", "mysql://root:hunter2@db/x"),
    ("TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.0/33"),
    ("LOG", "loud"),
    ("LOG", "latchkey=loud"),
    ("LOG", "a b c"),
    ("LOG", ""),
    ("LOG_FORMAT", "xml"),
    ("MASTER_KEY", "hunter2"),
    ("MASTER_KEY", "4711"),
];

#[tokio::test]
async fn every_wrong_variable_is_named_with_what_would_be_right() {
    let place = Place::new().await;
    let mut said = String::new();
    for (name, value) in WRONG {
        let message = latchkey(&place, &[]).set(&format!("LATCHKEY_{name}"), value).fail().await;
        // A server that has come as far as its database has begun to log.
        said += &format!("{name}={value}\n  {}\n", message.lines().last().unwrap());
    }
    insta::assert_snapshot!(said, @"
    LISTEN=8080
      latchkey: invalid setting `listen` (LATCHKEY_LISTEN): `8080` is not an address with a port, such as 127.0.0.1:8080
    LISTEN=localhost
      latchkey: invalid setting `listen` (LATCHKEY_LISTEN): `localhost` is not an address with a port, such as 127.0.0.1:8080
    LISTEN=0.0.0.0:0
      latchkey: invalid setting `public_url` (LATCHKEY_PUBLIC_URL): required when the server listens on a non-loopback address (0.0.0.0:0): set the URL that clients use, such as https://keys.example.com
    LISTEN=[::]:0
      latchkey: invalid setting `public_url` (LATCHKEY_PUBLIC_URL): required when the server listens on a non-loopback address ([::]:0): set the URL that clients use, such as https://keys.example.com
    PUBLIC_URL=keys.example.com
      latchkey: invalid setting `public_url` (LATCHKEY_PUBLIC_URL): `keys.example.com` is not a URL such as https://keys.example.com, with nothing after the host
    PUBLIC_URL=
      latchkey: invalid setting `public_url` (LATCHKEY_PUBLIC_URL): `` is not a URL such as https://keys.example.com, with nothing after the host
    DATABASE_URL=mysql://root:hunter2@db/x
      latchkey: invalid setting `database_url` (LATCHKEY_DATABASE_URL): expected sqlite:// and a file, or postgres:// and a server, such as sqlite://data/latchkey.db
    TRUSTED_PROXIES=10.0.0.0/8, 10.0.0.0/33
      latchkey: invalid setting `trusted_proxies` (LATCHKEY_TRUSTED_PROXIES): `10.0.0.0/33` is not a network such as 10.0.0.0/8, and not an IP address
    LOG=loud
      latchkey: invalid setting `log` (LATCHKEY_LOG): `loud` is not a level such as info, and not a filter such as latchkey=debug,warn
    LOG=latchkey=loud
      latchkey: invalid setting `log` (LATCHKEY_LOG): `latchkey=loud` is not a level such as info, and not a filter such as latchkey=debug,warn
    LOG=a b c
      latchkey: invalid setting `log` (LATCHKEY_LOG): `a b c` is not a level such as info, and not a filter such as latchkey=debug,warn
    LOG=
      latchkey: invalid setting `log` (LATCHKEY_LOG): `` is not a level such as info, and not a filter such as latchkey=debug,warn
    LOG_FORMAT=xml
      latchkey: invalid setting `log_format` (LATCHKEY_LOG_FORMAT): unknown variant: found `xml`, expected `one of `auto`, `text`, `json``
    MASTER_KEY=hunter2
      latchkey: the setting `master_key` (LATCHKEY_MASTER_KEY) does not contain a master key: expected 32 bytes in base64
    MASTER_KEY=4711
      latchkey: the setting `master_key` (LATCHKEY_MASTER_KEY) does not contain a master key: expected 32 bytes in base64
    ");
}

#[tokio::test]
async fn a_directory_that_cannot_be_one_is_named() {
    let place = Place::new().await;
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    let command = latchkey(&place, &[]).unset("LATCHKEY_DATABASE_URL").set("LATCHKEY_DATA_DIR", &file);
    insta::assert_snapshot!(command.fail().await.replace(&file, "FILE"), @"latchkey: cannot create the database FILE/latchkey.db (settings `data_dir`, `database_url`): File exists (os error 17)");
}

#[tokio::test]
async fn both_ways_to_give_the_master_key_are_one_too_many() {
    let place = Place::new().await;
    let both =
        latchkey(&place, &[]).set("LATCHKEY_MASTER_KEY", ANOTHER_KEY).set("LATCHKEY_MASTER_KEY_FILE", "key");
    insta::assert_snapshot!(both.fail().await, @"latchkey: invalid setting `master_key` (LATCHKEY_MASTER_KEY): cannot be combined with `master_key_file`: set one of the two");
}

#[tokio::test]
async fn a_database_out_of_reach_is_named_without_its_password() {
    let place = Place::new().await;
    let nowhere = "postgres://app:hunter2@127.0.0.1:1/latchkey";
    let said = latchkey(&place, &[]).set("LATCHKEY_DATABASE_URL", nowhere).fail().await;
    assert!(said.contains("PostgreSQL at 127.0.0.1:1/latchkey (setting `database_url`)"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");

    let file = place.path().join("letter.txt");
    std::fs::write(&file, "Dear Ada, this is not a database at all. ".repeat(100)).unwrap();
    let url = format!("sqlite://{}", file.display());
    let said = latchkey(&place, &[]).set("LATCHKEY_DATABASE_URL", &url).fail().await;
    assert!(said.contains("letter.txt (setting `database_url`)"), "{said}");
    assert!(said.contains("file is not a database"), "{said}");
}

#[tokio::test]
async fn mistakes_in_the_file_of_settings_stop_the_start() {
    let place = Place::new().await;
    let path = place.path().join("latchkey.toml");
    let mut said = String::new();
    for text in [
        "listne = '127.0.0.1:0'",
        "[server]\nport = 80",
        "log_format = 'xml'",
        "trusted_proxies = 7",
        "listen =",
    ] {
        std::fs::write(&path, text).unwrap();
        said += &format!("{text}\n  {}\n", latchkey(&place, &[]).fail().await.trim_end());
    }
    insta::assert_snapshot!(said, @"
    listne = '127.0.0.1:0'
      latchkey: invalid setting `listne` (LATCHKEY_LISTNE): there is no such setting. The settings are: listen, public_url, data_dir, database_url, master_key_file, master_key, trusted_proxies, cors_origins, graphql_documents, graphql_documents_files, low_disk_space_bytes, log, log_format
    [server]
    port = 80
      latchkey: invalid setting `server` (LATCHKEY_SERVER): there is no such setting. The settings are: listen, public_url, data_dir, database_url, master_key_file, master_key, trusted_proxies, cors_origins, graphql_documents, graphql_documents_files, low_disk_space_bytes, log, log_format
    log_format = 'xml'
      latchkey: invalid setting `log_format` (LATCHKEY_LOG_FORMAT): unknown variant: found `xml`, expected `one of `auto`, `text`, `json``
    trusted_proxies = 7
      latchkey: invalid setting `trusted_proxies` (LATCHKEY_TRUSTED_PROXIES): expected a list of strings, or one string with commas between
    listen =
      latchkey: cannot read latchkey.toml: TOML parse error at line 1, column 9
      |
    1 | listen =
      |         ^
    ");
}

#[tokio::test]
async fn the_environment_wins_over_the_file_and_an_option_over_both() {
    let place = Place::new().await;
    let file =
        "listen = '127.0.0.1:1'\npublic_url = 'https://file.example.com'\nlog = 'error'\nlog_format = 'text'";
    std::fs::write(place.path().join("latchkey.toml"), file).unwrap();
    let server = latchkey(&place, &["--listen", "127.0.0.1:0"])
        .set("LATCHKEY_LISTEN", "127.0.0.1:2")
        .set("LATCHKEY_LOG", "info")
        .serve()
        .await;
    let metadata =
        Answer::at_last(server.guest().get("/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(metadata["issuer"], "https://file.example.com");
    let ended = server.stop().await;
    assert!(ended.stderr.contains("INFO GET answered with 200"), "{}", ended.stderr);
}

#[tokio::test]
async fn values_that_look_like_numbers_are_text_all_the_same() {
    let place = Place::new().await;
    let server = latchkey(&place, &[]).set("LATCHKEY_DATA_DIR", "2024").serve().await;
    assert!(place.path().join("2024").exists());
    server.stop().await;
}

#[tokio::test]
async fn variables_that_are_no_settings_are_warned_of_and_no_more() {
    let place = Place::new().await;
    // What container platforms inject beside a service called latchkey.
    let injected = [
        ("LATCHKEY_PORT", "tcp://10.0.0.1:8080"),
        ("LATCHKEY_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("LATCHKEY_SERVICE_HOST", "10.0.0.1"),
    ];
    let mut command = latchkey(&place, &[]);
    for (name, value) in injected {
        command = command.set(name, value);
    }
    let ended = command.serve().await.stop().await;
    for (name, _) in injected {
        let warning = format!("the environment variable {name} is not a setting and has no effect");
        assert!(ended.stderr.contains(&warning), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn log_lines_are_json_when_nobody_looks() {
    let place = Place::new().await;
    let server = latchkey(&place, &[]).serve().await;
    let answer = Answer::at_last(server.guest().get("/healthz")).await;
    let request = answer.header("x-request-id").to_owned();
    let ended = server.stop().await;
    let lines: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()));
    let line = lines.iter().find(|line| line["request_id"] == request.as_str()).unwrap();
    assert_eq!(
        (&line["method"], &line["path"], &line["status"]),
        (&"GET".into(), &"/healthz".into(), &200.into())
    );
}

#[tokio::test]
async fn another_master_key_does_not_start() {
    let place = Place::new().await;
    let key = make_key(&place, "ci", "member").await;
    let file = place.path().join("master.key");
    let before = std::fs::read_to_string(&file).ok();
    if before.is_some() {
        std::fs::write(&file, ANOTHER_KEY).unwrap();
    }
    for verb in [&["serve"][..], &["keys", "create", "--name", "x", "--role", "member"]] {
        let command = latchkey(&place, verb);
        let command =
            if before.is_some() { command } else { command.set("LATCHKEY_MASTER_KEY", ANOTHER_KEY) };
        let said = command.fail().await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said.lines().last().unwrap(), @"latchkey: the master key does not match the database: use the master key that the database was created with: the master key does not match the database");
        }
    }

    // It was looked at, and not touched.
    if let Some(before) = before {
        std::fs::write(&file, before).unwrap();
    }
    let server = latchkey(&place, &[]).serve().await;
    server.guest().sign_in(&key).await;
    server.stop().await;
}

#[tokio::test]
async fn a_lost_master_key_is_not_replaced() {
    let place = Place::new().await;
    make_key(&place, "ci", "member").await;
    let file = place.path().join("master.key");
    let _ = std::fs::remove_file(&file);
    let said = latchkey(&place, &[]).unset("LATCHKEY_MASTER_KEY").fail().await;
    let said = said.replace(&place.path().display().to_string(), "DIRECTORY");
    insta::assert_snapshot!(said.lines().last().unwrap(), @"latchkey: cannot read the master key DIRECTORY/master.key: set `master_key_file` (LATCHKEY_MASTER_KEY_FILE) or LATCHKEY_MASTER_KEY; for a new database on PostgreSQL, create a key with `openssl rand -base64 32`: No such file or directory (os error 2)");
    assert!(!file.exists());
}

mod sqlite_only {
    use super::*;

    #[tokio::test]
    async fn on_sqlite_the_first_start_makes_the_master_key() {
        sqlite_only();
        let place = Place::new().await;
        latchkey(&place, &["migrate"]).succeed().await;
        assert!(place.path().join("master.key").exists());
    }
}

mod postgres_only {
    use super::*;

    #[tokio::test]
    async fn on_postgresql_the_operator_makes_the_master_key() {
        postgres_only();
        let place = Place::new().await;
        let said = latchkey(&place, &["migrate"]).unset("LATCHKEY_MASTER_KEY").fail().await;
        assert!(
            said.contains("LATCHKEY_MASTER_KEY_FILE") && said.contains("openssl rand -base64 32"),
            "{said}"
        );
        assert!(!place.path().join("master.key").exists());
        let file = place.path().join("given.key");
        std::fs::write(&file, format!("{ANOTHER_KEY}\n")).unwrap();
        let given = latchkey(&place, &["migrate"]).unset("LATCHKEY_MASTER_KEY");
        given.set("LATCHKEY_MASTER_KEY_FILE", &file.display().to_string()).succeed().await;
    }
}
