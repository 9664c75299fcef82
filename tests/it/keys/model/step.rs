//! What can happen to keys, their owners and their roles; and how such a walk is made up.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

pub const SECOND: i64 = 1_000;
pub const HOUR: i64 = 3_600 * SECOND;

/// A set of scopes, or of roles: a bit each.
pub type Set = u8;

/// Which of the keys, owners, tokens or secrets there are: counted round, so that every number means one.
pub type Pick = u8;

/// One step. Numbers say which, so that the steps can be printed and none of them holds a secret.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Create(NewKey),
    Update {
        key: Pick,
        change: Change,
    },
    /// One of the changes of many keys.
    Verb {
        verb: Verb,
        keys: Keys,
    },
    /// In seconds; 0 is at once.
    Regenerate {
        keys: Keys,
        grace: i64,
    },
    /// The setting `keyApprovalRequired`.
    Approval(bool),
    Deactivate(Pick),
    Reactivate(Pick),
    RolesOfUser {
        user: Pick,
        roles: Set,
    },
    Membership {
        user: Pick,
        member: bool,
    },
    RolesOfGroup(Set),
    ScopesOfRole {
        role: Pick,
        scopes: Set,
    },
    /// In milliseconds.
    Advance(i64),
    Exchange {
        key: Pick,
        secret: Which,
    },
    /// Counted from the newest token.
    Call {
        token: Pick,
        write: bool,
    },
    Restart,
}

/// What a key is made from.
#[derive(Clone, Copy, Debug)]
pub struct NewKey {
    pub owner: Pick,
    /// Made by somebody who cannot approve it, for the owner.
    pub by_clerk: bool,
    pub roles: Option<Set>,
    pub scopes: Option<Set>,
    pub read_only: bool,
    /// In milliseconds from now.
    pub end: Option<i64>,
    pub with_secret: bool,
}

/// What of a key is changed.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Outer `None` leaves them as they are, inner `None` is null.
    Grants {
        roles: Option<Option<Set>>,
        scopes: Option<Option<Set>>,
    },
    ReadOnly(bool),
    /// In milliseconds from now.
    End(Option<i64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Enable,
    Disable,
    Delete,
    Approve,
    Reject,
    FinishRotation,
}

/// One key, or several at once.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    One(Pick),
    /// A bit for each key.
    Some(Set),
}

/// A secret to present.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Current,
    Previous,
    /// One of all that the key ever had.
    Any(Pick),
    /// The current one of another key.
    OfAnother(Pick),
    Nonsense,
}

/// About as many steps as asked for, in half of the walks fewer.
pub fn walk(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..2 * steps)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => keys_made_and_changed(),
        16 => keys_stopped_and_rotated(),
        12 => directory(),
        6 => select(&[1, 999, SECOND, 30 * SECOND, 60 * SECOND, 599_999, 600 * SECOND, HOUR]).prop_map(Step::Advance),
        12 => (pick(), which()).prop_map(|(key, secret)| Step::Exchange { key, secret }),
        12 => (pick(), prop::bool::weighted(0.3)).prop_map(|(token, write)| Step::Call { token, write }),
        1 => Just(Step::Restart),
    ]
}

fn keys_made_and_changed() -> impl Strategy<Value = Step> {
    let given = || of(prop_oneof![1 => Just(None), 4 => any::<Set>().prop_map(Some)]);
    let change = prop_oneof![
        3 => (given(), given()).prop_map(|(roles, scopes)| Change::Grants { roles, scopes }),
        2 => any::<bool>().prop_map(Change::ReadOnly),
        2 => end().prop_map(Change::End),
    ];
    prop_oneof![
        3 => new_key().prop_map(Step::Create),
        7 => (pick(), change).prop_map(|(key, change)| Step::Update { key, change }),
    ]
}

fn keys_stopped_and_rotated() -> impl Strategy<Value = Step> {
    use Verb::{Approve, Delete, Disable, Enable, FinishRotation, Reject};
    let grace = select(&[0, 60, 3_600, 86_400]);
    let verb = |verb| keys().prop_map(move |keys| Step::Verb { verb, keys });
    prop_oneof![
        5 => (keys(), grace).prop_map(|(keys, grace)| Step::Regenerate { keys, grace }),
        2 => verb(FinishRotation),
        3 => verb(Disable),
        4 => verb(Enable),
        1 => verb(Delete),
        3 => verb(Approve),
        1 => verb(Reject),
    ]
}

fn directory() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop::bool::weighted(0.7).prop_map(Step::Approval),
        2 => pick().prop_map(Step::Deactivate),
        4 => pick().prop_map(Step::Reactivate),
        2 => (pick(), any::<Set>()).prop_map(|(user, roles)| Step::RolesOfUser { user, roles }),
        1 => (pick(), any::<bool>()).prop_map(|(user, member)| Step::Membership { user, member }),
        1 => any::<Set>().prop_map(Step::RolesOfGroup),
        4 => (pick(), any::<Set>()).prop_map(|(role, scopes)| Step::ScopesOfRole { role, scopes }),
    ]
}

fn new_key() -> impl Strategy<Value = NewKey> {
    let (roles, scopes) = (of(any::<Set>()), of(any::<Set>()));
    let flags = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.9));
    (pick(), roles, scopes, end(), flags).prop_map(
        |(owner, roles, scopes, end, (by_clerk, read_only, with_secret))| NewKey {
            owner,
            by_clerk,
            roles,
            scopes,
            read_only,
            end,
            with_secret,
        },
    )
}

/// Mostly none: a walk in which every key has ended says little.
fn end() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![3 => Just(None), 2 => select(&[0, 1_500, 90 * SECOND, 700 * SECOND, 2 * HOUR]).prop_map(Some)]
}

fn keys() -> impl Strategy<Value = Keys> {
    prop_oneof![4 => pick().prop_map(Keys::One), 1 => any::<Set>().prop_map(Keys::Some)]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        8 => Just(Which::Current),
        3 => Just(Which::Previous),
        2 => pick().prop_map(Which::Any),
        1 => pick().prop_map(Which::OfAnother),
        1 => Just(Which::Nonsense),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    0..12_u8
}
