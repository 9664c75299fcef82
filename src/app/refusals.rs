//! Refused exchanges in the log. Of a network and an outcome the first five of a minute are rows of their own; the rest
//! of that minute is counted and becomes one row. In all a minute has at most 1,000 rows: what comes when they are used up
//! is counted by outcome alone. A flood of wrong secrets costs memory of a fixed size and no commits.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::Timestamp;
use entity::activity::Outcome;

use crate::entropy::Sequence;
use crate::error::Result;
use crate::store::Database;
use crate::store::activity::Event;
use crate::store::log;
use rate_limits::network;

/// Of one network and outcome in one minute.
const ROWS_EACH: u32 = 5;
/// In one minute, all together.
const ROWS: usize = 1_000;
const MINUTE: i64 = 60_000;

/// The refusals that are counted and not yet written. A crash loses them, an orderly end does not.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: Minute,
    /// Rows of minutes that have ended.
    ended: Vec<Event>,
}

/// How a refusal gets into the log.
#[derive(Debug)]
pub enum Entry {
    /// By a row of its own, which the answer waits for.
    Awaited(Event),
    /// By a row of its own. The answer does not wait.
    Row(Event),
    /// It was counted.
    Counted,
}

impl Refusals {
    /// Decides how a refusal gets into the log; one that gets no row of its own is counted by this.
    pub fn note(&self, address: Option<IpAddr>, refusal: Event) -> Entry {
        let mut state = self.lock();
        state.turn(refusal.at);
        state.current.note(address.map(network), refusal)
    }

    /// Writes what was counted in minutes that have ended by now. Keeps it for the next time if that fails.
    pub async fn write(&self, db: &Database, ids: &Sequence, now: Timestamp) -> Result<()> {
        self.lock().turn(now);
        self.write_ended(db, ids).await
    }

    /// Writes all that was counted, because there will be no next time.
    pub async fn finish(&self, db: &Database, ids: &Sequence) -> Result<()> {
        self.lock().end();
        self.write_ended(db, ids).await
    }

