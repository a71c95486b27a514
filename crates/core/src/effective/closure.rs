//! Groups in groups, and what follows for each of them.
//!
//! Of each component is kept which groups it is in, itself among them: `above`. An edge from a child to a parent
//! adds `above` of the parent to that of the child and of all below it; one that has the parent already has all of
//! that, and nothing below it needs a look. What loses an edge is made anew from what is directly above it, and so
//! is what hangs on it, from above to below, as long as something was lost.
//!
//! That an edge is followed no further than where it brings nothing is from G. F. Italiano, *Amortized efficiency of
//! a path retrieval data structure*, Theor. Comput. Sci. 48, 1986.

use std::{collections::BTreeSet, mem};

use super::{
    Group,
    condense::condense,
    set::{Marks, Set},
};

/// Which groups are in which, directly and by that.
#[derive(Debug, Clone, Default)]
pub(super) struct Closure {
    /// The groups that each group is in directly, ascending.
    pub(super) up: Vec<Vec<Group>>,
    /// The groups that are directly in each group, ascending.
    pub(super) down: Vec<Vec<Group>>,
    component_of: Vec<u32>,
    components: Vec<Component>,
    /// Places of components that are no more.
    free: Vec<u32>,
    marks: Marks,
}

#[derive(Debug, Clone, Default)]
struct Component {
    /// Its groups, ascending.
    groups: Vec<Group>,
    above: Set,
}

/// Groups of one component, and what became of `above`.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) groups: Vec<Group>,
    pub(super) before: Set,
    /// What was gained, or lost.
    pub(super) by: Set,
}

impl Closure {
    /// All at once. `edges` are pairs of a child and the parent that it is in.
    pub(super) fn new(count: usize, edges: &[(Group, Group)]) -> Self {
        let mut closure = Self { marks: Marks::new(count), component_of: vec![0; count], ..Self::default() };
        (closure.up, closure.down) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for (child, parent) in edges {
            closure.up[child.at()].push(*parent);
            closure.down[parent.at()].push(*child);
        }
        for groups in closure.up.iter_mut().chain(&mut closure.down) {
            groups.sort_unstable();
            groups.dedup();
        }
        let groups: Vec<Group> = (0..count as u32).map(Group).collect();
        for groups in condense(&groups, &closure.up) {
            let at = closure.components.len() as u32;
            groups.iter().for_each(|group| closure.component_of[group.at()] = at);
            closure.components.push(Component { groups, above: Set::default() });
            closure.components[at as usize].above = closure.made_anew(at);
        }
        closure
    }

    pub(super) fn count(&self) -> usize {
        self.up.len()
    }

    /// Makes room for groups below `count`.
    pub(super) fn fit(&mut self, count: usize) {
        self.marks.fit(count);
        for number in self.count()..count {
            let group = Group(number as u32);
            let alone = Component { groups: vec![group], above: Set::Few(vec![group.0]) };
            let at = self.place(alone);
            self.component_of.push(at);
            self.up.push(Vec::new());
            self.down.push(Vec::new());
        }
    }

    /// The groups that whoever is in the group is in.
    pub(super) fn above(&self, group: Group) -> &Set {
        &self.component(self.component_of[group.at()]).above
    }

    /// The group and all that are in it, ascending.
    pub(super) fn below(&self, group: Group) -> BTreeSet<Group> {
        let (mut below, mut todo) = (BTreeSet::from([group]), vec![group]);
        while let Some(group) = todo.pop() {
            todo.extend(self.down[group.at()].iter().copied().filter(|child| below.insert(*child)));
        }
        below
    }

    /// Puts a group in another.
    pub(super) fn join(&mut self, child: Group, parent: Group) -> Vec<Moved> {
        self.fit(child.at().max(parent.at()) + 1);
        let mut moved = Vec::new();
        if !insert(&mut self.up[child.at()], parent) {
            return moved;
        }
        insert(&mut self.down[parent.at()], child);
        let new = self.above(parent).clone();
        let mut todo = vec![self.component_of[child.at()]];
        while let Some(at) = todo.pop() {
            let component = &mut self.components[at as usize];
            if component.above.contains(parent.0) {
                continue;
            }
            self.marks.add_all(&new);
            self.marks.remove_all(&component.above);
            let by = self.marks.take();
            self.marks.add_all(&component.above);
            self.marks.add_all(&by);
            let before = mem::replace(&mut component.above, self.marks.take());
            moved.push(Moved { groups: component.groups.clone(), before, by });
            todo.extend(self.below_directly(at));
        }
        if new.contains(child.0) {
            self.close_circle(&new, child);
        }
        moved
    }

