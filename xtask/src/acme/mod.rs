//! Generates the people of `examples/acme`: the HR feed, its next delivery, and broken deliveries.
//!
//! The same seed gives the same bytes on every machine; a test compares them with what is checked in.
//! Dates that have passed are long past and dates to come are years away, so that the example says the
//! same whenever it is run. What is configured about the company is written by hand beside it.

mod feed;
mod names;
mod people;
mod random;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};

const SEED: u64 = 0x00ac_3e00_2026;

/// Path within `examples/acme` to content.
pub(crate) fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let people = people::company(SEED);
    let day_2 = people::day_2(&people);
    let kept = people.len() * 2 / 5;
    BTreeMap::from([
        ("hr.csv", feed::utf8(&people, &feed::COLUMNS)),
        ("feeds/day-2.csv", feed::utf8(&day_2, &feed::COLUMNS)),
        ("feeds/missing-column.csv", feed::utf8(&people, &feed::without("E-mail"))),
        ("feeds/wrong-encoding.csv", feed::windows_1252(&people)),
        ("feeds/duplicate-keys.csv", feed::utf8(&people::with_duplicates(&people), &feed::COLUMNS)),
        ("feeds/truncated.csv", feed::utf8(&people[..kept], &feed::COLUMNS)),
        ("feeds/empty.csv", Vec::new()),
    ])
}

/// Writes all files below `folder`.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for (path, bytes) in files() {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
        }
        fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{people::Person, *};

    #[test]
    fn what_is_checked_in_is_what_is_generated() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/acme");
        for (path, bytes) in files() {
            let held = fs::read(folder.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert!(held == bytes, "`{path}` is not what is generated; run `cargo xtask codegen acme`");
        }
    }

    #[test]
    fn the_company_has_its_troubles_and_is_sound_all_the_same() {
        let people = people::company(SEED);
        assert_eq!(people.len(), 500);
        let unique = |of: fn(&Person) -> String| people.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(unique(|p| p.key.to_string()), 500, "keys are unique");
        assert_eq!(unique(|p| p.email.to_lowercase()), 500, "e-mails are unique, whatever their case");
        assert!(unique(|p| format!("{}/{}", p.first, p.last)) < 500, "some have the same name");
        let local = |p: &Person| p.email.to_lowercase().split('@').next().unwrap_or_default().to_owned();
        assert!(unique(local) < 500, "some have the same local part");
        let by_key: BTreeMap<u32, &Person> = people.iter().map(|p| (p.key, p)).collect();
        let manager = |key: u32| by_key[&key].manager;
        for person in &people {
            assert!(person.manager.is_none_or(|m| by_key.contains_key(&m)), "{} has a manager", person.key);
            assert!(!person.display.trim().is_empty() && person.email.is_ascii(), "{}", person.key);
        }
        assert_eq!(manager(manager(1210).unwrap()), Some(1210), "two people manage each other");
        assert!(people.iter().any(|p| p.first.is_empty()), "some have one name only");
        assert!(people.iter().filter(|p| p.employment == "contractor").all(|p| !p.last_day.is_empty()));
        assert_eq!(people.iter().filter(|p| p.status == "terminated").count(), 2);
    }

    #[test]
    fn the_next_day_differs_in_three_rows() {
        let (before, after) = (people::company(SEED), people::day_2(&people::company(SEED)));
        let differ: Vec<(u32, &str)> =
            before.iter().zip(&after).filter(|(b, a)| b != a).map(|(_, a)| (a.key, a.status)).collect();
        assert_eq!(differ, [(1007, "terminated"), (1042, "active"), (1123, "terminated")]);
        assert_eq!((before[41].department, after[41].department), ("Sales", "Finance"));
        assert_eq!((before[6].department, before[122].department), ("Engineering", "Finance"));
    }

    #[test]
    fn broken_deliveries_are_broken_as_their_names_say() {
        let files = files();
        let lines = |path: &str| String::from_utf8(files[path].clone()).unwrap().matches("\r\n").count();
        assert_eq!(lines("hr.csv"), 501);
        assert_eq!(lines("feeds/truncated.csv"), 201);
        assert_eq!(lines("feeds/duplicate-keys.csv"), 503);
        assert!(String::from_utf8(files["feeds/wrong-encoding.csv"].clone()).is_err());
        assert!(!String::from_utf8_lossy(&files["feeds/missing-column.csv"]).contains("E-mail"));
        assert!(files["feeds/empty.csv"].is_empty());
    }
}
