// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which events of two sequences are the same.
//!
//! The way of patience diff: what both sequences have equally often, and in the same order, are
//! anchors; between anchors only what follows the one or precedes the next is matched. Work is
//! `n log n`, whatever the sequences are: what is not matched that way is called moved, if the other
//! sequence has it elsewhere, else missing.

use std::collections::HashMap;

/// How two sequences relate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Alignment {
    /// The places of the first events that differ, if there is one: none where a sequence has ended.
    pub(crate) first: (Option<usize>, Option<usize>),
    pub(crate) only_a: Vec<usize>,
    pub(crate) only_b: Vec<usize>,
    /// The same event at different places relative to others.
    pub(crate) moved: Vec<(usize, usize)>,
    /// The same event in the same order.
    matched: Vec<(usize, usize)>,
}

impl Alignment {
    /// Whether the sequences are the same.
    pub(crate) fn is_equal(&self) -> bool {
        self.first == (None, None)
    }

    /// All pairs of the same event.
    pub(crate) fn same(&self) -> impl Iterator<Item = (usize, usize)> {
        self.matched.iter().chain(&self.moved).copied()
    }
}

pub(crate) fn align(a: &[usize], b: &[usize]) -> Alignment {
    let mut found = Alignment::default();
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    if common < a.len().max(b.len()) {
        let at = |length: usize| (common < length).then_some(common);
        found.first = (at(a.len()), at(b.len()));
    }
    let mut from = (0, 0);
    let end = [(a.len(), b.len())];
    for (to_a, to_b) in anchors(a, b, common).into_iter().chain(end) {
        gap(a, b, from, (to_a, to_b), &mut found);
        if to_a < a.len() {
            found.matched.push((to_a, to_b));
        }
        from = (to_a + 1, to_b + 1);
    }
    pair_moved(a, b, &mut found);
    found
}

/// Matches the front and the back of what is between two anchors.
fn gap(a: &[usize], b: &[usize], from: (usize, usize), to: (usize, usize), found: &mut Alignment) {
    let (mut a, mut b) = (&a[from.0..to.0], &b[from.1..to.1]);
    let (mut at_a, mut at_b) = from;
    while let ([first, rest_a @ ..], [other, rest_b @ ..]) = (a, b)
        && first == other
    {
        found.matched.push((at_a, at_b));
        (a, b, at_a, at_b) = (rest_a, rest_b, at_a + 1, at_b + 1);
    }
    let mut behind = Vec::new();
    while let ([rest_a @ .., last], [rest_b @ .., other]) = (a, b)
        && last == other
    {
        (a, b) = (rest_a, rest_b);
        behind.push((at_a + a.len(), at_b + b.len()));
    }
    found.only_a.extend(at_a..at_a + a.len());
    found.only_b.extend(at_b..at_b + b.len());
    found.matched.extend(behind.into_iter().rev());
}

/// Places of what both have equally often behind their common front, in an order that both share: the
/// longest such sequence.
fn anchors(a: &[usize], b: &[usize], common: usize) -> Vec<(usize, usize)> {
    let (of_a, of_b) = (places(a, common), places(b, common));
    let mut pairs = Vec::new();
    for (key, in_a) in of_a {
        if let Some(in_b) = of_b.get(&key).filter(|in_b| in_b.len() == in_a.len()) {
            pairs.extend(in_a.into_iter().zip(in_b.iter().copied()));
        }
    }
    pairs.sort_unstable();
    // For each length, the pair with which a rising sequence of that length ends lowest in `b`.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (index, (_, at_b)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *at_b);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut chain = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        chain.push(pairs[index]);
        next = before[index];
    }
    chain.reverse();
    chain
}

/// Where everything stands in a sequence, from a place on.
fn places(sequence: &[usize], from: usize) -> HashMap<usize, Vec<usize>> {
    let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, key) in sequence.iter().enumerate().skip(from) {
        places.entry(*key).or_default().push(place);
    }
    places
}

