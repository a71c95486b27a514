//! The sentences that can be tested of any connector.

use bailiwick_core::{access::AccessClass, plan::Op};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Bench, Fixtures, Tested, Verdict, ensure, unexpected};
use crate::{AccountWrite, ConnectorError, Effect, ErrorKind, Listing, Locator, Object};

/// What is declared does not answer `Unsupported`, and everything else does, and changes nothing. That
/// declared changes work is shown by "apply then get holds".
pub(super) async fn declared_is_implemented(bench: &Bench<'_>) -> Tested {
    let capability = bench.connector.capability();
    let account = bench.ids.accounts.first().map_or("1", String::as_str);
    let before = bench.subject.truth().await;
    let mut listings = vec![
        (Listing::People, capability.people),
        (Listing::Accounts, capability.accounts),
        (Listing::Groups, capability.groups),
    ];
    let held = |class| (Listing::Held { account, class }, capability.observes.contains(&class));
    listings.extend(AccessClass::ALL.map(held));
    for (listing, declared) in listings {
        let got = bench.list(listing, 10).await.map(drop);
        agrees(declared, got, &format!("list {listing:?}"))?;
    }
    let locators = [
        (Locator::Person("1"), capability.people),
        (Locator::Account("1"), capability.accounts),
        (Locator::AccountNamed("x"), capability.accounts),
        (Locator::AccountMarked("x"), capability.accounts),
        (Locator::Group("1"), capability.groups),
    ];
    for (locator, declared) in locators {
        let got = bench.connector.get(&bench.reader, locator).await.map(drop);
        agrees(declared, got, &format!("get {locator:?}"))?;
    }
    for op in undeclared(bench) {
        let on = if matches!(op, Op::CreateAccount { .. }) { None } else { Some(account) };
        let got = bench.connector.apply(&bench.line, on, &op, None, &bench.key()).await.map(drop);
        agrees(false, got, &op.words())?;
    }
    bench.unchanged(&before, "what is not declared").await?;
    Ok(Verdict::Holds)
}

fn undeclared(bench: &Bench<'_>) -> Vec<Op> {
    let capability = bench.connector.capability();
    let mut ops = Vec::new();
    let way = u8::try_from(capability.disable_ways.len()).unwrap_or(u8::MAX);
    ops.push(Op::Disable { way });
    let attributes = bench.subject.attributes("kit.none");
    ops.extend(AccountWrite::ALL.into_iter().filter(|write| !capability.writes.contains(write)).map(
        |write| match write {
            AccountWrite::Create => {
                Op::CreateAccount { marker: "kit".into(), attributes: attributes.clone() }
            }
            AccountWrite::Update => Op::SetAttributes { attributes: attributes.clone() },
            AccountWrite::Enable => Op::Enable,
            AccountWrite::Delete => Op::Delete,
        },
    ));
    for class in AccessClass::ALL {
        let external_id = "1".to_owned();
        if !capability.grants.contains(&class) {
            ops.push(Op::Grant { class, external_id: external_id.clone() });
        }
        if !capability.removes.contains(&class) {
            ops.extend([Op::Revoke { class, external_id }, Op::RevokeAll { class }]);
        }
    }
    ops
}

fn agrees(declared: bool, got: Result<(), ConnectorError>, what: &str) -> Result<(), String> {
    match (declared, got) {
        (true, Ok(())) => Ok(()),
        (true, Err(e)) => Err(format!("{what} is declared and fails: {} {e}", e.code())),
        (false, Ok(())) => Err(format!("{what} is not declared and works")),
        (false, Err(e)) => ensure(e.kind == ErrorKind::Unsupported && e.effect == Effect::None, || {
            format!("{what} is not declared and answers {} ({:?}): {e}", e.code(), e.effect)
        }),
    }
}

pub(super) async fn check_changes_nothing(bench: &Bench<'_>) -> Tested {
    let before = bench.subject.truth().await;
    for line in [&bench.line, &bench.reader] {
        bench.connector.check(line).await.map_err(unexpected("check"))?;
    }
    bench.unchanged(&before, "check").await?;
    Ok(Verdict::Holds)
}

pub(super) async fn list_visits_each_once(bench: &Bench<'_>) -> Tested {
    let most = bench.connector.capability().max_page.max(1);
    let fixtures = Fixtures::standard();
    for listing in bench.listings() {
        let mut first: Option<Vec<String>> = None;
        for size in [1, 2, 3, most] {
            let objects = bench
                .list(listing, size)
                .await
                .map_err(unexpected(&format!("list {listing:?} by {size}")))?;
            let mut got: Vec<String> = objects.iter().map(|o| o.id.to_string()).collect();
            got.sort();
            let expected = match listing {
                Listing::People => bench.ids.people.clone(),
                Listing::Accounts => bench.ids.accounts.clone(),
                Listing::Groups => bench.ids.groups.clone(),
                Listing::Held { class: AccessClass::DirectGroups, .. } => {
                    let holds = |(at, _): &(usize, &String)| {
                        fixtures.groups.get(*at).is_some_and(|g| g.members.contains(&0))
                    };
                    bench.ids.groups.iter().enumerate().filter(holds).map(|(_, id)| id.clone()).collect()
                }
                // What else the first account holds is the subject's choice, and at least one thing.
                Listing::Held { .. } => {
                    ensure(!got.is_empty(), || format!("{listing:?} shows nothing"))?;
                    first.clone().unwrap_or_else(|| got.clone())
                }
            };
            let mut expected = expected;
            expected.sort();
            ensure(got == expected, || {
                format!("{listing:?} by {size} shows {got:?}, there are {expected:?}")
            })?;
            first.get_or_insert(got);
        }
    }
    Ok(Verdict::Holds)
}

