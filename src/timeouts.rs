//! How long anything waits in real time, in one place: a test on a slow machine must be able to say that nothing gives up.

use std::time::Duration;

/// No setting of the operator's: the server has [`Timeouts::default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to the database.
    pub connection: Duration,
    /// For the turn to write, and on SQLite for other processes that write.
    pub write: Duration,
    /// For the commit of an event that was handed to the writer of the log.
    pub log: Duration,
    /// For a key to be read, the look-ups before it included.
    pub key: Duration,
    /// For a free place among those that hash passwords.
    pub password: Duration,
    /// For requests that have begun when the server is told to stop, and then for the database to close.
    pub stop: Duration,
}

/// Of a request: a client that hears soon that it should retry is served better than one that hangs.
impl Default for Timeouts {
    fn default() -> Self {
        let (request, stop) = (Duration::from_secs(2), Duration::from_secs(10));
        Self { stop, ..Self::all(request) }
    }
}

impl Timeouts {
    /// Of a command, which holds nobody up while it waits for the server or for other commands.
    pub fn of_commands() -> Self {
        Self::all(Duration::from_secs(60))
    }

    /// For tests: whatever takes as long as this hangs.
    pub fn never() -> Self {
        Self::all(Duration::from_secs(24 * 3600))
    }

    fn all(timeout: Duration) -> Self {
        Self {
            connection: timeout,
            write: timeout,
            log: timeout,
            key: timeout,
            password: timeout,
            stop: timeout,
        }
    }
}
