// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pieces of work on a measured stack.

use core::fmt::Write as _;

use crate::{Exit, MeasuredStack, Serial, Used};

/// A piece of work.
pub struct Job<C> {
    /// What it is called.
    pub name: &'static str,
    /// The work. Returns whether what it did came out as it should.
    pub run: extern "C" fn(&mut C) -> bool,
    /// What it may use of the stack, in bytes.
    pub budget: Option<usize>,
}

/// Does the jobs in order and prints a line of each:
/// `STACK <group><name> <used> of <size> budget <budget> <how it went>`. The first that does not come
/// out well is the last.
pub fn run_all<C, const WORDS: usize>(
    stack: &mut MeasuredStack<WORDS>,
    group: &str,
    jobs: &[Job<C>],
    context: &mut C,
) -> Exit {
    let mut worst = Exit::Good;
    for Job { name, run, budget } in jobs {
        let (good, used) = stack.run(*run, context);
        let verdict = match (used, *budget) {
            _ if !good => Exit::Failed,
            (Used::Overflow, _) => Exit::Overflow,
            (Used::Bytes(bytes), Some(budget)) if bytes > budget => Exit::OverBudget,
            (Used::Bytes(_), _) => Exit::Good,
        };
        let _ = write!(Serial, "STACK {group}{name} {} ", used.of(MeasuredStack::<WORDS>::SIZE));
        let _ = match budget {
            Some(budget) => writeln!(Serial, "budget {budget} {verdict}"),
            None => writeln!(Serial, "no budget {verdict}"),
        };
        worst = worst.max(verdict);
        if !matches!(verdict, Exit::Good | Exit::OverBudget) {
            break;
        }
    }
    worst
}
