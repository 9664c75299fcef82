//! What the caller may do to keys, for showing or hiding it.

use std::collections::{HashMap, HashSet};

use entity::KeyId;
use entity::api_key::KeyState;

use super::Key;
use crate::access::Action;
use crate::app::context::Context;
use crate::app::giving;
use crate::error::Result;
use crate::store::keys;

/// The verbs that the caller may use on a key as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbs {
    pub update: bool,
    pub regenerate_secrets: bool,
    pub finish_rotation: bool,
    pub enable: bool,
    pub disable: bool,
    pub delete: bool,
    pub approve: bool,
    pub reject: bool,
}

/// What the caller may do to each of these keys.
pub async fn verbs(cx: &Context, of: &[&Key]) -> Result<HashMap<KeyId, Verbs>> {
    let db = cx.app.db.reader();
    let ids: Vec<KeyId> = of.iter().map(|key| key.id).collect();
    // One policy holds for all changes of keys but approval: what can be updated can be stopped.
    let reached: HashSet<KeyId> = match cx.may(Action::UpdateKey) {
        Ok(reach) => keys::find_many(db, &reach, &ids).await?.into_iter().map(|key| key.id).collect(),
        Err(_) => HashSet::new(),
    };
    let too_strong = match reached.is_empty() {
        true => HashMap::new(),
        false => giving::too_strong(cx, db, of).await?,
    };
    let decides = cx.may(Action::ApproveKeys).is_ok();
    Ok(of
        .iter()
        .map(|key| {
            let update = reached.contains(&key.id) && key.state != KeyState::Deleted;
            let waits = key.state == KeyState::Pending;
            let verbs = Verbs {
                update,
                regenerate_secrets: update && !too_strong.contains_key(&key.id),
                finish_rotation: update,
                enable: update && key.state == KeyState::Disabled,
                disable: update && key.state == KeyState::Enabled,
                delete: update,
                approve: decides && waits,
                reject: decides && waits,
            };
            (key.id, verbs)
        })
        .collect())
}
