//! Searching: what keys and accounts are found by, written with each change of a name, and what a search finds.
//!
//! From three characters on a search means any part of a text; under that, its beginning: the indexes know every three
//! characters in a row.

use entity::search_term::{self, Column};
use entity::{GlobalId, ObjectKind, Timestamp, api_key, key_secret, user};
use sea_orm::sea_query::extension::{postgres::PgBinOper, sqlite::SqliteBinOper};
use sea_orm::sea_query::{
    CommonTableExpression, Condition, Expr, ExprTrait as _, Func, IntoColumnRef, JoinType, PgFunc, Query,
    SelectStatement, UnionType,
};
use sea_orm::{ActiveEnum as _, ActiveValue, ColumnTrait as _, ConnectionTrait, DbBackend, QueryFilter as _};

use super::rows;
use crate::error::Result;
use crate::values::Search;

/// So many characters in a row are what the indexes know.
const GRAM: usize = 3;
/// The length of a client id and of a secret's hint, in characters.
const CLIENT_ID: usize = 32;
const HINT: usize = 4;
/// The index of SQLite, which is a table and a column in one.
const INDEX: &str = "search_index";
/// The name, inside a query, of what the texts lead to.
const FOUND: &str = "found";

/// Makes these texts what an object is found by.
pub(super) async fn put(db: &impl ConnectionTrait, object: GlobalId, texts: &[&str]) -> Result<()> {
    let of_object = Column::ObjectId.eq(object.uuid);
    let rows = rows::shared::<search_term::Entity>().filter(of_object.clone()).all(db).await?;
    let mut had: Vec<String> = rows.into_iter().map(|row| row.text).collect();
    had.sort_unstable();
    if had != terms(texts) {
        rows::remove::<search_term::Entity>().filter(of_object).exec(db).await?;
        put_new(db, object, texts).await?;
    }
    Ok(())
}

/// The same for an object that was not there before.
pub(super) async fn put_new(db: &impl ConnectionTrait, object: GlobalId, texts: &[&str]) -> Result<()> {
    let row = |text| search_term::ActiveModel {
        id: ActiveValue::NotSet,
        object_kind: ActiveValue::Set(object.kind),
        object_id: ActiveValue::Set(object.uuid),
        text: ActiveValue::Set(text),
    };
    rows::add_all(db, terms(texts).into_iter().map(row)).await
}

/// The texts that a user is found by.
pub(super) fn of_user(user: &user::Model) -> Vec<&str> {
    [Some(&*user.email), user.handle.as_deref(), Some(&*user.display_name)].into_iter().flatten().collect()
}

