//! Flushing a whole file system at once.
//!
//! A flush of each of 184 tiles took 10 ms, with 32 threads; one of the file system that holds them 4 ms: each
//! file asks for its own commit of the file system's journal and its own flush of the device. Linux promises for
//! `syncfs` what `fsync` of every file would give (syncfs(2)), and since 5.8 it tells of every write that failed
//! since the directory was opened here. The price: what others have written there is flushed too.
//!
//! Absent: file systems that are known to promise less, or of which that is not known. There, each file is flushed.

use std::{fs::File, io};

/// A directory whose file system can be flushed as a whole.
pub(crate) struct Whole(File);

impl Whole {
    /// `None` where it cannot.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(dir: File) -> Option<Self> {
        // Network and user-space file systems write the data but do not ask their server to keep it.
        const EXT4: u64 = 0xef53;
        const XFS: u64 = 0x5846_5342;
        const BTRFS: u64 = 0x9123_683e;
        let kind = rustix::fs::fstatfs(&dir).ok()?.f_type as u64;
        let release = rustix::system::uname();
        let tells =
            release.release().to_str().ok().and_then(version).is_some_and(|version| version >= (5, 8));
        (tells && [EXT4, XFS, BTRFS].contains(&kind)).then_some(Self(dir))
    }

    /// `None` where it cannot.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_: File) -> Option<Self> {
        None
    }

    /// Makes durable what was written before.
    #[cfg(target_os = "linux")]
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }

    /// Makes durable what was written before.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The first two numbers of a release such as `6.1.0-13-amd64`.
#[cfg(target_os = "linux")]
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn releases_are_read() {
        for (release, expected) in [
            ("6.1.0-13-amd64", Some((6, 1))),
            ("5.8", Some((5, 8))),
            ("4.18.0-553.el8_10.x86_64", Some((4, 18))),
            ("5.15.153.1-microsoft-standard-WSL2", Some((5, 15))),
            ("6", None),
            ("", None),
            ("next-20250101", None),
        ] {
            assert_eq!(super::version(release), expected, "{release}");
        }
    }
}
