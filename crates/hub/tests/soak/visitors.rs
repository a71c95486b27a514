//! Those who read from the hub while it works: somebody at the console, a gateway that asks whether people may, and whoever
//! checks and exports evidence.

use std::{fs, path::Path, sync::Arc, time::Duration};

use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    company::{oracle::Violation, systems},
    hub::{Hub, answered, text, wrong},
    leavers::Leavers,
};

/// How often a page is looked at.
const PAGE: Duration = Duration::from_secs(1);
/// How often the gateway asks.
const QUESTION: Duration = Duration::from_millis(200);
/// How many packs are exported between two checks of the whole log.
const PACKS: u32 = 4;
/// Who stays, and may always.
const STAYS: &str = "hr/1001";

/// What is looked at, one after the other.
const PAGES: [&str; 9] = [
    "/",
    "/cases",
    "/cases?state=open",
    "/plans",
    "/identities",
    "/evidence",
    "/feeds",
    "/findings",
    "/systems",
];
/// The same of the API.
const LISTS: [&str; 5] =
    ["cases?limit=100", "plans?limit=100", "identities?limit=1000", "findings", "identities/hr%2F1001"];

const GATEWAY: &str = r#"
[integration.gateway]
partner = true
purpose = "Opens the chat for those who may"
owner = "hr/1002"
backup = "hr/1003"
boundary = "Our own rooms"
data_flows = ["who asks for what → hub"]
privilege_flows = ["the chat, as the hub answers"]
vendor = "Gateways Ltd"
connector = "manual"
endpoint = "person:"
acts = ["decide entitlement"]
writes_per_minute = 600000
"#;

/// Adds to a configuration what the gateway needs.
pub fn configure(folder: &Path) {
    fs::write(folder.join("gateway.toml"), GATEWAY).unwrap();
}

/// All of them.
pub struct Visitors {
    ending: watch::Sender<bool>,
    all: Vec<(&'static str, JoinHandle<Result<u64, Violation>>)>,
}

impl Visitors {
    /// Begins to visit; the whole log is checked every so often.
    pub async fn begin(hub: &Arc<Hub>, leavers: &Arc<Leavers>, checks: Duration) -> Result<Self, Violation> {
        let (ending, ended) = watch::channel(false);
        let cookie = sign_in(hub).await?;
        let gateway = hub.program.command(&["integration", "token", "gateway"]).trim().to_owned();
        let watching = tokio::spawn(live(hub.clone(), cookie.clone(), ended.clone()));
        let looking = tokio::spawn(look(hub.clone(), cookie, ended.clone()));
        let asking = tokio::spawn(ask(hub.clone(), gateway, leavers.clone(), ended.clone()));
        let auditing = tokio::spawn(audit(hub.clone(), checks, ended));
        let all = vec![
            ("news of an open page", watching),
            ("pages and lists", looking),
            ("decisions", asking),
            ("checks and packs", auditing),
        ];
        Ok(Self { ending, all })
    }