    async fn write_ended(&self, db: &Database, ids: &Sequence) -> Result<()> {
        let rows = std::mem::take(&mut self.lock().ended);
        if rows.is_empty() {
            return Ok(());
        }
        let written = append(db, ids, &rows).await;
        if written.is_err() {
            self.lock().ended.splice(..0, rows);
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn append(db: &Database, ids: &Sequence, rows: &[Event]) -> Result<()> {
    let tx = db.begin().await?;
    log::append(&*tx, ids, rows).await?;
    tx.commit().await
}

impl State {
    /// Begins a new minute if it is time. While the log cannot be written the old one goes on, so that what waits does
    /// not grow.
    fn turn(&mut self, now: Timestamp) {
        let number = now.0.div_euclid(MINUTE);
        if self.current.number == number || !self.ended.is_empty() {
            return;
        }
        self.end();
        self.current.number = number;
    }

    fn end(&mut self) {
        let rows = std::mem::take(&mut self.current).into_rows();
        self.ended.extend(rows);
    }
}

/// What was refused in one minute.
#[derive(Debug, Default)]
struct Minute {
    /// Minutes since 1970.
    number: i64,
    /// Those of single refusals, and those that the counts will need.
    rows: usize,
    groups: HashMap<(Option<IpAddr>, Outcome), Group>,
    /// What came when the rows were used up.
    others: BTreeMap<Outcome, Count>,
}

/// Refusals of one network and outcome.
#[derive(Debug, Default)]
struct Group {
    rows: u32,
    count: Option<Count>,
}

impl Minute {
    fn note(&mut self, network: Option<IpAddr>, refusal: Event) -> Entry {
        let early = self.is_early(network, refusal.outcome);
        let name = (network, refusal.outcome);
        if let Some(Group { count: Some(count), .. }) = self.groups.get_mut(&name) {
            count.add(&refusal);
            return Entry::Counted;
        }
        if self.rows + Outcome::all().count() >= ROWS {
            match self.others.get_mut(&refusal.outcome) {
                Some(count) => count.add(&refusal),
                None => drop(self.others.insert(refusal.outcome, Count::new(None, refusal))),
            }
            return Entry::Counted;
        }
        self.rows += 1;
        let group = self.groups.entry(name).or_default();
        if group.rows == ROWS_EACH {
            group.count = Some(Count::new(network, refusal));
            return Entry::Counted;
        }
        group.rows += 1;
        if early { Entry::Awaited(refusal) } else { Entry::Row(refusal) }
    }

    /// Whether the answer may wait for the commit. Whoever has not proven a secret must not learn from the time it takes
    /// whether the client exists, so for both reasons together no more than five answers of a network do.
    fn is_early(&self, network: Option<IpAddr>, outcome: Outcome) -> bool {
        const UNPROVEN: [Outcome; 2] = [Outcome::BadSecret, Outcome::UnknownClient];
        let rows = |outcome| self.groups.get(&(network, outcome)).map_or(0, |group| group.rows);
        !UNPROVEN.contains(&outcome) || UNPROVEN.map(rows).iter().sum::<u32>() < ROWS_EACH
    }

    fn into_rows(self) -> Vec<Event> {
        let counts = self.groups.into_values().filter_map(|group| group.count);
        let mut rows: Vec<Event> = counts.chain(self.others.into_values()).map(Count::into_row).collect();
        rows.sort_by_key(|row| row.at);
        rows
    }
}

/// Refusals that become one row.
#[derive(Debug)]
struct Count {
    network: Option<IpAddr>,
    since: Timestamp,
    /// The number, the time of the latest, and what all of them have in common.
    row: Event,
}

impl Count {
    fn new(network: Option<IpAddr>, first: Event) -> Self {
        Self { network, since: first.at, row: first }
    }

    fn add(&mut self, next: &Event) {
        let row = &mut self.row;
        row.count += 1;
        row.at = row.at.max(next.at);
        keep(&mut row.actor, &next.actor);
        keep(&mut row.key, &next.key);
        keep(&mut row.owner, &next.owner);
        keep(&mut row.ip, &next.ip);
        keep(&mut row.user_agent, &next.user_agent);
        keep(&mut row.request_id, &next.request_id);
    }

    fn into_row(self) -> Event {
        let network = self.network.map(|network| match network {
            IpAddr::V4(_) => network.to_string(),
            IpAddr::V6(_) => format!("{network}/64"),
        });
        let detail = serde_json::json!({ "since": self.since.to_string(), "network": network });
        Event { detail: Some(detail.into()), ..self.row }
    }
}

/// Forgets a value that is not the same for all.
fn keep<T: PartialEq>(value: &mut Option<T>, next: &Option<T>) {
    if value != next {
        *value = None;
    }
}

#[cfg(test)]
mod tests {
    use entity::activity::ActivityKind;

    use super::*;
    use crate::app::context::Origin;

    const START: Timestamp = Timestamp(1_700_000_000_000 / MINUTE * MINUTE);

    fn refusal(outcome: Outcome, at: Timestamp) -> Event {
        Origin::default().event(at, ActivityKind::TokenRefused, outcome)
    }

    fn v4(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(number.to_be_bytes()))
    }

    /// Notes so many, and says how many got rows that are waited for, rows that are not, and none.
    fn note(refusals: &Refusals, from: Option<IpAddr>, outcome: Outcome, many: usize) -> [usize; 3] {
        let mut each = [0; 3];
        for _ in 0..many {
            each[match refusals.note(from, refusal(outcome, START)) {
                Entry::Awaited(_) => 0,
                Entry::Row(_) => 1,
                Entry::Counted => 2,
            }] += 1;
        }
        each
    }

    fn end(refusals: &Refusals) -> Vec<Event> {
        let mut state = refusals.lock();
        state.end();
        std::mem::take(&mut state.ended)
    }

    fn told(row: &Event) -> serde_json::Value {
        serde_json::from_str(row.detail.as_ref().unwrap().as_str()).unwrap()
    }

    #[test]
    fn of_each_network_and_outcome_five_are_rows_and_the_rest_is_one() {
        let refusals = Refusals::default();
        for network in 1..=3 {
            assert_eq!(note(&refusals, v4(network), Outcome::Disabled, 12), [5, 0, 7]);
            assert_eq!(note(&refusals, v4(network), Outcome::Expired, 6), [5, 0, 1]);
        }
        assert_eq!(note(&refusals, v4(1), Outcome::Pending, 5), [5, 0, 0]);
        let counts: Vec<i64> = end(&refusals).iter().map(|row| row.count).collect();
        assert_eq!(counts.len(), 6);
        assert_eq!(counts.iter().sum::<i64>(), 3 * (7 + 1));
        // The next minute begins anew.
        assert_eq!(note(&refusals, v4(1), Outcome::Disabled, 6), [5, 0, 1]);
    }

    #[test]
    fn whether_the_answer_waits_does_not_depend_on_whether_the_client_exists() {
        for (first, second) in
            [(Outcome::UnknownClient, Outcome::BadSecret), (Outcome::BadSecret, Outcome::UnknownClient)]
        {
            let refusals = Refusals::default();
            assert_eq!(note(&refusals, v4(1), first, 3), [3, 0, 0]);
            assert_eq!(note(&refusals, v4(1), second, 4), [2, 2, 0]);
            assert_eq!(note(&refusals, v4(1), first, 3), [0, 2, 1]);
            assert_eq!(note(&refusals, v4(1), second, 3), [0, 1, 2]);
            assert_eq!(note(&refusals, v4(1), Outcome::Disabled, 1), [1, 0, 0]);
        }
    }

    #[test]
    fn a_minute_has_at_most_a_thousand_rows_and_still_counts_everything() {
        let refusals = Refusals::default();
        let (mut rows, mut counted) = (0, 0);
        for network in 1..=2_000 {
            for outcome in [Outcome::BadSecret, Outcome::RateLimited] {
                let [awaited, others, more] = note(&refusals, v4(network), outcome, 7);
                rows += awaited + others;
                counted += more;
            }
        }
        let counts = end(&refusals);
        assert!(rows + counts.len() <= ROWS, "{rows} and {}", counts.len());
        assert!(rows + counts.len() > ROWS - 20, "{rows} and {}", counts.len());
        assert_eq!(counts.iter().map(|row| usize::try_from(row.count).unwrap()).sum::<usize>(), counted);
        assert_eq!(rows + counted, 2_000 * 2 * 7);
        let others: Vec<_> = counts.iter().filter(|row| told(row)["network"].is_null()).collect();
        assert_eq!(others.len(), 2);
    }

    #[test]
    fn the_row_of_many_has_what_they_share_and_when_they_were() {
        let refusals = Refusals::default();
        let [same, other] = ["2001:db8::1", "2001:db8::2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        note(&refusals, Some(same), Outcome::BadSecret, 5);
        for (second, ip) in [(1, same), (2, other)] {
            let event = Event {
                ip: Some(ip),
                user_agent: Some("curl".into()),
                request_id: Some(ip.to_string().into()),
                ..refusal(Outcome::BadSecret, START.plus_seconds(second))
            };
            assert!(matches!(refusals.note(Some(ip), event), Entry::Counted));
        }
        let [row] = <[Event; 1]>::try_from(end(&refusals)).unwrap();
        assert_eq!((row.count, row.at), (2, START.plus_seconds(2)));
        let since = START.plus_seconds(1).to_string();
        assert_eq!(told(&row), serde_json::json!({ "since": since, "network": "2001:db8::/64" }));
        assert_eq!((row.ip, row.request_id, row.user_agent.as_deref()), (None, None, Some("curl")));
    }

    #[test]
    fn a_minute_goes_on_while_what_was_counted_cannot_be_written() {
        let refusals = Refusals::default();
        for minute in 0..5 {
            for _ in 0..7 {
                refusals.note(v4(1), refusal(Outcome::BadSecret, START.plus_seconds(minute * 60)));
            }
        }
        let mut state = refusals.lock();
        assert_eq!(state.ended.len(), 1);
        state.end();
        assert_eq!(state.ended.iter().map(|row| row.count).collect::<Vec<_>>(), [2, 2 + 7 * 3]);
    }
}