pub(super) async fn says_when_partial(bench: &Bench<'_>) -> Tested {
    if !bench.subject.hide_part() {
        return Ok(Verdict::NotApplicable("this system cannot be made to hide anything"));
    }
    for listing in bench.listings().into_iter().filter(|l| !matches!(l, Listing::Held { .. })) {
        if let Ok((objects, complete)) = bench.pages(listing, 2).await {
            ensure(!complete, || format!("{listing:?} shows {} and says that this is all", objects.len()))?;
        }
    }
    Ok(Verdict::Holds)
}

pub(super) async fn get_agrees_with_list(bench: &Bench<'_>) -> Tested {
    for listing in bench.listings() {
        let objects = bench.list(listing, 3).await.map_err(unexpected("list"))?;
        for object in &objects {
            let id = object.id.as_ref();
            let mut locators = match listing {
                Listing::People => vec![Locator::Person(id)],
                Listing::Accounts => vec![Locator::Account(id), Locator::AccountNamed(&object.name)],
                Listing::Groups => vec![Locator::Group(id)],
                Listing::Held { .. } => Vec::new(),
            };
            if let (Listing::Accounts, Some(marker)) = (listing, &object.marker) {
                locators.push(Locator::AccountMarked(marker));
            }
            for locator in locators {
                let got = bench.connector.get(&bench.reader, locator).await.map_err(unexpected("get"))?;
                ensure(got.as_ref() == Some(object), || {
                    format!("{locator:?} gives {got:?}, the list {object:?}")
                })?;
            }
        }
    }
    let capability = bench.connector.capability();
    let nowhere = [
        (capability.people, Locator::Person("no-such-person")),
        (capability.accounts, Locator::Account("no-such-account")),
        (capability.accounts, Locator::AccountNamed("no-such-name")),
        (capability.accounts, Locator::AccountMarked("no-such-marker")),
        (capability.groups, Locator::Group("no-such-group")),
    ];
    for (_, locator) in nowhere.into_iter().filter(|(declared, _)| *declared) {
        let got = bench
            .connector
            .get(&bench.reader, locator)
            .await
            .map_err(unexpected("get of what is not there"))?;
        ensure(got.is_none(), || format!("{locator:?} gives {got:?}"))?;
    }
    Ok(Verdict::Holds)
}

pub(super) async fn identifiers_are_kept(bench: &Bench<'_>) -> Tested {
    let fixtures = Fixtures::standard();
    for listing in bench.listings() {
        let expected: Vec<(Option<&str>, &str, Option<&str>)> = match listing {
            Listing::People => {
                fixtures.people.iter().map(|p| (Some(p.key.as_str()), p.name.as_str(), None)).collect()
            }
            Listing::Accounts => {
                fixtures.accounts.iter().map(|a| (None, a.name.as_str(), a.marker.as_deref())).collect()
            }
            Listing::Groups => fixtures.groups.iter().map(|g| (None, g.name.as_str(), None)).collect(),
            Listing::Held { .. } => continue,
        };
        let objects = bench.list(listing, 50).await.map_err(unexpected("list"))?;
        for (key, name, marker) in expected {
            let is = |o: &&Object<'_>| {
                o.name == name && key.is_none_or(|k| o.id == k) && o.marker.as_deref() == marker
            };
            ensure(objects.iter().any(|o| is(&o)), || {
                let shown: Vec<_> = objects.iter().map(|o| (&o.id, &o.name, &o.marker)).collect();
                format!("{listing:?} does not show {key:?} {name:?} {marker:?} as it is: {shown:?}")
            })?;
        }
    }
    if bench.connector.capability().writes.contains(&AccountWrite::Create) {
        let (name, marker) = ("Kit.Ünï-1", "HR/Ä 1");
        let op = Op::CreateAccount { marker: marker.into(), attributes: bench.subject.attributes(name) };
        let made = bench.connector.apply(&bench.line, None, &op, None, &bench.key()).await;
        let id = made.map_err(unexpected("create"))?.external_id.ok_or("create gives no id")?;
        bench.subject.settle().await;
        bench.truly(&id, &op).await?;
        let got = bench
            .connector
            .get(&bench.reader, Locator::AccountMarked(marker))
            .await
            .map_err(unexpected("get"))?;
        let same = got.as_ref().is_some_and(|o| o.name == name && o.marker.as_deref() == Some(marker));
        ensure(same, || format!("created {name:?} {marker:?}, found {got:?}"))?;
    }
    Ok(Verdict::Holds)
}

pub(super) async fn nothing_secret_in_debug(bench: &Bench<'_>) -> Tested {
    let Some(secret) = bench.subject.secret() else {
        return Ok(Verdict::NotApplicable("there is no credential"));
    };
    let mut shown = format!("{:?} {:?} {:?}", bench.line, bench.reader, bench.connector.capability());
    for listing in bench.listings() {
        shown += &format!("{:?}", bench.list(listing, 50).await);
    }
    for op in undeclared(bench).into_iter().chain([Op::Delete, Op::Enable]) {
        let got = bench.connector.apply(&bench.line, Some("no-such-account"), &op, None, &bench.key()).await;
        shown += &format!("{got:?} {}", got.as_ref().err().map(ToString::to_string).unwrap_or_default());
    }
    shown += &format!("{:?}", bench.connector.check(&bench.line).await);
    for form in [STANDARD.encode(&secret), secret] {
        ensure(!shown.contains(&form), || "the secret can be read".into())?;
    }
    Ok(Verdict::Holds)
}
