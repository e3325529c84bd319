//! A request for a job as the page sends it, read and judged; pure, and it never trusts what it reads.

use callboard_client::{ChannelName, Payload, defaults::ONE_OFF_PREFIX};
use serde_json::Value;

use super::job::Job;

/// Digits of a one-off channel's name: 128 bits in base 16.
const DIGITS: usize = 32;

/// What is asked for, and where the answer goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) job: &'static Job,
    pub(super) answer_to: ChannelName,
}

/// What is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// There is nowhere to say why.
    Unanswerable,
    /// Whoever asked is told this.
    Refused {
        /// Where.
        answer_to: ChannelName,
        /// What is wrong, and what would not be.
        sentence: String,
    },
}

/// Reads `{ "job": …, "answerTo": … }`.
pub(super) fn read(payload: &Payload) -> Result<Request, Unfit> {
    let text = payload.as_str().ok_or(Unfit::Unanswerable)?;
    let asked: Value = serde_json::from_str(text).map_err(|_| Unfit::Unanswerable)?;
    let answer_to = asked["answerTo"].as_str().and_then(one_off).ok_or(Unfit::Unanswerable)?;
    match asked["job"].as_str().and_then(Job::of) {
        Some(job) => Ok(Request { job, answer_to }),
        None => {
            let names: Vec<&str> = Job::all().iter().map(|job| job.name).collect();
            let sentence = format!("There is no such job; there are {}.", names.join(", "));
            Err(Unfit::Refused { answer_to, sentence })
        }
    }
}

/// The channel of this name, if it can be one that somebody made for one answer. To any other one nothing is said:
/// whoever may not publish to a channel shall not have it done by this program, nor have a busy one flooded by it.
fn one_off(name: &str) -> Option<ChannelName> {
    let digits = name.strip_prefix(ONE_OFF_PREFIX)?;
    let is_random = digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_random { ChannelName::parse(name).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONCE: &str = "once/0123456789abcdef0123456789abcdef";

    #[test]
    fn a_request_names_a_job_and_a_channel_made_for_its_answer() {
        let job = Job::all()[0].name;
        let request = read(&Payload::json(format!(r#"{{"job":"{job}","answerTo":"{ONCE}"}}"#))).expect("a request");
        assert_eq!((request.job.name, request.answer_to.as_str()), (job, ONCE));
    }

    #[test]
    fn what_can_be_answered_is_told_what_there_is() {
        for job in ["\"fly\"", "7", "null", "[]"] {
            let unfit = read(&Payload::json(format!(r#"{{"job":{job},"answerTo":"{ONCE}"}}"#)));
            let Err(Unfit::Refused { answer_to, sentence }) = unfit else { panic!("{job}: {unfit:?}") };
            assert!(answer_to.as_str() == ONCE && sentence.contains(Job::all()[0].name), "{sentence}");
        }
    }

    #[test]
    fn nothing_is_said_to_a_channel_that_is_not_one_off() {
        let job = Job::all()[0].name;
        for name in [
            "demo/talk",
            "everyone",
            "once/",
            "once/0123456789ABCDEF0123456789ABCDEF",
            "once/0123456789abcdef0123456789abcdef/more",
            "once/0123456789abcdef0123456789abcdeg",
            "twice/0123456789abcdef0123456789abcdef",
        ] {
            let asked = Payload::json(format!(r#"{{"job":"{job}","answerTo":"{name}"}}"#));
            assert_eq!(read(&asked), Err(Unfit::Unanswerable), "{name}");
        }
        for payload in
            [Payload::text("paint"), Payload::json("null"), Payload::json("[7]"), Payload::binary(vec![0xff])]
        {
            assert_eq!(read(&payload), Err(Unfit::Unanswerable));
        }
    }
}
