//! The rows of a store, as statements that both databases understand but for three functions.

use sea_orm::DbBackend;
use uuid::Uuid;

/// Keys of one user, on the average.
pub(crate) const KEYS_OF_AN_OWNER: u32 = 20;
/// When the first key was made, in milliseconds since 1970, and how long after it the second.
const START: u64 = 1_700_000_000_000;
const STEP: u64 = 60_000;
/// The digit of an id that tells what it is of.
const USER: u8 = 1;
const KEY: u8 = 3;
const SECRET: u8 = 4;

/// What differs between the databases.
struct Dialect(DbBackend);

impl Dialect {
    /// The id of the object with this number.
    fn id(&self, kind: u8, number: &str) -> String {
        let instant = format!("{START} + {STEP} * CAST({number} AS BIGINT)");
        if self.0 == DbBackend::Sqlite {
            return format!("unhex(printf('%012x70008{kind:03x}%012x', {instant}, {number}))");
        }
        let [instant, number] =
            [instant, number.to_owned()].map(|value| format!("lpad(to_hex({value}), 12, '0')"));
        format!("CAST({instant} || '70008{kind:03x}' || {number} AS UUID)")
    }

    /// Eight upper-case hex digits.
    fn hex(&self, value: &str) -> String {
        if self.0 == DbBackend::Sqlite {
            return format!("printf('%08X', {value})");
        }
        format!("lpad(upper(to_hex({value})), 8, '0')")
    }
}

/// The key in the middle of every order: enabled, used, with an end, of an active user.
pub(crate) fn middle(keys: u32) -> Option<Uuid> {
    let ordinary = |n: &u32| {
        n % 20 != 3
            && n % 20 != 5
            && !n.is_multiple_of(4)
            && !n.is_multiple_of(3)
            && owner_number(*n, keys) % 50 != 7
    };
    let n = u64::from((keys / 2..keys).find(ordinary)?);
    Uuid::parse_str(&format!("{:012x}70008{KEY:03x}{n:012x}", START + STEP * n)).ok()
}

fn owner_number(n: u32, keys: u32) -> u64 {
    u64::from(n) * 7919 % u64::from(keys / KEYS_OF_AN_OWNER)
}

/// One statement for each table.
pub(crate) fn statements(backend: DbBackend, keys: u32) -> Vec<String> {
    let (dialect, owners) = (Dialect(backend), keys / KEYS_OF_AN_OWNER);
    let [user, key, secret] = [USER, KEY, SECRET].map(|kind| dialect.id(kind, "n"));
    let owner = dialect.id(USER, &format!("(n * 7919 % {owners})"));
    let client_id = [31, 37, 41, 43].map(|seed| dialect.hex(&scrambled(seed))).join(" || ");
    let email = user_name(owners, "n || '@example.com'");
    let display_name = user_name(owners, "' ' || n");
    let key_name = key_name(keys);
    let made = format!("({START} + {STEP} * n)");
    vec![
        insert("accounts", owners, &format!("{user}, 'USER', n % 50 <> 7, 0, 1, 0, NULL, {START}, {START}")),
        insert("users", owners, &format!("{user}, {email}, NULL, {display_name}, NULL, NULL")),
        insert("user_roles", owners, &format!("{user}, (SELECT id FROM roles WHERE name = 'member')")),
        insert(
            "api_keys",
            keys,
            &format!(
                "{key}, {client_id}, {owner}, {key_name}, NULL,
                CASE n % 20 WHEN 3 THEN 'DELETED' WHEN 5 THEN 'DISABLED' ELSE 'ENABLED' END,
                n % 5 = 0, n % 2 = 1, NULL, CASE WHEN n % 3 <> 0 THEN {made} + 100000000000 + {} * 100 END,
                NULL, NULL, NULL, NULL, NULL, 0, 1, 1, {owner}, {made}, {made},
                CASE n % 20 WHEN 3 THEN {made} END, CASE WHEN n % 4 <> 0 THEN {made} + {} END, NULL, NULL, NULL",
                scrambled(47),
                scrambled(53)
            ),
        ),
        insert_where(
            "key_scopes",
            (keys, "n % 2 = 0"),
            &format!("{key}, (SELECT id FROM scopes WHERE name = CASE n % 4 WHEN 0 THEN 'keys:read' ELSE 'keys:use' END)"),
        ),
        insert_where(
            "key_roles",
            (keys, "n % 10 = 0"),
            &format!("{key}, (SELECT id FROM roles WHERE name = 'member')"),
        ),
        insert(
            "key_secrets",
            keys,
            &format!("{secret}, {key}, '$none$', {}, {made}, NULL, NULL", hint()),
        ),
        terms(owners, &format!("{USER}, {user}, {email}")),
        terms(owners, &format!("{USER}, {user}, {display_name}")),
        terms(keys, &format!("{KEY}, {key}, {key_name}")),
    ]
}

fn insert(table: &str, rows: u32, values: &str) -> String {
    insert_where(table, (rows, "TRUE"), values)
}

fn insert_where(table: &str, (rows, condition): (u32, &str), values: &str) -> String {
    format!("INSERT INTO {table} {} SELECT {values} FROM series WHERE {condition}", series(rows))
}

fn terms(rows: u32, values: &str) -> String {
    format!(
        "INSERT INTO search_terms (object_kind, object_id, text) {} SELECT {values} FROM series",
        series(rows)
    )
}

/// The numbers from 0.
fn series(rows: u32) -> String {
    format!(
        "WITH RECURSIVE series (n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {rows})"
    )
}

/// A number that looks like chance, below 2^31 - 1.
fn scrambled(seed: u32) -> String {
    format!("((n * 48271 + {seed} * 69621) * {seed} % 2147483647)")
}

/// Two words of consonants and vowels, in lower case.
fn words() -> String {
    let syllable = |seed: u32| {
        let chance = scrambled(seed);
        format!(
            "substr('bdfgklmnprstvz', CAST(1 + {chance} % 14 AS INTEGER), 1) || substr('aeiou', CAST(1 + {chance} / 14 % 5 AS INTEGER), 1)"
        )
    };
    format!("{} || '-' || {}", [3, 5, 7].map(syllable).join(" || "), [11, 13, 17].map(syllable).join(" || "))
}

/// In every store the same numbers of keys have the two animals in their names.
fn key_name(keys: u32) -> String {
    let [every_1000th, every_100th] = [keys / 1000, keys / 100];
    format!(
        "CASE WHEN n % {every_1000th} = 0 THEN 'wombat-' ELSE '' END || CASE WHEN n % {every_100th} = 1 THEN 'quokka-' ELSE '' END
        || {} || '-' || n",
        words()
    )
}

/// Five users have an animal in their names.
fn user_name(owners: u32, rest: &str) -> String {
    format!("CASE WHEN n % {} = 0 THEN 'platypus' ELSE {} END || {rest}", owners / 5, words())
}

/// Four letters and digits.
fn hint() -> String {
    let letter = |seed| {
        format!(
            "substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', CAST(1 + {} % 62 AS INTEGER), 1)",
            scrambled(seed)
        )
    };
    [59, 61, 67, 71].map(letter).join(" || ")
}
