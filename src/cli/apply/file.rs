//! The file, read and checked by itself: everything that can be told without a database.

use std::collections::HashMap;

use entity::scope::ScopeKind;
use serde::Deserialize;
use toml::Spanned;

use crate::error::UserError;
use crate::values::{Name, ScopeName, api_identifier, description};

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub apis: Vec<Api>,
    pub roles: Vec<Role>,
    pub groups: Vec<Group>,
}

/// An API, known by its identifier.
#[derive(Debug)]
pub(super) struct Api {
    pub line: usize,
    pub identifier: String,
    pub name: Name,
    pub description: Option<String>,
    pub scopes: Vec<Scope>,
}

/// A scope, known by its name among the scopes of all APIs.
#[derive(Debug)]
pub(super) struct Scope {
    pub line: usize,
    pub name: ScopeName,
    pub kind: ScopeKind,
    pub description: Option<String>,
}

#[derive(Debug)]
pub(super) struct Role {
    pub line: usize,
    pub name: Name,
    pub description: Option<String>,
    pub scopes: Vec<Reference>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub line: usize,
    pub name: Name,
    pub description: Option<String>,
    pub roles: Vec<Reference>,
}

/// The name of something that is elsewhere in the file or on the server.
#[derive(Debug)]
pub(super) struct Reference {
    pub line: usize,
    pub name: String,
}

/// A mistake in the file. Lines count from 1.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub line: usize,
    pub text: String,
}

impl Problem {
    pub(super) fn new(line: usize, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

/// A name as it is printed: in quotes, unless it is one plain word.
pub(super) fn shown(name: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_.:/?=&%~+@".contains(letter);
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { format!("{name:?}") }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    apis: Vec<RawApi>,
    #[serde(default)]
    roles: Vec<RawRole>,
    #[serde(default)]
    groups: Vec<RawGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApi {
    identifier: Spanned<String>,
    name: Spanned<String>,
    description: Option<Spanned<String>>,
    #[serde(default)]
    scopes: Vec<RawScope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScope {
    name: Spanned<String>,
    kind: Kind,
    description: Option<Spanned<String>>,
}

/// As the file writes it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Read,
    Write,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    name: Spanned<String>,
    description: Option<Spanned<String>>,
    #[serde(default)]
    scopes: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: Spanned<String>,
    description: Option<Spanned<String>>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
}

/// Reads the file. A file that is no TOML, or not of this form, has one problem: what comes after is guesswork.
pub(super) fn parse(text: &str) -> Result<Wanted, Vec<Problem>> {
    let mut reader = Reader { text, problems: Vec::new() };
    let raw: RawFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| reader.line(span.start));
        vec![Problem::new(line, explained(error.message()))]
    })?;
    let wanted = Wanted {
        apis: raw.apis.into_iter().filter_map(|api| reader.api(api)).collect(),
        roles: raw.roles.into_iter().filter_map(|role| reader.role(role)).collect(),
        groups: raw.groups.into_iter().filter_map(|group| reader.group(group)).collect(),
    };
    let scopes = wanted.apis.iter().flat_map(|api| &api.scopes);
    reader.once("API", wanted.apis.iter().map(|api| (api.line, &*api.identifier)));
    reader.once("scope", scopes.map(|scope| (scope.line, scope.name.as_str())));
    reader.once("role", wanted.roles.iter().map(|role| (role.line, role.name.as_str())));
    reader.once("group", wanted.groups.iter().map(|group| (group.line, group.name.as_str())));
    reader.problems.sort();
    if reader.problems.is_empty() { Ok(wanted) } else { Err(reader.problems) }
}

/// What the library says, in one line that no terminal takes for a command.
fn explained(message: &str) -> String {
    let mut text = String::new();
    for letter in message.trim().replace('\n', ", ").chars() {
        if letter.is_control() { text.extend(letter.escape_debug()) } else { text.push(letter) }
    }
    if text == "invalid type: map, expected a sequence" {
        text += "; each entry has a header of its own in double brackets, such as [[roles]]";
    }
    text
}

/// Parses what stands in the file, and notes what is wrong with it.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    fn api(&mut self, raw: RawApi) -> Option<Api> {
        let line = self.line(raw.identifier.span().start);
        let identifier = self.value(&raw.identifier, |text| api_identifier("identifier", text));
        let name = self.value(&raw.name, |text| Name::parse("name", text));
        let description = self.description(raw.description.as_ref());
        let scopes = raw.scopes.into_iter().filter_map(|scope| self.scope(&scope)).collect();
        Some(Api { line, identifier: identifier?, name: name?, description, scopes })
    }

    fn scope(&mut self, raw: &RawScope) -> Option<Scope> {
        let line = self.line(raw.name.span().start);
        let name = self.value(&raw.name, |text| ScopeName::parse("name", text));
        let kind = match raw.kind {
            Kind::Read => ScopeKind::Read,
            Kind::Write => ScopeKind::Write,
        };
        let description = self.description(raw.description.as_ref());
        Some(Scope { line, name: name?, kind, description })
    }

    fn role(&mut self, raw: RawRole) -> Option<Role> {
        let line = self.line(raw.name.span().start);
        let name = self.value(&raw.name, |text| Name::parse("name", text));
        let description = self.description(raw.description.as_ref());
        let scopes = self.references("scope", raw.scopes);
        Some(Role { line, name: name?, description, scopes })
    }

    fn group(&mut self, raw: RawGroup) -> Option<Group> {
        let line = self.line(raw.name.span().start);
        let name = self.value(&raw.name, |text| Name::parse("name", text));
        let description = self.description(raw.description.as_ref());
        let roles = self.references("role", raw.roles);
        Some(Group { line, name: name?, description, roles })
    }

    fn references(&mut self, what: &str, raw: Vec<Spanned<String>>) -> Vec<Reference> {
        let referred = |name: Spanned<String>| Reference {
            line: self.line(name.span().start),
            name: name.into_inner().trim().to_owned(),
        };
        let list: Vec<Reference> = raw.into_iter().map(referred).collect();
        self.once(what, list.iter().map(|reference| (reference.line, &*reference.name)));
        list
    }

    /// A description that is left out or empty is none.
    fn description(&mut self, raw: Option<&Spanned<String>>) -> Option<String> {
        raw.and_then(|raw| self.value(raw, |text| description("description", text))).flatten()
    }

    fn value<T>(
        &mut self,
        raw: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, UserError>,
    ) -> Option<T> {
        let parsed = parse(raw.get_ref());
        parsed.map_err(|error| self.wrong(raw.span().start, &error)).ok()
    }

    fn wrong(&mut self, at: usize, error: &UserError) {
        let text = format!("{}: {}", error.field.join("."), error.message);
        self.problems.push(Problem::new(self.line(at), text));
    }

    /// Notes names that stand there more than once.
    fn once<'n>(&mut self, what: &str, names: impl Iterator<Item = (usize, &'n str)>) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (line, name) in names {
            match first.get(name) {
                Some(there) => {
                    let text = format!("The {what} {} is already defined in line {there}.", shown(name));
                    self.problems.push(Problem::new(line, text));
                }
                None => _ = first.insert(name, line),
            }
        }
    }
}
