//! The networks that an API key may be used from: read strictly, kept in one canonical form, and closed in doubt.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::error::{UserError, UserErrorCode};

/// The most networks that one key can have.
pub const MAX_NETWORKS: usize = 100;

/// The longest that is repeated of what a caller sent, in characters: any network fits.
const SHOWN: usize = 50;

/// One network at least, each once. Whatever is in none of them is kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads what a caller sent; an empty list is refused, because it would let nobody in.
    pub fn parse(field: &'static str, texts: &[String]) -> Result<Self, UserError> {
        if texts.is_empty() {
            let message = "An empty list would block every address. Use null for no restriction.";
            return Err(UserError::invalid(field, message));
        }
        if texts.len() > MAX_NETWORKS {
            let message = format!("Use at most {MAX_NETWORKS} networks. This has {}.", texts.len());
            return Err(UserError::new(UserErrorCode::TooLong, field, message));
        }
        let mut networks = Vec::new();
        for text in texts {
            let network = network(text.trim())
                .map_err(|wrong| UserError::invalid(field, wrong.message(text.trim())))?;
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        Ok(Self(networks))
    }

    /// Reads the stored form; nothing, if it cannot be read whole.
    pub fn stored(text: &str) -> Option<Self> {
        let texts: Vec<String> = serde_json::from_str(text).ok()?;
        let networks = texts.iter().map(|text| network(text).ok()).collect::<Option<Vec<_>>>()?;
        (!networks.is_empty()).then_some(Self(networks))
    }

    /// The stored form: a JSON array of canonical texts.
    pub fn to_stored(&self) -> String {
        serde_json::json!(self.to_texts()).to_string()
    }

    /// Each network as address and length of its prefix, such as `10.0.0.0/8`.
    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(IpNet::to_string).collect()
    }

    /// Whether the address is in one of them. An IPv4 address in the form of IPv6 is an IPv4 address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Why a text is no network.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Form,
    Zone,
    /// Bits are set beyond the prefix of this network.
    HostBits(IpNet),
}

impl Wrong {
    fn message(&self, text: &str) -> String {
        let text: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        match self {
            Self::Form => {
                format!(
                    "`{text}` is not a network such as 10.0.0.0/8 or 2001:db8::/32, and not an IP address."
                )
            }
            Self::Zone => format!("`{text}` has a zone id, which is only valid on one machine."),
            Self::HostBits(network) => {
                format!("`{text}` has bits set beyond the prefix. Did you mean {network}?")
            }
        }
    }
}

/// One network, or an address that stands for itself alone. IPv4 in the form of IPv6 (RFC 4291, section 2.5.5.2)
/// becomes IPv4, which is how addresses of clients are compared.
fn network(text: &str) -> Result<IpNet, Wrong> {
    if text.contains('%') {
        return Err(Wrong::Zone);
    }
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    // The library's own parser takes numbers with zeros before them, which others read as octal.
    let address: IpAddr = address.parse().map_err(|_| Wrong::Form)?;
    let network = match prefix {
        None => IpNet::from(address),
        Some(prefix) => IpNet::new(address, length(prefix).ok_or(Wrong::Form)?).map_err(|_| Wrong::Form)?,
    };
    let network = unmapped(network);
    let truncated = network.trunc();
    if truncated == network { Ok(network) } else { Err(Wrong::HostBits(truncated)) }
}

/// Digits alone, without zeros before them.
fn length(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| digits && !padded)
}

fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Vec<String>, UserError> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Networks::parse("allowedNetworks", &texts).map(|networks| networks.to_texts())
    }

    fn message(text: &str) -> String {
        let error = parsed(&[text]).unwrap_err();
        assert_eq!((error.code, error.field), (UserErrorCode::Invalid, vec!["allowedNetworks"]));
        error.message
    }

    #[test]
    fn networks_and_addresses_have_one_canonical_form() {
        for (text, canonical) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            (" 10.0.0.0/8\t", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/32", "192.0.2.7/32"),
            ("2001:DB8:0:0::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("fe80::/10", "fe80::/10"),
            // IPv4 in the form of IPv6.
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::FFFF:c000:207/128", "192.0.2.7/32"),
            // Wider than what IPv4 has there, and IPv6 that only looks like it.
            ("::/64", "::/64"),
            ("::192.0.2.0/120", "::c000:200/120"),
        ] {
            assert_eq!(parsed(&[text]).unwrap(), [canonical], "{text}");
        }
    }

    #[test]
    fn what_is_written_twice_counts_once() {
        let twice = ["10.0.0.0/8", "192.0.2.7", "10.0.0.0/8", "192.0.2.7/32", "::ffff:10.0.0.0/104"];
        assert_eq!(parsed(&twice).unwrap(), ["10.0.0.0/8", "192.0.2.7/32"]);
    }

    #[test]
    fn bits_beyond_the_prefix_are_refused_with_the_right_network() {
        for (text, right) in [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("192.0.2.255/31", "192.0.2.254/31"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.0/90", "::ffc0:0:0/90"),
        ] {
            let expected = format!("`{text}` has bits set beyond the prefix. Did you mean {right}?");
            assert_eq!(message(text), expected);
            parsed(&[right]).unwrap();
        }
    }

    #[test]
    fn zones_are_refused() {
        for text in ["fe80::1%eth0", "fe80::%1/10", "fe80::/10%eth0"] {
            assert_eq!(message(text), format!("`{text}` has a zone id, which is only valid on one machine."));
        }
    }

    #[test]
    fn everything_else_is_no_network() {
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/256",
            "2001:db8::/129",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/08",
            "10.0.0.0/8/8",
            "10.0.0.0 /8",
            "10.0.0.0/255.0.0.0",
            "10.0.0",
            "10",
            "010.0.0.1",
            "10.0.0.256",
            "1.2.3.4:80",
            "[2001:db8::]/32",
            "2001:db8:::/32",
            "localhost",
            "10.0.0.0/8,10.1.0.0/16",
            "*",
        ] {
            let expected = format!(
                "`{text}` is not a network such as 10.0.0.0/8 or 2001:db8::/32, and not an IP address."
            );
            assert_eq!(message(text), expected);
        }
    }

    #[test]
    fn little_is_repeated_of_nonsense_and_nothing_that_is_not_printable() {
        let shown = message(&format!("\u{0}\n{}", "x".repeat(1_000)));
        let x = "x".repeat(48);
        assert!(shown.starts_with(&format!("`\\0\\n{x}` is not a network")), "{shown}");
    }

    #[test]
    fn there_is_one_network_at_least_and_a_hundred_at_most() {
        let error = parsed(&[]).unwrap_err();
        assert_eq!(error.code, UserErrorCode::Invalid);
        assert_eq!(error.message, "An empty list would block every address. Use null for no restriction.");
        let many: Vec<String> = (0..=100).map(|n| format!("192.0.2.{n}")).collect();
        assert_eq!(Networks::parse("allowedNetworks", &many[1..]).unwrap().to_texts().len(), MAX_NETWORKS);
        let error = Networks::parse("allowedNetworks", &many).unwrap_err();
        assert_eq!(error.code, UserErrorCode::TooLong);
        assert_eq!(error.message, "Use at most 100 networks. This has 101.");
    }

    #[test]
    fn the_stored_form_is_read_whole_or_not_at_all() {
        let both = Networks::parse("x", &["10.0.0.0/8".to_owned(), "2001:db8::1".to_owned()]).unwrap();
        assert_eq!(both.to_stored(), r#"["10.0.0.0/8","2001:db8::1/128"]"#);
        assert_eq!(Networks::stored(&both.to_stored()), Some(both));
        for unreadable in
            ["", "null", "{}", "[]", "[1]", "10.0.0.0/8", r#"["10.0.0.0/8","x"]"#, r#"["10.0.0.1/8"]"#]
        {
            assert_eq!(Networks::stored(unreadable), None, "{unreadable}");
        }
    }

    #[test]
    fn an_address_is_in_one_of_them_or_kept_out() {
        let networks = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            Networks::parse("x", &texts).unwrap()
        };
        for (within, address, expected) in [
            (["10.0.0.0/8", "2001:db8::/32"], "10.255.255.255", true),
            (["10.0.0.0/8", "2001:db8::/32"], "11.0.0.0", false),
            (["10.0.0.0/8", "2001:db8::/32"], "::ffff:10.1.2.3", true),
            (["10.0.0.0/8", "2001:db8::/32"], "::10.1.2.3", false),
            (["10.0.0.0/8", "2001:db8::/32"], "2001:db8:ffff::1", true),
            (["10.0.0.0/8", "2001:db8::/32"], "2001:db9::", false),
            // Everywhere, in one of the two.
            (["0.0.0.0/0", "10.0.0.0/8"], "203.0.113.7", true),
            (["0.0.0.0/0", "10.0.0.0/8"], "2001:db8::1", false),
            (["::/0", "fe80::/10"], "2001:db8::1", true),
            (["::/0", "fe80::/10"], "203.0.113.7", false),
            (["::/0", "fe80::/10"], "::ffff:203.0.113.7", false),
            (["192.0.2.7", "192.0.2.8/31"], "192.0.2.9", true),
            (["192.0.2.7", "192.0.2.8/31"], "192.0.2.6", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(networks(&within).contain(address), expected, "{address} in {within:?}");
        }
    }
}
