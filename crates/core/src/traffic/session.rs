//! Which version serves a client, while several live.
//!
//! A client is known again by a cookie: the key of the version that served it, and a random number that is its place in
//! the order in which clients move to the new version. So a client moves once and forward, and yet each version has its
//! share of them at every moment: with only the first, all clients would soon be at the first new instance. A key can't
//! be guessed, so nobody comes to a version that has no traffic but by a link that holds its key.
//!
//! Knows neither HTTP nor instances. Tested in place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Millis, Share, VersionKey, VersionLabel};
use crate::spec::ANY_VALUE;

/// The number of places in the order of clients.
pub const PLACES: u32 = 1 << 16;

/// How clients are divided between the versions of a service. With no versions here, nothing is to be divided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// The name of the cookie, and of the parameter of links.
    pub cookie: String,
    /// Whether clients are told their version.
    pub pins: bool,
    /// A session without a request for so long is over.
    pub idle: Millis,
    /// The versions that live, the one first to which clients move.
    pub versions: Vec<LiveVersion>,
    /// Who gets the first version whatever its share is. None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
}

/// Requests that get a version because of what they say: any of these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Chosen {
    /// Header fields, by their names in lower case, with the whole value or `*` for any.
    pub headers: BTreeMap<String, String>,
    /// Cookies, the same.
    pub cookies: BTreeMap<String, String>,
}

impl Chosen {
    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.cookies.is_empty()
    }

    /// Whether a header field is one of those; its name in lower case.
    pub fn by_header(&self, name: &str, value: &str) -> bool {
        self.headers.get(name).is_some_and(|wanted| wanted == ANY_VALUE || wanted == value)
    }

    /// Whether a cookie is one of those.
    pub fn by_cookie(&self, name: &str, value: &str) -> bool {
        self.cookies.get(name).is_some_and(|wanted| wanted == ANY_VALUE || wanted == value)
    }
}

/// A version that clients can be served by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiveVersion {
    /// The version.
    pub version: VersionLabel,
    /// What stands for it in cookies and links. None: neither can name it.
    pub key: Option<VersionKey>,
    /// Of [`PLACES`] clients that nothing holds elsewhere, so many are served by it.
    pub share: u32,
    /// Whether a client that it served stays with it.
    pub holds: bool,
    /// Whether clients may ask for it by its label: it serves, or did.
    pub known: bool,
}

/// What a request says of the version that it wants. All from outside: any text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The key in a link.
    pub link: Option<&'a str>,
    /// The label that the page it comes from was made by (`x-deployment-id`, `?dpl=`).
    pub label: Option<&'a str>,
    /// The value of the cookie.
    pub cookie: Option<&'a str>,
    /// Whether it is one of those that get the first version.
    pub chosen: bool,
}

/// Where a request goes. Positions are those in [`Sessions::versions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// To any version that serves.
    Anywhere,
    /// To the version that was asked for by a link, and to no other.
    Only(usize),
    /// To this version, if it can serve.
    Preferred {
        /// The version.
        version: usize,
        /// The client, if it is known by a cookie.
        client: Option<u32>,
        /// The client is to be told: the version's key and its place.
        tell: bool,
    },
    /// Back to where it came from, with what the link asked for as a cookie. None: without one.
    Linked(Option<usize>),
}

/// The word in a link that ends what an earlier link began.
pub const NO_LINK: &str = "none";

/// Which version serves a request. `random` is the place of a client that has none yet.
pub fn place(sessions: &Sessions, asked: Asked<'_>, random: u32) -> Placement {
    let versions = &sessions.versions;
    if versions.is_empty() {
        return Placement::Anywhere;
    }
    let by_key = |key: &str| versions.iter().position(|v| v.key.as_ref().is_some_and(|k| k.as_str() == key));
    if let Some(link) = asked.link {
        if link == NO_LINK {
            return Placement::Linked(None);
        }
        if let Some(version) = by_key(link) {
            return Placement::Linked(Some(version));
        }
    }
    let cookie = asked.cookie.map(|cookie| cookie.split_once('.').unwrap_or((cookie, "")));
    if let Some(version) = cookie.filter(|(_, place)| place.is_empty()).and_then(|(key, _)| by_key(key)) {
        return Placement::Only(version);
    }
    let client = cookie.and_then(|(_, place)| u32::from_str_radix(place, 16).ok());
    let labelled = asked.label.and_then(|l| versions.iter().position(|v| v.known && v.version.as_str() == l));
    if let Some(version) = labelled {
        return Placement::Preferred { version, client, tell: false };
    }
    if asked.chosen {
        return Placement::Preferred { version: 0, client, tell: false };
    }
    let before = cookie.filter(|_| sessions.pins).and_then(|(key, _)| by_key(key));
    if let Some(version) = before.filter(|&at| versions.get(at).is_some_and(|v| v.holds)) {
        return Placement::Preferred { version, client, tell: client.is_none() };
    }
    let Some(version) = at(versions, client.unwrap_or(random)) else { return Placement::Anywhere };
    let tell = sessions.pins && (before != Some(version) || client.is_none());
    Placement::Preferred { version, client: client.or(tell.then_some(random)), tell }
}

