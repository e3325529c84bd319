//! The body of the client's fuzz target: laws about what a program sees, whatever a broker says; never a harness.
//!
//! It is the client without its socket: the real queue of publishes, table of subscriptions and dialogue. The input says
//! what the program does and what the broker says, step by step: some bodies are any bytes, some are what a broker might
//! well say there, so that the input gets far.

mod broker;
mod program;

use bytes::Bytes;

use broker::Broker;
use program::Program;

/// Steps after which an input is over, so that one stays cheap.
const STEPS_MAX: usize = 400;

/// Rounds in which an honest broker answers everything: what waits for room goes out in the second.
const SETTLED_WITHIN: usize = 8;

/// Any broker against any program: what a reader sees is dense or told, what is asked is legal, and nobody waits for ever.
pub fn client(input: &[u8]) {
    let mut choices = Choices(input);
    let kind = Kind(choices.next());
    let (mut program, mut broker) = (Program::new(kind), Broker::default());
    for _ in 0..STEPS_MAX {
        if choices.0.is_empty() {
            break;
        }
        step(kind, &mut program, &mut broker, &mut choices);
    }
    settle(&mut program, &mut broker);
    program.close();
}

fn step(kind: Kind, program: &mut Program, broker: &mut Broker, choices: &mut Choices<'_>) {
    match choices.below(32) {
        0..=2 => program.subscribe(choices),
        3 => program.drop_reader(choices.next()),
        4..=9 => program.read(choices.next()),
        10 | 11 => program.publish(choices),
        12 | 13 => program.publish_acked(choices),
        14 => program.disconnect(),
        15 if kind.says_anything() => {
            let body = Bytes::copy_from_slice(choices.bytes());
            program.hear(body, broker);
        }
        _ if !program.is_online() => {
            broker.begin();
            program.connect();
        }
        _ => {
            broker.hear(program.write());
            if let Some(body) = broker.say(kind, choices) {
                program.hear(body, broker);
            }
        }
    }
}

/// An honest broker from here on: whoever waits for an answer gets it.
fn settle(program: &mut Program, broker: &mut Broker) {
    program.disconnect();
    broker.begin();
    program.connect();
    for _ in 0..SETTLED_WITHIN {
        broker.hear(program.write());
        program.read_all();
        while let Some(body) = broker.answer(&mut Choices(&[1])) {
            program.hear(body, broker);
        }
    }
    program.assert_answered();
}

/// What kind of broker and program an input is about, so that some inputs get far.
#[derive(Clone, Copy)]
pub(crate) struct Kind(u8);

impl Kind {
    /// Whether publishes wait while there is no session.
    fn queues_offline(self) -> bool {
        self.0 & 1 == 0
    }

    /// Whether the broker withholds messages on purpose. Otherwise what a reader sees is dense.
    fn withholds(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether the broker breaks the rules of offsets. No reader may see that it does.
    fn lies(self) -> bool {
        self.0 & 8 != 0
    }

    /// Whether the broker may say any bytes at all.
    fn says_anything(self) -> bool {
        self.0 & 4 != 0
    }
}

/// The input, taken as small numbers; zeros once it is used up.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: u8) -> u8 {
        self.next() % count
    }

    /// A few bytes as they are, behind one that tells how many.
    fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.next()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::client;

    #[test]
    fn the_corpus_keeps_every_law() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/client");
        let seeds: Vec<_> = fs::read_dir(&folder).expect("the seeds are committed").collect();
        assert!(seeds.len() > 20, "the target has its seeds");
        for seed in seeds {
            client(&fs::read(seed.expect("a seed").path()).expect("a seed is readable"));
        }
    }

    #[test]
    fn inputs_at_random_keep_every_law() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for _ in 0..1500 {
            let input: Vec<u8> = (0..1200).map(|_| random()).collect();
            client(&input);
        }
    }
}
