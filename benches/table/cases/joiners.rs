//! Joiners on 8 systems over HTTP, provisioned and verified, against a bare client making the same calls.
//!
//! The hub is the program itself; the systems are a lab in this process, which writes down every call from the first
//! one after the file is handed over to the last one that reads back. The floor plays exactly those calls again, on a
//! lab that is as the first one was, one connection for each system, and expects the same answers. Wall time: from
//! the file to the last call. In: reading the file, deciding, planning, approving by a rule, evidence on disk, one call
//! for each change, the window of a second in which a system may show old things, and reading back what was done.
//!
//! Everybody comes into a team of 50 and an office of 250. Of a group a system shows all or nothing, so that a joiner costs
//! more where groups are larger.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use bailiwick_lab::Lab;

use super::folder;
use crate::{
    Size,
    company::Company,
    http::Client,
    hub::Hub,
    laboratory::served,
    measure::{Pairs, Spread, Watch, wall},
    row::{Goal, Row, short, time},
};

const PAIRS: usize = 3;
const SYSTEMS: usize = 8;
/// How many people are in a team, and in an office.
const TEAM: usize = 50;
const OFFICE: usize = 250;
/// What midPoint 4.4 publishes for 8 targets on two nodes with 48 threads, identities a second, and by how much to
/// be faster.
const PUBLISHED: f64 = 21.7 * 10.0;

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(10_000);
    let company = Company { people, systems: SYSTEMS, groups: &[("team", TEAM), ("office", OFFICE)] };
    let (mut pairs, mut rates, mut calls) = (Pairs::default(), Vec::new(), 0);
    for _ in 0..PAIRS {
        let (recorded, seconds) = provisioned(&company);
        calls = recorded.len();
        pairs.push(played(&recorded, &company), seconds);
        rates.push(people as f64 / seconds);
    }
    let work = format!("{people} joiners on {SYSTEMS} systems over HTTP, provisioned and verified");
    let each = |seconds: Spread| time(seconds.median / calls as f64);
    vec![
        Row::ratio(&work, "a bare client making the same calls, wall", Goal::AtLeast(0.5), &pairs).with(
            format!(
                "{calls} calls, {} an identity on a system; floor {}, ours {} a call",
                short(calls as f64 / (people * SYSTEMS) as f64),
                each(pairs.floor()),
                each(pairs.ours())
            ),
        ),
        Row::value(
            work,
            "10 × what midPoint 4.4 publishes, 48 threads",
            Goal::AtLeast(PUBLISHED),
            "identities a second",
            Spread::of(rates),
        ),
    ]
}

/// A call that came, and what was answered.
struct Call {
    method: String,
    path: String,
    token: String,
    body: String,
    status: u16,
    at: Instant,
}

type Calls = Arc<Mutex<Vec<Call>>>;

/// A lab that writes down what it is asked.
fn watched(lab: &Lab, calls: &Calls) -> Router {
    lab.router().layer(middleware::from_fn_with_state(calls.clone(), note))
}

async fn note(State(calls): State<Calls>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let token = head.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let (method, path) = (head.method.to_string(), head.uri.to_string());
    let text = String::from_utf8(body.to_vec()).unwrap();
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    let status = response.status().as_u16();
    calls.lock().unwrap().push(Call { method, path, token, body: text, status, at: now() });
    response
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Lets a new hub provision everybody; gives the calls that it took, and the seconds to the last one.
fn provisioned(company: &Company) -> (Vec<Call>, f64) {
    let (lab, calls) = (company.lab(), Calls::default());
    let served = served(watched(&lab, &calls));
    let folder = folder();
    let hub = Hub::start(folder.path());
    company.set_up(&hub, &served.address);
    calls.lock().unwrap().clear();
    let begun = Watch::start();
    company.import(&hub, folder.path(), 0);
    company.proven(&lab);
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    let seconds = begun.until(calls.last().unwrap().at);
    (calls, seconds)
}

/// Plays the same calls on systems that are as they were; gives the seconds.
fn played(calls: &[Call], company: &Company) -> f64 {
    let again = Calls::default();
    let lab = company.lab();
    let served = served(watched(&lab, &again));
    let seconds = wall(|| {
        thread::scope(|scope| {
            for name in company.names() {
                let address = &served.address;
                scope.spawn(move || {
                    let prefix = format!("/{name}/");
                    let theirs = calls.iter().filter(|call| call.path.starts_with(&prefix));
                    let mut client = Client::new(address, "");
                    for call in theirs {
                        client.show(&call.token);
                        let status = client.call(&call.method, &call.path, &call.body);
                        assert_eq!(status, call.status, "{} {}", call.method, call.path);
                    }
                });
            }
        });
    });
    assert_eq!(again.lock().unwrap().len(), calls.len());
    seconds
}
