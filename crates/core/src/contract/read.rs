//! Reading one record against its contract: what it says of somebody, or what is wrong with its form.

use std::collections::BTreeSet;

use super::{Arrival, Breach, Known, NullPolicy, SourceContract, SourceRecord, status::Status};
use crate::{
    event::EventKind,
    guard::differing,
    identity::{LEGAL_HOLD, Lifecycle},
    policy::Attributes,
    stay::Cancelled,
    time::{Cutoff, Date, Effective, LocalDay, Timestamp},
};

/// What one record says.
pub(super) enum Said {
    Nothing,
    New(Arrival),
    /// Of somebody who was fired: they left; and whether they are under legal hold, where that is new.
    GoneToo(Option<Arrival>),
    /// Of somebody who was fired: they are here; and whether they are under legal hold, where that is new.
    HereStill(Option<Arrival>),
    /// Of somebody who was fired: they begin on a later day.
    Anew(Arrival),
}

/// What one record says.
pub(super) fn read(
    record: &SourceRecord,
    contract: &SourceContract,
    known: Option<&Known>,
    kept: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Said, Vec<Breach>> {
    let mut breaches: Vec<Breach> = record
        .no_days
        .iter()
        .map(|text| record.bad_day(format!("`{text}` is none; it is written as 2026-12-31")))
        .collect();
    let mut attributes = values(record, contract, known, &mut breaches);
    let others = |name: &String| kept.contains(name) && !contract.attributes.contains_key(name);
    for (name, value) in known.into_iter().flat_map(|k| &k.attributes).filter(|(name, _)| others(name)) {
        attributes.insert(name.clone(), value.clone());
    }
    let zone = || record.zone.clone().unwrap_or_else(|| contract.zone.clone());
    let mut instant = |date: Option<Date>, cutoff| {
        let day = LocalDay { date: date?, zone: zone(), cutoff };
        if cutoff == Cutoff::EndOfDay && day.is_never() {
            return None;
        }
        day.effective().map_err(|error| breaches.push(record.bad_day(error.to_string()))).ok()
    };
    let starts: Option<Effective> = instant(record.starts, Cutoff::StartOfDay);
    let ends = instant(record.ends, Cutoff::EndOfDay);
    let here = match contract.status.as_ref().map(|rule| (rule, rule.of(&attributes))) {
        // Of a record that is terminated the value may say just that.
        Some((_, Err(_))) if record.terminated => Status::AtWork,
        Some((rule, Err(value))) => {
            let (line, key, attribute) = (record.line, record.key.clone(), rule.attribute.clone());
            breaches.push(Breach::UnknownStatus { line, key, attribute, value });
            Status::AtWork
        }
        Some((_, Ok(status))) => status,
        None => Status::AtWork,
    };
    if !breaches.is_empty() {
        return Err(breaches);
    }
    // What two people took back counts for nothing until the source says something else.
    let kept = known.and_then(|k| k.cancelled.as_ref());
    let kept = kept.filter(|kept| kept.holds(ends.as_ref(), record.terminated));
    let cancelled = kept.map(|kept| Cancelled { terminated: Some(record.terminated), ..kept.clone() });
    let (terminated, ends) = match cancelled {
        Some(_) => (false, None),
        None => (record.terminated, ends),
    };
    let nobody = Lifecycle::Active { ends: None };
    let before = known.map_or(&nobody, |known| &known.lifecycle);
    let lifecycle = match (terminated, &starts) {
        // A termination with a last day in the future is an ending that is known, not one that is due.
        (true, _) => match ends.clone() {
            Some(end) if end.at > now => here.until(Some(end), known, now),
            Some(end) => before.left(end),
            None => before.left(Effective::at(now)),
        },
        (false, Some(starts)) if starts.at > now => Lifecycle::Pending { starts: starts.clone(), ends },
        (false, _) => here.until(ends, known, now).at(now),
    };
    let gone = matches!(lifecycle, Lifecycle::Left { .. });
    let fired = known.filter(|k| k.fired.is_some());
    let held = fired.and_then(|k| hold(record, k, &attributes, now));
    let fired = fired.and_then(|k| k.fired);
    let new = compare(record, known, attributes, lifecycle, cancelled, now);
    Ok(match (fired, new) {
        (Some(_), _) if gone => Said::GoneToo(held),
        // Whoever was fired is hired anew by a first day after that, and by nothing that was said before.
        (Some(fired), Some(arrival)) if starts.is_some_and(|first| first.at > fired) => Said::Anew(arrival),
        (Some(_), _) => Said::HereStill(held),
        (None, Some(arrival)) => Said::New(arrival),
        (None, None) => Said::Nothing,
    })
}

/// What is said of somebody who has left already: nothing but whether they are under legal hold. The rest of the record was
/// not taken, so no digest says that it was.
fn hold(record: &SourceRecord, left: &Known, said: &Attributes, now: Timestamp) -> Option<Arrival> {
    let mut attributes = left.attributes.clone();
    match said.get(LEGAL_HOLD) {
        Some(held) => drop(attributes.insert(LEGAL_HOLD.into(), held.clone())),
        None => drop(attributes.remove(LEGAL_HOLD)),
    }
    (attributes != left.attributes).then(|| Arrival {
        key: record.key.clone(),
        kind: EventKind::Changed { attributes: vec![LEGAL_HOLD.into()] },
        attributes,
        lifecycle: left.lifecycle.clone(),
        effective: Effective::at(now),
        cancelled: left.cancelled.clone(),
        digest: None,
    })
}

fn values(
    record: &SourceRecord,
    contract: &SourceContract,
    known: Option<&Known>,
    breaches: &mut Vec<Breach>,
) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, rule) in &contract.attributes {
        let (line, key) = (record.line, || record.key.clone());
        let before = || known.and_then(|k| k.attributes.get(name)).cloned();
        let value = match (record.values.get(name), rule.null) {
            (Some(Some(value)), _) if rule.kind.admits(value) => Some(value.clone()),
            (Some(Some(_)), _) => {
                breaches.push(Breach::WrongType { line, key: key(), attribute: name.clone() });
                continue;
            }
            (Some(None), NullPolicy::Clear) => None,
            (Some(None), NullPolicy::Ignore) | (None, _) => before(),
            (Some(None), NullPolicy::Reject) => {
                breaches.push(Breach::EmptyValue { line, key: key(), attribute: name.clone() });
                continue;
            }
        };
        match value {
            Some(value) => drop(attributes.insert(name.clone(), value)),
            None if rule.required => {
                breaches.push(Breach::EmptyValue { line, key: key(), attribute: name.clone() })
            }
            None => {}
        }
    }
    attributes
}

