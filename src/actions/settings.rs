//! The settings that an administrator changes while the server runs.

use entity::activity::ActivityKind;
use entity::{GlobalId, ObjectKind, settings};

use crate::access::Action;
use crate::app::context::Context;
use crate::app::edits::{check_version, difference};
use crate::error::{Result, UserError};
use crate::store::settings as stored;
use crate::values::Quota;

/// No key lives longer than ten years, whatever is set.
const MAX_DAYS: i32 = 3650;
const MAX_GRACE: i32 = 30 * 86_400;
/// What the smallest request that changes settings costs, and some more.
const LEAST_POINTS: i32 = 10;

pub async fn load(cx: &Context) -> Result<settings::Model> {
    cx.may(Action::ViewSettings)?;
    stored::load(cx.app.db.reader()).await
}

/// What to change: outer `None` leaves a setting as it is, inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct SettingsChanges {
    pub max_keys_per_owner: Option<Option<i32>>,
    pub password_api_access: Option<bool>,
    pub key_approval_required: Option<bool>,
    pub expiry_required: Option<bool>,
    pub max_key_lifetime_days: Option<Option<i32>>,
    pub default_key_lifetime_days: Option<Option<i32>>,
    pub default_token_lifetime_seconds: Option<i32>,
    pub max_token_lifetime_seconds: Option<i32>,
    pub default_token_limit: Option<Quota>,
    pub default_call_limit: Option<Quota>,
    pub default_grace_period_seconds: Option<i32>,
    pub activity_retention_days: Option<i32>,
    pub support_url: Option<Option<String>>,
}

/// Changes settings. They act on the next request.
pub async fn update(cx: &Context, version: Option<i32>, changes: SettingsChanges) -> Result<settings::Model> {
    cx.may(Action::EditSettings)?;
    let tx = cx.begin_directory().await?;
    let before = stored::load(&*tx).await?;
    let target = GlobalId { kind: ObjectKind::Settings, uuid: uuid::Uuid::nil() };
    check_version(version, before.version, "row of settings", target)?;
    let mut after = apply(before.clone(), changes);
    check(&after)?;
    after.version += 1;
    stored::replace(&*tx, after.clone()).await?;
    let detail = difference(snapshot(&before), snapshot(&after));
    cx.record_change(&tx, cx.change(ActivityKind::SettingsUpdated, target, None), detail).await?;
    tx.commit().await?;
    Ok(after)
}

fn apply(mut row: settings::Model, changes: SettingsChanges) -> settings::Model {
    macro_rules! set {
        ($($field:ident),*) => { $(if let Some(value) = changes.$field { row.$field = value; })* };
    }
    set!(
        max_keys_per_owner,
        password_api_access,
        key_approval_required,
        expiry_required,
        max_key_lifetime_days,
        default_key_lifetime_days,
        default_token_lifetime_seconds,
        max_token_lifetime_seconds,
        default_grace_period_seconds,
        activity_retention_days,
        support_url
    );
    if let Some(limit) = changes.default_token_limit {
        (row.default_token_limit_requests, row.default_token_limit_seconds) =
            (limit.requests, limit.per_seconds);
    }
    if let Some(limit) = changes.default_call_limit {
        (row.default_call_limit_requests, row.default_call_limit_seconds) =
            (limit.requests, limit.per_seconds);
    }
    row
}

/// Each within its bounds, and none against another.
fn check(row: &settings::Model) -> Result<(), UserError> {
    let within = |field: &'static str, value: Option<i32>, bounds: std::ops::RangeInclusive<i32>| match value
    {
        Some(value) if !bounds.contains(&value) => {
            let message = format!("The value must be from {} to {}.", bounds.start(), bounds.end());
            Err(UserError::invalid(field, message))
        }
        _ => Ok(()),
    };
    within("maxKeysPerOwner", row.max_keys_per_owner, 1..=1_000_000)?;
    within("maxKeyLifetimeDays", row.max_key_lifetime_days, 1..=MAX_DAYS)?;
    let longest = row.max_key_lifetime_days.unwrap_or(MAX_DAYS);
    within("defaultKeyLifetimeDays", row.default_key_lifetime_days, 1..=longest)?;
    within("maxTokenLifetimeSeconds", Some(row.max_token_lifetime_seconds), 60..=3600)?;
    let longest = row.max_token_lifetime_seconds;
    within("defaultTokenLifetimeSeconds", Some(row.default_token_lifetime_seconds), 60..=longest)?;
    within("defaultGracePeriodSeconds", Some(row.default_grace_period_seconds), 0..=MAX_GRACE)?;
    within("activityRetentionDays", Some(row.activity_retention_days), 1..=MAX_DAYS)?;
    if row.default_call_limit_requests < LEAST_POINTS {
        let message = format!(
            "The limit must be at least {LEAST_POINTS} points, so that these settings can still be changed."
        );
        return Err(UserError::invalid("defaultCallRateLimit", message));
    }
    match &row.support_url {
        Some(url) if !is_help_address(url) => {
            let message =
                "Set an https: or mailto: URL, such as https://help.example.com or mailto:help@example.com.";
            Err(UserError::invalid("supportUrl", message))
        }
        _ => Ok(()),
    }
}

/// A page over TLS, without a user in its address; or a mail address.
fn is_help_address(url: &str) -> bool {
    let plain = url.len() <= 1000 && url.chars().all(|letter| letter.is_ascii_graphic());
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    let host = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next());
    let page = scheme.eq_ignore_ascii_case("https")
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    let mail = scheme.eq_ignore_ascii_case("mailto")
        && rest.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    plain && (page || mail)
}

fn snapshot(row: &settings::Model) -> serde_json::Value {
    serde_json::json!({
        "maxKeysPerOwner": row.max_keys_per_owner,
        "passwordApiAccess": row.password_api_access,
        "keyApprovalRequired": row.key_approval_required,
        "expiryRequired": row.expiry_required,
        "maxKeyLifetimeDays": row.max_key_lifetime_days,
        "defaultKeyLifetimeDays": row.default_key_lifetime_days,
        "defaultTokenLifetimeSeconds": row.default_token_lifetime_seconds,
        "maxTokenLifetimeSeconds": row.max_token_lifetime_seconds,
        "defaultTokenRateLimit": [row.default_token_limit_requests, row.default_token_limit_seconds],
        "defaultCallRateLimit": [row.default_call_limit_requests, row.default_call_limit_seconds],
        "defaultGracePeriodSeconds": row.default_grace_period_seconds,
        "activityRetentionDays": row.activity_retention_days,
        "supportUrl": row.support_url,
    })
}
