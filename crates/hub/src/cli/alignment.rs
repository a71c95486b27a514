//! `bailiwick alignment`

use clap::Args;

use super::{Context, list::ListArgs};
use crate::{
    api::AlignmentView,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// Arguments of `bailiwick alignment`.
#[derive(Args)]
#[command(
    after_help = "Whoever is inactive has no access that works, no credential that is alive, no session, and the systems'\n\
    own logs have a word of its end. Somebody is inactive who has left, or whose account is disabled on a\n\
    system that is declared as an `anchor`. Each row names a system that disagrees, since when, and who\n\
    must act there. It is looked at again whenever something about it changes, and every hour.\n\n\
    Exit code 1 when something disagrees.\n\n\
    Examples:\n  bailiwick alignment\n  bailiwick alignment hr/1017"
)]
pub struct AlignmentArgs {
    /// Look at this person now: name, `source/key` or id
    #[arg(conflicts_with = "all")]
    identity: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

/// Shows what disagrees.
pub async fn run(context: &Context<'_>, args: AlignmentArgs) -> Result<Exit> {
    let client = context.client()?;
    if let Some(identity) = args.identity {
        let waiting = context.output.waiting("looking at what they have");
        let view: AlignmentView = client.post(&["identities", &identity, "alignment"]).send().await?;
        drop(waiting);
        context.output.result(&view, |output| match (view.claims.is_empty(), view.violations.is_empty()) {
            (true, _) => output.line(&format!("nobody says that {} is inactive", view.who.name)),
            (false, true) => output.line(&format!("{}: {}; all systems agree", view.who.name, says(&view))),
            (false, false) => show(output, std::slice::from_ref(&view)),
        });
        return Ok(exit(view.violations.is_empty()));
    }
    let views = args.list.read::<AlignmentView>(|| client.get(&["alignments"])).await?;
    context.output.result(&views.items, |output| {
        show(output, &views.items);
        views.remark(output, "all systems agree");
    });
    Ok(exit(views.items.is_empty()))
}

const fn exit(agree: bool) -> Exit {
    if agree { Exit::Done } else { Exit::Refused }
}

fn says(view: &AlignmentView) -> String {
    let says = view.claims.iter().map(|claim| format!("{} since {:.0}", claim.claimant, claim.since));
    says.collect::<Vec<_>>().join(", ")
}

fn show(output: Output, views: &[AlignmentView]) {
    for view in views {
        output.line(&format!("{} ({}) is inactive: {}", view.who.name, view.who.key, says(view)));
        let rows = view.violations.iter().map(|violation| {
            vec![
                Tone::Plain.cell(&violation.system),
                Tone::Plain.cell(violation.class),
                Tone::Bad.cell(violation.invariant.broken()),
                Tone::Plain.cell(format!("{:.0}", violation.since)),
                Tone::Plain.cell(&violation.acts),
            ]
        });
        output.table(&["system", "class", "disagrees", "since", "must act"], rows.collect());
    }
}
