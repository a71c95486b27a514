//! The matrix of a case: rows are access classes, columns are systems, cells are verdicts.
//!
//! Fits in 100 columns: at most four systems stand side by side, fewer where their names are long, the others follow
//! below. A symbol and a word in every cell, so that it reads without colours and aloud.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    id::SystemName,
    verify::{Verdict, Witness},
};

use crate::render::{Output, Tone, WIDTH, count};

/// How many systems stand side by side at most.
const ABREAST: usize = 4;
/// The header of the first column.
const CLASS: &str = "access class";
/// How wide the longest verdict is with its symbol, and what stands between two columns.
const VERDICT: usize = "? unobservable".len();
const GAP: usize = 2;

const LEGEND: &str = "✓ removed: absent in a read   ◐ blocked: there, proven not to work   ✗ residual: still works\n\
    … pending: too early to tell   ? unobservable: cannot be seen   · no such class there";

/// The matrix with its legend.
pub fn matrix(output: Output, cells: &[Cell]) -> String {
    let found: BTreeMap<(AccessClass, &SystemName), &Cell> =
        cells.iter().map(|cell| ((cell.class, &cell.system), cell)).collect();
    let systems: BTreeSet<&SystemName> = cells.iter().map(|cell| &cell.system).collect();
    let systems: Vec<&SystemName> = systems.into_iter().collect();
    let classes: Vec<AccessClass> =
        AccessClass::ALL.into_iter().filter(|class| cells.iter().any(|cell| cell.class == *class)).collect();
    let mut text = String::new();
    for abreast in abreast(&systems, &classes) {
        let header: Vec<&str> = std::iter::once(CLASS).chain(abreast.iter().map(|s| s.as_str())).collect();
        let rows = classes.iter().map(|class| {
            let verdict = |system: &&SystemName| match found.get(&(*class, *system)) {
                Some(cell) => {
                    tone(&cell.verdict).cell(format!("{} {}", symbol(&cell.verdict), cell.verdict.name()))
                }
                None => Tone::Dim.cell("·"),
            };
            std::iter::once(Tone::Plain.cell(class)).chain(abreast.iter().map(verdict)).collect()
        });
        text.push_str(&output.drawn(&header, rows.collect()));
        text.push('\n');
    }
    let absent = AccessClass::ALL.len() - classes.len();
    text.push_str(LEGEND);
    text.push_str(&format!(
        "\n{} on none of these systems",
        count(absent as u64, "class exists", "classes exist")
    ));
    text
}

/// The systems in order, as many together as stand side by side.
fn abreast<'s>(systems: &[&'s SystemName], classes: &[AccessClass]) -> Vec<Vec<&'s SystemName>> {
    let first = classes.iter().map(|class| class.as_str().len()).chain([CLASS.len()]).max();
    let (mut all, mut filled): (Vec<Vec<&SystemName>>, usize) = (Vec::new(), 0);
    for &system in systems {
        let wide = system.as_str().len().max(VERDICT) + GAP;
        match all.last_mut() {
            Some(some) if some.len() < ABREAST && filled + wide <= usize::from(WIDTH) => {
                some.push(system);
                filled += wide;
            }
            Some(_) | None => {
                all.push(vec![system]);
                filled = first.unwrap_or_default() + GAP + wide;
            }
        }
    }
    all
}

/// With whose credential a cell was read, and whether that is another than the one that writes there.
pub const fn verifier(cell: &Cell) -> &'static str {
    match cell.witness {
        Some(Witness::Independent) => "verifier, independent",
        Some(Witness::Reader) => "daily reader, not the verifier's own",
        Some(Witness::Writer) => "writer, not independent",
        None => "nothing was read",
    }
}

