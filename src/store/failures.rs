//! What the database's errors mean: try again, a mistake of the caller, a defect, or that nothing it says can be trusted.

use std::future::Future;

use sea_orm::{DbErr, RuntimeErr, SqlxError};
use tokio::sync::watch;

use crate::error::{Error, Result, UserError};

/// Whether a commit has failed because the disk did not take it. The system may have dropped what it was to write, so a
/// later commit that seems to succeed proves nothing: from then on nothing is written, and the process has to end.
#[derive(Debug)]
pub(super) struct Disk(watch::Sender<bool>);

impl Default for Disk {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Disk {
    /// Looks at how a transaction ended.
    pub(super) fn ended<T>(&self, result: &Result<T, DbErr>) {
        if let Err(error) = result
            && is_failed_sync(error)
            && !self.0.send_replace(true)
        {
            tracing::error!(%error, "the disk failed to commit data (fsync): writing stops and the server exits");
        }
    }

    /// An error once it has failed.
    pub(super) fn check(&self) -> Result<()> {
        if *self.0.borrow() { Err(Error::Unavailable) } else { Ok(()) }
    }

    /// Waits until it fails: perhaps for ever.
    pub(super) fn failed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut state = self.0.subscribe();
        async move {
            if state.wait_for(|failed| *failed).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The error of SQLite, if it is one of the database's.
fn sqlx(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source))
        | DbErr::Conn(RuntimeErr::SqlxError(source)) => Some(source),
        _ => None,
    }
}

/// SQLite's extended codes: SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC. PostgreSQL itself ends when this happens to it.
fn is_failed_sync(error: &DbErr) -> bool {
    match sqlx(error) {
        Some(SqlxError::Database(error)) => matches!(error.code().as_deref(), Some("1034" | "1290")),
        _ => false,
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable,
            error if is_failed_sync(&error) || sqlx(&error).is_some_and(is_unavailable) => Self::Unavailable,
            error if sqlx(&error).is_some_and(is_unstorable) => {
                let message = "A text contains U+0000, which cannot be stored or searched for.";
                UserError { field: Vec::new(), ..UserError::invalid("", message) }.into()
            }
            error => Self::internal(error),
        }
    }
}

/// Whether a value is none that PostgreSQL can hold: 22021, character not in repertoire.
fn is_unstorable(error: &SqlxError) -> bool {
    matches!(error, SqlxError::Database(error) if error.code().as_deref() == Some("22021"))
}

/// Whether the database, rather than the statement, is what failed.
fn is_unavailable(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed => true,
        SqlxError::Database(error) => {
            // SQLite: busy, locked, full. PostgreSQL: class 57, operator intervention; 53, insufficient resources.
            error.code().is_some_and(|code| {
                matches!(&*code, "5" | "6" | "13") || code.starts_with("57") || code.starts_with("53")
            })
        }
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::borrow::Cow;
    use std::error::Error as StdError;
    use std::fmt;

    use sea_orm::sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// An error of a database that has this code.
    #[derive(Debug)]
    struct Coded(&'static str);

    impl fmt::Display for Coded {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "(code: {}) made up", self.0)
        }
    }

    impl StdError for Coded {}

    impl DatabaseError for Coded {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    pub(in crate::store) fn with_code(code: &'static str) -> DbErr {
        DbErr::Exec(RuntimeErr::SqlxError(SqlxError::Database(Box::new(Coded(code))).into()))
    }

    #[test]
    fn each_code_means_try_again_a_mistake_or_a_defect() {
        for code in ["5", "6", "13", "57P01", "57P03", "53300", "1034", "1290"] {
            assert!(matches!(with_code(code).into(), Error::Unavailable), "{code}");
        }
        assert!(matches!(with_code("22021").into(), Error::Refused(_)));
        for code in ["1", "266", "42P01"] {
            assert!(matches!(with_code(code).into(), Error::Internal(_)), "{code}");
        }
    }

    #[tokio::test]
    async fn after_a_failed_sync_and_no_other_error_nothing_is_written_any_more() {
        let disk = Disk::default();
        let failed = disk.failed();
        for code in ["5", "13", "266", "778"] {
            disk.ended::<()>(&Err(with_code(code)));
        }
        disk.ended(&Ok(()));
        assert!(disk.check().is_ok());
        disk.ended::<()>(&Err(with_code("1034")));
        disk.ended(&Ok(()));
        assert!(matches!(disk.check(), Err(Error::Unavailable)));
        failed.await;
        disk.failed().await;
    }
}
