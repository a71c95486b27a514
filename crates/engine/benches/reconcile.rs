//! Reconciling unchanged SCIM accounts against only parsing the same pages into the same types.
//!
//! One process, one thread, pages on disk, pairs interleaved, CPU time of the thread. The comparison is
//! the engine's: the digest of what is shown, the index of what is expected. What it does not contain:
//! filling the index from the store, and the pages of groups. Goal: at most 1.6 × the parse, at most
//! 100 bytes an account.
//!
//! `cargo bench -p bailiwick-engine --bench reconcile [-- ACCOUNTS]`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Read as _, Write as _},
    path::Path,
};

use bailiwick_connector::{Object, ObjectState};
use bailiwick_connectors::scim::{
    Scim,
    decode::{page, parse_page},
};
use bailiwick_core::{
    id::EntitlementName,
    index::{Index, Match},
};
use bailiwick_engine::shown_digest;

const PAIRS: usize = 5;
const PAGE: usize = 200;
const GROUPS: usize = 40;

fn main() {
    let accounts: usize =
        std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1_000_000) / PAGE * PAGE;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("pages");
    let pages = write_pages(&file, accounts);
    let scim = Scim::new(&serde_json::json!({})).unwrap();
    let names: Vec<String> = ["displayName", "userName"].map(str::to_owned).to_vec();
    let entitlements: Vec<EntitlementName> =
        (0..GROUPS).map(|g| EntitlementName::new(&format!("big/group-{g:02}")).unwrap()).collect();

    let digest_of = |scratch: &mut Vec<u8>, object: &Object<'_>| {
        let number = |id: &str| -> u32 { id[id.len() - 2..].parse().unwrap() };
        let mask = object.links.iter().fold(0_u64, |mask, id| mask | 1 << number(id));
        let held = (0..GROUPS).filter(|n| mask & (1 << n) != 0).map(|n| &entitlements[n]);
        shown_digest(scratch, object, names.iter(), held)
    };
    let mut scratch = Vec::new();
    let before = resident();
    let mut index = Index::with_capacity(accounts);
    each_page(&file, &pages, |bytes| {
        page(bytes, scim.mapping(), &mut |object| {
            index.expect(&object.id, &digest_of(&mut scratch, &object))
        })
        .unwrap();
    });
    index.seal(GROUPS);
    let grown = resident().saturating_sub(before);

    let (mut ratios, mut parses, mut compares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let mut live = 0;
        let parse = cpu(|| {
            each_page(&file, &pages, |bytes| {
                let typed = parse_page(bytes).unwrap();
                live += std::hint::black_box(&typed).resources.as_ref().map_or(0, Vec::len);
            });
        });
        assert_eq!(live, accounts);
        let (mut same, mut active) = (0, 0);
        let compare = cpu(|| {
            each_page(&file, &pages, |bytes| {
                let mut visit = |object: Object<'_>| {
                    active += usize::from(object.state == ObjectState::Live);
                    same +=
                        usize::from(index.see(&object.id, &digest_of(&mut scratch, &object)) == Match::Same);
                };
                page(bytes, scim.mapping(), &mut visit).unwrap();
            });
        });
        assert_eq!((same, active, index.unseen()), (accounts, accounts, 0));
        ratios.push(compare / parse);
        parses.push(parse * 1e6 / accounts as f64);
        compares.push(compare * 1e6 / accounts as f64);
    }
    let bytes = fs::metadata(&file).unwrap().len() as usize / accounts;
    println!("reconcile, {accounts} unchanged SCIM accounts of {bytes} bytes, 5 groups each, {PAIRS} pairs");
    println!("  parse      min / median / max  {} us an account", spread(parses));
    println!("  reconcile  min / median / max  {} us an account", spread(compares));
    println!("  ratio      min / median / max  {} (goal: at most 1.6)", spread(ratios));
    println!(
        "  memory     {} bytes an account in the index, {} resident above the base (goal: at most 100)",
        index.bytes() / accounts,
        grown / accounts
    );
}

/// Writes the pages one after the other; gives their lengths.
fn write_pages(file: &Path, accounts: usize) -> Vec<usize> {
    let mut out = BufWriter::new(File::create(file).unwrap());
    let mut lengths = Vec::new();
    for first in (0..accounts).step_by(PAGE) {
        let mut text = String::from(
            r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":"#,
        );
        write!(text, "{accounts},\"startIndex\":{},\"itemsPerPage\":{PAGE},\"Resources\":[", first + 1)
            .unwrap();
        for n in first..first + PAGE {
            if n > first {
                text.push(',');
            }
            user(&mut text, n);
        }
        text.push_str("]}");
        out.write_all(text.as_bytes()).unwrap();
        lengths.push(text.len());
    }
    out.flush().unwrap();
    lengths
}

fn user(text: &mut String, n: usize) {
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        n.wrapping_mul(2_654_435_761) & 0xffff_ffff,
        n & 0xffff,
        n % 4096,
        n % 4095,
        n
    );
    write!(
        text,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"{id}","externalId":"hr/{n}","userName":"person{n}@example.test","name":{{"formatted":"Given{n} Family{n}","familyName":"Family{n}","givenName":"Given{n}"}},"displayName":"Given{n} Family{n}","title":"Engineer {}","active":true,"preferredLanguage":"en-GB","timezone":"Europe/Berlin","emails":[{{"value":"person{n}@example.test","type":"work","primary":true}},{{"value":"person{n}@home.test","type":"home"}}],"phoneNumbers":[{{"value":"+49 30 {n:07}","type":"work"}}],"groups":["#,
        n % 7
    )
    .unwrap();
    for g in 0..5 {
        let group = (n * 7 + g * 8) % GROUPS;
        let comma = if g == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"value":"9f8e7d6c-0000-4000-8000-{group:02}","display":"Group {group:02}","type":"direct"}}"#).unwrap();
    }
    write!(
        text,
        r#"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"employeeNumber":"{n}","department":"Department {}","costCenter":"{}","manager":{{"value":"{id}","displayName":"Boss of {n}"}}}},"meta":{{"resourceType":"User","created":"2026-01-01T00:00:00Z","lastModified":"2026-06-01T00:00:00Z","version":"W/\"{n}\"","location":"https://big.example.test/scim/v2/Users/{id}"}}}}"#,
        n % 13,
        n % 101
    )
    .unwrap();
}

fn each_page(file: &Path, lengths: &[usize], mut look: impl FnMut(&[u8])) {
    let mut input = File::open(file).unwrap();
    let mut buffer = Vec::new();
    for length in lengths {
        buffer.resize(*length, 0);
        input.read_exact(&mut buffer).unwrap();
        look(&buffer);
    }
}

/// CPU seconds of this thread that `work` takes.
fn cpu(work: impl FnOnce()) -> f64 {
    let nanoseconds = || -> f64 {
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    let before = nanoseconds();
    work();
    (nanoseconds() - before) / 1e9
}

/// Resident bytes of this process.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.2} / {:.2} / {:.2}", values[0], values[values.len() / 2], values[values.len() - 1])
}