/// Turns what both sequences have left into moved events.
fn pair_moved(a: &[usize], b: &[usize], found: &mut Alignment) {
    let mut left: HashMap<usize, Vec<usize>> = HashMap::new();
    for place in found.only_a.iter().rev() {
        left.entry(a[*place]).or_default().push(*place);
    }
    let mut moved = Vec::new();
    found.only_b.retain(|place| match left.get_mut(&b[*place]).and_then(Vec::pop) {
        Some(other) => {
            moved.push((other, *place));
            false
        }
        None => true,
    });
    found.only_a = left.into_values().flatten().collect();
    found.only_a.sort_unstable();
    moved.sort_unstable();
    found.moved = moved;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(a: &str, b: &str) -> Alignment {
        let keys = |text: &str| text.bytes().map(usize::from).collect::<Vec<_>>();
        let found = align(&keys(a), &keys(b));
        check(&keys(a), &keys(b), &found);
        found
    }

    /// Each place is in the result exactly once, pairs are equal, and matched ones rise.
    fn check(a: &[usize], b: &[usize], found: &Alignment) {
        assert!(found.same().all(|(at, bt)| a[at] == b[bt]));
        let mut of_a: Vec<_> = found.same().map(|p| p.0).chain(found.only_a.clone()).collect();
        let mut of_b: Vec<_> = found.same().map(|p| p.1).chain(found.only_b.clone()).collect();
        of_a.sort_unstable();
        of_b.sort_unstable();
        assert!(of_a.into_iter().eq(0..a.len()) && of_b.into_iter().eq(0..b.len()));
        assert!(found.matched.is_sorted_by(|x, y| x.0 < y.0 && x.1 < y.1), "{found:?}");
        assert_eq!(found.is_equal(), a == b);
    }

    #[test]
    fn differences_are_found() {
        assert!(of("", "").is_equal() && of("abc", "abc").is_equal());
        let added = of("abc", "abxc");
        assert_eq!((added.first, &*added.only_b), ((Some(2), Some(2)), &[2][..]));
        assert!(added.only_a.is_empty() && added.moved.is_empty());
        let longer = of("abc", "abcd");
        assert_eq!((longer.first, &*longer.only_b), ((None, Some(3)), &[3][..]));
        let changed = of("abcd", "aXcd");
        assert_eq!((&*changed.only_a, &*changed.only_b), (&[1][..], &[1][..]));
        let moved = of("abcde", "acdbe");
        assert_eq!(moved.moved, [(1, 3)]);
        assert!(moved.only_a.is_empty() && moved.only_b.is_empty());
        let twice = of("axbxc", "1x2x3");
        assert_eq!((twice.only_a.len(), twice.matched.len(), twice.moved.len()), (3, 2, 0));
        let repeated = of("aaab", "aab");
        assert_eq!((repeated.only_a.len(), repeated.only_b.len()), (1, 0));
        let other = of("abc", "xyz");
        assert_eq!((other.only_a.len(), other.only_b.len()), (3, 3));
        of("", "abc");
    }

    /// Every pair of short words, and long ones that make other algorithms quadratic.
    #[test]
    fn all_short_words_and_long_ones() {
        let words: Vec<Vec<usize>> = (0..4_usize.pow(5))
            .map(|n| (0..n % 6).map(|digit| n / 4_usize.pow(digit as u32) % 4).collect())
            .collect();
        for a in words.iter().step_by(7) {
            for b in words.iter().step_by(3) {
                check(a, b, &align(a, b));
            }
        }
        let count = 20_000;
        let start = std::time::Instant::now();
        let same = vec![0; count];
        let rising: Vec<_> = (0..count).collect();
        let falling: Vec<_> = (0..count).rev().collect();
        let pairs: Vec<_> = (0..count).map(|n| n / 2).collect();
        let alternating: Vec<_> = (0..count).map(|n| n % 2).collect();
        let all = [&same, &rising, &falling, &pairs, &alternating];
        for a in all {
            for b in all {
                check(a, b, &align(a, b));
            }
        }
        assert!(start.elapsed() < core::time::Duration::from_secs(60), "{:?}", start.elapsed());
    }
}
