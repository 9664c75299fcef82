//! The floor: what an exchange costs when nothing is done but the cryptography. One route, one key, no log, no limits.

use std::io::{BufRead as _, BufReader, Write as _, sink, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use aws_lc_rs::{hmac, rand};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::process::{Server, Target, server_command, token_request};
use crate::{SERVE_FLOOR, host};

const LIFETIME_SECONDS: u64 = 600;
/// What the subject's key is granted, so that both sign tokens of about the same size.
const SCOPE: &str = "activity:read keys:read keys:use keys:write roles:read scopes:read";

/// What the floor tells the process that started it, through a pipe.
#[derive(Deserialize, Serialize)]
struct Announcement {
    address: SocketAddr,
    client_id: String,
    client_secret: String,
}

struct Floor {
    issuer: String,
    client_id: String,
    data_key: hmac::Key,
    stored: hmac::Tag,
    signing_key: EcdsaKeyPair,
    random: SystemRandom,
    jwt_header: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
}

#[derive(Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: &'static str,
}

/// Starts the floor as a child of its own.
pub(crate) fn start(pinned: bool) -> anyhow::Result<Target> {
    let mut command = server_command(std::env::current_exe()?.as_os_str(), pinned);
    let child = command.arg(SERVE_FLOOR).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut server = Server(child);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().context("the floor's output")?).read_line(&mut line)?;
    let Announcement { address, client_id, client_secret } =
        serde_json::from_str(&line).context("the floor did not start")?;
    let requests = vec![token_request(address, &client_id, &client_secret)];
    Ok(Target { name: "floor", server, address, requests, _directory: None })
}

/// Serves the floor until the process that started it is gone.
pub(crate) fn run() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        // The other end of standard input closes when that process ends, however it ends.
        let starter = tokio::task::spawn_blocking(|| std::io::copy(&mut stdin().lock(), &mut sink()));
        tokio::select! {
            served = serve() => served,
            ended = starter => Ok(ended?.map(|_| ())?),
        }
    })
}

async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let client_id = random_hex()?.to_uppercase();
    // As long as a real secret: the prefix and 49 characters.
    let client_secret: String =
        format!("lk_sk_{}{}", random_hex()?, random_hex()?).chars().take(55).collect();
    let floor = Floor::new(format!("http://{address}"), client_id.clone(), &client_secret)?;
    let router = Router::new().route("/oauth/token", post(token)).with_state(Arc::new(floor));
    let announcement = serde_json::to_string(&Announcement { address, client_id, client_secret })?;
    writeln!(stdout(), "{announcement}")?;
    Ok(axum::serve(listener, router).await?)
}

async fn token(State(floor): State<Arc<Floor>>, headers: HeaderMap, body: String) -> Response {
    if body != "grant_type=client_credentials" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if !floor.accepts(&headers).unwrap_or(false) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(access_token) = floor.sign() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = Answer { access_token, token_type: "Bearer", expires_in: LIFETIME_SECONDS, scope: SCOPE };
    ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

impl Floor {
    fn new(issuer: String, client_id: String, client_secret: &str) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let data_key = hmac::Key::generate(hmac::HMAC_SHA256, &random)?;
        let stored = hmac::sign(&data_key, bound(&client_id, client_secret).as_bytes());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let signing_key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())?;
        let header = serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": random_hex()? });
        let jwt_header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        Ok(Self { issuer, client_id, data_key, stored, signing_key, random, jwt_header })
    }

    /// `None` if the credentials cannot be read at all.
    fn accepts(&self, headers: &HeaderMap) -> Option<bool> {
        let encoded = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
        let (client_id, client_secret) = decoded.split_once(':')?;
        let presented = bound(client_id, client_secret);
        let proven = hmac::verify(&self.data_key, presented.as_bytes(), self.stored.as_ref()).is_ok();
        Some(proven && client_id == self.client_id)
    }

    fn sign(&self) -> anyhow::Result<String> {
        let iat = host::unix_seconds()?;
        let claims = Claims {
            iss: &self.issuer,
            sub: "svc_00000000000000000000000000",
            aud: &self.issuer,
            client_id: &self.client_id,
            scope: SCOPE,
            iat,
            exp: iat + LIFETIME_SECONDS,
            jti: random_hex()?,
        };
        let mut jwt = self.jwt_header.clone();
        jwt.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut jwt);
        let signature = self.signing_key.sign(&self.random, jwt.as_bytes())?;
        jwt.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut jwt);
        Ok(jwt)
    }
}

fn bound(client_id: &str, client_secret: &str) -> String {
    format!("{client_id}\0{client_secret}")
}

/// 128 random bits in 32 characters.
fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
