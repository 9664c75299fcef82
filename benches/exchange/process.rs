//! Servers as child processes: pinned to a core of their own where the machine allows it, and always ended with the run.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// A running server and the requests that are sent to it, one for each key. The directory outlives the process (fields drop in order).
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) requests: Vec<Arc<[u8]>>,
    /// Removed with the target; only held.
    pub(crate) _directory: Option<TempDir>,
}

pub(crate) struct Server(pub(crate) Child);

impl Server {
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is kept of a server after the run, so it need not end gracefully. It may have ended by itself.
        if self.0.kill().is_ok() {
            self.0.wait().ok();
        }
    }
}

/// Moves this process to the load's core. True if that worked and servers can be started on theirs.
pub(crate) fn pin_load() -> bool {
    let own_id = std::process::id().to_string();
    succeeds(&["-c", SERVER_CORE, "true"]) && succeeds(&["-a", "-c", "-p", LOAD_CORE, &own_id])
}

fn succeeds(taskset_arguments: &[&str]) -> bool {
    let mut command = Command::new("taskset");
    command.args(taskset_arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command for a server; `taskset` replaces itself, so the child is the server either way.
pub(crate) fn server_command(program: &OsStr, pinned: bool) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(program);
    command
}

/// The exchange that every server is asked for, byte for byte the same but for address and credentials.
pub(crate) fn token_request(address: SocketAddr, client_id: &str, client_secret: &str) -> Arc<[u8]> {
    const BODY: &str = "grant_type=client_credentials";
    let credentials = BASE64_STANDARD.encode(format!("{client_id}:{client_secret}"));
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\n\
         Host: {address}\r\n\
         Authorization: Basic {credentials}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\
         \r\n\
         {BODY}",
        BODY.len()
    );
    request.into_bytes().into()
}
