//! Keyset pagination: a page continues where a cursor stands, in one query, however deep.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, EntityTrait, FromQueryResult, IntoSimpleExpr, ModelTrait,
    Order, QueryFilter, QueryOrder, QuerySelect, Select, Value,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Reached;
use crate::error::Result;

/// The most rows of a page.
pub const MAX_PAGE: u64 = 100;
/// The rows of a page when nothing was asked for.
pub const DEFAULT_PAGE: u64 = 50;

/// A place in a list: the order it belongs to, the value it is ordered by, and the id that breaks ties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    order: u8,
    key: Key,
    id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Number(i64),
    Text(String),
    Nothing(()),
}

impl Cursor {
    /// The opaque form.
    pub fn encode(&self) -> String {
        // A struct of numbers and text always serialises.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(self.order, &self.key, self.id)).unwrap_or_default())
    }

    /// Reads exactly what [`Cursor::encode`] wrote.
    pub fn decode(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (order, key, id) = serde_json::from_slice(&json).ok()?;
        Some(Self { order, key, id })
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub limit: u64,
    /// Counted from the end: `last` rather than `first`.
    pub backward: bool,
    pub after: Option<Cursor>,
    pub before: Option<Cursor>,
}

/// Part of a list, in the order of the list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<(Cursor, T)>,
    pub has_previous: bool,
    pub has_next: bool,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Page<U> {
        let rows = self.rows.into_iter().map(|(cursor, row)| (cursor, change(row))).collect();
        Page { rows, has_previous: self.has_previous, has_next: self.has_next }
    }
}

/// The cursor is not of the list and order that it was used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignCursor;

/// What a list is ordered by: a column or only the id, which is the order of creation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort<C> {
    /// Names the order inside cursors.
    pub order: u8,
    pub column: Option<C>,
    pub id: C,
    pub descending: bool,
}

/// Runs the query for one page: one row more than asked tells whether there are more. Rows without a value come last in
/// both directions, by a query of their own: each of the two is one walk along an index.
pub(super) async fn fetch<E>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    sort: Sort<E::Column>,
    request: &PageRequest,
) -> Result<Result<Page<Reached<E::Model>>, ForeignCursor>>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E> + FromQueryResult + Send + Sync,
{
    let cursors = [request.after.as_ref(), request.before.as_ref()];
    if cursors.iter().flatten().any(|cursor| cursor.order != sort.order || !fits(&cursor.key, sort.column)) {
        return Ok(Err(ForeignCursor));
    }
    let order = if sort.descending == request.backward { Order::Asc } else { Order::Desc };
    let mut models = Vec::new();
    for part in parts(sort, request.backward) {
        let missing = (request.limit + 1).saturating_sub(models.len() as u64);
        let Some(condition) = between(sort, request, *part).filter(|_| missing > 0) else { continue };
        let mut rows = select.clone().filter(condition);
        if let Some(column) = sort.column {
            rows = rows.order_by(column, order.clone());
        }
        models.extend(rows.order_by(sort.id, order.clone()).limit(missing).all(db).await?);
    }
    let more = models.len() as u64 > request.limit;
    models.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
    if request.backward {
        models.reverse();
    }
    let rows = models.into_iter().map(|model| (place(sort, &model), Reached::new(model))).collect();
    let (has_previous, has_next) =
        if request.backward { (more, request.before.is_some()) } else { (request.after.is_some(), more) };
    Ok(Ok(Page { rows, has_previous, has_next }))
}

/// The rows of a list that are read along one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    WithValue,
    Without,
}

/// The parts of a list, in the order in which a page reads them.
fn parts<C: ColumnTrait>(sort: Sort<C>, backward: bool) -> &'static [Part] {
    match sort.column {
        Some(column) if column.def().is_null() && backward => &[Part::Without, Part::WithValue],
        Some(column) if column.def().is_null() => &[Part::WithValue, Part::Without],
        _ => &[Part::All],
    }
}

/// The rows of a part that lie between the cursors; nothing if none can.
fn between<C: ColumnTrait>(sort: Sort<C>, request: &PageRequest, part: Part) -> Option<Condition> {
    let mut condition = Condition::all();
    if let (Some(column), Part::WithValue | Part::Without) = (sort.column, part) {
        let column = column.into_simple_expr();
        condition =
            condition.add(if part == Part::Without { column.is_null() } else { column.is_not_null() });
    }
    for (cursor, after) in [(&request.after, true), (&request.before, false)] {
        let Some(cursor) = cursor else { continue };
        let in_this_part = match part {
            Part::All => true,
            Part::WithValue => cursor.key != Key::Nothing(()),
            Part::Without => cursor.key == Key::Nothing(()),
        };
        // Rows with a value lie before every cursor at a row without one, and the other way round.
        let beyond_all = after == (part == Part::WithValue);
        match (in_this_part, beyond_all) {
            (true, _) => condition = condition.add(beyond(sort, cursor, after)),
            (false, true) => return None,
            (false, false) => {}
        }
    }
    Some(condition)
}

/// Whether the value of a cursor is of the kind that the list is ordered by: the database would fail on others.
fn fits<C: ColumnTrait>(key: &Key, column: Option<C>) -> bool {
    let Some(column) = column.map(|column| column.def()) else {
        return *key == Key::Nothing(());
    };
    match key {
        Key::Number(_) => *column.get_column_type() == ColumnType::BigInteger,
        Key::Text(text) => {
            matches!(column.get_column_type(), ColumnType::String(_) | ColumnType::Text)
                && !text.contains('\0')
        }
        Key::Nothing(()) => column.is_null(),
    }
}

/// The rows after (or before) a cursor of the same part, in the order of the list.
fn beyond<C: ColumnTrait>(sort: Sort<C>, cursor: &Cursor, after: bool) -> SimpleExpr {
    let further = |place: SimpleExpr, cursor: SimpleExpr| {
        if sort.descending == after { place.lt(cursor) } else { place.gt(cursor) }
    };
    let id = sort.id.into_simple_expr();
    let value: Value = match &cursor.key {
        Key::Number(number) => (*number).into(),
        Key::Text(text) => text.clone().into(),
        Key::Nothing(()) => return further(id, Expr::val(cursor.id)),
    };
    match sort.column {
        // Compared as a pair, which is the order of an index.
        Some(column) => {
            let place = Expr::tuple([Expr::val(value), Expr::val(cursor.id)]);
            further(Expr::tuple([column.into_simple_expr(), id]), place)
        }
        None => further(id, Expr::val(cursor.id)),
    }
}

fn place<M>(sort: Sort<<M::Entity as EntityTrait>::Column>, model: &M) -> Cursor
where
    M: ModelTrait,
{
    let key = match sort.column.map(|column| model.get(column)) {
        Some(Value::BigInt(Some(number))) => Key::Number(number),
        Some(Value::String(Some(text))) => Key::Text(text),
        _ => Key::Nothing(()),
    };
    let id = match model.get(sort.id) {
        Value::Uuid(Some(id)) => id,
        _ => Uuid::nil(),
    };
    Cursor { order: sort.order, key, id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip_and_nothing_else_decodes() {
        for key in [Key::Number(-1), Key::Text("ci".to_owned()), Key::Nothing(())] {
            let cursor = Cursor { order: 2, key, id: Uuid::from_u128(7) };
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        for text in ["", "!", "bnVsbA", "W10", "WzEsMl0", &URL_SAFE_NO_PAD.encode(r#"[1,2.5,"x"]"#)] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
