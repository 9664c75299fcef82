//! Clients: one connection each, HTTP/1.1, every answer looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Key;

/// No server here may take longer: what takes as long as this hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// 503 with `Retry-After`: try again.
    pub fn is_busy(&self) -> bool {
        self.status == 503 && self.header("retry-after").is_some()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// For messages: never with a token.
    pub fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body = if self.status == 200 { "" } else { body.as_ref() };
        format!("{} {}", self.status, body.chars().take(200).collect::<String>())
    }

    /// The access token and its id.
    pub fn token(&self) -> Option<(String, String)> {
        let token = self.json()["access_token"].as_str()?.to_owned();
        let claims = claims(&token)?;
        Some((token, claims["jti"].as_str()?.to_owned()))
    }
}

/// What a token says.
pub fn claims(token: &str) -> Option<Value> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// A connection that is opened when it is needed.
pub struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(4096) }
    }

    /// Sends a request and waits for its answer. After an error the next one goes by another connection.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let answer = tokio::time::timeout(PATIENCE, self.ask_patiently(request)).await;
        let answer = answer.context("no answer").flatten();
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn ask_patiently(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection ended");
            }
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?.to_owned();
        let status = text.get(9..12).context("no status")?.parse()?;
        let mut answer = Answer { status, head: text, body: Vec::new() };
        let length: usize = answer.header("content-length").unwrap_or("0").parse()?;
        while self.buffer.len() < head + 4 + length {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection ended within an answer");
            }
        }
        answer.body = self.buffer[head + 4..head + 4 + length].to_vec();
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.stream = None;
        }
        Ok(answer)
    }

    /// A GraphQL request: its `data`, or an error with what the answer says.
    pub async fn graphql(&mut self, token: &str, query: &str, variables: Value) -> anyhow::Result<Value> {
        let answer = self.ask(&graphql(token, query, &variables)).await?;
        let mut body = answer.json();
        if body["data"].is_object() && body["errors"].is_null() {
            return Ok(body["data"].take());
        }
        bail!("GraphQL: {} {body}", answer.status)
    }

    /// A mutation under the alias `change`: its payload. Whoever is told to try again does.
    pub async fn change(&mut self, token: &str, mutation: &str, input: &Value) -> anyhow::Result<Value> {
        for _ in 0..100 {
            match self.graphql(token, mutation, json!({ "input": input })).await {
                Ok(mut data) => {
                    let payload = data["change"].take();
                    let errors = payload["userErrors"].as_array().map_or(0, Vec::len);
                    anyhow::ensure!(errors == 0, "a change was refused: {payload}");
                    return Ok(payload);
                }
                Err(error) if error.to_string().contains("UNAVAILABLE") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
        bail!("a change was told to try again 100 times")
    }
}

/// The exchange of this key's credentials.
pub fn exchange(key: &Key) -> Arc<[u8]> {
    exchange_from(key, "")
}

/// The same with a further header.
pub fn exchange_from(key: &Key, header: &str) -> Arc<[u8]> {
    const BODY: &str = "grant_type=client_credentials";
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", key.client_id, key.client_secret));
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: latchkey\r\nAuthorization: Basic {credentials}\r\n{header}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    request.into_bytes().into()
}

/// A GraphQL request.
pub fn graphql(token: &str, query: &str, variables: &Value) -> Vec<u8> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: latchkey\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// A request without a body.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: latchkey\r\n{bearer}\r\n").into_bytes()
}

/// The value below which so many of these are.
pub fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get(last * percent / 100).copied().unwrap_or_default()
}