    /// Ends; gives how much each of them was given.
    pub async fn end(self) -> Result<Vec<(&'static str, u64)>, Violation> {
        self.ending.send_replace(true);
        let mut given = Vec::new();
        for (name, task) in self.all {
            let count = task.await.unwrap()?;
            if count == 0 {
                return Err(wrong(format!("{name}: none")));
            }
            given.push((name, count));
        }
        Ok(given)
    }
}

/// Opens a session by a link of the command line; gives its cookie.
async fn sign_in(hub: &Hub) -> Result<String, Violation> {
    let link: Value = serde_json::from_str(&hub.program.command(&["sign-in", "--json"])).unwrap();
    let code = link["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let form = hub.request(Method::POST, "/sign-in").body(format!("code={code}&next=/cases"));
    let form = form.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = answered(form).await?;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    Ok(cookie.split(';').next().unwrap().to_owned())
}

/// Has a page open that is told when something happens; gives how often it was.
async fn live(hub: Arc<Hub>, cookie: String, mut ended: watch::Receiver<bool>) -> Result<u64, Violation> {
    let request = hub.request(Method::GET, "/live").header(header::COOKIE, cookie);
    let mut answer = answered(request.timeout(Duration::from_secs(86_400))).await?;
    let mut told = 0;
    loop {
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => return Ok(told),
            chunk = answer.chunk() => match chunk {
                Ok(Some(_)) => told += 1,
                other => return Err(wrong(format!("an open page is left alone: {other:?}"))),
            },
        }
    }
}

/// Waits for the next turn; nothing when it is over.
async fn turn(turns: &mut tokio::time::Interval, ended: &mut watch::Receiver<bool>) -> Option<()> {
    tokio::select! {
        _ = ended.wait_for(|ended| *ended) => None,
        _ = turns.tick() => Some(()),
    }
}

fn every(time: Duration) -> tokio::time::Interval {
    let mut turns = interval(time);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// Looks at pages and lists in turn.
async fn look(hub: Arc<Hub>, cookie: String, mut ended: watch::Receiver<bool>) -> Result<u64, Violation> {
    let (mut turns, mut seen) = (every(PAGE), 0);
    for (page, list) in PAGES.iter().cycle().zip(LISTS.iter().cycle()) {
        if turn(&mut turns, &mut ended).await.is_none() {
            break;
        }
        let page = answered(hub.request(Method::GET, page).header(header::COOKIE, &cookie)).await?;
        if page.status().is_redirection() {
            return Err(wrong("the console asks who is there".into()));
        }
        text(page).await?;
        hub.get(list).await?;
        seen += 2;
    }
    Ok(seen)
}

/// Asks about somebody who stays, and about somebody who has left.
async fn ask(
    hub: Arc<Hub>,
    token: String,
    leavers: Arc<Leavers>,
    mut ended: watch::Receiver<bool>,
) -> Result<u64, Violation> {
    let (mut turns, mut answers) = (every(QUESTION), 0);
    while turn(&mut turns, &mut ended).await.is_some() {
        let gone = leavers.long_gone(systems::now().as_millisecond());
        let asked = [Some((STAYS.to_owned(), true)), gone.map(|gone| (gone, false))];
        for (who, may) in asked.into_iter().flatten() {
            let question = json!({
                "subject": { "type": "identity", "id": who },
                "action": { "name": "use" },
                "resource": { "type": "entitlement", "id": "chat/account" }
            });
            let request = hub.request(Method::POST, "/access/v1/evaluation").bearer_auth(&token);
            let request = request.header(header::CONTENT_TYPE, "application/json").body(question.to_string());
            let answer: Value = serde_json::from_str(&text(answered(request).await?).await?).unwrap();
            if answer["decision"] != may {
                return Err(wrong(format!("whether {who} may use the chat: {answer}")));
            }
            answers += 1;
        }
    }
    Ok(answers)
}

/// Exports what there is about somebody, and now and then checks the whole log.
async fn audit(hub: Arc<Hub>, checks: Duration, mut ended: watch::Receiver<bool>) -> Result<u64, Violation> {
    let somebody = hub.get(&format!("identities/{}", STAYS.replace('/', "%2F"))).await?;
    let pack = format!("/api/v1/evidence/packs/{}", somebody["identity"]["id"].as_str().unwrap());
    let (mut turns, mut done) = (every(checks / (PACKS + 1)), 0);
    for nth in 1.. {
        if turn(&mut turns, &mut ended).await.is_none() {
            break;
        }
        if nth % (PACKS + 1) == 0 {
            let check = hub.call(Method::POST, "/api/v1/evidence/check");
            let check = check.header(header::CONTENT_TYPE, "application/json").body("{}");
            let found: Value = serde_json::from_str(&text(answered(check).await?).await?).unwrap();
            if !found["damage"].is_null() {
                return Err(wrong(format!("the log is not sound: {found}")));
            }
        } else {
            hub.text(&pack).await?;
        }
        done += 1;
    }
    Ok(done)
}
