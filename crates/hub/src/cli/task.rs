//! `bailiwick task`

use std::{fs::File, io::Read, path::PathBuf};

use bailiwick_core::{
    digest::Digesting,
    id::TaskId,
    task::{Answer, Exhibit, Task, TaskState},
};
use clap::Subcommand;

use super::{Context, list::ListArgs};
use crate::{
    api::TaskView,
    client::Client,
    failure::{Exit, Failure, Result},
    render::{Output, Tone},
};

/// `bailiwick task …`
#[derive(Subcommand)]
pub enum TaskCommand {
    /// What people are asked to do; the open ones
    #[command(after_help = "Example:\n  bailiwick task list")]
    List {
        /// The answered ones instead: done, declined
        #[arg(long, value_parser = ["open", "done", "declined"], default_value = "open")]
        state: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// A task with all its steps
    #[command(after_help = "Example:\n  bailiwick task show tsk_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    Show {
        /// The task
        task: TaskId,
    },
    /// Say that all steps of a task are done, and how that can be seen
    #[command(
        after_help = "What you say stands as your attestation, for so long as the integration says; then \
        somebody\nis asked to look again. Of a file only name, length and SHA-256 are kept: keep the file.\n\n\
        Example:\n  bailiwick task done tsk_01jd3v8k5mfa8rsw1r2q9n6x4e --said 'badge 4711 shredded' --file log.pdf"
    )]
    Done {
        /// The task
        task: TaskId,
        /// What was done, in your words
        #[arg(long, value_name = "TEXT")]
        said: String,
        /// A file that shows it; may be given several times
        #[arg(long = "file", value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What the system calls the account, if you made one
        #[arg(long, value_name = "ID")]
        account: Option<String>,
    },
    /// Say that a task cannot be done, and why
    #[command(
        after_help = "Example:\n  bailiwick task decline tsk_01jd3v8k5mfa8rsw1r2q9n6x4e --because 'no such door'"
    )]
    Decline {
        /// The task
        task: TaskId,
        /// Why
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
}

/// Shows and answers tasks.
pub async fn run(context: &Context<'_>, command: TaskCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        TaskCommand::List { state, list } => {
            let tasks = list.read::<TaskView>(|| client.get(&["tasks"]).query("state", &state)).await?;
            context.output.result(&tasks.items, |output| {
                let rows = tasks.items.iter().map(|TaskView { who, task }| {
                    vec![
                        Tone::Plain.cell(task.id),
                        Tone::Plain.cell(&who.name),
                        Tone::Plain.cell(&task.system),
                        Tone::Plain.cell(task.steps.len()),
                        Tone::Plain.cell(&task.assignee),
                        Tone::Plain.cell(format!("{:.0}", task.due)),
                    ]
                });
                if !tasks.items.is_empty() {
                    output.table(&["task", "for", "system", "steps", "asked of", "until"], rows.collect());
                }
                tasks.remark(output, &format!("no {state} tasks"));
            });
        }
        TaskCommand::Show { task } => {
            let view: TaskView = client.get(&["tasks", &task.to_string()]).send().await?;
            context.output.result(&view, |output| describe(output, &view));
        }
        TaskCommand::Done { task, said, files, account } => {
            let exhibits = files.iter().map(exhibit).collect::<Result<_>>()?;
            let answer = Answer::Done { statement: said, exhibits, account };
            let task = give(&client, task, &answer).await?;
            context.output.result(&task, |output| output.line(&format!("{} is done, you say", task.id)));
        }
        TaskCommand::Decline { task, because } => {
            let task = give(&client, task, &Answer::Declined { reason: because }).await?;
            context.output.result(&task, |output| {
                output.line(&format!("{} is declined; the owner of the integration is told", task.id));
            });
        }
    }
    Ok(Exit::Done)
}

async fn give(client: &Client, task: TaskId, answer: &Answer) -> Result<Task> {
    client.post(&["tasks", &task.to_string(), "answer"]).json(answer).send().await
}

/// Name, length and digest of a file; the file is read once, piece by piece.
fn exhibit(path: &PathBuf) -> Result<Exhibit> {
    let failed = |error: std::io::Error| {
        Failure::usage("file-unreadable", format!("cannot read `{}`", path.display())).because(&error)
    };
    let mut file = File::open(path).map_err(failed)?;
    let (mut digesting, mut bytes, mut piece) = (Digesting::default(), 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => break,
            read => {
                digesting.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok(Exhibit { name, bytes, digest: digesting.finish() })
}

fn describe(output: Output, view: &TaskView) {
    let TaskView { who, task } = view;
    output.line(&format!("task {} on {} for {} ({})", task.id, task.system, who.name, who.key));
    output.line(&format!("  asked of  {}, {:.0}", task.assignee, task.asked));
    output.line(&format!("  until     {:.0}, then {} is told", task.due, task.backup));
    output.line(&format!("  plan      {}", task.plan));
    for (place, step) in task.steps.iter().enumerate() {
        output.line(&format!("  {}. {}", place + 1, step.instruction));
    }
    match &task.state {
        TaskState::Open => output.say(&format!(
            "when all is done: `bailiwick task done {} --said '…'`; if it cannot be: `bailiwick task decline {} --because '…'`",
            task.id, task.id
        )),
        TaskState::Done { attestation } => {
            output.toned(Tone::Good, &format!("done, says {} on {:.0}", attestation.by, attestation.at));
            output.line(&format!("  \"{}\"", attestation.statement));
            for exhibit in &attestation.exhibits {
                output.line(&format!("  {} ({} bytes, SHA-256 {})", exhibit.name, exhibit.bytes, exhibit.digest));
            }
        }
        TaskState::Declined { by, at, reason } => {
            output.toned(Tone::Warn, &format!("declined by {by} on {at:.0}"));
            output.line(&format!("  \"{reason}\""));
        }
    }
}