/// Why each cell that is not simply removed is as it is, one line each.
pub fn reasons(cells: &[Cell]) -> Vec<String> {
    let line = |cell: &Cell| {
        let why = match &cell.verdict {
            Verdict::Removed => return None,
            Verdict::Blocked { purges_at: Some(at) } => format!("purged {at:.0}"),
            Verdict::Blocked { purges_at: None } => "no purge date is known; it would work again".to_owned(),
            Verdict::Residual { what } => format!("still there: {}", what.join(", ")),
            Verdict::Pending { until } => format!("readers may see the old state until {until:.0}"),
            Verdict::Unobservable { why, control: None } => format!("{why}; no control was accepted"),
            Verdict::Unobservable { why, control: Some(control) } => {
                let reason = control.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
                format!(
                    "{why}; {}{reason} stands in, owner {}, until {:.0}",
                    control.what, control.owner, control.expires
                )
            }
        };
        let witness = match cell.witness {
            Some(Witness::Reader) => " (read with the daily reader's credential)",
            Some(Witness::Writer) => " (read with the writer's own credential)",
            Some(Witness::Independent) | None => "",
        };
        Some(format!("{} {}/{}: {why}{witness}", symbol(&cell.verdict), cell.system, cell.class))
    };
    cells.iter().filter_map(line).collect()
}

const fn symbol(verdict: &Verdict) -> char {
    match verdict {
        Verdict::Removed => '✓',
        Verdict::Blocked { .. } => '◐',
        Verdict::Residual { .. } => '✗',
        Verdict::Pending { .. } => '…',
        Verdict::Unobservable { .. } => '?',
    }
}

/// The tone of a verdict.
pub fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Removed => Tone::Good,
        Verdict::Blocked { purges_at: Some(_) } => Tone::Good,
        Verdict::Blocked { purges_at: None } | Verdict::Pending { .. } | Verdict::Unobservable { .. } => {
            Tone::Warn
        }
        Verdict::Residual { .. } => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_core::{
        id::{AccountId, CaseId},
        time::Timestamp,
    };

    fn cell(system: &str, class: AccessClass, verdict: Verdict) -> Cell {
        Cell {
            case: CaseId::from_bytes([1; 16]),
            system: SystemName::new(system).unwrap(),
            class,
            account: AccountId::from_bytes([2; 16]),
            verdict,
            at: Timestamp::UNIX_EPOCH,
            method: "list".into(),
            witness: Some(Witness::Independent),
            answer: None,
            tried: 0,
        }
    }

    #[test]
    fn a_matrix_of_five_systems_fits_in_a_hundred_columns_and_shows_every_verdict() {
        let output = Output { json: false, quiet: false, color: false };
        let verdicts = [
            Verdict::Removed,
            Verdict::Blocked { purges_at: None },
            Verdict::Residual { what: vec!["token ci".into()] },
            Verdict::Pending { until: Timestamp::UNIX_EPOCH },
            Verdict::Unobservable { why: "no list".into(), control: None },
        ];
        let cells: Vec<Cell> = ["chat", "crm", "directory", "source-code", "wiki"]
            .iter()
            .flat_map(|system| {
                AccessClass::ALL
                    .into_iter()
                    .zip(verdicts.iter().cycle())
                    .map(move |(c, v)| cell(system, c, v.clone()))
            })
            .collect();
        let text = matrix(output, &cells);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
        let long = "a-system-of-a-department-that-has-a-long-name";
        let longer = format!("{long}-2");
        let named = [long, &longer].map(|system| cell(system, AccessClass::Sessions, Verdict::Removed));
        let wide = matrix(output, &named);
        assert!(wide.contains(&longer) && wide.lines().all(|line| line.chars().count() <= 100), "{wide}");
        for verdict in &verdicts {
            assert!(text.contains(&format!("{} {}", symbol(verdict), verdict.name())), "{text}");
        }
        assert!(text.contains("wiki"), "{text}");
    }

    #[test]
    fn every_cell_that_does_not_say_removed_has_a_reason() {
        let removed = cell("chat", AccessClass::Sessions, Verdict::Removed);
        let residual =
            cell("crm", AccessClass::PrimaryAccount, Verdict::Residual { what: vec!["ada@x".into()] });
        assert_eq!(reasons(&[removed, residual]), ["✗ crm/primary-account: still there: ada@x"]);
    }
}
