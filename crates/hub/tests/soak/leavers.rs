//! Who leaves: when that was to be delivered, and when their case was closed.

use std::{collections::BTreeMap, sync::Mutex};

use bailiwick_core::time::Timestamp;
use serde_json::Value;

use crate::{company::oracle::Violation, hub::Hub};

/// Since when somebody is surely denied everything.
const LONG_SINCE_MS: i64 = 60_000;

/// Those of the steady load.
#[derive(Default)]
pub struct Leavers(Mutex<Told>);

#[derive(Default)]
struct Told {
    /// Key → when it was to be delivered that they leave, milliseconds.
    at: BTreeMap<String, i64>,
    /// Key → when their case was closed, milliseconds.
    closed: BTreeMap<String, i64>,
    /// Up to here all cases are closed.
    after: Option<String>,
}

impl Leavers {
    /// These leave by what is to be delivered at an instant.
    pub fn told(&self, numbers: &[usize], at_ms: i64) {
        let keys = numbers.iter().map(|number| (format!("hr/{number}"), at_ms));
        self.0.lock().unwrap().at.extend(keys);
    }

    /// Reads from the hub which cases are closed, from the first on that was open the last time.
    pub async fn read(&self, hub: &Hub) -> Result<(), Violation> {
        loop {
            let after = self.0.lock().unwrap().after.clone();
            let after = after.map_or_else(String::new, |after| format!("&after={after}"));
            let page = hub.get(&format!("cases?limit=1000{after}")).await?;
            let items = page["items"].as_array().unwrap();
            let whole = self.0.lock().unwrap().take(items);
            if !whole || page["next"].is_null() {
                return Ok(());
            }
        }
    }

    /// Somebody who left so long ago that they may nothing any more.
    pub fn long_gone(&self, now_ms: i64) -> Option<String> {
        let told = self.0.lock().unwrap();
        told.at.iter().rev().find(|(_, at)| now_ms - **at > LONG_SINCE_MS).map(|(key, _)| key.clone())
    }

    /// How long each took whose case is closed, seconds, the shortest first.
    pub fn took(&self) -> Vec<f64> {
        let told = self.0.lock().unwrap();
        let took = |(key, at): (&String, &i64)| Some((told.closed.get(key)? - at) as f64 / 1000.0);
        let mut all: Vec<f64> = told.at.iter().filter_map(took).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// Those whose case is not closed.
    pub fn open(&self) -> Vec<String> {
        let told = self.0.lock().unwrap();
        told.at.keys().filter(|key| !told.closed.contains_key(*key)).cloned().collect()
    }
}

impl Told {
    /// Takes a page of cases; says whether all of them are closed.
    fn take(&mut self, items: &[Value]) -> bool {
        let mut whole = true;
        for case in items {
            match case["closed"].as_str().map(|at| at.parse::<Timestamp>().unwrap()) {
                Some(at) => {
                    let key = case["who"]["key"].as_str().unwrap();
                    self.closed.insert(key.to_owned(), at.as_millisecond());
                    if whole {
                        self.after = Some(case["id"].as_str().unwrap().to_owned());
                    }
                }
                None => whole = false,
            }
        }
        whole
    }
}
