//! Starting on nothing and starting again; stopping without losing what has begun; the commands around the server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use latchkey::timeouts::Timeouts;
use reqwest::StatusCode;
use serde_json::Value;

use super::command::{Ended, Process, latchkey, make_key, until, within};
use crate::harness::{Answer, Grants, HANGS, Place, Server};

/// The permissions of a file or directory.
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The screen of a server without what differs from run to run.
fn screen(process: &Process, place: &Place) -> String {
    let text = process.stdout().replace(process.address(), "ADDRESS");
    let text = text.replace(&place.path().display().to_string(), "DIRECTORY");
    let of_postgres =
        |line: &str| line.split_once("PostgreSQL at ").map(|(start, _)| format!("{start}PostgreSQL"));
    text.lines().map(|line| of_postgres(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

async fn jwks(process: &Process) -> Value {
    let guest = process.guest();
    Answer::at_last(guest.get("/.well-known/jwks.json")).await.json()
}

/// A connection to this address that writes and reads as it is told.
fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    BufReader::new(stream)
}

#[tokio::test]
async fn the_first_start_makes_private_files_and_nothing_else() {
    let place = Place::new().await;
    let directory = place.path().join("deep/data");
    let server =
        latchkey(&place, &[]).set("LATCHKEY_DATA_DIR", &directory.display().to_string()).serve().await;
    let expected: &[&str] = if place.is_postgres() {
        &["setup-token"]
    } else {
        &["latchkey.db", "latchkey.db-shm", "latchkey.db-wal", "master.key", "setup-token"]
    };
    let mut files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, expected);
    assert!(files.iter().all(|file| mode(file) == 0o600));
    assert_eq!(mode(&directory), 0o700);
    server.stop().await;
}

#[tokio::test]
async fn the_first_screen_says_where_everything_is_and_what_to_do_next() {
    let place = Place::new().await;
    let server = latchkey(&place, &["serve"]).serve().await;
    if place.is_postgres() {
        insta::assert_snapshot!(screen(&server, &place), @"
        Latchkey 0.1.0 is listening on http://ADDRESS

          Public URL            http://ADDRESS
          Token endpoint        http://ADDRESS/oauth/token
          GraphQL               http://ADDRESS/graphql
          Console               http://ADDRESS/ (not part of this version yet)
          Database              PostgreSQL
          Master key            from the settings

          There is no administrator yet. Create one on this machine:
            latchkey admin create --email ada@example.com --password-stdin
          or with the setup token in DIRECTORY/setup-token, which is valid once, for one hour:
            POST http://ADDRESS/setup
        ");
    } else {
        insta::assert_snapshot!(screen(&server, &place), @"
        Latchkey 0.1.0 is listening on http://ADDRESS

          Public URL            http://ADDRESS
          Token endpoint        http://ADDRESS/oauth/token
          GraphQL               http://ADDRESS/graphql
          Console               http://ADDRESS/ (not part of this version yet)
          Database              SQLite in DIRECTORY/latchkey.db
          Master key            in DIRECTORY/master.key (back it up: without it, the database cannot be read)

          There is no administrator yet. Create one on this machine:
            latchkey admin create --email ada@example.com --password-stdin
          or with the setup token in DIRECTORY/setup-token, which is valid once, for one hour:
            POST http://ADDRESS/setup
        ");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_second_start_knows_its_keys_and_its_administrator() {
    let place = Place::new().await;
    let key = make_key(&place, "ci", "member").await;
    let server = latchkey(&place, &[]).set("LATCHKEY_PUBLIC_URL", "https://keys.example.com/").serve().await;
    let before = jwks(&server).await;
    assert_eq!(before["keys"].as_array().unwrap().len(), 1);
    let caller = server.guest().sign_in(&key).await;
    server.stop().await;

    let admin = ["admin", "create", "--email", "ada@example.com", "--password-stdin"];
    latchkey(&place, &admin).input("correct horse battery\n").succeed().await;
    let server = latchkey(&place, &[]).set("LATCHKEY_PUBLIC_URL", "https://keys.example.com").serve().await;
    assert_eq!(jwks(&server).await, before);
    // A token of the first run is good for the second.
    let mut later = server.guest();
    later.token = caller.token;
    assert_ne!(later.graphql("{ viewer { scopes } }").await.data()["viewer"], Value::Null);
    let screen = screen(&server, &place);
    assert!(screen.contains("Token endpoint        https://keys.example.com/oauth/token"), "{screen}");
    assert!(screen.contains("latchkey keys create --name NAME"), "{screen}");
    assert!(!screen.contains("no administrator"), "{screen}");
    server.stop().await;
}

/// The server of this test waits for a request as long as it takes, as in production it does for some seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_has_begun_is_answered_before_the_server_stops() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let body =
        format!("grant_type=client_credentials&client_id={}&client_secret={}", key.client_id, key.secret);
    let mut connection = connect(&address);
    // The server asks for the body when the request has reached its handler.
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.get_mut().write_all(head.as_bytes()).unwrap();
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");

    let stopped = tokio::spawn(server.stop());
    let refused = || TcpStream::connect(&address).is_err().then_some(());
    until("the end of listening", refused).await;
    connection.get_mut().write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 200 OK\r\n") && answer.contains("\"access_token\":"), "{answer}");
    within(HANGS, "the end", stopped).await.unwrap();
}

#[tokio::test]
async fn a_signal_stops_the_server_gracefully() {
    for signal in ["TERM", "INT"] {
        let place = Place::new().await;
        let server = latchkey(&place, &[]).serve().await;
        server.signal(signal);
        let ended = server.ended().await;
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        assert!(ended.stderr.contains("shutting down: waiting for running requests"), "{}", ended.stderr);
    }
}

/// A server that waited for them would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_without_a_request_do_not_delay_the_stop() {
    let server = Server::start().await;
    let address = server.url.strip_prefix("http://").unwrap();
    let _silent = connect(address);
    let mut idle = connect(address);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    idle.get_mut().write_all(request.as_bytes()).unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(idle.read_line(&mut head).unwrap(), 0, "{head}");
    }
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && !head.to_lowercase().contains("connection: close"),
        "{head}"
    );
    within(HANGS, "the end", server.stop()).await;
}

