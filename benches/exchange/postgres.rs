//! A database for the second subject: made before the run on the server that `TEST_POSTGRES_URL` names, dropped after it.

use std::time::Duration;

use anyhow::Context as _;
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Database {
    server: DatabaseConnection,
    name: String,
    url: String,
}

impl Database {
    pub(crate) async fn create(server_url: &str) -> anyhow::Result<Self> {
        let name = format!("latchkey_exchange_{}", std::process::id());
        let mut url: reqwest::Url = server_url.parse()?;
        url.set_path(&name);
        let mut options = ConnectOptions::new(server_url);
        options.max_connections(1).connect_timeout(CONNECT_WITHIN).acquire_timeout(CONNECT_WITHIN);
        let server = sea_orm::Database::connect(options).await?;
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        Ok(Self { server, name, url: url.into() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Called once the server that used it has ended.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.server
            .execute_unprepared(&statement)
            .await
            .with_context(|| format!("{} could not be dropped", self.name))?;
        Ok(self.server.close().await?)
    }
}
