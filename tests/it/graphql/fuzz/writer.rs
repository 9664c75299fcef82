//! Writes random operations that are valid against the schema (GraphQL, section 5), by construction.

use std::collections::BTreeMap;

use async_graphql::parser::types::{BaseType, Type};

use super::chance::Chance;
use super::documents::{Condition, Fragment, Input, Operation, Picked, Selection, Variable};
use super::schema::{Field, Model, name_of};
use super::world::World;

const MAX_ALIASES: usize = 30;
const MAX_ROOT_FIELDS: usize = 10;

pub struct Writer<'a> {
    pub model: &'a Model,
    pub world: &'a World,
    pub chance: Chance,
    /// The number of the request, for names that are not taken.
    pub number: u64,
    pub operation: Operation,
    /// Inside a variable's value or default there are no variables.
    pub constant: bool,
    aliases: usize,
    root_fields: usize,
    issuing: usize,
    /// How many more fields there can be.
    budget: usize,
}

/// What an object of the answer has been asked for so far, through all fragments: two fields with one key must be the same
/// field with the same arguments (GraphQL, section 5.3.2).
#[derive(Default)]
struct Asked(BTreeMap<String, Known>);

/// One key of it.
struct Known {
    signature: String,
    arguments: Vec<(String, Input)>,
    inner: Asked,
}

/// Where a selection is written.
#[derive(Clone, Copy)]
struct Spot<'a> {
    of: &'a str,
    depth: usize,
    root: bool,
}

impl<'a> Writer<'a> {
    pub fn new(model: &'a Model, world: &'a World, chance: Chance, number: u64) -> Self {
        Self {
            model,
            world,
            chance,
            number,
            operation: Operation::default(),
            constant: false,
            aliases: 0,
            root_fields: 0,
            issuing: 0,
            budget: 0,
        }
    }

    /// An operation, and the chance that is left.
    pub fn write(mut self, mutation: bool) -> (Operation, Chance) {
        self.operation.mutation = mutation;
        self.budget = 3 + self.chance.below(25);
        if self.chance.percent(20) {
            self.operation.name = Some("Asked".to_owned());
        }
        let depth = if self.chance.percent(3) { 12 } else { 2 + self.chance.below(6) };
        let of = if mutation { "Mutation" } else { "Query" };
        let mut asked = Asked::default();
        self.operation.set = self.set(Spot { of, depth, root: true }, &mut asked);
        (self.operation, self.chance)
    }

    fn set(&mut self, at: Spot<'_>, asked: &mut Asked) -> Vec<Selection> {
        let wanted = if at.root { 1 + self.chance.below(3) } else { 1 + self.chance.below(4) };
        let mut items = Vec::new();
        let abstracted = self.model.possible(at.of) != [at.of];
        for _ in 0..wanted + usize::from(abstracted) {
            let item = match self.chance.below(100) {
                roll if roll < if abstracted { 50 } else { 8 } => self.inline(at, asked),
                roll if roll < if abstracted { 65 } else { 13 } => self.spread(at, asked),
                _ => self.field(at, asked),
            };
            items.extend(item);
        }
        if items.is_empty() {
            items.push(Selection::Field(self.type_name(at.of, asked)));
        }
        items
    }

    fn field(&mut self, at: Spot<'_>, asked: &mut Asked) -> Option<Selection> {
        let fields: Vec<&Field> =
            self.model.fields(at.of).iter().filter(|field| self.fits(at, field)).collect();
        if fields.is_empty() || self.chance.percent(6) {
            return Some(Selection::Field(self.type_name(at.of, asked)));
        }
        let field = *self.chance.pick(&fields);
        self.picked(at, field, asked).map(Selection::Field)
    }

    /// Whether there is room for one more of a field.
    fn fits(&self, at: Spot<'_>, field: &Field) -> bool {
        let leaf = self.model.is_leaf(name_of(&field.of));
        let room = !at.root || self.root_fields < MAX_ROOT_FIELDS;
        room && (leaf || at.depth > 1 && self.budget > 0) && !(self.issuing > 0 && self.issues(at, field))
    }

    /// Mutations whose answer has a plain secret: at most one in a request.
    fn issues(&self, at: Spot<'_>, field: &Field) -> bool {
        let reveals = |of: &str| self.model.fields(of).iter().any(|field| field.name == "clientSecret");
        let payload = name_of(&field.of);
        let inner = self.model.fields(payload).iter().any(|inner| reveals(name_of(&inner.of)));
        at.of == "Mutation" && (reveals(payload) || inner)
    }

    fn picked(&mut self, at: Spot<'_>, field: &Field, asked: &mut Asked) -> Option<Picked> {
        let before = asked.0.get(&field.name).filter(|known| known.signature == signature(field));
        let again = before.filter(|_| !self.issues(at, field)).map(|known| known.arguments.clone());
        let taken = asked.0.contains_key(&field.name);
        let alone = again.is_some() && (field.arguments.is_empty() || self.chance.percent(50));
        if taken && !alone && self.aliases >= MAX_ALIASES {
            return None;
        }
        let arguments = match again {
            Some(arguments) if alone => arguments,
            _ => self.arguments(at.of, &field.arguments),
        };
        let aliased = taken && !alone || self.aliases < MAX_ALIASES && self.chance.percent(8);
        let alias = aliased.then(|| self.fresh_alias());
        self.budget = self.budget.saturating_sub(1);
        self.root_fields += usize::from(at.root);
        self.issuing += usize::from(self.issues(at, field));
        let key = alias.clone().unwrap_or_else(|| field.name.clone());
        let known =
            Known { signature: signature(field), arguments: arguments.clone(), inner: Asked::default() };
        let inner = &mut asked.0.entry(key).or_insert(known).inner;
        let conditions = self.conditions();
        let of = name_of(&field.of);
        let set = if self.model.is_leaf(of) {
            Vec::new()
        } else {
            self.inner_set(Spot { of, depth: at.depth - 1, root: false }, inner)
        };
        Some(Picked { alias, name: field.name.clone(), arguments, conditions, set })
    }

