//! `filter.search`, letter by letter: which of them are one, which begin a search, and that none has another meaning.

use super::list::auditor;
use super::search::{found, named};
use crate::harness::Server;

/// Proves: X-12
#[tokio::test]
async fn under_three_characters_a_search_is_a_beginning() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &["zürich", "ürzig", "zu", "z", "xzü", "日本語", "本日", "\u{10ffff}\u{10ffff}x"]).await;
    let cases = [
        ("z", "zürich zu z"),
        ("Z", "zürich zu z"),
        ("zü", "zürich"),
        ("ZÜ", "zürich"),
        ("ü", "ürzig"),
        ("zür", "zürich"),
        ("rzi", "ürzig"),
        ("xzü", "xzü"),
        ("zu", "zu"),
        ("xz", "xzü"),
        ("日", "日本語"),
        ("本", "本日"),
        ("日本語", "日本語"),
        ("\u{10ffff}", "\u{10ffff}\u{10ffff}x"),
        ("\u{10ffff}\u{10ffff}", "\u{10ffff}\u{10ffff}x"),
        ("\u{10ffff}x", ""),
        ("~~", "zürich ürzig zu z xzü 日本語 本日 \u{10ffff}\u{10ffff}x"),
        ("~~~", "zürich ürzig zu z xzü 日本語 本日 \u{10ffff}\u{10ffff}x"),
        ("~~~~", ""),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn both_cases_of_every_letter_are_one() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &["ÄRGERNIS", "Straße", "İstanbul", "ΟΔΟΣΑ", "ПРИВЕТ", "ﬁnal", "DŽEP", "\u{212a}elvin"])
        .await;
    let cases = [
        ("ärger", "ÄRGERNIS"),
        ("ÄRGER", "ÄRGERNIS"),
        ("är", "ÄRGERNIS"),
        ("argernis", ""),
        ("straße", "Straße"),
        ("STRAẞE", "Straße"),
        ("strasse", ""),
        // The capital I with a dot is an i with a dot of its own above it.
        ("İST", "İstanbul"),
        ("i\u{307}stanbul", "İstanbul"),
        ("istanbul", ""),
        ("stanbul", "İstanbul"),
        ("ΟΔΟΣ", "ΟΔΟΣΑ"),
        ("οδος", "ΟΔΟΣΑ"),
        ("οδοσα", "ΟΔΟΣΑ"),
        ("привет", "ПРИВЕТ"),
        ("ВЕТ", "ПРИВЕТ"),
        ("ﬁna", "ﬁnal"),
        ("final", ""),
        ("džep", "DŽEP"),
        ("KELVIN", "\u{212a}elvin"),
        ("ke", "\u{212a}elvin"),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }
    server.stop().await;
}

/// Names with letters that mean something to one database or the other.
const SPECIAL: [&str; 17] = [
    "100%",
    "a_b_c",
    "axbxc",
    "say \"hi\"",
    "st*r",
    "back\\slash",
    "o'hara",
    "a AND b",
    "a OR b",
    "NOT c",
    "NEAR(x)",
    "^start",
    "col:umn",
    "{curly}",
    "$1 ? :x",
    "-- x",
    "a-b+c",
];

#[tokio::test]
async fn letters_that_mean_something_to_a_database_are_letters() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &SPECIAL).await;
    let cases = [
        ("%", ""),
        ("100%", "100%"),
        ("0%", ""),
        ("00%", "100%"),
        ("1%", ""),
        ("%%%", ""),
        ("a_", "a_b_c"),
        ("a_b", "a_b_c"),
        ("___", ""),
        ("\"", ""),
        ("\"hi\"", "say \"hi\""),
        ("\"\"\"", ""),
        (" \"h", ""),
        ("st*", "st*r"),
        ("s*r", ""),
        ("***", ""),
        ("k\\s", "back\\slash"),
        ("\\", ""),
        ("'", ""),
        ("o'h", "o'hara"),
        ("' OR 1=1 --", ""),
        ("a AND b", "a AND b"),
        ("AND", "a AND b"),
        ("a OR", "a OR b"),
        ("NOT c", "NOT c"),
        ("NEAR(x)", "NEAR(x)"),
        ("^st", "^start"),
        ("text : a", ""),
        ("col:", "col:umn"),
        ("{cu", "{curly}"),
        ("$1 ?", "$1 ? :x"),
        ("-- ", "-- x"),
        ("-- x", "-- x"),
        ("a-b+c", "a-b+c"),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }
    server.stop().await;
}
