//! Chance as an argument: the system's generator, and a seeded one whose values a test can write down. Ids are made
//! here too, because they are time and chance.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use entity::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use uuid::{Builder, Uuid};

/// Where random bytes come from.
pub trait Random: Send + Sync + fmt::Debug {
    fn fill(&self, bytes: &mut [u8]);
}

/// A shared source of random bytes.
pub type Entropy = Arc<dyn Random>;

/// `N` random bytes.
pub fn bytes<const N: usize>(entropy: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// A new id: UUID version 7 (RFC 9562, section 5.7).
pub fn id(entropy: &dyn Random, now: Timestamp) -> Uuid {
    made_of(now, &bytes(entropy))
}

fn made_of(now: Timestamp, random: &[u8; 10]) -> Uuid {
    Builder::from_unix_timestamp_millis(now.0.unsigned_abs(), random).into_uuid()
}

/// The generator of the cryptography library. The few bytes of an id, a salt or a nonce are drawn ahead, because a draw costs
/// many times what they do. Secrets, which are longer, are drawn when they are asked for.
pub struct SystemEntropy(Mutex<Ahead>);

/// Bytes that nobody was given yet: so many, from the front.
struct Ahead {
    bytes: [u8; 512],
    left: usize,
}

/// The most that is given of what was drawn ahead.
const SHORT: usize = 16;

impl SystemEntropy {
    pub fn shared() -> Entropy {
        Arc::new(Self(Mutex::new(Ahead { bytes: [0; 512], left: 0 })))
    }
}

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemEntropy")
    }
}

impl Random for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > SHORT {
            return draw(bytes);
        }
        let Ahead { bytes: ahead, left } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *left < bytes.len() {
            draw(ahead);
            *left = ahead.len();
        }
        *left -= bytes.len();
        for (byte, next) in bytes.iter_mut().zip(ahead.iter_mut().skip(*left)) {
            *byte = std::mem::take(next);
        }
    }
}

fn draw(bytes: &mut [u8]) {
    // A process that cannot have randomness cannot make a secret: there is nothing better to do than to stop.
    aws_lc_rs::rand::fill(bytes).unwrap_or_else(|_| std::process::abort());
}

/// A generator for tests: the same seed gives the same bytes.
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    pub fn shared(seed: u64) -> Entropy {
        Arc::new(Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }
}

impl fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededEntropy")
    }
}

impl Random for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

/// Ids that only go up within this process, whatever the clock does: the order of the activity log.
#[derive(Debug)]
pub struct Sequence {
    entropy: Entropy,
    last: Mutex<u128>,
}

impl Sequence {
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, last: Mutex::new(0) }
    }

    pub fn next(&self, now: Timestamp) -> Uuid {
        // Asked for once: the question costs more than the bytes.
        let [a, b, c, d, random @ ..] = bytes::<14>(&*self.entropy);
        let fresh = made_of(now, &random).as_u128();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // A step of random size: ids of one millisecond ascend and still cannot be guessed from each other.
        *last = fresh.max(*last + u128::from(u32::from_le_bytes([a, b, c, d])) + 1);
        Uuid::from_u128(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_ascends_even_when_the_clock_goes_back() {
        let sequence = Sequence::new(SeededEntropy::shared(1));
        let ids: Vec<Uuid> = (0..1000).map(|n| sequence.next(Timestamp(1_000_000 - n * 10))).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.len(), ids.iter().collect::<std::collections::HashSet<_>>().len());
    }

    #[test]
    fn nobody_is_given_bytes_that_somebody_else_has() {
        let entropy = SystemEntropy::shared();
        let mut given: Vec<u8> = Vec::new();
        let mut ids = std::collections::HashSet::new();
        for length in [16, 10, 14, 12, 32, 16].into_iter().cycle().take(600) {
            let mut bytes = vec![0; length];
            entropy.fill(&mut bytes);
            given.extend(&bytes);
            assert!(ids.insert(bytes));
        }
        let zeros = given.iter().filter(|byte| **byte == 0).count();
        assert!(zeros < given.len() / 50, "{zeros} of {} are zero", given.len());
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(bytes::<16>(&*SeededEntropy::shared(7)), bytes::<16>(&*SeededEntropy::shared(7)));
        assert_ne!(bytes::<16>(&*SeededEntropy::shared(7)), bytes::<16>(&*SeededEntropy::shared(8)));
    }
}
