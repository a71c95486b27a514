//! Reads a folder of configuration into memory.
//!
//! Takes `*.toml` and `*.cedar` at any depth and ignores everything else, hidden files and folders too.
//! Never follows a symbolic link out of the folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// Path within the folder, with `/`, to text.
pub type Bundle = BTreeMap<String, String>;

const MOST_BYTES: u64 = 1024 * 1024;
const MOST_FILES: usize = 1_000;

/// The folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A symbolic link that leaves the folder.
    #[error("`{0}` is a link that leaves the folder; put the file itself there")]
    Leaves(PathBuf),
    /// A file that is too long to be configuration.
    #[error("`{path}` has {bytes} bytes, at most {MOST_BYTES} are taken; is it configuration?")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// More files than make sense.
    #[error("there are more than {MOST_FILES} files in `{0}`; is it the right folder?")]
    TooMany(PathBuf),
    /// A file that is not text.
    #[error("`{path}` is not UTF-8 from byte {at} on; save it as UTF-8")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong.
        at: usize,
    },
    /// A folder without any configuration.
    #[error("`{0}` has no `*.toml` file; is it the right folder?")]
    Empty(PathBuf),
}

impl FolderError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "config-read",
            Self::Leaves(_) => "config-link",
            Self::TooLong { .. } => "config-too-long",
            Self::TooMany(_) => "config-too-many",
            Self::Encoding { .. } => "config-encoding",
            Self::Empty(_) => "config-empty",
        }
    }
}

/// Reads all configuration in `folder`.
///
/// # Errors
/// [`FolderError`] for the first file or folder that cannot be taken; nothing is read in part.
pub fn read_folder(folder: &Path) -> Result<Bundle, FolderError> {
    let root = canonical(folder)?;
    let mut bundle = Bundle::new();
    walk(&root, &root, "", &mut BTreeSet::new(), &mut bundle)?;
    if bundle.keys().any(|path| path.ends_with(".toml")) {
        Ok(bundle)
    } else {
        Err(FolderError::Empty(folder.to_owned()))
    }
}

fn walk(
    root: &Path,
    folder: &Path,
    prefix: &str,
    above: &mut BTreeSet<PathBuf>,
    bundle: &mut Bundle,
) -> Result<(), FolderError> {
    let real = canonical(folder)?;
    if !real.starts_with(root) {
        return Err(FolderError::Leaves(folder.to_owned()));
    }
    // A link to a folder above would never end.
    if !above.insert(real.clone()) {
        return Ok(());
    }
    let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in listed.map_err(|source| FolderError::Read { path: folder.to_owned(), source })? {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if name.starts_with('.') {
            continue;
        }
        let relative = format!("{prefix}{name}");
        if path.is_dir() {
            walk(root, &path, &format!("{relative}/"), above, bundle)?;
        } else if name.ends_with(".toml") || name.ends_with(".cedar") {
            if bundle.len() == MOST_FILES {
                return Err(FolderError::TooMany(root.to_owned()));
            }
            bundle.insert(relative, read(root, &path)?);
        }
    }
    above.remove(&real);
    Ok(())
}

fn read(root: &Path, path: &Path) -> Result<String, FolderError> {
    let failed = |source| FolderError::Read { path: path.to_owned(), source };
    if !canonical(path)?.starts_with(root) {
        return Err(FolderError::Leaves(path.to_owned()));
    }
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MOST_BYTES {
        return Err(FolderError::TooLong { path: path.to_owned(), bytes });
    }
    String::from_utf8(fs::read(path).map_err(failed)?)
        .map_err(|e| FolderError::Encoding { path: path.to_owned(), at: e.utf8_error().valid_up_to() })
}

fn canonical(path: &Path) -> Result<PathBuf, FolderError> {
    path.canonicalize().map_err(|source| FolderError::Read { path: path.to_owned(), source })
}
