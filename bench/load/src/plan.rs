//! What is to be sent: rate, mix, limits.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A run of the generator, before it starts.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where requests go.
    pub target: SocketAddr,
    /// The `Host` that they name.
    pub host: String,
    /// Requests per second, above 0 and up to 100 000.
    pub rate: f64,
    /// How sends are spread in time.
    pub pace: Pace,
    /// Which kinds of request, in which shares.
    pub mix: Mix,
    /// The paths that GET requests ask for, in turn. Each gets `id=` added to its query.
    pub paths: Vec<String>,
    /// Where orders are posted.
    pub order_path: String,
    /// How slow uploads are sent.
    pub upload: UploadPlan,
    /// The answer's header that names the version, if the service has one.
    pub version_header: String,
    /// The answer's header that repeats the id of the request, if the service has one.
    pub id_header: String,
    /// How long one request may take in all, connecting included.
    pub timeout: Duration,
    /// The run ends by itself after so many requests.
    pub at_most: u64,
    /// The run ends by itself after so long.
    pub lasting: Duration,
    /// So many requests may be in flight; a further one fails as `overload`.
    pub in_flight: usize,
    /// So many visitors keep the cookie that they are given; requests beyond what they can send at a time have none.
    pub visitors: u32,
    /// Decides the mix and the Poisson times.
    pub seed: u64,
}

/// How sends are spread in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The same time between any two.
    Constant,
    /// As independent users come: exponential times between them.
    Poisson,
}

/// The shares of the kinds of request. Only the ratios count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// GET on a kept connection.
    pub get: u32,
    /// GET on a new connection that is closed after it.
    pub fresh: u32,
    /// POST of an order, which must not be executed twice.
    pub post: u32,
    /// A slow chunked upload.
    pub upload: u32,
}

/// The kinds of request in a mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// GET on a kept connection.
    Get,
    /// GET on a new connection that is closed after it.
    Fresh,
    /// POST of an order on a kept connection.
    Post,
    /// A slow chunked upload on a new connection.
    Upload,
}

impl RequestKind {
    /// Whether a connection that has served before may carry it.
    pub(crate) fn may_reuse(self) -> bool {
        matches!(self, RequestKind::Get | RequestKind::Post)
    }
}

/// How slow uploads are sent.
#[derive(Debug, Clone)]
pub struct UploadPlan {
    /// Where to.
    pub path: String,
    /// In how many chunks.
    pub chunks: u32,
    /// Bytes in each chunk.
    pub chunk: usize,
    /// The time between chunks.
    pub every: Duration,
}

impl Plan {
    /// 200 requests per second, constantly, to the example shop's paths: half on kept connections, a quarter on
    /// new ones, a quarter orders; for at most ten minutes.
    pub fn new(target: SocketAddr) -> Self {
        Plan {
            target,
            host: target.to_string(),
            rate: 200.0,
            pace: Pace::Constant,
            mix: Mix { get: 2, fresh: 1, post: 1, upload: 0 },
            paths: vec!["/".to_owned(), "/product/3".to_owned(), "/api/stock".to_owned()],
            order_path: "/api/orders".to_owned(),
            upload: UploadPlan {
                path: "/upload".to_owned(),
                chunks: 20,
                chunk: 4096,
                every: Duration::from_millis(50),
            },
            version_header: "tandem-shop-version".to_owned(),
            id_header: "tandem-shop-request".to_owned(),
            timeout: Duration::from_secs(30),
            at_most: 2_000_000,
            lasting: Duration::from_secs(600),
            in_flight: 4096,
            visitors: 40,
            seed: 1,
        }
    }

    /// The same plan with only GET requests for one path: for services that know no orders.
    #[must_use]
    pub fn only_get(mut self, path: &str) -> Self {
        self.mix = Mix { get: 1, fresh: 1, post: 0, upload: 0 };
        self.paths = vec![path.to_owned()];
        self
    }
}

impl Mix {
    /// The kind at this point of the shares; any number will do.
    pub(crate) fn pick(self, number: u64) -> RequestKind {
        let shares = [
            (self.get, RequestKind::Get),
            (self.fresh, RequestKind::Fresh),
            (self.post, RequestKind::Post),
            (self.upload, RequestKind::Upload),
        ];
        let mut left = number % self.total().max(1);
        for (share, kind) in shares {
            match left.checked_sub(u64::from(share)) {
                Some(rest) => left = rest,
                None => return kind,
            }
        }
        RequestKind::Get
    }

    /// The sum of the shares.
    pub(crate) fn total(self) -> u64 {
        [self.get, self.fresh, self.post, self.upload].into_iter().map(u64::from).sum()
    }
}

/// The text is not a mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a mix: write shares such as get=2,fresh=1,post=1,upload=0")]
pub struct ParseMixError(String);

impl FromStr for Mix {
    type Err = ParseMixError;

    fn from_str(text: &str) -> Result<Self, ParseMixError> {
        let wrong = || ParseMixError(text.to_owned());
        let mut mix = Mix { get: 0, fresh: 0, post: 0, upload: 0 };
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or_else(wrong)?;
            let share = share.trim().parse().map_err(|_| wrong())?;
            match name.trim() {
                "get" => mix.get = share,
                "fresh" => mix.fresh = share,
                "post" => mix.post = share,
                "upload" => mix.upload = share,
                _ => return Err(wrong()),
            }
        }
        if mix.total() == 0 { Err(wrong()) } else { Ok(mix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_kept_in_its_shares() {
        let mix: Mix = "get=2,post=1".parse().expect("a mix");
        let posts = (0..300).filter(|&number| mix.pick(number) == RequestKind::Post).count();
        assert_eq!(posts, 100);
        assert!("get".parse::<Mix>().is_err());
        assert!("get=0".parse::<Mix>().is_err());
    }
}
