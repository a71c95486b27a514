//! Dense numbers for ids, and back.

use std::{collections::BTreeMap, sync::Arc};

/// Numbers from 0 on, handed out for ids as they come; one that was given back is handed out again.
#[derive(Debug, Clone, Default)]
pub struct Names {
    numbers: BTreeMap<Arc<str>, u32>,
    names: Vec<Option<Arc<str>>>,
    free: Vec<u32>,
}

impl Names {
    /// The number of an id, handed out if it has none yet.
    pub fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.find(id) {
            return number;
        }
        let id: Arc<str> = id.into();
        let number = self.free.pop().unwrap_or_else(|| {
            self.names.push(None);
            self.names.len() as u32 - 1
        });
        self.names[number as usize] = Some(Arc::clone(&id));
        self.numbers.insert(id, number);
        number
    }

    /// The number of an id.
    pub fn find(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The id of a number.
    pub fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize)?.as_deref()
    }

    /// Gives back the number of an id. What had it has to be taken out of the graph before.
    pub fn forget(&mut self, id: &str) -> Option<u32> {
        let number = self.numbers.remove(id)?;
        self.names[number as usize] = None;
        self.free.push(number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_belongs_to_one_id_until_it_is_given_back() {
        let mut names = Names::default();
        assert_eq!(["b", "a", "b", "A"].map(|id| names.number(id)), [0, 1, 0, 2]);
        assert_eq!((names.find("a"), names.name(1), names.name(3)), (Some(1), Some("a"), None));
        assert_eq!((names.forget("a"), names.forget("a")), (Some(1), None));
        assert_eq!((names.find("a"), names.name(1)), (None, None));
        assert_eq!(["c", "a"].map(|id| names.number(id)), [1, 3]);
        assert_eq!(
            [0, 1, 2, 3].map(|number| names.name(number)),
            [Some("b"), Some("c"), Some("A"), Some("a")]
        );
    }
}
