//! What is heard of the answers to a reading.

use super::*;

#[tokio::test]
async fn a_reading_has_the_digest_of_every_answer_in_its_order() {
    let bench = bench();
    let (line, heard) = bench.line(Purpose::Verify).heard();
    assert_eq!(heard.digest(), Digest::of(b""), "nothing was answered yet");
    let found = line.send(get()).await.unwrap();
    *bench.wire.fail.lock().unwrap() =
        Some(TransportError { kind: TransportErrorKind::Timeout, sent: true, cause: String::new() });
    line.send(get()).await.unwrap_err();
    *bench.wire.fail.lock().unwrap() = None;
    let search = Call::new(Operation::List, "POST", "/Users/.search");
    let listed = line.clone().send(search).await.unwrap();
    bench.line(Purpose::Verify).send(get()).await.unwrap();
    let expect = Digest::of_parts(&[&found.digest().0, &listed.digest().0]);
    assert_eq!(heard.digest(), expect, "what another line hears is not of this reading");
    let traffic = bench.broker.traffic();
    assert_eq!(traffic[&bench.integration.name].last_write, None, "what is heard is no write");
}
