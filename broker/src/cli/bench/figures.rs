//! What a run gave, and what several runs say together: medians with their smallest and largest. Nothing is averaged.

use hdrhistogram::Histogram;

use super::args::Limit;
use super::verify::Tally;

/// A figure of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    /// Its name for programs, with its unit.
    pub(super) key: &'static str,
    /// Its name for people, with its unit.
    pub(super) label: &'static str,
    pub(super) value: f64,
}

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) figures: Vec<Figure>,
    pub(super) tally: Tally,
}

impl Figures {
    /// Adds a figure, if it is known.
    pub(super) fn add(&mut self, key: &'static str, label: &'static str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.figures.push(Figure { key, label, value });
        }
    }

    /// Adds the percentiles of latencies in nanoseconds under these names, each with how many nanoseconds its unit has.
    pub(super) fn add_percentiles(&mut self, names: &[Percentile], histogram: &Histogram<u64>, unit_ns: f64) {
        for Percentile { key, label, percentile } in names.iter().filter(|_| !histogram.is_empty()) {
            self.add(key, label, Some(histogram.value_at_percentile(*percentile) as f64 / unit_ns));
        }
    }

    fn value(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.key == key).map(|figure| figure.value)
    }
}

/// The name of a percentile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Percentile {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) percentile: f64,
}

/// What several runs say about one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// What these values say; `None` if there are none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            *values.get(middle)?
        } else {
            (values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0
        };
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }
}

/// A figure over all runs, and beside it the same of the bare writer and the ratio run by run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) measured: Spread,
    pub(super) limit: Option<Spread>,
    pub(super) ratio: Option<Spread>,
}

/// All that was measured: the runs, and those of the bare writer, each beside the one that it is compared with.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) runs: Vec<Figures>,
    pub(super) limits: Vec<Figures>,
    /// What they are compared with.
    pub(super) kind: Option<Limit>,
}

impl Outcome {
    /// The figures in the order in which the case gave them.
    pub(super) fn rows(&self) -> Vec<Row> {
        let first = self.runs.first().map(|run| run.figures.as_slice()).unwrap_or_default();
        first.iter().filter_map(|figure| self.row(figure.key, figure.label)).collect()
    }

    fn row(&self, key: &'static str, label: &'static str) -> Option<Row> {
        let values = |runs: &[Figures]| runs.iter().filter_map(|run| run.value(key)).collect::<Vec<_>>();
        let pairs = self.runs.iter().zip(&self.limits);
        let ratios =
            pairs.filter_map(|(run, limit)| Some(run.value(key)? / limit.value(key)?)).filter(|r| r.is_finite());
        Some(Row {
            key,
            label,
            measured: Spread::of(values(&self.runs))?,
            limit: Spread::of(values(&self.limits)),
            ratio: Spread::of(ratios),
        })
    }

    /// What was checked, over all runs of the broker.
    pub(super) fn tally(&self) -> Tally {
        self.runs.iter().map(|run| run.tally).fold(Tally::default(), Tally::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64) -> Figures {
        let mut figures = Figures::default();
        figures.add("a", "A", Some(value));
        figures.add("b", "B", None);
        figures.add("c", "C", Some(f64::NAN));
        figures
    }

    #[test]
    fn medians_are_values_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0]), Some(Spread { median: 3.0, min: 3.0, max: 3.0 }));
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    }

    #[test]
    fn ratios_are_those_of_runs_side_by_side() {
        let outcome = Outcome {
            runs: vec![run(2.0), run(6.0), run(4.0)],
            limits: vec![run(1.0), run(2.0), run(4.0)],
            kind: None,
        };
        let rows = outcome.rows();
        assert_eq!(rows.len(), 1, "what is not known is left out");
        assert_eq!(rows[0].ratio, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        let alone = Outcome { runs: vec![run(2.0)], limits: Vec::new(), kind: None };
        assert_eq!(alone.rows()[0].limit, None);
    }

    #[test]
    fn percentiles_come_in_their_unit() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).expect("a histogram");
        let p50 = Percentile { key: "p50_us", label: "p50, µs", percentile: 50.0 };
        let mut figures = Figures::default();
        figures.add_percentiles(&[p50], &histogram, 1e3);
        assert!(figures.figures.is_empty(), "nothing was recorded");
        histogram.record_n(100_000, 10).expect("within bounds");
        figures.add_percentiles(&[p50], &histogram, 1e3);
        assert!((figures.value("p50_us").expect("a figure") - 100.0).abs() < 0.2);
    }
}
