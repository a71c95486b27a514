//! Records, their lines and their faults, by table and against a lenient reader on random bytes.

use bailiwick_connector::testkit::Seeded;

use super::*;

/// The line and the fields of a record.
type Seen = (u64, Vec<Vec<u8>>);

fn all(text: &[u8]) -> Result<Vec<Seen>, (Fault, u64)> {
    let (mut rest, mut lines, mut rows) = (text, 0, Vec::new());
    let mut scratch = Record::default();
    loop {
        match record(rest, true, b',', &mut scratch).map_err(|(fault, before)| (fault, lines + before + 1))? {
            Found::Record { used, lines: more } => {
                assert!(used > 0);
                assert_eq!(more, line_ends(&rest[..used]), "{:?}", String::from_utf8_lossy(rest));
                rows.push((lines + scratch.before + 1, scratch.raw().map(<[u8]>::to_vec).collect()));
                (rest, lines) = (&rest[used..], lines + more);
            }
            Found::Blank { .. } => return Ok(rows),
            Found::Part => panic!("there is no more than all"),
        }
    }
}

#[test]
fn records_are_found_with_their_lines() {
    let check = |text: &str, expect: &[(u64, &[&str])]| {
        let rows = all(text.as_bytes()).unwrap();
        let rows: Vec<(u64, Vec<&str>)> = rows
            .iter()
            .map(|(l, r)| (*l, r.iter().map(|f| std::str::from_utf8(f).unwrap()).collect()))
            .collect();
        let expect: Vec<(u64, Vec<&str>)> = expect.iter().map(|(l, r)| (*l, r.to_vec())).collect();
        assert_eq!(rows, expect, "{text:?}");
    };
    check("", &[]);
    check("\n\r\n\r", &[]);
    check("a,b\nc,d", &[(1, &["a", "b"]), (2, &["c", "d"])]);
    check("a,b\r\nc,d\r\n", &[(1, &["a", "b"]), (2, &["c", "d"])]);
    check("a\rb\r", &[(1, &["a"]), (2, &["b"])]);
    check("a,\n,b\n,\n", &[(1, &["a", ""]), (2, &["", "b"]), (3, &["", ""])]);
    check("\n\na\n\n\nb", &[(3, &["a"]), (6, &["b"])]);
    check("\"a,b\",c", &[(1, &["a,b", "c"])]);
    check("\"say \"\"hi\"\"\",\"\"\n\"\"\"\"", &[(1, &["say \"hi\"", ""]), (2, &["\""])]);
    check("\"a\nb\r\nc\rd\",e\nf,g", &[(1, &["a\nb\r\nc\rd", "e"]), (5, &["f", "g"])]);
}

#[test]
fn stray_quotes_are_faults_on_their_line() {
    let check = |text: &str, fault, line| assert_eq!(all(text.as_bytes()), Err((fault, line)), "{text:?}");
    check("a\nb\"c\nd", Fault::Stray, 2);
    check("a,b \"c\"", Fault::Stray, 1);
    check("\"a\"b\n", Fault::Trailing, 1);
    check("\"a\" ,b\n", Fault::Trailing, 1);
    check("\"a\nb\"c\n", Fault::Trailing, 2);
    check("a\n\n\"b\nc\nd\n", Fault::Unclosed, 3);
    check("\"", Fault::Unclosed, 1);
}

/// Text of few different characters, so that everything special is near everything else.
fn noise(random: &Seeded) -> Vec<u8> {
    let length = random.next() % 40;
    (0..length).map(|_| b"ab,\"\"\n\r\xff"[usize::try_from(random.next() % 8).unwrap()]).collect()
}

#[test]
fn what_is_accepted_is_what_a_lenient_reader_sees_and_showing_it_in_parts_changes_nothing() {
    let mut accepted = 0;
    for seed in 0..20_000 {
        let text = noise(&Seeded::new(seed));
        let whole = all(&text);
        // In parts: what is called a part with few bytes is the same record with more of them.
        for cut in 0..text.len() {
            let (mut some, mut more) = (Record::default(), Record::default());
            let (part, full) =
                (record(&text[..cut], false, b',', &mut some), record(&text, true, b',', &mut more));
            match part {
                Ok(Found::Record { used, lines }) => {
                    assert_eq!(full, Ok(Found::Record { used, lines }), "seed {seed}, {cut}");
                    assert!(some.raw().eq(more.raw()), "seed {seed}, {cut}");
                }
                Err(fault) => assert_eq!(full, Err(fault), "seed {seed}, {cut}"),
                Ok(Found::Part | Found::Blank { .. }) => {}
            }
        }
        let Ok(rows) = whole else { continue };
        accepted += 1;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        let theirs: Vec<Vec<Vec<u8>>> =
            reader.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
        let ours: Vec<Vec<Vec<u8>>> = rows.into_iter().map(|(_, fields)| fields).collect();
        assert_eq!(ours, theirs, "seed {seed}: {:?}", String::from_utf8_lossy(&text));
    }
    assert!(accepted > 2_000, "only {accepted} texts were accepted");
}
