//! The process under test: the server as it is, and beside it, on an address of its own, the two handlers that it is
//! compared with.

use std::io::{BufRead as _, BufReader, Write as _, sink, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use latchkey::access::builtin::ADMIN_ROLE;
use latchkey::app::App;
use latchkey::clock::SystemClock;
use latchkey::config::Config;
use latchkey::crypto::jwt::Claims;
use latchkey::entropy::SystemEntropy;
use latchkey::serve::Server;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tracing::Level;

use crate::shared::processor_time;
use crate::{bearer, host, process};

/// How the process under test is told apart when this binary starts itself again.
pub(crate) const SERVE: &str = "--serve";
/// More tokens than the server remembers, so that in turn each has been forgotten.
pub(crate) const MANY: usize = 20_000;
/// For a trial.
pub(crate) const FEW: usize = 20;

const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
const FORM: &str = "application/x-www-form-urlencoded";
/// What the tokens are for.
const SCOPE: &str = "activity:read keys:read keys:use keys:write roles:read tokens:introspect";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// A handler that does nothing.
    Empty,
    /// One that reads the body of an introspection, and does nothing else.
    EmptyPost,
    /// One that checks the signature of a token, and nothing else.
    Bare,
    /// The same with another token each time, as what it is compared with.
    BareMany,
    /// `/auth/verify` with a token that was seen before.
    Verify,
    /// `/oauth/introspect`, likewise.
    Introspect,
    /// `/auth/verify` with a token that is not remembered.
    NeverSeen,
    /// GraphQL.
    Viewer,
}

impl Case {
    pub(crate) const ALL: [Self; 8] = [
        Self::Empty,
        Self::EmptyPost,
        Self::Bare,
        Self::BareMany,
        Self::Verify,
        Self::Introspect,
        Self::NeverSeen,
        Self::Viewer,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::EmptyPost => "empty-post",
            Self::Bare => "bare",
            Self::BareMany => "bare-many",
            Self::Verify => "verify",
            Self::Introspect => "introspect",
            Self::NeverSeen => "never-seen",
            Self::Viewer => "viewer",
        }
    }
}

/// What the process tells the one that started it, through a pipe.
#[derive(Deserialize, Serialize)]
struct Announcement {
    server: SocketAddr,
    beside: SocketAddr,
    /// Tokens of one key; the first is used where one will do.
    tokens: Vec<String>,
}

pub(crate) struct Subject {
    server: process::Server,
    told: Announcement,
}

/// Starts the process, on a core of its own where the machine allows it.
pub(crate) fn start(many: bool) -> anyhow::Result<Subject> {
    let pinned = process::pin_load();
    let mut command = process::server_command(std::env::current_exe()?.as_os_str(), pinned);
    command.arg(SERVE).args(many.then_some("--many"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut server = process::Server(child);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().context("the output")?).read_line(&mut line)?;
    let told = serde_json::from_str(&line).context("the process under test did not start")?;
    Ok(Subject { server, told })
}

impl Subject {
    pub(crate) fn address(&self, case: Case) -> SocketAddr {
        match case {
            Case::Empty | Case::EmptyPost | Case::Bare | Case::BareMany => self.told.beside,
            Case::Verify | Case::Introspect | Case::NeverSeen | Case::Viewer => self.told.server,
        }
    }

    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.server.0.id())
    }

    pub(crate) fn requests(&self, case: Case) -> Vec<Arc<[u8]>> {
        let tokens = self.told.tokens.iter();
        let many = matches!(case, Case::BareMany | Case::NeverSeen);
        let tokens = tokens.take(if many { usize::MAX } else { 1 });
        tokens.map(|token| self.request(case, token).into_bytes().into()).collect()
    }

    fn request(&self, case: Case, token: &str) -> String {
        let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\n", self.address(case));
        let posted = |path: &str, kind: &str, body: &str| {
            let length = body.len();
            let about = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
            format!("POST {path} HTTP/1.1\r\n{head}{about}\r\n{body}")
        };
        match case {
            Case::Empty => format!("GET /empty HTTP/1.1\r\n{head}\r\n"),
            Case::Bare | Case::BareMany => format!("GET /bare HTTP/1.1\r\n{head}\r\n"),
            Case::Verify | Case::NeverSeen => {
                format!("GET /auth/verify?scope=keys:read HTTP/1.1\r\n{head}\r\n")
            }
            Case::EmptyPost => posted("/empty", FORM, &format!("token={token}")),
            Case::Introspect => posted("/oauth/introspect", FORM, &format!("token={token}")),
            Case::Viewer => posted("/graphql", "application/json", "{\"query\":\"{ viewer { scopes } }\"}"),
        }
    }
}

