//! `bailiwick trace`

use bailiwick_core::trace::{Hop, State};
use clap::Args;
use comfy_table::Cell;

use super::{Context, list::ListArgs};
use crate::{
    api::TraceView,
    failure::{Exit, Result},
    render::{Output, Tone},
    span,
};

/// How wide a column of spans is, whatever stands in it: traces are compared by eye.
const SPAN: usize = 8;

/// Arguments of `bailiwick trace`.
#[derive(Args)]
#[command(
    after_help = "Of an event: each hop, how long it took after the one before, until when it has time, and by whom it was\n\
    done or what it waits for. Without one: everything that is under way, what is stuck first.\n\n\
    late   after its deadline, or not done after it and still moving\n\
    stuck  not done after its deadline, and nothing moved for a quarter of an hour\n\n\
    Exit code 1 when something shown is late or stuck.\n\n\
    Examples:\n  bailiwick trace evt_01jd3v8k5mfa8rsw1r2q9n6x4e\n  bailiwick trace hr/1001\n  bailiwick trace --late"
)]
pub struct TraceArgs {
    /// The event; or an identity by id, `source/key` or e-mail address, for its last event
    event: Option<String>,
    /// Only what is late or stuck
    #[arg(long, conflicts_with = "event")]
    late: bool,
    #[command(flatten)]
    list: ListArgs,
}

/// Shows hops.
pub async fn run(context: &Context<'_>, args: TraceArgs) -> Result<Exit> {
    let client = context.client()?;
    let in_time = match args.event {
        Some(event) => {
            let view: TraceView = client.get(&["traces", &event]).send().await?;
            context.output.result(&view, |output| show(output, &view));
            view.trace.in_time()
        }
        None => {
            let mut under_way = args.list.read::<TraceView>(|| client.get(&["traces"])).await?;
            under_way.items.retain(|view| !args.late || !view.trace.in_time());
            let worst = |view: &TraceView| view.trace.hops.iter().map(|hop| hop.state).max();
            under_way.items.sort_by_key(|view| (std::cmp::Reverse(worst(view)), view.trace.event));
            context.output.result(&under_way.items, |output| {
                if !under_way.items.is_empty() {
                    let header = ["event", "what", "who", "stands at", "for", "it is"];
                    output.table(&header, under_way.items.iter().map(line).collect());
                }
                let nothing = if args.late { "nothing is late" } else { "nothing is under way" };
                under_way.remark(output, nothing);
            });
            under_way.items.iter().all(|view| view.trace.in_time())
        }
    };
    Ok(if in_time { Exit::Done } else { Exit::Refused })
}

const fn tone(state: State) -> Tone {
    match state {
        State::Done => Tone::Good,
        State::NotNeeded => Tone::Dim,
        State::Waiting => Tone::Plain,
        State::Late => Tone::Warn,
        State::Stuck => Tone::Bad,
    }
}

fn step(hop: &Hop) -> String {
    match &hop.system {
        Some(system) => format!("{} {system}", hop.step.as_str()),
        None => hop.step.as_str().to_owned(),
    }
}

fn show(output: Output, view: &TraceView) {
    let trace = &view.trace;
    output.line(&format!("{}, {} ({}): {}", trace.event, view.who.name, view.who.key, trace.kind));
    let rows = trace.hops.iter().map(|hop| {
        let after = hop.after_ms.map_or_else(String::new, |ms| format!("+{}", span::show(ms)));
        let after = format!("{after:<SPAN$}");
        let at = hop.at.map_or_else(String::new, |at| format!("{at:.0}"));
        let deadline = hop.deadline.map_or_else(String::new, |at| format!("{at:.0}"));
        vec![
            Tone::Plain.cell(step(hop)),
            Tone::Plain.cell(at),
            Tone::Dim.cell(after),
            Tone::Dim.cell(deadline),
            tone(hop.state).cell(hop.state.as_str()),
        ]
    });
    output.table(&["hop", "at", "after", "has time until", "it is"], rows.collect());
    for hop in &trace.hops {
        if let Some(note) = &hop.note {
            output.line(&format!("  {}: {note}", step(hop)));
        }
    }
    if let Some(case) = &trace.case {
        output.line(&format!("  case: {case}"));
    }
}

/// One event in a list: the first hop that is worst.
fn line(view: &TraceView) -> Vec<Cell> {
    let trace = &view.trace;
    let open = trace.hops.iter().filter(|hop| hop.at.is_none() && hop.state != State::NotNeeded);
    let worst = trace.hops.iter().map(|hop| hop.state).max().unwrap_or(State::Done);
    let at = open.clone().find(|hop| hop.state == worst).or_else(|| open.clone().next());
    let last = trace.hops.iter().filter_map(|hop| hop.at).max();
    let since = last.and_then(|last| i64::try_from(trace.now.duration_since(last).as_millis()).ok());
    vec![
        Tone::Plain.cell(trace.event),
        Tone::Plain.cell(&trace.kind),
        Tone::Plain.cell(&view.who.name),
        Tone::Plain.cell(at.map_or_else(String::new, step)),
        Tone::Plain.cell(format!("{:<SPAN$}", since.map_or_else(String::new, span::show))),
        tone(worst).cell(worst.as_str()),
    ]
}
