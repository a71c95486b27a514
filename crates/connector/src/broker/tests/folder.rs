//! Files: what is read, and that nothing else is.

use super::*;

fn folder_bench(folder: &std::path::Path) -> Bench {
    let mut bench = bench();
    bench.integration.endpoint = format!("file:{}", folder.display());
    bench.integration.scope.rules =
        ["list READ /{file}", "list READ /in/{file}"].map(|r| r.parse().unwrap()).to_vec();
    bench
}

fn read(path: &str) -> Call {
    Call::new(Operation::List, "READ", path)
}

#[tokio::test]
async fn a_file_is_read_only_inside_of_its_folder() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("feeds");
    fs::create_dir_all(folder.join("in")).unwrap();
    for (name, text) in [("hr file.csv", "abc"), ("in/b.csv", "in"), ("../secret", SECRET), ("empty", "")] {
        fs::write(folder.join(name), text).unwrap();
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    link("../secret", "out");
    link("in/b.csv", "inside");
    link("..", "up");
    let bench = folder_bench(&folder);
    let line = bench.broker.line(&bench.integration, Purpose::Verify, None);
    for (path, expect) in [
        ("/hr%20file.csv", Some("abc")),
        ("/in/b.csv", Some("in")),
        ("/inside", Some("in")),
        ("/empty", Some("")),
        ("/out", None),
        ("/in", None),
        ("/up", None),
        ("/none.csv", None),
        ("/hr%20file.csv%zz", None),
    ] {
        let answer = line.send(read(path)).await.unwrap();
        assert_eq!(answer.status, if expect.is_some() { 200 } else { 404 }, "{path}");
        assert_eq!(&answer.body[..], expect.unwrap_or_default().as_bytes(), "{path}");
    }
    for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/up/secret", "/in/../../secret"] {
        assert_eq!(line.send(read(path)).await.unwrap_err().kind, ErrorKind::OutOfScope, "{path}");
        bench.broker.release(&bench.integration.name);
    }
    // Even a scope that allows the folder behind the link does not lead out.
    let mut wide = bench.integration.clone();
    wide.scope.rules = vec!["list READ /{a}/{b}".parse().unwrap(), "list GET /{a}".parse().unwrap()];
    let wide = bench.broker.line(&wide, Purpose::Verify, None);
    assert_eq!(wide.send(read("/up/secret")).await.unwrap().status, 404);
    assert_eq!(
        wide.send(Call::new(Operation::List, "GET", "/in")).await.unwrap_err().kind,
        ErrorKind::Settings
    );

    let gone = Integration {
        endpoint: format!("file:{}/none", outer.path().display()),
        ..bench.integration.clone()
    };
    let error = bench.broker.line(&gone, Purpose::Verify, None).send(read("/x")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn a_file_is_read_in_ranges_and_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "0123456789").unwrap();
    let bench = folder_bench(folder.path());
    let line = bench.broker.line(&bench.integration, Purpose::Write, None);
    let mut etags = Vec::new();
    for (range, status, body, content) in [
        ("bytes=0-3", 206, "0123", Some("bytes 0-3/10")),
        ("bytes=8-99", 206, "89", Some("bytes 8-9/10")),
        ("bytes=10-11", 416, "", Some("bytes */10")),
    ] {
        let answer = line.send(read("/a").header("range", range)).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (status, body.as_bytes()), "{range}");
        assert_eq!(answer.header("content-range"), content);
        etags.push(answer.header("etag").unwrap().to_owned());
    }
    for range in ["bytes=3-1", "bytes=-3", "lines=1-2", "bytes=0-1,3-4", ""] {
        assert_eq!(
            line.send(read("/a").header("range", range)).await.unwrap_err().kind,
            ErrorKind::Invalid,
            "{range}"
        );
    }
    fs::remove_file(&path).unwrap();
    fs::write(&path, "01234567890").unwrap();
    etags.push(line.send(read("/a")).await.unwrap().header("etag").unwrap().to_owned());
    assert!(etags[0] == etags[1] && etags[1] == etags[2] && etags[2] != etags[3], "{etags:?}");

    let broker = Broker::new(Tenant::single(), bench.wire.clone(), bench.clock.clone(), bench.key.clone())
        .with_file_limit(10);
    let error = broker.line(&bench.integration, Purpose::Write, None).send(read("/a")).await.unwrap_err();
    assert!(error.kind == ErrorKind::Malformed && error.message.contains("at most 10"), "{error}");
}
