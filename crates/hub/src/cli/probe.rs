//! `bailiwick probe`

use bailiwick_core::profile::{Deletion, Form, WayEffect};
use clap::Args;

use super::Context;
use crate::{
    api::ProfileView,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// Arguments of `bailiwick probe`.
#[derive(Args)]
#[command(
    after_help = "An account that belongs to nobody is made on the system, changed, disabled in every way that the\n\
    connector knows, tried, and deleted. Leavers are then disabled by the first way that was seen to\n\
    work. Exit code 1 when no way of disabling works.\n\n\
    Example:\n  bailiwick probe chat"
)]
pub struct ProbeArgs {
    /// The system, as the configuration names it
    system: String,
    /// Show what the last probe found, and touch nothing
    #[arg(long)]
    show: bool,
}

/// Probes it.
pub async fn run(context: &Context<'_>, args: ProbeArgs) -> Result<Exit> {
    let client = context.client()?;
    let path = ["systems", args.system.as_str(), "profile"];
    let view: ProfileView = if args.show {
        client.get(&path).send().await?
    } else {
        let waiting = context.output.waiting(&format!("probing {} on a canary", args.system));
        let view = client.post(&path).send().await?;
        drop(waiting);
        view
    };
    context.output.result(&view, |output| describe(output, &view));
    Ok(if view.profile.first_way().is_some() { Exit::Done } else { Exit::Refused })
}

fn describe(output: Output, view: &ProfileView) {
    let ProfileView { profile, current } = view;
    output.line(&format!("{}, probed {:.0} by {}", profile.system, profile.at, profile.by));
    if !current {
        output.toned(Tone::Warn, "  it was configured otherwise then: probe it again");
    }
    for way in &profile.ways {
        let (tone, words) = match &way.effect {
            WayEffect::Blocks if way.turned_away.is_empty() => {
                (Tone::Good, "blocks, as far as reading shows".into())
            }
            WayEffect::Blocks => {
                (Tone::Good, format!("blocks; turned away: {}", names(way.turned_away.iter())))
            }
            WayEffect::LetsIn { classes } => {
                (Tone::Bad, format!("reads as blocked and lets in by {}", names(classes.iter())))
            }
            WayEffect::Nothing => (Tone::Bad, "is accepted and does nothing".into()),
            WayEffect::Refused { code } => (Tone::Warn, format!("is refused: {code}")),
        };
        output.line(&format!("  disable by {:<20} {}", way.name, output.paint(tone, &words)));
    }
    for form in &profile.forms {
        let (tone, words) = described(form);
        output.line(&format!("  change by {:<35} {}", form.name, output.paint(tone, &words)));
    }
    let (tone, words) = deletes(&profile.deletes);
    output.line(&format!("  {:<31} {}", "delete", output.paint(tone, &words)));
    for (attribute, honoured) in &profile.honours {
        let (tone, words) = match honoured {
            true => (Tone::Good, "is changed"),
            false => (Tone::Warn, "is not changed, whatever is answered"),
        };
        output.line(&format!("  {:<31} {}", format!("attribute {attribute}"), output.paint(tone, words)));
    }
    if !profile.keeps.is_empty() {
        let kept = names(profile.keeps.iter());
        output.toned(Tone::Warn, &format!("  a disabled account keeps: {kept}"));
    }
    if let Some(marker) = &profile.canary {
        output
            .toned(Tone::Bad, &format!("  the canary `{marker}` is still there; the next probe removes it"));
    }
}

/// What deleting does.
pub fn deletes(deletion: &Deletion) -> (Tone, String) {
    match deletion {
        Deletion::Gone => (Tone::Good, "the account is gone".to_owned()),
        Deletion::Blocked => (Tone::Warn, "the account is kept, blocked".to_owned()),
        Deletion::Nothing => (Tone::Bad, "is accepted and does nothing".to_owned()),
        Deletion::Refused { code } => (Tone::Warn, format!("is refused: {code}")),
    }
}

/// What a form of writing changes does.
pub fn described(form: &Form) -> (Tone, String) {
    if form.does_all() {
        return (Tone::Good, "does all".into());
    }
    let attributes = form.honours.iter().filter(|(_, honoured)| !**honoured).map(|(name, _)| name.as_str());
    let turns = [(form.disables, "disable"), (form.enables, "enable")];
    let not = turns.iter().filter(|(does, _)| !does).map(|(_, name)| *name).chain(attributes);
    let not = not.collect::<Vec<_>>().join(", ");
    let does_some = form.disables || form.enables || form.honours.values().any(|honoured| *honoured);
    let tone = if does_some { Tone::Warn } else { Tone::Bad };
    (tone, if does_some { format!("does not do: {not}") } else { "does nothing".into() })
}

fn names<'c>(classes: impl Iterator<Item = &'c bailiwick_core::access::AccessClass>) -> String {
    classes.map(|class| class.as_str()).collect::<Vec<_>>().join(", ")
}
