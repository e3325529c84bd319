//! What an operator is told of a refusal that a setting may change: each name once a minute, and a few of them; it decides
//! nothing.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How long a name is not told again: whoever is refused comes back every few seconds.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Names that are told in that time: anybody may invent them.
const HINTS_MAX: usize = 8;

/// What a setting would have to name for such a request to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// A page's origin.
    Origin(String),
    /// A name under which the door was called.
    Host(String),
    /// A proxy on this machine.
    Proxy(IpAddr),
}

/// What was told lately.
#[derive(Debug, Default)]
pub(crate) struct Hints(Vec<(Hint, Instant)>);

impl Hints {
    /// Logs a hint that is news.
    pub(crate) fn tell(&mut self, hint: &Hint, now: Instant) {
        if !self.note(hint, now) {
            return;
        }
        match hint {
            Hint::Origin(origin) => tracing::warn!(
                origin,
                "a page of this origin was refused; if it is yours, add the origin to ws.origins, or a proxy that serves it \
                 to ws.trusted_proxies"
            ),
            Hint::Host(host) => {
                tracing::warn!(host, "a request to this host name was refused; if it is yours, add it to ws.hosts");
            }
            Hint::Proxy(address) => tracing::warn!(
                %address,
                "a key was refused that came through a proxy on this machine; if the proxy speaks TLS, add its address to \
                 ws.trusted_proxies, and have it say so in X-Forwarded-Proto"
            ),
        }
    }

    /// Whether a hint is news, and there is room for it.
    fn note(&mut self, hint: &Hint, now: Instant) -> bool {
        self.0.retain(|(_, told)| now.duration_since(*told) < AGAIN_AFTER);
        let is_news = self.0.len() < HINTS_MAX && self.0.iter().all(|(told, _)| told != hint);
        if is_news {
            self.0.push((hint.clone(), now));
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_once_a_minute() {
        let (mut hints, start) = (Hints::default(), Instant::now());
        let hint = Hint::Origin("http://localhost:5173".into());
        let told = [0, 1, 59, 60, 61].map(|seconds| hints.note(&hint, start + Duration::from_secs(seconds)));
        assert_eq!(told, [true, false, false, true, false]);
    }

    #[test]
    fn of_names_that_somebody_invents_a_few_are_told() {
        let (mut hints, start) = (Hints::default(), Instant::now());
        let told = |hints: &mut Hints, now| {
            (0..1000).filter(|number| hints.note(&Hint::Host(format!("{number}.example")), now)).count()
        };
        assert_eq!(told(&mut hints, start), HINTS_MAX);
        assert_eq!(told(&mut hints, start + AGAIN_AFTER), HINTS_MAX);
    }
}
