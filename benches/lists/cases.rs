//! What is asked: pages in every order, from the beginning and from the middle, searches, and counts.

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The arguments of `apiKeys`; `CURSOR` stands for a place in the middle of the list, in the order of the case.
    pub(crate) arguments: &'static str,
    pub(crate) order: Option<&'static str>,
    /// What is asked of them.
    pub(crate) fields: &'static str,
    /// It counts instead of listing, which looks at every key.
    pub(crate) is_count: bool,
    /// So many rows at least are answered, so that nothing fast is measured by mistake.
    pub(crate) rows: usize,
}

const fn page(name: &'static str, arguments: &'static str, order: Option<&'static str>) -> Case {
    Case { name, arguments, order, fields: OF_EACH, is_count: false, rows: 50 }
}

const fn search(name: &'static str, arguments: &'static str, rows: usize) -> Case {
    Case { name, arguments, order: None, fields: OF_EACH, is_count: false, rows }
}

const fn count(name: &'static str, arguments: &'static str) -> Case {
    Case { name, arguments, order: None, fields: "totalCount", is_count: true, rows: 0 }
}

const OF_EACH: &str = "nodes { id name clientId readOnly createdAt }";
const WITH_ALL: &str =
    "nodes { id name secrets { hint } roles { name } scopes { name } owner { __typename } }";

const NAME: Option<&str> = Some("{ field: NAME, direction: ASC }");
const USE: Option<&str> = Some("{ field: LAST_USED_AT, direction: ASC }");
const END: Option<&str> = Some("{ field: EXPIRES_AT, direction: DESC }");

pub(crate) const CASES: &[Case] = &[
    page("first page", "first: 50", None),
    Case { fields: WITH_ALL, ..page("first page with what hangs on keys", "first: 50", None) },
    page("page from the middle", "first: 50, after: CURSOR", None),
    page("last page", "last: 50", None),
    page("by name", "first: 50", NAME),
    page("by name, from the middle", "first: 50, after: CURSOR", NAME),
    page("by last use", "first: 50", USE),
    page("by last use, from the middle", "first: 50, after: CURSOR", USE),
    page("by last use, the never used", "last: 50", USE),
    page("by end, backward from the middle", "last: 50, before: CURSOR", END),
    search("search, 100 hits", "first: 50, filter: { search: \"quokka\" }", 50),
    search("search, 1,000 hits", "first: 50, filter: { search: \"wombat\" }", 50),
    search("search, owners of 100 keys", "first: 50, filter: { search: \"platypus\" }", 50),
    search("search, nothing", "first: 50, filter: { search: \"no such name\" }", 0),
    search("search, a client id", "first: 50, filter: { search: \"CLIENT\" }", 1),
    search("search, a hint", "first: 50, filter: { search: \"HINT\" }", 1),
    search("keys of one owner", "first: 50, filter: { ownerIds: [\"OWNER\"] }", 1),
    count("count of all", "first: 0"),
    count("count of one owner's", "first: 0, filter: { ownerIds: [\"OWNER\"] }"),
    count("count of read-only keys", "first: 0, filter: { readOnly: true }"),
    count("count of a search, 1,000 hits", "first: 0, filter: { search: \"wombat\" }"),
    count("count by scope", "first: 0, filter: { scopes: [\"keys:read\"] }"),
    count("count of keys unused for long", "first: 0, filter: { lastUsedBefore: \"2024-01-01T00:00:00Z\" }"),
];