/// Serves until the process that started it is gone.
pub(crate) fn run(tokens: usize) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_max_level(Level::WARN).with_writer(std::io::stderr).init();
    tokio::runtime::Runtime::new()?.block_on(async {
        // The other end of standard input closes when that process ends, however it ends.
        let starter = tokio::task::spawn_blocking(|| std::io::copy(&mut stdin().lock(), &mut sink()));
        tokio::select! {
            served = serve(tokens) => served,
            ended = starter => Ok(ended?.map(|_| ())?),
        }
    })
}

async fn serve(tokens: usize) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new().prefix("verify-").tempdir_in(DIRECTORY)?;
    let data = directory.path().to_str().context("a target directory in UTF-8")?;
    let config = Config::from_toml(&format!("listen = '127.0.0.1:0'\ndata_dir = '{data}'"))?;
    let server = Server::bind(&config, SystemClock::shared(), SystemEntropy::shared()).await?;
    let tokens = prepare(&server.app, tokens).await?;
    let bare = Arc::new(Bare::new(&server.app)?);
    let router = Router::new()
        .route("/empty", get(async || StatusCode::OK).post(async |_: Bytes| StatusCode::OK))
        .route("/bare", get(check))
        .with_state(bare);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let told = Announcement { server: server.address, beside: listener.local_addr()?, tokens };
    writeln!(stdout(), "{}", serde_json::to_string(&told)?)?;
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        served = server.run(std::future::pending()) => served,
    }
}

/// Makes a key that may do everything, exchanges it once, and signs the other tokens as the exchange would.
async fn prepare(app: &Arc<App>, count: usize) -> anyhow::Result<Vec<String>> {
    let bearer = bearer::create(&bearer::operator(app), "the bearer", &[ADMIN_ROLE]).await?;
    let token = bearer::token(app, bearer, Some(SCOPE)).await?;
    let ring = &app.keys.ring;
    let known = ring.verify(&token, &app.issuer, app.clock.now());
    let known = known.map_err(|error| anyhow!("the token: {error:?}"))?;
    let mut tokens = vec![token];
    while tokens.len() < count {
        tokens.push(
            ring.signer
                .sign(&Claims { jti: format!("{:032x}", tokens.len()).into(), ..known.claims.clone() })?,
        );
    }
    Ok(tokens)
}

/// A resource server that knows the key.
struct Bare {
    key: DecodingKey,
    validation: Validation,
}

impl Bare {
    fn new(app: &App) -> anyhow::Result<Self> {
        let set = app.keys.ring.jwks();
        let jwk = set.pointer("/keys/0").context("a public key")?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[&app.issuer]);
        validation.set_issuer(&[&app.issuer]);
        Ok(Self { key: DecodingKey::from_jwk(&serde_json::from_value(jwk.clone())?)?, validation })
    }

    fn check(&self, headers: &HeaderMap) -> anyhow::Result<()> {
        let token = headers.get(AUTHORIZATION).context("no header")?.to_str()?;
        let token = token.strip_prefix("Bearer ").context("no bearer")?;
        let claims = decode::<Claims>(token, &self.key, &self.validation)?.claims;
        let scopes = claims.scope.split(' ').filter(|scope| *scope == "keys:read");
        ensure!(scopes.count() == 1 && claims.exp.unsigned_abs() > host::unix_seconds()?, "not for this");
        Ok(())
    }
}

async fn check(State(bare): State<Arc<Bare>>, headers: HeaderMap) -> StatusCode {
    if bare.check(&headers).is_ok() { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}
