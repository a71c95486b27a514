//! What the table makes of values: medians of ratios, verdicts, and when a run says nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "the table uses the rest")]
mod measure;
#[allow(dead_code, reason = "the table uses the rest")]
mod row;

use measure::{Pairs, Process, Spread, cpu};
use row::{Goal, Row, Verdict, short, time};

fn pairs(of: &[(f64, f64)]) -> Pairs {
    Pairs::of(of.len(), |pair| of[pair].0, |pair| of[pair].1)
}

#[test]
fn the_ratio_is_the_median_of_the_pairs_not_the_ratio_of_the_medians() {
    let three = pairs(&[(1.0, 1.5), (2.0, 2.0), (1.5, 3.0)]);
    assert_eq!(three.cost(), Spread { least: 1.0, median: 1.5, most: 2.0 });
    assert_eq!(three.rate().median, 1.0 / 1.5);
    assert_eq!((three.floor().median, three.ours().most), (1.5, 3.0));
}

#[test]
fn a_goal_is_met_up_to_it_and_missed_beyond() {
    let check = |goal: Goal, ours: f64, expect: Verdict| {
        assert_eq!(Row::ratio("work", "floor", goal, &pairs(&[(1.0, ours)])).verdict, expect, "{goal:?}");
    };
    check(Goal::AtMost(1.25), 1.25, Verdict::Met);
    check(Goal::AtMost(1.25), 1.26, Verdict::Missed);
    check(Goal::AtLeast(0.5), 2.0, Verdict::Met);
    check(Goal::AtLeast(0.5), 2.1, Verdict::Missed);
    check(Goal::Shown, 9.0, Verdict::Shown);
}

#[test]
fn a_run_is_void_when_the_floor_moved_by_more_than_two() {
    let row = |floors: [f64; 2]| {
        Row::ratio("work", "floor", Goal::AtMost(9.0), &pairs(&floors.map(|floor| (floor, 1.0))))
    };
    assert_eq!(row([1.0, 2.0]).said(), "met");
    assert_eq!(row([1.0, 2.5]).said(), "void: the floor itself moved by 2.5 ×");
}

#[test]
fn rows_are_printed_with_three_figures() {
    let printed: Vec<String> = [0.0123, 0.4, 1.234, 12.34, 123.4, 20_000.0].into_iter().map(short).collect();
    assert_eq!(printed, ["0.0123", "0.4", "1.23", "12.3", "123", "20000"]);
    assert_eq!(
        [time(2.5), time(0.0125), time(1.8e-6), time(4.2e-8)],
        ["2.5 s", "12.5 ms", "1.8 µs", "42 ns"]
    );
    let row = Row::value("work", "floor", Goal::AtMost(80.0), "B", Spread::one(60.0));
    assert_eq!((row.goal(), row.measured(), row.said()), ("≤ 80 B".into(), "60".into(), "met".into()));
}

#[test]
fn a_process_is_counted_with_what_it_does() {
    let (before, mut sum) = (Process::ME.seconds(), 0_u64);
    let here = cpu(|| {
        while Process::ME.seconds() - before < 0.05 {
            sum = std::hint::black_box((0..100_000).fold(sum, |sum, n| sum ^ (sum << 1) ^ n));
        }
    });
    assert!(here > 0.01, "{here}");
    let resident = Process::ME.resident();
    let held = vec![1_u8; 64 << 20];
    assert!(std::hint::black_box(&held).iter().all(|byte| *byte == 1));
    assert!(Process::ME.highest() >= resident + held.len());
}
