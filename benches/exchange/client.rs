//! The smallest HTTP/1.1 client that keeps a connection and checks every answer, so that the load costs little beside the servers.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::net::TcpStream;

/// Room for one answer; a token answer takes about one kilobyte.
const ANSWER_LIMIT: usize = 16 * 1024;
/// How much of an unexpected answer is shown.
const SHOWN: usize = 300;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

struct Head {
    status: u16,
    /// Where the body starts and ends in the buffer.
    start: usize,
    end: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; ANSWER_LIMIT].into() })
    }

    /// One exchange. Everything but 200 with a token is an error.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let (status, body) = self.answer(request).await?;
        if status != 200 || !contains(body, b"\"access_token\"") {
            // A token is the only secret an answer can hold, so one that has it is not shown.
            let shown = if contains(body, b"access_token") {
                "a token".into()
            } else {
                String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body))
            };
            bail!("status {status}: {shown}");
        }
        Ok(())
    }

    /// The status and the body of the answer to one request.
    pub(crate) async fn answer(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.write(request).await?;
        let head = self.read().await?;
        let body = self.buffer.get(head.start..head.end).context("an answer longer than its buffer")?;
        Ok((head.status, body))
    }

    async fn write(&mut self, mut rest: &[u8]) -> anyhow::Result<()> {
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads until one whole answer stands in the buffer.
    async fn read(&mut self) -> anyhow::Result<Head> {
        let mut filled = 0;
        let mut head = None;
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(self.buffer.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => bail!("the connection ended after {filled} bytes of an answer"),
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            if head.is_none() {
                head = parse_head(self.buffer.get(..filled).unwrap_or_default())?;
            }
            if let Some(head) = head.take_if(|head| filled >= head.end) {
                ensure!(filled == head.end, "{} bytes after the answer", filled - head.end);
                return Ok(head);
            }
            ensure!(filled < ANSWER_LIMIT, "an answer of more than {ANSWER_LIMIT} bytes");
        }
    }
}

/// `None` while the head is not complete.
fn parse_head(received: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(length) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(received.get(..length).unwrap_or_default())?;
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status =
        status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).context("no HTTP/1.1 answer")?;
    let body_length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without Content-Length")?
        .1
        .trim()
        .parse()?;
    let start = length + 4;
    Ok(Some(Head { status: status.parse()?, start, end: start.saturating_add(body_length) }))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
