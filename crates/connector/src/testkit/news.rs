//! What is promised of news since a reading before.

use std::collections::BTreeSet;

use bailiwick_core::plan::Op;

use super::{Bench, Tested, Verdict, ensure, unexpected};
use crate::{Listing, News, Object, Since};

/// Everything that was heard in one go.
#[derive(Default)]
struct Heard {
    shown: Vec<Object<'static>>,
    same: BTreeSet<String>,
    gone: BTreeSet<String>,
}

async fn hear(
    bench: &Bench<'_>,
    listing: Listing<'_>,
    since: Option<&str>,
) -> Result<(Heard, Since), String> {
    let mut heard = Heard::default();
    let mut each = |news: News<'_>| match news {
        News::Shown(object) => heard.shown.push(object.into_owned()),
        News::Same(id) => heard.same.extend([id.into_owned()]),
        News::Gone(id) => heard.gone.extend([id.into_owned()]),
    };
    let since = bench.connector.changes(&bench.reader, listing, since, &mut each).await;
    let since = since.map_err(unexpected(&format!("news of {listing:?}")))?;
    ensure(since.complete, || format!("news of {listing:?} is not complete"))?;
    Ok((heard, since))
}

/// What somebody knows who knew `known` and heard this.
fn told(known: &BTreeSet<String>, heard: &Heard, since: &Since) -> BTreeSet<String> {
    let shown = heard.shown.iter().map(|object| object.id.to_string());
    let named: BTreeSet<String> = shown.clone().chain(heard.same.iter().cloned()).collect();
    let kept = known.iter().filter(|id| !since.rest_is_gone || named.contains(*id)).cloned();
    kept.chain(shown).filter(|id| !heard.gone.contains(id)).collect()
}

/// All news, put one on the other, is what a listing shows, and what is shown is as a listing shows it.
pub(super) async fn news_tells(bench: &Bench<'_>) -> Tested {
    let capability = bench.connector.capability();
    if !capability.incremental {
        return Ok(Verdict::NotApplicable("it gives no news"));
    }
    let ids = async |listing| -> Result<BTreeSet<String>, String> {
        let objects = bench.list(listing, 50).await.map_err(unexpected("list"))?;
        Ok(objects.iter().map(|object| object.id.to_string()).collect())
    };
    let mut known = Vec::new();
    for (declared, listing) in
        [(capability.accounts, Listing::Accounts), (capability.groups, Listing::Groups)]
    {
        if !declared {
            continue;
        }
        let (heard, since) = hear(bench, listing, None).await?;
        let first = told(&BTreeSet::new(), &heard, &since);
        let listed = bench.list(listing, 50).await.map_err(unexpected("list"))?;
        for object in &listed {
            ensure(heard.shown.contains(object), || format!("{object:?} is listed and no news"))?;
        }
        ensure(first.len() == listed.len(), || format!("{} are news, {} listed", first.len(), listed.len()))?;
        known.push((listing, first, since));
    }
    if !capability.manages_accounts() {
        return Ok(Verdict::Holds);
    }
    let create =
        Op::CreateAccount { marker: "kit-news".into(), attributes: bench.subject.attributes("kit.news") };
    let made = bench.connector.apply(&bench.line, None, &create, None, &bench.key()).await;
    made.map_err(unexpected("create"))?;
    let [changed, .., deleted] = &bench.ids.accounts[..] else {
        return Err("there are too few accounts".into());
    };
    let set = Op::SetAttributes { attributes: bench.subject.change(3) };
    for (account, op) in [(changed, set), (deleted, Op::Delete)] {
        let done = bench.connector.apply(&bench.line, Some(account), &op, None, &bench.key()).await;
        done.map_err(unexpected(&op.words()))?;
    }
    bench.subject.settle().await;
    for (listing, known, since) in known {
        let (heard, after) = hear(bench, listing, Some(&since.next)).await?;
        let (told, listed) = (told(&known, &heard, &after), ids(listing).await?);
        ensure(told == listed, || format!("by the news there are {told:?}, listed are {listed:?}"))?;
        if listing == Listing::Accounts {
            let is = |object: &Object<'_>| object.id == *changed;
            ensure(heard.shown.iter().any(is), || "what was changed is no news".into())?;
            ensure(heard.shown.len() < listed.len(), || "what was not changed is shown as news".into())?;
        }
        let (quiet, _) = hear(bench, listing, Some(&after.next)).await?;
        ensure(quiet.shown.is_empty() && quiet.gone.is_empty(), || "there is news where nothing was".into())?;
    }
    Ok(Verdict::Holds)
}
