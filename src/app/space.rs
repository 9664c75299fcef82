//! Room on the disk that holds the data. A full disk can be left only by hand, so when there is little room the server
//! stops what fills it, exchanges and changes, while what is read and removed goes on.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// What counts as little, unless the settings say otherwise: this much, or this part of the disk if that is less.
const LITTLE: u64 = 256 << 20;
const PART: u64 = 50;

/// Whether there is room. As long as nobody has looked, there is.
#[derive(Debug)]
pub struct Space {
    /// None when the data are not on a disk of ours.
    directory: Option<PathBuf>,
    /// In bytes; none is the default.
    mark: Option<u64>,
    low: AtomicBool,
}

/// What a disk has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub free: u64,
    pub total: u64,
}

impl Space {
    pub fn new(directory: Option<PathBuf>, mark: Option<u64>) -> Self {
        Self { directory, mark, low: AtomicBool::new(false) }
    }

    /// Whether there was little room when it was last looked at.
    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// What the disk has; nothing when there is none of ours, or it does not tell.
    pub async fn measure(&self) -> Option<Room> {
        let directory = self.directory.clone()?;
        // A disk that hangs must not take a thread that serves with it.
        let measured = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&directory)).await;
        match measured {
            Ok(Ok(disk)) => Some(Room {
                free: disk.f_bavail.saturating_mul(disk.f_frsize),
                total: disk.f_blocks.saturating_mul(disk.f_frsize),
            }),
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot determine the free disk space");
                None
            }
            Err(_) => None,
        }
    }

    /// Whether this is little.
    pub fn is_little(&self, room: Room) -> bool {
        room.free < self.mark_of(room)
    }

    /// Remembers whether there is room, and says so in the server's log when that has changed.
    pub fn judge(&self, room: Room) {
        let (low, mark) = (self.is_little(room), self.mark_of(room));
        if self.low.swap(low, Ordering::Relaxed) == low {
            return;
        }
        let free = room.free;
        if low {
            tracing::error!(
                free,
                mark,
                "the disk is almost full: token exchanges and changes are refused until space is freed"
            );
        } else {
            tracing::warn!(
                free,
                mark,
                "the disk has enough free space again: token exchanges and changes are accepted"
            );
        }
    }

    fn mark_of(&self, room: Room) -> u64 {
        self.mark.unwrap_or(LITTLE.min(room.total / PART))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_a_part_of_small_disks_and_256_mib_of_large_ones() {
        let default = Space::new(None, None);
        for (total, mark) in [(100 << 20, 2 << 20), (1 << 40, 256 << 20)] {
            assert!(default.is_little(Room { free: mark - 1, total }), "{total}");
            assert!(!default.is_little(Room { free: mark, total }), "{total}");
        }
        let set = Space::new(None, Some(10));
        assert!(set.is_little(Room { free: 9, total: 1 << 40 }));
        assert!(!set.is_little(Room { free: 10, total: 1 << 40 }));
        assert!(!Space::new(None, Some(0)).is_little(Room { free: 0, total: 1 << 40 }));
    }

    #[test]
    fn room_is_little_until_there_is_more() {
        let space = Space::new(None, Some(10));
        for (free, low) in [(10, false), (9, true), (0, true), (10, false), (9, true)] {
            space.judge(Room { free, total: 100 });
            assert_eq!(space.is_low(), low, "{free}");
        }
    }

    #[tokio::test]
    async fn a_disk_is_measured_where_there_is_one() {
        let room = Space::new(Some(std::env::temp_dir()), None).measure().await.unwrap();
        assert!(room.free <= room.total && room.total > 0);
        assert_eq!(Space::new(None, None).measure().await, None);
        assert_eq!(Space::new(Some("/nowhere/at/all".into()), None).measure().await, None);
    }
}
