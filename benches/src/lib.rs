// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the benchmarks share: inputs, the bare compressions they are compared with, and a clock for
//! ratios.
//!
//! `docs/performance.md` says what each figure means and how to get it.

#![allow(clippy::missing_panics_doc, reason = "an input that cannot be made ends the benchmark")]

pub mod appender;
pub mod bare;
pub mod cca;
pub mod eventlog;
pub mod hostile;
pub mod input;
pub mod paired;
pub mod snp;
pub mod tdx;

/// Whether criterion was told only to try every benchmark: then inputs are small.
#[must_use]
pub fn is_trial() -> bool {
    // What `cargo bench` gives, and not: `cargo test --benches` gives no `--bench`.
    let has = |word: &str| std::env::args().any(|argument| argument == word);
    has("--test") || !has("--bench")
}

/// `whole` when measuring, a hundredth of it in a trial.
#[must_use]
pub fn size(whole: usize) -> usize {
    if is_trial() { whole.div_ceil(100) } else { whole }
}

/// Criterion with few and short measurements, configured by the command line.
#[macro_export]
macro_rules! criterion {
    () => {
        ::criterion::Criterion::default()
            .sample_size(10)
            .warm_up_time(core::time::Duration::from_millis(200))
            .measurement_time(core::time::Duration::from_millis(600))
            .without_plots()
            .configure_from_args()
    };
}
