//! What a figure is of: the machine and the commit.

use std::{fs, process::Command};

/// Cores, processor, memory and kernel, in a line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = line_of("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0);
    format!(
        "{cores} cores of {}, {:.0} GiB of memory, Linux {}",
        line_of("/proc/cpuinfo", "model name"),
        memory / f64::from(1 << 20),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()
    )
}

/// The commit that is checked out, and whether something differs from it.
pub fn commit() -> String {
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let beside = if changed.is_empty() { "" } else { ", and something changed" };
    format!("{}{beside}", git(&["rev-parse", "--short=12", "HEAD"]))
}

/// The day, in UTC.
pub fn day() -> String {
    said(Command::new("date").args(["-u", "+%Y-%m-%d"]))
}

fn git(arguments: &[&str]) -> String {
    said(Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments))
}

fn said(command: &mut Command) -> String {
    command.output().map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default()
}

fn line_of(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}
