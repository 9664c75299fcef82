//! Input values: mostly such as a client would send at that place, some at the borders, some odd.

use async_graphql::parser::types::{BaseType, Type};

use super::chance::Chance;
use super::documents::{Input, Variable};
use super::schema::{Argument, Kind, name_of};
use super::world::World;
use super::writer::Writer;

/// A place for a value: the type that has it, and its name.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub owner: &'a str,
    pub name: &'a str,
    /// Only a variable that cannot be null may stand here: in `@oneOf` objects.
    pub exact: bool,
}

/// Short texts that have broken something somewhere.
const ODD_TEXTS: &[&str] = &[
    "",
    " ",
    "\u{0}",
    "a\u{0}b",
    "\u{1b}[31mred",
    "\u{7f}\u{80}",
    "\r\n\t",
    "' OR 1=1 --",
    "'; DROP TABLE api_key; --",
    "%",
    "_%_\\",
    "\\",
    "\"",
    "\"unclosed",
    "name:admin",
    "NEAR(a b, 2)",
    "a AND NOT (",
    "*",
    "^a + b*",
    "{\"a\": [1, null]}",
    "../../etc/passwd",
    "${jndi:x}",
    "<script>alert(1)</script>",
    "é\u{301}\u{202e}gnirts",
    "👩‍👩‍👧‍👦",
    "\u{feff}\u{2028}\u{ffff}",
    "\u{10ffff}",
    "null",
    "true",
    "0",
];

const INTS: &[i64] =
    &[0, 1, -1, 2, 100, 101, 1000, 65_536, 2_147_483_647, -2_147_483_648, 2_147_483_646, -2_147_483_647];

const LONGS: &[i64] = &[0, -1, 4_294_967_296, i64::MAX, i64::MIN, 9_007_199_254_740_993];

/// Instants as RFC 3339 allows them.
const TIMES: &[&str] = &[
    "2026-11-21T09:00:00Z",
    "2026-11-21T09:00:00.000Z",
    "2026-11-21T10:00:00.5+01:00",
    "2026-11-20T00:00:00-12:00",
    "2027-01-01T00:00:00.123456789Z",
    "2026-12-31T23:59:60Z",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "2026-11-21t09:00:00z",
];

const ODD_TIMES: &[&str] = &[
    "",
    "now",
    "2026-11-21",
    "2026-02-30T00:00:00Z",
    "2026-11-21T25:00:00Z",
    "2026-11-21T09:00:00",
    "+262142-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "2026-11-21 09:00:00Z",
    "1763715600000",
    "\u{0}",
];

const NETWORKS: &[&str] = &[
    "0.0.0.0/0",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "192.0.2.7",
    "2001:db8::/32",
    "::ffff:10.0.0.0/104",
    "10.0.0.1/8",
];

