//! A PostgreSQL cluster of its own, which can be stopped and started. PostgreSQL refuses to run as root, so its programs run
//! as `postgres` then.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

use crate::NotRun;

pub struct Cluster {
    directory: TempDir,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Cluster {
    pub fn start() -> anyhow::Result<Self> {
        let programs = programs().context(NotRun("PostgreSQL is not installed".to_owned()))?;
        // Not where temporary files are memory: what is said about durability needs a disk.
        let directory = tempfile::Builder::new().prefix("latchkey-torture-").tempdir_in("/var/tmp")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { directory, programs, port, databases: AtomicU32::new(0) };
        let path = cluster.directory.path().display().to_string();
        if is_root() {
            ensure!(Command::new("chown").args(["postgres:postgres", &path]).status()?.success(), "chown");
        }
        let data = cluster.data();
        cluster.run(
            "initdb",
            &["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D", &data],
        )?;
        let mut settings = OpenOptions::new().append(true).open(format!("{data}/postgresql.conf"))?;
        writeln!(
            settings,
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{path}'\nmax_connections = 200\n\
             port = {port}\ntrack_commit_timestamp = on"
        )?;
        cluster.begin()?;
        Ok(cluster)
    }

    /// Starts it, and waits until it answers.
    pub fn begin(&self) -> anyhow::Result<()> {
        let log = self.directory.path().join("log").display().to_string();
        self.run("pg_ctl", &["start", "--wait", "--silent", "-D", &self.data(), "--log", &log])
    }

    /// Stops it at once, as a machine that fails does.
    pub fn end(&self) -> anyhow::Result<()> {
        self.run("pg_ctl", &["stop", "--wait", "--silent", "--mode=immediate", "-D", &self.data()])
    }

    /// Makes a database.
    pub async fn database(&self) -> anyhow::Result<String> {
        let name = format!("torture_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let address = format!("postgres://postgres@127.0.0.1:{}", self.port);
        let maintenance = Database::connect(format!("{address}/postgres")).await?;
        maintenance.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        maintenance.close().await?;
        Ok(format!("{address}/{name}"))
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let path = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.args(arguments).current_dir(self.directory.path());
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped.
        let _ = self.end();
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// The newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<f64>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .max_by(|a, b| version(a).partial_cmp(&version(b)).unwrap_or(std::cmp::Ordering::Equal))?;
    let programs = newest.join("bin");
    programs.join("initdb").exists().then_some(programs)
}
