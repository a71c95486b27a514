//! Act: a feed that was cut off.

use std::collections::BTreeMap;

use bailiwick_lab::{TrueUser, Truth};

use super::{Narrator, Stage};
use crate::{acme, cli, failure::Result, render::Tone};

/// Delivers it: it is held whole and nobody loses access.
pub async fn act(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    narrator.act("Bad input: a feed that was cut off on the way");
    let before = (stage.status().await?.identities, access(&stage.truth.all().await?));
    let (cut, whole) = (acme::TRUNCATED.lines().count(), acme::DAY_2.lines().count());
    narrator.tell(&format!("$ bailiwick import hr truncated.csv      {cut} of {whole} lines"));
    let failure = match cli::deliver(&stage.hub, acme::SOURCE, acme::TRUNCATED.into(), None).await {
        Ok(_) => return narrator.promise(false, "the delivery is held"),
        Err(failure) => failure,
    };
    narrator.toned(Tone::Bad, &failure.to_string());
    narrator
        .promise(failure.code().starts_with("feed-"), "the delivery is held whole, with code and reason")?;
    stage.quiet().await?;
    let after = (stage.status().await?.identities, access(&stage.truth.all().await?));
    narrator.promise(before == after, "nobody lost access on any system, and nobody is taken to have left")
}

/// What everybody has, without the instant of looking.
fn access(truths: &BTreeMap<&'static str, Truth>) -> BTreeMap<&'static str, Vec<TrueUser>> {
    truths.iter().map(|(system, truth)| (*system, truth.users.clone())).collect()
}
