//! Lists: arguments, cursors and connections, after the Relay cursor connections specification.

use async_graphql::connection::PageInfo;
use async_graphql::{Context, SimpleObject};

use super::accounts::{ServiceAccount, User};
use super::activity::Activity;
use super::error::field_error;
use super::groups::Group;
use super::keys::ApiKey;
use super::roles::Role;
use super::scopes::{Api, Scope};
use crate::actions::page::{Cursor, DEFAULT_PAGE, ForeignCursor, MAX_PAGE, Page, PageRequest};
use crate::error::{Error, Result, UserError};

/// The four arguments of every list.
#[derive(Debug)]
pub(super) struct PageArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

impl PageArguments {
    pub(super) fn parse(self) -> Result<PageRequest> {
        let (field, length) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(UserError::invalid("last", "Use `first` or `last`, not both.").into());
            }
            (first, None) => ("first", first),
            (None, last) => ("last", last),
        };
        let limit = match length {
            None => DEFAULT_PAGE,
            Some(length) => {
                u64::try_from(length).ok().filter(|length| *length <= MAX_PAGE).ok_or_else(|| {
                    UserError::invalid(field, format!("A page has from 0 to {MAX_PAGE} rows, not {length}."))
                })?
            }
        };
        Ok(PageRequest {
            limit,
            backward: self.last.is_some(),
            after: self.after.as_deref().map(|text| cursor("after", text)).transpose()?,
            before: self.before.as_deref().map(|text| cursor("before", text)).transpose()?,
        })
    }
}

fn cursor(field: &'static str, text: &str) -> Result<Cursor> {
    Cursor::decode(text).ok_or_else(|| not_a_cursor(field))
}

fn not_a_cursor(field: &'static str) -> Error {
    UserError::invalid(
        field,
        "This is not a cursor of this list and sort order. Use one from its `pageInfo` or `edges`.",
    )
    .into()
}

/// What a page costs: each row as much as what is selected of it.
pub(super) fn page_cost(first: Option<i32>, last: Option<i32>, of_each: usize) -> usize {
    let rows = first.or(last).and_then(|rows| usize::try_from(rows).ok()).unwrap_or(50);
    rows.clamp(1, 100).saturating_mul(of_each.max(1))
}

/// What this counts, if the caller selected `totalCount`.
pub(super) async fn counted(
    ctx: &Context<'_>,
    count: impl Future<Output = Result<u64>>,
) -> async_graphql::Result<Option<u64>> {
    let wanted = ctx.look_ahead().field("totalCount").exists();
    if wanted { Ok(Some(count.await.map_err(field_error)?)) } else { Ok(None) }
}

/// Makes the connection and edge types of one kind of row; with a count where the list can be counted.
macro_rules! connection {
    ($node:ty, $edge:ident, $connection:ident $(, $count:ident)?) => {
        /// One row of a page and its cursor.
        #[derive(SimpleObject)]
        pub(super) struct $edge {
            /// The row.
            node: $node,
            /// The position of this row, for `after` and `before`. Opaque; only valid for the same list and sort order.
            cursor: String,
        }

        /// One page of a list.
        #[derive(SimpleObject)]
        pub(super) struct $connection {
            /// The rows with their places.
            edges: Vec<$edge>,
            /// The rows.
            nodes: Vec<$node>,
            /// The cursors of this page, and whether there are more rows.
            page_info: PageInfo,
            $(
                /// The number of rows in the whole list. Only counted if selected.
                $count: Option<i64>,
            )?
        }

        impl $connection {
            pub(super) fn new<R>(
                page: Result<Page<R>, ForeignCursor>,
                node: impl Fn(R) -> $node,
                $($count: Option<u64>,)?
            ) -> Result<Self> {
                let page = page.map_err(|ForeignCursor| not_a_cursor("after"))?;
                let (has_previous_page, has_next_page) = (page.has_previous, page.has_next);
                let edges: Vec<$edge> = page
                    .rows
                    .into_iter()
                    .map(|(cursor, row)| $edge { node: node(row), cursor: cursor.encode() })
                    .collect();
                let page_info = PageInfo {
                    has_previous_page,
                    has_next_page,
                    start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                    end_cursor: edges.last().map(|edge| edge.cursor.clone()),
                };
                Ok(Self {
                    nodes: edges.iter().map(|edge| edge.node.clone()).collect(),
                    edges,
                    page_info,
                    $($count: $count.and_then(|count| i64::try_from(count).ok()),)?
                })
            }
        }
    };
}

connection!(ApiKey, ApiKeyEdge, ApiKeyConnection, total_count);
connection!(Role, RoleEdge, RoleConnection, total_count);
connection!(Scope, ScopeEdge, ScopeConnection, total_count);
connection!(User, UserEdge, UserConnection, total_count);
connection!(ServiceAccount, ServiceAccountEdge, ServiceAccountConnection, total_count);
connection!(Group, GroupEdge, GroupConnection, total_count);
connection!(Api, ApiEdge, ApiConnection, total_count);
connection!(Activity, ActivityEdge, ActivityConnection);