fn compare(
    record: &SourceRecord,
    known: Option<&Known>,
    attributes: Attributes,
    lifecycle: Lifecycle,
    cancelled: Option<Cancelled>,
    now: Timestamp,
) -> Option<Arrival> {
    let effective = match &lifecycle {
        Lifecycle::Left { at, .. } | Lifecycle::GardenLeave { since: at, .. } => at.clone(),
        Lifecycle::Pending { .. }
        | Lifecycle::Active { .. }
        | Lifecycle::Leave { .. }
        | Lifecycle::Absent { .. }
        | Lifecycle::Merged { .. } => Effective::at(now),
    };
    let kind = match (known, &lifecycle) {
        // Somebody who was gone before the hub knew them has nothing here to take away.
        (None, Lifecycle::Left { .. }) => return None,
        (None, _) => EventKind::Joined,
        (Some(k), _)
            if k.lifecycle == lifecycle && k.attributes == attributes && k.cancelled == cancelled =>
        {
            return None;
        }
        (Some(left @ Known { lifecycle: Lifecycle::Left { .. }, .. }), Lifecycle::Left { .. }) => {
            return hold(record, left, &attributes, now);
        }
        (Some(_), Lifecycle::Left { .. }) => EventKind::Left,
        // In their access whoever is kept out has left.
        (Some(k), Lifecycle::GardenLeave { .. }) if k.lifecycle.gone().is_none() => EventKind::Left,
        (Some(k), here) if k.lifecycle.gone().is_some() && here.gone().is_none() => EventKind::Joined,
        (Some(Known { lifecycle: Lifecycle::Absent { .. }, .. }), _) => EventKind::Returned,
        (Some(k), _) => {
            let mut changed = differing(&k.attributes, &attributes);
            if k.lifecycle != lifecycle || k.cancelled != cancelled {
                changed.push("lifecycle".into());
            }
            EventKind::Changed { attributes: changed }
        }
    };
    let digest = record.digest.filter(|_| cancelled.is_none());
    Some(Arrival { key: record.key.clone(), kind, attributes, lifecycle, effective, cancelled, digest })
}
