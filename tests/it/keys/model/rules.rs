//! What keys are, told in a few lines and without a database: which secrets work, what an exchange and a call answer,
//! and what stands in the log.

use entity::activity::{ActivityKind, Outcome};

use super::step::{Change, Keys, NewKey, SECOND, Set, Step, Verb, Which};
use super::terms::{Answer, Key, Shown, State, Token, User};

/// The scopes of a walk, by bit. The first three are Latchkey's own.
pub const SCOPES: [&str; 6] =
    ["keys:use", "keys:read", "keys:write", "model:read", "model:write", "model:export"];
const ALL: Set = 0b11_1111;
const USE: Set = 0b00_0001;
const MANAGE: Set = 0b00_0100;
const OURS: Set = 0b00_0111;
const WRITE: Set = 0b01_0100;

pub const ROLES: usize = 3;
pub const USERS: usize = 2;
/// What there is at most in a walk.
const MOST_KEYS: usize = 6;
/// In seconds; what the settings say on a new server.
const TOKEN_LIFETIME: i64 = 600;

/// Everything. Instants are milliseconds since the walk began its day.
#[derive(Clone, Debug)]
pub struct Model {
    pub now: i64,
    pub approval: bool,
    pub roles: [Set; ROLES],
    pub of_group: Set,
    pub users: [User; USERS],
    pub keys: Vec<Key>,
    pub tokens: Vec<Token>,
}

