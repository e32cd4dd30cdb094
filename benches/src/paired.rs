// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ratios on a machine that others use too: both sides run in short turns, one after the other, and
//! the ratio is taken turn by turn.

use core::time::Duration;
use std::time::Instant;

/// Turns; odd, for the median.
const TURNS: usize = 31;

/// One work timed, perhaps against another.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Median time of one turn.
    pub time: Duration,
    /// Shortest time of one turn.
    pub best: Duration,
    /// Median time of the floor's turn.
    pub floor: Duration,
    /// Median over the turns of work by floor.
    pub ratio: f64,
    /// The ratio of the two shortest times.
    pub best_ratio: f64,
}

/// Runs `work` and `floor` in turns.
pub fn time(mut work: impl FnMut(), mut floor: impl FnMut()) -> Timed {
    let turns = if crate::is_trial() { 1 } else { TURNS };
    let clock = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().max(Duration::from_nanos(1))
    };
    let pairs: Vec<_> = (0..turns).map(|_| (clock(&mut floor), clock(&mut work))).collect();
    let ratios = pairs.iter().map(|(floor, work)| work.as_secs_f64() / floor.as_secs_f64());
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    let (mut floors, mut times): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    floors.sort_unstable();
    times.sort_unstable();
    Timed {
        time: times[turns / 2],
        best: times[0],
        floor: floors[turns / 2],
        ratio: ratios[turns / 2],
        best_ratio: times[0].as_secs_f64() / floors[0].as_secs_f64(),
    }
}
