//! `latchkey healthcheck`: one request to the server on this machine, for container runtimes that bring no curl.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    let address = reachable(config.listen);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nothing is listening on {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).context("the server does not respond")?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        bail!("the server on {address} is not ready");
    }
    super::print("ready\n")
}

/// Where a server that listens everywhere can be reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}