    /// The child was above the parent already: what is above the parent and below the child is one component now.
    fn close_circle(&mut self, above: &Set, child: Group) {
        let kept = self.component_of[child.at()];
        let on_circle = |at: &u32| *at != kept && self.component(*at).above.contains(child.0);
        let joining: BTreeSet<u32> =
            above.iter().map(|group| self.component_of[group as usize]).filter(on_circle).collect();
        for at in joining {
            let Component { groups, .. } = mem::take(&mut self.components[at as usize]);
            self.free.push(at);
            groups.iter().for_each(|group| self.component_of[group.at()] = kept);
            self.components[kept as usize].groups.extend(groups);
        }
        self.components[kept as usize].groups.sort_unstable();
    }

    /// Takes children out of their parents.
    pub(super) fn leave(&mut self, edges: &[(Group, Group)]) -> Vec<Moved> {
        let (mut starts, mut torn) = (BTreeSet::new(), BTreeSet::new());
        for (child, parent) in edges {
            if self.up.get_mut(child.at()).is_none_or(|parents| !remove(parents, *parent)) {
                continue;
            }
            remove(&mut self.down[parent.at()], *child);
            let at = self.component_of[child.at()];
            starts.insert(at);
            if at == self.component_of[parent.at()] {
                torn.insert(at);
            }
        }
        torn.into_iter().for_each(|at| starts.extend(self.tear(at)));
        // A change begins where what is directly above makes a difference.
        let mut dirty = BTreeSet::new();
        for at in starts {
            // It can only have become smaller.
            if self.made_anew(at).len() < self.component(at).above.len() {
                dirty.insert(at);
            }
        }
        let mut moved = Vec::new();
        for at in self.downwards(&dirty) {
            if dirty.contains(&at)
                && let Some(one) = self.make_anew(at)
            {
                moved.push(one);
                dirty.extend(self.below_directly(at));
            }
        }
        moved
    }

    /// A component that lost an edge within may be several now. Each has what the whole had, for the time being.
    fn tear(&mut self, at: u32) -> Vec<u32> {
        let Component { groups, above } = mem::take(&mut self.components[at as usize]);
        let mut places = Vec::new();
        self.free.push(at);
        for groups in condense(&groups, &self.up) {
            let numbers = groups.clone();
            let at = self.place(Component { groups, above: above.clone() });
            numbers.iter().for_each(|group| self.component_of[group.at()] = at);
            places.push(at);
        }
        places
    }

    /// Makes a component's `above` anew; gives what was lost.
    fn make_anew(&mut self, at: u32) -> Option<Moved> {
        let now = self.made_anew(at);
        let component = &mut self.components[at as usize];
        self.marks.add_all(&component.above);
        self.marks.remove_all(&now);
        let by = self.marks.take();
        let before = mem::replace(&mut component.above, now);
        (!by.is_empty()).then(|| Moved { groups: component.groups.clone(), before, by })
    }

    /// What follows from what is directly above.
    fn made_anew(&mut self, at: u32) -> Set {
        for group in &self.components[at as usize].groups {
            self.marks.add(group.0);
            for above in self.up[group.at()].iter().map(|parent| self.component_of[parent.at()]) {
                if above != at {
                    self.marks.add_all(&self.components[above as usize].above);
                }
            }
        }
        self.marks.take()
    }

    /// The components and all below them, each after everything that it is in.
    fn downwards(&self, starts: &BTreeSet<u32>) -> Vec<u32> {
        let (mut entered, mut left) = (BTreeSet::new(), Vec::new());
        let mut todo: Vec<(u32, bool)> = starts.iter().map(|at| (*at, false)).collect();
        while let Some((at, leave)) = todo.pop() {
            if leave {
                left.push(at);
            } else if entered.insert(at) {
                todo.push((at, true));
                todo.extend(self.below_directly(at).map(|below| (below, false)));
            }
        }
        left.reverse();
        left
    }

    fn below_directly(&self, at: u32) -> impl Iterator<Item = u32> {
        let groups = self.component(at).groups.iter().flat_map(|group| &self.down[group.at()]);
        groups.map(|child| self.component_of[child.at()]).filter(move |below| *below != at)
    }

    fn component(&self, at: u32) -> &Component {
        &self.components[at as usize]
    }

    fn place(&mut self, component: Component) -> u32 {
        if let Some(at) = self.free.pop() {
            self.components[at as usize] = component;
            return at;
        }
        self.components.push(component);
        self.components.len() as u32 - 1
    }
}

/// Puts one in its place; `false` if it was there.
pub(super) fn insert<T: Ord>(list: &mut Vec<T>, one: T) -> bool {
    match list.binary_search(&one) {
        Ok(_) => false,
        Err(at) => {
            list.insert(at, one);
            true
        }
    }
}

/// Takes one out; `false` if it was not there.
pub(super) fn remove<T: Ord>(list: &mut Vec<T>, one: T) -> bool {
    let place = list.binary_search(&one);
    place.map(|at| list.remove(at)).is_ok()
}