/// A server that gives requests no time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_end_does_not_keep_the_server_from_stopping() {
    let server = Server::start().await;
    let server = server.restart_with("", Timeouts { stop: Duration::ZERO, ..Timeouts::never() }).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut connection = connect(address);
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    );
    connection.get_mut().write_all(head.as_bytes()).unwrap();
    // The one before it has been answered, so this one has arrived.
    assert_eq!(server.guest().get("/healthz").send().await.unwrap().status(), StatusCode::OK);
    within(HANGS, "the end", server.stop()).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_nothing_is_made() {
    let place = Place::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = place.path().join("data");
    let said = latchkey(&place, &[])
        .set("LATCHKEY_LISTEN", &address)
        .set("LATCHKEY_DATA_DIR", &directory.display().to_string())
        .fail()
        .await;
    insta::assert_snapshot!(said.replace(&address, "ADDRESS"), @"latchkey: cannot listen on ADDRESS (setting `listen`, LATCHKEY_LISTEN): Address already in use (os error 98)");
    assert!(!directory.exists());
}

/// What the command says of the server there. On a slow machine it may give up before it has its answer; then it is asked
/// again.
async fn healthcheck(place: &Place, address: &str) -> Ended {
    loop {
        let ended = latchkey(place, &["healthcheck"]).set("LATCHKEY_LISTEN", address).run().await;
        if !ended.stderr.contains("the server does not answer") {
            return ended;
        }
    }
}

#[tokio::test]
async fn healthcheck_says_whether_the_server_is_ready() {
    let place = Place::new().await;
    let server = latchkey(&place, &[]).serve().await;
    let mut ended = healthcheck(&place, server.address()).await;
    while ended.stderr.contains("is not ready") {
        ended = healthcheck(&place, server.address()).await;
    }
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "ready\n"), "{}", ended.stderr);
    server.stop().await;
    // Port 1 is given to nobody.
    let ended = healthcheck(&place, "127.0.0.1:1").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("latchkey: nothing is listening on 127.0.0.1:1"), "{}", ended.stderr);
}

#[tokio::test]
async fn healthcheck_fails_on_a_server_that_answers_and_is_not_ready() {
    let place = Place::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") && stream.read_line(&mut request).unwrap() > 0 {}
            let ready = if request.starts_with("GET /readyz HTTP/1.1\r\n") { 503 } else { 200 };
            let answer = format!("HTTP/1.1 {ready} As it is\r\nContent-Length: 0\r\n\r\n");
            // Whoever does not wait for it asks again.
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    let ended = healthcheck(&place, &address).await;
    let expected = format!("latchkey: the server on {address} is not ready\n");
    assert_eq!((ended.code, ended.stdout, ended.stderr), (Some(1), String::new(), expected));
}

#[tokio::test]
async fn migrating_twice_changes_nothing_the_second_time() {
    let place = Place::new().await;
    for _ in 0..2 {
        assert_eq!(latchkey(&place, &["migrate"]).succeed().await, "The database is up to date.\n");
    }
    let server = latchkey(&place, &[]).serve().await;
    assert_eq!(Answer::at_last(server.guest().get("/readyz")).await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn commands_that_start_at_once_on_nothing_all_succeed() {
    let place = Place::new().await;
    let migrate = || latchkey(&place, &["migrate"]).succeed();
    let (a, b, c, d) = tokio::join!(migrate(), migrate(), migrate(), migrate());
    assert_eq!([a, b, c, d], ["The database is up to date.\n"; 4]);
    let server = latchkey(&place, &[]).serve().await;
    assert_eq!(jwks(&server).await["keys"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn the_schema_is_printed_without_settings_or_data() {
    let place = Place::new().await;
    let printed = latchkey(&place, &["schema"]).set("LATCHKEY_LISTEN", "nonsense").succeed().await;
    assert!(printed == include_str!("../../../schema.graphql"), "schema.graphql is out of date");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
