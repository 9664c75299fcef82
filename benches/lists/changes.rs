//! What is done to many keys: the first portion by a filter and the number that is expected, the others by continuations.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use entity::GlobalId;
use serde_json::Value;

use crate::figures::Bound;
use crate::subject::{Subject, now};

pub(crate) struct Change {
    pub(crate) name: &'static str,
    pub(crate) bound: Bound,
    mutation: Mutation,
    /// Puts the keys back as they were; it is not measured. What new secrets replace need not come back.
    back: Option<Mutation>,
}

struct Mutation {
    field: &'static str,
    /// Beside the selection.
    input: &'static str,
    /// The list of what was changed, with what is asked of each.
    changed: &'static str,
}

const KEYS: &str = "apiKeys { id clientId status }";
const ISSUED: &str = "issued { apiKey { id clientId name } clientSecret previousValidUntil }";
const AT_MOST: Bound = Bound::Time(Duration::from_secs(3));

pub(crate) const CHANGES: &[Change] = &[
    Change {
        name: "disable",
        bound: Bound::None,
        mutation: Mutation { field: "disableApiKeys", input: "", changed: KEYS },
        back: Some(Mutation { field: "enableApiKeys", input: "", changed: KEYS }),
    },
    Change {
        name: "regenerate",
        bound: AT_MOST,
        mutation: Mutation { field: "regenerateSecrets", input: ", gracePeriodSeconds: 0", changed: ISSUED },
        back: None,
    },
    Change {
        name: "regenerate, with 30 days of grace",
        bound: AT_MOST,
        mutation: Mutation {
            field: "regenerateSecrets",
            input: ", gracePeriodSeconds: 2592000",
            changed: ISSUED,
        },
        back: None,
    },
];

/// All keys of one owner.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) owner: GlobalId,
    pub(crate) count: u32,
}

impl Change {
    /// How long it takes, until the answer to the last portion is there.
    pub(crate) async fn time(&self, subject: &Subject, keys: Keys) -> anyhow::Result<Duration> {
        let before = now();
        self.mutation.carry_out(subject, keys).await?;
        let time = before.elapsed();
        if let Some(back) = &self.back {
            back.carry_out(subject, keys).await?;
        }
        Ok(time)
    }
}

impl Mutation {
    async fn carry_out(&self, subject: &Subject, Keys { owner, count }: Keys) -> anyhow::Result<()> {
        let mut selection =
            format!("matching: {{ filter: {{ ownerIds: [\"{owner}\"] }}, expectedCount: {count} }}");
        let mut changed = 0;
        loop {
            let payload = subject.ask(&self.request(&selection)).await?["change"].take();
            ensure!(payload["userErrors"].as_array().is_some_and(Vec::is_empty), "{}", payload["userErrors"]);
            changed += payload["changed"].as_array().context("a list of what was changed")?.len();
            match &payload["next"] {
                Value::String(next) => selection = format!("continuation: \"{next}\""),
                _ => break,
            }
        }
        ensure!(changed == count as usize, "{}: {changed} keys", self.field);
        Ok(())
    }

    fn request(&self, selection: &str) -> String {
        let Self { field, input, changed } = self;
        format!(
            "mutation {{ change: {field}(input: {{ selection: {{ {selection} }}{input} }}) {{
                changed: {changed} next userErrors {{ message }} }} }}"
        )
    }
}
