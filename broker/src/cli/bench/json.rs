//! The figures for programs: one object with everything that it takes to judge them and to measure them again.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::args::Limit;
use super::figures::{Figures, Outcome, Spread};
use super::machine::Machine;
use super::verify::Tally;

/// What a measurement was.
#[derive(Debug, Serialize)]
pub(super) struct About {
    pub(super) case: &'static str,
    /// The case's sizes, and what all cases share.
    pub(super) parameters: Map<String, Value>,
    /// The command line that was given.
    pub(super) command: String,
    pub(super) version: &'static str,
    pub(super) machine: Machine,
}

/// One line with one object.
pub(super) fn render(about: &About, outcome: &Outcome) -> String {
    let mut medians = BTreeMap::new();
    let mut ratios = BTreeMap::new();
    let mut limits = BTreeMap::new();
    for row in outcome.rows() {
        medians.insert(row.key, spread(&row.measured));
        row.limit.map(|limit| limits.insert(row.key, spread(&limit)));
        row.ratio.map(|ratio| ratios.insert(row.key, spread(&ratio)));
    }
    let mut object = json!({
        "about": about,
        "callboard": { "figures": medians, "runs": runs(&outcome.runs) },
        "checked": tally(&outcome.tally()),
    });
    if !outcome.limits.is_empty() {
        object[outcome.kind.map_or("bare", Limit::key)] = json!({ "figures": limits, "runs": runs(&outcome.limits) });
        object["ratio"] = json!(ratios);
    }
    format!("{object}\n")
}

fn runs(runs: &[Figures]) -> Vec<Value> {
    let run = |run: &Figures| {
        let figures: BTreeMap<&str, f64> = run.figures.iter().map(|figure| (figure.key, figure.value)).collect();
        json!({ "figures": figures, "checked": tally(&run.tally) })
    };
    runs.iter().map(run).collect()
}

fn spread(spread: &Spread) -> Value {
    json!({ "median": spread.median, "min": spread.min, "max": spread.max })
}

fn tally(tally: &Tally) -> Value {
    json!({
        "delivered": tally.delivered,
        "lost": tally.lost,
        "twice_or_out_of_order": tally.repeated,
        "strange": tally.strange,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_in_the_object() {
        let mut run = Figures { tally: Tally { delivered: 5, ..Tally::default() }, ..Figures::default() };
        run.add("cost", "cost", Some(1.5));
        let about = About {
            case: "fanout",
            parameters: Map::new(),
            command: "callboard bench fanout".to_owned(),
            version: "0",
            machine: Machine::here(),
        };
        let text = render(&about, &Outcome { runs: vec![run.clone()], limits: vec![run], kind: Some(Limit::Quic) });
        let object: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(object["callboard"]["figures"]["cost"]["median"], 1.5);
        assert_eq!(object["bare_quic"]["runs"][0]["figures"]["cost"], 1.5);
        assert_eq!(object["ratio"]["cost"]["max"], 1.0);
        assert_eq!(object["checked"]["delivered"], 5);
        assert!(object["about"]["machine"]["cores"].as_u64().is_some_and(|cores| cores > 0));
    }
}