impl Model {
    pub fn new(now: i64) -> Self {
        let user = |roles, member| User { active: true, roles, member };
        Self {
            now,
            approval: false,
            roles: [0b00_0011, 0b01_1000, 0b10_0100],
            of_group: 0b010,
            users: [user(0b001, true), user(0b111, false)],
            keys: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// Takes a step, and says what it answers.
    pub fn take(&mut self, step: Step) -> Answer {
        match step {
            Step::Create(new) => return self.create(new),
            Step::Update { key, change } => return self.update(key, change),
            Step::Verb { verb, keys } => return self.change(verb, keys),
            Step::Regenerate { keys, grace } => return self.regenerate(keys, grace),
            Step::Exchange { key, secret } => return self.exchange(key, secret),
            Step::Call { token, write } => return self.call(token, write),
            Step::Approval(required) => self.approval = required,
            Step::Deactivate(user) => self.deactivate(usize::from(user) % USERS),
            Step::Reactivate(user) => self.users[usize::from(user) % USERS].active = true,
            Step::RolesOfUser { user, roles } => self.users[usize::from(user) % USERS].roles = roles,
            Step::Membership { user, member } => self.users[usize::from(user) % USERS].member = member,
            Step::RolesOfGroup(roles) => self.of_group = roles,
            Step::ScopesOfRole { role, scopes } => self.roles[usize::from(role) % ROLES] = scopes & ALL,
            Step::Advance(by) => self.now += by,
            // The log is in order as long as no two servers write in the same millisecond.
            Step::Restart => self.now += 1,
        }
        Answer::Nothing
    }

    /// Whether there are keys enough: further ones are not made.
    pub fn is_full(&self) -> bool {
        self.keys.len() == MOST_KEYS
    }

    /// The key that is meant.
    pub fn key(&self, pick: u8) -> usize {
        usize::from(pick) % self.keys.len()
    }

    /// The keys that are meant: at least one.
    pub fn selected(&self, keys: Keys) -> Vec<usize> {
        match keys {
            Keys::One(pick) => vec![self.key(pick)],
            Keys::Some(bits) => {
                let some: Vec<usize> = (0..self.keys.len()).filter(|key| has(bits, *key)).collect();
                if some.is_empty() { vec![0] } else { some }
            }
        }
    }

    /// The secret that is meant: whose, and which.
    pub fn secret(&self, key: usize, which: Which) -> Option<(usize, usize)> {
        let of = &self.keys[key];
        match which {
            Which::Current => of.current.map(|secret| (key, secret)),
            Which::Previous => of.previous.map(|(secret, _)| (key, secret)).or(of.current.map(|_| (key, 0))),
            Which::Any(pick) => (of.secrets > 0).then(|| (key, usize::from(pick) % of.secrets)),
            Which::OfAnother(pick) => {
                let other = self.key(pick);
                self.keys[other].current.map(|secret| (other, secret))
            }
            Which::Nonsense => None,
        }
    }

    /// The token that is meant.
    pub fn token(&self, pick: u8) -> Option<usize> {
        let all = self.tokens.len();
        (all > 0).then(|| all - 1 - usize::from(pick) % all)
    }

    pub fn shown(&self, key: usize) -> Shown {
        let of = &self.keys[key];
        let status = match of.state {
            State::Deleted => "DELETED",
            State::Pending => "PENDING",
            _ if !self.owner_active(of) => "OWNER_INACTIVE",
            State::Disabled => "DISABLED",
            State::Enabled if of.end.is_some_and(|end| end <= self.now) => "EXPIRED",
            State::Enabled => "ACTIVE",
        };
        let previous = of.previous.map(|(_, end)| end).filter(|end| *end > self.now);
        let secrets = of.current.map(|_| None).into_iter().chain(previous.map(Some)).collect();
        Shown {
            status: status.to_owned(),
            read_only: of.read_only,
            inherits: of.inherits,
            effective: self.effective(of),
            secrets: if of.state == State::Deleted { Vec::new() } else { secrets },
        }
    }

    /// What a user holds now.
    fn held(&self, user: usize) -> Set {
        let User { roles, member, .. } = self.users[user];
        self.granted(if member { roles | self.of_group } else { roles })
    }

    fn granted(&self, roles: Set) -> Set {
        let given = self.roles.iter().enumerate().filter(|(role, _)| has(roles, *role));
        given.fold(0, |all, (_, scopes)| all | scopes)
    }

    /// What an exchange can grant now.
    fn effective(&self, key: &Key) -> Set {
        let own = self.granted(key.roles) | key.scopes;
        let given = match key.owner {
            user if user < USERS && key.inherits => self.held(user),
            user if user < USERS => own & self.held(user),
            _ => own,
        };
        if key.read_only { given & !WRITE } else { given }
    }

    fn owner_active(&self, key: &Key) -> bool {
        key.owner >= USERS || self.users[key.owner].active
    }

    fn may_be_used(&self, key: &Key) -> bool {
        key.owner >= USERS || self.held(key.owner) & USE != 0
    }

    fn create(&mut self, new: NewKey) -> Answer {
        let owner = usize::from(new.owner) % (USERS + 1);
        let inherits = new.roles.is_none() && new.scopes.is_none();
        let inactive = owner < USERS && !self.users[owner].active;
        if inactive || (inherits && owner >= USERS) || new.end == Some(0) {
            return Answer::Mistake("INVALID");
        }
        let secrets = usize::from(new.with_secret);
        self.keys.push(Key {
            owner,
            state: if new.by_clerk && self.approval { State::Pending } else { State::Enabled },
            inherits,
            roles: new.roles.unwrap_or(0),
            scopes: new.scopes.unwrap_or(0) & ALL,
            read_only: new.read_only,
            end: new.end.map(|after| self.now + after),
            secrets,
            current: new.with_secret.then_some(0),
            previous: None,
            log: vec![(ActivityKind::KeyCreated, Outcome::Ok)],
        });
        Answer::Changed { keys: vec![self.keys.len() - 1], mistakes: Vec::new() }
    }

    fn update(&mut self, pick: u8, change: Change) -> Answer {
        let (index, now) = (self.key(pick), self.now);
        let key = &mut self.keys[index];
        if key.state == State::Deleted {
            return Answer::Mistake("NOT_FOUND");
        }
        match change {
            Change::Grants { roles: Some(None), scopes: Some(None) } if key.owner >= USERS => {
                return Answer::Mistake("INVALID");
            }
            Change::Grants { roles, scopes } => {
                key.roles = roles.map_or(key.roles, Option::unwrap_or_default);
                key.scopes = scopes.map_or(key.scopes, Option::unwrap_or_default) & ALL;
                if roles.is_some() || scopes.is_some() {
                    key.inherits = roles == Some(None) && scopes == Some(None);
                }
            }
            Change::ReadOnly(to) => key.read_only = to,
            Change::End(after) => {
                let end = after.map(|after| now + after);
                if end.is_some_and(|end| end <= now) && end != key.end {
                    return Answer::Mistake("INVALID");
                }
                key.end = end;
            }
        }
        if let (Some((_, until)), Some(end)) = (&mut key.previous, key.end) {
            *until = end.min(*until);
        }
        key.log.push((ActivityKind::KeyUpdated, Outcome::Ok));
        Answer::Changed { keys: vec![index], mistakes: Vec::new() }
    }

    fn change(&mut self, verb: Verb, keys: Keys) -> Answer {
        let (mut done, mut mistakes) = (Vec::new(), Vec::new());
        for index in self.selected(keys) {
            let now = self.now;
            let key = &mut self.keys[index];
            let (to, kind) = match (verb, key.state) {
                (_, State::Deleted) => {
                    mistakes.push((index, "NOT_FOUND"));
                    continue;
                }
                (Verb::FinishRotation, state) => {
                    let worked = key.previous.take().is_some_and(|(_, end)| end > now);
                    (state, worked.then_some(ActivityKind::RotationFinished))
                }
                (Verb::Enable, State::Disabled) => (State::Enabled, Some(ActivityKind::KeyEnabled)),
                (Verb::Disable, State::Enabled) => (State::Disabled, Some(ActivityKind::KeyDisabled)),
                (Verb::Approve, State::Pending) => (State::Enabled, Some(ActivityKind::KeyApproved)),
                (Verb::Reject, State::Pending) => (State::Deleted, Some(ActivityKind::KeyRejected)),
                (Verb::Delete, _) => (State::Deleted, Some(ActivityKind::KeyDeleted)),
                (Verb::Enable | Verb::Approve, State::Enabled) => (State::Enabled, None),
                (Verb::Disable, State::Disabled) => (State::Disabled, None),
                (Verb::Enable | Verb::Disable | Verb::Approve | Verb::Reject, _) => {
                    mistakes.push((index, "INVALID"));
                    continue;
                }
            };
            key.log.extend(kind.map(|kind| (kind, Outcome::Ok)));
            if to != key.state && to != State::Enabled {
                self.tokens
                    .iter_mut()
                    .filter(|token| token.key == index)
                    .for_each(|token| token.alive = false);
            }
            self.keys[index].state = to;
            done.push(index);
        }
        Answer::Changed { keys: done, mistakes }
    }

    fn regenerate(&mut self, keys: Keys, grace: i64) -> Answer {
        let (mut done, mut mistakes) = (Vec::new(), Vec::new());
        for index in self.selected(keys) {
            let until = self.now + grace * SECOND;
            let key = &mut self.keys[index];
            if key.state == State::Deleted {
                mistakes.push((index, "NOT_FOUND"));
                continue;
            }
            let until = key.end.map_or(until, |end| end.min(until));
            key.previous = key.current.filter(|_| grace > 0).map(|current| (current, until));
            key.current = Some(key.secrets);
            key.secrets += 1;
            key.log.push((ActivityKind::SecretRegenerated, Outcome::Ok));
            if grace == 0 {
                self.tokens
                    .iter_mut()
                    .filter(|token| token.key == index)
                    .for_each(|token| token.alive = false);
            }
            done.push(index);
        }
        Answer::Changed { keys: done, mistakes }
    }

    fn deactivate(&mut self, user: usize) {
        if std::mem::replace(&mut self.users[user].active, false) {
            let keys = &self.keys;
            let theirs = self.tokens.iter_mut().filter(|token| keys[token.key].owner == user);
            theirs.for_each(|token| token.alive = false);
        }
    }

    fn exchange(&mut self, pick: u8, which: Which) -> Answer {
        let index = self.key(pick);
        let secret = self.secret(index, which);
        let key = &self.keys[index];
        let current = key.current.map(|secret| (index, secret));
        let previous = key.previous.filter(|(_, end)| *end > self.now).map(|(secret, _)| (index, secret));
        let proven = secret.is_some() && (secret == current || secret == previous);
        let now = self.now / SECOND;
        let scopes = self.effective(key);
        let outcome = match key.state {
            _ if !proven => Outcome::BadSecret,
            State::Deleted => Outcome::Deleted,
            State::Pending => Outcome::Pending,
            _ if !self.owner_active(key) => Outcome::OwnerInactive,
            State::Disabled => Outcome::Disabled,
            State::Enabled if key.end.is_some_and(|end| end / SECOND <= now) => Outcome::Expired,
            State::Enabled if !self.may_be_used(key) => Outcome::UseNotPermitted,
            State::Enabled if scopes == 0 => Outcome::InvalidScope,
            State::Enabled => Outcome::Ok,
        };
        let lifetime = key.end.map_or(TOKEN_LIFETIME, |end| TOKEN_LIFETIME.min(end / SECOND - now));
        let issued = outcome == Outcome::Ok;
        // What has not even the form of a secret is logged without a key.
        if secret.is_some() {
            let kind = if issued { ActivityKind::TokenIssued } else { ActivityKind::TokenRefused };
            self.keys[index].log.push((kind, outcome));
        }
        if !issued {
            return Answer::NoToken(outcome);
        }
        self.tokens.push(Token { key: index, scopes, end: now + lifetime, alive: true });
        Answer::Token { scopes, lifetime }
    }

    fn call(&self, pick: u8, write: bool) -> Answer {
        let Some(token) = self.token(pick).map(|token| &self.tokens[token]) else { return Answer::Nothing };
        let key = &self.keys[token.key];
        let held = token.scopes & self.effective(key);
        let works = token.alive
            && token.scopes & OURS != 0
            && self.now / SECOND < token.end
            && key.state == State::Enabled
            && key.end.is_none_or(|end| end > self.now)
            && self.owner_active(key)
            && self.may_be_used(key)
            && held != 0;
        match write {
            _ if !works => Answer::Refused("UNAUTHENTICATED"),
            false => Answer::Held(held),
            true if key.read_only => Answer::Refused("READ_ONLY"),
            true if held & MANAGE == 0 => Answer::Refused("FORBIDDEN"),
            true => Answer::Nothing,
        }
    }
}

fn has(set: Set, bit: usize) -> bool {
    set & (1 << bit) != 0
}