impl Writer<'_> {
    /// The arguments of a field, or the fields of an input object. At most one direction of a page, mostly.
    pub fn arguments(&mut self, owner: &str, known: &[Argument]) -> Vec<(String, Input)> {
        let mut given: Vec<(String, Input)> = Vec::new();
        for argument in known {
            let place = Place { owner, name: &argument.name, exact: false };
            let both = is_page(&argument.name) && given.iter().any(|(name, _)| is_page(name));
            let wanted = match (is_page(&argument.name), both) {
                (_, true) => 3,
                (true, false) => 60,
                (false, false) => 35,
            };
            if argument.required || self.chance.percent(wanted) {
                given.push((argument.name.clone(), self.value(place, &argument.of)));
            }
        }
        given
    }

    /// A value, or a variable that stands for one.
    fn value(&mut self, place: Place<'_>, of: &Type) -> Input {
        if self.constant || !self.chance.percent(25) {
            return self.literal(place, of);
        }
        self.constant = true;
        let variable = self.variable(place, of);
        self.constant = false;
        variable
    }

    /// A new variable that may stand at a place of this type (GraphQL, section 5.8.5): given, defaulted or left out.
    pub fn variable(&mut self, place: Place<'_>, of: &Type) -> Input {
        let name = format!("v{}", self.operation.variables.len());
        let filled = Type { nullable: false, ..of.clone() };
        let default = (!place.exact && self.chance.percent(25)).then(|| self.literal(place, &filled));
        let nullable = (of.nullable || default.is_some()) && self.chance.percent(70);
        let declared = if nullable { Type { nullable: true, ..of.clone() } } else { filled };
        let optional = nullable || default.is_some();
        if !(optional && self.chance.percent(30)) {
            let value = self.literal(place, &Type { nullable: of.nullable && nullable, ..of.clone() });
            self.operation.given.insert(name.clone(), value.json());
        }
        self.operation.variables.push(Variable { name: name.clone(), of: declared.to_string(), default });
        Input::Variable(name)
    }

    fn literal(&mut self, place: Place<'_>, of: &Type) -> Input {
        if of.nullable && self.chance.percent(6) {
            return Input::Null;
        }
        match &of.base {
            BaseType::Named(_) => self.named(place, of),
            // A single value stands for a list of one.
            BaseType::List(item) if self.chance.percent(4) => {
                self.literal(place, &Type { nullable: false, ..(**item).clone() })
            }
            BaseType::List(item) => {
                let length = match self.chance.below(100) {
                    0..10 => 0,
                    10..60 => 1,
                    60..98 => 2 + self.chance.below(3),
                    _ => 40,
                };
                Input::List((0..length).map(|_| self.value(place, item)).collect())
            }
        }
    }

    fn named(&mut self, place: Place<'_>, of: &Type) -> Input {
        let name = name_of(of);
        match self.model.kind(name) {
            Kind::Enum(values) => Input::Enum(self.chance.pick(values).clone()),
            Kind::Input { fields, one_of: true } => {
                let field = self.chance.pick(fields);
                let of = Type { nullable: false, ..field.of.clone() };
                let value = self.value(Place { owner: name, name: &field.name, exact: true }, &of);
                Input::Object(vec![(field.name.clone(), value)])
            }
            Kind::Input { fields, one_of: false } => Input::Object(self.arguments(name, fields)),
            _ => self.scalar(place, name),
        }
    }

    fn scalar(&mut self, place: Place<'_>, of: &str) -> Input {
        match of {
            "Boolean" => Input::Bool(self.chance.percent(50)),
            "Int" => Input::Int(self.int(place)),
            "ID" => Input::Text(self.id(place)),
            "String" => Input::Text(self.text(place)),
            "Long" | "Float" => Input::Int(*self.chance.pick(LONGS)),
            "DateTime" if self.chance.percent(90) => Input::Text((*self.chance.pick(TIMES)).to_owned()),
            "DateTime" => {
                self.operation.risky = true;
                Input::Text((*self.chance.pick(ODD_TIMES)).to_owned())
            }
            "Cidr" if self.chance.percent(80) => Input::Text((*self.chance.pick(NETWORKS)).to_owned()),
            "Cidr" => Input::Text(odd_text(&mut self.chance)),
            _ => {
                self.operation.risky = true;
                Input::Text(odd_text(&mut self.chance))
            }
        }
    }

    fn int(&mut self, place: Place<'_>) -> i64 {
        if self.chance.percent(12) {
            return *self.chance.pick(INTS);
        }
        let (from, to) = match place.name {
            "first" | "last" => (1, 6),
            "version" => (1, 3),
            "tokenLifetimeSeconds" => (60, 600),
            _ => (1, 1000),
        };
        from + i64::try_from(self.chance.below(to - 1)).unwrap()
    }

    fn id(&mut self, place: Place<'_>) -> String {
        if self.chance.percent(12) {
            return odd_id(&mut self.chance, self.world);
        }
        let ids = self.world.ids(place, self.operation.mutation);
        (*self.chance.pick(&ids)).clone()
    }

    fn text(&mut self, place: Place<'_>) -> String {
        if self.chance.percent(if matches!(place.name, "name" | "email" | "identifier") { 10 } else { 20 }) {
            return odd_text(&mut self.chance);
        }
        match place.name {
            "clientId" => self.chance.pick(&self.world.client_ids).clone(),
            "scopes" => self.chance.pick(&self.world.scopes).clone(),
            "after" | "before" => self.chance.pick(&self.world.cursors).clone(),
            "name" if place.owner == "CreateScopeInput" => {
                format!("fuzz-{}-{}:read", self.number, self.chance.below(1_000_000))
            }
            "email" => format!("fuzz{}.{}@example.com", self.number, self.chance.below(1_000_000)),
            "handle" => format!("fuzz.{}.{}", self.number, self.chance.below(1_000_000)),
            "identifier" => format!("urn:fuzz:{}:{}", self.number, self.chance.below(1_000_000)),
            "name" => format!("fuzz {} {}", self.number, self.chance.below(1_000_000)),
            "ip" => "127.0.0.1".to_owned(),
            "search" => (*self.chance.pick(&["key", "READ", "m", "admin"])).to_owned(),
            _ => "as asked".to_owned(),
        }
    }
}

/// Whether an argument is the length of a page: there are two, and only one can be given.
fn is_page(name: &str) -> bool {
    matches!(name, "first" | "last")
}

pub fn odd_text(chance: &mut Chance) -> String {
    match chance.below(20) {
        0 => "x".repeat(chance.below(3000)),
        1 => "é".repeat(99 + chance.below(3)),
        2 => "\u{0}".repeat(1 + chance.below(3)),
        _ => (*chance.pick(ODD_TEXTS)).to_owned(),
    }
}

/// An id of an unknown object, or no id at all.
fn odd_id(chance: &mut Chance, world: &World) -> String {
    let known = chance.pick(&world.known).clone();
    match chance.below(6) {
        0 => odd_text(chance),
        1 => known.to_uppercase(),
        2 => known.chars().rev().collect(),
        3 => format!("{known}0"),
        4 => known.split_once('_').map(|(_, opaque)| format!("what_{opaque}")).unwrap_or_default(),
        _ => {
            let (kind, opaque) = known.split_once('_').unwrap_or_default();
            let other = chance.pick(&["0", "7", "a", "z"]);
            format!("{kind}_{}{}", &opaque[..opaque.len() - 6], other.repeat(6))
        }
    }
}
