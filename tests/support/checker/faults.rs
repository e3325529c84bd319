//! What the checker found: the rule that was broken, by whose account, where, and a sentence; it judges nothing.

use std::fmt;

use callboard_protocol::Position;

/// How many faults are written out: the first ones tell the most.
const WRITTEN_MAX: usize = 20;

/// What a trial is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A log adds up: each thing is asked before it is answered, under a number of its own.
    Account,
    /// Nothing of a subscription comes before it began.
    Early,
    /// Nothing of a subscription comes after it was left.
    AfterLeft,
    /// No offset is missing untold.
    Hole,
    /// No offset comes twice or goes back.
    Repeated,
    /// Another epoch is told before anything of it comes, and an epoch that was left is over.
    Epoch,
    /// Who is told that nothing is missing goes on where it was.
    Recovery,
    /// A gap lies ahead of who is told of it.
    EmptyGap,
    /// Only own messages are skipped, and only for those who asked for it.
    Withheld,
    /// Who asked not to get its own messages does not get them.
    OwnDelivered,
    /// At one place everybody sees the same message.
    Disagreement,
    /// What is delivered was published, to this channel.
    Invented,
    /// A publish has one place in an epoch.
    StoredTwice,
    /// A place is one publish's.
    SharedPlace,
    /// Publishes of one client to one channel are stored in its order.
    OwnOrder,
    /// What is published after an answer came is stored behind what was answered.
    RealTime,
    /// A publish is answered once.
    AnsweredTwice,
    /// What was asked is answered in the end.
    Unanswered,
    /// What was refused was not done.
    RefusedStored,
    /// Neither side says that the other broke the protocol.
    Protocol,
    /// A client is back soon after its session ended, and at the end everybody is there.
    Away,
    /// At the end every subscriber has everything, or was told.
    Behind,
    /// The broker has no more memory than it may.
    Memory,
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub rule: Rule,
    /// By whose account.
    pub client: String,
    /// In which channel, if it is about one.
    pub channel: Option<String>,
    /// Where, if it is about a place.
    pub position: Option<Position>,
    /// What was wrong.
    pub sentence: String,
}

/// What the checker found, in no order that matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.0
    }

    /// The rules that were broken, each once.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.0.iter().map(|fault| fault.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// # Panics
    ///
    /// If anything was found.
    #[track_caller]
    pub fn assert_none(&self) {
        assert!(self.is_empty(), "the checker found:\n{self}");
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.client)?;
        if let Some(channel) = &self.channel {
            write!(f, " on {channel}")?;
        }
        if let Some(position) = self.position {
            write!(f, " at {position}")?;
        }
        write!(f, ": {} [{:?}]", self.sentence, self.rule)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.0.iter().take(WRITTEN_MAX) {
            writeln!(f, "{fault}")?;
        }
        match self.0.len().saturating_sub(WRITTEN_MAX) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}
