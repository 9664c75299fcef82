//! Reading the activity log.

use entity::{ActivityId, activity};

use crate::access::Action;
use crate::app::context::Context;
use crate::error::Result;
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Reached, activity as log};

pub use crate::store::activity::ActivityFilter;

/// Events, newest first.
pub async fn list(
    cx: &Context,
    filter: &ActivityFilter,
    request: &PageRequest,
) -> Result<Result<Page<Reached<activity::Model>>, ForeignCursor>> {
    let reach = cx.may(Action::ViewActivity)?;
    log::list(cx.app.db.reader(), &reach, filter, request).await
}

pub async fn find_many(cx: &Context, ids: &[ActivityId]) -> Result<Vec<Reached<activity::Model>>> {
    let reach = cx.may(Action::ViewActivity)?;
    log::find_many(cx.app.db.reader(), &reach, ids).await
}