/// Texts as they are kept: each once, and sorted.
fn terms(texts: &[&str]) -> Vec<String> {
    let mut terms: Vec<String> = texts.iter().map(|text| fold(text)).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// Both cases of a letter as one, for all of Unicode. Letter by letter, because `str::to_lowercase` looks at the end of a
/// word to tell which small sigma a capital one becomes, and a part of a word would not be found in the whole.
fn fold(text: &str) -> String {
    let small = text.chars().flat_map(char::to_lowercase);
    small.map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

/// Keys by their names, their owners, the beginning of a client id, or the hint of a secret that can still be used.
pub(super) fn keys(search: &Search, now: Timestamp, backend: DbBackend) -> Condition {
    use api_key::Column;
    let found = |names_key: bool| {
        let kind = Expr::col("object_kind").eq(ObjectKind::ApiKey.to_value());
        let kind = if names_key { kind } else { kind.not() };
        Query::select().column("object_id").from(FOUND).and_where(kind).take()
    };
    let keys_where =
        |condition| Query::select().column(Column::Id).from(api_key::Entity).cond_where(condition).take();
    let mut all = found(true);
    all.union(UnionType::All, keys_where(among((api_key::Entity, Column::OwnerId), found(false), backend)));
    if let Some(range) = client_ids(search.as_str()) {
        all.union(UnionType::All, keys_where(range));
    }
    if search.as_str().chars().count() == HINT {
        all.union(UnionType::All, keys_by_hint(search.as_str(), now));
    }
    let mut matching_terms = CommonTableExpression::new();
    matching_terms.query(matching(search, backend)).table_name(FOUND).materialized(true);
    all.with_cte(matching_terms);
    among((api_key::Entity, Column::Id), all, backend)
}

/// Accounts of one kind by their names; the column has their ids.
pub(super) fn accounts(
    search: &Search,
    column: impl IntoColumnRef,
    (kind, backend): (ObjectKind, DbBackend),
) -> Condition {
    let found = Query::select()
        .column("object_id")
        .from_subquery(matching(search, backend), FOUND)
        .and_where(Expr::col("object_kind").eq(kind.to_value()))
        .take();
    among(column, found, backend)
}

/// The kinds and ids of the objects that have a matching text.
fn matching(search: &Search, backend: DbBackend) -> SelectStatement {
    let text = fold(search.as_str());
    let mut select = Query::select();
    let select = select.columns([Column::ObjectKind, Column::ObjectId]);
    if text.chars().count() < GRAM {
        return select.from(search_term::Entity).cond_where(beginning(Column::Text, &text)).take();
    }
    if backend == DbBackend::Sqlite {
        let phrase = format!("\"{}\"", text.replace('"', "\"\""));
        let id = Expr::col((search_term::Entity, Column::Id));
        // SQLite reads a cross join from left to right: the index first.
        return select
            .from(INDEX)
            .join(JoinType::CrossJoin, search_term::Entity, Condition::all())
            .and_where(id.equals((INDEX, "rowid")))
            .and_where(Expr::col((INDEX, INDEX)).binary(SqliteBinOper::Match, Expr::val(phrase)))
            .take();
    }
    let grams = |of: Expr| Func::cust("search_grams").arg(of);
    let column = || Expr::col(Column::Text);
    select
        .from(search_term::Entity)
        .and_where(Expr::from(grams(column())).binary(PgBinOper::Contains, grams(Expr::val(text.clone()))))
        .and_where(Expr::from(Func::cust("strpos").arg(column()).arg(text)).gt(0))
        .take()
}

/// Texts that begin like this, as a range that any index answers.
fn beginning(column: impl IntoColumnRef, text: &str) -> Condition {
    let column = Expr::col(column);
    Condition::all().add(column.clone().gte(text)).add_option(after(text).map(|end| column.lt(end)))
}

/// The first text, by code points, that comes after all those with this beginning; nothing if there is none.
fn after(beginning: &str) -> Option<String> {
    let mut letters: Vec<char> = beginning.chars().collect();
    while let Some(last) = letters.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

/// Client ids that begin like this.
fn client_ids(text: &str) -> Option<Condition> {
    let possible = text.len() <= CLIENT_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    possible.then(|| beginning(api_key::Column::ClientId, &text.to_ascii_uppercase()))
}

fn keys_by_hint(hint: &str, now: Timestamp) -> SelectStatement {
    use key_secret::Column;
    Query::select()
        .column(Column::KeyId)
        .from(key_secret::Entity)
        .and_where(Column::Hint.eq(hint))
        .cond_where(Condition::any().add(Column::ValidUntil.is_null()).add(Column::ValidUntil.gt(now)))
        .take()
}

/// Whether the column has one of these ids. They are found first, whatever the database believes of their number: on
/// PostgreSQL as an array, because it would else read a long list in its order and hope to meet them soon.
fn among(column: impl IntoColumnRef, ids: SelectStatement, backend: DbBackend) -> Condition {
    let column = Expr::col(column);
    if backend == DbBackend::Sqlite {
        return Condition::all().add(column.in_subquery(ids));
    }
    let ids = Expr::SubQuery(None, Box::new(ids.into()));
    Condition::all().add(column.eq(PgFunc::any(Expr::cust_with_expr("ARRAY $1", ids))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_of_every_letter_are_one_alone_and_inside_a_word() {
        for letter in (char::MIN..=char::MAX).filter(|letter| letter.is_alphabetic()) {
            let (one, other) = (fold(&letter.to_lowercase().to_string()), fold(&letter.to_string()));
            assert_eq!(one, other, "{letter}");
            assert_eq!(fold(&format!("a{letter}b")), format!("a{other}b"), "{letter}");
            assert_eq!(fold(&other), other, "{letter}");
        }
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert!(fold("ΟΔΟΣΑ").starts_with(&fold("ΟΔΟΣ")));
    }

    #[test]
    fn the_end_of_a_beginning_is_the_next_text_of_its_length_or_shorter() {
        for (beginning, end) in [
            ("a", Some("b")),
            ("az", Some("a{")),
            ("\u{7f}", Some("\u{80}")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(after(beginning).as_deref(), end, "{beginning:?}");
        }
    }
}
