//! Starting the hub with many identities, against reading the same database file.
//!
//! Started is: the process is there, listens, and says at `/readyz` that it can work. It was ended as a power cut ends
//! it. The file is in the page cache for both.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read as _,
    net::TcpStream,
    path::Path,
    time::Duration,
};

use super::folder;
use crate::{
    Size,
    http::Client,
    hub::Hub,
    measure::{Pairs, Watch, wall},
    row::{Goal, Row, medians},
    source::personnel,
};

const PAIRS: usize = 5;

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(1_000_000);
    let folder = folder();
    let hub = Hub::start(folder.path());
    // A source, and nothing that anybody could hold.
    let source = personnel(&[("display_name", "display_name"), ("department", "department")]);
    hub.apply(&[("all.toml", &source)]);
    let mut feed = String::from("id,display_name,department\n");
    for n in 0..people {
        writeln!(feed, "{n},Person {n},d{}", n % 20).unwrap();
    }
    fs::write(folder.path().join("people.csv"), feed).unwrap();
    hub.run(&["import", "hr", "people.csv"]);
    hub.quiet();
    let shown = hub.run(&["identity", "show", &format!("hr/{}", people - 1)]);
    assert!(shown.contains(&format!("Person {}", people - 1)), "{shown}");
    hub.kill();
    let (mut memory, mut size) = (0, 0);
    let pairs = Pairs::of(
        PAIRS,
        |_| {
            wall(|| {
                // What was written last may lie in the log beside it.
                size = ["bailiwick.db", "bailiwick.db-wal"]
                    .map(|name| read(&folder.path().join("data").join(name)))
                    .iter()
                    .sum();
            })
        },
        |_| {
            let watch = Watch::start();
            let hub = Hub::serve(folder.path());
            ready(&hub);
            let seconds = watch.seconds();
            memory = memory.max(hub.process().highest());
            hub.kill();
            seconds
        },
    );
    let work = format!("start with {people} identities, until it says that it can work");
    vec![
        Row::value(work, "—", Goal::AtMost(2.0), "s", pairs.ours())
            .with(format!("{} MiB resident at its height", memory >> 20)),
        Row::ratio("the same", format!("reading the same file of {} MiB", size >> 20), Goal::Shown, &pairs)
            .with(medians(&pairs, 1, "in all")),
    ]
}

/// Reads a file and drops it; gives how long it is, and 0 where there is none.
fn read(file: &Path) -> u64 {
    let Ok(mut file) = File::open(file) else { return 0 };
    let (mut buffer, mut all) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return all,
            count => all += std::hint::black_box(count) as u64,
        }
    }
}

fn ready(hub: &Hub) {
    let watch = Watch::start();
    while TcpStream::connect(&hub.address).is_err()
        || Client::new(&hub.address, "").call("GET", "/readyz", "") != 204
    {
        assert!(watch.elapsed() < Duration::from_secs(120), "it does not become ready");
        std::thread::sleep(Duration::from_millis(2));
    }
}
