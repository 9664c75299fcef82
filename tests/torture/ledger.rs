//! What clients were told, kept in the memory of this process, which nobody kills; and the log that must have it all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, QueryResult, Statement};

use crate::load::Answer;

/// What was answered.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Told>>);

#[derive(Default)]
pub struct Told {
    /// The ids of tokens.
    pub tokens: HashSet<String>,
    /// The ids of requests that changed something.
    pub changes: HashSet<String>,
    /// Answers that are neither a success nor a proper refusal: the first of them, and how many.
    pub wrong: Vec<String>,
    pub wrongs: usize,
}

impl Ledger {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many tokens were given out, and how many answers were wrong.
    pub fn counts(&self) -> (usize, usize) {
        let told = self.told();
        (told.tokens.len(), told.wrongs)
    }

    /// Notes how an exchange went; says whether the client was told to try again.
    pub fn note(&self, asked: anyhow::Result<Answer>) -> bool {
        match asked {
            Ok(answer) if answer.is_busy() => return true,
            Ok(answer) => match answer.token() {
                Some((_, jti)) => drop(self.told().tokens.insert(jti)),
                None => self.wrong(answer.shown()),
            },
            Err(error) => self.wrong(format!("{error:#}")),
        }
        false
    }

    /// Notes an answer that should not have been given.
    pub fn wrong(&self, what: String) {
        let mut told = self.told();
        told.wrongs += 1;
        if told.wrong.len() < 5 {
            told.wrong.push(what);
        }
    }

    /// How many answers are not in the log. The server must not be running, or not be under load.
    pub async fn lost(&self, log: &Log) -> anyhow::Result<usize> {
        let tokens = log.texts("SELECT token_id FROM activity WHERE token_id IS NOT NULL").await?;
        let changes =
            log.texts("SELECT request_id FROM activity WHERE kind < 200 AND request_id IS NOT NULL").await?;
        let told = self.told();
        Ok(told.tokens.difference(&tokens).count() + told.changes.difference(&changes).count())
    }

    /// For the end of a line: the first wrong answers.
    pub fn first_wrong(&self) -> String {
        let told = self.told();
        if told.wrong.is_empty() { String::new() } else { format!("; wrong: {}", told.wrong.join(" | ")) }
    }
}

/// The log of a server, read from its database.
pub struct Log(DatabaseConnection);

impl Log {
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        Ok(Self(Database::connect(url).await?))
    }

    pub async fn rows(&self, sql: &str) -> anyhow::Result<Vec<QueryResult>> {
        Ok(self.0.query_all_raw(Statement::from_string(self.0.get_database_backend(), sql)).await?)
    }

    /// The first column of all rows.
    pub async fn texts(&self, sql: &str) -> anyhow::Result<HashSet<String>> {
        let rows = self.rows(sql).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.0.close().await?)
    }
}
