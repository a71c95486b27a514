//! Act: the evidence of a case, in one file, verified with nothing but a public key.

use bailiwick_evidence::VerifierKey;

use super::{Narrator, Stage, leavers::Leaver};
use crate::{
    cli,
    failure::{Failure, Result},
    render::Tone,
};

/// Exports, verifies, flips one byte and verifies again; then checks log and database against each other.
pub async fn act(narrator: &mut Narrator, stage: &Stage, left: &[Leaver]) -> Result<()> {
    narrator.act("Evidence: one file that verifies offline, and not after one flipped byte");
    let Some(leaver) = left.first() else {
        return Err(Failure::refused("promise-broken", "nobody left"));
    };
    let subject = leaver.case.to_string();
    let mut pack = cli::export(&stage.hub, &subject).await?;
    let file = stage.folder.join("case.pack");
    cli::write_file(&file, &pack)?;
    let key = VerifierKey::parse(&stage.log_key).map_err(|error| {
        Failure::refused(error.code(), "the key of the log cannot be read").because(&error)
    })?;
    let keys = [key];
    let report = cli::verify(&pack, Some(&keys))?;
    narrator.tell(&format!("$ bailiwick evidence export --case {subject} -o case.pack"));
    narrator.tell("$ bailiwick evidence verify case.pack --key log.vkey");
    narrator.promise(
        report.subject == subject && report.records > 0,
        &format!(
            "{} records about {}, each proven to be in the signed log of {}",
            report.records,
            leaver.name,
            report.checkpoint.size()
        ),
    )?;
    let middle = pack.len() / 2;
    pack[middle] ^= 1;
    match cli::verify(&pack, Some(&keys)) {
        Ok(_) => narrator.promise(false, "a flipped byte is found")?,
        Err(failure) => {
            narrator.toned(Tone::Bad, &failure.to_string());
            narrator.promise(true, &format!("one flipped bit, in byte {middle}, is found"))?;
        }
    }
    let check = cli::check_evidence(&stage.hub, None).await?;
    let against: Vec<String> = check.damage.iter().map(|damage| damage.message.clone()).collect();
    let sound = format!("log and database agree: {} records explain all {} rows", check.entries, check.rows);
    narrator.nothing_against(&against, &sound)
}
