//! One case in a process of its own: its rows come back, or how it ended.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    Size,
    cases::{CASES, Case},
    measure::Watch,
    row::{Goal, Row, Verdict},
};

/// How long a case may take at a tenth of the size.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How many times as long at full size.
const FULL: u32 = 12;

/// Runs a case in this process, and says its rows on the standard output. Ends with who started it.
pub fn child(name: &str, size: Size) {
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        // Nobody waits for the rows any more.
        end_group(std::process::id());
    });
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    for row in (case.run)(size) {
        let row = Row { case: name.to_owned(), ..row };
        println!("{}", serde_json::to_string(&row).unwrap());
    }
}

/// Runs a case in a process of its own, with whatever that starts.
pub fn run(case: &'static Case, size: Size) -> Vec<Row> {
    eprintln!("{:>7}  {} …", case.name, case.what);
    let watch = Watch::start();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--child", case.name, "--share", &size.share.to_string()])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let rows = thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text);
        text.lines().filter_map(|line| serde_json::from_str::<Row>(line).ok()).collect::<Vec<_>>()
    });
    let said = thread::spawn(move || {
        let mut lines = Vec::new();
        for line in errors.lines().map_while(Result::ok) {
            eprintln!("         {line}");
            lines.push(line);
        }
        lines
    });
    let ended = wait(&mut child, if size.share == 1 { PATIENCE * FULL } else { PATIENCE });
    end_group(child.id());
    let (mut rows, said) = (rows.join().unwrap(), said.join().unwrap());
    if let Err(how) = ended {
        let how = how.unwrap_or_else(|| why(&said));
        let failed = Row { case: case.name.to_owned(), ..Row::without(case.what, "", Goal::Shown, "") };
        rows.push(Row { verdict: Verdict::Failed(how), ..failed });
    }
    eprintln!("         {:.0} s", watch.seconds());
    rows
}

/// Waits for its end, and ends it when it takes too long. An error is how it ended, if that is known already.
fn wait(child: &mut Child, most: Duration) -> Result<(), Option<String>> {
    let watch = Watch::start();
    loop {
        match child.try_wait().unwrap() {
            Some(status) if status.success() => return Ok(()),
            Some(_) => return Err(None),
            None if watch.elapsed() > most => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Some(format!("it took more than {} minutes", most.as_secs() / 60)));
            }
            None => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Ends whatever a case left behind.
fn end_group(leader: u32) {
    let group = format!("-{leader}");
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
}

/// What a panic said, in a line.
fn why(said: &[String]) -> String {
    let at = said.iter().position(|line| line.contains("panicked at"));
    let line = at.and_then(|at| said.get(at + 1)).or(said.last());
    let text = line.map_or("it said nothing", String::as_str);
    text.chars().filter(|c| *c != '|').take(160).collect()
}