    /// What is asked of a payload mostly tells whether the change was made.
    fn inner_set(&mut self, at: Spot<'_>, asked: &mut Asked) -> Vec<Selection> {
        let mut items = self.set(at, asked);
        if let Some(field) = self.model.field(at.of, "userErrors").filter(|_| at.depth > 1)
            && self.chance.percent(60)
        {
            items.extend(self.picked(at, field, asked).map(Selection::Field));
        }
        items
    }

    fn type_name(&mut self, of: &str, asked: &mut Asked) -> Picked {
        let field = type_name_field();
        let at = Spot { of, depth: 1, root: false };
        let plain = Picked {
            alias: None,
            name: field.name.clone(),
            arguments: vec![],
            conditions: vec![],
            set: vec![],
        };
        self.picked(at, &field, asked).unwrap_or(plain)
    }

    fn fresh_alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    fn inline(&mut self, at: Spot<'_>, asked: &mut Asked) -> Option<Selection> {
        let on = self.chance.percent(90).then(|| self.fragment_type(at));
        let of = on.as_deref().unwrap_or(at.of);
        self.enter()?;
        let conditions = self.conditions();
        let set = self.set(Spot { of, ..at }, asked);
        Some(Selection::Inline { on, conditions, set })
    }

    fn spread(&mut self, at: Spot<'_>, asked: &mut Asked) -> Option<Selection> {
        self.enter()?;
        let conditions = self.conditions();
        let known: Vec<&String> = self.operation.fragments.keys().collect();
        if !known.is_empty() && !at.root && self.chance.percent(40) {
            let name = (*self.chance.pick(&known)).clone();
            let fragment = self.operation.fragments[&name].clone();
            let possible = self.model.possible(at.of);
            let overlaps = self.model.possible(&fragment.on).iter().any(|object| possible.contains(object));
            if overlaps && self.agrees(asked, &fragment.on, &fragment.set) {
                return Some(Selection::Spread { fragment: name, conditions });
            }
        }
        let on = self.fragment_type(at);
        let set = self.set(Spot { of: &on, ..at }, asked);
        let name = format!("F{}", self.operation.fragments.len());
        self.operation.fragments.insert(name.clone(), Fragment { on, set });
        Some(Selection::Spread { fragment: name, conditions })
    }

    /// Fragments in fragments end somewhere.
    fn enter(&mut self) -> Option<()> {
        self.budget = self.budget.checked_sub(1)?;
        Some(())
    }

    fn fragment_type(&mut self, at: Spot<'_>) -> String {
        let on = self.model.overlapping(at.of);
        (*self.chance.pick(&on)).to_owned()
    }

    /// Whether what a fragment asks for can stand beside what is already asked for. Only plain leaves are compared; a
    /// fragment with more than that stays where it is.
    fn agrees(&self, asked: &mut Asked, on: &str, set: &[Selection]) -> bool {
        let type_name = type_name_field();
        let mut added = Vec::new();
        for item in set {
            let Selection::Field(picked) = item else {
                return false;
            };
            let named = (picked.name == type_name.name).then_some(&type_name);
            let Some(field) = named.or_else(|| self.model.field(on, &picked.name)) else {
                return false;
            };
            let differs = asked.0.get(picked.key()).is_some_and(|known| known.signature != signature(field));
            if differs || !picked.set.is_empty() || !picked.arguments.is_empty() {
                return false;
            }
            let known = Known { signature: signature(field), arguments: Vec::new(), inner: Asked::default() };
            added.push((picked.key().to_owned(), known));
        }
        for (key, value) in added {
            asked.0.entry(key).or_insert(value);
        }
        true
    }

    /// Each of the two directives at most once.
    fn conditions(&mut self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for skip in [false, true] {
            if self.chance.percent(3) {
                let when = self.chance.percent(if skip { 35 } else { 65 });
                let input = if self.chance.percent(50) { self.flag(when) } else { Input::Bool(when) };
                conditions.push(Condition { skip, when: input, holds: when != skip });
            }
        }
        conditions
    }

    /// A variable of type `Boolean!`: given, or left to its default.
    fn flag(&mut self, value: bool) -> Input {
        let name = format!("v{}", self.operation.variables.len());
        let default = self.chance.percent(40).then(|| Input::Bool(value != self.chance.percent(30)));
        if default != Some(Input::Bool(value)) || self.chance.percent(30) {
            self.operation.given.insert(name.clone(), value.into());
        }
        let of = if default.is_some() && self.chance.percent(50) { "Boolean" } else { "Boolean!" };
        self.operation.variables.push(Variable { name: name.clone(), of: of.to_owned(), default });
        Input::Variable(name)
    }
}

/// What two fields with one key must have in common beside the arguments.
fn signature(field: &Field) -> String {
    format!("{}: {}", field.name, field.of)
}

fn type_name_field() -> Field {
    let of = Type { base: BaseType::Named(async_graphql::Name::new("String")), nullable: false };
    Field { name: "__typename".to_owned(), arguments: Vec::new(), of }
}
