//! What this node is called, and that it is up again.
//!
//! The name lies in the data folder, so that a node that comes back goes on at once with what it held. Nobody else has it: a
//! folder that was copied, or is found on another machine, gets another name. While a process runs, it alone has the log
//! of the folder, and so the name.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bailiwick_core::{
    digest::Digest,
    id::Entropy,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::Store;
use tokio::sync::watch;

use crate::{
    clock::{SharedClock, Stopwatch},
    failure::{Failure, Result},
    folder::{Folder, write_secret},
    problem::chain,
};

/// What tells machines apart, where there is such a file.
const MACHINE: &str = "/etc/machine-id";

/// How often the clock is set by that of the store's server.
const AGAIN: Duration = Duration::from_secs(10);
/// The longest way of an answer that the clock is set by.
const AT_MOST: SignedDuration = SignedDuration::from_secs(1);

/// The name of the node that this folder is of.
///
/// # Errors
/// `folder-unwritable`.
pub fn name(folder: &Folder, entropy: &dyn Entropy) -> Result<String> {
    let file = file(folder);
    if let Some(name) = kept(&file) {
        return Ok(name);
    }
    let next = folder.path().join("node.next");
    // What an earlier try left says nothing.
    let _ = fs::remove_file(&next);
    let random = Digest::of(&entropy.salt()).to_string();
    let name = format!("hub-{}", &random[..16]);
    write_secret(&next, "")?;
    let text = format!("{name} {}\n", place(&next));
    let written = fs::write(&next, text).and_then(|()| fs::rename(&next, &file));
    written.map_err(|error| {
        Failure::usage("folder-unwritable", format!("cannot write `{}`", file.display())).because(&error)
    })?;
    Ok(name)
}

/// Where a folder keeps the name.
pub fn file(folder: &Folder) -> PathBuf {
    folder.path().join("node")
}

/// The name that a file holds, if it was written here.
fn kept(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (name, place_then) = text.trim_end().split_once(' ')?;
    (place_then == place(file)).then(|| name.to_owned())
}

/// Where a file is: a copy of it is elsewhere.
fn place(file: &Path) -> String {
    let about = fs::metadata(file).map(|about| (about.dev(), about.ino())).unwrap_or_default();
    let machine = fs::read_to_string(MACHINE).unwrap_or_default();
    Digest::of(format!("{} {} {}", machine.trim(), about.0, about.1).as_bytes()).short()
}

/// Sets the clock by the store's server, again and again, until it is told to stop. While the server is silent the clock
/// goes on by itself.
pub async fn keep_time(store: Arc<dyn Store>, clock: Arc<SharedClock>, mut stop: watch::Receiver<bool>) {
    loop {
        let asked = Stopwatch::start();
        match store.server_time().await {
            Ok(Some(now)) if asked.elapsed() < AT_MOST => {
                if let Ok(now) = Timestamp::from_millisecond(now) {
                    clock.set(now, asked);
                }
            }
            // An answer that was long under way says little.
            Ok(_) => {}
            Err(error) => tracing::debug!(error = chain(&error), "the store does not tell the time"),
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_folder_keeps_its_name_and_a_copy_of_it_has_another() {
        let home = tempfile::tempdir().unwrap();
        let (first, copy) = (home.path().join("a"), home.path().join("b"));
        let folder = Folder::make(&first).unwrap();
        let named = name(&folder, &SystemEntropy).unwrap();
        assert_eq!(name(&folder, &SystemEntropy).unwrap(), named);
        let copied = Folder::make(&copy).unwrap();
        fs::copy(first.join("node"), copy.join("node")).unwrap();
        let other = name(&copied, &SystemEntropy).unwrap();
        assert_ne!(other, named);
        assert_eq!(name(&copied, &SystemEntropy).unwrap(), other, "which it keeps");
    }
}