/// The version whose part of the order holds a client.
fn at(versions: &[LiveVersion], client: u32) -> Option<usize> {
    // The upper bits: a place is a number of any size, and its order is that of its leading digits.
    let place = client >> 16;
    let mut end = 0;
    versions.iter().position(|version| {
        end += version.share;
        place < end
    })
}

/// The cookie of a client that a version serves.
pub fn cookie(key: &VersionKey, client: u32) -> String {
    format!("{key}.{client:08x}")
}

/// The shares of versions with so many instances each; they add up to [`PLACES`] if there is any. `first`: the part of the
/// first one, if it is not to be as large as its pool and there are others.
pub fn shares(first: Option<Share>, instances: &[u32]) -> Vec<u32> {
    if let (Some(share), Some((1.., others))) = (first, instances.split_first())
        && others.iter().any(|count| *count > 0)
    {
        let first = places(share);
        return [first].into_iter().chain(divided(PLACES - first, others)).collect();
    }
    divided(PLACES, instances)
}

/// So many places are a part of the clients.
pub fn places(share: Share) -> u32 {
    share.of(u64::from(PLACES)) as u32
}

/// `places` in proportion to the instances.
fn divided(places: u32, instances: &[u32]) -> Vec<u32> {
    let all: u64 = instances.iter().map(|&count| u64::from(count)).sum();
    let (mut before, mut placed) = (0, 0);
    let part = |count: u32| {
        before += u64::from(count);
        let end = (u64::from(places) * before).checked_div(all).unwrap_or(0) as u32;
        let share = end - placed;
        placed = end;
        share
    };
    instances.iter().copied().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(version: &str, share: u32, holds: bool) -> LiveVersion {
        let key = format!("key0{version}").parse().ok();
        LiveVersion { version: version.parse().unwrap(), key, share, holds, known: share > 0 }
    }

    fn sessions(new: u32, of: u32) -> Sessions {
        let [new, old] = shares(None, &[new, of - new])[..] else { panic!("two shares") };
        let versions = vec![live("v2", new, true), live("v1", old, false)];
        Sessions { cookie: "tandem".to_owned(), pins: true, idle: Millis::ZERO, versions, chosen: None }
    }

    /// The version, and the cookie that the client has afterwards.
    fn visit(sessions: &Sessions, cookie: Option<String>, random: u32) -> (usize, Option<String>) {
        match place(sessions, Asked { cookie: cookie.as_deref(), ..Asked::default() }, random) {
            Placement::Preferred { version, client: Some(client), tell: true } => {
                let key = sessions.versions[version].key.as_ref().unwrap();
                (version, Some(self::cookie(key, client)))
            }
            Placement::Preferred { version, .. } => (version, cookie),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clients_move_once_and_forward_and_each_version_has_its_share() {
        let mut clients: Vec<(bool, Option<String>)> = vec![(false, None); 4000];
        let mut random = 1_u32;
        for step in 1..=8 {
            let sessions = sessions(step, 8);
            for _ in 0..3 {
                let mut moved = 0;
                for (is_new, cookie) in &mut clients {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let (version, now) = visit(&sessions, cookie.take(), random);
                    assert!(!*is_new || version == 0, "a client came back");
                    (*is_new, *cookie) = (version == 0, now);
                    moved += u32::from(*is_new);
                }
                let share = moved * 8 / 40;
                assert!(share.abs_diff(step * 100) <= 25, "{moved} of 4000 moved at {step}/8");
            }
        }
    }

    #[test]
    fn whom_the_new_version_served_it_serves_although_its_share_sinks() {
        let (version, cookie) = visit(&sessions(3, 4), None, 0x9000_0000);
        assert_eq!(version, 0);
        assert_eq!(visit(&sessions(1, 4), cookie.clone(), 7), (0, cookie.clone()));
        // Turned back, it holds nobody.
        let mut back = sessions(1, 4);
        back.versions[0].holds = false;
        let (version, now) = visit(&back, cookie, 7);
        assert_eq!((version, now.as_deref()), (1, Some("key0v1.90000000")));
    }

    #[test]
    fn links_reach_any_version_and_labels_only_known_ones() {
        let mut all = sessions(1, 4);
        all.versions.push(live("v3", 0, false));
        let asked =
            |link, label, cookie| place(&all, Asked { link, label, cookie, chosen: false }, 0xffff_ffff);
        let old = Placement::Preferred { version: 1, client: Some(0xffff_ffff), tell: true };
        assert_eq!(asked(Some("key0v3"), None, None), Placement::Linked(Some(2)));
        assert_eq!(asked(Some("none"), None, Some("key0v3")), Placement::Linked(None));
        assert_eq!(asked(None, None, Some("key0v3")), Placement::Only(2));
        assert_eq!(
            asked(None, Some("v2"), None),
            Placement::Preferred { version: 0, client: None, tell: false }
        );
        for (link, label, cookie) in [
            (Some("v3"), None, None),
            (Some(""), None, None),
            (None, Some("v3"), None),
            (None, Some("v9"), None),
            (None, None, Some("")),
            (None, None, Some(".")),
            (None, None, Some("key0v3.zz")),
            (None, None, Some("key0v9.é")),
        ] {
            assert_eq!(asked(link, label, cookie), old, "{link:?} {label:?} {cookie:?}");
        }
    }

    #[test]
    fn without_pins_nothing_is_told_and_each_request_falls_where_it_falls() {
        let all = Sessions { pins: false, ..sessions(1, 4) };
        let asked = Asked { cookie: Some("key0v2.00000000"), ..Asked::default() };
        let new = Placement::Preferred { version: 0, client: Some(0), tell: false };
        assert_eq!(place(&all, asked, 0xffff_ffff), new, "a place counts, a key does not");
        let old = Placement::Preferred { version: 1, client: None, tell: false };
        assert_eq!(place(&all, Asked::default(), 0xffff_ffff), old);
        assert_eq!(place(&Sessions::default(), asked, 0), Placement::Anywhere);
    }

    #[test]
    fn shares_add_up() {
        for counts in [&[1, 2][..], &[0, 3], &[3, 0], &[1, 1, 1], &[7]] {
            for first in [None, Some(Share::percent(5)), Some(Share::NONE)] {
                assert_eq!(shares(first, counts).iter().sum::<u32>(), PLACES, "{counts:?} {first:?}");
            }
        }
        let by_size = |counts: &[u32]| shares(None, counts);
        assert_eq!((by_size(&[1, 3]), by_size(&[0, 0])), (vec![PLACES / 4, 3 * (PLACES / 4)], vec![0, 0]));
    }

    #[test]
    fn a_canary_has_the_share_that_was_said_and_others_what_is_left() {
        let half = Some(Share::HALF);
        assert_eq!(shares(half, &[1, 3, 1]), [PLACES / 2, 3 * (PLACES / 8), PLACES / 8]);
        assert_eq!(shares(Some(Share::NONE), &[1, 3]), [0, PLACES]);
        assert_eq!(shares(half, &[0, 3]), [0, PLACES], "nothing of it serves");
        assert_eq!(shares(half, &[2, 0]), [PLACES, 0], "nothing else serves");
    }

    #[test]
    fn who_is_chosen_gets_the_first_version_and_is_told_nothing() {
        let none = Sessions { pins: false, ..sessions(0, 4) };
        let asked = Asked { chosen: true, ..Asked::default() };
        let first = Placement::Preferred { version: 0, client: None, tell: false };
        assert_eq!(place(&none, asked, 0xffff_ffff), first);
        let by =
            |entries: &[(&str, &str)]| entries.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let chosen = Chosen { headers: by(&[("x-canary", "1")]), cookies: by(&[("beta", "*")]) };
        assert!(chosen.by_header("x-canary", "1") && chosen.by_cookie("beta", "whatever"));
        assert!(
            !chosen.by_header("x-canary", "2")
                && !chosen.by_header("beta", "1")
                && !chosen.by_cookie("x", "1")
        );
    }
}
