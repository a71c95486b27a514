//! The groups that each account is in directly: short lists, many of them, in one piece of memory.
//!
//! Against a `Vec` for each account that is 12 bytes in place of 24 and no allocation of its own, which at a million
//! accounts is half of the time to lay them out. A list that needs more room moves to where there is twice as much;
//! what it leaves is used for the next that needs as much or less.

use super::Group;

#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    heads: Vec<Head>,
    groups: Vec<Group>,
    /// Where room for at least 2ⁿ groups begins that no list needs.
    free: Vec<Vec<u32>>,
}

/// Where a list begins, how long it is and how long it may become there.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    start: u32,
    len: u32,
    room: u32,
}

impl Head {
    const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

impl Lists {
    /// Empty lists with room for this much.
    pub(super) fn with_room(rooms: &[u32]) -> Self {
        let (mut start, mut heads) = (0, Vec::with_capacity(rooms.len()));
        for room in rooms {
            heads.push(Head { start, len: 0, room: *room });
            start += room;
        }
        Self { heads, groups: vec![Group(0); start as usize], free: Vec::new() }
    }

    /// How many lists there are.
    pub(super) fn count(&self) -> usize {
        self.heads.len()
    }

    /// Makes more lists, up to `count`.
    pub(super) fn fit(&mut self, count: usize) {
        if self.count() < count {
            self.heads.resize(count, Head::default());
        }
    }

    /// A list, ascending; one that there is not is empty.
    pub(super) fn get(&self, at: usize) -> &[Group] {
        self.heads.get(at).map_or(&[], |head| &self.groups[head.range()])
    }

    /// All lists, from the first on.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[Group]> {
        self.heads.iter().map(|head| &self.groups[head.range()])
    }

    /// Puts a group behind all others of a list that has room for it.
    pub(super) fn push(&mut self, at: usize, group: Group) {
        let head = &mut self.heads[at];
        self.groups[head.range().end] = group;
        head.len += 1;
    }

    /// Puts a group in its place; `false` if it was there.
    pub(super) fn insert(&mut self, at: usize, group: Group) -> bool {
        let Err(place) = self.get(at).binary_search(&group) else { return false };
        if self.heads[at].len == self.heads[at].room {
            self.move_to_more(at);
        }
        let head = &mut self.heads[at];
        head.len += 1;
        let list = &mut self.groups[head.range()];
        let last = list.len() - 1;
        list.copy_within(place..last, place + 1);
        list[place] = group;
        true
    }

    /// Takes a group out; `false` if it was not there.
    pub(super) fn remove(&mut self, at: usize, group: Group) -> bool {
        let Ok(place) = self.get(at).binary_search(&group) else { return false };
        let head = &mut self.heads[at];
        self.groups[head.range()].copy_within(place + 1.., place);
        head.len -= 1;
        true
    }

    /// Takes everything out of a list. Its room stays with it.
    pub(super) fn take(&mut self, at: usize) -> Vec<Group> {
        let groups = self.get(at).to_vec();
        if let Some(head) = self.heads.get_mut(at) {
            head.len = 0;
        }
        groups
    }

    fn move_to_more(&mut self, at: usize) {
        let old = self.heads[at];
        let room = (old.room + 1).next_power_of_two().max(4);
        let free = self.free.get_mut(room.ilog2() as usize).and_then(Vec::pop);
        let start = free.unwrap_or_else(|| {
            self.groups.resize(self.groups.len() + room as usize, Group(0));
            self.groups.len() as u32 - room
        });
        self.groups.copy_within(old.range(), start as usize);
        self.heads[at] = Head { start, room, ..old };
        if let Some(class) = old.room.checked_ilog2() {
            let class = class as usize;
            self.free.resize(self.free.len().max(class + 1), Vec::new());
            self.free[class].push(old.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::closure::{insert, remove},
        *,
    };

    #[test]
    fn lists_that_grow_and_shrink_hold_what_vectors_would_and_take_room_over() {
        let mut lists = Lists::with_room(&[3, 0, 5]);
        lists.fit(20);
        let mut vectors = vec![Vec::new(); 20];
        for group in [1, 5].map(Group) {
            lists.push(2, group);
            vectors[2].push(group);
        }
        // Steps through all lists and numbers, with more put in than taken out at first, then the other way round.
        for step in 0..6_000_u32 {
            let (at, group) = ((step * 7 % 20) as usize, Group(step * 13 % 101));
            let put = (step % 3 == 0) == (step > 3_000);
            let (got, expect) = match put {
                true => (lists.insert(at, group), insert(&mut vectors[at], group)),
                false => (lists.remove(at, group), remove(&mut vectors[at], group)),
            };
            assert_eq!(got, expect, "step {step}");
            assert!(lists.iter().eq(vectors.iter().map(Vec::as_slice)), "step {step}");
        }
        assert!(lists.groups.len() < 20 * 256, "{} places", lists.groups.len());
        assert_eq!((lists.take(3), lists.take(3), lists.take(20)), (vectors[3].clone(), vec![], vec![]));
        assert!(lists.get(3).is_empty() && lists.get(20).is_empty() && !vectors[3].is_empty());
    }
}
