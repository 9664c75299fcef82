//! The command as a child: told what to do by its environment, stopped and looked at from outside.

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Caller, HANGS, Key, Place};

/// A command that has not been started. It sees the settings of its place and `PATH`; nothing else leaks in.
pub struct Command {
    inner: std::process::Command,
    input: String,
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A command that runs; killed when it is dropped.
pub struct Process {
    child: Child,
    output: TempDir,
    /// Where it listens, once it is a server.
    pub url: String,
}

/// A command in the directory of its place, with the settings that lead there.
pub fn latchkey(place: &Place, arguments: &[&str]) -> Command {
    let mut inner = std::process::Command::new(env!("CARGO_BIN_EXE_latchkey"));
    inner.args(arguments).current_dir(place.path()).env_clear().envs(place.environment());
    inner.env("PATH", search_path());
    Command { inner, input: String::new() }
}

#[expect(clippy::disallowed_methods, reason = "the environment of the tests, not of a server")]
fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

impl Command {
    /// Sets a variable of its environment.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.inner.env(name, value);
        self
    }

    pub fn unset(mut self, name: &str) -> Self {
        self.inner.env_remove(name);
        self
    }

    /// What it can read from its standard input: nothing, if this is not called.
    pub fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// Runs it to its end.
    pub async fn run(mut self) -> Ended {
        self.start().ended().await
    }

    /// Runs it to its end, which must be a good one, and gives its standard output.
    pub async fn succeed(self) -> String {
        let ended = self.run().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    }

    /// Runs it to its end, which must be a failure without an answer, and gives what it says about that.
    pub async fn fail(self) -> String {
        let ended = self.run().await;
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{}", ended.stderr);
        ended.stderr
    }

    /// Starts it as a server, and waits until the first line of its output says where it listens.
    pub async fn serve(mut self) -> Process {
        loop {
            let mut process = self.start();
            if let Some(line) = until("the first line of the output", || process.first_line()).await {
                let (_, address) = line.rsplit_once(' ').unwrap();
                address.clone_into(&mut process.url);
                return process;
            }
            // A slow machine is no reason for a failure: a service manager would start it again too.
            let said = process.stderr();
            assert!(said.contains("timed out"), "it ended at once: {said}");
        }
    }

    fn start(&mut self) -> Process {
        let output = tempfile::tempdir().unwrap();
        let file = |name| Stdio::from(File::create(output.path().join(name)).unwrap());
        let mut child =
            self.inner.stdin(Stdio::piped()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        // A command that has not read its input ends all the same, and with it this pipe.
        let _ = child.stdin.take().unwrap().write_all(self.input.as_bytes());
        Process { child, output, url: String::new() }
    }
}

impl Process {
    /// Somebody without a token.
    pub fn guest(&self) -> Caller {
        Caller::guest_of(&self.url)
    }

    /// Where it listens, without the scheme.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub fn stdout(&self) -> String {
        self.said("out")
    }

    pub fn stderr(&self) -> String {
        self.said("err")
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        let status = until("the end of the command", || self.child.try_wait().unwrap()).await;
        Ended { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Stops it gracefully.
    pub async fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.ended().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    }

    /// Once there is one, or none will come.
    fn first_line(&mut self) -> Option<Option<String>> {
        let ended = self.child.try_wait().unwrap();
        let out = self.stdout();
        let line = out.split_once('\n').map(|(line, _)| line.to_owned());
        (line.is_some() || ended.is_some()).then_some(line)
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(PathBuf::from(self.output.path()).join(name)).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails if it has ended, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(HANGS, what, asking).await
}

/// The result of something that must not take longer than this.
pub async fn within<T>(limit: Duration, what: &str, doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, doing)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come within {limit:?}"))
}

/// A key made by the command for the built-in service account.
pub async fn make_key(place: &Place, name: &str, role: &str) -> Key {
    let key = latchkey(place, &["keys", "create", "--name", name, "--role", role, "--json"]).succeed().await;
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    Key { id: text("id"), client_id: text("client_id"), secret: text("client_secret") }
}
